"""Activation functions: values, gradients, borders, infinities, dtypes, and their forms in place."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from nn.functional.against_torch import check, draw, ours, outcome

import zerograd
from zerograd.nn import functional as F

FUNCTIONS: list[tuple[str, dict[str, Any]]] = [
    ("relu", {}), ("relu6", {}), ("elu", {}), ("elu", {"alpha": 0.3}), ("selu", {}), ("celu", {}),
    ("celu", {"alpha": 0.4}), ("gelu", {}), ("gelu", {"approximate": "tanh"}), ("silu", {}), ("mish", {}),
    ("hardswish", {}), ("hardsigmoid", {}), ("hardtanh", {}), ("hardtanh", {"min_val": -2, "max_val": 0.5}),
    ("hardshrink", {}), ("hardshrink", {"lambd": 1}), ("softshrink", {}), ("softshrink", {"lambd": 1}),
    ("tanhshrink", {}), ("leaky_relu", {}), ("leaky_relu", {"negative_slope": 0.3}), ("rrelu", {}),
    ("rrelu", {"training": True}), ("logsigmoid", {}), ("softplus", {}), ("softplus", {"beta": 3, "threshold": 2}),
    ("softsign", {}), ("threshold", {"threshold": 0.5, "value": 7}), ("tanh", {}), ("sigmoid", {}), ("glu", {}),
    ("glu", {"dim": 0}), ("softmax", {"dim": 1}), ("log_softmax", {"dim": -2}), ("softmin", {"dim": 0}),
]  # fmt: skip
IN_PLACE = (
    "relu", "relu6", "elu", "selu", "celu", "silu", "mish", "hardswish", "hardsigmoid", "hardtanh", "leaky_relu",
    "rrelu",
)  # fmt: skip


def with_borders() -> Any:
    """Random numbers, and those at which the functions bend."""
    x = torch.randn(4, 6, dtype=torch.float64) * 3
    x.view(-1)[:8] = torch.tensor([0.0, -3, 3, 6, -1, 1, 0.5, -0.5])
    return x.requires_grad_()


@pytest.mark.parametrize(("name", "arguments"), FUNCTIONS)
def test_activations(name: str, arguments: dict[str, Any]) -> None:
    check(name, with_borders(), second=False, **arguments)
    check(name, draw(4, 6), second=name != "hardsigmoid", **arguments)  # PyTorch has no second derivative of that one


@pytest.mark.parametrize(("name", "arguments"), FUNCTIONS)
def test_activations_of_infinities_nan_and_large_numbers(name: str, arguments: dict[str, Any]) -> None:
    x = torch.tensor([float("inf"), -float("inf"), 1e300, 800.0, -800, 0], dtype=torch.float64)
    check(name, x.repeat(2, 1).requires_grad_(), second=False, **arguments)
    check(name, torch.tensor([float("nan"), 1, float("nan"), 2]).repeat(2, 1), tolerance=1e-6, **arguments)


@pytest.mark.parametrize(("name", "arguments"), FUNCTIONS)
def test_activations_take_pytorchs_dtypes(name: str, arguments: dict[str, Any]) -> None:
    for dtype in (torch.int32, torch.bool):
        x = torch.ones(4, 6, dtype=dtype)
        theirs = outcome(torch, name, (x,), arguments)
        assert outcome(zerograd, name, ours((x,), []), arguments) == theirs, dtype


@pytest.mark.parametrize("name", IN_PLACE)
def test_inplace_changes_its_argument_and_returns_it(name: str) -> None:
    x = torch.randn(3, 4)
    (mine,) = ours((x,), [])
    zerograd.manual_seed(0)
    assert getattr(F, name)(mine, inplace=True) is mine
    torch.manual_seed(0)
    assert zerograd.allclose(mine, ours((getattr(torch.nn.functional, name)(x),), [])[0])


@pytest.mark.parametrize("name", IN_PLACE)
def test_inplace_refuses_a_leaf_that_requires_gradients(name: str) -> None:
    x = zerograd.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf"):
        getattr(F, name)(x, inplace=True)
    assert x.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("name", ["relu_", "elu_", "selu_", "celu_", "hardtanh_", "leaky_relu_", "rrelu_"])
def test_names_with_an_underscore_work_in_place(name: str) -> None:
    x = torch.randn(3, 4)
    (mine,) = ours((x,), [])
    assert getattr(F, name)(mine) is mine
    assert zerograd.allclose(mine, ours((getattr(torch.nn.functional, name)(x),), [])[0])


def test_gradients_pass_through_a_change_in_place() -> None:
    def scenario(T: Any) -> Any:
        w = T.tensor([-2.0, -0.5, 1.0, 3.0], requires_grad=True)
        T.nn.functional.leaky_relu(w * 2, 0.1, inplace=True).sum().backward()
        return w.grad.tolist()

    assert scenario(zerograd) == pytest.approx(scenario(torch))


def test_slopes_of_channels() -> None:
    check("prelu", draw(3), draw(1))
    check("prelu", draw(2, 3, 4), draw(3))
    check("prelu", torch.tensor(-3.0).requires_grad_(), torch.ones(1).requires_grad_())


@pytest.mark.parametrize("hard", [False, True])
def test_gumbel_softmax_draws_as_pytorch_does(hard: bool) -> None:
    check("gumbel_softmax", draw(3, 5), 0.7, hard, second=False)
    check("gumbel_softmax", draw(3, 5), hard=hard, dim=0, second=False)


@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (2, 3, 4), (2, 2, 3, 2)])
def test_softmax_without_dim_warns_and_chooses_as_before(name: str, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = getattr(torch.nn.functional, name)(x)
    with pytest.warns(UserWarning, match="dim"):
        found = getattr(F, name)(ours((x,), [])[0])
    assert zerograd.allclose(found, ours((expected,), [])[0])


def test_softmax_converts_first() -> None:
    check("softmax", torch.arange(4).reshape(2, 2).double(), 1)
    assert F.softmax(zerograd.tensor([1, 2]), 0, dtype=zerograd.float64).dtype is zerograd.float64

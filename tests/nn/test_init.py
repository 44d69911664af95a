"""The initial values of parameters are PyTorch's for the same seed."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import zerograd

Fill = Callable[[Any, Any], Any]


def filled(library: Any, fill: Fill, shape: tuple[int, ...], dtype: str, seed: int) -> tuple[Any, Any]:
    before = library.get_rng_state()
    library.manual_seed(seed)
    try:
        tensor = library.ones(shape, dtype=getattr(library, dtype)).requires_grad_()
        result = fill(library.nn.init, tensor)
        assert result is tensor
        assert tensor.requires_grad
        assert tensor.grad_fn is None
        return np.array(tensor.detach().tolist()), library.get_rng_state().numpy().copy()
    finally:
        library.set_rng_state(before)


def check(fill: Fill, shape: tuple[int, ...], dtype: str = "float32", *, atol: float = 0.0) -> None:
    ours, our_state = filled(zerograd, fill, shape, dtype, seed=4)
    theirs, their_state = filled(torch, fill, shape, dtype, seed=4)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)
    np.testing.assert_array_equal(our_state, their_state)


FILLS: dict[str, Fill] = {
    "uniform_": lambda i, w: i.uniform_(w),
    "uniform_ bounds": lambda i, w: i.uniform_(w, -0.3, 0.4),
    "normal_": lambda i, w: i.normal_(w),
    "normal_ by name": lambda i, w: i.normal_(w, mean=1.0, std=0.02),
    "constant_": lambda i, w: i.constant_(w, 0.3),
    "ones_": lambda i, w: i.ones_(w),
    "zeros_": lambda i, w: i.zeros_(w),
    "xavier_uniform_": lambda i, w: i.xavier_uniform_(w, gain=i.calculate_gain("tanh")),
    "xavier_normal_": lambda i, w: i.xavier_normal_(w),
    "kaiming_uniform_": lambda i, w: i.kaiming_uniform_(w, a=math.sqrt(5)),
    "kaiming_uniform_ out": lambda i, w: i.kaiming_uniform_(w, mode="fan_out", nonlinearity="relu"),
    "kaiming_normal_": lambda i, w: i.kaiming_normal_(w, nonlinearity="relu"),
    "trunc_normal_": lambda i, w: i.trunc_normal_(w, std=0.02),
    "trunc_normal_ narrow": lambda i, w: i.trunc_normal_(w, std=1.5, a=-1, b=1),
    "trunc_normal_ tail": lambda i, w: i.trunc_normal_(w, mean=0.0, std=1.0, a=1.0, b=3.0),
}


@pytest.mark.parametrize("shape", [(3, 5), (16, 8), (7, 3, 3, 3)])
@pytest.mark.parametrize("fill", FILLS.values(), ids=FILLS.keys())
def test_an_initialiser_gives_pytorchs_numbers(fill: Fill, shape: tuple[int, ...]) -> None:
    check(fill, shape)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
@pytest.mark.parametrize("name", ["uniform_", "normal_", "kaiming_normal_", "trunc_normal_"])
def test_an_initialiser_gives_pytorchs_numbers_in_other_dtypes(name: str, dtype: str) -> None:
    check(FILLS[name], (20, 9), dtype)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (6, 2, 3)])
def test_orthogonal_is_pytorchs(shape: tuple[int, ...]) -> None:
    check(lambda i, w: i.orthogonal_(w, gain=2), shape, atol=1e-5)
    check(lambda i, w: i.orthogonal_(w), shape, "float64", atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 5), (10, 4)])
def test_sparse_and_eye_are_pytorchs(shape: tuple[int, ...]) -> None:
    check(lambda i, w: i.sparse_(w, sparsity=0.3), shape)
    check(lambda i, w: i.eye_(w), shape)


@pytest.mark.parametrize(
    ("shape", "groups"), [((3, 16, 5), 1), ((4, 2, 3, 4), 2), ((6, 3, 2, 3, 3), 3), ((2, 5, 1), 1)]
)
def test_dirac_is_pytorchs(shape: tuple[int, ...], groups: int) -> None:
    check(lambda i, w: i.dirac_(w, groups), shape)


def test_initialisers_draw_from_the_given_generator() -> None:
    names = [
        "uniform_", "normal_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_",
        "trunc_normal_", "orthogonal_",
    ]  # fmt: skip
    for name in names:
        results = []
        for library in (zerograd, torch):
            before = library.get_rng_state().tolist()
            tensor = library.empty(4, 6)
            getattr(library.nn.init, name)(tensor, generator=library.Generator().manual_seed(8))
            assert library.get_rng_state().tolist() == before
            results.append(tensor.tolist())
        np.testing.assert_allclose(*results, rtol=0, atol=1e-5 if name == "orthogonal_" else 0)


@pytest.mark.parametrize(
    "name",
    [
        "linear",
        "conv1d",
        "conv2d",
        "conv3d",
        "conv_transpose2d",
        "sigmoid",
        "tanh",
        "relu",
        "leaky_relu",
        "selu",
    ],
)
def test_gains_are_pytorchs(name: str) -> None:
    ours, theirs = zerograd.nn.init.calculate_gain, torch.nn.init.calculate_gain
    assert ours(name) == theirs(name)
    assert ours("leaky_relu", 0.2) == theirs("leaky_relu", 0.2)
    assert ours("leaky_relu", 2) == theirs("leaky_relu", 2)


@pytest.mark.parametrize("shape", [(3, 5), (7, 2, 3), (4, 3, 2, 5)])
def test_fans_are_pytorchs(shape: tuple[int, ...]) -> None:
    ours = zerograd.nn.init._calculate_fan_in_and_fan_out(zerograd.empty(shape))
    assert ours == torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))


@pytest.mark.parametrize(
    "name",
    [
        "uniform", "normal", "eye", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal",
        "orthogonal",
    ],
)  # fmt: skip
def test_the_old_names_warn_and_do_the_same(name: str) -> None:
    ours = zerograd.zeros(3, 3)
    with pytest.warns(FutureWarning, match=f"{name}_"):
        getattr(zerograd.nn.init, name)(ours, **({} if name == "eye" else {"generator": zerograd.Generator()}))
    theirs = torch.zeros(3, 3)
    with pytest.warns(FutureWarning):
        getattr(torch.nn.init, name)(theirs, **({} if name == "eye" else {"generator": torch.Generator()}))
    np.testing.assert_allclose(ours.tolist(), theirs.tolist(), rtol=0, atol=1e-5 if name == "orthogonal" else 0)


def test_tensors_without_elements_warn_and_stay() -> None:
    for name in ("kaiming_uniform_", "kaiming_normal_"):
        with pytest.warns(UserWarning, match="without elements"):
            getattr(zerograd.nn.init, name)(zerograd.empty(0, 3))
    assert zerograd.nn.init.orthogonal_(zerograd.empty(0, 3)).numel() == 0


def test_a_truncated_normal_far_from_its_mean_warns() -> None:
    with pytest.warns(UserWarning, match="more than 2 std"):
        tensor = zerograd.nn.init.trunc_normal_(zerograd.empty(50), mean=10.0, a=0.0, b=2.0)
    assert ((tensor.numpy() >= 0) & (tensor.numpy() <= 2)).all()


def test_a_nonleaf_view_can_be_initialised_in_place() -> None:
    weight = zerograd.zeros(4, 3, requires_grad=True)
    zerograd.nn.init.normal_(weight.T)
    assert weight.is_leaf
    assert (weight.detach().numpy() != 0).all()


WRONG: dict[str, Fill] = {
    "unknown nonlinearity": lambda i, w: i.calculate_gain("swish"),
    "slope of a string": lambda i, w: i.calculate_gain("leaky_relu", "a"),
    "slope of bool": lambda i, w: i.calculate_gain("leaky_relu", True),
    "fans of a vector": lambda i, w: i.xavier_uniform_(w(5)),
    "fans of a vector, kaiming": lambda i, w: i.kaiming_normal_(w(5)),
    "unknown mode": lambda i, w: i.kaiming_uniform_(w(3, 4), mode="fan_sideways"),
    "eye of a vector": lambda i, w: i.eye_(w(3)),
    "sparse of 3 dimensions": lambda i, w: i.sparse_(w(3, 3, 3), 0.5),
    "dirac of a matrix": lambda i, w: i.dirac_(w(3, 3)),
    "dirac of groups that do not divide": lambda i, w: i.dirac_(w(3, 3, 3), 2),
    "orthogonal of a vector": lambda i, w: i.orthogonal_(w(3)),
    "negative std": lambda i, w: i.normal_(w(3), 0.0, -1.0),
    "bounds in the wrong order": lambda i, w: i.uniform_(w(3), 1.0, -1.0),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_call_raises_pytorchs_error(wrong: Fill) -> None:
    with warnings.catch_warnings(), pytest.raises(Exception) as expected:  # noqa: PT011  PyTorch says which
        wrong(torch.nn.init, torch.empty)
    with pytest.raises(expected.type) as error:
        wrong(zerograd.nn.init, zerograd.empty)
    assert type(error.value) is expected.type

"""scaled_dot_product_attention as one op: PyTorch's values and derivatives at every shape, mask and type."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from nn.scenarios import agree, numbers

import zerograd
from zerograd.ir.traverse import topological
from zerograd.nn.functional import fused_attention
from zerograd.nn.functional.fused_attention import FEW, fits

SHAPES = [
    ((1, 1, 1, 1), (1, 1, 1, 1), 1),
    ((2, 3, 5, 4), (2, 3, 5, 4), 4),
    ((2, 3, 7, 4), (2, 3, 3, 4), 2),
    ((1, 2, 3, 5), (1, 2, 6, 5), 3),
    ((37, 8), (41, 8), 3),
    ((3, 11, 2), (3, 7, 2), 5),
    ((2, 1, 2, 17, 3), (2, 1, 2, 13, 3), 1),
    ((2, 3, 4, 4), (1, 1, 5, 4), 4),
    ((3, 4, 4), (2, 1, 5, 4), 4),
]  # query, key, value width


def attend(library: Any, query: Any, key: Any, width: int, dtype: str = "float32", **options: Any) -> Any:
    shapes = query, key, (*key[:-1], width)
    kind = getattr(library, dtype)
    xs = [numbers(library, *shape, end=i + 1).to(kind).requires_grad_() for i, shape in enumerate(shapes)]
    output = library.nn.functional.scaled_dot_product_attention(*xs, **options)
    (output * output).sum().backward()
    return output, *(x.grad for x in xs)


@pytest.fixture(params=[True, False], ids=["kept", "again"])
def weights(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient of few weights takes those that are kept, of many it computes them again."""
    if not request.param:
        monkeypatch.setattr(fused_attention, "NEAR", 0)


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize("sizes", SHAPES, ids=str)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_shape(sizes: Any, causal: bool, dtype: str) -> None:
    query, key, width = sizes
    agree(lambda library: attend(library, query, key, width, dtype, is_causal=causal), tolerance=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("causal", [False, True])
def test_half_types(dtype: str, causal: bool) -> None:
    def scenario(library: Any) -> Any:
        return [one.float() for one in attend(library, (2, 2, 6, 8), (2, 2, 9, 8), 8, dtype, is_causal=causal)]

    agree(scenario, tolerance=4e-2)


MASKS: dict[str, Any] = {
    "padding": lambda library: library.tensor([[[[True, True, False, True, False]]], [[[True] + [False] * 4]]]),
    "queries": lambda library: library.tensor([[True], [False], [True], [True]]),
    "each head": lambda library: numbers(library, 2, 3, 4, 5),
    "nothing left": lambda library: numbers(library, 4, 5).masked_fill(
        library.tensor([[True] * 5, [False] * 5, [True] * 5, [False] * 5]), -math.inf
    ),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=list(MASKS))
def test_every_mask(mask: Any) -> None:
    agree(lambda library: attend(library, (2, 3, 4, 8), (2, 3, 5, 8), 8, attn_mask=mask(library)), tolerance=1e-4)


def test_a_mask_with_a_gradient() -> None:
    def scenario(library: Any) -> Any:
        mask = numbers(library, 4, 5).requires_grad_()
        return *attend(library, (2, 3, 4, 8), (2, 3, 5, 8), 8, attn_mask=mask), mask.grad

    agree(scenario, tolerance=1e-4)


def second(library: Any, attention: Any) -> list[Any]:
    """Gradients of a function of the gradients."""
    shapes = ((2, 2, 5, 3), (2, 2, 6, 3), (2, 2, 6, 2))
    xs = [numbers(library, *shape, end=i + 1).double().requires_grad_() for i, shape in enumerate(shapes)]
    grads = library.autograd.grad((attention(*xs) ** 3).sum(), xs, create_graph=True)
    total = sum((one * one).sum() for one in grads)
    return [one.detach().numpy() for one in library.autograd.grad(total, xs)]


SECOND: dict[str, Any] = {
    "plain": lambda library: {},
    "causal": lambda library: {"is_causal": True},
    "boolean mask": lambda library: {
        "attn_mask": library.tensor([[(i + j) % 3 > 0 for j in range(6)] for i in range(5)])
    },
    "float mask": lambda library: {"attn_mask": numbers(library, 5, 6).double()},
}


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize("options", SECOND.values(), ids=list(SECOND))
def test_second_derivatives(options: Any) -> None:
    """PyTorch's own kernel has none, so its composed function is the oracle."""

    def of(library: Any) -> list[Any]:
        at = options(library)
        return second(library, lambda *xs: library.nn.functional.scaled_dot_product_attention(*xs, **at))

    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        theirs = of(torch)
    for x, y in zip(of(zerograd), theirs, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9)


def test_derivatives_are_those_of_differences() -> None:
    shapes = ((1, 2, 3, 2), (1, 2, 4, 2), (1, 2, 4, 3))
    xs = [numbers(zerograd, *shape, end=i + 1).double().requires_grad_() for i, shape in enumerate(shapes)]
    mask = zerograd.tensor([[True, False, True, True], [False] * 4, [True] * 4])
    attention = zerograd.nn.functional.scaled_dot_product_attention
    assert zerograd.autograd.gradcheck(lambda *xs: attention(*xs, is_causal=True), xs)
    assert zerograd.autograd.gradcheck(lambda *xs: attention(*xs, attn_mask=mask), xs)
    assert zerograd.autograd.gradgradcheck(lambda *xs: attention(*xs, attn_mask=mask, scale=0.7), xs)


def test_it_is_one_op_where_that_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    def ops(*shapes: tuple[int, ...], **options: Any) -> set[str]:
        xs = [zerograd.zeros(shape).requires_grad_() for shape in shapes]
        made = zerograd.nn.functional.scaled_dot_product_attention(*xs, **options)
        return {node.op.name for node in topological([made._node()])}

    square = ((2, 2, 6, 4),) * 3
    assert "attention" in ops(*square, is_causal=True)
    assert "attention" in ops((2, 4, 6, 4), *square[1:], is_causal=True, enable_gqa=True)
    assert "attention" not in ops(*square), "the gradient needs the weights, which are few"
    with zerograd.no_grad():
        assert "attention" in ops(*square)
    with monkeypatch.context() as changed:
        changed.setattr(fused_attention, "NEAR", 2 * 2 * 6 * 6 - 1)
        assert "attention" in ops(*square), "the weights are many"
    few = (2, 2, FEW // 4, 4), (2, 2, FEW, 4), (2, 2, FEW, 4)
    for shapes, options in (
        (square, {"dropout_p": 0.5}),
        (square, {"attn_mask": zerograd.zeros(6, 6).requires_grad_()}),
        (few, {}),
        (((2, 2, 0, 4), *square[1:]), {}),
    ):
        assert "attention" not in ops(*shapes, **options)


def test_what_fits() -> None:
    kind = zerograd.float32
    assert fits(kind, (3, 4, 8), (2, 1, 5, 8), (5, 2), (4, 5))
    assert not fits(kind, (4, 8), (5, 7), (5, 2), None), "widths differ"
    assert not fits(kind, (4, 8), (5, 8), (6, 2), None), "keys differ"
    assert not fits(kind, (3, 4, 8), (2, 5, 8), (5, 2), None), "batches do not broadcast"
    assert not fits(kind, (4, 8), (5, 8), (5, 2), (3, 4, 5)), "the mask has a batch of its own"
    assert not fits(zerograd.complex64, (4, 8), (5, 8), (5, 2), None), "complex"

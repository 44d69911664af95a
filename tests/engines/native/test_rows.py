"""Kernels that go along rows: every length of a row, every width of a vector, operands that lie across the rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from engines.native.graphs import check_close, check_same
from engines.native.lowered import Lowered, leaves

from zerograd.engines.native import planning
from zerograd.engines.native.rowplan import described
from zerograd.ir.graph import Node
from zerograd.ops import reduction
from zerograd.ops.elementwise import add, div, eq, exp, mul, sub
from zerograd.ops.movement import expand, flip, permute, slice_
from zerograd.passes import pipeline

LENGTHS = [*range(1, 36), 47, 48, 63, 64, 65, 100, 4095, 4096, 4097, 4120, 8200]


class Processor(NamedTuple):
    """What kernels ask of it."""

    lanes: int
    registers: int


PROCESSORS = {"NEON": Processor(4, 32), "SSE": Processor(4, 16), "AVX2": Processor(8, 16), "AVX-512": Processor(16, 32)}


@pytest.fixture(params=PROCESSORS)
def processor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Processor:
    """Kernels are made for that processor; LLVM makes do with the one there is."""
    found = PROCESSORS[request.param]
    monkeypatch.setattr(planning, "host", lambda: found)
    monkeypatch.setattr(planning, "_kernels", {})
    monkeypatch.setattr(planning, "described", lambda plan: f"{found} {described(plan)}")
    return found


def data(*shape: int, dtype: str = "float32", seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def softmax(x: Node) -> Node:
    powers = exp(sub(x, expand(reduction.max(x, axes=(x.rank - 1,)), shape=x.shape)))
    return div(powers, expand(reduction.sum(powers, axes=(x.rank - 1,)), shape=x.shape))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_rows_of_any_length(processor: Processor, dtype: str) -> None:
    for n in LENGTHS:
        array = data(3, n, dtype=dtype)
        (x,) = leaves(array)
        bound = 2e-3 if dtype == "float16" else 1e-5
        check_close([softmax(x), reduction.max(x, axes=(1,)), mul(exp(x), x)], [array], bound)


def test_folds_of_everything_and_of_columns_of_any_length(processor: Processor) -> None:
    for n in LENGTHS:
        array = data(3, n)
        (x,) = leaves(array)
        check_close([reduction.sum(mul(x, x), axes=(0, 1)), reduction.sum(exp(x), axes=(0,))], [array])


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64"])
def test_short_rows_in_any_number(processor: Processor, dtype: str) -> None:
    """Vectors go across the rows; the last one may have fewer of them."""
    for rows, n in [(4, 3), (5, 2), (8, 8), (13, 3), (16, 10), (23, 7), (33, 12), (100, 3)]:
        array = (data(rows, n) * 4).astype(dtype)
        (x,) = leaves(array)
        largest = expand(reduction.max(x, axes=(1,)), shape=x.shape)
        outputs = [
            sub(x, largest),
            eq(x, largest),
            reduction.sum(x, axes=(1,)),
            reduction.sum(sub(x, largest), axes=(0,)),
        ]
        if x.dtype.is_floating_point:
            outputs.append(softmax(x))
        outputs.append(reduction.max(mul(x, x), axes=(0, 1)))
        check_close(outputs, [array], 1e-2 if dtype == "float16" else 1e-5)


def test_short_rows_that_lie_anywhere(processor: Processor) -> None:
    arrays = data(3, 21), data(21, 8), data(1, 3), data(21, 1)
    x, y, z, w = leaves(*arrays)
    wide = add(permute(x, order=(1, 0)), slice_(y, starts=(0, 1), stops=(21, 7), steps=(1, 2)))
    scaled = add(mul(flip(wide, axes=(1,)), expand(z, shape=(21, 3))), expand(w, shape=(21, 3)))
    folded = expand(reduction.min(scaled, axes=(1,)), shape=(21, 3))
    check_close([scaled, sub(scaled, folded), reduction.sum(scaled, axes=(0,))], list(arrays))


def test_a_nan_in_a_short_row_stays_there(processor: Processor) -> None:
    array = data(19, 3)
    array[4, 1], array[18, 2], array[7, 0] = np.nan, np.nan, np.inf
    (x,) = leaves(array)
    rows = [
        reduction.max(x, axes=(1,)),
        reduction.min(x, axes=(1,)),
        sub(x, expand(reduction.max(x, axes=(1,)), shape=x.shape)),
    ]
    check_same(rows, [array])


def test_long_sums_stay_accurate(processor: Processor) -> None:
    array = np.full((2, 1_000_003), 0.1, np.float32)
    (x,) = leaves(array)
    lowered = Lowered(pipeline.run([reduction.sum(x, axes=(1,))]), [array])
    np.testing.assert_allclose(lowered.run()[0], array.astype(np.float64).sum(1, keepdims=True), 5e-6)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5, 7), (1, 9, 1, 2, 3), (5, 1, 6, 1, 8), (3, 2, 2, 2, 1)])
def test_rows_are_counted_along_several_axes(shape: tuple[int, ...]) -> None:
    """Operands that repeat along different axes, so that none of these can be joined."""
    a, b, c = data(*shape), data(*shape[:1], 1, *shape[2:], seed=1), data(1, shape[1], 1, shape[3], shape[4], seed=2)
    x, y, z = leaves(a, b, c)
    total = add(mul(x, expand(y, shape=shape)), expand(z, shape=shape))
    check_same([total], [a, b, c])
    check_close([reduction.sum(total, axes=(4,)), softmax(total)], [a, b, c])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int8", "bfloat16"])
def test_operands_across_the_rows(dtype: str) -> None:
    """They are turned first, block by block."""
    a, b = data(6, 40, 30) * 9, data(30, 6, 40, seed=1) * 9
    if dtype == "bfloat16":
        import ml_dtypes

        a, b = a.astype(ml_dtypes.bfloat16), b.astype(ml_dtypes.bfloat16)
    else:
        a, b = a.astype(dtype), b.astype(dtype)
    x, y = leaves(a, b)
    outputs = [add(permute(x, order=(0, 2, 1)), permute(y, order=(1, 0, 2)))]
    check_same(outputs, [a, b])
    assert "transpose" in Lowered(pipeline.run(outputs), [a, b]).kernels()


def test_rows_that_lie_across_are_folded() -> None:
    a, b = data(8, 24, 5, 5), data(1, 1, 1, 24, seed=1)
    x, y = leaves(a, b)
    last = permute(x, order=(0, 2, 3, 1))
    wide = expand(y, shape=last.shape)
    check_close([mul(softmax(last), wide), reduction.max(mul(last, wide), axes=(3,))], [a, b])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "float16"])
def test_elements_apart(processor: Processor, dtype: str) -> None:
    a = (data(5, 90) * 9).astype(dtype)
    (x,) = leaves(a)
    for apart in (slice_(x, starts=(0, 1), stops=(5, 90), steps=(1, 3)), flip(x, axes=(1,))):
        check_same([add(apart, apart), reduction.max(apart, axes=(1,))], [a])

"""Ops that run along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engines.native.graphs import check_close, check_same
from engines.native.lowered import leaves

from zerograd.ir.graph import Node
from zerograd.ops import scan

SHAPES = [((7,), 0), ((1,), 0), ((3, 50), 1), ((50, 3), 0), ((4, 6, 35), 1), ((2, 5, 16), 1), ((3, 40, 9), 0)]


def data(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) * (9 if "int" in dtype else 1)).astype(dtype)


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "int64"])
def test_running_sum_and_product(shape: tuple[int, ...], axis: int, dtype: str) -> None:
    array = data(shape, dtype)
    (x,) = leaves(array)
    check_same([scan.cumsum(x, axis=axis), scan.cumprod(x, axis=axis)], [array])


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "int16", "float16"])
def test_running_extremes(shape: tuple[int, ...], axis: int, dtype: str) -> None:
    """The last of equal elements; NaN is the largest and the smallest."""
    array = np.round(data(shape, dtype)) if dtype != "int16" else data(shape, dtype)
    if dtype != "int16" and array.size > 40:
        array.reshape(-1)[[20, 33]] = np.nan
    (x,) = leaves(array)
    largest, smallest = scan.cummax(x, axis=axis), scan.cummin(x, axis=axis)
    assert isinstance(largest, tuple)
    assert isinstance(smallest, tuple)
    check_same([*largest, smallest[1]], [array])


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_logarithm_of_running_sum(shape: tuple[int, ...], axis: int) -> None:
    array = data(shape, "float32")
    (x,) = leaves(array)
    check_close([scan.logcumsumexp(x, axis=axis)], [array])


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_recurrence(shape: tuple[int, ...], axis: int, dtype: str) -> None:
    arrays = [data(shape, dtype), data(shape, dtype, 1)]
    arrays[0].reshape(-1)[0] = np.inf  # the first factor has nothing to multiply
    factor, term = leaves(*arrays)
    made: Node = scan.recurrence(factor, term, axis=axis)
    check_close([made], arrays, 1e-3 if dtype == "float16" else 1e-6)

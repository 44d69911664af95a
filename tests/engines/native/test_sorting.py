"""Elements in order."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from engines.native.graphs import check_same
from engines.native.lowered import leaves

from zerograd.ops.sorting import sort

SHAPES = [
    ((1,), 0),
    ((2,), 0),
    ((99,), 0),
    ((100,), 0),
    ((101, 3), 0),
    ((2, 1031), 1),
    ((3, 17), 1),
    ((33, 5), 0),
    ((4, 8, 6), 1),
    ((2, 1, 3), 1),
]
DTYPES: list[Any] = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int8, np.uint8, np.int64, np.bool_]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_order(shape: tuple[int, ...], axis: int, dtype: Any, descending: bool) -> None:
    """Few different numbers, so that there are many equal ones, whose places tell whether they kept their order."""
    rng = np.random.default_rng(len(shape))
    array = rng.integers(-3, 4, shape).astype(np.float32)
    if np.dtype(dtype).kind in "fV":
        array = rng.choice(np.array([-np.inf, -2.5, -0.0, 0.0, 1.5, 3.25, np.inf, np.nan], np.float32), shape)
    with np.errstate(invalid="ignore"):
        array = array.astype(np.int64).astype(dtype) if np.dtype(dtype).kind == "u" else array.astype(dtype)
    (x,) = leaves(array)
    found = sort(x, axis=axis, descending=descending)
    assert isinstance(found, tuple)
    check_same(found, [array])


@pytest.mark.parametrize("dtype", [np.int64, np.float64, np.int32, np.float32])
def test_limits(dtype: Any) -> None:
    info: Any = np.iinfo(dtype) if np.dtype(dtype).kind == "i" else np.finfo(dtype)
    array = np.array(
        [0, info.max, info.min, 1, -1, info.max, info.min + (1 if dtype in (np.int64, np.int32) else 0)], dtype
    )
    (x,) = leaves(array)
    for descending in (False, True):
        found = sort(x, axis=0, descending=descending)
        assert isinstance(found, tuple)
        check_same(found, [array])


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("length", [64, 1031])
@pytest.mark.parametrize("dtype", [*DTYPES, np.int16, np.int32])
def test_any_numbers(dtype: Any, length: int, descending: bool) -> None:
    """Random bits, and then a line whose keys differ in a few bytes only."""
    rng = np.random.default_rng(length)
    array = rng.integers(0, 256, (3, length * np.dtype(dtype).itemsize), np.uint8).view(np.uint8)
    array = (array % 2).astype(np.bool_) if dtype is np.bool_ else array.view(dtype)
    array[1] = array[1, 0]
    if np.dtype(dtype).kind in "iu":
        array[2] = rng.integers(0, 7, length)
    (x,) = leaves(array)
    found = sort(x, axis=1, descending=descending)
    assert isinstance(found, tuple)
    check_same(found, [array])

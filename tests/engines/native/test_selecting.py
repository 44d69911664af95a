"""Medians and modes."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from engines.native.graphs import check_same
from engines.native.lowered import leaves

from zerograd.ops.movement import permute
from zerograd.ops.sorting import median, median_at, mode_at, nanmedian, nanmedian_at

SHAPES = [((1,), 0), ((2,), 0), ((3,), 0), ((101,), 0), ((3, 17), 1), ((33, 5), 0), ((4, 8, 6), 1), ((2, 1, 3), 1),
          ((300, 7), 1)]  # fmt: skip
DTYPES: list[Any] = [
    np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int8, np.uint8, np.int16, np.int32, np.int64,
]  # fmt: skip


def numbers(rng: np.random.Generator, dtype: Any, shape: tuple[int, ...], nan: float) -> Any:
    if np.dtype(dtype).kind in "iu":
        info: Any = np.iinfo(dtype)
        return rng.choice(np.array([info.min, 0, 1, 2, 3, info.max]).astype(dtype), shape)
    few = np.array([-np.inf, -2.5, -0.0, 0.0, 1.5, 3.25, np.inf], np.float32)
    return np.where(rng.random(shape) < nan, np.float32(np.nan), rng.choice(few, shape)).astype(dtype)


@pytest.mark.parametrize("nan", [0, 0.1, 0.7, 1])
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_elements_and_places(shape: tuple[int, ...], axis: int, dtype: Any, nan: float) -> None:
    if nan and np.dtype(dtype).kind in "iu":
        return
    array = numbers(np.random.default_rng(len(shape)), dtype, shape, nan)
    (x,) = leaves(array)
    found = [one for op in (median_at, nanmedian_at, mode_at) for one in op(x, axis=axis)]
    check_same(found, [array])


@pytest.mark.parametrize("nan", [0, 0.1, 1])
@pytest.mark.parametrize("length", [1, 2, 7, 64, 1031])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int64])
def test_of_all_elements(length: int, dtype: Any, nan: float) -> None:
    array = numbers(np.random.default_rng(length), dtype, (length,), nan)
    (x,) = leaves(array)
    check_same([median(x, axes=(0,)), nanmedian(x, axes=(0,))], [array])


def test_operands_in_another_order() -> None:
    array = np.random.default_rng(1).normal(size=(23, 6))
    (x,) = leaves(array)
    check_same([*median_at(permute(x, order=(1, 0)), axis=1)], [array])


def test_modes_of_truth_values() -> None:
    array = np.random.default_rng(1).integers(0, 2, (5, 9)).astype(bool)
    (x,) = leaves(array)
    check_same([*mode_at(x, axis=1)], [array])

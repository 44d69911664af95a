"""Histograms."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from engines.native.graphs import check_same
from engines.native.lowered import leaves

from zerograd.engines.native import program
from zerograd.ops.movement import permute
from zerograd.ops.sorting import histogram

DTYPES: list[Any] = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]
BOUNDS = [(0.0, 0.0), (-2.0, 2.0), (-0.1, 0.30000001), (5.0, 5.0), (1.0, 1e6), (-3e30, 3e30)]


@pytest.mark.parametrize("bins", [1, 2, 7, 100, 1031])
@pytest.mark.parametrize("length", [1, 2, 100, 1031])
@pytest.mark.parametrize("dtype", DTYPES)
def test_counts(dtype: Any, length: int, bins: int) -> None:
    """Random numbers, and whole ones, many of which are bounds."""
    rng = np.random.default_rng(length)
    for array in (rng.normal(size=length), rng.integers(-4, 5, length) / 2):
        array = array.astype(dtype)
        nodes = leaves(array)
        check_same([histogram(nodes[0], bins=bins, low=low, high=high) for low, high in BOUNDS[:5]], [array])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_bound_and_its_neighbours(dtype: Any) -> None:
    for bins in (3, 10, 49, 100, 333):
        for low, high in BOUNDS[1:3] + BOUNDS[4:]:
            edges = np.linspace(low, high, bins + 1, dtype=dtype)
            array = np.concatenate([edges, np.nextafter(edges, dtype(np.inf)), np.nextafter(edges, dtype(-np.inf))])
            (x,) = leaves(array)
            check_same([histogram(x, bins=bins, low=low, high=high)], [array])


def test_what_is_no_number_is_not_counted() -> None:
    array = np.array([np.nan, np.inf, -np.inf, 0.5, 1.0, -1.0, 7.0, np.nan], np.float32)
    (x,) = leaves(array)
    check_same([histogram(x, bins=4, low=-1.0, high=1.0)], [array])


def test_equal_elements_no_elements_and_another_order() -> None:
    for array in (np.full(9, 3.5, np.float32), np.zeros((0, 3)), np.random.default_rng(0).normal(size=(9, 5))):
        (x,) = leaves(array)
        if array.ndim > 1:
            x = permute(x, order=(1, 0))
        check_same([histogram(x, bins=6, low=0.0, high=0.0), histogram(x, bins=6, low=-0.5, high=0.5)], [array])


def test_what_has_no_range_is_an_error() -> None:
    arrays = [np.array([1.0, special, 2.0], np.float32) for special in (np.nan, np.inf, 4.0)]
    (x,) = leaves(arrays[0])
    made = program.compile((histogram(x, bins=3, low=0.0, high=0.0),))
    for wrong in arrays[:2]:
        with pytest.raises(ValueError, match="finite"):
            made([wrong])
    assert made(arrays[2:])[0].tolist() == [1, 1, 1]

"""Folds along any axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engines.native.graphs import check_close, check_same
from engines.native.lowered import leaves

from zerograd.ir.graph import registry
from zerograd.ops import reduction
from zerograd.ops.elementwise import add, mul, sub
from zerograd.ops.movement import expand

SHAPES = [
    ((5,), (0,)), ((70, 3), (0,)), ((3, 70), (0,)), ((4, 5, 6), (1,)), ((2, 301, 7), (1,)), ((33, 4, 70), (1,)),
    ((3, 4, 5, 6), (1, 2)), ((3, 4, 5, 6), (0, 2)), ((3, 4, 5, 6), (0, 1, 2, 3)), ((2, 177, 130), (1,)),
    ((177, 3), (0,)), ((3, 59, 4), (0, 1)), ((3, 4, 5, 6), (2,)), ((40, 41, 2), (0, 1)), ((6, 5, 4), (0, 2)),
]  # fmt: skip


def data(shape: tuple[int, ...], dtype: str) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(len(shape))
    if dtype == "bool":
        return rng.random(shape) < 0.9
    x = rng.standard_normal(shape) * (4 if dtype.startswith("int") else 1)
    return x.astype(dtype)


@pytest.mark.parametrize(("shape", "axes"), SHAPES)
@pytest.mark.parametrize(
    ("name", "dtype"),
    [("max", "float32"), ("min", "int8"), ("any", "bool"), ("all", "bool"), ("sum", "int64"), ("max", "float16")],
)
def test_exact_folds(shape: tuple[int, ...], axes: tuple[int, ...], name: str, dtype: str) -> None:
    array = data(shape, dtype)
    (x,) = leaves(array)
    check_same([registry[name](x, axes=axes)], [array])


@pytest.mark.parametrize(("shape", "axes"), SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_sums(shape: tuple[int, ...], axes: tuple[int, ...], dtype: str) -> None:
    array = data(shape, dtype)
    (x,) = leaves(array)
    check_close([reduction.sum(x, axes=axes)], [array], 1e-3 if dtype == "float16" else 5e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("dtype", ["float32", "int32", "float16"])
def test_products(axis: int, dtype: str) -> None:
    array = data((9, 10, 11), dtype)
    (x,) = leaves(array)
    check_close([reduction.prod(x, axis=axis)], [array], 1e-3 if dtype == "float16" else 1e-5)


def test_nan_is_the_largest_and_the_smallest() -> None:
    array = data((7, 5, 9), "float32")
    array[3, 2, 4] = array[6, 4, 8] = np.nan
    (x,) = leaves(array)
    for axes in ((0,), (1,), (2,), (0, 1), (0, 1, 2)):
        check_same([reduction.max(x, axes=axes), reduction.min(x, axes=axes)], [array])


def test_folds_of_several_axes_in_one_graph() -> None:
    """Each fold finds its own order of the rows, or a kernel of its own."""
    a, b = data((12, 7, 20), "float32"), data((12, 7, 20), "float32") + 1
    x, y = leaves(a, b)
    z = mul(add(x, y), x)
    rows = sub(z, expand(reduction.max(z, axes=(2,)), shape=z.shape))
    outputs = [
        rows,
        reduction.sum(rows, axes=(0,)),
        reduction.max(rows, axes=(1,)),
        reduction.sum(z, axes=(0, 1)),
        reduction.sum(rows, axes=(1,)),
        reduction.min(z, axes=(0, 1, 2)),
        sub(y, expand(reduction.sum(z, axes=(1,)), shape=z.shape)),
    ]
    check_close(outputs, [a, b], 1e-5)

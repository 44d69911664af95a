"""Reading and writing at places given by an index."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from engines.native.graphs import check_close, check_same
from engines.native.lowered import leaves

from zerograd.engines.native import program
from zerograd.ops.elementwise import neg
from zerograd.ops.indexing import gather, index_write, scatter, scatter_add, scatter_fold

Array = np.ndarray[Any, Any]
DTYPES: list[Any] = [np.float32, np.float64, np.int8, np.int64, np.float16, ml_dtypes.bfloat16]
SHAPES = [((9, 5), (9, 5), 0), ((9, 5), (4, 3), 0), ((3, 20), (2, 31), 1), ((4, 6, 5), (4, 8, 2), 1)]


def some(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> Array:
    return (np.random.default_rng(seed).integers(-12, 13, shape) / 4).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "index", "axis"), SHAPES)
def test_along_an_axis(shape: tuple[int, ...], index: tuple[int, ...], axis: int, dtype: Any) -> None:
    """Places coincide; the index may be smaller than the operand."""
    size = shape[axis]
    arrays = [some(shape, dtype), np.random.default_rng(1).integers(-size, size, index), some(index, dtype, 2)]
    x, places, values = leaves(*arrays)
    exact = [gather(x, places, axis=axis), scatter(x, places, values, axis=axis)]
    exact += [scatter_fold(x, places, values, axis=axis, kind=kind) for kind in ("max", "min")]
    check_same([*exact, scatter_add(x, places, values, axis=axis)], arrays)
    check_close([scatter_fold(x, places, values, axis=axis, kind="product")], arrays, 1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
def test_one_of_each_row_of_computed_numbers_as_it_is(dtype: Any) -> None:
    """Zeros keep their sign, infinities and NaN stay what they are, and spoil nothing beside them."""
    odd = np.array([[-0.0, 1, 2], [0.0, -1, np.inf], [np.nan, 3, -np.inf], [-np.inf, np.nan, 4]], dtype)
    arrays = [np.tile(odd, (1, 7)), np.array([[3], [0], [5], [9]])]
    x, places = leaves(*arrays)
    check_same([gather(neg(neg(x)), places, axis=1), gather(neg(x), places, axis=1)], arrays)


@pytest.mark.parametrize("dtype", [*DTYPES, np.bool_, np.complex64])
@pytest.mark.parametrize("row", [(), (1,), (3, 7), (700,)])
def test_rows_put_at_places(row: tuple[int, ...], dtype: Any) -> None:
    """The last of those that are put at one place stays."""
    arrays = [some((6, *row), dtype), some((2, 5, *row), dtype, 1), np.random.default_rng(2).integers(-6, 6, (2, 5))]
    x, values, places = leaves(*arrays)
    check_same([index_write(x, values, places, accumulate=False)], arrays)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", [(), (3,), (100,)])
def test_rows_added_at_places(row: tuple[int, ...], dtype: Any) -> None:
    arrays = [some((6, *row), dtype), some((10, *row), dtype, 1), np.random.default_rng(2).integers(-6, 6, (10,))]
    x, values, places = leaves(*arrays)
    check_same([index_write(x, values, places, accumulate=True)], arrays)


@pytest.mark.parametrize("wrong", [6, -7])
def test_wrong_places(wrong: int) -> None:
    arrays: list[Array] = [some((6, 3), np.float32), some((2, 3), np.float32), np.array([0, wrong])]
    x, values, places = leaves(*arrays)
    with pytest.raises(IndexError):
        program.compile((index_write(x, values, places, accumulate=False),))(arrays)
    arrays[2] = np.array([[0, 1, 2], [0, wrong, 0]])
    x, values, places = leaves(*arrays)
    for made in (gather(x, places, axis=0), scatter_fold(x, places, values, axis=0, kind="max")):
        with pytest.raises(IndexError):
            program.compile((made,))(arrays)

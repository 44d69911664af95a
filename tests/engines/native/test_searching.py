"""Places in ascending lines, and membership."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from engines.native.graphs import check_same
from engines.native.lowered import Lowered, leaves

from zerograd.ops.movement import flip, permute
from zerograd.ops.sorting import isin, searchsorted

DTYPES: list[Any] = [
    np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int8, np.uint8, np.int16, np.int32, np.int64,
]  # fmt: skip
SHAPES = [((1,), (5,)), ((7,), ()), ((0,), (3,)), ((13,), (0,)), ((64,), (1031,)), ((31,), (3, 67)),
          ((3, 1), (3, 2)), ((5, 17), (5, 29)), ((2, 3, 33), (2, 3, 8)), ((2, 0), (2, 3)), ((101,), (4, 521)),
          ((2, 1000), (2, 1024))]  # fmt: skip


def numbers(rng: np.random.Generator, dtype: Any, shape: tuple[int, ...]) -> Any:
    """Few different ones, so that many are equal; of floats also what is special."""
    if np.dtype(dtype).kind in "fV":
        few = np.array([-np.inf, -2.5, -0.0, 0.0, 1.5, 3.25, 7.0, 1e-7, np.inf, np.nan], np.float32)
        return rng.choice(few, shape).astype(dtype)
    info: Any = np.iinfo(dtype)
    few = np.array([info.min, info.min + 1, 0, 1, 3, 17, 100, info.max - 1, info.max]).astype(dtype)
    return rng.choice(few, shape)


def in_order(array: Any) -> Any:
    kind = np.float32 if array.dtype.itemsize == 2 and array.dtype.kind in "fV" else array.dtype
    return np.sort(array.astype(kind), axis=-1).astype(array.dtype)


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize(("of_lines", "of_values"), SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_places(of_lines: tuple[int, ...], of_values: tuple[int, ...], dtype: Any, right: bool) -> None:
    rng = np.random.default_rng(len(of_lines))
    arrays = [in_order(numbers(rng, dtype, of_lines)), numbers(rng, dtype, of_values)]
    line, values = leaves(*arrays)
    check_same([searchsorted(line, values, right=right)], arrays)


@pytest.mark.parametrize("length", [*range(1, 20), 127, 128, 129])
def test_every_length(length: int) -> None:
    line = np.arange(length, dtype=np.float32) * 2
    values = np.arange(-1, 2 * length + 1, dtype=np.float32)
    arrays = [line, values]
    nodes = leaves(*arrays)
    for right in (False, True):
        check_same([searchsorted(*nodes, right=right)], arrays)


def test_operands_in_other_orders() -> None:
    rng = np.random.default_rng(1)
    arrays = [-np.sort(-rng.normal(size=(23, 6)), axis=0), rng.normal(size=(40, 6))]
    line, values = leaves(*arrays)
    line, values = flip(permute(line, order=(1, 0)), axes=(1,)), permute(values, order=(1, 0))
    check_same([searchsorted(line, values, right=True)], arrays)


def test_one_line_for_all_is_divided_among_threads() -> None:
    arrays = [np.arange(10.0), np.linspace(-1, 11, 4096)]
    made = Lowered([searchsorted(*leaves(*arrays), right=False)], arrays)
    assert made.native
    (one,) = made.prepared.instructions
    assert one.units == one.reads[1].slabs == one.writes[0].slabs == 8


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize(("shape", "members"), [((1,), 1), ((), 4), ((3, 17), 5), ((1031,), 40), ((7, 0), 2)])
@pytest.mark.parametrize("dtype", [*DTYPES, np.bool_])
def test_members(shape: tuple[int, ...], members: int, dtype: Any, invert: bool) -> None:
    rng = np.random.default_rng(members)
    if dtype is np.bool_:
        arrays = [rng.integers(0, 2, one).astype(bool) for one in (shape, (members,))]
    else:
        arrays = [numbers(rng, dtype, shape), numbers(rng, dtype, (members,))]
    check_same([isin(*leaves(*arrays), invert=invert)], arrays)

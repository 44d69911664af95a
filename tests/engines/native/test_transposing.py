"""Copies to another order of the axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engines.native.graphs import check_same
from engines.native.lowered import Lowered, leaves

from zerograd.ops.movement import flip, permute, slice_

ORDERS = [
    ((8, 8), (1, 0)), ((16, 24), (1, 0)), ((37, 53), (1, 0)), ((3, 17, 20), (0, 2, 1)), ((9, 4, 33), (2, 1, 0)),
    ((2, 3, 16, 19), (1, 0, 3, 2)), ((10, 11, 12), (2, 0, 1)), ((300, 9), (1, 0)), ((300, 3), (1, 0)),
    ((5, 3, 70), (0, 2, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "order"), ORDERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int8, np.complex64, np.complex128])
def test_order_of_axes(shape: tuple[int, ...], order: tuple[int, ...], dtype: Any) -> None:
    array = (np.arange(np.prod(shape)) % 119).reshape(shape).astype(dtype)
    (x,) = leaves(array)
    check_same([permute(x, order=order)], [array])


def test_parts_and_flipped_axes() -> None:
    array = np.arange(40.0 * 50).reshape(40, 50)
    (x,) = leaves(array)
    part = slice_(x, starts=(3, 9), stops=(39, 48), steps=(2, 1))
    check_same([permute(part, order=(1, 0)), permute(flip(part, axes=(0,)), order=(1, 0))], [array])
    check_same([permute(flip(part, axes=(1,)), order=(1, 0))], [array])


def test_the_kernel_is_used() -> None:
    array = np.ones((5, 32, 48), np.float32)
    (x,) = leaves(array)
    assert Lowered([permute(x, order=(0, 2, 1))], [array]).kernels() == ["transpose"]

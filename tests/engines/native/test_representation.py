"""Mantissas and exponents."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from engines.native.graphs import check_same
from engines.native.lowered import leaves

from zerograd.ops.movement import permute
from zerograd.ops.rounding import frexp

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.7, np.inf, -np.inf, np.nan, 1e-45, -1e-40, 1.2e-38, 3e38, 6e-8, 6.2e-5]


@pytest.mark.parametrize("length", [1, 7, 16, 1023, 2048, 4099])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
def test_parts(dtype: Any, length: int) -> None:
    """Special numbers, then random bits."""
    bits = np.random.default_rng(length).integers(0, 256, length * np.dtype(dtype).itemsize, np.uint8)
    array = bits.view(dtype)
    with np.errstate(all="ignore"):
        array[: len(SPECIAL)] = np.array(SPECIAL).astype(dtype)[:length]
    (x,) = leaves(array)
    found = frexp(x)
    assert isinstance(found, tuple)
    check_same(found, [array])


def test_subnormal_doubles_and_another_order() -> None:
    array = np.array([[5e-324, -1e-310, 2.3e-308], [2.2e-308, 1e300, -0.75]])
    (x,) = leaves(array)
    found = frexp(permute(x, order=(1, 0)))
    assert isinstance(found, tuple)
    check_same(found, [array])

"""Quotients and rests of floats are those of the reference, bit for bit, wherever the numbers come from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engines.native.lowered import Lowered, leaves

from zerograd.ir.graph import registry

SPECIAL = [0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1e-40, 3.4e38, -3.4e38, 0.1, 3, 7, 16777216, 1.2e-38]


def operands() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Special numbers with each other, any bits, usual numbers, and numbers that are nearly multiples."""
    random = np.random.default_rng(0)
    special = np.meshgrid(np.array(SPECIAL, np.float32), np.array(SPECIAL, np.float32))
    anything = random.integers(0, 1 << 32, (2, 50_000)).astype(np.uint32).view(np.float32)
    usual = (random.standard_normal((2, 50_000)) * [[100], [1]]).astype(np.float32)
    divisor = random.standard_normal(50_000).astype(np.float32)
    multiple = random.integers(-1000, 1000, 50_000).astype(np.float32) * divisor
    parts = ([one.ravel() for one in special], anything, usual, (multiple, divisor))
    x, y = (np.concatenate(one) for one in zip(*parts, strict=True))
    return x, y


@pytest.mark.parametrize("name", ["fmod", "remainder", "div_floor", "div_trunc"])
def test_of_float32(name: str) -> None:
    x, y = operands()
    op = registry[name]
    (found,) = Lowered([op(*leaves(x, y))], [x, y]).run()
    with np.errstate(all="ignore"):
        expected = op.reference(x, y)
    np.testing.assert_array_equal(found, expected)
    numbers = ~np.isnan(expected)
    assert np.array_equal(np.signbit(found[numbers]), np.signbit(expected[numbers]))

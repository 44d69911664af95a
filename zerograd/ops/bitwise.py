"""Operations on bits, and number theory of integers. Nothing here has a gradient."""

from __future__ import annotations

import numpy as np

from zerograd.ir.graph import Array
from zerograd.ops.elementwise import binary, unary

bit_not = unary("bit_not", np.bitwise_not)
"""Of bools: logical not."""

bit_and = binary("bit_and", np.bitwise_and)
bit_or = binary("bit_or", np.bitwise_or)
bit_xor = binary("bit_xor", np.bitwise_xor)


def _too_far(x: Array, y: Array) -> Array:
    return (y < 0) | (y >= 8 * x.dtype.itemsize)


def _reference_shift_left(x: Array, y: Array) -> Array:
    out = np.where(_too_far(x, y), 0, np.left_shift(x, np.maximum(y, 0)))
    return out.astype(x.dtype)


def _reference_shift_right(x: Array, y: Array) -> Array:
    out = np.right_shift(x, np.maximum(y, 0))
    return np.where(_too_far(x, y), np.where(x < 0, -1, 0), out).astype(x.dtype)


shift_left = binary("shift_left", _reference_shift_left)
"""Bits moved to the left; beyond the width, or by a negative number, 0 is left."""

shift_right = binary("shift_right", _reference_shift_right)
"""Bits moved to the right, the sign staying; beyond the width only the sign is left."""

gcd = binary("gcd", np.gcd)
lcm = binary("lcm", np.lcm)
"""The least common multiple, not negative."""

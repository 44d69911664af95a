"""Modified Bessel functions of orders 0 and 1, plain and scaled by the exponential that dominates them.

I by its power series (DLMF 10.25.2), whose terms are all positive, up to 8, and a fitted √x exp(-x) I(x)
beyond; K by the logarithm times I and a fitted rest (DLMF 10.31.2) up to 2, and a fitted √x exp(x) K(x)
beyond.
"""

from __future__ import annotations

import math

import numpy as np

from zerograd.ir.graph import Array
from zerograd.ops.special import tables
from zerograd.ops.special.evaluation import Kernel, at_every_width, piecewise, polynomial

SERIES_UP_TO = 8.0
TERMS = 24
I0_SERIES = tuple(1 / math.factorial(k) ** 2 for k in range(TERMS))
I1_SERIES = tuple(1 / (math.factorial(k) * math.factorial(k + 1)) for k in range(TERMS))


def _i0_near(x: Array) -> Array:
    return polynomial(x * x / 4, I0_SERIES)


def _i1_near(x: Array) -> Array:
    return x / 2 * polynomial(x * x / 4, I1_SERIES)


def _first_kind(order: int, scaled: bool) -> Kernel:
    near, far_table = ((_i0_near, tables.I0_FAR), (_i1_near, tables.I1_FAR))[order]

    def small(x: Array) -> Array:
        return near(x) * np.exp(-x) if scaled else near(x)

    def large(x: Array) -> Array:
        value = polynomial(16 / x - 1, far_table) / np.sqrt(x)
        if scaled:
            return value
        half = np.exp(x / 2)  # exp(x) alone overflows a little before I does
        return half * value * half

    def formula(x: Array) -> Array:
        size = np.abs(x)
        result = piecewise((size,), (size <= SERIES_UP_TO, small), (size > SERIES_UP_TO, large))
        return np.where(x < 0, -result, result) if order == 1 else result

    return formula


def _k0_near(x: Array) -> Array:
    return polynomial(x * x / 2 - 1, tables.K0_NEAR) - np.log(x / 2) * _i0_near(x)


def _k1_near(x: Array) -> Array:
    return polynomial(x * x / 2 - 1, tables.K1_NEAR) / x + np.log(x / 2) * _i1_near(x)


def _second_kind(order: int, scaled: bool) -> Kernel:
    near, far_table = ((_k0_near, tables.K0_FAR), (_k1_near, tables.K1_FAR))[order]

    def small(x: Array) -> Array:
        return near(x) * np.exp(x) if scaled else near(x)

    def large(x: Array) -> Array:
        value = polynomial(4 / x - 1, far_table) / np.sqrt(x)
        return value if scaled else value * np.exp(-x)

    def formula(x: Array) -> Array:
        return piecewise((x,), (x == 0, np.inf), (x < 0, np.nan), (x <= 2, small), (x > 2, large))

    return formula


i0 = at_every_width(_first_kind(0, scaled=False))
"""The modified Bessel function I₀; NaN at ±inf, as PyTorch answers. Source: torch.special.i0."""

i0e = at_every_width(_first_kind(0, scaled=True))
"""exp(-|x|) I₀(x). Source: torch.special.i0e."""

i1 = at_every_width(_first_kind(1, scaled=False))
"""The modified Bessel function I₁; NaN at ±inf, as PyTorch answers. Source: torch.special.i1."""

i1e = at_every_width(_first_kind(1, scaled=True))
"""exp(-|x|) I₁(x). Source: torch.special.i1e."""

k0 = at_every_width(_second_kind(0, scaled=False))
"""The modified Bessel function K₀; inf at 0, NaN below. Source: torch.special.modified_bessel_k0."""

k1 = at_every_width(_second_kind(1, scaled=False))
"""The modified Bessel function K₁; inf at 0, NaN below. Source: torch.special.modified_bessel_k1."""

scaled_k0 = at_every_width(_second_kind(0, scaled=True))
"""exp(x) K₀(x). Source: torch.special.scaled_modified_bessel_k0."""

scaled_k1 = at_every_width(_second_kind(1, scaled=True))
"""exp(x) K₁(x). Source: torch.special.scaled_modified_bessel_k1."""

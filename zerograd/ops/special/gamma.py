"""The gamma function's logarithm and derivatives, and the Hurwitz zeta function they lead to.

Small arguments are moved by the recurrence into an interval with a fitted polynomial, large ones use
Stirling's series (DLMF 5.11), negative ones reflection (DLMF 5.5). Each formula works with a distance from
the function's zero that is exact in float64, so digits are kept around the zeros at 1, 2 (lgamma) and 1.46
(digamma).
"""

from __future__ import annotations

import math

import numpy as np

from zerograd.ir.graph import Array
from zerograd.ops.special import tables
from zerograd.ops.special.evaluation import at_every_width, piecewise, polynomial, sin_pi

BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798,
             -174611 / 330, 854513 / 138, -236364091 / 2730)  # fmt: skip
"""B₂, B₄, ..., B₂₄."""

STIRLING = tuple(b / (2 * k * (2 * k - 1)) for k, b in enumerate(BERNOULLI[:8], 1))
STIRLING_FROM = 8.0  # from here eight terms of the series are exact to float64
DIGAMMA_SERIES = tuple(b / (2 * k) for k, b in enumerate(BERNOULLI[:9], 1))
DIGAMMA_FROM = 10.0


def _from_two(z: Array) -> Array:
    """lgamma(2 + z) for |z| <= 1/2"""
    return z * polynomial(2 * z, tables.LGAMMA)


def _down(x: Array, low: float, high: float) -> tuple[Array, Array]:
    """``x - k`` in (low, low + 1], k whole, for x in (low, high); and (x - 1)(x - 2) ... (x - k)."""
    reduced, product = x.copy(), np.ones_like(x)
    for _ in range(int(high - low) + 1):
        above = reduced > low + 1
        reduced = np.where(above, reduced - 1, reduced)
        product = np.where(above, product * reduced, product)
    return reduced, product


def _lgamma(x: Array) -> Array:
    """log |Γ(x)|"""

    def middle(x: Array) -> Array:
        reduced, product = _down(x, 1.5, STIRLING_FROM)
        return _from_two(reduced - 2) + np.log(product)

    def reflected(x: Array) -> Array:
        return np.log(np.pi / np.abs(x * sin_pi(x))) - _lgamma(-x)

    return piecewise(
        (x,),
        (np.isinf(x) | ((x <= 0) & (x == np.floor(x))), np.inf),
        (np.abs(x) < 0.5, lambda x: _from_two(x) - np.log(np.abs(x)) - np.log1p(x)),
        (x < 0, reflected),
        (x < 1.5, lambda x: _from_two(x - 1) - np.log1p(x - 1)),
        (x < 2.5, lambda x: _from_two(x - 2)),
        (x < STIRLING_FROM, middle),
        (x >= STIRLING_FROM, lambda x: (x - 0.5) * (np.log(x) - 1) + (stirling_rest(x) + LOG_ROOT_TAU - 0.5)),
    )


def lgamma_one_plus(z: Array) -> Array:
    """lgamma(1 + z) for z >= 0, with all digits of a small z."""
    return piecewise((z,), (z < 0.5, lambda z: _from_two(z) - np.log1p(z)), (z >= 0.5, lambda z: _lgamma(1 + z)))


LOG_ROOT_TAU = 0.5 * math.log(2 * math.pi)


def stirling_rest(x: Array) -> Array:
    """lgamma(x) - (x - 1/2) log(x) + x - log(2π)/2 for x >= 8. Source: DLMF 5.11.1."""
    return polynomial(1 / (x * x), STIRLING) / x


def _digamma(x: Array) -> Array:
    def near_the_zero(x: Array) -> Array:
        root, rest = tables.DIGAMMA_ROOT
        return ((x - root) - rest) * polynomial(2 * x - 3, tables.DIGAMMA)

    def middle(x: Array) -> Array:
        total = np.zeros_like(x)
        for _ in range(int(DIGAMMA_FROM) - 1):
            above = x > 2
            x = np.where(above, x - 1, x)
            total += np.where(above, 1 / x, 0)
        return total + near_the_zero(x)

    def large(x: Array) -> Array:
        inverse_square = 1 / (x * x)
        return np.log(x) - 0.5 / x - inverse_square * polynomial(inverse_square, DIGAMMA_SERIES)

    def reflected(x: Array) -> Array:
        tangent = np.tan(np.pi * (x - np.rint(x)))
        return _digamma(1 - x) - np.pi / tangent

    return piecewise(
        (x,),
        (x == 0, lambda x: np.copysign(np.inf, -x)),
        ((x < 0) & (x == np.floor(x)), np.nan),
        (x < 0, reflected),
        (x < 1, lambda x: near_the_zero(1 + x) - 1 / x),
        (x <= 2, near_the_zero),
        (x < DIGAMMA_FROM, middle),
        (x >= DIGAMMA_FROM, large),
    )


# ------------------------------------------------------------------------------------------ zeta

EULER_MACLAURIN = tuple(b / math.factorial(2 * k) for k, b in enumerate(BERNOULLI, 1))
DIRECT_TERMS = 10


def _zeta_positive(s: Array, q: Array) -> Array:
    """Σ_k (q + k)**-s for s > 1, q > 0, by Euler-Maclaurin summation. Source: DLMF 25.11.5, 2.10.1."""
    total = np.zeros_like(q)
    for k in range(DIRECT_TERMS):
        total += (q + k) ** -s
    a = q + DIRECT_TERMS
    power = a**-s
    correction = a / (s - 1) + 0.5
    step = s / a  # s (s + 1) ... (s + 2k - 2) / a**(2k - 1)
    for k, weight in enumerate(EULER_MACLAURIN):
        correction += weight * step
        step *= (s + (2 * k + 1)) / a * ((s + (2 * k + 2)) / a)
    return total + np.where(power == 0, 0, power * correction)


def _zeta(s: Array, q: Array) -> Array:
    def negative(s: Array, q: Array) -> Array:
        # The terms before the first positive one, q + k = -(r + j), are a difference of two zeta functions.
        whole = np.floor(q)
        ahead, behind = q - whole, -(q - (whole + 1))
        before = _zeta_positive(s, behind) - _zeta_positive(s, 1 - q)
        return _zeta_positive(s, ahead) + np.where(s % 2 == 0, before, -before)

    whole = q == np.floor(q)
    return piecewise(
        (s, q),
        (s == 1, np.inf),
        (s < 1, np.nan),
        ((q <= 0) & whole, np.inf),
        (q == np.inf, np.nan),
        (q > 0, _zeta_positive),
        (s == np.floor(s), negative),
    )


def _polygamma(x: Array, *, n: int) -> Array:
    if n == 0:
        return _digamma(x)
    factorial = float(math.factorial(n)) if n <= 170 else math.inf
    result = (factorial if n % 2 else -factorial) * _zeta(np.full_like(x, n + 1), x)
    if n == 1:
        result[x == np.inf] = 0  # PyTorch knows this limit for trigamma alone
    return result


lgamma = at_every_width(_lgamma)
"""log |Γ(x)|; inf at 0, -1, -2, ... Source: torch.lgamma."""

digamma = at_every_width(_digamma)
"""Γ'(x) / Γ(x); ∓inf at ±0, NaN at -1, -2, ... Source: torch.digamma."""

zeta = at_every_width(_zeta)
"""The Hurwitz zeta function Σ_k (q + k)**-s over k = 0, 1, ...; for q < 0 only with whole s.

NaN at q = inf, as PyTorch answers.

Source: torch.special.zeta.
"""

polygamma = at_every_width(_polygamma)
"""The nth derivative of digamma (``n`` by keyword); at its poles the limit from the right.

Source: torch.polygamma.
"""

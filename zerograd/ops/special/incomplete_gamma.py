"""The regularised incomplete gamma functions P(a, x) and Q(a, x) = 1 - P(a, x).

Which formula serves where follows Gil, Segura and Temme, "Efficient and accurate algorithms for the
computation and inversion of the incomplete gamma function ratios", SIAM J. Sci. Comput. 34 (2012): a series
below x = a, a continued fraction above, Temme's uniform expansion around x = a when a is large.
"""

from __future__ import annotations

import numpy as np

from zerograd.ir.graph import Array
from zerograd.ops.special import gamma, tables
from zerograd.ops.special.error_function import erfc
from zerograd.ops.special.evaluation import Kernel, at_every_width, piecewise, polynomial

LARGE = 20.0  # from here Temme's expansion holds where |x - a| < NEAR * a
NEAR = 0.3
MOST_TERMS = 2000
EPSILON = 2.0**-53


def _excess(mu: Array) -> Array:
    """mu - log(1 + mu), without cancellation around 0"""

    def small(mu: Array) -> Array:
        # log(1 + mu) = 2 atanh(u); the linear terms cancel exactly.
        u = mu / (2 + mu)
        odd = [1 / k for k in range(3, 31, 2)]
        return u * mu - 2 * u**3 * polynomial(u * u, odd)

    return piecewise((mu,), (np.abs(mu) < 0.4, small), (mu >= -1, lambda mu: mu - np.log1p(mu)))


def _first_term(a: Array, x: Array) -> Array:
    """x**a exp(-x) / Γ(a + 1)"""

    def large(a: Array, x: Array) -> Array:
        mu = (x - a) / a
        return np.exp(-a * _excess(mu) - gamma.stirling_rest(a)) / np.sqrt(2 * np.pi * a)

    def small(a: Array, x: Array) -> Array:
        return np.exp(a * np.log(x) - x - gamma.lgamma_one_plus(a))

    return piecewise((a, x), (a > LARGE, large), (a <= LARGE, small))


def _lower_series(a: Array, x: Array) -> Array:
    """P(a, x). Source: DLMF 8.11.4."""
    total, term, k = np.ones_like(x), np.ones_like(x), a
    for _ in range(MOST_TERMS):
        k = k + 1
        term = term * (x / k)
        total += term
        if not np.any(term > EPSILON * total):
            break
    return _first_term(a, x) * total


def _upper_series(a: Array, x: Array) -> Array:
    """Q(a, x) for small a and x: 1 - x**a / Γ(a + 1) minus the rest of P's series. Source: DLMF 8.7.1."""
    total, term = np.zeros_like(x), np.ones_like(x)
    for k in range(1, MOST_TERMS):
        term = term * (-x / k)
        total += term / (a + k)
        if not np.any(np.abs(term) > EPSILON * np.abs(total)):
            break
    exponent = a * np.log(x) - gamma.lgamma_one_plus(a)
    return -np.expm1(exponent) - a * np.exp(exponent) * total


def _upper_fraction(a: Array, x: Array) -> Array:
    """Q(a, x), by Lentz's evaluation of the continued fraction DLMF 8.9.2."""
    tiny = 1e-300
    b = x + 1 - a
    c, d = np.full_like(x, 1 / tiny), 1 / b
    value = d.copy()
    for k in range(1, MOST_TERMS):
        weight = -k * (k - a)
        b = b + 2
        d = weight * d + b
        c = b + weight / c
        d = 1 / np.where(d == 0, tiny, d)
        c = np.where(c == 0, tiny, c)
        value *= d * c
        if not np.any(np.abs(d * c - 1) > 2 * EPSILON):
            break
    return a * _first_term(a, x) * value


def _around(a: Array, x: Array, sign: float) -> Array:
    """Q(a, x) for sign 1, P(a, x) for -1, a large and x near it. Source: DLMF 8.12.3, 8.12.4, 8.12.7."""
    mu = (x - a) / a
    excess = _excess(mu)
    eta = np.copysign(np.sqrt(2 * excess), mu)
    series = np.zeros_like(x)
    for row in reversed(tables.TEMME):
        series = series / a + polynomial(eta, row)
    rest = np.exp(-a * excess) / np.sqrt(2 * np.pi * a) * series
    return 0.5 * erfc(sign * eta * np.sqrt(a / 2)) + sign * rest


def _regularised(a: Array, x: Array, upper: bool) -> Array:
    direct = 1.0 if upper else -1.0  # the sign of the wanted function in P + Q = 1

    def from_lower(formula: Kernel) -> Kernel:
        return (lambda a, x: 1 - formula(a, x)) if upper else formula

    def from_upper(formula: Kernel) -> Kernel:
        return formula if upper else (lambda a, x: 1 - formula(a, x))

    infinite = np.isinf(a) | np.isinf(x)
    # For small x the smaller of P and Q is computed first, so neither is a difference of near equals.
    lower_is_small = np.where(x <= 0.5, -0.4 / np.log(x) < a, 1.1 * x < a)
    return piecewise(
        (a, x),
        ((a < 0) | (x < 0) | ((a == 0) & ~(x > 0)) | (np.isinf(a) & np.isinf(x)), np.nan),
        ((a == 0) | (np.isinf(x)), 0.0 if upper else 1.0),
        ((x == 0) | infinite, 1.0 if upper else 0.0),
        ((a > LARGE) & (np.abs(x - a) < NEAR * a), lambda a, x: _around(a, x, direct)),
        ((x <= 1.1) & ~lower_is_small & upper, _upper_series),
        ((x <= 1.1) | (x < a), from_lower(_lower_series)),
        ((x >= a), from_upper(_upper_fraction)),
    )


igamma = at_every_width(lambda a, x: _regularised(a, x, upper=False))
"""P(a, x) = 1/Γ(a) ∫₀ˣ t**(a-1) exp(-t) dt. Source: torch.special.gammainc."""

igammac = at_every_width(lambda a, x: _regularised(a, x, upper=True))
"""Q(a, x) = 1 - P(a, x), with all digits where that is small. Source: torch.special.gammaincc."""

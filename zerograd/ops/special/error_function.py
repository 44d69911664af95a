"""The error function, its complement, inverse and relatives (normal distribution).

erfcx on the half line is one polynomial, after Shepherd and Laframboise, "Chebyshev approximation of
(1 + 2x) exp(x²) erfc x in 0 ≤ x < ∞", Math. Comp. 36 (1981); the inverse is fitted in w = -log(1 - x²), after
Giles, "Approximating the erfinv function", GPU Computing Gems (2012).
"""

from __future__ import annotations

import math

import numpy as np

from zerograd.ir.graph import Array
from zerograd.ops.special import tables
from zerograd.ops.special.evaluation import at_every_width, piecewise, polynomial

ERFC_UNDERFLOWS = 27.3  # erfc is below the smallest float64 from here on
ERFCX_OVERFLOWS = -26.7


def _halves(x: Array) -> tuple[Array, Array]:
    """``x * x`` as an exact square and a small rest, so that exp of it keeps all digits."""
    high = x.astype(np.float32).astype(np.float64)
    return high * high, (x - high) * (x + high)


def _gaussian(x: Array) -> Array:
    """exp(-x²)"""
    square, rest = _halves(x)
    return np.exp(-square) * np.exp(-rest)


def _erf_near(x: Array) -> Array:
    return x * polynomial(2 * x * x - 1, tables.ERF)


def _erfcx_positive(x: Array) -> Array:
    return polynomial(1 - 7.5 / (x + 3.75), tables.ERFCX) / (1 + 2 * x)


def _erfc_positive(x: Array) -> Array:
    return _gaussian(x) * _erfcx_positive(x)


def _erf(x: Array) -> Array:
    size = np.abs(x)
    return piecewise(
        (x,),
        (size <= 1, _erf_near),
        (size < 6, lambda x: np.copysign(1 - _erfc_positive(np.abs(x)), x)),
        (size >= 6, np.sign),
    )


def _erf_single(x: Array) -> Array:
    # tanh is a fast vector instruction sequence in NumPy; the polynomial carries one to the other.
    inner = polynomial(x * x, tables.ERF_TANH)
    inner *= x
    return np.tanh(inner, out=inner)


def _erfc(x: Array) -> Array:
    return piecewise(
        (x,),
        (np.abs(x) < 0.5, lambda x: 1 - _erf_near(x)),
        (x >= ERFC_UNDERFLOWS, 0.0),
        (x > 0, _erfc_positive),
        (x > -6, lambda x: 2 - _erfc_positive(-x)),
        (x <= -6, 2.0),
    )


def _erfc_single(x: Array) -> Array:
    size = np.abs(x)
    tail = polynomial(1 - 7.5 / (size + 3.75), tables.ERFCX_SINGLE)
    tail /= 1 + 2 * size
    wide = x.astype(np.float64)
    tail *= np.exp(-wide * wide)
    return np.where(x < 0, 2 - tail, tail)


def _erfcx(x: Array) -> Array:
    def negative(x: Array) -> Array:
        square, rest = _halves(x)
        return 2 * np.exp(square) * np.exp(rest) - _erfcx_positive(-x)

    return piecewise((x,), (x >= 0, _erfcx_positive), (x < ERFCX_OVERFLOWS, np.inf), (x < 0, negative))


def _quantile(x: Array, w: Array) -> Array:
    """erfinv(x), where w = -log(1 - x²) is given because x alone may not tell it."""

    def central(x: Array, w: Array) -> Array:
        return x * polynomial(w / 3 - 1, tables.ERFINV)

    def tail(x: Array, w: Array) -> Array:
        s = np.sqrt(w)
        low, high = math.sqrt(6), 6.5
        return np.sign(x) * s * polynomial((2 * s - (low + high)) / (high - low), tables.ERFINV_TAIL)

    def far(x: Array, w: Array) -> Array:
        s = np.sqrt(w)
        low, high = 1 / 28, 1 / 6.5
        return np.sign(x) * s * polynomial((2 / s - (low + high)) / (high - low), tables.ERFINV_FAR)

    return piecewise((x, w), (w <= 6, central), (w <= 6.5**2, tail), (np.isfinite(w), far))


def _erfinv(x: Array) -> Array:
    result = _quantile(x, -np.log((1 - x) * (1 + x)))
    result[np.abs(x) == 1] = np.inf
    return np.copysign(result, x)


def _ndtr(x: Array) -> Array:
    return 0.5 * _erfc(x * -math.sqrt(0.5))


def _ndtri(x: Array) -> Array:
    # With y = 2x - 1 the product (1 - y)(1 + y) is 4x(1 - x), which keeps the digits of a small x.
    result = math.sqrt(2) * _quantile(2 * x - 1, -np.log(4 * x * (1 - x)))
    result[x == 0] = -np.inf
    result[x == 1] = np.inf
    return result


def _log_ndtr(x: Array) -> Array:
    def left(x: Array) -> Array:
        return np.log(0.5 * _erfcx(x * -math.sqrt(0.5))) - 0.5 * x * x

    return piecewise((x,), (x < -1, left), (x >= -1, lambda x: np.log1p(-0.5 * _erfc(x * math.sqrt(0.5)))))


erf = at_every_width(_erf, _erf_single)
"""2/√π ∫₀ˣ exp(-t²) dt. In float32 to about 2 units in the last place. Source: torch.special.erf."""

erfc = at_every_width(_erfc, _erfc_single)
"""1 - erf(x), with all digits where that is small. Source: torch.special.erfc."""

erfcx = at_every_width(_erfcx)
"""exp(x²) erfc(x). Source: torch.special.erfcx."""

erfinv = at_every_width(_erfinv)
"""The x with erf(x) = y; ±inf at ±1, NaN beyond. Source: torch.special.erfinv."""

ndtr = at_every_width(_ndtr)
"""The standard normal distribution function. Source: torch.special.ndtr."""

ndtri = at_every_width(_ndtri)
"""The standard normal quantile; ±inf at 0 and 1, NaN beyond. Source: torch.special.ndtri."""

log_ndtr = at_every_width(_log_ndtr)
"""log of the standard normal distribution function. Source: torch.special.log_ndtr."""

"""The gamma function's logarithm and its derivatives.

The formulas of zerograd/ops/special/gamma.py (DLMF 5.5, 5.11: https://dlmf.nist.gov/5) in a form without branches,
computed in double for both formats; its polynomials hold here too. Only reflection is left out if no lane needs it.

The recurrence of digamma in one fraction: 1/x + 1/(x + 1) + ... + 1/(x + 7), its terms taken from both ends, is
(2x + 7) P'(w) / P(w) with w = x (x + 7) and P(w) = w (w + 6) (w + 10) (w + 12), all of whose terms are positive.
Likewise two terms of trigamma's are 1/(x + k)² + 1/(x + 7 - k)² = (2w + 49 - 2c) / (w + c)² with c = k (7 - k).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from zerograd.engines.native.emit import Function, Value
from zerograd.engines.native.mathematics.evaluation import INFINITY, NAN, by_double, polynomial
from zerograd.engines.native.mathematics.logarithm import log
from zerograd.engines.native.mathematics.trigonometry import sin_and_cos_of_turns
from zerograd.ops.special.gamma import BERNOULLI, DIGAMMA_FROM, DIGAMMA_SERIES, LOG_ROOT_TAU, STIRLING, STIRLING_FROM
from zerograd.ops.special.tables import DIGAMMA, DIGAMMA_ROOT, LGAMMA

_TERMS: Final = 8  # by which the recurrence of digamma moves
_CORNERS: Final = (12.0, 10.0, 6.0, 0.0)  # k (7 - k)
_P: Final = (0.0, 720.0, 252.0, 28.0, 1.0)
_P_SLOPE: Final = tuple(k * c for k, c in enumerate(_P))[1:]


def _if_any(f: Function, condition: Value, then: Callable[[], Value], otherwise: Value) -> Value:
    """In lanes where the condition holds what ``then`` makes, if there are any."""
    return f.if_(f.some(condition), lambda: f.select(condition, then(), otherwise), lambda: otherwise)[0]


def _turns_to_the_next_whole(f: Function, x: Value) -> Value:
    """x - n with the nearest whole number n: exact; NaN for infinities."""
    return f.sub(x, f.intrinsic("rint", x))


# --- the logarithm --------------------------------------------------------------------------------------------------


def _product_below(f: Function, x: Value, nearest: Value) -> Value:
    """(x - 1) (x - 2) ... down to a factor in (3/2, 5/2); 1 if x itself is below 5/2."""
    product = f.const(1.0, x.type)
    for k in range(1, int(STIRLING_FROM) - 1):
        product = f.mul(product, f.select(f.compare("oge", nearest, k + 2.0), f.sub(x, float(k)), 1.0))
    return product


def _lgamma_of_right(f: Function, x: Value) -> Value:
    """log |Γ(x)| for x > -1/2 that is not -0: with the nearest whole number n and z = x - n from log Γ(2 + z)."""
    n = f.intrinsic("rint", x)
    z = f.sub(x, n)
    below_one, below_two = f.compare("olt", n, 1.0), f.compare("olt", n, 2.0)
    far = f.compare("oge", x, STIRLING_FROM)
    factor = f.select(below_one, f.mul(f.abs(x), f.add(x, 1.0)), f.select(below_two, x, _product_below(f, x, n)))
    logarithm = log(f, f.select(far, x, factor))
    near = f.mul(z, polynomial(f, f.add(z, z), LGAMMA))
    near = f.add(near, f.select(below_two, f.neg(logarithm), logarithm))
    inverse = f.div(f.const(1.0, x.type), x)
    rest = f.mul(inverse, polynomial(f, f.mul(inverse, inverse), STIRLING))
    series = f.muladd(f.sub(x, 0.5), f.sub(logarithm, 1.0), f.add(rest, LOG_ROOT_TAU - 0.5))
    return f.select(far, series, near)


def _lgamma(f: Function, x: Value) -> Value:
    left = f.compare("ole", x, -0.5)
    t = f.select(left, f.neg(x), x)
    right = _lgamma_of_right(f, t)

    def reflected() -> Value:
        rest = _turns_to_the_next_whole(f, t)
        sine, _ = sin_and_cos_of_turns(f, rest)
        ratio = f.div(f.const(math.pi, x.type), f.mul(t, f.abs(sine)))
        pole = f.or_(f.compare("oeq", rest, 0.0), f.compare("oeq", t, INFINITY))
        return f.select(pole, f.const(INFINITY, x.type), f.sub(log(f, ratio), right))

    return _if_any(f, left, reflected, right)


def lgamma(f: Function, x: Value) -> Value:
    """log |Γ(x)|, infinity at 0, -1, -2, ...; float: < 0.6 ulp, double: < 7 ulp; left of 0 of its terms."""
    return by_double(f, _lgamma, x)


# --- its derivatives ------------------------------------------------------------------------------------------------


def _digamma_of_right(f: Function, x: Value) -> Value:
    """Γ'(x) / Γ(x) for x >= 0 and -0: up to 3 from the distance to the zero, beyond from the series."""
    low, high = f.compare("olt", x, 1.0), f.compare("ogt", x, 2.0)
    u = f.add(x, f.select(low, f.const(1.0, x.type), f.select(high, f.const(-1.0, x.type), 0.0)))
    root, rest = DIGAMMA_ROOT
    near = f.mul(f.sub(f.sub(u, root), rest), polynomial(f, f.sub(f.add(u, u), 3.0), DIGAMMA))
    term = f.div(f.const(1.0, x.type), f.select(low, f.neg(x), u))
    near = f.add(near, f.select(f.or_(low, high), term, 0.0))

    moved = f.compare("olt", x, DIGAMMA_FROM)
    y = f.select(moved, f.add(x, float(_TERMS)), x)
    inverse = f.div(f.const(1.0, x.type), y)
    square = f.mul(inverse, inverse)
    series = f.muladd(square, f.neg(polynomial(f, square, DIGAMMA_SERIES)), f.mul(inverse, -0.5))
    w = f.mul(x, f.add(x, 7.0))
    terms = f.div(f.mul(f.add(f.add(x, x), 7.0), polynomial(f, w, _P_SLOPE)), polynomial(f, w, _P))
    series = f.sub(series, f.select(moved, terms, 0.0))
    return f.select(f.compare("ole", x, 3.0), near, f.add(log(f, y), series))


def _digamma(f: Function, x: Value) -> Value:
    left = f.compare("olt", x, 0.0)
    right = _digamma_of_right(f, f.select(left, f.sub(f.const(1.0, x.type), x), x))

    def reflected() -> Value:
        rest = _turns_to_the_next_whole(f, x)
        sine, cosine = sin_and_cos_of_turns(f, rest)
        result = f.sub(right, f.div(f.mul(cosine, math.pi), sine))
        return f.select(f.compare("oeq", rest, 0.0), f.const(NAN, x.type), result)

    return _if_any(f, left, reflected, right)


def digamma(f: Function, x: Value) -> Value:
    """Γ'(x) / Γ(x), ∓infinity at ±0, NaN at -1, -2, ...; float: < 0.6 ulp, double: < 7 ulp; left of 0 of its terms."""
    return by_double(f, _digamma, x)


def _trigamma_of_right(f: Function, x: Value) -> Value:
    """The derivative of digamma for x >= 0. Source: DLMF 5.15.1, 5.15.8."""
    moved = f.compare("olt", x, DIGAMMA_FROM)
    inverse = f.div(f.const(1.0, x.type), f.select(moved, f.add(x, float(_TERMS)), x))
    square = f.mul(inverse, inverse)
    series = f.muladd(f.mul(inverse, square), polynomial(f, square, BERNOULLI[:9]), f.muladd(square, 0.5, inverse))
    w = f.mul(x, f.add(x, 7.0))
    terms = f.const(0.0, x.type)
    for c in _CORNERS:
        inverse = f.div(f.const(1.0, x.type), f.add(w, c))
        terms = f.add(f.mul(f.mul(f.muladd(w, 2.0, 49.0 - 2 * c), inverse), inverse), terms)
    return f.add(series, f.select(moved, terms, 0.0))


def _trigamma(f: Function, x: Value) -> Value:
    left = f.compare("olt", x, 0.0)
    right = _trigamma_of_right(f, f.select(left, f.sub(f.const(1.0, x.type), x), x))

    def reflected() -> Value:
        sine, _ = sin_and_cos_of_turns(f, _turns_to_the_next_whole(f, x))
        ratio = f.div(f.const(math.pi, x.type), sine)
        result = f.sub(f.mul(ratio, ratio), right)
        return f.select(f.compare("oeq", x, -INFINITY), f.const(INFINITY, x.type), result)

    return _if_any(f, left, reflected, right)


def trigamma(f: Function, x: Value) -> Value:
    """The slope of digamma, infinity at 0, -1, -2, ...; float: < 0.6 ulp, double: < 7 ulp; left of 0 of its terms."""
    return by_double(f, _trigamma, x)

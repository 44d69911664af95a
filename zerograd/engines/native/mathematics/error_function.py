"""The error function and its complement.

erf(x) = 1 - exp(-t (1 + p(t))) with t = |x|, so p(t) = -log(1 - erf(t)) / t - 1, which is smooth. The complement is
exp(-x²) times a polynomial of (x - 3.75) / (x + 3.75) (see zerograd/ops/special/error_function.py), in double.
"""

from __future__ import annotations

import math

from zerograd.engines.native.emit import Function, Value, element
from zerograd.engines.native.mathematics.coefficients import ERF
from zerograd.engines.native.mathematics.evaluation import (
    INFINITY,
    at_least,
    at_most,
    by_double,
    in_double,
    lanewise,
    polynomial,
    with_sign,
)
from zerograd.engines.native.mathematics.exponential import exp_not_large, expm1_of_moderate
from zerograd.engines.native.mathematics.logarithm import log
from zerograd.ops.special.tables import ERFCX_SINGLE, ERFINV, ERFINV_FAR, ERFINV_TAIL

_ONE_FROM = 3.95  # erf rounds to 1 from here on


def erf(f: Function, x: Value) -> Value:
    """The error function; float: < 2 ulp, double: the C library's."""
    if element(x.type) == "double":
        return lanewise(f, "erf", x)
    size = at_most(f, f.abs(x), _ONE_FROM)
    exponent = f.muladd(size, polynomial(f, size, ERF["float"]), size)
    return f.copysign(f.neg(expm1_of_moderate(f, f.neg(exponent))), x)


def _erfc(f: Function, x: Value) -> Value:
    size = at_most(f, f.abs(x), 30.0)  # 0 in float from far before; infinity would make NaN
    t = f.sub(f.const(1.0, x.type), f.div(f.const(7.5, x.type), f.add(size, 3.75)))
    scale = f.div(polynomial(f, t, ERFCX_SINGLE), f.muladd(size, 2.0, 1.0))
    tail = f.mul(scale, exp_not_large(f, f.neg(f.mul(size, size))))
    return f.select(f.compare("olt", x, 0.0), f.sub(f.const(2.0, x.type), tail), tail)


def erfc(f: Function, x: Value) -> Value:
    """1 - erf(x), with all digits where that is small; float: < 1 ulp, double: the C library's."""
    return in_double(f, _erfc, "erfc", x)


def ndtr(f: Function, x: Value) -> Value:
    """The normal distribution function, erfc(-x / √2) / 2; float: < 1 ulp, double: by the C library's erfc."""
    if element(x.type) == "double":
        return f.mul(lanewise(f, "erfc", f.mul(x, -(0.5**0.5))), 0.5)
    return f.convert(f.mul(_erfc(f, f.mul(f.convert(x, "double"), -(0.5**0.5))), 0.5), "float")


# --- quantiles --------------------------------------------------------------------------------------------------------


def _quantile(f: Function, x: Value, rest: Value, far: bool) -> Value:
    """|erfinv(x)| for |x| < 1, of which 1 - x² is given; ``far``: for each x, else for those that the format has.

    By polynomials of w = -log(1 - x²) and its root: see zerograd/ops/special/error_function.py.
    """
    w = f.neg(log(f, rest))
    s = f.sqrt(at_least(f, w, 0.0))
    central = f.mul(f.abs(x), polynomial(f, f.sub(f.mul(w, 1 / 3), 1.0), ERFINV))
    low, high = math.sqrt(6), 6.5
    tail = f.mul(s, polynomial(f, f.mul(f.sub(f.add(s, s), low + high), 1 / (high - low)), ERFINV_TAIL))
    if far:
        low, high = 1 / 28, 1 / 6.5
        t = f.mul(f.sub(f.div(f.const(2.0, s.type), s), low + high), 1 / (high - low))
        tail = f.select(f.compare("ole", s, 6.5), tail, f.mul(s, polynomial(f, t, ERFINV_FAR)))
    return f.select(f.compare("ole", w, 6.0), central, tail)


def _erfinv(f: Function, x: Value) -> Value:
    rest = f.mul(f.sub(f.const(1.0, x.type), x), f.add(x, 1.0))
    size = _quantile(f, x, rest, False)
    return with_sign(f, f.select(f.compare("oeq", f.abs(x), 1.0), f.const(INFINITY, x.type), size), x)


def _ndtri(f: Function, x: Value) -> Value:
    y = f.sub(f.add(x, x), 1.0)
    rest = f.mul(f.mul(x, 4.0), f.sub(f.const(1.0, x.type), x))
    size = f.mul(_quantile(f, y, rest, True), math.sqrt(2))
    edge = f.or_(f.compare("oeq", x, 0.0), f.compare("oeq", x, 1.0))
    return with_sign(f, f.select(edge, f.const(INFINITY, x.type), size), y)


def erfinv(f: Function, x: Value) -> Value:
    """The inverse of the error function, NaN beyond ±1; float: < 0.6 ulp, double: < 3 ulp."""
    return by_double(f, _erfinv, x)


def ndtri(f: Function, x: Value) -> Value:
    """The inverse of ``ndtr``, NaN outside of [0, 1]; float: < 0.6 ulp, double: < 3 ulp; of 1 where it is smaller."""
    return by_double(f, _ndtri, x)

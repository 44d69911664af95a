"""Logarithms and what is made of them.

x = 2ᵉ (1 + r) with √2/2 <= 1 + r < √2. In float log(1 + r) = r - r²/2 + r³ p(r); in double, where that would take too
many terms, with s = r / (2 + r): log((1 + s) / (1 - s)) = 2s + s³ p(s²), arranged after FreeBSD's e_log.c (K. C. Ng) so
that r, which is exact, comes last.
"""

from __future__ import annotations

from typing import Final

from zerograd.engines.native.emit import Function, Value, element
from zerograd.engines.native.mathematics.coefficients import LOG, LOG1P_OF_SHARE
from zerograd.engines.native.mathematics.evaluation import (
    INFINITY,
    NAN,
    as_bits,
    as_floats,
    format_of,
    in_double,
    keeping_tiny,
    polynomial,
    with_sign,
)
from zerograd.engines.native.mathematics.exponential import LOG2_E, LOG_2, exp2, exp_not_large

LOG10_E: Final = 0.4342944819032518
MIDDLE_OF_SHARES: Final = 0.4967041015625  # that the polynomial is for
_LEAST_NORMAL: Final = {"float": 2.0**-126, "double": 2.0**-1022}


def _split(f: Function, x: Value) -> tuple[Value, Value]:
    """(e, 1 + r), an integer and a float, of a positive, finite, normal ``x``."""
    form = format_of(x)
    bits = as_bits(f, x)
    # With the bias added the shift needs no sign, which for 64 bits many machines do not shift.
    above = f.sub(bits, form.pattern(0.5**0.5) - (form.bias << form.mantissa))
    e = f.sub(f.lshr(above, form.mantissa), form.bias)
    return e, as_floats(f, f.sub(bits, f.shl(e, form.mantissa)), x)


def _as_float(f: Function, e: Value, x: Value) -> Value:
    """Exponents as floats; in double by way of int32, for which there is an instruction."""
    short = f.convert(e, "i32")
    return f.value(x.type, f"sitofp {short.type} {short.name} to {x.type}")


def _joined(f: Function, e: Value, r: Value) -> Value:
    """e log(2) + log(1 + r) with a float e."""
    high, low = LOG_2[element(r.type)]
    square = f.mul(r, r)
    if element(r.type) == "float":
        rest = f.mul(f.mul(square, r), polynomial(f, r, LOG["float"]))
        rest = f.muladd(square, -0.5, f.muladd(e, low, rest))
        return f.muladd(e, high, f.add(rest, r))
    half = f.mul(square, 0.5)
    s = f.div(r, f.add(r, 2.0))
    z = f.mul(s, s)
    odd = f.muladd(e, low, f.mul(s, f.muladd(z, polynomial(f, z, LOG["double"]), half)))
    return f.muladd(e, high, f.sub(r, f.sub(half, odd)))


def _at_borders(f: Function, x: Value, result: Value) -> Value:
    """The result of a logarithm: -infinity at 0, NaN for negative x and NaN, infinity at infinity."""
    ordinary = f.and_(f.compare("ogt", x, 0.0), f.compare("olt", x, INFINITY))
    negative = f.select(f.compare("olt", x, 0.0), f.const(NAN, x.type), x)
    border = f.select(f.compare("oeq", x, 0.0), f.const(-INFINITY, x.type), negative)
    return f.select(ordinary, result, border)


def log(f: Function, x: Value) -> Value:
    """The natural logarithm, also of subnormal numbers; < 1.1 ulp."""
    form = format_of(x)
    tiny = f.compare("olt", x, _LEAST_NORMAL[element(x.type)])
    e, m = _split(f, f.select(tiny, f.mul(x, 2.0**form.mantissa), x))
    e = f.sub(e, f.select(tiny, f.const(form.mantissa, e.type), 0))
    return _at_borders(f, x, _joined(f, _as_float(f, e, x), f.sub(m, 1.0)))


def _log1p(f: Function, x: Value) -> Value:
    """log(1 + x), except for the sign of 0: what 1 + x has lost in rounding is added to r."""
    u = f.add(x, 1.0)
    larger = f.compare("ogt", x, 1.0)
    lost = f.sub(f.select(larger, f.const(1.0, x.type), x), f.sub(u, f.select(larger, x, f.const(1.0, x.type))))
    e, m = _split(f, u)
    form = format_of(x)
    shrink = as_floats(f, f.shl(f.sub(form.bias, e), form.mantissa), x)
    r = f.sub(m, 1.0)
    r = f.select(f.compare("olt", u, 2.0**60), f.muladd(lost, shrink, r), r)  # nothing counts beyond
    return _at_borders(f, u, _joined(f, _as_float(f, e, x), r))


def log1p(f: Function, x: Value) -> Value:
    """log(1 + x), accurate near 0; < 1.5 ulp."""
    return keeping_tiny(f, x, _log1p(f, x))


def _log1p_of_share(f: Function, x: Value) -> Value:
    """log(1 + x) of numbers from 0 to 1: a polynomial; in double what is lost in 1 + x is known in simpler ways."""
    if element(x.type) == "float":
        return f.mul(x, polynomial(f, f.sub(x, MIDDLE_OF_SHARES), LOG1P_OF_SHARE["float"]))
    u = f.add(x, 1.0)
    lost = f.sub(x, f.sub(u, 1.0))
    e, m = _split(f, u)
    shrink = f.select(f.compare("eq", e, 0), f.const(1.0, x.type), 0.5)
    return _joined(f, _as_float(f, e, x), f.muladd(lost, shrink, f.sub(m, 1.0)))


def softplus(f: Function, x: Value) -> Value:
    """log(1 + exp(x)), as max(x, 0) + log(1 + exp(-|x|)); < 2.5 ulp."""
    positive = f.select(f.compare("ogt", f.const(0.0, x.type), x), 0.0, x)
    return f.add(positive, _log1p_of_share(f, exp_not_large(f, f.neg(f.abs(x)))))


def logit(f: Function, x: Value) -> Value:
    """log(x / (1 - x)), as its reference computes it; < 2.5 ulp of the larger of the result and 1."""
    return log(f, f.div(x, f.sub(f.const(1.0, x.type), x)))


def entr(f: Function, x: Value) -> Value:
    """-x log(x), 0 at 0, -infinity below; < 2 ulp."""
    result = f.select(f.compare("olt", x, 0.0), f.const(-INFINITY, x.type), f.neg(f.mul(x, log(f, x))))
    return f.select(f.compare("oeq", x, 0.0), f.const(0.0, x.type), result)


def _times(f: Function, x: Value, y: Value, factor: Value) -> Value:
    """x * factor, 0 where x is 0 and y is not NaN."""
    void = f.and_(f.compare("oeq", x, 0.0), f.compare("ord", y, y))
    return f.select(void, f.const(0.0, x.type), f.mul(x, factor))


def xlogy(f: Function, x: Value, y: Value) -> Value:
    """x log(y), but 0 where x is 0 and y is not NaN; < 2 ulp."""
    return _times(f, x, y, log(f, y))


def xlog1py(f: Function, x: Value, y: Value) -> Value:
    """x log(1 + y), but 0 where x is 0 and y is not NaN; < 2.5 ulp."""
    return _times(f, x, y, log1p(f, y))


def _larger_and_distance(f: Function, x: Value, y: Value) -> tuple[Value, Value]:
    """(max(x, y), -|x - y|); of equal infinities the distance is 0."""
    larger = f.select(f.compare("ogt", x, y), x, y)
    apart = f.neg(f.abs(f.sub(x, y)))
    return larger, f.select(f.compare("oeq", x, y), f.const(0.0, x.type), apart)


def logaddexp(f: Function, x: Value, y: Value) -> Value:
    """log(exp(x) + exp(y)); < 2.5 ulp, where the operands do not cancel, of the operands otherwise."""
    larger, distance = _larger_and_distance(f, x, y)
    return f.add(larger, _log1p_of_share(f, exp_not_large(f, distance)))


def logaddexp2(f: Function, x: Value, y: Value) -> Value:
    """log2(2 ** x + 2 ** y), like ``logaddexp``."""
    larger, distance = _larger_and_distance(f, x, y)
    return f.muladd(_log1p_of_share(f, exp2(f, distance)), LOG2_E, larger)


# --- by way of double ---------------------------------------------------------------------------------------------


def log2(f: Function, x: Value) -> Value:
    """The logarithm to the base 2; float: < 0.6 ulp, double: the C library's."""
    return in_double(f, lambda f, x: f.mul(log(f, x), LOG2_E), "log2", x)


def log10(f: Function, x: Value) -> Value:
    """The logarithm to the base 10; float: < 0.6 ulp, double: the C library's."""
    return in_double(f, lambda f, x: f.mul(log(f, x), LOG10_E), "log10", x)


def _asinh(f: Function, x: Value) -> Value:
    size, square = f.abs(x), f.mul(x, x)
    far = log(f, f.add(size, f.sqrt(f.add(square, 1.0))))
    near = f.mul(size, polynomial(f, square, (1.0, -1 / 6, 3 / 40)))
    return with_sign(f, f.select(f.compare("olt", size, 0.02), near, far), x)


def _acosh(f: Function, x: Value) -> Value:
    result = log(f, f.add(x, f.sqrt(f.sub(f.mul(x, x), 1.0))))
    return f.select(f.compare("olt", x, 1.0), f.const(NAN, x.type), result)


def _atanh(f: Function, x: Value) -> Value:
    far = f.mul(log(f, f.div(f.add(x, 1.0), f.sub(f.const(1.0, x.type), x))), 0.5)
    near = f.mul(x, polynomial(f, f.mul(x, x), (1.0, 1 / 3, 1 / 5)))
    return f.select(f.compare("olt", f.abs(x), 0.02), near, far)


def asinh(f: Function, x: Value) -> Value:
    """The inverse of the hyperbolic sine; float: < 0.6 ulp, double: the C library's."""
    return in_double(f, _asinh, "asinh", x)


def acosh(f: Function, x: Value) -> Value:
    """The inverse of the hyperbolic cosine, NaN below 1; float: < 0.6 ulp, double: the C library's."""
    return in_double(f, _acosh, "acosh", x)


def atanh(f: Function, x: Value) -> Value:
    """The inverse of the hyperbolic tangent, infinite at ±1; float: < 0.6 ulp, double: the C library's."""
    return in_double(f, _atanh, "atanh", x)

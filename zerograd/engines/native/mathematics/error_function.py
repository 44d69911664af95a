"""The error function and its complement.

erf(x) = 1 - exp(-t (1 + p(t))) with t = |x|, so p(t) = -log(1 - erf(t)) / t - 1, which is smooth. The complement is
exp(-x²) times a polynomial of (x - 3.75) / (x + 3.75) (see zerograd/ops/special/error_function.py), in double.
"""

from __future__ import annotations

from zerograd.engines.native.emit import Function, Value, element
from zerograd.engines.native.mathematics.coefficients import ERF
from zerograd.engines.native.mathematics.evaluation import at_most, in_double, lanewise, polynomial
from zerograd.engines.native.mathematics.exponential import exp_not_large, expm1_of_moderate
from zerograd.ops.special.tables import ERFCX_SINGLE

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

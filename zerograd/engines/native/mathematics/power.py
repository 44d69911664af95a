"""Powers and lengths."""

from __future__ import annotations

from zerograd.engines.native.emit import Function, Value
from zerograd.engines.native.mathematics.evaluation import INFINITY, NAN, in_double, with_sign
from zerograd.engines.native.mathematics.exponential import exp
from zerograd.engines.native.mathematics.logarithm import log


def _pow(f: Function, x: Value, y: Value) -> Value:
    """exp(y log|x|) in double, good for float's digits, with C's rules for signs, infinities and NaN."""
    one = f.const(1.0, x.type)
    size = f.abs(x)
    result = exp(f, f.mul(y, log(f, size)))
    # Whole numbers, and among them odd ones; infinities count as even.
    whole = f.compare("oeq", f.intrinsic("trunc", y), y)
    half = f.mul(y, 0.5)
    odd = f.and_(whole, f.compare("one", f.intrinsic("trunc", half), half))
    result = f.select(odd, with_sign(f, result, x), result)
    negative = f.and_(f.compare("olt", x, 0.0), f.compare("ogt", x, -INFINITY))
    result = f.select(f.and_(negative, f.not_(whole)), f.const(NAN, x.type), result)
    minus_one = f.and_(f.compare("oeq", size, 1.0), f.compare("oeq", f.abs(y), INFINITY))
    unit = f.or_(f.or_(f.compare("oeq", x, 1.0), f.compare("oeq", y, 0.0)), minus_one)
    return f.select(unit, one, result)


def _hypot(f: Function, x: Value, y: Value) -> Value:
    """In double, where squares of floats neither overflow nor vanish."""
    length = f.sqrt(f.add(f.mul(x, x), f.mul(y, y)))
    x, y = f.abs(x), f.abs(y)
    infinite = f.or_(f.compare("oeq", x, INFINITY), f.compare("oeq", y, INFINITY))
    return f.select(infinite, f.const(INFINITY, x.type), length)


def pow(f: Function, x: Value, y: Value) -> Value:
    """x to the power y; float: < 0.6 ulp, double: the C library's."""
    return in_double(f, _pow, "pow", x, y)


def hypot(f: Function, x: Value, y: Value) -> Value:
    """√(x² + y²); float: < 0.6 ulp, double: the C library's."""
    return in_double(f, _hypot, "hypot", x, y)

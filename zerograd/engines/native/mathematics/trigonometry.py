"""Angles.

x = n π/2 + r with |r| <= π/4, subtracted in three steps of which the first is exact while |x| is not large; of the
others, which are rare, the C library computes sine and cosine. n tells which of sin(r) and cos(r) it is, and the sign.
"""

from __future__ import annotations

import math
from typing import Final

from zerograd.engines.native.emit import Function, Value, element, lanes
from zerograd.engines.native.mathematics.coefficients import ATAN, COS, SIN
from zerograd.engines.native.mathematics.evaluation import (
    INFINITY,
    as_bits,
    as_floats,
    format_of,
    in_double,
    lanewise,
    polynomial,
    with_sign,
)

# π/2 as a sum of numbers of the format.
_HALF_PI: Final = {
    "float": (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15),
    "double": (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33),
}
_LARGE: Final = {"float": 1e5, "double": 1e8}


def _turned(f: Function, size: Value, more: int) -> tuple[Value, Value]:
    """(|sin| or cos of r with its sign, n as bits) for sin(size + more π/2)."""
    kind, form = element(size.type), format_of(size)
    large = 1.5 * 2.0**form.mantissa
    total = f.muladd(size, 2 / math.pi, large)
    n = f.sub(total, large)
    r = size
    for part in _HALF_PI[kind]:
        r = f.fma(n, -part, r)
    z = f.mul(r, r)
    sine = f.muladd(f.mul(r, z), polynomial(f, z, SIN[kind]), r)
    cosine = f.muladd(f.mul(z, z), polynomial(f, z, COS[kind]), f.muladd(z, -0.5, 1.0))
    turns = as_bits(f, total)
    turns = f.add(turns, more) if more else turns
    odd = f.compare("ne", f.and_(turns, 1), 0)
    return f.select(odd, cosine, sine), f.shl(f.lshr(turns, 1), form.bits - 1)


def _rescued(f: Function, name: str, x: Value, size: Value, result: Value) -> Value:
    """The result, in lanes with large numbers the C library's."""
    large = f.compare("ogt", size, _LARGE[element(x.type)])
    large = f.and_(large, f.compare("olt", size, INFINITY))
    count = lanes(x.type)
    some = large if count == 1 else f.call(f"llvm.vector.reduce.or.v{count}i1", "i1", large)
    return f.if_(some, lambda: f.select(large, lanewise(f, name, x), result), lambda: result)[0]


def sin(f: Function, x: Value) -> Value:
    """The sine; < 2 ulp for every argument."""
    size = f.abs(x)
    value, sign = _turned(f, size, 0)
    sign = f.xor(sign, f.and_(as_bits(f, x), -(1 << (format_of(x).bits - 1))))
    return _rescued(f, "sin", x, size, as_floats(f, f.xor(as_bits(f, value), sign), x))


def cos(f: Function, x: Value) -> Value:
    """The cosine; < 2 ulp for every argument."""
    size = f.abs(x)
    value, sign = _turned(f, size, 1)
    return _rescued(f, "cos", x, size, as_floats(f, f.xor(as_bits(f, value), sign), x))


def sin_and_cos_of_turns(f: Function, x: Value) -> tuple[Value, Value]:
    """sin(πx) and cos(πx) for |x| <= 1/2; < 3 ulp. NaN for NaN."""
    angle = f.mul(x, math.pi)
    sine, cosine = (
        as_floats(f, f.xor(as_bits(f, value), sign), x)
        for value, sign in (_turned(f, f.abs(angle), more) for more in (0, 1))
    )
    return f.select(f.compare("olt", x, 0.0), f.neg(sine), sine), cosine


def sinc(f: Function, x: Value) -> Value:
    """sin(πx) / (πx) with πx rounded, as its reference computes it; 1 at 0; < 2.5 ulp of 1."""
    angle = f.mul(x, math.pi)
    return f.select(f.compare("oeq", x, 0.0), f.const(1.0, x.type), f.div(sin(f, angle), angle))


# --- by way of double ---------------------------------------------------------------------------------------------


def _tan(f: Function, x: Value) -> Value:
    return f.div(sin(f, x), cos(f, x))


def _atan2(f: Function, y: Value, x: Value) -> Value:
    """In double, good for float's digits."""
    height, width = f.abs(y), f.abs(x)
    steep = f.compare("ogt", height, width)
    ratio = f.div(f.select(steep, width, height), f.select(steep, height, width))
    ratio = f.select(f.compare("oeq", height, width), f.const(1.0, x.type), ratio)  # infinity / infinity
    ratio = f.select(f.compare("oeq", height, 0.0), f.const(0.0, x.type), ratio)  # 0 / 0
    z = f.mul(ratio, ratio)
    angle = f.muladd(f.mul(ratio, z), polynomial(f, z, ATAN["double"]), ratio)
    angle = f.select(steep, f.sub(f.const(math.pi / 2, x.type), angle), angle)
    left = f.compare("slt", as_bits(f, x), 0)
    angle = f.select(left, f.sub(f.const(math.pi, x.type), angle), angle)
    angle = f.select(f.compare("uno", x, y), f.add(x, y), angle)
    return with_sign(f, angle, y)


def _beside(f: Function, x: Value) -> Value:
    """√(1 - x²)"""
    return f.sqrt(f.mul(f.sub(f.const(1.0, x.type), x), f.add(x, 1.0)))


def tan(f: Function, x: Value) -> Value:
    """The tangent; float: < 0.6 ulp, double: the C library's."""
    return in_double(f, _tan, "tan", x)


def atan2(f: Function, y: Value, x: Value) -> Value:
    """The angle of the point (x, y); float: < 0.6 ulp, double: the C library's."""
    return in_double(f, _atan2, "atan2", y, x)


def atan(f: Function, x: Value) -> Value:
    """The inverse of the tangent; float: < 0.6 ulp, double: the C library's."""
    return in_double(f, lambda f, x: _atan2(f, x, f.const(1.0, x.type)), "atan", x)


def asin(f: Function, x: Value) -> Value:
    """The inverse of the sine, NaN beyond ±1; float: < 0.6 ulp, double: the C library's."""
    return in_double(f, lambda f, x: _atan2(f, x, _beside(f, x)), "asin", x)


def acos(f: Function, x: Value) -> Value:
    """The inverse of the cosine, NaN beyond ±1; float: < 0.6 ulp, double: the C library's."""
    return in_double(f, lambda f, x: _atan2(f, _beside(f, x), x), "acos", x)

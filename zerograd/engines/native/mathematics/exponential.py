"""exp and what is made of it.

exp(x) = 2ⁿ exp(r) with n the whole number nearest to x / log 2, and r = x - n log 2 in two steps whose first is exact.
exp(r) = 1 + r + r² q(r).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from zerograd.engines.native.emit import Function, Value, element
from zerograd.engines.native.mathematics.coefficients import EXP, EXP2, EXPM1
from zerograd.engines.native.mathematics.evaluation import (
    as_bits,
    as_floats,
    at_least,
    at_most,
    format_of,
    in_double,
    keeping_tiny,
    lanewise,
    polynomial,
    short_polynomial,
)

LOG2_E: Final = 1.4426950408889634

LOG_2: Final = {"float": (0.693359375, -2.1219444170128554e-4), "double": (0.6931471803691238, 1.9082149292705877e-10)}
"""log 2 as a number whose last bits are 0, so that its product with n is exact, and the rest."""

# Beyond these the result is 0 or infinite; exp(x) - 1 is -1 below, and its power of two must stay finite above.
_RANGE: Final = {"float": (-104.0, 89.0), "double": (-746.0, 710.0)}
_RANGE_OF_POWERS: Final = {"float": (-151.0, 129.0), "double": (-1076.0, 1025.0)}
_ONE_FROM: Final = {"float": 10.0, "double": 22.0}  # where tanh has rounded to 1


def _reduced(f: Function, x: Value, offset: int) -> tuple[Value, Value]:
    """(bits, r): the last bits are n + offset, which saves an addition where powers of two are made of them.

    n is rounded by an addition so large that it stands in the last of the sum's bits.
    """
    high, low = LOG_2[element(x.type)]
    large = _large(x, offset)
    total = f.muladd(x, LOG2_E, large)
    n = f.sub(total, large)
    return as_bits(f, total), f.muladd(n, -low, f.muladd(n, -high, x))


def _large(x: Value, offset: int) -> float:
    return 1.5 * 2.0 ** format_of(x).mantissa + offset


def _scaled(f: Function, p: Value, bits: Value) -> Value:
    """p * 2ⁿ in two steps, of which only the second may leave the normal numbers; the bits are n + 2 * bias."""
    form = format_of(p)
    half = f.lshr(bits, 1)
    first = f.shl(half, form.mantissa)
    second = f.shl(f.sub(bits, half), form.mantissa)
    return f.mul(f.mul(p, as_floats(f, first, p)), as_floats(f, second, p))


def _exp_of_rest(f: Function, r: Value) -> Value:
    rest = polynomial(f, r, EXP[element(r.type)])
    return f.muladd(f.muladd(rest, r, 1.0), r, 1.0)  # what counts most is added last, and rounded once


def _unless_below(f: Function, low: float, x: Value, power: Callable[[Value], Value]) -> Value:
    """0 where ``x`` is less than ``low``, elsewhere its power.

    The powers there would underflow to 0 as well, but products that do take many processors a hundred cycles, and
    whoever masks with -infinity has many of them.
    """
    below, zero = f.compare("olt", x, low), f.const(0.0, x.type)
    return f.select(below, zero, power(f.select(below, zero, x)))


def _small_power(f: Function, x: Value) -> Value:
    """exp(x) of numbers below 40 that are in range: 2 to the power n + 64 is a normal number."""
    form = format_of(x)
    bits, r = _reduced(f, x, form.bias + 64)
    return f.mul(f.mul(_exp_of_rest(f, r), as_floats(f, f.shl(bits, form.mantissa), x)), 2.0**-64)


def exp_not_large(f: Function, x: Value) -> Value:
    """exp(x) of numbers below 40, in fewest instructions; < 1.1 ulp."""
    return _small_power(f, at_least(f, x, _RANGE[element(x.type)][0]))


def exp_of_falling(f: Function, x: Value) -> Value:
    """The same where many results may be 0; < 1.1 ulp."""
    return _unless_below(f, _RANGE[element(x.type)][0], x, lambda x: _small_power(f, x))


def exp(f: Function, x: Value) -> Value:
    """e to the power x, down to the least subnormal number; < 1.1 ulp."""
    low, high = _RANGE[element(x.type)]

    def power(x: Value) -> Value:
        bits, r = _reduced(f, x, 2 * format_of(x).bias)
        return _scaled(f, _exp_of_rest(f, r), bits)

    return _unless_below(f, low, at_most(f, x, high), power)


def exp2(f: Function, x: Value) -> Value:
    """2 to the power x, exact for whole x; < 1.1 ulp."""
    low, high = _RANGE_OF_POWERS[element(x.type)]
    large = _large(x, 2 * format_of(x).bias)

    def power(x: Value) -> Value:
        total = f.add(x, large)
        r = f.sub(x, f.sub(total, large))
        return _scaled(f, f.muladd(polynomial(f, r, EXP2[element(x.type)]), r, 1.0), as_bits(f, total))

    return _unless_below(f, low, at_most(f, x, high), power)


def exp2_not_large(f: Function, x: Value) -> Value:
    """2 to the power x of numbers below 60, in fewest instructions; < 1.2 ulp."""
    return _small_power_of_two(f, at_least(f, x, _RANGE_OF_POWERS[element(x.type)][0]))


def exp2_of_falling(f: Function, x: Value) -> Value:
    """The same where many results may be 0; < 1.2 ulp."""
    return _unless_below(f, _RANGE_OF_POWERS[element(x.type)][0], x, lambda x: _small_power_of_two(f, x))


def _small_power_of_two(f: Function, x: Value) -> Value:
    form = format_of(x)
    large = _large(x, form.bias + 64)
    total = f.add(x, large)
    r = f.sub(x, f.sub(total, large))
    p = f.muladd(short_polynomial(f, r, EXP2[element(x.type)]), r, 1.0)
    return f.mul(f.mul(p, as_floats(f, f.shl(as_bits(f, total), form.mantissa), x)), 2.0**-64)


def expm1_of_moderate(f: Function, x: Value) -> Value:
    """exp(x) - 1 of numbers that are small enough for 2ⁿ to be a normal number; < 1.5 ulp."""
    form = format_of(x)
    bits, r = _reduced(f, x, form.bias)
    p = f.muladd(f.mul(r, r), polynomial(f, r, EXPM1[element(x.type)]), r)
    power = as_floats(f, f.shl(bits, form.mantissa), x)
    return f.muladd(power, p, f.sub(power, 1.0))


def expm1(f: Function, x: Value) -> Value:
    """exp(x) - 1; float: < 1.5 ulp, double: the C library's."""
    if element(x.type) == "double":
        return lanewise(f, "expm1", x)
    # Twice exp(x) / 2 - 1 / 2, since 2ⁿ itself may be infinite where the result is not.
    form = format_of(x)
    bits, r = _reduced(f, at_most(f, at_least(f, x, -18.0), 89.0), form.bias - 1)
    p = f.muladd(f.mul(r, r), polynomial(f, r, EXPM1["float"]), r)
    power = as_floats(f, f.shl(bits, form.mantissa), x)
    half = f.muladd(power, p, f.sub(power, 0.5))
    return keeping_tiny(f, x, f.add(half, half))


def sigmoid(f: Function, x: Value) -> Value:
    """1 / (1 + exp(-x)), computed from exp(-|x|), so that it goes to 0 gradually; < 2.5 ulp."""
    small = exp_not_large(f, f.neg(f.abs(x)))
    return f.div(f.select(f.compare("oge", x, 0.0), f.const(1.0, x.type), small), f.add(small, 1.0))


def tanh(f: Function, x: Value) -> Value:
    """The hyperbolic tangent, as e / (e + 2) with e = exp(2|x|) - 1; < 2.5 ulp."""
    size = at_most(f, f.abs(x), _ONE_FROM[element(x.type)])
    e = expm1_of_moderate(f, f.add(size, size))
    return f.copysign(f.div(e, f.add(e, 2.0)), x)


# --- by way of double ---------------------------------------------------------------------------------------------


def _sinh(f: Function, x: Value) -> Value:
    """In double, good for float's digits; near 0, where the exponentials cancel, a series."""
    e = exp(f, x)
    large = f.mul(f.sub(e, f.div(f.const(1.0, x.type), e)), 0.5)
    near = f.mul(x, polynomial(f, f.mul(x, x), (1.0, 1 / 6, 1 / 120)))
    return f.select(f.compare("olt", f.abs(x), 0.02), near, large)


def _cosh(f: Function, x: Value) -> Value:
    e = exp(f, x)
    return f.mul(f.add(e, f.div(f.const(1.0, x.type), e)), 0.5)


def sinh(f: Function, x: Value) -> Value:
    """The hyperbolic sine; float: < 0.6 ulp, double: the C library's."""
    return in_double(f, _sinh, "sinh", x)


def cosh(f: Function, x: Value) -> Value:
    """The hyperbolic cosine; float: < 0.6 ulp, double: the C library's."""
    return in_double(f, _cosh, "cosh", x)

"""exp and what is made of it.

exp(x) = 2ⁿ exp(r) with n the whole number nearest to x / log 2, and r = x - n log 2 in two steps whose first is exact.
exp(r) = 1 + r + r² q(r).
"""

from __future__ import annotations

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
)

LOG2_E: Final = 1.4426950408889634

LOG_2: Final = {"float": (0.693359375, -2.1219444170128554e-4), "double": (0.6931471803691238, 1.9082149292705877e-10)}
"""log 2 as a number whose last bits are 0, so that its product with n is exact, and the rest."""

# Beyond these the result is 0 or infinite; exp(x) - 1 is -1 below, and its power of two must stay finite above.
_RANGE: Final = {"float": (-104.0, 89.0), "double": (-746.0, 710.0)}
_RANGE_OF_POWERS: Final = {"float": (-151.0, 129.0), "double": (-1076.0, 1025.0)}
_ONE_FROM: Final = {"float": 10.0, "double": 22.0}  # where tanh has rounded to 1


def _reduced(f: Function, x: Value) -> tuple[Value, Value]:
    """(bits, r): the last bits are n + 2 * bias, which makes powers of two of n's halves without further additions.

    n is rounded by an addition so large that it stands in the last of the sum's bits.
    """
    high, low = LOG_2[element(x.type)]
    large = _large(x)
    total = f.muladd(x, LOG2_E, large)
    n = f.sub(total, large)
    return as_bits(f, total), f.muladd(n, -low, f.muladd(n, -high, x))


def _large(x: Value) -> float:
    form = format_of(x)
    return 1.5 * 2.0**form.mantissa + 2 * form.bias


def _scaled(f: Function, p: Value, bits: Value) -> Value:
    """p * 2ⁿ in two steps, of which only the second may leave the normal numbers."""
    form = format_of(p)
    half = f.lshr(bits, 1)
    first = f.shl(half, form.mantissa)
    second = f.shl(f.sub(bits, half), form.mantissa)
    return f.mul(f.mul(p, as_floats(f, first, p)), as_floats(f, second, p))


def exp_not_large(f: Function, x: Value) -> Value:
    """exp(x) of numbers that are not so large that it would be infinite."""
    bits, r = _reduced(f, at_least(f, x, _RANGE[element(x.type)][0]))
    q = polynomial(f, r, EXP[element(x.type)])
    return _scaled(f, f.add(f.muladd(f.mul(r, r), q, r), 1.0), bits)


def exp(f: Function, x: Value) -> Value:
    """e to the power x, down to the least subnormal number; < 1.1 ulp."""
    return exp_not_large(f, at_most(f, x, _RANGE[element(x.type)][1]))


def exp2(f: Function, x: Value) -> Value:
    """2 to the power x, exact for whole x; < 1.1 ulp."""
    low, high = _RANGE_OF_POWERS[element(x.type)]
    x = at_most(f, at_least(f, x, low), high)
    large = _large(x)
    total = f.add(x, large)
    r = f.sub(x, f.sub(total, large))
    p = f.muladd(polynomial(f, r, EXP2[element(x.type)]), r, 1.0)
    return _scaled(f, p, as_bits(f, total))


def expm1_of_moderate(f: Function, x: Value) -> Value:
    """exp(x) - 1 of numbers that are small enough for 2ⁿ to be a normal number; < 1.5 ulp."""
    bits, r = _reduced(f, x)
    p = f.muladd(f.mul(r, r), polynomial(f, r, EXPM1[element(x.type)]), r)
    form = format_of(x)
    power = as_floats(f, f.shl(f.sub(bits, form.bias), form.mantissa), x)
    return f.muladd(power, p, f.sub(power, 1.0))


def expm1(f: Function, x: Value) -> Value:
    """exp(x) - 1; float: < 1.5 ulp, double: the C library's."""
    if element(x.type) == "double":
        return lanewise(f, "expm1", x)
    # Twice exp(x) / 2 - 1 / 2, since 2ⁿ itself may be infinite where the result is not.
    bits, r = _reduced(f, at_most(f, at_least(f, x, -18.0), 89.0))
    p = f.muladd(f.mul(r, r), polynomial(f, r, EXPM1["float"]), r)
    form = format_of(x)
    power = as_floats(f, f.shl(f.sub(bits, form.bias + 1), form.mantissa), x)
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

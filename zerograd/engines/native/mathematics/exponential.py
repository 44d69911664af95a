"""exp and what is made of it.

exp(x) = 2ⁿ exp(r) with n the whole number nearest to x / log 2, and r = x - n log 2 in two steps whose first is exact.
exp(r) = 1 + r + r² q(r).
"""

from __future__ import annotations

from zerograd.engines.native.emit import Function, Value, element
from zerograd.engines.native.mathematics.evaluation import (
    as_bits,
    as_floats,
    at_least,
    at_most,
    format_of,
    lanewise,
    polynomial,
)

LOG2_E = 1.4426950408889634
LOG_2 = 0.6931471805599453

# log 2 as a number whose last bits are 0, so that its product with n is exact, and the rest.
_LOG_2 = {"float": (0.693359375, -2.12194440e-4)}

# q(r) = (exp(r) - 1 - r) / r² on |r| <= log(2) / 2, relative to exp(r): 2^-28.1, and for expm1 2^-31.0.
_EXP = {
    "float": (
        0.4999999403953552,
        0.16666512191295624,
        0.04166823625564575,
        0.008369565941393375,
        0.0013819359010085464,
    ),
}
_EXPM1 = {
    "float": (
        0.5, 0.16666647791862488, 0.04166647791862488, 0.008337775245308876, 0.0013933677691966295,
        0.00017418735660612583,
    ),
}  # fmt: skip

# Beyond these exp is 0 or infinite.
_RANGE = {"float": (-104.0, 89.0)}


def _reduced(f: Function, x: Value) -> tuple[Value, Value, Value]:
    """(bits, n, r): n rounded by an addition so large that it stands in the last of the sum's bits.

    The sum's last bits are n + 2 * bias, which makes powers of two of the halves of n without further additions.
    """
    kind, form = element(x.type), format_of(x)
    high, low = _LOG_2[kind]
    large = 1.5 * 2.0**form.mantissa + 2 * form.bias
    total = f.muladd(x, LOG2_E, large)
    n = f.sub(total, large)
    r = f.muladd(n, -low, f.muladd(n, -high, x))
    return as_bits(f, total), n, r


def _scaled(f: Function, p: Value, bits: Value) -> Value:
    """p * 2ⁿ in two steps, of which only the second may leave the normal numbers."""
    form = format_of(p)
    half = f.lshr(bits, 1)
    first = f.shl(half, form.mantissa)
    second = f.shl(f.sub(bits, half), form.mantissa)
    return f.mul(f.mul(p, as_floats(f, first, p)), as_floats(f, second, p))


def _exp_core(f: Function, x: Value) -> Value:
    bits, _, r = _reduced(f, x)
    q = polynomial(f, r, _EXP[element(x.type)])
    p = f.add(f.muladd(f.mul(r, r), q, r), 1.0)
    return _scaled(f, p, bits)


def expm1_of_moderate(f: Function, x: Value) -> Value:
    """exp(x) - 1 of numbers that are small enough for 2ⁿ to be a normal number; float: < 1.5 ulp."""
    bits, _, r = _reduced(f, x)
    p = f.muladd(f.mul(r, r), polynomial(f, r, _EXPM1[element(x.type)]), r)
    form = format_of(x)
    power = as_floats(f, f.shl(f.sub(bits, form.bias), form.mantissa), x)
    return f.muladd(power, p, f.sub(power, 1.0))


def exp(f: Function, x: Value) -> Value:
    """e to the power x; float: < 1.1 ulp, down to the least subnormal number."""
    if element(x.type) == "double":
        return lanewise(f, "exp", x)
    low, high = _RANGE[element(x.type)]
    return _exp_core(f, at_most(f, at_least(f, x, low), high))


def sigmoid(f: Function, x: Value) -> Value:
    """1 / (1 + exp(-x)), computed from exp(-|x|), so that it goes to 0 gradually; float: < 2.5 ulp."""
    one = f.const(1.0, x.type)
    negative = f.neg(f.abs(x))
    if element(x.type) == "double":
        small = lanewise(f, "exp", negative)
    else:
        small = _exp_core(f, at_least(f, negative, _RANGE[element(x.type)][0]))
    return f.div(f.select(f.compare("oge", x, 0.0), one, small), f.add(small, 1.0))


def tanh(f: Function, x: Value) -> Value:
    """The hyperbolic tangent, as e / (e + 2) with e = exp(2|x|) - 1; float: < 2.5 ulp."""
    if element(x.type) == "double":
        return lanewise(f, "tanh", x)
    size = at_most(f, f.abs(x), 10.0)  # 1 from here on
    e = expm1_of_moderate(f, f.add(size, size))
    return f.copysign(f.div(e, f.add(e, 2.0)), x)

"""Arithmetic as NumPy defines it: of integers also where it overflows or divides by zero, which must not trap."""

from __future__ import annotations

from zerograd.dtypes import dtype
from zerograd.engines.native.emit import BITS, Function, Value, element, is_float, lanes
from zerograd.engines.native.mathematics.evaluation import as_bits, lanewise, with_sign


def is_bool(x: Value) -> bool:
    """Whether the lanes are conditions."""
    return element(x.type) == "i1"


def add(f: Function, x: Value, y: Value) -> Value:
    """x + y; of bools: or."""
    return f.or_(x, y) if is_bool(x) else f.add(x, y)


def mul(f: Function, x: Value, y: Value) -> Value:
    """x y; of bools: and."""
    return f.and_(x, y) if is_bool(x) else f.mul(x, y)


def square(f: Function, x: Value) -> Value:
    return f.mul(x, x)


def reciprocal(f: Function, x: Value) -> Value:
    return f.div(f.const(1.0, x.type), x)


def rsqrt(f: Function, x: Value) -> Value:
    """1 / sqrt(x), both rounded."""
    return reciprocal(f, f.sqrt(x))


def absolute(f: Function, kind: dtype, x: Value) -> Value:
    """|x|; the least integer stays what it is."""
    return f.abs(x) if is_float(x.type) or kind.is_signed else x


def lerp(f: Function, x: Value, y: Value, weight: Value) -> Value:
    """x + weight (y - x), from the nearer end."""
    distance = f.sub(y, x)
    near = f.add(x, f.mul(weight, distance))
    far = f.sub(y, f.mul(distance, f.sub(f.const(1.0, x.type), weight)))
    return f.select(f.compare("olt", f.abs(weight), 0.5), near, far)


# --- division of integers ------------------------------------------------------------------------------------------


def _divisible(f: Function, kind: dtype, x: Value, y: Value) -> tuple[Value, Value]:
    """(whether y is 0, a divisor that does not trap): 1 for 0, and for -1 where the quotient would overflow."""
    zero = f.compare("eq", y, 0)
    trap = zero
    if kind.is_signed:
        least = f.const(-(1 << (BITS[element(x.type)] - 1)), x.type)
        trap = f.or_(zero, f.and_(f.compare("eq", x, least), f.compare("eq", y, -1)))
    return zero, f.select(trap, f.const(1, y.type), y)


def _quotient(f: Function, kind: dtype, x: Value, y: Value) -> Value:
    return f.binary("sdiv" if kind.is_signed else "udiv", x, y)


def _rest(f: Function, kind: dtype, x: Value, y: Value) -> Value:
    return f.binary("srem" if kind.is_signed else "urem", x, y)


def _down(f: Function, rest: Value, y: Value) -> Value:
    """Whether the quotient of signed integers rounded down differs from the one rounded towards zero."""
    return f.and_(f.compare("ne", rest, 0), f.compare("slt", f.xor(rest, y), 0))


def integer_div_floor(f: Function, kind: dtype, x: Value, y: Value) -> Value:
    """The quotient rounded down; 0 for the divisor 0."""
    zero, divisor = _divisible(f, kind, x, y)
    quotient = _quotient(f, kind, x, divisor)
    if kind.is_signed:
        lower = _down(f, _rest(f, kind, x, divisor), divisor)
        quotient = f.sub(quotient, f.convert(lower, element(x.type)))
    return f.select(zero, f.const(0, x.type), quotient)


def integer_div_trunc(f: Function, kind: dtype, x: Value, y: Value) -> Value:
    """The quotient rounded towards zero; for the divisor 0 the reference's 0, and 1 for negative x."""
    zero, divisor = _divisible(f, kind, x, y)
    border = f.const(0, x.type)
    if kind.is_signed:
        border = f.convert(f.compare("slt", x, 0), element(x.type))
    return f.select(zero, border, _quotient(f, kind, x, divisor))


def integer_remainder(f: Function, kind: dtype, x: Value, y: Value) -> Value:
    """x - y floor(x / y); 0 for the divisor 0."""
    zero, divisor = _divisible(f, kind, x, y)
    rest = _rest(f, kind, x, divisor)
    if kind.is_signed:
        rest = f.add(rest, f.select(_down(f, rest, divisor), divisor, 0))
    return f.select(zero, f.const(0, x.type), rest)


def integer_fmod(f: Function, kind: dtype, x: Value, y: Value) -> Value:
    """x - y trunc(x / y); 0 for the divisor 0."""
    zero, divisor = _divisible(f, kind, x, y)
    return f.select(zero, f.const(0, x.type), _rest(f, kind, x, divisor))


def integer_pow(f: Function, kind: dtype, x: Value, y: Value) -> Value:
    """x to the power y modulo 2^width; for negative y the whole part of the result, 0 for x = 0."""
    one, zero = f.const(1, x.type), f.const(0, x.type)
    exponent = f.select(f.compare("slt", y, 0), zero, y) if kind.is_signed else y

    def step(_: Value, power: Value, base: Value, left: Value) -> tuple[Value, Value, Value]:
        odd = f.compare("ne", f.and_(left, 1), 0)
        return f.select(odd, f.mul(power, base), power), f.mul(base, base), f.lshr(left, 1)

    power = f.loop(0, BITS[element(x.type)], 1, step, (one, x, exponent))[0]
    if not kind.is_signed:
        return power
    sign = f.select(f.compare("eq", f.and_(y, 1), 0), one, f.const(-1, x.type))
    inverse = f.select(f.compare("eq", x, 1), one, f.select(f.compare("eq", x, -1), sign, zero))
    return f.select(f.compare("slt", y, 0), inverse, power)


def greatest_common_divisor(f: Function, kind: dtype, x: Value, y: Value) -> Value:
    """The largest number that divides both, 0 of zeros; modulo 2^width where that is -x of the least integer.

    Of two odd numbers the difference is even and has the same divisors with the smaller: its zeros at the end go
    (J. Stein, Computational problems associated with Racah algebra, 1967).
    """
    a, b = absolute(f, kind, x), absolute(f, kind, y)
    a, b = f.select(f.compare("eq", a, 0), b, a), f.select(f.compare("eq", b, 0), a, b)
    nothing = f.compare("eq", a, 0)
    a, b = (f.select(nothing, f.const(1, x.type), one) for one in (a, b))
    common = f.trailing_zeros(f.or_(a, b))

    def step(a: Value, b: Value) -> tuple[Value, Value, Value]:
        larger = f.compare("ugt", a, b)
        least = f.select(larger, b, a)
        rest = f.sub(f.select(larger, a, b), least)
        done = f.compare("eq", rest, 0)
        rest = f.select(done, least, rest)
        return f.some(f.not_(done)), f.lshr(rest, f.trailing_zeros(rest)), least

    found = f.again(step, [f.lshr(one, f.trailing_zeros(one)) for one in (a, b)])[1]
    return f.select(nothing, f.const(0, x.type), f.shl(found, common))


def least_common_multiple(f: Function, kind: dtype, x: Value, y: Value) -> Value:
    """The least number that both divide, modulo 2^width; 0 if one is 0."""
    divisor = greatest_common_divisor(f, kind, x, y)
    divisor = f.select(f.compare("eq", divisor, 0), f.const(1, x.type), divisor)
    return f.mul(f.binary("udiv", absolute(f, kind, x), divisor), absolute(f, kind, y))


# --- division of floats -----------------------------------------------------------------------------------------------


def float_fmod(f: Function, x: Value, y: Value) -> Value:
    """x - y trunc(x / y), exactly, with the sign of x.

    Of float in double, where x - q y is exact for whole q up to 2^52 that are near x / y; a quotient that was rounded
    up leaves a rest of the other sign. The C library does the lanes with larger ones, and doubles.
    """
    if element(x.type) != "float":
        return f.rem(x, y)
    a, b = f.convert(f.abs(x), "double"), f.convert(f.abs(y), "double")
    q = f.intrinsic("trunc", f.div(a, b))
    rest = f.fma(f.neg(q), b, a)
    rest = f.select(f.compare("olt", rest, 0.0), f.add(rest, b), rest)
    rest = f.convert(f.select(f.compare("olt", a, b), a, rest), "float")
    usual = f.compare("olt", q, 2.0**52)
    count = lanes(x.type)
    all_usual = usual if count == 1 else f.call(f"llvm.vector.reduce.and.v{count}i1", "i1", usual)
    return f.if_(
        all_usual,
        lambda: with_sign(f, rest, x),
        lambda: f.select(usual, with_sign(f, rest, x), lanewise(f, "fmod", x, y)),
    )[0]


def float_div_trunc(f: Function, x: Value, y: Value) -> Value:
    return f.intrinsic("trunc", f.div(x, y))


def float_remainder(f: Function, x: Value, y: Value) -> Value:
    """x - y floor(x / y), exact but for the last addition; 0 has the divisor's sign."""
    rest = float_fmod(f, x, y)
    other_side = f.compare("slt", f.xor(as_bits(f, rest), as_bits(f, y)), 0)
    moved = f.select(other_side, f.add(rest, y), rest)
    result = f.select(f.compare("oeq", rest, 0.0), f.copysign(f.const(0.0, x.type), y), moved)
    return f.select(f.compare("oeq", y, 0.0), rest, result)


def float_div_floor(f: Function, x: Value, y: Value) -> Value:
    """The quotient rounded down, from the exact remainder; x / y for the divisor 0."""
    rest = float_fmod(f, x, y)
    quotient = f.div(f.sub(x, rest), y)
    other_side = f.and_(f.compare("une", rest, 0.0), f.compare("slt", f.xor(as_bits(f, rest), as_bits(f, y)), 0))
    quotient = f.select(other_side, f.sub(quotient, 1.0), quotient)
    whole = f.intrinsic("floor", quotient)
    whole = f.select(f.compare("ogt", f.sub(quotient, whole), 0.5), f.add(whole, 1.0), whole)
    plain = f.div(x, y)
    whole = f.select(f.compare("oeq", quotient, 0.0), f.copysign(f.const(0.0, x.type), plain), whole)
    return f.select(f.compare("oeq", y, 0.0), plain, whole)


# --- bits -------------------------------------------------------------------------------------------------------------


def _too_far(f: Function, y: Value) -> Value:
    """Negative shifts, read as unsigned numbers, are too far as well."""
    return f.compare("uge", y, BITS[element(y.type)])


def shift_left(f: Function, x: Value, y: Value) -> Value:
    """Bits moved to the left; 0 beyond the width and for negative distances."""
    far = _too_far(f, y)
    return f.select(far, f.const(0, x.type), f.shl(x, f.select(far, f.const(0, y.type), y)))


def shift_right(f: Function, kind: dtype, x: Value, y: Value) -> Value:
    """Bits moved to the right; beyond the width and for negative distances the sign alone is left."""
    if not kind.is_signed:
        far = _too_far(f, y)
        return f.select(far, f.const(0, x.type), f.lshr(x, f.select(far, f.const(0, y.type), y)))
    width = BITS[element(x.type)]
    return f.ashr(x, f.select(_too_far(f, y), f.const(width - 1, y.type), y))

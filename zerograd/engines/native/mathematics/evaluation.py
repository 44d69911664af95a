"""What all functions are made of: polynomials, powers of two, choices that let NaN through, calls of the C library.

Functions take and give float or double, alone or in vectors of any width; they contain no branches. The coefficients
of every polynomial were fitted for this project (Remez's exchange with 60 digits, the coefficients rounded one after
the other and the rest fitted again): tools/fit_native_mathematics.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from zerograd.engines.native.emit import Function, Operand, Value, element, lanes, like

INFINITY = float("inf")
NAN = float("nan")


class Format:
    """A binary floating-point format.

    Attributes:
        bits: of a number.
        mantissa: how many bits are stored of it.
        bias: of the exponent.
        integer: the integer type of the same width.
    """

    __slots__ = ("bias", "bits", "integer", "mantissa")

    def __init__(self, bits: int, mantissa: int) -> None:
        self.bits, self.mantissa = bits, mantissa
        self.bias = (1 << (bits - mantissa - 2)) - 1
        self.integer = f"i{bits}"

    def pattern(self, number: float) -> int:
        """The bits of a number."""
        wide = self.bits == 64
        return struct.unpack("<q" if wide else "<i", struct.pack("<d" if wide else "<f", number))[0]


DOUBLE = Format(64, 52)
FORMATS = {"float": Format(32, 23), "double": DOUBLE}


def format_of(x: Value) -> Format:
    """The format of a value's elements."""
    return FORMATS[element(x.type)]


def as_bits(f: Function, x: Value) -> Value:
    """The representation of floats as integers."""
    return f.bitcast(x, like(format_of(x).integer, x.type))


def as_floats(f: Function, bits: Value, model: Value) -> Value:
    """The floats of ``model``'s type that integers represent."""
    return f.bitcast(bits, model.type)


_LONG = 6  # coefficients from which two chains of instructions, each half as long, are worth a square


def polynomial(f: Function, x: Value, coefficients: Sequence[float]) -> Value:
    """c0 + c1 x + c2 x² + ..., by Horner's rule; a long one as two of x², which do not wait for each other."""
    if len(coefficients) < _LONG:
        return _by_horner(f, x, coefficients)
    square = f.mul(x, x)
    return f.muladd(_by_horner(f, square, coefficients[1::2]), x, _by_horner(f, square, coefficients[::2]))


def _by_horner(f: Function, x: Value, coefficients: Sequence[float]) -> Value:
    *rest, top = coefficients
    result = f.const(top, x.type)
    for one in reversed(rest):
        result = f.muladd(result, x, one)
    return result


def short_polynomial(f: Function, x: Value, coefficients: Sequence[float]) -> Value:
    """The same by Estrin's scheme: a few instructions more, but few that wait for each other.

    Args:
        coefficients: at least two.
    """
    terms: list[Operand] = list(coefficients)
    while True:
        pairs = [f.muladd(x, terms[i + 1], terms[i]) for i in range(0, len(terms) - 1, 2)]
        terms = [*pairs, *terms[2 * len(pairs) :]]
        if len(terms) == 1:
            return pairs[0]
        x = f.mul(x, x)


def at_least(f: Function, x: Value, low: float) -> Value:
    """The larger of ``x`` and a number; NaN stays NaN."""
    return f.select(f.compare("ogt", f.const(low, x.type), x), low, x)


def at_most(f: Function, x: Value, high: float) -> Value:
    """The smaller of ``x`` and a number; NaN stays NaN."""
    return f.select(f.compare("olt", f.const(high, x.type), x), high, x)


def with_sign(f: Function, size: Value, sign: Value) -> Value:
    """A number that is not negative with the sign of another.

    Like ``copysign``, which LLVM however exchanges with roundings that follow, and so asks for one from double to half,
    which is no instruction.
    """
    minus = f.and_(as_bits(f, sign), -(1 << (format_of(sign).bits - 1)))
    return as_floats(f, f.or_(as_bits(f, size), minus), size)


def lanewise(f: Function, name: str, *operands: Value) -> Value:
    """The C library's function of that name (for doubles; floats take the one with an f), lane after lane."""
    model = operands[0].type
    kind, count = element(model), lanes(model)
    symbol = name + ("f" if kind == "float" else "")
    if count == 1:
        return f.call(symbol, kind, *operands)
    result: Operand = Value("poison", model)
    for lane in range(count):
        result = f.insert(result, f.call(symbol, kind, *[f.extract(one, lane) for one in operands]), lane)
    return result


def in_double(f: Function, of_doubles: Callable[..., Value], library: str, *operands: Value) -> Value:
    """A function of floats computed in double and rounded once, with few bits of double to spare.

    Args:
        of_doubles: ``(f, *operands)`` on doubles, with at least float's digits.
        library: what the C library calls the function, which computes it where the operands are doubles themselves.
    """
    if element(operands[0].type) == "double":
        return lanewise(f, library, *operands)
    return by_double(f, of_doubles, *operands)


def by_double(f: Function, of_doubles: Callable[..., Value], *operands: Value) -> Value:
    """A function computed in double, with all of its digits; of floats rounded once."""
    if element(operands[0].type) == "double":
        return of_doubles(f, *operands)
    return f.convert(of_doubles(f, *[f.convert(one, "double") for one in operands]), "float")


def keeping_tiny(f: Function, x: Value, result: Value) -> Value:
    """``x`` itself where it is so small that it is the result, elsewhere the result: keeps -0 and subnormals."""
    return f.select(f.compare("olt", f.abs(x), 2.0 ** -(format_of(x).mantissa + 3)), x, result)

"""Comparison and choice as NumPy defines them, NaN included."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable

from zerograd.dtypes import dtype
from zerograd.engines.native.conversion import from_memory, to_memory
from zerograd.engines.native.emit import BITS, Function, Value, element, is_float, like
from zerograd.engines.native.mathematics.evaluation import as_bits

# NumPy's name: LLVM's of floats, of signed and of unsigned integers (and bools).
_WORDS = {
    "eq": ("oeq", "eq", "eq"), "ne": ("une", "ne", "ne"), "lt": ("olt", "slt", "ult"), "le": ("ole", "sle", "ule"),
    "gt": ("ogt", "sgt", "ugt"), "ge": ("oge", "sge", "uge"),
}  # fmt: skip


def comparison(name: str) -> Callable[[Function, dtype, Value, Value], Value]:
    """The emitter of one comparison."""
    of_floats, of_signed, of_unsigned = _WORDS[name]

    def emit(f: Function, kind: dtype, x: Value, y: Value) -> Value:
        return f.compare(of_floats if is_float(x.type) else of_signed if kind.is_signed else of_unsigned, x, y)

    return emit


def _is_number(x: Value) -> bool:
    """Whether a float is a constant other than NaN."""
    constant = None if x.name.startswith("%") else re.search("0x([0-9A-F]{16})", x.name)
    return constant is not None and not math.isnan(struct.unpack(">d", bytes.fromhex(constant[1]))[0])


def extreme(greater: bool) -> Callable[[Function, dtype, Value, Value], Value]:
    """The emitter of maximum or minimum; NaN if an operand is."""
    of_floats, of_signed, of_unsigned = _WORDS["gt" if greater else "lt"]

    def emit(f: Function, kind: dtype, x: Value, y: Value) -> Value:
        if not is_float(x.type):
            return f.select(f.compare(of_signed if kind.is_signed else of_unsigned, x, y), x, y)
        if _is_number(x):
            x, y = y, x
        if _is_number(y):  # written so that NaN in x stays: one instruction
            return f.select(f.compare(of_floats, y, x), y, x)
        larger = f.select(f.compare(of_floats, x, y), x, y)  # y if x is NaN
        return f.select(f.compare("uno", x, x), x, larger)

    return emit


def extreme_of_numbers(greater: bool) -> Callable[[Function, dtype, Value, Value], Value]:
    """The emitter of fmax or fmin: NaN only if both operands are."""
    of_floats, of_signed, of_unsigned = _WORDS["gt" if greater else "lt"]

    def emit(f: Function, kind: dtype, x: Value, y: Value) -> Value:
        if not is_float(x.type):
            return f.select(f.compare(of_signed if kind.is_signed else of_unsigned, x, y), x, y)
        return f.select(f.compare("uno", y, y), x, f.select(f.compare(of_floats, x, y), x, y))

    return emit


maximum, minimum = extreme(greater=True), extreme(greater=False)
fmax, fmin = extreme_of_numbers(greater=True), extreme_of_numbers(greater=False)


def clamp(f: Function, kind: dtype, x: Value, low: Value, high: Value) -> Value:
    """min(max(x, low), high)"""
    return minimum(f, kind, maximum(f, kind, x, low), high)


def relu(f: Function, kind: dtype, x: Value) -> Value:
    """max(x, 0)"""
    return x if not kind.is_signed else maximum(f, kind, x, f.const(0, x.type))


def sign(f: Function, kind: dtype, x: Value) -> Value:
    """-1, 0 or 1; of NaN 0, of bools themselves."""
    if element(x.type) == "i1":
        return x
    zero, one = f.const(0, x.type), f.const(1, x.type)
    if is_float(x.type):
        ordinary = f.compare("one", x, 0.0)
        return f.select(ordinary, f.copysign(one, x), zero)
    positive = f.select(f.compare("ne", x, 0), one, zero)
    return f.select(f.compare("slt", x, 0), f.const(-1, x.type), positive) if kind.is_signed else positive


def signbit(f: Function, kind: dtype, x: Value) -> Value:
    """Whether the sign is minus, also of -0 and NaN."""
    if is_float(x.type):
        return f.compare("slt", as_bits(f, x), 0)
    return f.compare("slt" if kind.is_signed else "ult", x, 0)


def heaviside(f: Function, kind: dtype, x: Value, y: Value) -> Value:
    """0 for negative x and NaN, 1 for positive, y for 0."""
    zero = comparison("eq")(f, kind, x, f.const(0, x.type))
    positive = comparison("gt")(f, kind, x, f.const(0, x.type))
    return f.select(zero, y, f.select(positive, f.const(1, x.type), 0))


def angle(f: Function, x: Value) -> Value:
    """π for negative numbers, 0 for others, NaN for NaN."""
    turned = f.select(f.compare("olt", x, 0.0), f.const(math.pi, x.type), 0.0)
    return f.select(f.compare("uno", x, x), x, turned)


def nextafter(f: Function, kind: dtype, x: Value, y: Value) -> Value:
    """The next number of the dtype from x towards y; y itself where they are equal."""
    memory = to_memory(f, x, kind)
    width = BITS[element(memory.type)]
    bits = f.bitcast(memory, like(f"i{width}", memory.type))
    away = f.compare("eq", f.compare("ogt", y, x), f.compare("ogt", x, 0.0))
    moved = f.add(bits, f.select(away, f.const(1, bits.type), -1))
    least = f.select(f.compare("ogt", y, 0.0), f.const(1, bits.type), (1 << (width - 1)) + 1)
    moved = f.select(f.compare("oeq", x, 0.0), least, moved)
    result = from_memory(f, f.bitcast(moved, memory.type), kind)
    result = f.select(f.compare("oeq", x, y), y, result)
    return f.select(f.compare("uno", x, y), f.add(x, y), result)

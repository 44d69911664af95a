"""How the elements of each dtype stand in registers and in memory, and how one dtype becomes another.

dtype              in registers                                          in memory
float32, float64   float, double                                         the same
float16, bfloat16  float, always a number that the half type has too     16 bits
int8 ... int64     integers of that width (uint8 too)                    the same
bool               i1                                                    a byte, 0 or 1
"""

from __future__ import annotations

import functools
from typing import Final

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.engines.native.emit import BITS, Function, Operand, Value, like, vector
from zerograd.engines.native.target import host

REGISTER: Final = {
    dtypes.bool_: "i1", dtypes.uint8: "i8", dtypes.int8: "i8", dtypes.int16: "i16", dtypes.int32: "i32",
    dtypes.int64: "i64", dtypes.float16: "float", dtypes.bfloat16: "float", dtypes.float32: "float",
    dtypes.float64: "double",
}  # fmt: skip
"""The element type in registers; what is not here cannot be computed natively."""

MEMORY: Final = REGISTER | {dtypes.bool_: "i8", dtypes.float16: "half", dtypes.bfloat16: "i16"}
"""The element type in memory."""

HALVES: Final = (dtypes.float16, dtypes.bfloat16)


@functools.cache
def converts_half() -> bool:
    """Whether the machine converts float16 itself; LLVM would call functions for it that are not everywhere."""
    target = host()
    return "+f16c" in target.features.split(",") or not target.triple.startswith(("x86", "i686"))


def computable(*kinds: dtype) -> bool:
    """Whether kernels can load, store and compute elements of all these dtypes."""
    return all(kind in REGISTER for kind in kinds) and (dtypes.float16 not in kinds or converts_half())


def register(kind: dtype, count: int) -> str:
    """The type of ``count`` elements in a register."""
    return vector(REGISTER[kind], count)


def load(
    f: Function,
    kind: dtype,
    count: int,
    base: Value,
    index: Operand = 0,
    mask: Value | None = None,
    fill: float = 0,
) -> Value:
    """``count`` elements, the first of them ``index`` elements behind ``base``, as they stand in registers.

    Where the mask of a vector is false nothing is read, and the lane is ``fill``.
    """
    if kind is dtypes.bfloat16 and fill:
        fill = bfloat16_pattern(fill)
    return from_memory(f, f.load(vector(MEMORY[kind], count), base, index, mask, fill), kind)


def store(f: Function, kind: dtype, x: Value, base: Value, index: Operand = 0, mask: Value | None = None) -> None:
    """Write elements from registers; where a vector's mask is false nothing is written."""
    f.store(to_memory(f, x, kind), base, index, mask)


def from_memory(f: Function, x: Value, kind: dtype) -> Value:
    """Elements as they stand in memory in the form of registers."""
    if kind is dtypes.bool_:
        return f.compare("ne", x, 0)
    if kind is dtypes.bfloat16:
        return f.bitcast(f.shl(f.convert(x, "i32", signed=False), 16), like("float", x.type))
    return f.convert(x, REGISTER[kind])


def to_memory(f: Function, x: Value, kind: dtype) -> Value:
    """Elements in registers in the form of memory; a half type's must be its own numbers (``round_to``)."""
    if kind is dtypes.bfloat16:
        return f.convert(f.lshr(f.bitcast(x, like("i32", x.type)), 16), "i16")
    return f.convert(x, MEMORY[kind])


def round_to(f: Function, x: Value, kind: dtype) -> Value:
    """A float32 result as the half type has it: the nearest of its numbers, of two the even one; else ``x`` itself."""
    if kind is dtypes.float16:
        # Behind the fence LLVM does not see that x may come from a double, which only a library could round to half.
        return f.convert(f.convert(f.intrinsic("arithmetic.fence", x), "half"), "float")
    if kind is not dtypes.bfloat16:
        return x
    bits = f.bitcast(x, like("i32", x.type))
    even = f.and_(f.lshr(bits, 16), 1)
    rounded = f.add(f.add(bits, even), 0x7FFF)
    unordered = f.compare("uno", x, x)
    return f.bitcast(f.and_(f.select(unordered, f.const(0x7FC00000, bits.type), rounded), -0x10000), x.type)


def bfloat16_pattern(number: float) -> int:
    """The bits of a number as bfloat16."""
    import ml_dtypes
    import numpy as np

    return int(np.asarray(number, ml_dtypes.bfloat16).view(np.uint16))


# --- change of type -----------------------------------------------------------------------------------------


def cast(f: Function, x: Value, old: dtype, new: dtype) -> Value:
    """Elements of one dtype as another.

    Floats become integers towards zero and modulo 2^width; NaN, infinities and what int64 cannot hold become 0, but in
    int64 its least number. (float16's infinities count as its largest numbers; what bfloat16 holds beyond int32 becomes
    the least int32.) Numbers become bool by being other than 0 (NaN is).
    """
    if old is new:
        return x
    if new is dtypes.bool_:
        return f.compare("une" if old.is_floating_point else "ne", x, 0)
    if not new.is_floating_point:
        return _to_integer(f, x, old, new) if old.is_floating_point else f.convert(x, REGISTER[new], old.is_signed)
    if new is dtypes.float16 and old is dtypes.float64:
        return round_to(f, _narrowed_to_odd(f, x), new)
    x = f.convert(x, REGISTER[new], old.is_signed)
    return x if new not in HALVES or old in (dtypes.bool_, new) else round_to(f, x, new)


def _to_integer(f: Function, x: Value, old: dtype, new: dtype) -> Value:
    if new is dtypes.int64:
        return _within(f, x, new)
    if (old, new) == (dtypes.bfloat16, dtypes.int32):
        return _within(f, x, new)
    if old is dtypes.float16:  # its infinities count as its largest numbers, which int32 can hold
        size = f.select(f.compare("ogt", f.abs(x), 65504.0), f.const(65504.0, x.type), f.abs(x))
        x = f.copysign(size, x)
    # Modulo 2^32 in floats, where every step is exact: integers of 32 bits have vector instructions.
    inside = f.compare("olt", f.abs(x), 2.0**63)
    whole = f.intrinsic("trunc", f.select(inside, x, 0.0))
    turns = f.intrinsic("rint", f.mul(whole, 2.0**-32))
    rest = f.sub(whole, f.mul(turns, 2.0**32))
    rest = f.select(f.compare("oge", rest, 2.0**31), f.sub(rest, 2.0**32), rest)
    return f.convert(f.convert(rest, "i32"), REGISTER[new])


def _within(f: Function, x: Value, new: dtype) -> Value:
    """Towards zero; the least integer for what the type cannot hold."""
    limit = 2.0 ** (BITS[REGISTER[new]] - 1)
    inside = f.and_(f.compare("oge", x, -limit), f.compare("olt", x, limit))
    whole = f.convert(f.select(inside, x, 0.0), REGISTER[new])
    return f.select(inside, whole, f.const(-int(limit), whole.type))


def _narrowed_to_odd(f: Function, x: Value) -> Value:
    """Doubles as floats, inexact ones with an odd last bit, so that a second rounding goes the right way."""
    near = f.convert(x, "float")
    back = f.convert(near, "double")
    bits = f.bitcast(near, like("i32", near.type))
    even = f.compare("eq", f.and_(bits, 1), 0)
    too_large = f.compare("ogt", f.abs(back), f.abs(x))
    inexact = f.and_(f.compare("one", back, x), even)
    moved = f.add(bits, f.select(too_large, f.const(-1, bits.type), 1))
    return f.bitcast(f.select(inexact, moved, bits), near.type)

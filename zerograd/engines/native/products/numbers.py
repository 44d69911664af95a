"""Numbers between memory and registers: half types are float32 while they are computed with."""

from __future__ import annotations

from typing import Final

from zerograd import dtypes
from zerograd.engines.native import conversion
from zerograd.engines.native.emit import Function, Operand, Value, lanes

KINDS: Final = {
    "float": dtypes.float32, "double": dtypes.float64, "half": dtypes.float16, "bfloat": dtypes.bfloat16,
    "bool": dtypes.bool_,
}  # fmt: skip


def read(
    f: Function, type: str, to: str, count: int, base: Value, index: Operand = 0, mask: Value | None = None
) -> Value:
    """``count`` numbers of ``type`` in memory, as ``to`` ("float", "double") in a register."""
    return f.convert(conversion.load(f, KINDS[type], count, base, index, mask), to)


def write(f: Function, x: Value, type: str, base: Value, index: Operand = 0, mask: Value | None = None) -> None:
    """Numbers in a register into memory as ``type``, rounded to the nearest."""
    kind = KINDS[type]
    x = f.convert(x, conversion.register(kind, lanes(x.type)))
    conversion.store(f, kind, conversion.round_to(f, x, kind), base, index, mask)


__all__ = ["KINDS", "read", "write"]

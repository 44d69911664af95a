"""Sums that several units have made of their parts, added up in the order of the units."""

from __future__ import annotations

import functools

from zerograd.dtypes import dtype
from zerograd.engines.native import values
from zerograd.engines.native.emit import Value
from zerograd.engines.native.kernel import Access, Instruction, Kernel, KernelFunction
from zerograd.engines.native.target import host
from zerograd.engines.native.windows import Window

COLUMNS_OF_UNIT = 64


@functools.cache
def _kernel(partial: dtype, final: dtype) -> Kernel:
    """units: columns, 64 each. numbers: parts, columns."""
    f = KernelFunction()
    width = host().lanes
    source, target = f.place(0), f.place(1)
    parts, columns = f.number(4), f.number(5)
    type = values.register(partial, width)
    size = partial.itemsize

    def columns_from(j: Value, mask: Value | None) -> None:
        def add(part: Value, total: Value) -> Value:
            at = f.pointer(source, f.mul(f.mul(part, columns), size))
            return f.add(total, values.load(f, partial, width, at, j, mask))

        (total,) = f.loop(0, parts, 1, add, [f.const(0, type)])
        values.store(f, final, values.rounded(f, total, final), target, j, mask)

    def step(j: Value) -> None:
        rest = f.sub(columns, j)
        whole = f.compare("sge", rest, width)
        f.if_(
            whole,
            lambda: columns_from(j, None),
        )
        f.if_(f.compare("slt", rest, width), lambda: columns_from(j, f.first(rest, width)))

    first = f.mul(f.low, COLUMNS_OF_UNIT)
    f.loop(first, f.least(f.mul(f.high, COLUMNS_OF_UNIT), columns), width, step)
    return Kernel("combine", f.finish())


def combine(partial: Window, final: Window, parts: int, columns: int) -> Instruction:
    """``final[j] = sum of partial[p, j] over the parts``."""
    units = -(-columns // COLUMNS_OF_UNIT)
    return Instruction(
        _kernel(partial.dtype, final.dtype),
        [Access(partial.buffer)],
        [Access(final.buffer, units if columns % COLUMNS_OF_UNIT == 0 else 1)],
        [parts, columns],
        units,
        parts * COLUMNS_OF_UNIT * 0.1 + 5,
    )

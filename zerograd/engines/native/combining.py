"""Folds that several units have made of their parts, combined in the order of the units."""

from __future__ import annotations

from zerograd.engines.native import values
from zerograd.engines.native.emit import Value
from zerograd.engines.native.kernel import Access, Instruction, Kernel, KernelFunction
from zerograd.engines.native.target import host
from zerograd.engines.native.vectors import Vectors
from zerograd.engines.native.windows import Window
from zerograd.ir.graph import Node

COLUMNS_OF_UNIT = 64


def _kernel(node: Node, partial: Window, final: Window) -> Kernel:
    description = f"{node.op.name} {node.dtype.name} {partial.dtype.name} {final.dtype.name}"
    return Kernel.described("combine", description, lambda: _text(node, partial, final))


def _text(node: Node, partial: Window, final: Window) -> str:
    """Units: blocks of the columns of each batch. Numbers: parts, columns, blocks of columns."""
    f = KernelFunction()
    width = host().lanes
    source, target = f.place(0), f.place(1)
    parts, columns, blocks = (f.number(i) for i in (4, 5, 6))
    size = partial.dtype.itemsize

    def unit(u: Value) -> None:
        batch, block = f.binary("udiv", u, blocks), f.binary("urem", u, blocks)
        into = f.pointer(target, f.mul(f.mul(batch, columns), final.dtype.itemsize))
        first = f.mul(block, COLUMNS_OF_UNIT)
        last = f.least(f.add(first, COLUMNS_OF_UNIT), columns)

        def columns_from(j: Value, mask: Value | None, width: int) -> None:
            def join(part: Value, total: Value) -> Value:
                row = f.add(f.mul(batch, parts), part)
                at = f.pointer(source, f.mul(f.mul(row, columns), size))
                return values.combine(f, node, total, values.load(f, partial.dtype, width, at, j, mask))

            (total,) = f.loop(0, parts, 1, join, [values.neutral(f, node, width)])
            values.store(f, final.dtype, values.rounded(f, total, final.dtype), into, j, mask)

        Vectors(width).along(f, first, last, columns_from)

    f.loop(f.low, f.high, 1, unit)
    return f.finish()


def combine(node: Node, partial: Window, final: Window, batches: int, parts: int, columns: int) -> Instruction:
    """``final[b, j] = fold of partial[b, p, j] over the parts``, as ``node`` folds."""
    blocks = -(-columns // COLUMNS_OF_UNIT)
    units = batches * blocks
    even = blocks == 1 or columns % COLUMNS_OF_UNIT == 0
    return Instruction(
        _kernel(node, partial, final),
        [Access(partial.buffer, batches)],
        [Access(final.buffer, units if even else batches)],
        [parts, columns, blocks],
        units,
        parts * min(columns, COLUMNS_OF_UNIT) * 0.1 + 5,
    )

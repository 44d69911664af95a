"""The sums of a product whose k was divided into slices, added up in the order of the slices."""

from __future__ import annotations

from zerograd.engines.native.emit import Value, size
from zerograd.engines.native.kernel import Kernel, KernelFunction
from zerograd.engines.native.products.numbers import read, write
from zerograd.engines.native.products.tile import Tile

COMBINE_NUMBERS = ("columns", "slices", "slice_bytes", "c_row")


def combine_kernel(tile: Tile, out: str, accumulate: bool) -> Kernel:
    """Reads the partial sums [slice, row, column] (operands 0 and 1), writes C (the last operand). Units: rows.

    Numbers: COMBINE_NUMBERS; ``slice_bytes`` from one slice to the next, ``c_row`` from one row of C to the next.
    """
    return Kernel.described("combine", repr((tile, out, accumulate)), lambda: _text(tile, out, accumulate))


def _text(tile: Tile, out: str, accumulate: bool) -> str:
    f = KernelFunction()
    operands = 3 + accumulate
    n = {word: f.number(2 * operands + i) for i, word in enumerate(COMBINE_NUMBERS)}
    partial, c = f.place(0), f.place(operands - 1)
    whole = f.mul(f.div(n["columns"], tile.lanes), tile.lanes)

    def vector(row: Value, column: Value, mask: Value | None) -> None:
        start = f.pointer(partial, f.add(f.mul(row, n["columns"]), column), tile.type)
        first = f.load(tile.vector, start, 0, mask)

        def one(s: Value, x: Value) -> Value:
            return f.add(x, f.load(tile.vector, f.pointer(start, f.mul(s, n["slice_bytes"])), 0, mask))

        (x,) = f.loop(1, n["slices"], 1, one, [first])
        to = f.pointer(f.pointer(c, f.mul(row, n["c_row"])), f.mul(column, size(out)))
        if accumulate:
            x = f.add(read(f, out, tile.type, tile.lanes, to, 0, mask), x)
        write(f, x, out, to, 0, mask)

    def one_row(row: Value) -> None:
        f.loop(0, whole, tile.lanes, lambda column: vector(row, column, None))
        mask = f.first(f.sub(n["columns"], whole), tile.lanes)
        f.if_(f.compare("slt", whole, n["columns"]), lambda: vector(row, whole, mask))

    f.loop(f.low, f.high, 1, one_row)
    return f.finish()


__all__ = ["COMBINE_NUMBERS", "combine_kernel"]

"""A panel of positions copied together: [k, position], the positions of rows and images without gaps."""

from __future__ import annotations

from zerograd.engines.native.emit import Value, size, vector
from zerograd.engines.native.kernel import KernelFunction
from zerograd.engines.native.products.tile import Tile
from zerograd.frozen import Frozen


class Lines(Frozen):
    """Where rows of positions lie in the planes.

    Attributes:
        start: the first position of the first image.
        rows, columns: of an image.
        pitch: numbers from one row to the next; ``image``: bytes from one image to the next.
    """

    __slots__ = ("columns", "image", "pitch", "rows", "start")

    def __init__(self, start: Value, rows: Value, columns: Value, pitch: Value, image: Value) -> None:
        self.start, self.rows, self.columns, self.pitch, self.image = start, rows, columns, pitch, image


def pack_panel(
    f: KernelFunction, tile: Tile, lines: Lines, p: Value, positions: Value, table: Value, depth: Value, to: Value
) -> None:
    """Copy what ``tile.columns`` positions from ``p`` on read, for ``depth`` taps of the table.

    Up to a panel's width in front of and behind the planes may be read, and is not used.
    """
    last = f.div(f.sub(f.least(f.add(p, tile.columns), positions), 1), lines.columns)
    first = f.div(p, lines.columns)
    bytes = size(tile.type)

    def line(number: Value, before: bool) -> None:
        """The panel's positions of a row, and behind them anything; ``before``: those before it are there already."""
        image = f.div(number, lines.rows)
        row = f.sub(number, f.mul(image, lines.rows))
        column = f.sub(p, f.mul(number, lines.columns))  # of the panel's first position, were the row that long
        inside = f.mul(f.add(f.mul(row, lines.pitch), column), bytes)
        start = f.pointer(lines.start, f.add(f.mul(image, lines.image), inside))
        kind = vector("i32", tile.lanes)
        begin = f.splat(f.convert(f.neg(column), "i32"), tile.lanes)
        masks = [f.compare("sge", f.add(f.iota(kind), v * tile.lanes), begin) for v in range(tile.vectors)]

        def one(k: Value) -> None:
            at = f.pointer(start, f.convert(f.load("i32", table, k), "i64"))
            there = f.pointer(to, f.mul(k, tile.columns * bytes))
            for v, mask in enumerate(masks):
                x = f.load(tile.vector, at, v * tile.lanes)
                if before:
                    x = f.select(mask, x, f.load(tile.vector, there, v * tile.lanes))
                f.store(x, there, v * tile.lanes)

        f.loop(0, depth, 1, one)

    line(first, False)
    f.loop(f.add(first, 1), f.add(last, 1), 1, lambda number: line(number, True))


__all__ = ["Lines", "pack_panel"]

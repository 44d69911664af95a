"""Tiles of positions written where they belong: what lies between rows of a plane is dropped.

A row of a tile is cut into segments, one for each row of the image that it touches. Where there is room behind a
segment in the same feature, whole vectors are written: what they write beyond it is written again, rightly, by the
segments that follow.
"""

from __future__ import annotations

from zerograd.engines.native.emit import Value, size
from zerograd.engines.native.kernel import KernelFunction
from zerograd.engines.native.products.numbers import read, write
from zerograd.engines.native.products.tile import Tile
from zerograd.frozen import Frozen


class Place(Frozen):
    """Where the positions of a block lie in the target.

    Attributes:
        start: the first position of the first feature.
        rows, columns: how many.
        pitch: from one row of positions to the next, in positions.
        row, column: the same in the target, in bytes.
    """

    __slots__ = ("column", "columns", "pitch", "row", "rows", "start")

    def __init__(self, start: Value, rows: Value, columns: Value, pitch: Value, row: Value, column: Value) -> None:
        self.start, self.rows, self.columns = start, rows, columns
        self.pitch, self.row, self.column = pitch, row, column


class Writer:
    """Emits the end of a tile.

    Args:
        out: the type of the target.
        dense: whether neighbouring positions are neighbours in the target.
        feature: bytes from one feature to the next.
        spare: memory for a tile.
    """

    def __init__(self, f: KernelFunction, tile: Tile, out: str, dense: bool, feature: Value, spare: Value) -> None:
        self.f, self.tile, self.out, self.dense = f, tile, out, dense
        self.feature, self.spare = feature, spare

    def spot(self, place: Place, p: Value) -> tuple[Value, Value, Value]:
        """Position ``p``, its row and column."""
        f = self.f
        row = f.div(p, place.pitch)
        return p, row, f.sub(p, f.mul(row, place.pitch))

    def write(self, tile: Tile, sums: list[Value], place: Place, spot: tuple[Value, Value, Value], row: Value) -> None:
        """Bring a tile to y.

        Args:
            row: the tile's first feature in its group.
        """
        f = self.f
        to = f.pointer(place.start, f.mul(row, self.feature))

        def whole() -> None:
            at = f.pointer(to, f.add(f.mul(spot[1], place.row), f.mul(spot[2], place.column)))
            for r in range(tile.rows):
                for v in range(tile.vectors):
                    write(f, sums[r * tile.vectors + v], self.out, at, v * tile.lanes)
                at = f.pointer(at, self.feature)

        def cut() -> None:
            for i, x in enumerate(sums):
                f.store(x, self.spare, i * tile.lanes)
            self._segments(tile, to, place, spot)

        if not self.dense:
            cut()
            return
        f.if_(f.compare("sle", f.add(spot[2], tile.columns), place.columns), whole, cut)

    def _segments(self, tile: Tile, to: Value, place: Place, spot: tuple[Value, Value, Value]) -> None:
        f = self.f
        p, first, _ = spot
        last = f.least(f.div(f.add(p, tile.columns - 1), place.pitch), f.sub(place.rows, 1))

        def segment(row: Value) -> None:
            begin = f.mul(row, place.pitch)
            start = f.intrinsic("smax", f.sub(begin, p), 0)
            column = f.sub(f.add(p, start), begin)
            count = f.least(f.sub(place.columns, column), f.sub(tile.columns, start))
            at = f.pointer(to, f.add(f.mul(row, place.row), f.mul(column, place.column)))
            source = f.pointer(self.spare, start, tile.type)
            f.if_(f.compare("sgt", count, 0), lambda: self._segment(tile, source, at, count, row, column, place))

        f.loop(first, f.add(last, 1), 1, segment)

    def _segment(
        self, tile: Tile, source: Value, to: Value, count: Value, row: Value, column: Value, place: Place
    ) -> None:
        f = self.f
        spread = tile.columns * size(tile.type)
        if not self.dense:
            self._numbers(tile, source, to, count, place.column, spread)
            return
        closed = f.compare("eq", f.mul(place.columns, place.column), place.row)  # rows follow each other
        rows = f.select(closed, f.sub(place.rows, row), 1)
        room = f.sub(f.mul(rows, place.columns), column)

        def vectors() -> None:
            def vector(v: int) -> None:
                at, there = source, to
                for _ in range(tile.rows):
                    write(f, f.load(tile.vector, at, v * tile.lanes), self.out, there, v * tile.lanes)
                    at, there = f.pointer(at, spread), f.pointer(there, self.feature)

            for v in range(tile.vectors):
                f.if_(f.compare("sgt", count, v * tile.lanes), lambda v=v: vector(v))

        exact = lambda: self._numbers(tile, source, to, count, f.operand(size(self.out), "i64"), spread)  # noqa: E731
        f.if_(f.compare("sge", room, tile.columns), vectors, exact)

    def _numbers(self, tile: Tile, source: Value, to: Value, count: Value, step: Value, spread: int) -> None:
        """One by one."""
        f = self.f

        def number(i: Value) -> None:
            at, there = f.pointer(source, i, tile.type), f.pointer(to, f.mul(i, step))
            for _ in range(tile.rows):
                write(f, read(f, tile.type, tile.type, 1, at), self.out, there)
                at, there = f.pointer(at, spread), f.pointer(there, self.feature)

        f.loop(0, count, 1, number)


__all__ = ["Place", "Writer"]

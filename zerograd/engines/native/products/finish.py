"""What happens to a tile's sums: partial ones wait in scratch memory, final ones pass the epilogue and reach C."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zerograd.engines.native.emit import Value, lanes, size
from zerograd.engines.native.kernel import KernelFunction
from zerograd.engines.native.products.numbers import read, write
from zerograd.engines.native.products.tile import Tile


class Spot:
    """Where a vector of C lies.

    Attributes:
        item: number of the product in its batch.
        row, column: of its first element in the item's C.
        mask: which of its lanes lie inside C, None: all. What an epilogue reads by column it must read masked.
    """

    __slots__ = ("column", "item", "mask", "row")

    def __init__(self, item: Value, row: Value, column: Value, mask: Value | None = None) -> None:
        self.item, self.row, self.column, self.mask = item, row, column, mask


Finish = Callable[[KernelFunction, Value, Spot], Value]
# Emits, once, what is the same for all vectors (addresses of operands); gives what is emitted for each vector.
Epilogue = Callable[[KernelFunction], Finish]


class Writer:
    """Emits the end of a tile.

    Args:
        out: the type of C.
        accumulate: whether the sums are added to what C holds (before the epilogue).
        finish: applied to the vectors of sums, None: nothing.
    """

    def __init__(self, f: KernelFunction, tile: Tile, out: str, accumulate: bool, finish: Finish | None) -> None:
        self.f, self.tile, self.out, self.accumulate, self.finish = f, tile, out, accumulate, finish

    def write(
        self, tile: Tile, sums: list[Value], spot: Spot, buffer: Value, spare: Value, to: Value, stride: Value,
        rows: Value, columns: Value, begins: Value, ends: Value,
    ) -> None:  # fmt: skip
        """Bring a tile to its end.

        Args:
            tile: how many rows the sums have.
            spot: of the tile's first element.
            buffer: where the partial sums of this tile wait.
            spare: scratch memory for a tile.
            to: where the tile begins in C; ``stride``: bytes between C's rows.
            rows, columns: how many there are from the spot on, at least one.
            begins, ends: whether this is the first, the last block of k.
        """
        f = self.f
        sums = f.if_(begins, lambda: sums, lambda: self._added(sums, buffer))

        def final() -> None:
            whole = f.and_(f.compare("sge", rows, tile.rows), f.compare("sge", columns, tile.columns))
            if self.finish is None:
                f.if_(whole, lambda: self._whole(tile, sums, to, stride), lambda: edge())
            else:
                edge()

        def edge() -> None:
            self._keep(sums, spare)
            self._rows(tile, spot, spare, to, stride, f.least(rows, tile.rows), columns)

        f.if_(ends, final, lambda: self._keep(sums, buffer))

    def _added(self, sums: Sequence[Value], buffer: Value) -> list[Value]:
        f = self.f
        return [f.add(f.load(x.type, buffer, i * self.tile.lanes), x) for i, x in enumerate(sums)]

    def _keep(self, sums: Sequence[Value], buffer: Value) -> None:
        for i, x in enumerate(sums):
            self.f.store(x, buffer, i * self.tile.lanes)

    def _whole(self, tile: Tile, sums: Sequence[Value], to: Value, stride: Value) -> None:
        """All lies inside, and nothing is left to do."""
        f = self.f
        for row in range(tile.rows):
            for v in range(tile.vectors):
                x = self._plus(sums[row * tile.vectors + v], to, v * tile.lanes, None)
                write(f, x, self.out, to, v * tile.lanes)
            to = f.pointer(to, stride)

    def _plus(self, x: Value, to: Value, index: int, mask: Value | None) -> Value:
        f = self.f
        if not self.accumulate:
            return x
        return f.add(read(f, self.out, x.type, lanes(x.type), to, index, mask), x)

    def _rows(
        self, tile: Tile, spot: Spot, spare: Value, to: Value, stride: Value, rows: Value, columns: Value
    ) -> None:
        """Row by row out of scratch memory; the text of the epilogue stands here, for whole and for masked vectors."""
        f = self.f
        left = [f.sub(columns, v * tile.lanes) for v in range(tile.vectors)]
        masks = [f.first(one, tile.lanes) for one in left]
        fits = [f.compare("sge", one, tile.lanes) for one in left]
        some = [f.compare("sgt", one, 0) for one in left]  # a masked store of nothing would be slow

        def one(row: Value) -> None:
            at = f.pointer(spare, f.mul(row, tile.columns * size(tile.type)))
            there = f.pointer(to, f.mul(row, stride))
            below = f.add(spot.row, row)

            def put(v: int, mask: Value | None) -> None:
                x = self._plus(f.load(tile.vector, at, v * tile.lanes), there, v * tile.lanes, mask)
                if self.finish is not None:
                    x = self.finish(f, x, Spot(spot.item, below, f.add(spot.column, v * tile.lanes), mask))
                write(f, x, self.out, there, v * tile.lanes, mask)

            for v in range(tile.vectors):
                f.if_(fits[v], lambda v=v: put(v, None), lambda v=v: f.if_(some[v], lambda: put(v, masks[v])))

        f.loop(0, rows, 1, one)


__all__ = ["Epilogue", "Finish", "Spot", "Writer"]

"""What happens to a tile's sums: partial ones wait in scratch memory, final ones reach C, as they are or ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zerograd.engines.native.emit import Operand, Value, lanes, size
from zerograd.engines.native.kernel import KernelFunction
from zerograd.engines.native.products.matrix import Matrix
from zerograd.engines.native.products.numbers import read, write
from zerograd.engines.native.products.packing import transposed
from zerograd.engines.native.products.tile import Tile


class Spot:
    """Where a vector of C lies.

    Attributes:
        row, column: of its first element.
        mask: which of its lanes lie inside C, None: all. What an epilogue reads by column it must read masked.
    """

    __slots__ = ("column", "mask", "row")

    def __init__(self, row: Value, column: Value, mask: Value | None = None) -> None:
        self.row, self.column, self.mask = row, column, mask


Finish = Callable[[KernelFunction, Value, Spot], Value]
# Emits, once, what is the same for all vectors (addresses of operands); gives what is emitted for each vector. The
# number is the index of the first of its own numbers.
Epilogue = Callable[[KernelFunction, int], Finish]


class Ending:
    """What becomes of a product's results before they are stored.

    Attributes:
        epilogue: applied to each vector of the results; what it gives is stored in C.
        named: all that the epilogue's text depends on, the same in every process; then the kernel's text is written
            only if no compiled code is found.
        reads: what it reads: the i-th is the kernel's operand 2 + i. Of C's shape, 0 as a stride repeats.
        writes: what it stores itself, the operands before C, of C's shape.
        numbers: that it reads.
        cost: nanoseconds an element.
    """

    __slots__ = ("cost", "epilogue", "named", "numbers", "reads", "writes")

    def __init__(
        self, epilogue: Epilogue | None, named: str = "", reads: Sequence[Matrix] = (),
        writes: Sequence[Matrix] = (), numbers: Sequence[int] = (), cost: float = 0,
    ) -> None:  # fmt: skip
        self.epilogue, self.named, self.numbers, self.cost = epilogue, named, tuple(numbers), cost
        self.reads, self.writes = [one.padded() for one in reads], [one.padded() for one in writes]


NOTHING = Ending(None)


class Writer:
    """Emits the end of tiles.

    Args:
        tile: the full one; its columns are the pitch of sums in memory.
        out: the type of C.
        accumulate: whether the sums are added to what C holds (before the epilogue).
        finish: applied to the vectors of sums, None: nothing.
    """

    def __init__(self, f: KernelFunction, tile: Tile, out: str, accumulate: bool, finish: Finish | None) -> None:
        self.f, self.tile, self.out, self.accumulate, self.finish = f, tile, out, accumulate, finish

    def keep(self, sums: Sequence[Value], buffer: Value, begins: Value) -> None:
        """Store sums, row by row, added to those that wait there already unless a block of k ``begins``."""
        f = self.f
        for i, x in enumerate(f.if_(begins, lambda: sums, lambda: self._added(sums, buffer))):
            f.store(x, buffer, i * self.tile.lanes)

    def write(
        self, tile: Tile, sums: Sequence[Value], buffer: Value, to: Value, stride: Value, rows: Value, columns: Value,
        begins: Value, ends: Value, spot: Spot,
    ) -> None:  # fmt: skip
        """Bring a tile to its end, if it is whole and no block of k follows; else keep its sums.

        Args:
            buffer: where its sums wait, for the next block of k or for ``rows``.
            to: where the tile begins in C; ``stride``: bytes between C's rows.
            rows, columns: how many there are from there on, at least one.
            begins, ends: whether this is the first, the last block of k.
            spot: of the tile's first element.
        """
        f = self.f
        whole = f.and_(f.compare("sge", rows, tile.rows), f.compare("sge", columns, tile.columns))

        def store() -> None:
            final = f.if_(begins, lambda: sums, lambda: self._added(sums, buffer))
            self._whole(tile, final, to, stride, spot)

        f.if_(f.and_(ends, whole), store, lambda: self.keep(sums, buffer, begins))

    def _added(self, sums: Sequence[Value], buffer: Value) -> list[Value]:
        f = self.f
        return [f.add(f.load(x.type, buffer, i * self.tile.lanes), x) for i, x in enumerate(sums)]

    def _whole(self, tile: Tile, sums: Sequence[Value], to: Value, stride: Value, spot: Spot) -> None:
        f = self.f
        for i, x in enumerate(sums):
            row, first = i // tile.vectors, i % tile.vectors * tile.lanes
            if row and not first:
                to = f.pointer(to, stride)
            x = self._plus(x, to, first, None)
            if self.finish is not None:
                x = self.finish(f, x, Spot(f.add(spot.row, row), f.add(spot.column, first)))
            write(f, x, self.out, to, first)

    def _plus(self, x: Value, to: Value, index: int, mask: Value | None) -> Value:
        if not self.accumulate:
            return x
        return self.f.add(read(self.f, self.out, x.type, lanes(x.type), to, index, mask), x)

    def rows(self, spot: Spot, buffer: Value, to: Value, stride: Value, rows: Value, columns: Value) -> None:
        """Rows of finished sums out of scratch memory into C, through the epilogue.

        Args:
            spot: of the first element.
            buffer: ``tile.columns`` sums for each row.
            to: where they belong; ``stride``: bytes between C's rows.
            rows, columns: how many there are.
        """
        f, tile = self.f, self.tile

        def vector(row: Value, v: Operand) -> None:
            first = f.mul(f.operand(v, "i64"), tile.lanes)
            x = f.load(tile.vector, buffer, f.add(f.mul(row, tile.columns), first))
            there = f.pointer(to, f.add(f.mul(row, stride), f.mul(first, size(self.out))))
            below, column = f.add(spot.row, row), f.add(spot.column, first)

            def put(mask: Value | None) -> None:
                y = self._plus(x, there, 0, mask)
                if self.finish is not None:
                    y = self.finish(f, y, Spot(below, column, mask))
                write(f, y, self.out, there, 0, mask)

            if isinstance(v, int):
                put(None)
                return
            left = f.sub(columns, first)
            f.if_(f.compare("sge", left, tile.lanes), lambda: put(None), lambda: put(f.first(left, tile.lanes)))

        def whole() -> None:
            f.loop(0, rows, 1, lambda row: [vector(row, v) for v in range(tile.vectors)] and None)

        def edge() -> None:
            here = f.div(f.add(columns, tile.lanes - 1), tile.lanes)
            first = f.const(0, "i64")
            if not self.accumulate and self.finish is None:
                first = self._overlapping(buffer, to, stride, rows, columns, here)
            f.loop(first, rows, 1, lambda row: f.loop(0, here, 1, lambda v: vector(row, v)) and None)

        f.if_(f.compare("sge", columns, tile.columns), whole, edge)

    def _overlapping(
        self, buffer: Value, to: Value, stride: Value, rows: Value, columns: Value, vectors: Value
    ) -> Value:
        """Store rows in whole vectors whose surplus falls on the next rows, which write over it.

        Faster than stores with a mask, and possible where rows of the same call follow, without a gap.

        Args:
            vectors: how many of them a row fills, the last one not wholly.

        Returns:
            The first row that is left.
        """
        f, tile = self.f, self.tile

        def rows_that_follow() -> Value:
            reach = f.mul(vectors, tile.lanes)
            touched = f.div(f.add(f.sub(reach, 1), columns), columns)  # rows, by the vectors of one
            left = f.intrinsic("smax", f.add(f.sub(rows, touched), 1), 0)

            def row(i: Value) -> None:
                sums = f.pointer(buffer, f.mul(i, tile.columns), tile.type)
                there = f.pointer(to, f.mul(i, stride))

                def vector(v: Value) -> None:
                    write(f, f.load(tile.vector, sums, f.mul(v, tile.lanes)), self.out, there, f.mul(v, tile.lanes))

                f.loop(0, vectors, 1, vector)

            f.loop(0, left, 1, row)
            return left

        dense = f.compare("eq", stride, f.mul(columns, size(self.out)))
        (first,) = f.if_(dense, rows_that_follow, lambda: f.const(0, "i64"))
        return first

    def turn(self, buffer: Value, to: Value, stride: Value, columns: Value, rows: Value) -> None:
        """The same, without an epilogue, where the sums wait transposed: ``tile.columns`` of a column, one a row.

        Squares of vectors are transposed in registers. Those that do not lie in C as a whole go back to where they lay,
        and are stored row by row; there must be room for whole squares.
        """
        f, tile, n = self.f, self.tile, self.tile.lanes

        def square(first: Value, v: Value) -> None:
            above = f.mul(v, n)
            start = f.pointer(buffer, f.add(f.mul(first, tile.columns), above), tile.type)
            last = f.sub(f.sub(columns, first), 1)
            sums = [f.load(tile.vector, start, f.mul(f.least(last, w), tile.columns)) for w in range(n)]
            corner = f.pointer(to, f.add(f.mul(above, stride), f.mul(first, size(self.out))))
            xs = transposed(f, sums)
            here, left = f.add(last, 1), f.least(f.sub(rows, above), n)

            def again() -> None:
                for w, x in enumerate(xs):
                    f.store(x, start, w * tile.columns)
                self._square(start, corner, stride, here, left)

            def at_once() -> None:
                at = corner
                for x in xs:
                    write(f, self._plus(x, at, 0, None), self.out, at)
                    at = f.pointer(at, stride)

            f.if_(f.and_(f.compare("sge", here, n), f.compare("sge", left, n)), at_once, again)

        parts = f.div(f.add(f.least(rows, tile.columns), n - 1), n)
        f.loop(0, parts, 1, lambda v: f.loop(0, columns, n, lambda first: square(first, v)) and None)

    def _square(self, start: Value, corner: Value, stride: Value, columns: Value, rows: Value) -> None:
        """Rows of one vector each, of which the first ``columns`` elements are stored."""
        f, tile = self.f, self.tile

        def row(w: Value) -> None:
            x = f.load(tile.vector, start, f.mul(w, tile.columns))
            there = f.pointer(corner, f.mul(w, stride))

            def put(mask: Value | None) -> None:
                write(f, self._plus(x, there, 0, mask), self.out, there, 0, mask)

            whole = f.compare("sge", columns, tile.lanes)
            f.if_(whole, lambda: put(None), lambda: put(f.first(columns, tile.lanes)))

        f.loop(0, rows, 1, row)


__all__ = ["NOTHING", "Ending", "Epilogue", "Finish", "Spot", "Writer"]

"""The source as points: for a block of tiles of 2x2 windows, 16 matrices [channel, tile].

The tiles of several images are numbered through all their rows without gaps, so that a block may be of any size and
what is multiplied has hardly an edge. Tiles are computed by vectors along a row; what a vector computes beyond the end
of the row is written over by the next row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from zerograd.engines.native.convolutions.winograd import transforms
from zerograd.engines.native.emit import Value, size
from zerograd.engines.native.kernel import KernelFunction
from zerograd.engines.native.products.numbers import read
from zerograd.engines.native.products.tile import Tile
from zerograd.frozen import Frozen

NUMBERS = (
    "channels",
    "tile_rows", "tile_columns",  # of an image
    "block_rows",  # rows of tiles in a block
    "x_image", "x_channel", "x_row",  # bytes
    "source_rows", "source_columns",  # of x
    "rows_before", "columns_before",  # zeros that stand there; less than 0: so many are left out
    "pitch", "slack",  # numbers in a row of a plane; numbers read behind its last row
    "v_pitch", "v_point",  # numbers from channel to channel; bytes from point to point
)  # fmt: skip


class Segment(Frozen):
    """The rows of tiles of a block that lie in one image.

    Attributes:
        image: counted from the block's first.
        low, high: rows of tiles in that image.
        tile: number of the first tile in the block.
        last: whether the block ends with it.
    """

    __slots__ = ("high", "image", "last", "low", "tile")

    def __init__(self, image: Value, low: Value, high: Value, tile: Value, last: Value) -> None:
        self.image, self.low, self.high, self.tile, self.last = image, low, high, tile, last


class Tiles:
    """Emits the transform of blocks of tiles.

    Args:
        n: values of NUMBERS.
        source: the type of the source.
        tile: of the product.
        plane: memory for a line of zeros and a plane; ``points``: for the results.
    """

    def __init__(
        self, f: KernelFunction, n: Mapping[str, Value], source: str, tile: Tile, plane: Value, points: Value
    ) -> None:  # fmt: skip
        self.f, self.n, self.source, self.tile, self.points = f, n, source, tile, points
        self.bytes = size(tile.type)
        self.zeros, self.plane = plane, f.pointer(plane, ZEROS)
        self.surround(f.const(0, tile.vector))
        self.left = f.intrinsic("smin", f.intrinsic("smax", n["columns_before"], 0), n["pitch"])
        right = f.least(f.add(n["source_columns"], n["columns_before"]), n["pitch"])
        self.count = f.intrinsic("smax", f.sub(right, self.left), 0)  # numbers of the source in a row of a plane
        self.first = f.mul(f.sub(self.left, n["columns_before"]), size(source))

    def surround(self, x: Value) -> None:
        """Let planes have this vector around the source from now on: at first they have zeros."""
        self.f.store(x, self.zeros)

    def segments(self, low: Value, high: Value, body: Callable[[Segment], None]) -> None:
        """For each image that rows ``low`` to ``high`` of tiles, counted through all images, touch."""
        f, rows = self.f, self.n["tile_rows"]

        def image(i: Value) -> None:
            start = f.mul(i, rows)
            first, end = f.intrinsic("smax", f.sub(low, start), 0), f.least(f.sub(high, start), rows)
            tile = f.mul(f.sub(f.add(start, first), low), self.n["tile_columns"])
            body(Segment(i, first, end, tile, f.compare("eq", f.add(start, end), high)))

        f.loop(f.div(low, rows), f.div(f.add(high, f.sub(rows, 1)), rows), 1, image)

    def lay(self, start: Value, segment: Segment, channel: Value) -> None:
        """The plane of a channel: what the segment's tiles read of it, with zeros around."""
        f, n = self.f, self.n
        at = f.add(f.mul(segment.image, n["x_image"]), f.mul(channel, n["x_channel"]))
        start = f.pointer(start, f.add(at, self.first))
        above = f.sub(f.shl(segment.low, 1), n["rows_before"])
        rows = f.add(f.shl(f.sub(segment.high, segment.low), 1), transforms.POINTS - transforms.WINDOWS)
        zero = f.operand(0, "i64")

        def row(j: Value) -> None:
            i = f.add(above, j)
            to = f.pointer(self.plane, f.mul(f.mul(j, n["pitch"]), self.bytes))
            inside = f.and_(f.compare("sge", i, 0), f.compare("slt", i, n["source_rows"]))

            def copy() -> None:
                self._zeros(to, zero, self.left)
                self._copy(f.pointer(start, f.mul(i, n["x_row"])), f.pointer(to, f.mul(self.left, self.bytes)))
                self._zeros(to, f.add(self.left, self.count), n["pitch"])

            f.if_(inside, copy, lambda: self._zeros(to, zero, n["pitch"]))

        f.loop(0, rows, 1, row)
        end = f.mul(rows, n["pitch"])
        self._zeros(self.plane, end, f.add(end, n["slack"]))

    def _zeros(self, to: Value, low: Value, high: Value) -> None:
        """Zeros (or see ``surround``), and up to a vector more, which is written again.

        They are loaded, because LLVM keeps a constant in a register that the products need.
        """
        f = self.f
        f.store(f.load(self.tile.vector, self.zeros), to, low)
        more = lambda i: f.store(f.load(self.tile.vector, self.zeros), to, i)  # noqa: E731
        f.loop(f.add(low, self.tile.lanes), high, self.tile.lanes, more)

    def _copy(self, source: Value, to: Value) -> None:
        """The numbers of a row, without masks for the same reason: the last vector overlaps the one before."""
        f, lanes, last = self.f, self.tile.lanes, self.f.sub(self.count, self.tile.lanes)

        def put(i: Value, count: int) -> None:
            f.store(read(f, self.source, self.tile.type, count, source, i), to, i)

        def vectors() -> None:
            f.loop(0, last, lanes, lambda i: put(i, lanes))
            put(last, lanes)

        wide = f.compare("sge", self.count, lanes)
        f.if_(wide, vectors, lambda: f.loop(0, self.count, 1, lambda i: put(i, 1)) and None)

    def transform(self, start: Value, low: Value, high: Value, padded: Value) -> None:
        """All channels. Behind the last tile, up to the ``padded``-th, stand points of what lies in the planes.

        Args:
            start: the first image's first channel.
        """
        f, n = self.f, self.n

        def channel(c: Value) -> None:
            to = f.pointer(self.points, f.mul(c, f.mul(n["v_pitch"], self.bytes)))

            def segment(one: Segment) -> None:
                self.lay(start, one, c)

                def row(r: Value) -> None:
                    inside = f.sub(r, one.low)
                    tile = f.add(one.tile, f.mul(inside, n["tile_columns"]))
                    ends = f.and_(one.last, f.compare("eq", f.add(r, 1), one.high))
                    count = f.select(ends, f.sub(padded, tile), n["tile_columns"])
                    self._row(f.mul(inside, f.shl(n["pitch"], 1)), f.pointer(to, f.mul(tile, self.bytes)), count)

                f.loop(one.low, one.high, 1, row)

            self.segments(low, high, segment)

        f.loop(0, n["channels"], 1, channel)

    def _row(self, offset: Value, to: Value, count: Value) -> None:
        """A row of tiles, whose first number lies at ``offset`` in the plane."""
        f, lanes, kind = self.f, self.tile.lanes, self.tile.vector
        pitch = f.mul(self.n["pitch"], self.bytes)
        heads = [f.pointer(self.plane, f.mul(offset, self.bytes))]
        for _ in range(transforms.POINTS - 1):
            heads.append(f.pointer(heads[-1], pitch))
        even, odd = range(0, 2 * lanes, 2), range(1, 2 * lanes, 2)

        def vector(j: Value) -> None:
            columns = [
                transforms.of_source(f, [f.load(kind, f.pointer(head, f.mul(j, 2 * self.bytes)), at) for head in heads])
                for at in (0, lanes, 2, lanes + 2)
            ]
            place = f.pointer(to, f.mul(j, self.bytes))
            for a, b, c, d in zip(*columns, strict=True):
                low, high = f.sub(a, c), f.sub(b, d)
                first, second = f.shuffle(a, b, odd), f.shuffle(c, d, even)
                last = f.shuffle(low, high, odd)
                for x in (f.shuffle(low, high, even), f.add(first, second), f.sub(second, first), last):
                    f.store(x, place)
                    place = f.pointer(place, self.n["v_point"])

        f.loop(0, count, lanes, vector)


ZEROS = 64  # bytes of a vector at least


def slack(tile: Tile) -> int:
    """Numbers behind a plane that are read: by tiles up to a whole panel, and the vector that is cut there."""
    return 2 * (tile.columns + tile.lanes) + transforms.POINTS


__all__ = ["NUMBERS", "ZEROS", "Segment", "Tiles", "slack"]

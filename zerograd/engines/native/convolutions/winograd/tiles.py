"""The source as points: for a block of tiles of 2x2 windows, 16 matrices [channel, tile].

The tiles of several images are numbered through all their rows without gaps, so that a block may be of any size and
what is multiplied has hardly an edge. Tiles are computed by vectors along a row; what a vector computes beyond the end
of the row is written over by the next row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from zerograd.engines.native.convolutions import planes
from zerograd.engines.native.convolutions.planes import Block, Planes
from zerograd.engines.native.convolutions.winograd import transforms
from zerograd.engines.native.emit import Value, size
from zerograd.engines.native.kernel import KernelFunction
from zerograd.engines.native.products.tile import Tile
from zerograd.frozen import Frozen

NUMBERS = (
    *planes.NUMBERS,  # of one channel's plane of a block
    "all_channels",
    "tile_rows", "tile_columns",  # of an image
    "block_rows",  # rows of tiles in a block
    "x_image",  # bytes
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
        plane: memory for a plane; ``points``: for the results.
    """

    def __init__(
        self, f: KernelFunction, n: Mapping[str, Value], source: str, tile: Tile, plane: Value, points: Value
    ) -> None:  # fmt: skip
        self.f, self.n, self.tile, self.plane, self.points = f, n, tile, plane, points
        self.bytes = size(tile.type)
        one = {**n, "channels": f.operand(1, "i64")}
        self.laying = Planes(f, one, source, tile.type, 1, tile.lanes)

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
        """The plane of a channel: what the segment's tiles read of it."""
        f, n = self.f, self.n
        at = f.add(f.mul(segment.image, n["x_image"]), f.mul(channel, n["x_channel"]))
        rows = f.shl(f.sub(segment.high, segment.low), 1)
        zero = f.operand(0, "i64")
        self.laying.lay(f.pointer(start, at), Block(zero, f.shl(segment.low, 1), zero, rows), self.plane)

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

        f.loop(0, n["all_channels"], 1, channel)

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


def slack(tile: Tile) -> int:
    """Numbers behind a plane that are read: by tiles up to a whole panel, and the vector that is cut there."""
    return 2 * (tile.columns + tile.lanes) + transforms.POINTS


__all__ = ["NUMBERS", "Segment", "Tiles", "slack"]

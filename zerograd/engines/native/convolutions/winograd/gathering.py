"""The parts of a gradient of weights added up in order, and their points as taps.

What is not finite spreads over all taps of its channels. So a channel whose taps are not all finite is computed again,
as a plain sum over windows, whose infinities and NaNs are those of the definition.
"""

from __future__ import annotations

from functools import cache

from zerograd.engines.native.convolutions.weight_gradient import write_by_feature
from zerograd.engines.native.convolutions.winograd import tiles, transforms
from zerograd.engines.native.convolutions.winograd.tiles import Segment, Tiles
from zerograd.engines.native.emit import Value, size
from zerograd.engines.native.kernel import Kernel, KernelFunction
from zerograd.engines.native.products.numbers import read
from zerograd.engines.native.products.tile import Tile

NUMBERS = (
    *tiles.NUMBERS,  # of the block's channels; the block's rows are those of one plane of the plain sum
    "images", "parts", "all_panels", "channel_blocks", "feature_blocks", "block_panels", "features",
    "x_group", "y_image", "y_feature", "y_row", "rows", "columns", "w_feature",
    "at_plane",  # where the plane begins in scratch memory, in bytes, behind the taps
)  # fmt: skip
ALL, TAPS = transforms.POINTS**2, transforms.TAPS**2


@cache
def gathering_kernel(tile: Tile, type: str) -> Kernel:
    """Reads parts, x, y; writes w. Units: panels of features of all parts' blocks.

    Args:
        type: of x, y and w.
    """
    return Kernel.described("winograd_taps", f"{tile!r} {type}", lambda: _Gathering(tile, type).text())


class _Gathering:
    """The kernel under construction. What its loops have fixed so far stands in its attributes."""

    part: Value  # the unit's panel in the first part
    x_start: Value  # of the block's first channel
    y_start: Value  # of the panel's first feature
    features: Value  # of the panel

    def __init__(self, tile: Tile, type: str) -> None:
        self.tile, self.type = tile, type
        self.f = f = KernelFunction()
        self.n = n = {word: f.number(8 + i) for i, word in enumerate(NUMBERS)}
        self.parts, self.x, self.y, self.w = (f.place(i) for i in range(4))
        self.bytes = size(tile.type)
        self.row_bytes = tile.columns * self.bytes
        self.taps = f.scratch
        plane = f.pointer(f.scratch, n["at_plane"])
        self.tiles = Tiles(f, n, type, tile, plane, plane)

    def text(self) -> str:
        self.f.loop(self.f.low, self.f.high, 1, self._unit)
        return self.f.finish()

    def _unit(self, u: Value) -> None:
        f, n, tile = self.f, self.n, self.tile
        self.part = f.pointer(self.parts, f.mul(u, f.mul(n["channels"], ALL * self.row_bytes)))
        v, panel = f.div(u, n["block_panels"]), f.rem(u, n["block_panels"])
        v, block = f.div(v, n["feature_blocks"]), f.rem(v, n["feature_blocks"])
        group, channels = f.div(v, n["channel_blocks"]), f.rem(v, n["channel_blocks"])
        first = f.mul(f.add(f.mul(block, n["block_panels"]), panel), tile.columns)
        row = f.add(f.mul(group, n["features"]), first)
        channel = f.mul(channels, n["channels"])
        self.x_start = f.pointer(self.x, f.add(f.mul(group, n["x_group"]), f.mul(channel, n["x_channel"])))
        self.y_start = f.pointer(self.y, f.mul(row, n["y_feature"]))
        self.features = f.least(f.sub(n["features"], first), tile.columns)
        f.loop(0, n["channels"], 1, self._channel)
        column = f.mul(channel, TAPS * size(self.type))
        to = f.pointer(self.w, f.add(f.mul(row, n["w_feature"]), column))

        def sums(k: Value, feature: int) -> Value:
            return f.load(tile.vector, f.pointer(self.taps, f.mul(k, self.row_bytes)), feature)

        depth = f.mul(n["channels"], TAPS)
        write_by_feature(f, tile, self.type, sums, depth, to, n["w_feature"], self.features)

    def _channel(self, c: Value) -> None:
        f, tile = self.f, self.tile
        to = f.pointer(self.taps, f.mul(c, TAPS * self.row_bytes))
        seen = f.const(0, tile.vector)
        for v in range(tile.vectors):
            points = self._points(c, v)
            square = [points[i : i + transforms.POINTS] for i in range(0, ALL, transforms.POINTS)]
            taps = [x for row in transforms.along_both(f, transforms.to_taps, square) for x in row]
            for k, x in enumerate(taps):
                f.store(x, to, k * tile.columns + v * tile.lanes)
                seen = f.muladd(x, 0.0, seen)  # NaN from the first number on that is not finite
        total = f.fold(f.add, seen)
        f.if_(f.compare("uno", total, total), lambda: self._again(c, to))

    def _points(self, c: Value, v: int) -> list[Value]:
        """A vector of features: the sums of all parts, in order."""
        f, n, tile = self.f, self.n, self.tile
        point = f.mul(n["channels"], self.row_bytes)
        pitch = f.mul(n["all_panels"], f.mul(point, ALL))
        start = f.pointer(self.part, f.mul(c, self.row_bytes))

        def load(at: Value) -> list[Value]:
            found = []
            for _ in range(ALL):
                found.append(f.load(tile.vector, at, v * tile.lanes))
                at = f.pointer(at, point)
            return found

        def add(i: Value, *sums: Value) -> list[Value]:
            return [f.add(x, y) for x, y in zip(sums, load(f.pointer(start, f.mul(i, pitch))), strict=True)]

        return f.loop(1, n["parts"], 1, add, load(start))

    # --- what is not finite --------------------------------------------------------------------------------------

    def _again(self, c: Value, to: Value) -> None:
        """A channel's taps as plain sums: short rather than fast."""
        f, n, tile = self.f, self.n, self.tile
        zero = f.const(0, tile.type)
        f.loop(0, TAPS * tile.columns, 1, lambda i: f.store(zero, to, i))

        def block(row: Value, image: Value) -> None:
            high = f.least(f.add(row, n["block_rows"]), n["tile_rows"])
            one = Segment(image, row, high, row, row)
            self.tiles.lay(self.x_start, one, c)
            f.loop(0, self.features, 1, lambda feature: self._sums(one, feature, f.pointer(to, feature, tile.type)))

        def of_image(image: Value) -> None:
            f.loop(0, n["tile_rows"], n["block_rows"], lambda row: block(row, image))

        f.loop(0, n["images"], 1, of_image)

    def _sums(self, one: Segment, feature: Value, to: Value) -> None:
        """What a segment adds to the taps of a feature."""
        f, n, tile = self.f, self.n, self.tile
        above = f.shl(one.low, 1)
        rows = f.sub(f.least(f.shl(one.high, 1), n["rows"]), above)
        at = f.add(f.mul(feature, n["y_feature"]), f.mul(one.image, n["y_image"]))
        y = f.pointer(self.y_start, f.add(at, f.mul(above, n["y_row"])))
        pitch = f.mul(n["pitch"], self.bytes)

        def row(r: Value, *sums: Value) -> list[Value]:
            heads = [f.pointer(self.tiles.plane, f.mul(f.add(r, i), pitch)) for i in range(transforms.TAPS)]
            source = f.pointer(y, f.mul(r, n["y_row"]))

            def vector(j: Value, *sums: Value) -> list[Value]:
                mask = f.first(f.sub(n["columns"], j), tile.lanes)
                other = read(f, self.type, tile.type, tile.lanes, source, j, mask)
                places = [f.pointer(head, f.add(j, i), tile.type) for head in heads for i in range(transforms.TAPS)]
                xs = [f.load(tile.vector, place, 0, mask) for place in places]
                return [tile.plus_product(f, x, other, total) for x, total in zip(xs, sums, strict=True)]

            return f.loop(0, n["columns"], tile.lanes, vector, sums)

        for k, x in enumerate(f.loop(0, rows, 1, row, [f.const(0, tile.vector)] * TAPS)):
            place = f.pointer(to, k * self.row_bytes)
            f.store(f.add(f.load(tile.type, place), f.fold(f.add, x)), place)


__all__ = ["NUMBERS", "gathering_kernel"]

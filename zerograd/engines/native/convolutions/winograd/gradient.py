"""The kernel of the gradient of 3x3 taps: for each of 16 points a product of matrices, summed over tiles.

    part[panel, point, channel, feature] = sum over tiles of x's points[channel, tile] * y's points[tile, feature]

    for images of a group (with channels and features of a block: a unit):
        for block of tiles:
            points of x, [channel, tile]
            for panel of features:
                y's windows are packed side by side, [window, feature], and become points, [tile, feature]
            for point:
                for panel of features:             it stays in the first cache
                    for panel of channels:         registers

The images are divided into groups whatever the threads; ``gathering`` adds the groups' parts up in order, and makes
taps of the points.
"""

from __future__ import annotations

from functools import cache

from zerograd.engines.native.convolutions.winograd import tiles, transforms
from zerograd.engines.native.convolutions.winograd.form import Form
from zerograd.engines.native.convolutions.winograd.tiles import Segment, Tiles
from zerograd.engines.native.emit import Operand, Value, size
from zerograd.engines.native.kernel import Kernel, KernelFunction
from zerograd.engines.native.products.packing import ALONG, Source, pack
from zerograd.engines.native.products.tile import Tile, multiply, one_below_another

NUMBERS = (
    *tiles.NUMBERS,  # of the block's channels
    "images", "image_groups", "groups", "channel_blocks", "feature_blocks",  # units are (image group, group, blocks)
    "x_group", "y_image", "y_feature", "y_row",  # bytes
    "rows", "columns",  # of y
    "features", "block_panels",  # in a group; panels of features in a block
    "large", "panels",  # of the block's channels, in so many panels, of which some have as many rows as the tile
    "y_point", "y_panel",  # bytes between y's points, and their panels
    "at_packed", "at_zeros", "at_v", "at_y",  # where the parts of scratch memory begin, in bytes, behind the plane
)  # fmt: skip
ALL = transforms.POINTS**2


@cache
def gradient_kernel(form: Form) -> Kernel:
    """Reads x, y; writes parts [unit, panel of features, point, channel, tile.columns]."""
    return Kernel.described("winograd_gradient", repr(form), lambda: _Gradient(form).text())


class _Gradient:
    """The kernel under construction. What its loops have fixed so far stands in its attributes."""

    x_start: Value  # the unit's first image and channel
    y_start: Value  # the unit's first image and feature
    target: Value  # the unit's part
    features: Value  # of the group, from the unit's first on
    low: Value  # rows of tiles
    high: Value
    count: Value  # of tiles

    def __init__(self, form: Form) -> None:
        self.form, self.tile = form, form.tile
        self.f = f = KernelFunction()
        self.n = n = {word: f.number(6 + i) for i, word in enumerate(NUMBERS)}
        self.bytes = size(self.tile.type)
        self.row_bytes = self.tile.columns * self.bytes
        self.x, self.y, self.out = (f.place(i) for i in range(3))
        parts = ("at_packed", "at_zeros", "at_v", "at_y")
        self.packed, self.zeros, self.v, self.points = (f.pointer(f.scratch, n[word]) for word in parts)
        self.tiles = Tiles(f, n, form.type, self.tile, f.scratch, self.v)

    def text(self) -> str:
        f, tile = self.f, self.tile
        for v in range(tile.vectors):
            f.store(f.const(0, tile.vector), self.zeros, v * tile.lanes)
        f.loop(f.low, f.high, 1, self._unit)
        return f.finish()

    def _unit(self, u: Value) -> None:
        f, n = self.f, self.n
        part = f.mul(f.mul(u, n["block_panels"]), f.mul(n["channels"], ALL * self.row_bytes))
        self.target = f.pointer(self.out, part)
        u, features = f.div(u, n["feature_blocks"]), f.rem(u, n["feature_blocks"])
        u, channels = f.div(u, n["channel_blocks"]), f.rem(u, n["channel_blocks"])
        u, group = f.div(u, n["groups"]), f.rem(u, n["groups"])
        low, high = (f.div(f.mul(one, n["images"]), n["image_groups"]) for one in (u, f.add(u, 1)))
        x = f.add(f.mul(group, n["x_group"]), f.mul(f.mul(channels, n["channels"]), n["x_channel"]))
        feature = f.mul(features, f.mul(n["block_panels"], self.tile.columns))
        y = f.mul(f.add(f.mul(group, n["features"]), feature), n["y_feature"])
        self.features = f.sub(n["features"], feature)
        self.x_start = f.pointer(self.x, f.add(x, f.mul(low, n["x_image"])))
        self.y_start = f.pointer(self.y, f.add(y, f.mul(low, n["y_image"])))
        sums = f.mul(f.mul(n["block_panels"], f.mul(n["channels"], ALL)), self.tile.columns)
        zero = lambda i: f.store(f.load(self.tile.vector, self.zeros), self.target, i)  # noqa: E731
        f.loop(0, sums, self.tile.lanes, zero)
        total = f.mul(f.sub(high, low), n["tile_rows"])
        f.loop(0, total, n["block_rows"], lambda row: self._block(row, total))

    def _block(self, row: Value, total: Value) -> None:
        f, n = self.f, self.n
        self.low, self.high = row, f.least(f.add(row, n["block_rows"]), total)
        self.count = f.mul(f.sub(self.high, row), n["tile_columns"])
        self.tiles.transform(self.x_start, self.low, self.high, self.count)
        f.loop(0, n["block_panels"], 1, self._features)
        f.loop(0, ALL, 1, lambda p: f.loop(0, n["block_panels"], 1, lambda panel: self._panel(p, panel)) and None)

    # --- y's points ----------------------------------------------------------------------------------------------

    def _features(self, panel: Value) -> None:
        """Those of a panel of features."""
        f, n = self.f, self.n
        first = f.mul(panel, self.tile.columns)
        count = f.least(f.sub(self.features, first), self.tile.columns)
        start = f.pointer(self.y_start, f.mul(first, n["y_feature"]))
        points = f.pointer(self.points, f.mul(panel, n["y_panel"]))

        def segment(one: Segment) -> None:
            above = f.shl(one.low, 1)
            rows = f.sub(f.least(f.shl(one.high, 1), n["rows"]), above)
            at = f.pointer(start, f.add(f.mul(one.image, n["y_image"]), f.mul(above, n["y_row"])))
            source = Source(self.form.type, ALONG, at, n["y_feature"], size(self.form.type))
            pack(f, self.tile, self.tile.columns, source, count, f.mul(rows, n["columns"]), self.packed)

            def row(r: Value) -> None:
                inside = f.sub(r, one.low)
                tile = f.add(one.tile, f.mul(inside, n["tile_columns"]))
                windows = f.pointer(self.packed, f.mul(f.mul(inside, f.shl(n["columns"], 1)), self.row_bytes))
                here = f.compare("slt", f.add(f.shl(r, 1), 1), n["rows"])
                self._row(windows, here, f.pointer(points, f.mul(tile, self.row_bytes)))

            f.loop(one.low, one.high, 1, row)

        self.tiles.segments(self.low, self.high, segment)

    def _row(self, windows: Value, below: Value, to: Value) -> None:
        """A row of tiles, of which the lower windows exist or not."""
        f, n, tile = self.f, self.n, self.tile
        pitch = f.mul(n["columns"], self.row_bytes)

        def one(j: Value) -> None:
            column = f.shl(j, 1)
            beside = f.compare("slt", f.add(column, 1), n["columns"])
            a = f.pointer(windows, f.mul(column, self.row_bytes))
            b, c = f.pointer(a, self.row_bytes), f.pointer(a, pitch)
            d = f.pointer(c, self.row_bytes)
            b, c = f.select(beside, b, self.zeros), f.select(below, c, self.zeros)
            d = f.select(f.and_(beside, below), d, self.zeros)
            for v in range(tile.vectors):
                xs = [[f.load(tile.vector, at, v * tile.lanes) for at in pair] for pair in ((a, b), (c, d))]
                place = f.pointer(to, f.mul(j, self.row_bytes))
                for points in transforms.along_both(f, transforms.of_windows, xs):
                    for x in points:
                        f.store(x, place, v * tile.lanes)
                        place = f.pointer(place, n["y_point"])

        f.loop(0, n["tile_columns"], 1, one)

    # --- products ------------------------------------------------------------------------------------------------

    def _panel(self, p: Value, panel: Value) -> None:
        f, n = self.f, self.n
        b = f.pointer(self.points, f.add(f.mul(p, n["y_point"]), f.mul(panel, n["y_panel"])))
        v = f.pointer(self.v, f.mul(p, n["v_point"]))
        before = f.mul(f.add(f.mul(panel, ALL), p), f.mul(n["channels"], self.row_bytes))
        target = f.pointer(self.target, before)
        large = n["large"] if self.form.small else n["panels"]
        self._tiles(self.tile, 0, large, v, b, target)
        if self.form.small:
            self._tiles(self.tile.of(self.tile.rows - 1), large, n["panels"], v, b, target)

    def _tiles(self, tile: Tile, low: Operand, high: Value, v: Value, b: Value, target: Value) -> None:
        f, n = self.f, self.n
        pitch = f.mul(n["v_pitch"], self.bytes)

        def one(panel: Value) -> None:
            channel = f.mul(panel, tile.rows)
            if tile is not self.tile:
                channel = f.add(channel, n["large"])
            rows = one_below_another(f, tile, f.pointer(v, f.mul(channel, pitch)), pitch)
            sums = multiply(f, tile, rows, b, self.row_bytes, self.count)
            to = f.pointer(target, f.mul(channel, self.row_bytes))
            for i, x in enumerate(sums):
                f.store(f.add(f.load(x.type, to, i * tile.lanes), x), to, i * tile.lanes)

        f.loop(low, high, 1, one)


__all__ = ["NUMBERS", "gradient_kernel"]

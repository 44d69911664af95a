"""The kernel of convolutions by 3x3 taps, forward and backward: 16 products of matrices for each block of tiles.

    for block of tiles of a few images (a unit):
        points of the source, 16 matrices [channel, tile]: they stay in the second cache
        for block of features:
            for point:
                for panel of tiles:                it stays in the first cache
                    for panel of features:         registers
            for feature: points -> windows -> y, row after row

What is not finite spreads over all windows of its tile. So the unit is computed again if a window of it is not finite:
as a plain sum over taps, whose infinities and NaNs are those of the definition.
"""

from __future__ import annotations

from functools import cache

from zerograd.engines.native.convolutions import around
from zerograd.engines.native.convolutions.winograd import tiles, transforms
from zerograd.engines.native.convolutions.winograd.form import Form
from zerograd.engines.native.convolutions.winograd.plain import Plain
from zerograd.engines.native.convolutions.winograd.run import Run
from zerograd.engines.native.convolutions.winograd.tiles import Segment, Tiles
from zerograd.engines.native.emit import Operand, Value, size
from zerograd.engines.native.kernel import Kernel, KernelFunction
from zerograd.engines.native.products.tile import Tile, multiply, side_by_side

NUMBERS = (
    *tiles.NUMBERS,
    "groups", "blocks", "together",  # units are (images together, group, block of rows of tiles)
    "x_group", "y_image", "y_group", "y_feature", "y_row",  # bytes
    "rows", "columns",  # of the target
    "features", "large", "panels", "block_panels",  # in a group; panels of features, of which some are large
    "m_point",  # bytes
    "at_lines", "at_v", "at_m",  # where the parts of scratch memory begin, in bytes; the first is the plane
    "w_group", "w_feature", "w_channel", "w_row", "w_column", "w_first",  # as in ``weights``
    "alone",  # as in ``stencil``
)  # fmt: skip
X, A, W, Y = range(4)  # the operands


@cache
def windows_kernel(form: Form) -> Kernel:
    """Reads x, the weights as points, the weights; writes y."""
    return Kernel.described("winograd", repr(form), lambda: _Windows(form).text())


class _Windows:
    """The kernel under construction. What its loops have fixed so far stands in its attributes."""

    x_start: Value  # the unit's first image and group
    y_start: Value
    w_start: Value
    a_start: Value
    low: Value  # rows of tiles
    high: Value
    padded: Value  # tiles, in whole panels
    feature: Value  # the first of the block

    def __init__(self, form: Form) -> None:
        self.form, self.tile = form, form.tile
        self.f = f = KernelFunction()
        self.n = n = {word: f.number(8 + i) for i, word in enumerate(NUMBERS)}
        self.bytes = size(self.tile.type)
        self.x, self.a, self.w, self.y = (f.place(i) for i in (X, A, W, Y))
        self.lines, self.v, self.m = (f.pointer(f.scratch, n[word]) for word in ("at_lines", "at_v", "at_m"))
        self.tiles = Tiles(f, n, form.type, self.tile, f.scratch, self.v)
        self.run = Run(f, self.tile, form.type)

    def text(self) -> str:
        self.f.loop(self.f.low, self.f.high, 1, self._unit)
        return self.f.finish()

    def _unit(self, u: Value) -> None:
        f, n = self.f, self.n
        u, block = f.div(u, n["blocks"]), f.rem(u, n["blocks"])
        image, group = f.mul(f.div(u, n["groups"]), n["together"]), f.rem(u, n["groups"])
        self.low = f.mul(block, n["block_rows"])
        self.high = f.least(f.add(self.low, n["block_rows"]), f.mul(n["together"], n["tile_rows"]))
        count, width = f.mul(f.sub(self.high, self.low), n["tile_columns"]), self.tile.columns
        self.padded = f.mul(f.div(f.add(count, width - 1), width), width)
        self.x_start = f.pointer(self.x, f.add(f.mul(image, n["x_image"]), f.mul(group, n["x_group"])))
        self.y_start = f.pointer(self.y, f.add(f.mul(image, n["y_image"]), f.mul(group, n["y_group"])))
        self.w_start = f.pointer(self.w, f.add(f.mul(group, n["w_group"]), n["w_first"]))
        self.a_panel = f.mul(n["channels"], self.tile.rows * self.bytes)
        self.a_point = f.mul(n["panels"], self.a_panel)
        self.a_start = f.pointer(self.a, f.mul(group, f.mul(self.a_point, transforms.POINTS**2)))
        self.tiles.transform(self.x_start, self.low, self.high, self.padded)
        self.run.begin()
        f.loop(0, n["panels"], n["block_panels"], self._features)
        f.if_(self.run.wrong(), self._again)

    # --- products ------------------------------------------------------------------------------------------------

    def _row_of(self, panel: Value) -> Value:
        """The first feature of a panel."""
        f = self.f
        return f.sub(f.mul(panel, self.tile.rows), f.intrinsic("smax", f.sub(panel, self.n["large"]), 0))

    def _features(self, panel: Value) -> None:
        """A block of features."""
        f, n = self.f, self.n
        end = f.least(f.add(panel, n["block_panels"]), n["panels"])
        self.feature = self._row_of(panel)
        f.loop(0, transforms.POINTS**2, 1, lambda p: self._point(p, panel, end))
        f.loop(self.feature, self._row_of(end), 1, self._feature)

    def _point(self, p: Value, first: Value, end: Value) -> None:
        f, n = self.f, self.n
        v = f.pointer(self.v, f.mul(p, n["v_point"]))
        m = f.pointer(self.m, f.mul(p, n["m_point"]))
        a = f.pointer(self.a_start, f.mul(p, self.a_point))
        large = n["large"] if self.form.small else n["panels"]

        def panel(t: Value) -> None:
            offset = f.mul(t, self.bytes)
            b, to = f.pointer(v, offset), f.pointer(m, offset)
            self._tiles(self.tile, first, f.least(end, large), a, b, to)
            if self.form.small:
                self._tiles(self.tile.of(self.tile.rows - 1), f.intrinsic("smax", first, large), end, a, b, to)

        f.loop(0, self.padded, self.tile.columns, panel)

    def _tiles(self, tile: Tile, low: Operand, high: Value, a: Value, b: Value, m: Value) -> None:
        f, n = self.f, self.n
        pitch = f.mul(n["v_pitch"], self.bytes)

        def one(panel: Value) -> None:
            rows = side_by_side(tile, f.pointer(a, f.mul(panel, self.a_panel)), tile.rows * self.bytes)
            sums = multiply(f, tile, rows, b, pitch, n["channels"])
            to = f.pointer(m, f.mul(f.sub(self._row_of(panel), self.feature), pitch))
            for row in range(tile.rows):
                for v in range(tile.vectors):
                    f.store(sums[row * tile.vectors + v], to, v * tile.lanes)
                to = f.pointer(to, pitch)

        f.loop(low, high, 1, one)

    # --- windows -------------------------------------------------------------------------------------------------

    def _feature(self, feature: Value) -> None:
        f, n = self.f, self.n
        pitch = f.mul(n["v_pitch"], self.bytes)
        m = f.pointer(self.m, f.mul(f.sub(feature, self.feature), pitch))

        def segment(one: Segment) -> None:
            def row(r: Value) -> None:
                inside = f.sub(r, one.low)
                tile = f.add(one.tile, f.mul(inside, n["tile_columns"]))
                to = f.mul(f.mul(inside, f.mul(n["columns"], 2)), self.bytes)
                self._row(f.pointer(m, f.mul(tile, self.bytes)), f.pointer(self.lines, to))

            f.loop(one.low, one.high, 1, row)
            first = f.shl(one.low, 1)
            rows = f.sub(f.least(f.shl(one.high, 1), n["rows"]), first)
            self.run.write(self.lines, self._target(one, feature, first), f.mul(rows, n["columns"]))

        self.tiles.segments(self.low, self.high, segment)

    def _target(self, segment: Segment, feature: Value, row: Value) -> Value:
        f, n = self.f, self.n
        at = f.add(f.mul(segment.image, n["y_image"]), f.mul(feature, n["y_feature"]))
        return f.pointer(self.y_start, f.add(at, f.mul(row, n["y_row"])))

    def _row(self, m: Value, to: Value) -> None:
        """The windows of a row of tiles: its last vector first, since the upper row reaches into the lower then."""
        f, n, lanes, kind = self.f, self.n, self.tile.lanes, self.tile.vector
        last = f.and_(f.sub(n["tile_columns"], 1), -lanes)
        below = f.mul(n["columns"], self.bytes)
        low, high = ([lanes * (i % 2) + (i + start) // 2 for i in range(lanes)] for start in (0, lanes))

        def vector(i: Value) -> None:
            j = f.sub(last, i)
            at = f.pointer(m, f.mul(j, self.bytes))
            points: list[list[Value]] = []
            for _ in range(transforms.POINTS):
                points.append([])
                for _ in range(transforms.POINTS):
                    points[-1].append(f.load(kind, at))
                    at = f.pointer(at, n["m_point"])
            place = f.pointer(to, f.mul(j, 2 * self.bytes))
            for x, y in transforms.along_both(f, transforms.to_windows, points):
                f.store(f.shuffle(x, y, low), place)
                f.store(f.shuffle(x, y, high), place, lanes)
                place = f.pointer(place, below)

        f.loop(0, f.add(last, 1), lanes, vector)

    # --- what is not finite --------------------------------------------------------------------------------------

    def _again(self) -> None:
        """The unit as plain sums."""
        f, n = self.f, self.n
        alone = f.compare("ne", n["alone"], 0)
        plain = Plain(f, n, self.tile, self.form.type, self.tiles, self.lines, alone)
        self.tiles.surround(
            f.select(alone, around.mark(f, self.tile.type, self.tile.lanes), f.const(0, self.tile.vector))
        )

        def feature(k: Value) -> None:
            def segment(one: Segment) -> None:
                plain.sums(self.x_start, one, f.pointer(self.w_start, f.mul(k, n["w_feature"])))
                first = f.shl(one.low, 1)
                rows = f.sub(f.least(f.shl(one.high, 1), n["rows"]), first)
                target = self._target(one, k, first)

                def row(r: Value) -> None:
                    source = f.pointer(self.lines, f.mul(f.mul(r, n["pitch"]), self.bytes))
                    self.run.write(source, f.pointer(target, f.mul(r, n["y_row"])), n["columns"])

                f.loop(0, rows, 1, row)

            self.tiles.segments(self.low, self.high, segment)

        f.loop(0, n["features"], 1, feature)
        self.tiles.surround(f.const(0, self.tile.vector))


__all__ = ["NUMBERS", "windows_kernel"]

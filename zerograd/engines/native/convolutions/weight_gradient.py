"""The kernel of ``conv_weight``: a product whose A is read through a table of taps, summed over positions.

    part[k, feature] = sum over images, t of planes[t + table[k]] * y[feature, t]        k: channel, tap

    for image of a group (with channels and features of a block: a unit):
        for block of positions:                 its planes are laid, or the source itself serves
            for a few rows of positions:
                for panel of features:          y's positions are packed side by side: [t, feature]
                    for panel of k:             registers

The images are divided into groups whatever the threads; ``gathering_kernel`` adds the groups' parts up in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zerograd.engines.native.convolutions import planes
from zerograd.engines.native.convolutions.planes import Block, Planes
from zerograd.engines.native.emit import Operand, Value, size, vector
from zerograd.engines.native.kernel import Kernel, KernelFunction
from zerograd.engines.native.products.numbers import read, write
from zerograd.engines.native.products.packing import ALONG, Source, pack, transposed
from zerograd.engines.native.products.tile import Tile
from zerograd.frozen import Frozen

NUMBERS = (
    *planes.NUMBERS,
    "images", "image_groups", "groups", "channel_blocks", "feature_blocks",  # units are (image group, group, blocks)
    "depths", "rows", "columns", "block_rows", "block_columns", "few_rows",  # positions, of a block, packed at a time
    "x_image", "x_group",  # strides in bytes
    "y_image", "y_feature", "y_depth", "y_row",
    "features", "block_panels",  # in a group; panels of features in a block
    "depth", "large", "panels",  # k of a block, in so many panels, of which some have as many rows as the tile
)  # fmt: skip
GATHERING_NUMBERS = ("parts", "panels", "channel_blocks", "block_panels", "features", "depth", "w_feature")


class Form(Frozen):
    """What the text of the kernel depends on.

    Attributes:
        tile: of the registers: k by features; its rows are those of large panels, small ones have one row less.
        small: whether there are small panels.
        x, y: types.
        plain: whether the source serves as planes.
        step: the source's stride along columns if it is 1 or 2, 0: any.
        lanes: of the vectors of positions that are multiplied where there are few features: the tile is one number
            wide then; 0: the vectors are features.
    """

    __slots__ = ("lanes", "plain", "small", "step", "tile", "x", "y")

    def __init__(self, tile: Tile, small: bool, x: str, y: str, plain: bool, step: int, lanes: int = 0) -> None:
        self.tile, self.small, self.x, self.y, self.plain, self.step = tile, small, x, y, plain, step
        self.lanes = lanes


def weight_gradient_kernel(form: Form) -> Kernel:
    """Reads x, y and the table of taps (i32 bytes); writes parts [unit, panel of features, k, tile.columns].

    Scratch: the packed positions (few_rows * block_columns * tile.columns numbers, in whole lines), then the planes.
    """
    return Kernel.described(
        "weight_gradient", repr(form), lambda: (_Dots if form.lanes else _WeightGradient)(form).text()
    )


class _WeightGradient:
    """The kernel under construction. What its loops have fixed so far stands in its attributes."""

    x_image: Value  # where the image's channels and features begin
    y_image: Value
    planes: Value  # of the block
    at: Value  # where the positions begin in them
    begins: Value  # whether the sums begin here
    rows: Value  # positions at a time
    columns: Value
    y_start: Value
    y_row: Value  # of the feature
    first_panel: Value  # of the unit's features
    target: Value  # the unit's part

    def __init__(self, form: Form) -> None:
        self.form, self.tile = form, form.tile
        self.f = f = KernelFunction()
        self.n = {word: f.number(8 + i) for i, word in enumerate(NUMBERS)}
        self.x, self.y, self.table, self.out = (f.place(i) for i in range(4))
        self.bytes = size(self.tile.type)
        self.laying = Planes(f, self.n, form.x, self.tile.type, form.step, form.lanes or self.tile.lanes)

    def text(self) -> str:
        f, n = self.f, self.n
        packed = f.mul(f.mul(n["few_rows"], n["block_columns"]), self.tile.columns * self.bytes)
        self.scratch_planes = f.pointer(f.scratch, f.and_(f.add(packed, 63), -64))
        f.loop(f.low, f.high, 1, self._unit)
        return f.finish()

    def _unit(self, u: Value) -> None:
        f, n = self.f, self.n
        part = f.mul(f.mul(u, n["block_panels"]), f.mul(n["depth"], self.tile.columns * self.bytes))
        self.target = f.pointer(self.out, part)
        u, features = f.div(u, n["feature_blocks"]), f.rem(u, n["feature_blocks"])
        u, channels = f.div(u, n["channel_blocks"]), f.rem(u, n["channel_blocks"])
        u, group = f.div(u, n["groups"]), f.rem(u, n["groups"])
        x = f.add(f.mul(group, n["x_group"]), f.mul(f.mul(channels, n["channels"]), n["x_channel"]))
        self.first_panel = f.mul(features, n["block_panels"])
        y = f.mul(f.mul(group, n["features"]), n["y_feature"])
        low, high = (f.div(f.mul(one, n["images"]), n["image_groups"]) for one in (u, f.add(u, 1)))

        def image(i: Value) -> None:
            self.x_image = f.pointer(self.x, f.add(x, f.mul(i, n["x_image"])))
            self.y_image = f.pointer(self.y, f.add(y, f.mul(i, n["y_image"])))
            first = f.compare("eq", i, low)
            f.loop(0, n["depths"], 1, lambda d: self._depth(d, f.and_(first, f.compare("eq", d, 0))))

        f.loop(low, high, 1, image)

    def _depth(self, d: Value, first: Value) -> None:
        f, n = self.f, self.n

        def rows(row: Value) -> None:
            def columns(column: Value) -> None:
                begins = f.and_(first, f.compare("eq", f.or_(row, column), 0))
                self._block(d, row, column, begins)

            f.loop(0, n["columns"], n["block_columns"], columns)

        f.loop(0, n["rows"], n["block_rows"], rows)

    def _block(self, d: Value, row: Value, column: Value, begins: Value) -> None:
        f, n = self.f, self.n
        if self.form.plain:
            offset = f.add(f.mul(f.mul(d, n["depth_step"]), n["x_depth"]), f.mul(row, n["x_row"]))
            self.planes = f.pointer(self.x_image, f.add(offset, f.mul(column, self.bytes)))
        else:
            self.planes = self.scratch_planes
            self.laying.lay(self.x_image, Block(d, row, column, n["block_rows"]), self.planes)
        count = f.least(n["block_rows"], f.sub(n["rows"], row))
        self.columns = f.least(n["block_columns"], f.sub(n["columns"], column))
        y = f.add(f.mul(d, n["y_depth"]), f.add(f.mul(row, n["y_row"]), f.mul(column, size(self.form.y))))

        def few(r: Value) -> None:
            self.rows = f.least(n["few_rows"], f.sub(count, r))
            self.begins = f.and_(begins, f.compare("eq", r, 0))
            self.y_start = f.pointer(self.y_image, f.add(y, f.mul(r, n["y_row"])))
            self.at = f.pointer(self.planes, f.mul(f.mul(r, n["pitch"]), self.bytes))
            f.loop(0, n["block_panels"], 1, self._panel)

        f.loop(0, count, n["few_rows"], few)

    def _panel(self, p: Value) -> None:
        """A panel of features."""
        f, n, tile = self.f, self.n, self.tile
        feature = f.mul(f.add(self.first_panel, p), tile.columns)
        start = f.pointer(self.y_start, f.mul(feature, n["y_feature"]))
        source = Source(self.form.y, ALONG, start, n["y_feature"], size(self.form.y))
        positions = f.mul(self.rows, self.columns)
        left = f.sub(n["features"], feature)
        pack(f, tile, tile.columns, source, f.least(left, tile.columns), positions, f.scratch)
        self._tiles(p)

    def _tiles(self, p: Value) -> None:
        """All k."""
        f, n, tile = self.f, self.n, self.tile
        target = f.pointer(self.target, f.mul(f.mul(p, n["depth"]), tile.columns * self.bytes))

        def tiles(tile: Tile, low: Operand, high: Value) -> None:
            def one(panel: Value) -> None:
                k = f.mul(panel, tile.rows)
                if tile is not self.tile:
                    k = f.add(k, n["large"])
                self._tile(tile, k, f.pointer(target, f.mul(k, tile.columns * self.bytes)))

            f.loop(low, high, 1, one)

        tiles(self.tile, 0, n["large"] if self.form.small else n["panels"])
        if self.form.small:
            tiles(tile.of(tile.rows - 1), n["large"], n["panels"])

    def _tile(self, tile: Tile, k: Value, target: Value) -> None:
        f, n = self.f, self.n
        table = f.pointer(self.table, k, "i32")
        heads = [f.pointer(self.at, f.convert(f.load("i32", table, row), "i64")) for row in range(tile.rows)]
        count = tile.rows * tile.vectors
        zeros = [f.const(0, tile.vector)] * count
        sums = f.if_(
            self.begins,
            lambda: zeros,
            lambda: [f.load(tile.vector, target, i * tile.lanes) for i in range(count)],
        )
        rows, columns = self._joined()
        pitch = f.mul(n["pitch"], self.bytes)

        def row(_: Value, b: Value, *state: Value) -> list[Value]:
            heads, sums = list(state[: tile.rows]), list(state[tile.rows :])
            b, *sums = self._row(tile, heads, b, columns, sums)
            return [b, *(f.pointer(head, pitch) for head in heads), *sums]

        sums = f.loop(0, rows, 1, row, [f.scratch, *heads, *sums])[1 + tile.rows :]
        for i, x in enumerate(sums):
            f.store(x, target, i * tile.lanes)

    def _joined(self) -> tuple[Value, Value]:
        """Rows that follow each other without a gap are one row."""
        f = self.f
        closed = f.compare("eq", self.n["pitch"], self.columns)
        return f.select(closed, 1, self.rows), f.select(closed, f.mul(self.rows, self.columns), self.columns)

    def _row(self, tile: Tile, heads: list[Value], b: Value, columns: Value, sums: list[Value]) -> list[Value]:
        """Neighbouring positions."""
        f, unroll = self.f, 4

        def several(count: int, t: Value, b: Value, *sums: Value) -> list[Value]:
            totals = list(sums)
            for i in range(count):
                vectors = [f.load(tile.vector, b, i * tile.columns + v * tile.lanes) for v in range(tile.vectors)]
                for row, head in enumerate(heads):
                    at = f.pointer(head, t, tile.type)
                    x = f.splat(f.load(tile.type, at, i), tile.lanes)
                    for v, y in enumerate(vectors):
                        place = row * tile.vectors + v
                        totals[place] = tile.plus_product(f, x, y, totals[place])
            return [f.pointer(b, count * tile.columns * self.bytes), *totals]

        whole = f.mul(f.div(columns, unroll), unroll)
        state = f.loop(0, whole, unroll, lambda t, *state: several(unroll, t, *state), [b, *sums])
        return f.loop(whole, columns, 1, lambda t, *state: several(1, t, *state), state)


class _Dots(_WeightGradient):
    """For few features: positions are multiplied as vectors, y where it lies."""

    def _panel(self, p: Value) -> None:
        """One feature."""
        f = self.f
        feature = f.add(self.first_panel, p)
        self.y_row = f.pointer(self.y_start, f.mul(feature, self.n["y_feature"]))
        self._tiles(p)

    def _tile(self, tile: Tile, k: Value, target: Value) -> None:
        f, n, lanes = self.f, self.n, self.form.lanes
        table = f.pointer(self.table, k, "i32")
        heads = [f.pointer(self.at, f.convert(f.load("i32", table, row), "i64")) for row in range(tile.rows)]
        rows, columns = self._joined()
        pitch = f.mul(n["pitch"], self.bytes)
        whole = f.mul(f.div(columns, lanes), lanes)
        mask = f.first(f.sub(columns, whole), lanes)
        type = vector(tile.type, lanes)

        def row(r: Value, *sums: Value) -> list[Value]:
            inside = f.mul(r, pitch)
            y = f.pointer(self.y_row, f.mul(r, n["y_row"]))

            def several(t: Value, mask: Value | None, sums: Sequence[Value]) -> list[Value]:
                other = read(f, self.form.y, tile.type, lanes, y, t, mask)
                at = f.add(inside, f.mul(t, self.bytes))
                xs = [f.load(type, f.pointer(head, at), 0, mask) for head in heads]
                return [tile.plus_product(f, x, other, one) for x, one in zip(xs, sums, strict=True)]

            sums = tuple(f.loop(0, whole, lanes, lambda t, *sums: several(t, None, sums), sums))
            some = f.compare("slt", whole, columns)
            return f.if_(some, lambda: several(whole, mask, sums), lambda: sums)

        for i, x in enumerate(f.loop(0, rows, 1, row, [f.const(0, type)] * tile.rows)):
            before = f.if_(self.begins, lambda: f.const(0, tile.type), lambda i=i: f.load(tile.type, target, i))[0]
            f.store(f.add(before, f.fold(f.add, x)), target, i)


def gathering_kernel(tile: Tile, out: str) -> Kernel:
    """Adds up parts [part, panel, k, tile.columns] in order, and writes them as weights [feature, k].

    Units: panels of a part, which are (group, block of channels, block of features, panel of the block).
    """
    return Kernel.described("gathering", f"{tile!r} {out}", lambda: _gathering(tile, out))


def _gathering(tile: Tile, out: str) -> str:
    f = KernelFunction()
    n = {word: f.number(4 + i) for i, word in enumerate(GATHERING_NUMBERS)}
    source, target = f.place(0), f.place(1)
    bytes = size(tile.type)
    panel_bytes = f.mul(n["depth"], tile.columns * bytes)
    part_bytes = f.mul(n["panels"], panel_bytes)
    feature_blocks = f.div(
        f.add(n["features"], f.sub(f.mul(n["block_panels"], tile.columns), 1)), f.mul(n["block_panels"], tile.columns)
    )

    def total(at: Value) -> Value:
        def one(i: Value, x: Value) -> Value:
            return f.add(x, f.load(tile.vector, f.pointer(at, f.mul(i, part_bytes))))

        (x,) = f.loop(1, n["parts"], 1, one, [f.load(tile.vector, at)])
        return x

    def unit(u: Value) -> None:
        at = f.pointer(source, f.mul(u, panel_bytes))
        v, panel = f.div(u, n["block_panels"]), f.rem(u, n["block_panels"])
        v, block = f.div(v, feature_blocks), f.rem(v, feature_blocks)
        group, channels = f.div(v, n["channel_blocks"]), f.rem(v, n["channel_blocks"])
        first = f.mul(f.add(f.mul(block, n["block_panels"]), panel), tile.columns)
        row = f.add(f.mul(group, n["features"]), first)
        column = f.mul(f.mul(channels, n["depth"]), size(out))
        to = f.pointer(target, f.add(f.mul(row, n["w_feature"]), column))
        features = f.least(f.sub(n["features"], first), tile.columns)

        def sums(k: Value, feature: int) -> Value:
            return total(f.pointer(at, f.add(f.mul(k, tile.columns), feature), tile.type))

        write_by_feature(f, tile, out, sums, n["depth"], to, n["w_feature"], features)

    f.loop(f.low, f.high, 1, unit)
    return f.finish()


def write_by_feature(
    f: KernelFunction, tile: Tile, out: str, sums: Callable[[Value, int], Value], depth: Value, to: Value,
    stride: Value, features: Value,
) -> None:  # fmt: skip
    """A panel of sums [k, tile.columns] written as rows [feature, k].

    Args:
        sums: gives a vector: of one k, from a feature on.
        to: the first feature's row; ``stride``: bytes from one to the next.
        features: how many there are.
    """
    lanes = tile.lanes

    def square(k: Value) -> None:
        left = f.sub(depth, k)
        mask = f.first(left, lanes)
        for v in range(tile.vectors):
            # rows behind the last k are read as the last, and not written
            ks = [f.least(f.add(k, i), f.sub(depth, 1)) for i in range(lanes)]
            xs = [sums(one, v * lanes) for one in ks]
            for i, x in enumerate(transposed(f, xs)):
                there = f.pointer(to, f.add(f.mul(stride, v * lanes + i), f.mul(k, size(out))))
                inside = f.compare("sgt", features, v * lanes + i)
                f.if_(inside, lambda x=x, there=there: put(x, there, left, mask))

    def put(x: Value, there: Value, left: Value, mask: Value) -> None:
        if lanes == 1:
            write(f, x, out, there)
            return
        whole = f.compare("sge", left, lanes)
        f.if_(whole, lambda: write(f, x, out, there), lambda: write(f, x, out, there, 0, mask))

    f.loop(0, depth, lanes, square)


__all__ = ["GATHERING_NUMBERS", "NUMBERS", "Form", "gathering_kernel", "weight_gradient_kernel", "write_by_feature"]

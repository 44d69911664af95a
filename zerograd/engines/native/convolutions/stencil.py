"""The kernel of convolutions forward and backward: a product whose B is read through a table of taps.

    y[feature, t] = sum over k of A[feature, k] * planes[t + table[k]]        k: channel, tap

    for block of positions (a unit):       its planes are laid, or the source itself serves
        for part:                          phases of the output, each with taps of its own
            for several panels of positions:
                for k in steps of DEPTH:
                    for panel of positions:    it stays in the first cache
                        for panel of A:        registers

Positions are counted through rows of the planes, so a panel may lie across the end of a row; what is computed for
positions between rows is dropped when the tile is written. Or (``aligned``) each row has panels of its own, of which
the last overlaps the one before. Or (``packed``) the positions of several images are counted without gaps, and what a
panel of them reads is copied together first: for small images and many features.

The sum of an element is taken over blocks of DEPTH, each a chain of its own, added in order, wherever the element lies
in its tile.
"""

from __future__ import annotations

from collections.abc import Mapping

from zerograd.engines.native.convolutions import around, planes
from zerograd.engines.native.convolutions.panels import Lines, pack_panel
from zerograd.engines.native.convolutions.planes import Block, Planes
from zerograd.engines.native.convolutions.writing import Place, Writer
from zerograd.engines.native.emit import Operand, Value, size
from zerograd.engines.native.kernel import Kernel, KernelFunction
from zerograd.engines.native.products.tile import Tile, multiply, side_by_side
from zerograd.frozen import Frozen

NUMBERS = (
    *planes.NUMBERS,
    "groups", "depths", "row_blocks", "column_blocks",  # units are (image, group, depth, block of rows, of columns)
    "first_row", "first_column", "block_rows", "block_columns",
    "x_image", "x_group",  # strides in bytes
    "y_image", "y_group", "y_feature", "y_depth", "y_row", "y_column",
    "features", "large", "panels",  # rows of A in a group; panels of so many rows as the tile has; all panels
    "a_group", "a_panel",  # bytes
    "parts", "block_depth", "block_panels",
    "together", "planes_image",  # images of a unit, bytes of the planes of each
    "aligned",  # whether rows of positions have panels of their own, where they are long enough
    "sum_panels",  # the sums of so many panels wait at a time: 0 where k is one block
    "alone",  # whether weights that are not finite meet the source alone, not what stands around it (see ``around``)
)  # fmt: skip
PART = ("low_row", "high_row", "low_column", "high_column", "y_offset", "depth", "first")
PART_PITCH = 8  # numbers in a record of the table of parts
X, A, TABLE, PARTS, Y = range(5)  # the operands


class Form(Frozen):
    """What the text of the kernel depends on.

    Attributes:
        tile: of the registers; its rows are those of large panels, small ones have one row less.
        small: whether there are small panels.
        x, y: types of source and target.
        plain: whether the source serves as planes.
        step: the source's stride along columns if it is 1 or 2, 0: any.
        dense: whether neighbouring positions are neighbours in the target.
        packed: whether panels are copied together; the positions must be the whole of a target.
    """

    __slots__ = ("dense", "packed", "plain", "small", "step", "tile", "x", "y")

    def __init__(
        self, tile: Tile, small: bool, x: str, y: str, plain: bool, step: int, dense: bool, packed: bool = False
    ) -> None:  # fmt: skip
        self.packed = packed
        self.tile, self.small, self.x, self.y = tile, small, x, y
        self.plain, self.step, self.dense = plain, step, dense


def stencil_kernel(form: Form) -> Kernel:
    """Reads x, packed A, the table of taps (i32 bytes), that of parts; writes y. Scratch: see ``scratch_bytes``."""
    return Kernel.described("stencil", repr(form), lambda: _Stencil(form).text())


def scratch_bytes(form: Form, numbers: Mapping[str, int], planes: int) -> int:
    """What a call needs: a tile, the sums of several panels, the planes."""
    tile = form.tile
    row = tile.columns * size(tile.type)
    sums = numbers["sum_panels"] * numbers["features"] * row
    laid = 0 if form.plain else planes * numbers["plane"] * numbers["together"]
    panel = numbers["block_depth"] * row if form.packed else 0
    return spare_bytes(tile) + _line(sums) + panel + laid + 64


def spare_bytes(tile: Tile) -> int:
    """Of a tile, of which vectors are read that begin anywhere in it."""
    return _line(tile.rows * tile.columns * size(tile.type) + tile.lanes * size(tile.type))


def _line(bytes: int) -> int:
    return -(-bytes // 64) * 64


class _Stencil:
    """The kernel under construction. What its loops have fixed so far stands in its attributes."""

    planes: Value  # of the block
    at: Value  # where the part's first position lies in them
    a_start: Value  # A of the group
    odd: Value  # whether what stands around the source must be left out
    place: Place  # of the part in y
    lines: Lines  # of the positions, where they are packed
    positions: Value  # of the part, through all its rows
    aligned: Value  # whether its rows have panels of their own, each ``of_row``
    of_row: Value
    panels: Value  # of the part
    part: dict[str, Value]
    first: Value  # panel of the block
    k: Value  # where the block of k begins, in the part
    shallow: Value  # how many k it has
    begins: Value  # whether it is the first, the last
    ends: Value

    def __init__(self, form: Form) -> None:
        self.form, self.tile = form, form.tile
        self.f = f = KernelFunction()
        self.n = n = {word: f.number(2 * (Y + 1) + i) for i, word in enumerate(NUMBERS)}
        self.x, self.a, self.table, self.parts, self.y = (f.place(i) for i in (X, A, TABLE, PARTS, Y))
        self.bytes = size(self.tile.type)
        self.row_bytes = self.tile.columns * self.bytes
        self.spare = f.scratch
        self.laying = Planes(f, n, form.x, self.tile.type, form.step, self.tile.lanes)
        self.writer = Writer(f, self.tile, form.y, form.dense, n["y_feature"], self.spare)

    def text(self) -> str:
        f = self.f
        f.loop(f.low, f.high, 1, self._unit)
        return f.finish()

    def _unit(self, u: Value) -> None:
        f, n = self.f, self.n
        u, column = f.div(u, n["column_blocks"]), f.rem(u, n["column_blocks"])
        u, row = f.div(u, n["row_blocks"]), f.rem(u, n["row_blocks"])
        u, depth = f.div(u, n["depths"]), f.rem(u, n["depths"])
        image, group = f.div(u, n["groups"]), f.rem(u, n["groups"])
        image = f.mul(image, n["together"])
        row = f.add(n["first_row"], f.mul(row, n["block_rows"]))
        column = f.add(n["first_column"], f.mul(column, n["block_columns"]))
        self.block = Block(depth, row, column, n["block_rows"])
        start = f.pointer(self.x, f.add(f.mul(image, n["x_image"]), f.mul(group, n["x_group"])))
        self.a_start = f.pointer(self.a, f.mul(group, n["a_group"]))
        if self.form.plain:
            offset = f.add(f.mul(f.mul(depth, n["depth_step"]), n["x_depth"]), f.mul(row, n["x_row"]))
            self.planes = f.pointer(start, f.add(offset, f.mul(column, self.bytes)))
        else:
            self.planes = f.pointer(f.scratch, self._before_planes())
            self._look_at_weights()
            f.loop(0, n["together"], 1, lambda i: self._lay(start, i))
        y = f.add(f.mul(image, n["y_image"]), f.add(f.mul(group, n["y_group"]), f.mul(depth, n["y_depth"])))
        f.loop(0, n["parts"], 1, lambda i: self._part(i, f.pointer(self.y, y)))

    def _look_at_weights(self) -> None:
        f, n, tile = self.f, self.n, self.tile
        note = f.pointer(self.a_start, f.sub(n["a_panel"], around.NOTE))
        count = f.mul(n["panels"], n["alone"])
        self.odd = around.noted(f, note, n["a_panel"], count, tile.type)
        self.laying.around = f.select(self.odd, around.mark(f, tile.type, tile.lanes), f.const(0, tile.vector))

    def _lay(self, start: Value, i: Value) -> None:
        """The planes of the unit's i-th image."""
        f, n = self.f, self.n
        at = f.pointer(self.planes, f.mul(i, n["planes_image"]))
        self.laying.lay(f.pointer(start, f.mul(i, n["x_image"])), self.block, at)

    def _before_panel(self) -> Value:
        """Bytes of scratch in front of the packed panel: a tile and the sums."""
        f, n = self.f, self.n
        sums = f.mul(f.mul(n["sum_panels"], n["features"]), self.row_bytes)
        return f.add(f.and_(f.add(sums, 63), -64), spare_bytes(self.tile))

    def _before_planes(self) -> Value:
        """Bytes of scratch in front of the planes: also the packed panel."""
        before = self._before_panel()
        return self.f.add(before, self.f.mul(self.n["block_depth"], self.row_bytes)) if self.form.packed else before

    def _part(self, i: Value, y: Value) -> None:
        f, n, block = self.f, self.n, self.block
        record = f.pointer(self.parts, f.mul(i, PART_PITCH * 8))
        part = self.part = {word: f.load("i64", record, j) for j, word in enumerate(PART)}
        low_row = f.intrinsic("smax", part["low_row"], block.row)
        high_row = f.least(part["high_row"], f.add(block.row, n["block_rows"]))
        low_column = f.intrinsic("smax", part["low_column"], block.column)
        high_column = f.least(part["high_column"], f.add(block.column, n["block_columns"]))
        rows, columns = f.sub(high_row, low_row), f.sub(high_column, low_column)
        inside = f.add(f.mul(f.sub(low_row, block.row), n["pitch"]), f.sub(low_column, block.column))
        self.at = f.pointer(self.planes, f.mul(inside, self.bytes))
        self.positions = f.add(f.mul(f.sub(rows, 1), n["pitch"]), columns)
        to = f.add(f.mul(low_row, n["y_row"]), f.mul(low_column, n["y_column"]))
        self.place = Place(
            f.pointer(y, f.add(to, part["y_offset"])), rows, columns, n["pitch"], n["y_row"], n["y_column"]
        )
        width = self.tile.columns
        if self.form.packed:
            self.lines = Lines(self.at, rows, columns, n["pitch"], n["planes_image"])
            whole = f.mul(rows, columns)
            self.positions = f.mul(n["together"], whole)
            self.place = Place(self.place.start, n["together"], whole, whole, n["y_image"], n["y_column"])
        self.aligned = f.and_(f.compare("ne", n["aligned"], 0), f.compare("sge", columns, width))
        self.of_row = f.div(f.add(columns, width - 1), width)
        through = f.div(f.add(self.positions, width - 1), width)
        self.panels = f.select(self.aligned, f.mul(rows, self.of_row), through)
        some = f.and_(f.compare("sgt", rows, 0), f.compare("sgt", columns, 0))
        f.if_(some, lambda: f.loop(0, self.panels, n["block_panels"], self._panels) and None)

    def _panels(self, first: Value) -> None:
        f, n = self.f, self.n
        self.first = first
        f.loop(0, f.intrinsic("smax", self.part["depth"], 1), n["block_depth"], self._depth)

    def _depth(self, k: Value) -> None:
        f, n = self.f, self.n
        self.k = k
        left = f.sub(self.part["depth"], k)
        self.shallow = f.least(left, n["block_depth"])
        self.begins, self.ends = f.compare("eq", k, 0), f.compare("sle", left, n["block_depth"])
        f.loop(self.first, f.least(f.add(self.first, n["block_panels"]), self.panels), 1, self._panel)

    def _position(self, panel: Value) -> Value:
        """Where a panel begins."""
        f, width, place = self.f, self.tile.columns, self.place
        row = f.div(panel, self.of_row)
        column = f.mul(f.sub(panel, f.mul(row, self.of_row)), width)
        in_row = f.add(f.mul(row, place.pitch), f.least(column, f.sub(place.columns, width)))
        through = f.mul(panel, width)
        if self.form.plain:  # nothing may be read behind the source
            through = f.least(through, f.sub(self.positions, width))
        return f.select(self.aligned, in_row, through)

    def _panel(self, panel: Value) -> None:
        f, n = self.f, self.n
        number = f.mul(f.sub(panel, self.first), n["features"])
        p = f.mul(panel, self.tile.columns) if self.form.packed else self._position(panel)
        b = self._packed(p) if self.form.packed else f.pointer(self.at, f.mul(p, self.bytes))
        spot = self.writer.spot(self.place, p)
        large = n["large"] if self.form.small else n["panels"]

        def tiles(tile: Tile, low: Operand, high: Value) -> None:
            def one(panel: Value) -> None:
                row = f.mul(panel, tile.rows)
                if tile is not self.tile:
                    row = f.add(row, n["large"])
                sums = self._sums(tile, panel, b)
                buffer = f.pointer(self.scratch_sums, f.mul(f.add(number, row), self.row_bytes))
                self._end(tile, sums, buffer, row, spot)

            f.loop(low, high, 1, one)

        tiles(self.tile, 0, large)
        if self.form.small:
            tiles(self.tile.of(self.tile.rows - 1), large, n["panels"])

    @property
    def scratch_sums(self) -> Value:
        return self.f.pointer(self.f.scratch, spare_bytes(self.tile))

    def _sums(self, tile: Tile, panel: Value, b: Value) -> list[Value]:
        f, n = self.f, self.n
        k = f.add(self.part["first"], self.k)
        offset = f.add(f.mul(panel, n["a_panel"]), f.mul(k, tile.rows * self.bytes))
        a = f.pointer(self.a_start, offset)
        table = f.pointer(self.table, k, "i32")

        def fast() -> list[Value]:
            if self.form.packed:
                return multiply(f, tile, side_by_side(tile, a, tile.rows * self.bytes), b, self.row_bytes, self.shallow)
            return through_table(f, tile, a, table, b, self.shallow)

        def there(k: Value) -> Value:
            return f.pointer(
                b, f.mul(k, self.row_bytes) if self.form.packed else f.convert(f.load("i32", table, k), "i64")
            )

        if self.form.plain:  # nothing stands around
            return fast()
        slow = lambda: around.multiply_inside(f, tile, a, there, self.shallow, self.spare)  # noqa: E731
        return f.if_(self.odd, slow, fast)

    def _packed(self, p: Value) -> Value:
        """A panel copied together."""
        f = self.f
        to = f.pointer(f.scratch, self._before_panel())
        table = f.pointer(self.table, f.add(self.part["first"], self.k), "i32")
        pack_panel(f, self.tile, self.lines, p, self.positions, table, self.shallow, to)
        return to

    def _end(self, tile: Tile, sums: list[Value], buffer: Value, row: Value, spot: tuple[Value, Value, Value]) -> None:
        """Partial sums wait in scratch memory, final ones go to y."""
        f, lanes = self.f, self.tile.lanes

        def added() -> list[Value]:
            return [f.add(f.load(x.type, buffer, i * lanes), x) for i, x in enumerate(sums)]

        sums = f.if_(self.begins, lambda: sums, added)

        def keep() -> None:
            for i, x in enumerate(sums):
                f.store(x, buffer, i * lanes)

        f.if_(self.ends, lambda: self.writer.write(tile, sums, self.place, spot, row), keep)


def through_table(
    f: KernelFunction, tile: Tile, a: Value, table: Value, b: Value, depth: Value, unroll: int = 4
) -> list[Value]:
    """The sums of a tile: A packed as [k][row], B's rows at distances that a table of i32 gives."""
    whole = f.mul(f.div(depth, unroll), unroll)
    state = [a, table, *[f.const(0, tile.vector)] * (tile.rows * tile.vectors)]
    step = tile.rows * size(tile.type)

    def several(count: int, a: Value, table: Value, *sums: Value) -> list[Value]:
        totals = list(sums)
        for k in range(count):
            there = f.pointer(b, f.convert(f.load("i32", table, k), "i64"))
            vectors = [f.load(tile.vector, there, v * tile.lanes) for v in range(tile.vectors)]
            for row in range(tile.rows):
                x = f.splat(f.load(tile.type, a, k * tile.rows + row), tile.lanes)
                for v, y in enumerate(vectors):
                    at = row * tile.vectors + v
                    totals[at] = tile.plus_product(f, x, y, totals[at])
        return [f.pointer(a, count * step), f.pointer(table, 4 * count), *totals]

    state = f.loop(0, whole, unroll, lambda _, *state: several(unroll, *state), state)
    state = f.loop(whole, depth, 1, lambda _, *state: several(1, *state), state)
    return state[2:]


__all__ = ["NUMBERS", "PART", "PART_PITCH", "Form", "scratch_bytes", "stencil_kernel", "through_table"]

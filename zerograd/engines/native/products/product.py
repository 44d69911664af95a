"""The kernel of C = A @ B: blocks for the caches around the tile that the registers hold.

    for item in batch:                     an item is one product
        for columns in steps of COLUMNS:       B's block may be packed here
            for rows in steps of ROWS:         the sums of this block stay in scratch memory while k runs
                for k in steps of DEPTH:
                    A's block is packed, or read where it lies: it stays in the second cache
                    for panel of B:            it stays in the first cache
                        for tile of rows:      registers

The sum of an element is taken over blocks of DEPTH, each a chain of its own, added in order. That order depends on the
instruction only, never on the rows or the threads.

The kernel may compute the transpose instead ("turned"): then its rows are C's columns, and C's rows, which are divided
among the threads, its columns. The tiles' sums wait in scratch memory, from where squares of them are transposed.
"""

from __future__ import annotations

from collections.abc import Mapping

from zerograd.engines.native.emit import Operand, Value, size
from zerograd.engines.native.kernel import Kernel, KernelFunction
from zerograd.engines.native.products.finish import NOTHING, Ending, Spot, Writer
from zerograd.engines.native.products.packing import ACROSS, ALONG, ANY, CHUNK, Source, pack
from zerograd.engines.native.products.tile import (
    FIRST,
    UNROLL,
    Ahead,
    Rows,
    Tile,
    clamped,
    multiply,
    one_below_another,
    prefetch,
    side_by_side,
)
from zerograd.frozen import Frozen

IN_PLACE, PACKED = "in place", "packed"
ACROSS_IN_PLACE = "across in place"
LINE = 64  # bytes
STAYING = (IN_PLACE, ACROSS_IN_PLACE)  # kinds of A that are read where they lie

NUMBERS = (
    "rows", "columns", "depth",  # of one item
    "whole_depth",  # of all items, where each takes a slice of k; else no less than depth * items
    "inner",  # items are (outer, inner); this is the length of inner
    "a_outer", "a_inner", "a_row", "a_k",  # strides in bytes
    "b_outer", "b_inner", "b_k", "b_column",
    "c_outer", "c_inner", "c_row",
    "block_rows", "block_depth", "block_panels",  # ROWS (a multiple of tile.rows), DEPTH, COLUMNS in panels
    "by_columns",  # 1: units are panels of columns instead of rows; if the kernel is turned, single columns
)  # fmt: skip


class Form(Frozen):
    """What the text of a product depends on.

    Attributes:
        tile: of the registers.
        a: A's type; ``b``: B's, as it is read here.
        out: C's type.
        a_kind: IN_PLACE (rows contiguous in k, read where they lie), ACROSS_IN_PLACE (the same of columns), or how
            the source of packing lies: ACROSS, ALONG, ANY.
        b_kind: PACKED (panels made before), IN_PLACE (rows contiguous in columns), or how the source of packing lies:
            ACROSS, ALONG, ANY.
        block: where B is packed here: whether all panels of a block of columns, else each block of k of a panel.
        turned: the transpose of C is computed.
        accumulate: C += A @ B.
        operands: how many the instruction has, at least 3: A, B, those of the epilogue, and C, the last.
    """

    __slots__ = ("a", "a_kind", "accumulate", "b", "b_kind", "block", "operands", "out", "tile", "turned")

    def __init__(
        self, tile: Tile, a: str, b: str, out: str, a_kind: str, b_kind: str, accumulate: bool = False,
        operands: int = 3, block: bool = False, turned: bool = False,
    ) -> None:  # fmt: skip
        self.block, self.turned = block, turned
        self.tile, self.a, self.b, self.out = tile, a, b, out
        self.a_kind, self.b_kind, self.accumulate, self.operands = a_kind, b_kind, accumulate, operands


def product_kernel(form: Form, ending: Ending = NOTHING) -> Kernel:
    """The kernel. Units: items * rows, or items * panels of columns (``by_columns``).

    Scratch: see ``scratch_bytes``. Depth 0 gives zeros.
    """
    return Kernel.described("product", f"{form!r} {ending.named}", lambda: _Product(form, ending).text())


def scratch_bytes(form: Form, numbers: Mapping[str, int]) -> int:
    """What a call needs: packed A, packed B, and the sums of a block: of one panel if k is not divided."""
    tile, bytes = form.tile, size(form.tile.type)
    panels, depth = -(-numbers["columns"] // tile.columns), numbers["depth"]
    shallow = min(numbers["block_depth"], depth)
    b = depth * min(numbers["block_panels"], panels) if form.block else 0 if form.b_kind == PACKED else shallow
    b *= tile.columns * bytes
    pitch = numbers["block_rows"] + tile.rows
    kept = 1 if depth <= numbers["block_depth"] else min(numbers["block_panels"], panels)
    sums = kept * pitch * tile.columns * bytes
    a = 0 if form.a_kind in STAYING else (numbers["block_rows"] * shallow + tile.lanes) * bytes
    return sum(_line(x) for x in (a, b, sums))


def _line(bytes: int) -> int:
    return -(-bytes // 64) * 64


class _Product:
    """The kernel under construction. What its loops have fixed so far stands in its attributes."""

    item_a: Value
    item_b: Value
    item_c: Value
    depth: Value  # of the item
    first_column: Value  # of the block of columns
    last_column: Value  # the first that is no part of it
    first_row: Value  # of the block of rows
    last_row: Value
    k: Value  # where the block of k begins
    shallow: Value  # how many k it has
    begins: Value  # whether it is the first, the last
    ends: Value
    kept: Value  # whether the sums of all panels wait for the next block of k
    column: Value  # of the panel: the first, and how many there are from it on
    columns_left: Value
    next_b: Value  # what the panel's tiles prefetch, if there is ``another``: the first line, and the next
    next_step: Value
    another: Value
    panel_sums: Value
    a_packed: Value  # parts of scratch memory
    b_packed: Value
    sums: Value

    def __init__(self, form: Form, ending: Ending) -> None:
        self.form, self.tile = form, form.tile
        self.f = f = KernelFunction()
        self.n = {word: f.number(2 * form.operands + i) for i, word in enumerate(NUMBERS)}
        self.a, self.b, self.c = f.place(0), f.place(1), f.place(form.operands - 1)
        self.bytes = size(self.tile.type)
        self.a_stays = form.a_kind in STAYING
        finish = ending.epilogue and ending.epilogue(f, 2 * form.operands + len(NUMBERS))
        self.writer = Writer(f, self.tile, form.out, form.accumulate, finish)

    def text(self) -> str:
        f, n, wide = self.f, self.n, self.tile.columns
        panels = f.div(f.add(n["columns"], wide - 1), wide)
        by_columns = f.compare("ne", n["by_columns"], 0)
        of_columns = n["columns"] if self.form.turned else panels
        units = f.intrinsic("smax", f.select(by_columns, of_columns, n["rows"]), 1)
        self._divide_scratch(panels)

        def item(i: Value) -> None:
            start = f.mul(i, units)
            low = f.intrinsic("smax", f.sub(f.low, start), 0)
            high = f.least(f.sub(f.high, start), units)
            rows = f.select(by_columns, 0, low), f.select(by_columns, n["rows"], high)
            of_unit = 1 if self.form.turned else wide
            first, last = f.mul(low, of_unit), f.least(f.mul(high, of_unit), n["columns"])
            columns = f.select(by_columns, first, 0), f.select(by_columns, last, n["columns"])
            self._item(i, rows, columns)

        f.loop(f.div(f.low, units), f.div(f.add(f.high, f.sub(units, 1)), units), 1, item)
        return f.finish()

    def _divide_scratch(self, panels: Value) -> None:
        """Scratch: packed A, then packed B, then the sums; see ``scratch_bytes``."""
        f, n, tile, form = self.f, self.n, self.tile, self.form
        shallow = f.least(n["block_depth"], n["depth"])
        self.a_packed = at = f.scratch
        if not self.a_stays:
            bytes = f.mul(f.add(f.mul(n["block_rows"], shallow), tile.lanes), self.bytes)
            at = f.pointer(at, self._line(bytes))
        self.b_packed = at
        if form.block:
            shallow = f.mul(n["depth"], f.least(n["block_panels"], panels))
        if form.b_kind != PACKED:
            at = f.pointer(at, self._line(f.mul(shallow, tile.columns * self.bytes)))
        self.sums = at
        self.kept = f.compare("sgt", n["depth"], n["block_depth"])

    def _line(self, bytes: Value) -> Value:
        return self.f.and_(self.f.add(bytes, 63), -64)

    def _item(self, i: Value, rows: tuple[Value, Value], columns: tuple[Value, Value]) -> None:
        f, n = self.f, self.n
        outer, inner = f.div(i, n["inner"]), f.rem(i, n["inner"])

        def start(base: Value, word: str) -> Value:
            offset = f.add(f.mul(outer, n[f"{word}_outer"]), f.mul(inner, n[f"{word}_inner"]))
            return f.pointer(base, offset)

        self.item_a, self.item_b, self.item_c = start(self.a, "a"), start(self.b, "b"), start(self.c, "c")
        self.depth = f.least(n["depth"], f.sub(n["whole_depth"], f.mul(i, n["depth"])))
        wide = self.tile.columns
        if self.form.b_kind == PACKED:
            panels = f.div(f.add(n["columns"], wide - 1), wide)
            self.item_b = f.pointer(self.b, f.mul(i, f.mul(f.mul(panels, n["depth"]), wide * self.bytes)))
        f.loop(*columns, f.mul(n["block_panels"], wide), lambda column: self._columns(column, rows, columns[1]))

    def _columns(self, column: Value, rows: tuple[Value, Value], end: Value) -> None:
        f, n, wide = self.f, self.n, self.tile.columns
        self.first_column = column
        self.last_column = f.least(f.add(column, f.mul(n["block_panels"], wide)), end)
        if self.form.block:
            f.loop(column, self.last_column, wide, self._pack_whole_panel)

        step = n["block_rows"] if self.form.turned else self._even(f.sub(rows[1], rows[0]))

        def block(r: Value) -> None:
            self.first_row, self.last_row = r, f.least(f.add(r, step), rows[1])
            f.loop(0, f.intrinsic("smax", self.depth, 1), n["block_depth"], self._depth)

        f.loop(*rows, step, block)

    def _even(self, rows: Value) -> Value:
        """The rows of a block, such that no block is much smaller than the others: each reads all of B."""
        f, most, tile = self.f, self.n["block_rows"], self.tile.rows
        blocks = f.intrinsic("smax", f.div(f.add(rows, f.sub(most, 1)), most), 1)
        each = f.div(f.add(rows, f.sub(blocks, 1)), blocks)
        return f.intrinsic("smax", f.mul(f.div(f.add(each, tile - 1), tile), tile), tile)

    def _pack_whole_panel(self, column: Value) -> None:
        f = self.f
        to = f.mul(f.mul(f.sub(column, self.first_column), self.n["depth"]), self.bytes)
        self._pack_b(column, f.const(0, "i64"), self.depth, f.pointer(self.b_packed, to))

    def _b_source(self, column: Value, k: Value) -> tuple[Source, Value]:
        """The panel that begins at ``column``, from ``k`` on, and how many columns there are."""
        f, n, form = self.f, self.n, self.form
        kind = ACROSS if form.b_kind == IN_PLACE else form.b_kind
        across: Operand = size(form.b) if kind == ACROSS else n["b_column"]
        along: Operand = size(form.b) if kind == ALONG else n["b_k"]
        start = f.pointer(f.pointer(self.item_b, f.mul(column, across)), f.mul(k, along))
        return Source(form.b, kind, start, across, along), f.sub(self.last_column, column)

    def _pack_b(self, column: Value, k: Value, depth: Value, to: Value) -> None:
        source, count = self._b_source(column, k)
        pack(self.f, self.tile, self.tile.columns, source, count, depth, to)

    def _depth(self, k: Value) -> None:
        f, n = self.f, self.n
        self.k = k
        self.shallow = f.least(f.sub(self.depth, k), n["block_depth"])
        self.begins = f.compare("eq", k, 0)
        self.ends = f.compare("sge", f.add(k, n["block_depth"]), self.depth)
        if not self.a_stays:
            deep = f.operand(CHUNK, "i64") if self.form.a_kind == ACROSS else f.intrinsic("smax", self.shallow, 1)
            f.loop(0, self.shallow, deep, lambda part: self._pack_some(part, f.least(deep, f.sub(self.shallow, part))))
        f.loop(self.first_column, self.last_column, self.tile.columns, self._panel)

    def _pack_some(self, part: Value, deep: Value) -> None:
        """Some k of all of A's block: its rows may be neighbours in memory, then they stay in reach of the cache."""
        self.f.loop(self.first_row, self.last_row, self.tile.rows, lambda row: self._pack_a(row, part, deep))

    def _pack_a(self, row: Value, part: Value, deep: Value) -> None:
        f, n, form = self.f, self.n, self.form
        across: Operand = size(form.a) if form.a_kind == ACROSS else n["a_row"]
        along: Operand = size(form.a) if form.a_kind == ALONG else n["a_k"]
        start = f.pointer(self.item_a, f.add(f.mul(row, across), f.mul(f.add(self.k, part), along)))
        source = Source(form.a, form.a_kind, start, across, along)
        to = f.pointer(self._a_panel(row), f.mul(part, self.tile.rows * self.bytes))
        pack(f, self.tile, self.tile.rows, source, f.sub(self.last_row, row), deep, to)

    def _a_panel(self, row: Value) -> Value:
        f = self.f
        return f.pointer(self.a_packed, f.mul(f.mul(f.sub(row, self.first_row), self.shallow), self.bytes))

    def _panel(self, column: Value) -> None:
        f, n, tile = self.f, self.n, self.tile
        self.column = column
        self.columns_left = f.sub(self.last_column, column)
        b, step = self._b_panel()
        pitch = f.add(n["block_rows"], tile.rows)  # a tile of few rows may reach beyond the block
        which = f.select(self.kept, f.sub(column, self.first_column), 0)
        self.panel_sums = f.pointer(self.sums, f.mul(f.mul(which, pitch), self.bytes))
        whole = f.sub(self.last_row, f.rem(f.sub(self.last_row, self.first_row), tile.rows))
        few = tile.of(max(tile.rows * 2 // 3, 1))
        if not self.a_stays:  # what is packed may be read beyond the last row
            more = f.compare("sgt", f.sub(self.last_row, whole), few.rows)
            full = f.select(more, f.add(whole, tile.rows), whole)
        else:
            full = whole
        f.loop(self.first_row, full, tile.rows, lambda row: self._tile(row, b, step))
        f.loop(full, self.last_row, few.rows, lambda row: self._tile(row, b, step, few))

        def rows() -> None:
            """What the tiles have not stored themselves."""
            if self.form.turned:
                self.writer.turn(
                    self.panel_sums, self._c(self.first_row, self.column), n["c_row"],
                    f.sub(self.last_row, self.first_row), self.columns_left,
                )  # fmt: skip
                return
            stored = f.compare("sge", self.columns_left, tile.columns)
            start = f.select(stored, whole, self.first_row)
            self.writer.rows(
                Spot(start, self.column), self._buffer(start), self._c(self.column, start), n["c_row"],
                f.sub(self.last_row, start), self.columns_left,
            )  # fmt: skip

        f.if_(self.ends, rows)

    def _buffer(self, row: Value) -> Value:
        """Where the sums of the panel's row wait."""
        f = self.f
        return f.pointer(self.panel_sums, f.mul(f.sub(row, self.first_row), self.tile.columns * self.bytes))

    def _c(self, column: Value, row: Value) -> Value:
        """The address of C[row, column]."""
        f = self.f
        return f.pointer(self.item_c, f.add(f.mul(row, self.n["c_row"]), f.mul(column, size(self.form.out))))

    def _b_panel(self) -> tuple[Value, Operand]:
        """Where the panel's block begins, and the bytes from one k to the next; says what comes after it."""
        f, n, form, width = self.f, self.n, self.form, self.tile.columns * self.bytes
        wide = self.tile.columns
        self.another = f.compare("sgt", self.columns_left, wide)
        self.next_step = f.operand(width, "i64")
        if form.block or form.b_kind == PACKED:
            base, column = (self.b_packed, self.first_column) if form.block else (self.item_b, 0)
            at = f.add(f.mul(f.sub(self.column, column), n["depth"]), f.mul(self.k, wide))
            here = f.pointer(base, f.mul(at, self.bytes))
            self.next_b = f.pointer(here, f.mul(n["depth"], width))
            return here, width
        source, _ = self._b_source(self.column, self.k)
        if source.kind == ACROSS:
            self.next_b, self.next_step = f.pointer(source.start, wide * size(form.b)), n["b_k"]
        else:
            self.next_b, self.another = source.start, f.const(0, "i1")

        def packed() -> list[Value]:
            self._pack_b(self.column, self.k, self.shallow, self.b_packed)
            return [self.b_packed, f.operand(width, "i64")]

        if form.b_kind != IN_PLACE:
            packed()
            return self.b_packed, width
        fits = f.compare("sge", self.columns_left, wide)
        here, step = f.if_(fits, lambda: [source.start, n["b_k"]], packed)
        return here, step

    def _rows(self, row: Value, few: Tile | None) -> Rows:
        f, n = self.f, self.n
        if not self.a_stays:
            return side_by_side(few or self.tile, self._a_panel(row), self.tile.rows * self.bytes)
        straight = self.form.a_kind == IN_PLACE
        stride: Operand = n["a_row"] if straight else self.bytes
        step: Operand = self.bytes if straight else n["a_k"]
        start = f.pointer(self.item_a, f.add(f.mul(row, stride), f.mul(self.k, step)))
        if few:
            return clamped(f, few, start, stride, step, f.sub(self.last_row, row))
        return one_below_another(f, self.tile, start, n["a_row"]) if straight else side_by_side(self.tile, start, step)

    def _tile(self, row: Value, b: Value, step: Operand, few: Tile | None = None) -> None:
        f = self.f
        tile = few or self.tile
        buffer, to = self._buffer(row), self._c(self.column, row)
        if not self.form.turned:
            self._fetch(tile, to, buffer)
        rows = self._rows(row, few)
        sums = multiply(f, tile, rows, b, step, self.shallow, ahead=self._ahead(row, rows, b, step))
        if few or self.form.turned:
            self.writer.keep(sums, buffer, self.begins)
            return
        left = f.sub(self.last_row, row)
        self.writer.write(
            tile, sums, buffer, to, self.n["c_row"], left, self.columns_left, self.begins, self.ends,
            Spot(row, self.column),
        )  # fmt: skip

    def _ahead(self, row: Value, rows: Rows, b: Value, step: Operand) -> list[Ahead]:
        """The first tiles of a panel ask for the next one, a part each; the tiles of the first panel for rows of A.

        Where there is nothing to ask for, it is for what the tile itself reads.
        """
        f, n = self.f, self.n
        part = f.div(f.sub(row, self.first_row), self.tile.rows)
        wanted = f.compare("slt", part, f.select(self.another, f.operand(UNROLL, "i64"), 0))
        skipped = f.mul(part, f.div(self.shallow, UNROLL))
        start = f.pointer(self.next_b, f.mul(skipped, self.next_step))
        found = [Ahead(f.select(wanted, start, b), self.next_step)]
        if self.form.a_kind == IN_PLACE:  # UNROLL k of all rows of the tile, if those lie close together
            lines = -(-self.tile.rows * UNROLL * self.bytes // LINE)
            following = f.compare("slt", f.add(row, self.tile.rows), self.last_row)
            dense = f.compare("eq", n["a_row"], f.mul(self.shallow, self.bytes))
            first = f.compare("eq", self.column, self.first_column)
            ahead = f.select(f.and_(f.and_(first, dense), following), f.mul(n["a_row"], self.tile.rows), 0)
            at = f.pointer(rows.heads[0], ahead)
            found += [Ahead(f.pointer(at, LINE * i), LINE * lines) for i in range(lines)]
        return found

    def _fetch(self, tile: Tile, to: Value, buffer: Value) -> None:
        """Ask early for the memory that the tile's end will touch: partial sums, or C."""
        f = self.f
        at = f.select(self.begins, to, buffer)
        step = f.select(self.begins, self.n["c_row"], self.tile.columns * self.bytes)
        for _ in range(tile.rows):
            prefetch(f, at, FIRST, writing=True)
            at = f.pointer(at, step)


__all__ = [
    "ACROSS",
    "ACROSS_IN_PLACE",
    "ALONG",
    "ANY",
    "IN_PLACE",
    "NUMBERS",
    "PACKED",
    "Form",
    "product_kernel",
    "scratch_bytes",
]

"""The kernel of C = A @ B: blocks for the caches around the tile that the registers hold.

    for item in batch:                     an item is one product
        for columns in steps of COLUMNS:
            for rows in steps of ROWS:         the sums of this block stay in scratch memory while k runs
                for k in steps of DEPTH:
                    A's block is packed, or read where it lies: it stays in the second cache
                    for panel of B:            it stays in the first cache
                        for tile of rows:      registers

The sum of an element is taken over blocks of DEPTH, each a chain of its own, added in order. That order depends on the
instruction only, never on the rows or the threads.
"""

from __future__ import annotations

from collections.abc import Mapping

from zerograd.engines.native.emit import Operand, Value, size
from zerograd.engines.native.kernel import Kernel, KernelFunction
from zerograd.engines.native.products.finish import Epilogue, Spot, Writer, described
from zerograd.engines.native.products.packing import ACROSS, ALONG, ANY, Source, pack
from zerograd.engines.native.products.tile import (
    Rows,
    Tile,
    clamped,
    multiply,
    one_below_another,
    side_by_side,
)
from zerograd.frozen import Frozen

IN_PLACE, PACKED = "in place", "packed"
ACROSS_IN_PLACE = "across in place"
STAYING = (IN_PLACE, ACROSS_IN_PLACE)  # kinds of A that are read where they lie

NUMBERS = (
    "rows", "columns", "depth",  # of one item
    "whole_depth",  # of all items, where each takes a slice of k; else no less than depth * items
    "inner",  # items are (outer, inner); this is the length of inner
    "a_outer", "a_inner", "a_row", "a_k",  # strides in bytes
    "b_outer", "b_inner", "b_k", "b_column",
    "c_outer", "c_inner", "c_row",
    "block_rows", "block_depth", "block_panels",  # ROWS (a multiple of tile.rows), DEPTH, COLUMNS in panels
    "by_columns",  # 1: units are panels of columns instead of rows
)  # fmt: skip


class Form(Frozen):
    """What the text of a product depends on.

    Attributes:
        tile: of the registers.
        a: A's type; ``b``: B's, as it is read here.
        out: C's type.
        a_kind: IN_PLACE (rows contiguous in k, read where they lie), ACROSS_IN_PLACE (the same of columns), or how
            the source of packing lies: ACROSS, ALONG, ANY.
        b_kind: PACKED (panels made before), IN_PLACE (rows contiguous in columns), or ALONG, ANY: packed here.
        accumulate: C += A @ B.
        operands: how many the instruction has, at least 3: A, B, those of the epilogue, and C, the last.
    """

    __slots__ = ("a", "a_kind", "accumulate", "b", "b_kind", "operands", "out", "tile")

    def __init__(
        self, tile: Tile, a: str, b: str, out: str, a_kind: str, b_kind: str, accumulate: bool = False,
        operands: int = 3,
    ) -> None:  # fmt: skip
        self.tile, self.a, self.b, self.out = tile, a, b, out
        self.a_kind, self.b_kind, self.accumulate, self.operands = a_kind, b_kind, accumulate, operands


def product_kernel(form: Form, epilogue: Epilogue | None = None, named: str | None = None) -> Kernel:
    """The kernel. Units: items * rows, or items * panels of columns (``by_columns``).

    Scratch: see ``scratch_bytes``. Depth 0 gives zeros.
    """
    return described("product", form, lambda: _Product(form, epilogue).text(), epilogue, named)


def scratch_bytes(form: Form, numbers: Mapping[str, int]) -> int:
    """What a call needs: packed A, packed B of an item, and the sums of a block: of one panel if k is not divided."""
    tile, bytes = form.tile, size(form.tile.type)
    panels, depth = -(-numbers["columns"] // tile.columns), numbers["depth"]
    shallow = min(numbers["block_depth"], depth)
    b = {PACKED: 0, IN_PLACE: shallow}.get(form.b_kind, depth * panels) * tile.columns * bytes
    pitch = numbers["block_rows"] + tile.rows
    kept = 1 if depth <= numbers["block_depth"] else min(numbers["block_panels"], panels)
    sums = kept * pitch * tile.columns * bytes
    a = 0 if form.a_kind in STAYING else (numbers["block_rows"] * shallow + tile.lanes) * bytes
    return sum(_line(x) for x in (a, b, sums))


def _line(bytes: int) -> int:
    return -(-bytes // 64) * 64


class _Product:
    """The kernel under construction. What its loops have fixed so far stands in its attributes."""

    panels: Value  # of the whole B
    item: Value
    item_a: Value
    item_b: Value
    item_c: Value
    depth: Value  # of the item
    first_panel: Value  # of the block of columns
    last_panel: Value
    first_row: Value  # of the block of rows
    last_row: Value
    k: Value  # where the block of k begins
    shallow: Value  # how many k it has
    begins: Value  # whether it is the first, the last
    ends: Value
    kept: Value  # whether the sums of all panels wait for the next block of k
    column: Value  # of the panel: the first, and how many there are from it on
    columns_left: Value
    panel_sums: Value
    a_packed: Value  # parts of scratch memory
    b_packed: Value
    sums: Value

    def __init__(self, form: Form, epilogue: Epilogue | None) -> None:
        self.form, self.tile = form, form.tile
        self.f = f = KernelFunction()
        self.n = {word: f.number(2 * form.operands + i) for i, word in enumerate(NUMBERS)}
        self.a, self.b, self.c = f.place(0), f.place(1), f.place(form.operands - 1)
        self.bytes = size(self.tile.type)
        self.a_stays = form.a_kind in STAYING
        self.writer = Writer(f, self.tile, form.out, form.accumulate, epilogue(f) if epilogue else None)

    def text(self) -> str:
        f, n = self.f, self.n
        columns = self.tile.columns
        self.panels = f.div(f.add(n["columns"], columns - 1), columns)
        by_columns = f.compare("ne", n["by_columns"], 0)
        units = f.intrinsic("smax", f.select(by_columns, self.panels, n["rows"]), 1)
        self._divide_scratch()

        def item(i: Value) -> None:
            start = f.mul(i, units)
            low = f.intrinsic("smax", f.sub(f.low, start), 0)
            high = f.least(f.sub(f.high, start), units)
            rows = f.select(by_columns, 0, low), f.select(by_columns, n["rows"], high)
            panels = f.select(by_columns, low, 0), f.select(by_columns, high, self.panels)
            self._item(i, rows, panels)

        f.loop(f.div(f.low, units), f.div(f.add(f.high, f.sub(units, 1)), units), 1, item)
        return f.finish()

    def _divide_scratch(self) -> None:
        """Scratch: packed A, then packed B, then the sums; see ``scratch_bytes``."""
        f, n, tile, form = self.f, self.n, self.tile, self.form
        shallow = f.least(n["block_depth"], n["depth"])
        self.a_packed = at = f.scratch
        if not self.a_stays:
            bytes = f.mul(f.add(f.mul(n["block_rows"], shallow), tile.lanes), self.bytes)
            at = f.pointer(at, self._line(bytes))
        self.b_packed = at
        bytes = f.mul({PACKED: f.operand(0, "i64"), IN_PLACE: shallow}.get(form.b_kind, f.mul(n["depth"], self.panels)),
                      tile.columns * self.bytes)  # fmt: skip
        self.sums = f.pointer(at, self._line(bytes))
        self.kept = f.compare("sgt", n["depth"], n["block_depth"])

    def _line(self, bytes: Value) -> Value:
        return self.f.and_(self.f.add(bytes, 63), -64)

    def _item(self, i: Value, rows: tuple[Value, Value], panels: tuple[Value, Value]) -> None:
        f, n = self.f, self.n
        outer, inner = f.div(i, n["inner"]), f.rem(i, n["inner"])

        def start(base: Value, word: str) -> Value:
            offset = f.add(f.mul(outer, n[f"{word}_outer"]), f.mul(inner, n[f"{word}_inner"]))
            return f.pointer(base, offset)

        self.item = i
        self.item_a, self.item_b, self.item_c = start(self.a, "a"), start(self.b, "b"), start(self.c, "c")
        self.depth = f.least(n["depth"], f.sub(n["whole_depth"], f.mul(i, n["depth"])))
        if self.form.b_kind == PACKED:
            bytes = f.mul(f.mul(self.panels, n["depth"]), self.tile.columns * self.bytes)
            self.item_b = f.pointer(self.b, f.mul(i, bytes))
        elif self.form.b_kind != IN_PLACE:
            f.loop(*panels, 1, self._pack_whole_panel)
            self.item_b = self.b_packed
        f.loop(*panels, n["block_panels"], lambda p: self._columns(p, rows, panels))

    def _pack_whole_panel(self, p: Value) -> None:
        f = self.f
        to = f.mul(f.mul(p, self.n["depth"]), self.tile.columns * self.bytes)
        self._pack_b(p, self.item_b, self.depth, f.pointer(self.b_packed, to))

    def _pack_b(self, p: Value, start: Value, depth: Value, to: Value) -> None:
        f, n, form = self.f, self.n, self.form
        column = f.mul(p, self.tile.columns)
        kind = ACROSS if form.b_kind == IN_PLACE else form.b_kind
        across: Operand = size(form.b) if kind == ACROSS else n["b_column"]
        along: Operand = size(form.b) if kind == ALONG else n["b_k"]
        source = Source(form.b, kind, f.pointer(start, f.mul(column, across)), across, along)
        pack(f, self.tile, self.tile.columns, source, f.sub(n["columns"], column), depth, to)

    def _columns(self, p: Value, rows: tuple[Value, Value], panels: tuple[Value, Value]) -> None:
        f, n = self.f, self.n
        self.first_panel = p
        self.last_panel = f.least(f.add(p, n["block_panels"]), panels[1])

        def block(r: Value) -> None:
            self.first_row, self.last_row = r, f.least(f.add(r, n["block_rows"]), rows[1])
            f.loop(0, f.intrinsic("smax", self.depth, 1), n["block_depth"], self._depth)

        f.loop(*rows, n["block_rows"], block)

    def _depth(self, k: Value) -> None:
        f, n = self.f, self.n
        self.k = k
        self.shallow = f.least(f.sub(self.depth, k), n["block_depth"])
        self.begins = f.compare("eq", k, 0)
        self.ends = f.compare("sge", f.add(k, n["block_depth"]), self.depth)
        if not self.a_stays:
            f.loop(self.first_row, self.last_row, self.tile.rows, self._pack_a)
        f.loop(self.first_panel, self.last_panel, 1, self._panel)

    def _pack_a(self, row: Value) -> None:
        f, n, form = self.f, self.n, self.form
        across: Operand = size(form.a) if form.a_kind == ACROSS else n["a_row"]
        along: Operand = size(form.a) if form.a_kind == ALONG else n["a_k"]
        start = f.pointer(self.item_a, f.add(f.mul(row, across), f.mul(self.k, along)))
        source = Source(form.a, form.a_kind, start, across, along)
        pack(f, self.tile, self.tile.rows, source, f.sub(self.last_row, row), self.shallow, self._a_panel(row))

    def _a_panel(self, row: Value) -> Value:
        f = self.f
        return f.pointer(self.a_packed, f.mul(f.mul(f.sub(row, self.first_row), self.shallow), self.bytes))

    def _panel(self, p: Value) -> None:
        f, n, tile = self.f, self.n, self.tile
        b, step = self._b_panel(p)
        self.column = f.mul(p, tile.columns)
        self.columns_left = f.sub(n["columns"], self.column)
        pitch = f.add(n["block_rows"], tile.rows)  # a tile of few rows may reach beyond the block
        which = f.select(self.kept, f.sub(p, self.first_panel), 0)
        self.panel_sums = f.pointer(self.sums, f.mul(f.mul(which, pitch), tile.columns * self.bytes))
        whole = f.sub(self.last_row, f.rem(f.sub(self.last_row, self.first_row), tile.rows))
        if not self.a_stays:
            f.loop(self.first_row, self.last_row, tile.rows, lambda row: self._tile(row, b, step))
        else:
            f.loop(self.first_row, whole, tile.rows, lambda row: self._tile(row, b, step))
            few = tile.of(max(tile.rows * 2 // 3, 1))
            f.loop(whole, self.last_row, few.rows, lambda row: self._tile(row, b, step, few))

        def rows() -> None:
            """What the tiles have not stored themselves."""
            stored = f.compare("sge", self.columns_left, tile.columns)
            start = self.first_row if self.writer.finish else f.select(stored, whole, self.first_row)
            self.writer.rows(
                Spot(self.item, start, self.column), self._buffer(start), self._c(start), n["c_row"],
                f.sub(self.last_row, start), self.columns_left,
            )  # fmt: skip

        f.if_(self.ends, rows)

    def _buffer(self, row: Value) -> Value:
        """Where the sums of the panel's row wait."""
        f = self.f
        return f.pointer(self.panel_sums, f.mul(f.sub(row, self.first_row), self.tile.columns * self.bytes))

    def _c(self, row: Value) -> Value:
        f = self.f
        offset = f.add(f.mul(row, self.n["c_row"]), f.mul(self.column, size(self.form.out)))
        return f.pointer(self.item_c, offset)

    def _b_panel(self, p: Value) -> tuple[Value, Operand]:
        """Where the panel's block begins, and the bytes from one k to the next."""
        f, n, width = self.f, self.n, self.tile.columns * self.bytes
        if self.form.b_kind != IN_PLACE:
            at = f.add(f.mul(p, n["depth"]), self.k)
            return f.pointer(self.item_b, f.mul(at, width)), width
        column = f.mul(p, self.tile.columns)
        start = f.pointer(self.item_b, f.mul(self.k, n["b_k"]))
        there = f.pointer(start, f.mul(column, self.bytes))

        def edge() -> list[Value]:
            self._pack_b(p, start, self.shallow, self.b_packed)
            return [self.b_packed, f.operand(width, "i64")]

        def inside() -> list[Value]:
            return [there, n["b_k"]]

        fits = f.compare("sge", f.sub(n["columns"], column), self.tile.columns)
        here, step = f.if_(fits, inside, edge)
        return here, step

    def _rows(self, row: Value, few: Tile | None) -> Rows:
        f, n = self.f, self.n
        if not self.a_stays:
            return side_by_side(self.tile, self._a_panel(row), self.tile.rows * self.bytes)
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
        buffer, to = self._buffer(row), self._c(row)
        self._fetch(tile, to, buffer)
        sums = multiply(f, tile, self._rows(row, few), b, step, self.shallow)
        if few:
            self.writer.keep(sums, buffer, self.begins)
            return
        rows = f.sub(self.last_row, row)
        self.writer.write(tile, sums, buffer, to, self.n["c_row"], rows, self.columns_left, self.begins, self.ends)

    def _fetch(self, tile: Tile, to: Value, buffer: Value) -> None:
        """Ask early for the memory that the tile's end will touch: partial sums, or C."""
        f = self.f
        at = f.select(self.begins, to, buffer)
        step = f.select(self.begins, self.n["c_row"], self.tile.columns * self.bytes)
        for _ in range(tile.rows):
            f.call("llvm.prefetch.p0", "void", at, *(Value(x, "i32") for x in ("1", "3", "1")))
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

"""What attention and its gradient share: a block of queries against the keys that they see.

    for item in batch:                        a head of a sequence
        keys are packed into panels
        for block of queries:                 in scratch memory:
            scores[query, key]                products, tile by tile
            rows                              a vector at a time: exponentials, sums
            further products

The scores of a block, all keys of it, lie in scratch memory; so the softmax is the exact one, with the maximum of the
row, and no sum is corrected later. Causal: tiles without a visible pair are left out, within a tile later keys count as
masked. Every product is one chain of multiply-adds with the summed index ascending, its length a matter of the place of
the tile, and blocks of queries begin at multiples of their length: no result depends on how units are divided.

Rows in scratch memory begin at odd multiples of a cache line, so that neighbours do not share places in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zerograd import dtypes
from zerograd.engines.native import conversion
from zerograd.engines.native.emit import Operand, Value, size
from zerograd.engines.native.kernel import KernelFunction
from zerograd.engines.native.products.numbers import read, write
from zerograd.engines.native.products.packing import ALONG, Source, pack
from zerograd.engines.native.products.tile import Rows, Tile, multiply, one_below_another
from zerograd.frozen import Frozen

SIZES = (
    "heads",  # items are (sequence, head); this is the number of heads
    "queries", "keys", "width", "value_width",  # L, S, E, Ev
    "block",  # queries in a block, a multiple of tile.rows
    "blocks",  # of an item
    "scale",  # a double's bits
)  # fmt: skip
# Then for each operand and result three strides in bytes: of sequences, heads, rows; and for each area of scratch
# memory where it begins and, if it consists of rows, bytes from a row to the next.


class Form(Frozen):
    """What the text of a kernel depends on.

    Attributes:
        tile: of the registers.
        type: of the numbers in memory; ``statistics``: of the statistics.
        mask: its type in memory, "bool" or one of floats; None: there is none.
        causal: query i sees the keys up to i.
    """

    __slots__ = ("causal", "mask", "statistics", "tile", "type")

    def __init__(self, tile: Tile, type: str, mask: str | None, causal: bool) -> None:
        self.tile, self.type, self.mask, self.causal = tile, type, mask, causal
        self.statistics = tile.type


class Block(KernelFunction):
    """A kernel under construction. What its loops have fixed so far stands in its attributes.

    Attributes:
        operands: for each name where its data begins and its strides (sequence, head, row).
        here: the same for the item: where it begins, and the stride of rows.
    """

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    panels: dict[str, str]  # areas of panels, and the operand that they hold
    rows: dict[str, str]  # areas of rows, and which size they are wide

    origin: Value  # the first query of the block
    count: Value  # of its queries
    seen: Value  # keys that its last query sees

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form, self.tile = form, form.tile
        self.bytes = size(form.tile.type)
        reads = (*self.reads, *(["mask"] if form.mask else []))
        names = (*reads, *self.writes)
        at = 2 * len(names)
        self.n = {word: self.number(at + i) for i, word in enumerate(SIZES)}
        at += len(SIZES)
        self.operands: dict[str, tuple[Value, tuple[Value, ...]]] = {}
        for i, name in enumerate(names):
            self.operands[name] = self.place(i), tuple([self.number(at + k) for k in range(3)])
            at += 3
        self.areas: dict[str, Value] = {}
        self.pitch: dict[str, Value] = {}
        for name in (*self.panels, *self.rows):
            self.areas[name] = self.pointer(self.scratch, self.number(at))
            if name in self.rows:
                self.pitch[name] = self.number(at + 1)
            at += 2
        self.scale = self.convert(self.bitcast(self.n["scale"], "double"), form.tile.type)
        self.here: dict[str, tuple[Value, Value]] = {}

    # --- loops -------------------------------------------------------------------------------------------------

    def text(self) -> str:
        """The whole kernel; a unit is a block of queries."""
        blocks = self.n["blocks"]

        def item(i: Value) -> None:
            self._find(i)
            start = self.mul(i, blocks)
            low = self.intrinsic("smax", self.sub(self.low, start), 0)
            high = self.least(self.sub(self.high, start), blocks)
            last = self.least(self.mul(high, self.n["block"]), self.n["queries"])
            self.prepare(self.visible(last))
            self.loop(low, high, 1, self._block)
            self.conclude()

        self.loop(self.div(self.low, blocks), self.div(self.add(self.high, self.sub(blocks, 1)), blocks), 1, item)
        return self.finish()

    def _find(self, item: Value) -> None:
        outer, inner = self.div(item, self.n["heads"]), self.rem(item, self.n["heads"])
        for name, (place, (sequence, head, row)) in self.operands.items():
            offset = self.add(self.mul(outer, sequence), self.mul(inner, head))
            self.here[name] = self.pointer(place, offset), row

    def _block(self, number: Value) -> None:
        self.origin = self.mul(number, self.n["block"])
        self.count = self.least(self.n["block"], self.sub(self.n["queries"], self.origin))
        self.seen = self.visible(self.add(self.origin, self.count))
        self.attend()

    def prepare(self, keys: Value) -> None:
        """Before the blocks of an item, the last of which sees so many keys."""
        raise NotImplementedError

    def attend(self) -> None:
        """A block of queries."""
        raise NotImplementedError

    def conclude(self) -> None:
        """After the blocks of an item."""

    def visible(self, queries: Value) -> Value:
        """How many keys the first so many queries see."""
        return self.least(self.n["keys"], queries) if self.form.causal else self.n["keys"]

    # --- scratch memory ------------------------------------------------------------------------------------------

    def up(self, x: Value, step: int) -> Value:
        """The next multiple."""
        return self.mul(self.div(self.add(x, step - 1), step), step)

    def row_of(self, name: str, row: Operand) -> Value:
        """Where a row of an operand (of this item) or of an area begins."""
        place, stride = self.here[name] if name in self.here else (self.areas[name], self.pitch[name])
        return self.pointer(place, self.mul(self.operand(row, "i64"), stride))

    def pack(self, area: str, keys: Value) -> None:
        """An operand's first rows as panels: [panel, column, key of the panel]."""
        name = self.panels[area]
        place, stride = self.here[name]
        depth = self.n[self.wide(name)]
        wide = self.tile.columns

        def panel(key: Value) -> None:
            source = Source(self.form.type, ALONG, self.row_of(name, key), stride, size(self.form.type))
            pack(self, self.tile, wide, source, self.sub(keys, key), depth, self.panel(area, key))

        self.loop(0, keys, wide, panel)

    def wide(self, name: str) -> str:
        """How many columns an operand has."""
        return "width" if name in ("q", "k", "d_q", "d_k") else "value_width"

    def panel(self, area: str, key: Value) -> Value:
        """Where the panel that begins with this key lies."""
        depth = self.n[self.wide(self.panels[area])]
        return self.pointer(self.areas[area], self.mul(self.mul(key, depth), self.bytes))

    def copy(self, area: str, name: str, first: Operand, count: Value, padded: Value) -> None:
        """Rows of an operand into an area; zeros beyond its columns, and beyond ``count``, up to whole tiles."""
        tile, wide = self.tile, self.n[self.rows[area]]
        whole = self.and_(wide, -tile.lanes)
        mask = self.first_lanes(self.sub(wide, whole))
        some = self.compare("slt", whole, wide)
        end = self.up(wide, tile.columns)
        zero = self.const(0, tile.vector)

        def row(r: Value) -> None:
            at, to = self.row_of(name, self.add(self.operand(first, "i64"), r)), self.row_of(area, r)

            def vector(j: Value, mask: Value | None = None) -> None:
                self.store(read(self, self.form.type, tile.type, tile.lanes, at, j, mask), self._at(to, j))

            self.loop(0, whole, tile.lanes, vector)
            self.if_(some, lambda: vector(whole, mask))
            self.loop(self.up(wide, tile.lanes), end, tile.lanes, lambda j: self.store(zero, self._at(to, j)))

        def nothing(r: Value) -> None:
            to = self.row_of(area, r)
            self.loop(0, end, tile.lanes, lambda j: self.store(zero, self._at(to, j)))

        self.loop(0, count, 1, row)
        self.loop(count, padded, 1, nothing)

    def _at(self, row: Value, column: Operand) -> Value:
        return self.pointer(row, column, self.tile.type)

    def first_lanes(self, count: Value) -> Value:
        return self.first(count, self.tile.lanes)

    # --- products --------------------------------------------------------------------------------------------------

    def scores(self, to: str, left: str, right: str) -> None:
        """The area ``to`` [query, key] = left [query, column] @ panels of right, as far as queries see keys."""
        tile, depth = self.tile, self.n[self.rows[left]]

        def panel(key: Value) -> None:
            b = self.panel(right, key)
            start = self.operand(0, "i64")
            if self.form.causal:  # the first tile whose last query sees the panel's first key
                before = self.intrinsic("smax", self.sub(key, self.origin), 0)
                start = self.mul(self.div(before, tile.rows), tile.rows)

            def rows(r: Value) -> None:
                sums = multiply(self, tile, self.below(left, r), b, tile.columns * self.bytes, depth)
                self.keep(sums, self._at(self.row_of(to, r), key), self.pitch[to])

            self.loop(start, self.count, tile.rows, rows)

        self.loop(0, self.seen, tile.columns, panel)

    def below(self, area: str, row: Operand) -> Rows:
        """The rows of an area, from one on, as the left side of a product."""
        return one_below_another(self, self.tile, self.row_of(area, row), self.pitch[area])

    def keep(self, sums: Sequence[Value], to: Value, pitch: Operand) -> None:
        """The sums of a tile into an area."""
        for place, x in zip(self._places(to, pitch), sums, strict=True):
            self.store(x, place)

    def add_to(self, sums: Sequence[Value], to: Value, pitch: Operand) -> None:
        """The sums of a tile added to what is in an area."""
        for place, x in zip(self._places(to, pitch), sums, strict=True):
            self.store(self.add(self.load(self.tile.vector, place), x), place)

    def _places(self, to: Value, pitch: Operand) -> list[Value]:
        rows = [self.pointer(to, self.mul(self.operand(pitch, "i64"), row)) for row in range(self.tile.rows)]
        return [self.pointer(at, v * self.tile.lanes * self.bytes) for at in rows for v in range(self.tile.vectors)]

    def product(self, name: str, left: str, right: str) -> None:
        """A result's rows of this block = left [query, key] @ rows of right [key, column]."""
        tile, wide = self.tile, self.n[self.rows[right]]

        def panel(column: Value) -> None:
            b = self._at(self.areas[right], column)

            def rows(r: Value) -> None:
                depth = self.visible(self.add(self.add(self.origin, r), tile.rows))
                sums = multiply(self, tile, self.below(left, r), b, self.pitch[right], depth)
                self.put(sums, name, self.add(self.origin, r), self.sub(self.count, r), column, wide)

            self.loop(0, self.count, tile.rows, rows)

        self.loop(0, wide, tile.columns, panel)

    def put(self, sums: Sequence[Value], name: str, row: Value, rows: Value, column: Value, wide: Value) -> None:
        """The sums of a tile into a result, of which so many rows and columns are left."""
        tile = self.tile
        buffer = self.areas["tile"]
        left = self.sub(wide, column)

        def inside() -> None:
            for r in range(tile.rows):
                to = self.row_of(name, self.add(row, r))
                for v in range(tile.vectors):
                    x = sums[r * tile.vectors + v]
                    write(self, x, self.form.type, to, self.add(column, v * tile.lanes))

        def edge() -> None:
            self.keep(sums, buffer, tile.columns * self.bytes)
            self.rows_out(name, buffer, tile.columns * self.bytes, row, self.least(rows, tile.rows), column, left)

        whole = self.and_(self.compare("sge", rows, tile.rows), self.compare("sge", left, tile.columns))
        self.if_(whole, inside, edge)

    def rows_out(
        self, name: str, source: Value, pitch: Operand, row: Operand, rows: Value, column: Operand, left: Value
    ) -> None:
        """Rows of scratch memory into a result: at most ``left`` columns of at most a panel."""
        tile = self.tile
        masks = [self.first_lanes(self.sub(left, v * tile.lanes)) for v in range(tile.vectors)]

        def one(r: Value) -> None:
            at = self.pointer(source, self.mul(r, pitch))
            to = self.row_of(name, self.add(self.operand(row, "i64"), r))
            for v, mask in enumerate(masks):
                x = self.load(tile.vector, at, v * tile.lanes)
                there = self.add(self.operand(column, "i64"), v * tile.lanes)
                write(self, x, self.form.type, to, there, mask)

        self.loop(0, rows, 1, one)

    # --- rows ------------------------------------------------------------------------------------------------------

    def along(
        self, row: Value, body: Callable[..., Sequence[Value] | Value | None], carried: Sequence[Value] = ()
    ) -> list[Value]:
        """``body(column, which lanes it sees, *carried)`` for each vector of a query's scores that has keys it sees."""
        tile = self.tile
        seen = self.visible(self.add(self.add(self.origin, row), 1))
        whole = self.and_(seen, -tile.lanes)
        carried = self.loop(0, whole, tile.lanes, lambda j, *state: body(j, None, *state), carried)
        mask = self.first_lanes(self.sub(seen, whole))
        return self.loop(whole, seen, tile.lanes, lambda j, *state: body(j, mask, *state), carried)

    def score(self, area: str, row: Value, column: Value, lanes: Value | None) -> Value:
        """The score of a vector of pairs: scaled, masked, minus infinity where nothing is seen."""
        tile = self.tile
        t = self.mul(self.load(tile.vector, self._at(self.row_of(area, row), column)), self.scale)
        if self.form.mask:
            allowed = self.masked(row, column, lanes)
            if self.form.mask == "bool":
                lanes = allowed
            else:
                t = self.add(t, allowed)
        return t if lanes is None else self.select(lanes, t, self.const(-float("inf"), tile.vector))

    def masked(self, row: Value, column: Value, lanes: Value | None) -> Value:
        """The mask of a vector of pairs; what is not there is False."""
        at = self.row_of("mask", self.add(self.origin, row))
        if self.form.mask == "bool":
            found = conversion.load(self, dtypes.bool_, self.tile.lanes, at, column, lanes)
            return found
        assert self.form.mask is not None
        return read(self, self.form.mask, self.tile.type, self.tile.lanes, at, column, lanes)

    def all_lanes(self, x: Value) -> Value:
        """A number in every lane."""
        return self.splat(x, self.tile.lanes)


__all__ = ["SIZES", "Block", "Form"]

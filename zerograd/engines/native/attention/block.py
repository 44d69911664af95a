"""What attention and its gradient share: a block of queries against the keys that they see.

    for item in batch:                        a head of a sequence
        rows of keys (times the scale) and values are copied to scratch memory
        for block of queries:                 in scratch memory:
            for panel of queries:                 as many as a tile has columns
                scores[key, query]                    products, tile by tile
                exponentials, sums                    a vector is one key and as many queries as it has lanes
            further products

The scores of a block, all keys of it, lie in scratch memory; so the softmax is the exact one, with the maximum of the
row, and no sum is corrected later. They lie with the queries side by side: what belongs to a query is a lane, and the
sums over keys need no sum of lanes. Causal: tiles without a visible pair are left out, within a tile later keys count
as masked. Every product is one chain of multiply-adds with the summed index ascending, its length a matter of the place
of the tile, and blocks of queries begin at multiples of their length: no result depends on how units are divided.

An item's rows lie as far apart as all heads together are wide, which no processor guesses; so the lines of the next
item are asked for while this one is computed.

Rows in scratch memory begin at odd multiples of a cache line, so that neighbours do not share places in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

from zerograd.engines.native.emit import FLOATS, Function, Operand, Value, size
from zerograd.engines.native.kernel import KernelFunction
from zerograd.engines.native.mathematics.exponential import (
    LOG2_E,
    exp2_not_large,
    exp2_of_falling,
    exp_not_large,
    exp_of_falling,
)
from zerograd.engines.native.products.numbers import read, write
from zerograd.engines.native.products.packing import ALONG, Source, pack
from zerograd.engines.native.products.tile import (
    SECOND,
    Rows,
    Tile,
    multiply,
    one_below_another,
    prefetch,
    side_by_side,
)
from zerograd.frozen import Frozen

LINE = 64  # bytes
SIZES = (
    "heads",  # items are (sequence, head); this is the number of heads
    "queries", "keys", "width", "value_width",  # L, S, E, Ev
    "block",  # queries in a block, a multiple of tile.rows
    "blocks",  # of an item
    "scale",  # a double's bits
    "group",  # blocks whose parts of the gradients of keys and values are added up at once
    "k_part", "v_part",  # bytes from the part of a group to that of the next
)  # fmt: skip
# Then for each operand and result three strides in bytes: of sequences, heads, rows; and for each area of scratch
# memory where it begins and, if it consists of rows, bytes from a row to the next.


class Base(NamedTuple):
    """Of which powers weights are.

    Attributes:
        factor: what scores are multiplied by besides the scale, so that weights are powers of the base.
        power: of numbers that are not large; falling: the same where many results are 0.
    """

    factor: float
    power: Callable[[Function, Value], Value]
    falling: Callable[[Function, Value], Value]


# Powers of two are simpler. But masks that are added are often the least of all numbers, which has no multiple.
BASE = {False: Base(LOG2_E, exp2_not_large, exp2_of_falling), True: Base(1.0, exp_not_large, exp_of_falling)}


class Form(Frozen):
    """What the text of a kernel depends on.

    Attributes:
        tile: of the registers.
        type: of the numbers in memory; statistics are of the type that is computed in.
        mask: its type in memory, "bool" or one of floats; None: there is none.
        causal: query i sees the keys up to i.
        parts: the gradients of keys and values are those of a group of queries, not rounded yet.
    """

    __slots__ = ("causal", "mask", "parts", "tile", "type")

    def __init__(self, tile: Tile, type: str, mask: str | None, causal: bool, parts: bool = False) -> None:
        self.tile, self.type, self.mask, self.causal, self.parts = tile, type, mask, causal, parts


class Block(KernelFunction):
    """A kernel under construction. What its loops have fixed so far stands in its attributes.

    Attributes:
        operands: for each name where its data begins and its strides (sequence, head, row).
        here: the same for the item: where it begins, and the stride of rows.
        following: where the next item begins.
    """

    reads: ClassVar[tuple[str, ...]]
    writes: ClassVar[tuple[str, ...]]
    panels: ClassVar[dict[str, str]]  # areas of one panel of queries, and the operand that it holds
    rows: ClassVar[dict[str, str]]  # areas of rows, and which size they are wide

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
        scale = self.bitcast(self.n["scale"], "double")
        self.base = BASE[form.mask in FLOATS]
        self.scale = self.splat(self.convert(scale, form.tile.type), form.tile.lanes)
        self.factor = self.splat(self.convert(self.mul(scale, self.base.factor), form.tile.type), form.tile.lanes)
        self.here: dict[str, tuple[Value, Value]] = {}
        self.following: dict[str, Value] = {}

    # --- loops -------------------------------------------------------------------------------------------------

    def text(self) -> str:
        """The whole kernel; a unit is a block of queries."""
        blocks = self.n["blocks"]

        end = self.div(self.add(self.high, self.sub(blocks, 1)), blocks)
        last_item = self.sub(end, 1)

        def item(i: Value) -> None:
            self.find(i, last_item)
            start = self.mul(i, blocks)
            low = self.intrinsic("smax", self.sub(self.low, start), 0)
            high = self.least(self.sub(self.high, start), blocks)
            last = self.least(self.mul(high, self.n["block"]), self.n["queries"])
            self.prepare(self.visible(last))
            self.loop(low, high, 1, self.at_block)

        self.loop(self.div(self.low, blocks), end, 1, item)
        return self.finish()

    def find(self, item: Value, last: Value) -> None:
        """Where the operands of an item lie, and those of the next, of which ``last`` is the last."""
        outer, inner = self.div(item, self.n["heads"]), self.rem(item, self.n["heads"])
        following = self.least(self.add(item, 1), last)
        next_outer, next_inner = self.div(following, self.n["heads"]), self.rem(following, self.n["heads"])
        for name, (place, (sequence, head, row)) in self.operands.items():
            offset = self.add(self.mul(outer, sequence), self.mul(inner, head))
            self.here[name] = self.pointer(place, offset), row
            offset = self.add(self.mul(next_outer, sequence), self.mul(next_inner, head))
            self.following[name] = self.pointer(place, offset)

    def at_block(self, number: Value) -> None:
        """The block of queries of this number."""
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

    def transposed(self, area: str, query: Value) -> Value:
        """A panel of an operand's rows of this block, [column, query]: where it lies."""
        name = self.panels[area]
        _, stride = self.here[name]
        wide = self.n["width" if name == "q" else "value_width"]
        bytes = size(self.form.type)
        source = Source(self.form.type, ALONG, self.row_of(name, self.add(self.origin, query)), stride, bytes)
        pack(self, self.tile, self.tile.columns, source, self.sub(self.count, query), wide, self.areas[area])
        return self.areas[area]

    def copy(
        self, area: str, name: str, first: Operand, count: Value, padded: Value, factor: Value | None = None
    ) -> None:  # fmt: skip
        """Rows of an operand, times a factor, into an area.

        Zeros beyond its columns, and beyond ``count`` rows up to ``padded``, in whole tiles.
        """
        tile, wide = self.tile, self.n[self.rows[area]]
        bytes, stride = size(self.form.type), self.here[name][1]
        start = self.row_of(name, first)

        def column(j: Value, vectors: int, mask: Value | None = None) -> None:
            """Down the rows, so that the inner loop is the long one."""

            def row(_: Value, at: Value, to: Value) -> list[Value]:
                for v in range(vectors):
                    x = read(self, self.form.type, tile.type, tile.lanes, at, v * tile.lanes, mask)
                    self.store(x if factor is None else self.mul(x, factor), self._at(to, v * tile.lanes))
                return [self.pointer(at, stride), self.pointer(to, self.pitch[area])]

            self.loop(0, count, 1, row, [self.pointer(start, self.mul(j, bytes)), self._at(self.areas[area], j)])

        whole, vectors = self.and_(wide, -tile.columns), self.and_(wide, -tile.lanes)
        self.loop(0, whole, tile.columns, lambda j: column(j, tile.vectors))
        self.loop(whole, vectors, tile.lanes, lambda j: column(j, 1))
        mask = self.first(self.sub(wide, vectors), tile.lanes)
        self.if_(self.compare("slt", vectors, wide), lambda: column(vectors, 1, mask))
        self._clear(area, 0, count, self.up(wide, tile.lanes))
        self.zeros(area, count, padded)

    def zeros(self, area: str, first: Value, last: Value) -> None:
        """Zeros in rows of an area, up to whole tiles."""
        self._clear(area, first, last, 0)

    def _clear(self, area: str, first: Operand, last: Value, column: Operand) -> None:
        """Zeros in rows of an area from a column on."""
        zero, end = self.const(0, self.tile.vector), self.up(self.n[self.rows[area]], self.tile.columns)

        def row(r: Value) -> None:
            to = self.row_of(area, r)
            self.loop(column, end, self.tile.lanes, lambda j: self.store(zero, self._at(to, j)))

        self.if_(self.compare("slt", self.operand(column, "i64"), end), lambda: self.loop(first, last, 1, row) and None)

    def _at(self, row: Value, column: Operand) -> Value:
        return self.pointer(row, column, self.tile.type)

    # --- products --------------------------------------------------------------------------------------------------

    def scores(
        self, to: str, left: str, right: Value, query: Value, body: Callable[..., Any], carried: Sequence[Value] = ()
    ) -> list[Value]:
        """The columns of a panel in the area ``to`` [key, query] = rows of left [key, column] @ panel [column, query].

        Args:
            left: an area of rows.
            right: the panel.
            query: where it begins, in the block.
            body: takes the first key of a tile, its sums, whether some of its pairs may not be seen, and what is
                carried from tile to tile; gives what is stored, and what is carried on.
        """
        tile, depth = self.tile, self.n[self.rows[left]]
        seen = self.visible(self.add(self.add(self.origin, query), 1))
        whole = self.sub(seen, self.rem(seen, tile.rows))

        def rows(key: Value, edge: bool, state: Sequence[Value]) -> Sequence[Value]:
            sums = multiply(self, tile, self.below(left, key), right, tile.columns * self.bytes, depth)
            scores, state = body(key, sums, edge, state)
            self.keep(scores, self._at(self.row_of(to, key), query), self.pitch[to])
            return state

        carried = self.loop(0, whole, tile.rows, lambda key, *state: rows(key, False, state), carried)
        end = self.panel_end(query)
        return self.loop(whole, end, tile.rows, lambda key, *state: rows(key, True, state), carried)

    def panel_end(self, query: Value) -> Value:
        """How many keys the queries of a panel see."""
        last = self.least(self.count, self.add(query, self.tile.columns))
        return self.visible(self.add(self.origin, last))

    def below(self, area: str, row: Operand, column: Operand = 0) -> Rows:
        """The rows of an area, from one on, as the left side of a product."""
        return one_below_another(self, self.tile, self._at(self.row_of(area, row), column), self.pitch[area])

    def keep(self, sums: Sequence[Value], to: Value, pitch: Operand) -> None:
        """The sums of a tile into an area."""
        for place, x in zip(self.places(to, pitch), sums, strict=True):
            self.store(x, place)

    def places(self, to: Value, pitch: Operand) -> list[Value]:
        rows = [self.pointer(to, self.mul(self.operand(pitch, "i64"), row)) for row in range(self.tile.rows)]
        return [self.pointer(at, v * self.tile.lanes * self.bytes) for at in rows for v in range(self.tile.vectors)]

    def product(
        self, name: str, left: str, right: str, ahead: Sequence[str], changed: Callable[..., Sequence[Value]]
    ) -> None:
        """A result's rows of this block = left [key, query] transposed @ rows of right [key, column].

        Args:
            ahead: what is asked for meanwhile.
            changed: what becomes of the sums of a tile and its first query.
        """
        tile, wide = self.tile, self.n[self.rows[right]]

        def panel(column: Value) -> None:
            b = self._at(self.areas[right], column)

            def rows(r: Value) -> None:
                last = self.least(self.add(r, tile.rows), self.count)
                depth = self.visible(self.add(self.origin, last))
                a = side_by_side(tile, self._at(self.areas[left], r), self.pitch[left])
                sums = multiply(self, tile, a, b, self.pitch[right], depth)
                sums = changed(sums, r)
                self.ahead(ahead, self.add(self.origin, r), column)
                self.put(sums, name, self.add(self.origin, r), self.sub(self.count, r), column, wide)

            self.loop(0, self.count, tile.rows, rows)

        self.loop(0, wide, tile.columns, panel)

    def put(
        self, sums: Sequence[Value], name: str, row: Value, rows: Value, column: Value, wide: Value,
        type: str | None = None,
    ) -> None:  # fmt: skip
        """The sums of a tile into a result (of another ``type``), of which so many rows and columns are left."""
        tile, type = self.tile, type or self.form.type
        buffer = self.areas["tile"]
        left = self.sub(wide, column)

        def inside() -> None:
            for r in range(tile.rows):
                to = self.row_of(name, self.add(row, r))
                for v in range(tile.vectors):
                    x = sums[r * tile.vectors + v]
                    write(self, x, type, to, self.add(column, v * tile.lanes))

        def edge() -> None:
            self.keep(sums, buffer, tile.columns * self.bytes)
            self.rows_out(name, buffer, tile.columns * self.bytes, row, self.least(rows, tile.rows), column, left, type)

        whole = self.and_(self.compare("sge", rows, tile.rows), self.compare("sge", left, tile.columns))
        self.if_(whole, inside, edge)

    def rows_out(
        self, name: str, source: Value, pitch: Operand, row: Operand, rows: Value, column: Operand, left: Value,
        type: str,
    ) -> None:  # fmt: skip
        """Rows of scratch memory into a result, of this type there: at most ``left`` columns of at most a panel."""
        tile = self.tile
        masks = [self.first(self.sub(left, v * tile.lanes), tile.lanes) for v in range(tile.vectors)]

        def all_rows(masks: Sequence[Value | None]) -> None:
            def one(r: Value) -> None:
                at = self.pointer(source, self.mul(r, pitch))
                to = self.row_of(name, self.add(self.operand(row, "i64"), r))
                for v, mask in enumerate(masks):
                    x = self.load(tile.vector, at, v * tile.lanes)
                    there = self.add(self.operand(column, "i64"), v * tile.lanes)
                    write(self, x, type, to, there, mask)

            self.loop(0, rows, 1, one)

        # Many processors store whole vectors much faster than masked ones.
        whole = self.compare("sge", left, tile.columns)
        self.if_(whole, lambda: all_rows([None] * tile.vectors), lambda: all_rows(masks))

    def ahead(self, names: Sequence[str], row: Value, column: Value) -> None:
        """Ask for what the next item has where a tile of this one is: rows lie too far apart to be guessed."""
        wide = self.tile.columns * size(self.form.type)
        at = self.mul(column, size(self.form.type))
        for name in names:
            stride = self.here[name][1]
            start = self.pointer(self.following[name], self.add(self.mul(row, stride), at))
            for _ in range(self.tile.rows):
                for byte in range(0, wide, LINE):
                    prefetch(self, self.pointer(start, byte), SECOND)
                start = self.pointer(start, stride)

    # --- panels of queries ---------------------------------------------------------------------------------------

    def queries_of(self, query: Value) -> list[Value]:
        """How many keys each query of a panel sees, an i32 a lane, in vectors."""
        tile = self.tile
        keys = self.splat(self.short(self.n["keys"]), tile.lanes)
        if not self.form.causal:
            return [keys] * tile.vectors
        first = self.splat(self.short(self.add(self.add(self.origin, query), 1)), tile.lanes)
        iota = self.iota(keys.type)
        numbers = [self.add(first, self.add(iota, v * tile.lanes)) for v in range(tile.vectors)]
        return [self.select(self.compare("slt", one, keys), one, keys) for one in numbers]

    def short(self, x: Value) -> Value:
        return self.value("i32", f"trunc i64 {x.name} to i32")

    def masking(self, query: Value) -> None:
        """Packs the mask of a panel of queries: [key, query]."""
        if not self.form.mask:
            return
        place, stride = self.here["mask"]
        at = self.pointer(place, self.mul(self.add(self.origin, query), stride))
        source = Source(self.form.mask, ALONG, at, stride, 1 if self.form.mask == "bool" else size(self.form.mask))
        count = self.sub(self.count, query)
        pack(self, self.tile, self.tile.columns, source, count, self.panel_end(query), self.areas["mask"])

    def seen_scores(self, sums: Sequence[Value], key: Value, limits: Sequence[Value] | None) -> list[Value]:
        """The scores of a tile: masked, minus infinity where nothing is seen.

        Args:
            limits: how many keys each query sees, where that matters.
        """
        tile = self.tile
        scaled = []
        for i, x in enumerate(sums):
            row, v = divmod(i, tile.vectors)
            here = self.add(key, row)
            t = x
            inside = None
            if limits is not None:
                inside = self.compare("slt", self.splat(self.short(here), tile.lanes), limits[v])
            if self.form.mask:
                at = self.mul(self.least(here, self.sub(self.n["keys"], 1)), tile.columns)
                found = self.load(tile.vector, self._at(self.areas["mask"], self.add(at, v * tile.lanes)))
                if self.form.mask == "bool":
                    allowed = self.compare("une", found, 0)
                    inside = allowed if inside is None else self.and_(inside, allowed)
                else:
                    t = self.add(t, found)
            scaled.append(t if inside is None else self.select(inside, t, self.const(-float("inf"), tile.vector)))
        return scaled

    def down(
        self, area: str, query: Value, body: Callable[..., list[Value]], carried: Sequence[Value] = ()
    ) -> list[Value]:
        """``body(place of a vector, its number in the panel, *carried)`` for all keys of a panel, two at a time.

        ``carried`` belongs to a vector of one of the two keys: its length is 2 * vectors * n.
        """
        tile = self.tile
        each = len(carried) // (2 * tile.vectors)
        end = self.up(self.panel_end(query), tile.rows)

        def pair(key: Value, *state: Value) -> list[Value]:
            changed: list[Value] = []
            for i in range(2 * tile.vectors):
                row, v = divmod(i, tile.vectors)
                offset = self.add(self.mul(self.add(key, row), self.pitch[area]), v * tile.lanes * self.bytes)
                own = state[i * each : (i + 1) * each]
                changed += body(self.add(offset, self.mul(query, self.bytes)), v, *own)
            return changed

        return self.loop(0, end, 2, pair, carried)

    def clear_below(self, area: str, query: Value) -> None:
        """Zeros for the keys behind those of a panel that products of a neighbouring tile may read."""
        tile = self.tile
        zero = self.const(0, tile.vector)
        start = self.up(self.panel_end(query), tile.rows)

        def key(k: Value) -> None:
            at = self._at(self.row_of(area, k), query)
            for v in range(tile.vectors):
                self.store(zero, self._at(at, v * tile.lanes))

        if self.form.causal:
            self.loop(start, self.add(start, tile.rows), 1, key)

    def lane_mask(self, query: Value, v: int) -> Value:
        """Which lanes of a vector of a panel are queries."""
        return self.first(self.sub(self.sub(self.count, query), v * self.tile.lanes), self.tile.lanes)


__all__ = ["SIZES", "Block", "Form"]

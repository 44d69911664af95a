"""The gradient of attention: see ``zerograd.ops.attention`` for its meaning, ``block`` for its form.

    weights = exp(k q^T - statistics)          slope = weights (v g^T - sum of g result) scale
    d_q = slope^T k          d_k = slope q          d_v = weights g

The gradients of keys and values are summed up over the blocks of queries in order, in scratch memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from zerograd.engines.native.attention.block import Block
from zerograd.engines.native.emit import Value
from zerograd.engines.native.mathematics.exponential import exp_not_large
from zerograd.engines.native.products.numbers import read
from zerograd.engines.native.products.tile import multiply


class Backward(Block):
    """Units are groups of blocks, in ascending order; few items are divided into several, others are one each."""

    reads = ("g", "q", "k", "v", "out", "statistics")
    writes = ("d_q", "d_k", "d_v")
    panels: ClassVar[dict[str, str]] = {"queries": "q", "incoming": "g", "mask": "mask"}
    rows: ClassVar[dict[str, str]] = {
        "keys": "width", "values": "value_width", "sums_k": "width", "sums_v": "value_width", "query_rows": "width",
        "incoming_rows": "value_width", "means": "queries", "weights": "queries", "slopes": "queries",
        "tile": "columns",
    }  # fmt: skip

    group: Value  # where the first query of the group stands

    def text(self) -> str:
        """The whole kernel; a unit is a group of an item."""
        n = self.n
        groups = self.div(self.add(n["blocks"], self.sub(n["group"], 1)), n["group"])
        self.loop(self.low, self.high, 1, lambda unit: self._group(self.div(unit, groups), self.rem(unit, groups)))
        return self.finish()

    def _group(self, item: Value, number: Value) -> None:
        n = self.n
        self.find(item)
        for name, word in (("d_k", "k_part"), ("d_v", "v_part")):
            place, row = self.here[name]
            self.here[name] = self.pointer(place, self.mul(number, n[word])), row
        first = self.mul(number, n["group"])
        last = self.least(self.add(first, n["group"]), n["blocks"])
        self.group = self.mul(first, n["block"])
        keys = self.visible(self.least(self.mul(last, n["block"]), n["queries"]))
        padded = self.up(keys, self.tile.rows)
        self.copy("keys", "k", 0, keys, padded)
        self.copy("values", "v", 0, keys, padded)
        self.loop(first, last, 1, self.at_block)
        for area, name in (("sums_k", "d_k"), ("sums_v", "d_v")):
            self._out(area, name, keys)

    def _out(self, area: str, name: str, seen: Value) -> None:
        """The sums into a result; zeros for the keys that no query sees."""
        type = self.tile.type if self.form.parts else None
        tile, wide = self.tile, self.n[self.rows[area]]
        keys = self.n["keys"]
        self.zeros(area, self.up(seen, tile.rows), keys)

        def panel(column: Value) -> None:
            start = self._at(self.areas[area], column)
            self.rows_out(name, start, self.pitch[area], 0, keys, column, self.sub(wide, column), type)

        self.loop(0, wide, tile.columns, panel)

    def attend(self) -> None:
        self.copy("query_rows", "q", self.origin, self.count, self.count)
        self.copy("incoming_rows", "g", self.origin, self.count, self.count)
        self.loop(0, self.count, 1, self._mean)
        self.loop(0, self.count, self.tile.columns, self._panel)
        self.product("d_q", "slopes", "keys")
        self._sum("sums_k", "slopes", "query_rows")
        self._sum("sums_v", "weights", "incoming_rows")

    def _mean(self, row: Value) -> None:
        """The sum of g result, which is the mean of the weights' gradients."""
        tile, wide = self.tile, self.n["value_width"]
        g, out = self.row_of("incoming_rows", row), self.row_of("out", self.add(self.origin, row))
        whole = self.and_(wide, -tile.lanes)
        mask = self.first(self.sub(wide, whole), tile.lanes)

        def vector(j: Value, total: Value, lanes: Value | None = None) -> Value:
            x = read(self, self.form.type, tile.type, tile.lanes, out, j, lanes)
            return self.add(total, self.mul(x, self.load(tile.vector, self._at(g, j))))

        total = self.loop(0, whole, tile.lanes, vector, [self.const(0, tile.vector)])
        total = self.loop(whole, wide, tile.lanes, lambda j, x: vector(j, x, mask), total)
        self.store(self.fold(self.add, total[0]), self._at(self.areas["means"], row))

    def _panel(self, query: Value) -> None:
        """The weights of a panel of queries, and the gradients of their scores."""
        tile = self.tile
        limits = self.queries_of(query)
        self.masking(query)

        def scores(key: Value, sums: Sequence[Value], edge: bool, _: Sequence[Value]) -> tuple[Sequence[Value], ...]:
            return self.seen_scores(sums, key, limits if edge else None), ()

        def slopes(key: Value, sums: Sequence[Value], edge: bool, _: Sequence[Value]) -> tuple[Sequence[Value], ...]:
            return sums, ()

        self.scores("weights", "keys", self.transposed("queries", query), query, scores)
        self.scores("slopes", "values", self.transposed("incoming", query), query, slopes)
        statistics, means = [], []
        for v in range(tile.vectors):
            at = self.add(query, v * tile.lanes)
            there = self._at(self.here["statistics"][0], self.add(self.origin, at))
            statistics.append(self.load(tile.vector, there, mask=self.lane_mask(query, v)))
            means.append(self.load(tile.vector, self._at(self.areas["means"], at)))

        def pair(offset: Value, v: int) -> list[Value]:
            weight, slope = self.pointer(self.areas["weights"], offset), self.pointer(self.areas["slopes"], offset)
            t = self.load(tile.vector, weight)
            e = exp_not_large(self, self.sub(t, statistics[v]))
            d = self.mul(self.mul(e, self.sub(self.load(tile.vector, slope), means[v])), self.scale)
            self.store(e, weight)
            self.store(self.select(self.compare("oeq", t, -float("inf")), self.const(0, tile.vector), d), slope)
            return []

        self.down("weights", query, pair)
        self.clear_below("weights", query)
        self.clear_below("slopes", query)

    def _sum(self, to: str, left: str, right: str) -> None:
        """The area ``to`` [key, column] += left [key, query] @ right [query, column]."""
        tile, wide = self.tile, self.n[self.rows[right]]
        done = self.select(self.compare("eq", self.origin, self.group), 0, self.visible(self.origin))

        def panel(column: Value) -> None:
            def keys(key: Value, fresh: bool) -> None:
                start = self.operand(0, "i64")
                if self.form.causal:  # the first query that sees the first key
                    start = self.intrinsic("smax", self.sub(key, self.origin), 0)
                a = self.below(left, key, start)
                b = self._at(self.row_of(right, start), column)
                sums = multiply(self, tile, a, b, self.pitch[right], self.sub(self.count, start))
                put = self.keep if fresh else self.add_to
                put(sums, self._at(self.row_of(to, key), column), self.pitch[to])

            before = self.up(done, tile.rows)
            self.loop(0, before, tile.rows, lambda key: keys(key, False))
            self.loop(before, self.seen, tile.rows, lambda key: keys(key, True))

        self.loop(0, wide, tile.columns, panel)


__all__ = ["Backward"]

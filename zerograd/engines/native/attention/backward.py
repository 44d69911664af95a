"""The gradient of attention: see ``zerograd.ops.attention`` for its meaning, ``block`` for its form.

    weights = exp(k q^T - statistics)          slope = weights (v g^T - sum of g result)
    d_q = slope^T k          d_k = slope q          d_v = weights g

Here k, and q in d_k, are multiplied by the scale when they are copied. The gradients of keys and values are summed up
over the blocks of queries in order, in scratch memory; the last block writes the results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from zerograd.engines.native.attention.block import Block
from zerograd.engines.native.emit import Value
from zerograd.engines.native.products.numbers import read, write
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
    last: Value  # where the last one ends

    def text(self) -> str:
        """The whole kernel; a unit is a group of an item."""
        n = self.n
        groups = self.div(self.add(n["blocks"], self.sub(n["group"], 1)), n["group"])
        last = self.div(self.sub(self.high, 1), groups)
        self.loop(
            self.low, self.high, 1, lambda unit: self._group(self.div(unit, groups), self.rem(unit, groups), last)
        )
        return self.finish()

    def _group(self, item: Value, number: Value, last: Value) -> None:
        n = self.n
        self.find(item, last)
        for name, word in (("d_k", "k_part"), ("d_v", "v_part")):
            place, row = self.here[name]
            self.here[name] = self.pointer(place, self.mul(number, n[word])), row
        first = self.mul(number, n["group"])
        end = self.least(self.add(first, n["group"]), n["blocks"])
        self.group = self.mul(first, n["block"])
        keys = self.visible(self.least(self.mul(end, n["block"]), n["queries"]))
        padded = self.up(keys, self.tile.rows)
        self.copy("keys", "k", 0, keys, padded, self.factor)
        self.copy("values", "v", 0, keys, padded)
        self.last = self.least(self.mul(end, n["block"]), n["queries"])
        self.loop(first, end, 1, self.at_block)
        for name in ("d_k", "d_v"):
            self._nothing(name, keys)

    def _nothing(self, name: str, seen: Value) -> None:
        """Zeros for the keys that no query sees."""
        wide = self.n["width" if name == "d_k" else "value_width"]
        whole, zero = self.and_(wide, -self.tile.lanes), self.const(0, self.tile.vector)
        mask = self.first(self.sub(wide, whole), self.tile.lanes)

        def row(key: Value) -> None:
            to = self.row_of(name, key)
            self.loop(0, whole, self.tile.lanes, lambda j: write(self, zero, self.result_type, to, j))
            write(self, zero, self.result_type, to, whole, mask)

        self.loop(seen, self.n["keys"], 1, row)

    @property
    def result_type(self) -> str:
        """Of the gradients of keys and values in memory."""
        return self.tile.type if self.form.parts else self.form.type

    def attend(self) -> None:
        self.copy("query_rows", "q", self.origin, self.count, self.count, self.scale)
        self.copy("incoming_rows", "g", self.origin, self.count, self.count)
        self.loop(0, self.count, 1, self._mean)
        self.loop(0, self.count, self.tile.columns, self._panel)
        self.product("d_q", "slopes", "keys", ("q", "g", "out", "d_q"), self._in_base_e)
        self._sum("d_k", "sums_k", "slopes", "query_rows")
        self._sum("d_v", "sums_v", "weights", "incoming_rows")

    def _in_base_e(self, sums: Sequence[Value], _: Value) -> list[Value]:
        """Sums of keys that were multiplied by the scale and the factor of the base, without that factor."""
        return [x if self.base.factor == 1 else self.mul(x, 1 / self.base.factor) for x in sums]

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

        statistics, means = [], []
        for v in range(tile.vectors):
            at = self.add(query, v * tile.lanes)
            there = self._at(self.here["statistics"][0], self.add(self.origin, at))
            found = self.load(tile.vector, there, mask=self.lane_mask(query, v))
            statistics.append(self.mul(found, self.base.factor))
            means.append(self.load(tile.vector, self._at(self.areas["means"], at)))

        def incoming(key: Value, sums: Sequence[Value], edge: bool, _: Sequence[Value]) -> tuple[Sequence[Value], ...]:
            return [self.sub(x, means[i % tile.vectors]) for i, x in enumerate(sums)], ()

        def weigh(key: Value, sums: Sequence[Value], edge: bool, _: Sequence[Value]) -> tuple[Sequence[Value], ...]:
            """The weights; the gradients of scores take the place of the weights'."""
            weights, power = [], self.base.falling if edge or self.form.mask else self.base.power
            places = self.places(self._at(self.row_of("slopes", key), query), self.pitch["slopes"])
            for i, t in enumerate(self.seen_scores(sums, key, limits if edge else None)):
                e = power(self, self.sub(t, statistics[i % tile.vectors]))
                d = self.mul(e, self.load(tile.vector, places[i]))
                none = self.compare("oeq", t, -float("inf"))
                self.store(self.select(none, self.const(0, tile.vector), d), places[i])
                weights.append(e)
            return weights, ()

        self.scores("slopes", "values", self.transposed("incoming", query), query, incoming)
        self.scores("weights", "keys", self.transposed("queries", query), query, weigh)
        self.clear_below("weights", query)
        self.clear_below("slopes", query)

    def _sum(self, name: str, to: str, left: str, right: str) -> None:
        """The area ``to`` [key, column] += left [key, query] @ right [query, column]; of the last block, the result."""
        tile, wide = self.tile, self.n[self.rows[right]]
        done = self.select(
            self.compare("eq", self.origin, self.group), 0, self.up(self.visible(self.origin), tile.rows)
        )
        last = self.compare("eq", self.add(self.origin, self.count), self.last)

        def panel(column: Value) -> None:
            def keys(key: Value) -> None:
                start = self.operand(0, "i64")
                if self.form.causal:  # the first query that sees the first key
                    start = self.intrinsic("smax", self.sub(key, self.origin), 0)
                a = self.below(left, key, start)
                b = self._at(self.row_of(right, start), column)
                sums = multiply(self, tile, a, b, self.pitch[right], self.sub(self.count, start))
                places = self.places(self._at(self.row_of(to, key), column), self.pitch[to])
                self.ahead((name[2:], name), key, column)
                before = self.compare("slt", key, done)
                sums = self.if_(before, lambda: self._plus(sums, places), lambda: sums)

                def out() -> None:
                    self.put(sums, name, key, self.sub(self.n["keys"], key), column, wide, self.result_type)

                self.if_(last, out, lambda: [self.store(x, at) for x, at in zip(sums, places, strict=True)] and None)

            self.loop(0, self.seen, tile.rows, keys)

        self.loop(0, wide, tile.columns, panel)

    def _plus(self, sums: Sequence[Value], places: Sequence[Value]) -> list[Value]:
        return [self.add(self.load(self.tile.vector, at), x) for x, at in zip(sums, places, strict=True)]


__all__ = ["Backward"]

"""The gradient of attention: see ``zerograd.ops.attention`` for its meaning, ``block`` for its form.

    weights = exp(q k^T - statistics)          slope = weights (g v^T - sum of g result) scale
    d_q = slope k          d_k = slope^T q          d_v = weights^T g

The gradients of keys and values are summed up over the blocks of queries in order, in scratch memory.
"""

from __future__ import annotations

from typing import ClassVar

from zerograd.engines.native.attention.block import Block
from zerograd.engines.native.emit import Value
from zerograd.engines.native.mathematics.exponential import exp_not_large
from zerograd.engines.native.products.numbers import read
from zerograd.engines.native.products.tile import multiply, side_by_side


class Backward(Block):
    """Units are items: ``blocks`` are done in a loop of their own."""

    reads = ("g", "q", "k", "v", "out", "statistics")
    writes = ("d_q", "d_k", "d_v")
    panels: ClassVar[dict[str, str]] = {"keys": "k", "values": "v"}
    rows: ClassVar[dict[str, str]] = {
        "key_rows": "width", "sums_k": "width", "sums_v": "value_width", "queries": "width", "incoming": "value_width",
        "weights": "keys", "slopes": "keys", "tile": "columns",
    }  # fmt: skip

    def text(self) -> str:
        """The whole kernel; a unit is an item."""
        self.loop(self.low, self.high, 1, self._item)
        return self.finish()

    def _item(self, item: Value) -> None:
        self._find(item)
        keys = self.visible(self.n["queries"])
        self.pack("keys", keys)
        self.pack("values", keys)
        self.copy("key_rows", "k", 0, keys, keys)
        every = self.n["keys"]
        for area in ("sums_k", "sums_v"):
            self._clear(area, self.up(every, self.tile.rows))
        self.loop(0, self.n["blocks"], 1, self._block)
        for area, name in (("sums_k", "d_k"), ("sums_v", "d_v")):
            self._out(area, name, every)

    def _clear(self, area: str, rows: Value) -> None:
        zero = self.const(0, self.tile.vector)
        end = self.up(self.n[self.rows[area]], self.tile.columns)

        def row(r: Value) -> None:
            to = self.row_of(area, r)
            self.loop(0, end, self.tile.lanes, lambda j: self.store(zero, self._at(to, j)))

        self.loop(0, rows, 1, row)

    def _out(self, area: str, name: str, rows: Value) -> None:
        wide = self.n[self.rows[area]]

        def panel(column: Value) -> None:
            start = self._at(self.areas[area], column)
            self.rows_out(name, start, self.pitch[area], 0, rows, column, self.sub(wide, column))

        self.loop(0, wide, self.tile.columns, panel)

    def attend(self) -> None:
        padded = self.up(self.count, self.tile.rows)
        self.copy("queries", "q", self.origin, self.count, padded)
        self.copy("incoming", "g", self.origin, self.count, padded)
        self.scores("weights", "queries", "keys")
        self.scores("slopes", "incoming", "values")
        self.loop(0, self.count, 1, self._row)
        self.product("d_q", "slopes", "key_rows")
        self._sum("sums_k", "slopes", "queries")
        self._sum("sums_v", "weights", "incoming")

    def _row(self, row: Value) -> None:
        """Scores become weights, and their gradients slopes; zeros up to where the products of the block read."""
        tile = self.tile
        zero = self.const(0, tile.vector)
        weights, slopes = self.row_of("weights", row), self.row_of("slopes", row)
        at = self.pointer(self.here["statistics"][0], self.add(self.origin, row), tile.type)
        statistic = self.all_lanes(self.load(tile.type, at))
        mean = self.all_lanes(self._mean(row))

        def pair(column: Value, lanes: Value | None) -> None:
            t = self.score("weights", row, column, lanes)
            e = exp_not_large(self, self.sub(t, statistic))
            slope = self.sub(self.load(tile.vector, self._at(slopes, column)), mean)
            slope = self.mul(self.mul(e, slope), self.scale)
            if lanes is not None:  # what lies beyond may be anything
                slope = self.select(lanes, slope, zero)
            self.store(e, self._at(weights, column))
            self.store(slope, self._at(slopes, column))

        self.along(row, pair)
        end = self.up(self.seen, tile.rows)

        def nothing(column: Value) -> None:
            self.store(zero, self._at(weights, column))
            self.store(zero, self._at(slopes, column))

        seen = self.up(self.visible(self.add(self.add(self.origin, row), 1)), tile.lanes)
        self.loop(seen, end, tile.lanes, nothing)

    def _mean(self, row: Value) -> Value:
        """The sum of g result, which is the mean of the weights' gradients."""
        tile, wide = self.tile, self.n["value_width"]
        g, out = self.row_of("incoming", row), self.row_of("out", self.add(self.origin, row))
        whole = self.and_(wide, -tile.lanes)
        mask = self.first_lanes(self.sub(wide, whole))

        def vector(j: Value, total: Value, lanes: Value | None = None) -> Value:
            x = read(self, self.form.type, tile.type, tile.lanes, out, j, lanes)
            return self.add(total, self.mul(x, self.load(tile.vector, self._at(g, j))))

        total = self.loop(0, whole, tile.lanes, vector, [self.const(0, tile.vector)])
        total = self.loop(whole, wide, tile.lanes, lambda j, x: vector(j, x, mask), total)
        return self.fold(self.add, total[0])

    def _sum(self, to: str, left: str, right: str) -> None:
        """The area ``to`` [key, column] += left [query, key] transposed @ right [query, column]."""
        tile, wide = self.tile, self.n[self.rows[right]]

        def panel(column: Value) -> None:
            def keys(key: Value) -> None:
                start = self.operand(0, "i64")
                if self.form.causal:  # the first query that sees the first key
                    start = self.intrinsic("smax", self.sub(key, self.origin), 0)
                a = side_by_side(tile, self._at(self.row_of(left, start), key), self.pitch[left])
                b = self._at(self.row_of(right, start), column)
                sums = multiply(self, tile, a, b, self.pitch[right], self.sub(self.count, start))
                self.add_to(sums, self._at(self.row_of(to, key), column), self.pitch[to])

            self.loop(0, self.seen, tile.rows, keys)

        self.loop(0, wide, tile.columns, panel)


__all__ = ["Backward"]

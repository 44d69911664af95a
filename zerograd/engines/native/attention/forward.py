"""Attention: see ``zerograd.ops.attention`` for its meaning, ``block`` for its form.

    scores = q k^T          weights = exp(scores - max) / sum          result = weights v
"""

from __future__ import annotations

from typing import ClassVar

from zerograd.engines.native.attention.block import Block
from zerograd.engines.native.emit import Value
from zerograd.engines.native.mathematics import log
from zerograd.engines.native.mathematics.exponential import exp_not_large


class Forward(Block):
    """Units are blocks of queries; those of an item that are done in one call share its packed keys and values."""

    reads = ("q", "k", "v")
    writes = ("out", "statistics")
    panels: ClassVar[dict[str, str]] = {"keys": "k"}
    rows: ClassVar[dict[str, str]] = {
        "values": "value_width", "queries": "width", "weights": "keys", "tile": "columns",
    }  # fmt: skip

    def prepare(self, keys: Value) -> None:
        self.pack("keys", keys)
        self.copy("values", "v", 0, keys, keys)

    def attend(self) -> None:
        self.copy("queries", "q", self.origin, self.count, self.up(self.count, self.tile.rows))
        self.scores("weights", "queries", "keys")
        self.loop(0, self.count, 1, self._softmax)
        self.product("out", "weights", "values")

    def _softmax(self, row: Value) -> None:
        """A row of scores becomes weights; zeros up to where the products of its tile read."""
        tile = self.tile
        least, zero = self.const(-float("inf"), tile.vector), self.const(0, tile.vector)
        to = self.row_of("weights", row)

        def larger(column: Value, lanes: Value | None, most: Value) -> Value:
            t = self.score("weights", row, column, lanes)
            if self.form.mask:
                self.store(t, self._at(to, column))
            return self.select(self.compare("ogt", t, most), t, most)

        (most,) = self.along(row, larger, [least])
        most = self.fold(lambda x, y: self.select(self.compare("ogt", x, y), x, y), most)
        if self.form.mask:
            most = self.select(self.compare("oeq", most, -float("inf")), self.const(0, tile.type), most)
        centre = self.all_lanes(most)

        def power(column: Value, lanes: Value | None, total: Value) -> Value:
            if self.form.mask:
                t = self.load(tile.vector, self._at(to, column))
            else:
                t = self.score("weights", row, column, lanes)
            e = exp_not_large(self, self.sub(t, centre))
            self.store(e, self._at(to, column))
            return self.add(total, e)

        (total,) = self.along(row, power, [zero])
        total = self.fold(self.add, total)
        factor = self.div(self.const(1, tile.type), total)
        statistic = self.extract(self.add(centre, log(self, self.all_lanes(total))), 0)
        if self.form.mask:
            nothing = self.compare("oeq", total, 0)
            factor = self.select(nothing, self.const(0, tile.type), factor)
            statistic = self.select(nothing, self.const(float("inf"), tile.type), statistic)
        self.store(statistic, self.pointer(self.here["statistics"][0], self.add(self.origin, row), tile.type))
        factors = self.all_lanes(factor)

        def shrunk(column: Value, lanes: Value | None) -> None:
            self.store(self.mul(self.load(tile.vector, self._at(to, column)), factors), self._at(to, column))

        self.along(row, shrunk)
        if self.form.causal:
            seen = self.up(self.visible(self.add(self.add(self.origin, row), 1)), tile.lanes)
            last = self.mul(self.add(self.div(row, tile.rows), 1), tile.rows)
            end = self.visible(self.add(self.origin, last))
            self.loop(seen, end, tile.lanes, lambda j: self.store(zero, self._at(to, j)))


__all__ = ["Forward"]

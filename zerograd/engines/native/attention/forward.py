"""Attention: see ``zerograd.ops.attention`` for its meaning, ``block`` for its form.

scores = k q^T          weights = exp(scores - max)          result = weights^T v / sum of weights
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from zerograd.engines.native.attention.block import Block
from zerograd.engines.native.emit import Value
from zerograd.engines.native.mathematics import log


class Forward(Block):
    """Units are blocks of queries; those of an item that are done in one call share its copied keys and values."""

    reads = ("q", "k", "v")
    writes = ("out", "statistics")
    panels: ClassVar[dict[str, str]] = {"queries": "q", "mask": "mask"}
    rows: ClassVar[dict[str, str]] = {
        "keys": "width", "values": "value_width", "weights": "queries", "factors": "queries",
        "tile": "columns",
    }  # fmt: skip

    def prepare(self, keys: Value) -> None:
        self.copy("keys", "k", 0, keys, self.up(keys, self.tile.rows), self.factor)
        self.copy("values", "v", 0, keys, keys)

    def attend(self) -> None:
        self.loop(0, self.count, self.tile.columns, self._panel)
        self.product("out", "weights", "values", ("q", "k", "v", "out"), self._divided)

    def _divided(self, sums: Sequence[Value], query: Value) -> list[Value]:
        """The rows of a tile divided by the sums of their weights."""
        tile = self.tile
        factors = self._at(self.areas["factors"], query)
        each = [self.splat(self.load(tile.type, factors, row), tile.lanes) for row in range(tile.rows)]
        return [self.mul(x, each[i // tile.vectors]) for i, x in enumerate(sums)]

    def _panel(self, query: Value) -> None:
        """The weights of a panel of queries before they are divided by their sum, its inverse, and the statistics."""
        tile = self.tile
        panel = self.transposed("queries", query)
        self.masking(query)
        most = self._scores(query, panel)
        if self.form.mask:  # a query to which nothing is left
            most = [self.select(self.compare("oeq", one, -float("inf")), self.const(0, tile.vector), one)
                    for one in most]  # fmt: skip
        for v, total in enumerate(self._powers(query, most)):
            factor = self.div(self.const(1, tile.vector), total)
            statistic = self.add(self.mul(most[v], 1 / self.base.factor), log(self, total))
            if self.form.mask:
                nothing = self.compare("oeq", total, 0)
                factor = self.select(nothing, self.const(0, tile.vector), factor)
                statistic = self.select(nothing, self.const(float("inf"), tile.vector), statistic)
            at = self.add(self.add(self.origin, query), v * tile.lanes)
            self.store(statistic, self._at(self.here["statistics"][0], at), mask=self.lane_mask(query, v))
            self.store(factor, self._at(self.areas["factors"], self.add(query, v * tile.lanes)))
        self.clear_below("weights", query)

    def _scores(self, query: Value, panel: Value) -> list[Value]:
        """Scores into the area of weights; the largest of each query. NaN counts as small: it comes back in the sum."""
        tile = self.tile
        limits = self.queries_of(query)

        def larger(key: Value, sums: Sequence[Value], edge: bool, most: Sequence[Value]) -> tuple[Sequence[Value], ...]:
            scores = self.seen_scores(sums, key, limits if edge else None)
            most = list(most)
            for i, x in enumerate(scores):
                v = i % tile.vectors
                most[v] = self.select(self.compare("ogt", x, most[v]), x, most[v])
            return scores, most

        least = [self.const(-float("inf"), tile.vector)] * tile.vectors
        return self.scores("weights", "keys", panel, query, larger, least)

    def _powers(self, query: Value, most: Sequence[Value]) -> list[Value]:
        """Scores become exponentials; their sums."""
        tile = self.tile
        exponential = self.base.falling if self.form.causal or self.form.mask else self.base.power

        def power(offset: Value, v: int, total: Value) -> list[Value]:
            at = self.pointer(self.areas["weights"], offset)
            e = exponential(self, self.sub(self.load(tile.vector, at), most[v]))
            self.store(e, at)
            return [self.add(total, e)]

        sums = self.down("weights", query, power, [self.const(0, tile.vector)] * 2 * tile.vectors)
        return [self.add(sums[v], sums[tile.vectors + v]) for v in range(tile.vectors)]


__all__ = ["Forward"]

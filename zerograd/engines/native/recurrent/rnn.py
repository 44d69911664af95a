"""The plain recurrent layer, a vector of one sequence at one step: see ``zerograd.ops.recurrent.rnn``."""

from __future__ import annotations

from zerograd import dtypes
from zerograd.engines.native import choice
from zerograd.engines.native.mathematics import tanh
from zerograd.engines.native.recurrent.lstm import one_less
from zerograd.engines.native.recurrent.walk import LEFT, PRODUCT, Cell, Row


class Forward(Cell):
    """The state is the left side of the product.

    Args:
        function: "tanh" or "relu".
    """

    gates = 1
    operands = ("x", "h0", "w")
    results = ("hidden",)

    def __init__(self, function: str) -> None:
        self.function = function

    def begin(self, row: Row) -> None:
        row.put(LEFT, row.get("h0"))

    def step(self, row: Row) -> None:
        walk = row.walk
        x = walk.add(row.get(PRODUCT), row.get("x"))
        kind = dtypes.float64 if walk.tile.type == "double" else dtypes.float32
        h = tanh(walk, x) if self.function == "tanh" else choice.maximum(walk, kind, x, walk.const(0, x.type))
        row.put(LEFT, h)
        row.put("hidden", h)


class Backward(Cell):
    """The product carries the gradient of the state."""

    gates = 1
    operands = ("from_hidden", "w", "hidden")
    results = ("d_x", "d_h0")
    backward = True

    def __init__(self, function: str) -> None:
        self.function = function

    def begin(self, row: Row) -> None:
        row.put(PRODUCT, row.walk.const(0, row.walk.tile.vector))

    def step(self, row: Row) -> None:
        walk = row.walk
        h = row.get("hidden")
        d_h = walk.add(row.get(PRODUCT), row.get("from_hidden"))
        one = walk.const(1, h.type)
        slope = walk.select(walk.compare("ogt", h, 0), one, 0)
        if self.function == "tanh":
            slope = one_less(walk, walk.mul(h, h))
        d = walk.mul(slope, d_h)
        row.put(LEFT, d)
        row.put("d_x", d)

    def end(self, row: Row) -> None:
        row.put("d_h0", row.get(PRODUCT))


__all__ = ["Backward", "Forward"]

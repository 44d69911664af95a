"""Long short-term memory, a vector of one sequence at one step: formulas in ``zerograd.ops.recurrent.lstm``."""

from __future__ import annotations

from zerograd.engines.native.emit import Function, Value
from zerograd.engines.native.mathematics import sigmoid, tanh
from zerograd.engines.native.recurrent.walk import LEFT, PRODUCT, Cell, Row


def one_less(f: Function, x: Value) -> Value:
    """1 - x"""
    return f.sub(f.const(1, x.type), x)


class Forward(Cell):
    """Gates i, f, g, o."""

    gates = 4
    operands = ("x", "h0", "c0", "w")
    results = ("hidden", "cells", "gates")
    carried = ("c",)

    def begin(self, row: Row) -> None:
        row.put(LEFT, row.get("h0"))
        row.put("c", row.get("c0"))

    def step(self, row: Row) -> None:
        walk = row.walk
        i, f, g, o = (walk.add(row.get(PRODUCT, k), row.get("x", k)) for k in range(4))
        i, f, g, o = sigmoid(walk, i), sigmoid(walk, f), tanh(walk, g), sigmoid(walk, o)
        c = walk.muladd(i, g, walk.mul(f, row.get("c")))
        h = walk.mul(tanh(walk, c), o)
        for k, gate in enumerate((i, f, g, o)):
            row.put("gates", gate, k)
        row.put("c", c)
        row.put("cells", c)
        row.put(LEFT, h)
        row.put("hidden", h)


class Backward(Cell):
    """The product carries the gradient of the state, ``c`` that of the cell.

    Args:
        from_cells: whether gradients come in at the cells too.
    """

    gates = 4
    results = ("d_gates", "d_h0", "d_c0")
    carried = ("c",)
    backward = True
    before = {"c_before": ("cells", "c0")}

    def __init__(self, from_cells: bool) -> None:
        self.from_cells = from_cells
        self.operands = ("from_hidden", "from_cells", "w", "c0", "cells", "gates")
        if not from_cells:
            self.operands = tuple(name for name in self.operands if name != "from_cells")

    def begin(self, row: Row) -> None:
        zero = row.walk.const(0, row.walk.tile.vector)
        row.put(PRODUCT, zero)
        row.put("c", zero)

    def step(self, row: Row) -> None:
        walk = row.walk
        i, f, g, o = (row.get("gates", k) for k in range(4))
        d_h = walk.add(row.get(PRODUCT), row.get("from_hidden"))
        s = tanh(walk, row.get("cells"))
        d_c = walk.muladd(walk.mul(d_h, o), one_less(walk, walk.mul(s, s)), row.get("c"))
        if self.from_cells:
            d_c = walk.add(d_c, row.get("from_cells"))

        def at(gate: Value, *factors: Value) -> Value:
            slope = walk.mul(one_less(walk, gate), gate)
            for one in factors:
                slope = walk.mul(slope, one)
            return slope

        d_g = walk.mul(walk.mul(one_less(walk, walk.mul(g, g)), i), d_c)
        gradients = at(i, g, d_c), at(f, row.get("c_before"), d_c), d_g, at(o, s, d_h)
        for k, x in enumerate(gradients):
            row.put(LEFT, x, k)
            row.put("d_gates", x, k)
        row.put("c", walk.mul(d_c, f))

    def end(self, row: Row) -> None:
        row.put("d_h0", row.get(PRODUCT))
        row.put("d_c0", row.get("c"))


__all__ = ["Backward", "Forward", "one_less"]

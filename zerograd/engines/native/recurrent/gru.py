"""The gated recurrent unit, a vector of one sequence at one step: formulas in ``zerograd.ops.recurrent.gru``."""

from __future__ import annotations

from zerograd.engines.native.mathematics import sigmoid, tanh
from zerograd.engines.native.recurrent.lstm import one_less
from zerograd.engines.native.recurrent.walk import LEFT, PRODUCT, Cell, Row


class Forward(Cell):
    """Gates r, z, n, and m, the third part of the product with its bias. The state is the left side of the product."""

    gates = 3
    operands = ("x", "h0", "w", "b")
    results = ("hidden", "gates")

    def begin(self, row: Row) -> None:
        row.put(LEFT, row.get("h0"))

    def step(self, row: Row) -> None:
        walk = row.walk
        r, z = (sigmoid(walk, walk.add(row.get(PRODUCT, k), row.get("x", k))) for k in range(2))
        m = walk.add(row.get(PRODUCT, 2), row.get("b"))
        n = tanh(walk, walk.add(walk.mul(r, m), row.get("x", 2)))
        h = walk.add(walk.mul(walk.sub(row.get(LEFT), n), z), n)
        for k, gate in enumerate((r, z, n, m)):
            row.put("gates", gate, k)
        row.put(LEFT, h)
        row.put("hidden", h)


class Backward(Cell):
    """The product carries the gradient of the state."""

    gates = 3
    operands = ("from_hidden", "w", "h0", "hidden", "gates")
    results = ("d_x", "d_product", "d_h0")
    backward = True
    accumulates = True
    before = {"h_before": ("hidden", "h0")}

    def begin(self, row: Row) -> None:
        row.put(PRODUCT, row.walk.const(0, row.walk.tile.vector))

    def step(self, row: Row) -> None:
        walk = row.walk
        r, z, n, m = (row.get("gates", k) for k in range(4))
        d_h = walk.add(row.get(PRODUCT), row.get("from_hidden"))
        d_n = walk.mul(walk.mul(one_less(walk, walk.mul(n, n)), one_less(walk, z)), d_h)
        d_r = walk.mul(walk.mul(walk.mul(one_less(walk, r), r), m), d_n)
        d_z = walk.mul(walk.mul(walk.mul(one_less(walk, z), z), walk.sub(row.get("h_before"), n)), d_h)
        for k, x in enumerate((d_r, d_z, d_n)):
            row.put("d_x", x, k)
        for k, x in enumerate((d_r, d_z, walk.mul(d_n, r))):
            row.put("d_product", x, k)
            row.put(LEFT, x, k)
        row.put(PRODUCT, walk.mul(d_h, z))

    def end(self, row: Row) -> None:
        row.put("d_h0", row.get(PRODUCT))


__all__ = ["Backward", "Forward"]

"""Recurrent layers in a graph: operands where they lie, as long as each row is contiguous."""

from __future__ import annotations

from zerograd.engines.native.kernel import Access
from zerograd.engines.native.lower import Lowering, special
from zerograd.engines.native.products.matrix import Matrix
from zerograd.engines.native.recurrent.plan import Shape, Steps, plan
from zerograd.engines.native.windows import Window
from zerograd.ir.graph import Node, output
from zerograd.shapes import count

TYPES = {"float32": "float", "float64": "double", "float16": "half", "bfloat16": "bfloat"}

# The op's operands and results, in its order, as its cell calls them.
NAMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "lstm": (("x", "h0", "c0", "w"), ("hidden", "cells", "gates")),
    "lstm_gradient": (("from_hidden", "from_cells", "w", "c0", "cells", "gates"), ("d_gates", "d_h0", "d_c0")),
    "gru": (("x", "h0", "w", "b"), ("hidden", "gates")),
    "gru_gradient": (("from_hidden", "w", "h0", "hidden", "gates"), ("d_x", "d_product", "d_h0")),
    "rnn": (("x", "h0", "w"), ("hidden",)),
    "rnn_gradient": (("from_hidden", "w", "hidden"), ("d_x", "d_h0")),
}


@special(*NAMES)
def _recurrent(lowering: Lowering, node: Node) -> bool:
    names, results = NAMES[node.op.name]
    given = dict(zip(names, node.inputs, strict=True))
    weight = given.pop("w")
    type = TYPES.get(weight.dtype.name)
    types = node.type if isinstance(node.type, tuple) else (node.type,)
    if type is None or not all(one.count for one in types):
        return False
    if "from_cells" in given and not given["from_cells"].shape[0]:
        del given["from_cells"]
    windows = {name: _rows_contiguous(lowering, one) for name, one in given.items()}
    targets = [lowering.new_window(one) for one in types]
    windows |= zip(results, targets, strict=True)
    steps, batch = types[0].shape[:2]
    w = lowering.window(weight)
    lowering.steps.extend(
        plan(
            node.op.name, _settings(node, given), Shape(steps, batch, weight.shape[1]),
            {name: _steps(window) for name, window in windows.items()},
            Matrix(w.buffer, w.byte_offset, w.shape, w.strides, type, lowering.buffers[w.buffer].nbytes), type,
            lambda nbytes: lowering.buffer(nbytes).index, reverse=node.attributes["reverse"],
        )
    )  # fmt: skip
    if isinstance(node.type, tuple):
        for user in lowering.users.get(node, ()):
            if user.op is output:
                lowering.place(user, targets[user.attributes["index"]])
    else:
        lowering.place(node, targets[0])
    return True


def _settings(node: Node, given: dict[str, Node]) -> tuple[object, ...]:
    """What the cell of this node is made with."""
    if node.op.name == "lstm_gradient":
        return ("from_cells" in given,)
    return (node.attributes["function"],) if "function" in node.attributes else ()


def _rows_contiguous(lowering: Lowering, node: Node) -> Window:
    window = lowering.window(node)
    return window if window.strides[-1] == 1 or window.shape[-1] == 1 else lowering.whole(node)


def _steps(window: Window) -> Steps:
    """Axes that are missing are shared: [T, N, H], [N, H] and [H] all stand for [T, N, H]."""
    missing = 3 - len(window.shape)
    step, row = ((0,) * missing + window.strides)[:2]
    by = window.dtype.itemsize
    assert count(window.shape)
    return Steps(Access(window.buffer, 1, window.byte_offset), step * by, row * by)


__all__ = ["NAMES"]

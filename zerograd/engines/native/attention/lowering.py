"""Attention in a graph: operands where they lie, as long as each row is contiguous."""

from __future__ import annotations

from zerograd.engines.native.attention.plan import KINDS, Shape, plan
from zerograd.engines.native.lower import Lowering, special
from zerograd.engines.native.moving import place_to_write
from zerograd.engines.native.products.matrix import Matrix
from zerograd.engines.native.windows import Window
from zerograd.ir.graph import Node, output
from zerograd.ops.attention import INSIDE, inside
from zerograd.shapes import count

TYPES = {"float32": "float", "float64": "double", "float16": "half", "bfloat16": "bfloat", "bool": "bool"}

# The op's operands and results, in its order, as its kernel calls them.
NAMES = {
    "attention": (("q", "k", "v", "mask"), ("out", "statistics")),
    "attention_gradient": (("g", "q", "k", "v", "mask", "out", "statistics"), ("d_q", "d_k", "d_v")),
}
TURNED = ("g", "out", "d_q", "d_k", "d_v")  # the heads are inside


@special(*KINDS)
def _attend(lowering: Lowering, node: Node) -> bool:
    names, results = NAMES[node.op.name]
    given = dict(zip(names, node.inputs, strict=True))
    mask = given["mask"]
    if mask.rank != 4:
        del given["mask"]
    types = node.type if isinstance(node.type, tuple) else (node.type,)
    q, k, v = (given[word].shape for word in "qkv")
    if not all(map(count, (q, k, v))):
        return False
    made = {user.attributes["index"]: user for user in lowering.users.get(node, ()) if user.op is output}
    targets = [
        place_to_write(lowering, made[i]) if i in made and made[i] not in lowering.kept else lowering.new_window(one)
        for i, one in enumerate(types)
    ]
    windows = {word: _rows_contiguous(lowering, one) for word, one in given.items()}
    windows |= zip(results, targets, strict=True)
    lowering.steps.extend(
        plan(
            node.op.name, Shape(q[0], q[1], q[2], k[2], q[3], v[3]),
            {word: _matrix(lowering, word, window) for word, window in windows.items()}, TYPES[given["q"].dtype.name],
            TYPES[mask.dtype.name] if "mask" in given else None, causal=node.attributes["causal"],
            scale=node.attributes["scale"], new_buffer=lambda nbytes: lowering.buffer(nbytes).index,
        )
    )  # fmt: skip
    lowering.place_results(node, targets)
    return True


def _rows_contiguous(lowering: Lowering, node: Node) -> Window:
    window = lowering.window(node)
    return window if window.strides[-1] == 1 or window.shape[-1] == 1 else lowering.whole(node)


def _matrix(lowering: Lowering, word: str, window: Window) -> Matrix:
    """The operand as [sequence, head, row, column]."""
    shape, strides = window.shape, window.strides
    if word == "statistics":
        shape, strides = (*shape[:2], 1, shape[2]), (*strides[:2], 0, strides[2])
    elif word in TURNED:
        shape, strides = inside(shape), tuple(strides[axis] for axis in INSIDE)
    type, nbytes = TYPES[window.dtype.name], lowering.buffers[window.buffer].nbytes
    return Matrix(window.buffer, window.byte_offset, shape, strides, "i8" if type == "bool" else type, nbytes)


__all__ = ["NAMES"]

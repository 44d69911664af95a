"""Products of matrices in a graph: operands where they lie, whatever their strides."""

from __future__ import annotations

from math import prod

from zerograd.engines.native.endings import Ended
from zerograd.engines.native.lower import Lowering, special
from zerograd.engines.native.products.finish import NOTHING
from zerograd.engines.native.products.matrix import Matrix
from zerograd.engines.native.products.plan import plan, takes_ending
from zerograd.engines.native.windows import Window, merged
from zerograd.ir.graph import Node

TYPES = {"float32": "float", "float64": "double", "float16": "half", "bfloat16": "bfloat"}
MOST_BATCH_AXES = 2
ROWS_OF_CALL = 48  # with fewer rows, the panels of the other operand are loaded more often than used
ROWS_OF_GRADIENT = 128  # the same where the left operand is packed: transposed, as for the gradient of a weight


def _joined(lowering: Lowering, *windows: Window) -> list[Window] | None:
    """The windows with their batch axes joined where all of them allow it; ``None``: too many remain."""
    shape = windows[0].shape[:-2]
    blocks = merged(list(zip(shape, zip(*(one.strides[:-2] for one in windows), strict=True), strict=True)))
    if len(blocks) > MOST_BATCH_AXES:
        return None
    sizes = tuple(n for n, _ in blocks)
    return [
        one.seen((*sizes, *one.shape[-2:]), (*(strides[i] for _, strides in blocks), *one.strides[-2:]))
        for i, one in enumerate(windows)
    ]


def _matrix(lowering: Lowering, window: Window, type: str) -> Matrix:
    nbytes = lowering.buffers[window.buffer].nbytes
    return Matrix(window.buffer, window.byte_offset, window.shape, window.strides, type, nbytes)


@special("matmul")
def _matmul(lowering: Lowering, node: Node) -> bool:
    type = TYPES.get(node.dtype.name)
    if type is None or not prod(node.shape):
        return False
    x, y = (lowering.window(one) for one in node.inputs)
    target = lowering.new_window(node.type)
    windows = _joined(lowering, x, y, target)
    if windows is None:
        windows = _joined(lowering, lowering.whole(node.inputs[0]), lowering.whole(node.inputs[1]), target)
        assert windows is not None, "contiguous batches are one axis"
    a, b, c = (_matrix(lowering, one, type) for one in windows)
    ended = _ended(lowering, node, a, b, c)
    ending = ended.ending if ended else NOTHING
    steps = plan(a, b, c, lambda nbytes: lowering.buffer(nbytes).index, ending=ending)
    for one in steps:
        if one.units == prod(node.shape[:-1]) and one.writes[-1].buffer == target.buffer:  # rows of the result
            one.grain = ROWS_OF_GRADIENT if a.strides[-2] == 1 else ROWS_OF_CALL
    lowering.steps.extend(steps)
    lowering.place(ended.main if ended else node, target)
    return True


def _ended(lowering: Lowering, node: Node, a: Matrix, b: Matrix, c: Matrix) -> Ended | None:
    """The product with the group that is to end it; if that cannot be, the group is left to a kernel of its own."""
    group = lowering.endings.get(node)
    if group is None:
        return None
    fits = takes_ending(a, b, c) and Ended.is_possible(lowering, node, group)
    return Ended(lowering, node, group) if fits else None

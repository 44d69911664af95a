"""What a graph will cost, before there are any kernels: enough to tell a small program from a large one.

A small program is one task (``schedule``). Its kernels need not leave work to others, so they need no division that
costs something itself. The estimate depends on the graph alone; so do the bits.
"""

from __future__ import annotations

from collections.abc import Iterable

from zerograd.engines.native import values
from zerograd.engines.native.fusion import is_elementwise
from zerograd.engines.native.threads import ALONE
from zerograd.engines.native.windows import MOVES
from zerograd.ir.graph import Node, leaf, output
from zerograd.shapes import count

NANOSECONDS = 0.05  # that a cheap operation takes for each element
OPERATIONS = 60  # of a product, in a nanosecond


def is_small(order: Iterable[Node]) -> bool:
    """Whether the nodes are so little work that one thread does it all. Ops of unknown cost are never small."""
    total = 0.0
    for node in order:
        cost = _cost(node)
        if cost is None:
            return False
        total += cost
        if total > ALONE:
            return False
    return True


def _cost(node: Node) -> float | None:
    """Nanoseconds, roughly."""
    if node.op in (leaf, output) or node.constant or node.op.name in MOVES:
        return 0.0
    if node.op.name == "matmul":
        return 2 * count(node.shape) * node.inputs[0].shape[-1] / OPERATIONS
    if node.op.name in values.FOLDS:
        return count(node.inputs[0].shape) * NANOSECONDS
    return count(node.shape) * values.price(node) * NANOSECONDS if is_elementwise(node) else None


__all__ = ["is_small"]

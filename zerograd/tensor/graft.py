"""Values changed behind the back of their history, as through ``x.detach()``: the history stays what it was."""

from __future__ import annotations

from zerograd.ir.graph import Node, variable
from zerograd.ir.record import Edge, grad_mode
from zerograd.ir.trace import Point
from zerograd.ops.elementwise import graft, stop


def grafted(value: Node, history: Node) -> Node:
    """A value with a history from elsewhere."""
    with grad_mode(True):
        return graft(stop(value) if value.tracked else value, history)


def origin(point: Point | None) -> Point | None:
    """Where the history of a value was recorded that has since been changed without it."""
    while point is not None and point.node.op is graft and point.node.call is None:  # with a call it is a step of it
        behind = point.node.inputs[1]
        source = point.trace.sources[behind] if behind.op is variable else None
        point = source.point if isinstance(source, Edge) else Point(point.trace, behind)
    return point

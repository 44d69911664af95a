"""``grad_fn``: the history of a tensor as PyTorch shows it."""

from __future__ import annotations

from typing import Any

from zerograd.ir.graph import Node, variable
from zerograd.ir.record import Edge
from zerograd.ir.trace import Point


class GradFn:
    """One call in a tensor's history.

    Two are equal when they stand for the same call in the same recording.
    """

    def __init__(self, point: Point) -> None:
        self._point = point

    def name(self) -> str:
        """E.g. ``MulBackward0``."""
        name = name_at(self._point)
        return f"torch::autograd::{name}" if name in _IN_NAMESPACE else name

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """(function, output number) for each operand that can have a history; ``None`` for one that has none."""
        trace, node = self._point.trace, self._point.node
        parents = node.call.parents if node.call else tuple(one for one in node.inputs if one.tracked)
        return tuple((one and grad_fn_at(Point(trace, one)), 0) for one in parents)

    @property
    def metadata(self) -> dict[str, Any]:
        return {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GradFn) and self._point == other._point

    def __hash__(self) -> int:
        return hash(self._point)

    def __repr__(self) -> str:
        return f"<{self.name().rpartition(':')[2]} object at {hash(self._point) & 0xFFFFFFFFFFFF:#x}>"


class AccumulateGrad(GradFn):
    """The end of a history: the leaf whose ``.grad`` is added to."""

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        return ()

    @property
    def variable(self) -> Any:
        """The leaf tensor."""
        return self._point.trace.sources[self._point.node].tensor()  # pyright: ignore[reportAttributeAccessIssue]

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {hash(self._point) & 0xFFFFFFFFFFFF:#x}>"


def grad_fn_at(point: Point | None) -> GradFn | None:
    """The history at a point; a value from an older trace is looked up there."""
    while point is not None and point.node.op is variable:
        source = point.trace.sources[point.node]
        if isinstance(source, Edge):
            point = source.point
        else:
            made = getattr(source, "grad_fn", None)
            return made if made is not None else AccumulateGrad(point)
    return None if point is None else GradFn(point)


def name_at(point: Point) -> str:
    """As it is printed."""
    node: Node = point.node
    return node.call.name if node.call else f"{node.op.name.title()}Backward0"


_IN_NAMESPACE = frozenset({"CopyBackwards", "CopySlices"})  # whose full name says where PyTorch has them

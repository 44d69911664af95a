"""What becomes of ``.grad`` of the leaves that a step touches."""

from __future__ import annotations

from typing import Any

from zerograd.ir.graph import Node
from zerograd.ir.trace import Trace
from zerograd.program.results import New, Results, Unknown, Window
from zerograd.tensor.leaf import Arrived, GradLeaf


class Gradients:
    """``.grad`` of the leaves: as the step finds it, and as it leaves it.

    Attributes:
        tensors: the leaf tensors.
        needs: for each, whether it must have a gradient before the step; ``None``: that makes no difference.
        leaves: the node that it has as gradient afterwards, or how to make that; ``None``: none; ``True``: the one it
            had.
    """

    def __init__(self, before: Gradients | None) -> None:
        """The gradients as they are now, of the tensors that an earlier run has touched."""
        self.tensors: list[Any] = [] if before is None else list(before.tensors)
        self.found: dict[int, Any] = {id(tensor): tensor.grad for tensor in self.tensors}
        self.needs: list[bool | None] = []
        self.leaves: list[Any] = []
        self.complete = before is not None

    def storages(self) -> list[tuple[Any, Any]]:
        """The tensors that have a gradient before the step, and its storage."""
        pairs = [(tensor, self.found[id(tensor)]) for tensor in self.tensors]
        return [(tensor, grad._storage) for tensor, grad in pairs if grad is not None and not grad._steps]

    def taken(self, trace: Trace, cleared: dict[int, Any], used: bool, results: Results) -> Gradients:
        """Looks at the gradients after the step, which may have used those of before."""
        idle = not used and not trace.freed
        known = set(map(id, self.tensors))
        touched = {id(tensor): tensor for tensor in cleared.values()}
        for source in trace.sources.values():
            if isinstance(source, GradLeaf):
                tensor: Any = source.tensor()
                if tensor is not None:
                    touched.setdefault(id(tensor), tensor)
        self.complete &= known == touched.keys()
        self.tensors = list(touched.values())
        for tensor in self.tensors:
            found = self.found.get(id(tensor))
            self.needs.append(None if idle or id(tensor) in cleared else found is not None)
            try:
                self.leaves.append(self._left(tensor, found, trace, results))
            except Unknown:
                if self.complete:
                    raise
        return self

    @staticmethod
    def _left(tensor: Any, found: Any, trace: Trace, results: Results) -> Node | Window | bool | None:
        grad = tensor._grad
        if grad is None:
            return None
        if grad is found:
            return True
        if isinstance(grad, Arrived):
            if grad.serial != trace.serial:
                return True
            return grad.nodes[tensor._leaf]
        made = results.of_tensor(grad)
        if isinstance(made, New):
            return made.node
        if isinstance(made, Window) and isinstance(made.storage, int) and not made.facts:
            return made
        raise Unknown("it leaves a tensor in .grad that is not a new gradient")

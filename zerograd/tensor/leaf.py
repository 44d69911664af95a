"""Leaf tensors as the tape sees them: where gradients arrive.

The ledger of gradients will be kept from here: every contribution to a ``.grad`` passes ``GradLeaf``.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from zerograd.ir.graph import Array, Node
from zerograd.ir.record import Value, call, grad_mode, recorder, traces
from zerograd.ir.trace import Values
from zerograd.ops.elementwise import add
from zerograd.tape import backward as tape
from zerograd.tensor.base import TensorBase


class GradLeaf(tape.Leaf):
    """The source behind a leaf tensor: its gradient and its hooks.

    Attributes:
        node: the variable that stood for the tensor in trace ``serial``, when its storage had ``version``.
        bound, index: the leaf behind that variable, and how many sources of history there were before it; a step
            that does the same again meets the same variable.
    """

    node: Node
    bound: Node | None = None
    index = -1
    serial = 0
    version = -1

    def __init__(self, tensor: TensorBase) -> None:
        self.tensor = weakref.ref(tensor)
        self.hooks: dict[int, Any] = {}
        self.post_hooks: dict[int, Any] = {}

    def seen(self, grad: Value) -> Value:
        for hook in list(self.hooks.values()):
            grad = hook(grad) or grad
        return grad

    def accept(self, grad: Value, create_graph: bool) -> None:
        self._add(grad.read(), create_graph)
        tensor = self.tensor()
        for hook in list(self.post_hooks.values()):
            with grad_mode(False):
                hook(tensor)

    def _add(self, grad: Node, create_graph: bool) -> None:
        tensor: Any = self.tensor()
        if tensor is None or tensor._leaf is not self:  # dead, or frozen since
            return
        before = tensor.grad
        if before is None:
            tensor._grad = TensorBase.of_node(grad)
        elif create_graph:
            tensor._grad = before + TensorBase.of_node(grad)
        else:
            with grad_mode(False):
                before._assign(call(_sum_of_two, (before._node(), grad)))

    @staticmethod
    def take(grads: dict[GradLeaf, Node]) -> bool:
        arrived = Arrived(grads)
        for leaf in grads:
            tensor = leaf.tensor()
            if leaf.hooks or leaf.post_hooks or (tensor is not None and tensor._grad is not None):
                arrived.withdraw()
                return False
            if tensor is not None and tensor._leaf is leaf:  # else dead, or frozen since
                tensor._grad = arrived
        return True


class Arrived:
    """The gradients that one backward pass has brought to many leaves.

    It stands in ``_grad`` of each until somebody asks for that gradient, which then becomes a tensor. An optimizer
    takes all of them at once.

    Attributes:
        nodes: what they are in the trace numbered ``serial``.
        arrays: once that has been computed, those that nobody had asked for then.
    """

    __slots__ = ("__weakref__", "arrays", "nodes", "serial")

    def __init__(self, nodes: dict[GradLeaf, Node]) -> None:
        trace = recorder.own.trace
        self.nodes = nodes
        self.arrays: dict[GradLeaf, Array] = {}
        self.serial = trace.serial
        trace.arrivals.append(self)

    def nodes_of(self, leaves: Sequence[Any]) -> tuple[Node, ...]:
        """The gradients of many leaves."""
        return tuple(map(self.nodes.__getitem__, leaves))

    def tensor_of(self, leaf: GradLeaf) -> Any:
        """The gradient of one leaf, as a tensor."""
        array = self.arrays.pop(leaf, None)
        if array is not None:
            return TensorBase.of_computed(self.nodes[leaf], self.serial, array)
        return TensorBase.of_node(self.nodes[leaf], traces[self.serial])

    def _waiting(self) -> list[tuple[GradLeaf, TensorBase]]:
        """The leaves whose gradient nobody has asked for yet, and their tensors."""
        return [(leaf, tensor) for leaf in self.nodes if (tensor := leaf.tensor()) is not None and tensor._grad is self]

    def withdraw(self) -> None:
        """Undo its arrival, of which nobody knows yet."""
        for _, tensor in self._waiting():
            tensor._grad = None
        traces[self.serial].arrivals.remove(self)

    def settle(self) -> None:
        """Make tensors with storages of those that are still waiting: the trace can't be computed as a whole."""
        for leaf, tensor in self._waiting():
            tensor._grad = grad = self.tensor_of(leaf)
            grad._anchor()

    def values(self) -> Values:
        """Those that are still waiting, to be computed with the trace."""
        return Waiting(self, [leaf for leaf, _ in self._waiting()])


class Waiting:
    """Gradients that have arrived, and that nobody has asked for when their trace is computed (``ir.trace.Values``)."""

    def __init__(self, arrived: Arrived, leaves: list[GradLeaf]) -> None:
        self.arrived, self.leaves = arrived, leaves
        self.nodes = tuple([arrived.nodes[leaf] for leaf in leaves])
        self.serial = arrived.serial

    @property
    def buffers(self) -> Any:
        """Their arrays, once computed."""
        arrays = self.arrived.arrays
        return [arrays[leaf] for leaf in self.leaves] if arrays else None

    @buffers.setter
    def buffers(self, arrays: Any) -> None:
        self.arrived.arrays = dict(zip(self.leaves, arrays, strict=True))

    def dissolve(self) -> None:
        """Make tensors of them."""
        self.arrived.settle()


def arrived_together(grads: Sequence[Any]) -> Arrived | None:
    """What one backward pass has brought, if that is what stands in all these ``_grad``, else ``None``."""
    first = grads[0] if grads else None
    if isinstance(first, Arrived) and all([one is first for one in grads]):  # noqa: C419  faster
        return first
    return None


def _sum_of_two(before: Node, new: Node) -> Node:
    return add(before, new)

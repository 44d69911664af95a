"""From a graph to instructions: groups become row kernels, other nodes the kernels of their kind or NumPy calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zerograd.engines import describing
from zerograd.engines.native.buffers import CONSTANT, LEAF, NUMBER, REFERENCE, STATUS, TEMPORARY, Buffer
from zerograd.engines.native.endings import endings
from zerograd.engines.native.estimating import is_small
from zerograd.engines.native.fusion import Fusion, Group
from zerograd.engines.native.kernel import Access, Instruction
from zerograd.engines.native.planning import RowPlanner
from zerograd.engines.native.windows import Window, memory_dtype, window_of
from zerograd.ir.graph import Array, Node, leaf, output
from zerograd.ir.traverse import topological
from zerograd.shapes import count

LARGEST_CONSTANT = 1 << 22  # bytes of an array that a program computes once and keeps


class Reference:
    """A node that NumPy computes: from the windows it reads to the buffers it fills."""

    __slots__ = ("inputs", "node", "outputs")

    def __init__(self, node: Node, inputs: Sequence[Window], outputs: Sequence[Window]) -> None:
        self.node, self.inputs, self.outputs = node, tuple(inputs), tuple(outputs)


Step = Instruction | Reference


class Lowering:
    """The steps that compute a graph, and the buffers they use.

    Attributes:
        steps: in an order in which they can be done.
        buffers: by number.
        results: for each output its window.
        checked: (buffer, offset, rows) of the places that some kernel looks at, and reports if they are wrong.
        kept: the outputs of the program.
        small: one thread will do it all: what is divided among threads otherwise need not be.
        written: (node, part): parts that have been written where the node has them.
        endings: products that may be computed together with a group, and that group.
    """

    def __init__(self, outputs: tuple[Node, ...]) -> None:
        self.steps: list[Step] = []
        self.buffers: list[Buffer] = []
        self.buffer(64, STATUS)
        self.checked: set[tuple[int, int, int]] = set()
        self.written: set[tuple[Node, Node]] = set()
        self.kept = frozenset(outputs)
        self._reserved: dict[Node, Window] = {}
        self._windows: dict[Node, Window] = {}
        self.order = topological(outputs)
        self.small = is_small(self.order)
        self.users = _users(self.order)
        self.fusion = Fusion(self.order)
        self.needed = self._needed(outputs)
        self.rows = RowPlanner(self)
        self.endings = {} if self.small else endings(self.fusion, self.order, outputs)
        self._ended = {group: product for product, group in self.endings.items()}
        for group in self.fusion.groups:
            try:
                self._lower(group)
            except Exception as error:
                error.add_note(describing.title(tuple(group.place)))
                raise
        self.results = [self.whole(node) for node in outputs]

    # --- buffers ---------------------------------------------------------------------------------------------

    def buffer(self, nbytes: int, kind: str = TEMPORARY, detail: Any = None, dtype: Any = None) -> Buffer:
        """A new buffer."""
        made = Buffer(len(self.buffers), nbytes, kind, detail, dtype)
        self.buffers.append(made)
        return made

    def new_window(self, node_type: Any) -> Window:
        """A new temporary for a value of this type."""
        dtype = memory_dtype(node_type)
        made = self.buffer(max(node_type.count, 1) * dtype.itemsize)
        return Window.whole(made.index, dtype, node_type.shape)

    def reserved(self, node: Node) -> Window:
        """The temporary in which a node will lie, before or when it is computed."""
        found = self._reserved.get(node)
        if found is None:
            found = self._reserved[node] = self.new_window(node.type)
        return found

    def constant(self, array: Array, dtype: Any) -> Window:
        """A buffer that holds this array."""
        array = np.ascontiguousarray(array)
        made = self.buffer(array.nbytes, CONSTANT, array)
        return Window.whole(made.index, dtype, array.shape)

    # --- values ----------------------------------------------------------------------------------------------

    def window(self, node: Node) -> Window:
        """Where a node's value lies, as it is seen through movements."""
        base, seen = self.fusion.base(node)
        found = self._windows.get(base)
        if found is None:
            found = self._windows[base] = self._source(base)
        if base is node:
            return found
        if found.contiguous:
            return Window(found.buffer, found.dtype, seen.shape, seen.strides, seen.offset + found.offset)
        inner = self.window(node.inputs[0])
        moved = window_of(node, inner)
        assert moved is not None, "a window of a window that lies in another order"
        return moved

    def place(self, node: Node, window: Window) -> None:
        """Says where a computed node lies."""
        self._windows[node] = window

    def place_results(self, node: Node, windows: Sequence[Window]) -> None:
        """Says where a computed node of one or several results lies; windows for those that are used will do."""
        if not isinstance(node.type, tuple):
            self.place(node, windows[0])
            return
        for user in self.users.get(node, ()):
            if user.op is output:
                self.place(user, windows[user.attributes["index"]])

    def whole(self, node: Node) -> Window:
        """Where a node's value lies in row-major order; it is copied if it does not."""
        window = self.window(node)
        return window if window.contiguous else self.copied(window)

    def access(self, window: Window, slabs: int) -> Access:
        """How a kernel uses a window in row-major order: in slabs, if it fills its buffer, and otherwise as a whole."""
        nbytes = count(window.shape) * window.dtype.itemsize
        fills = self.buffers[window.buffer].nbytes == nbytes
        return Access(window.buffer, slabs if fills else 1, window.byte_offset)

    def copied(self, window: Window) -> Window:
        """The elements of a window in row-major order in a buffer of their own."""
        made = self.buffer(max(int(np.prod(window.shape)), 1) * window.dtype.itemsize)
        target = Window.whole(made.index, window.dtype, window.shape)
        self.steps.append(self.rows.copy(window, target))
        return target

    def _source(self, node: Node) -> Window:
        """A leaf, a constant that is not part of a kernel, or a number that some kernel cannot convert itself."""
        if node in self.fusion.numbers:
            target = self.new_window(node.type)
            self.steps.append(self.rows.converted(node, target))
            return target
        if node.op is leaf:
            dtype = memory_dtype(node.type)
            kind = NUMBER if node.type.weak and not dtype.is_complex else LEAF
            made = self.buffer(max(node.type.count, 1) * dtype.itemsize, kind, node.attributes["slot"], dtype)
            return Window.whole(made.index, dtype, node.shape)
        if node.op.name == "full":
            dtype = memory_dtype(node.type)
            array = np.full((1,), node.attributes["fill"], dtype.numpy)
            return self.constant(array, dtype).seen(node.shape, (0,) * len(node.shape))
        raise AssertionError(f"{node.op.name} is used before it is computed")

    def _needed(self, outputs: Sequence[Node]) -> set[Node]:
        """The computed nodes that must lie in memory: those used outside their group, and the outputs'."""
        needed = {self.fusion.base(node)[0] for node in outputs}
        for node in self.order:
            if node in self.fusion.seen:
                continue
            for one in node.inputs:
                base, _ = self.fusion.base(one)
                if self.fusion.home.get(base) is not self.fusion.home.get(node):
                    needed.add(base)
        return needed

    # --- groups ------------------------------------------------------------------------------------------------

    def _lower(self, group: Group) -> None:
        nodes = tuple(group.place)
        if not self.endings.keys().isdisjoint(nodes):
            return  # computed when it is the turn of the group that ends it
        before = len(self.steps)
        product = self._ended.get(group)
        if product is not None:
            self._lower_alone(product)
            nodes = (product, *nodes)
        if product is None or self._windows.keys().isdisjoint(nodes[1:]):
            self._lower_by_itself(group)
        for step in self.steps[before:]:
            if isinstance(step, Instruction):
                step.nodes = nodes

    def _lower_by_itself(self, group: Group) -> None:
        if group.domain is not None:
            self.steps.extend(self.rows.lower(group))
            return
        for node in group.place:
            self._lower_alone(node)

    def _lower_alone(self, node: Node) -> None:
        if node.op is output:
            return  # placed with the node it belongs to
        types = node.type if isinstance(node.type, tuple) else (node.type,)
        if not any(one.count for one in types):
            self.place_results(node, [self.new_window(one) for one in types])
            return
        if node.constant and not isinstance(node.type, tuple) and node.type.nbytes <= LARGEST_CONSTANT:
            value = _evaluated(node)
            if value is not None:
                self.place(node, self.constant(value, node.type.dtype))
                return
        special = SPECIAL.get(node.op.name)
        if special is not None and special(self, node):
            return
        self.by_reference(node)

    def by_reference(self, node: Node) -> None:
        """Leave a node to NumPy."""
        outputs = []
        for type in node.type if isinstance(node.type, tuple) else (node.type,):
            dtype = memory_dtype(type)
            made = self.buffer(max(type.count, 1) * dtype.itemsize, REFERENCE)
            outputs.append(Window.whole(made.index, dtype, type.shape))
        self.steps.append(Reference(node, [self.window(one) for one in node.inputs], outputs))
        self.place_results(node, outputs)


Special = Callable[[Lowering, Node], bool]
SPECIAL: dict[str, Special] = {}
"""Kernels of other kinds than loops over rows, by op; each says whether it could do the node."""


def special(*names: str) -> Callable[[Special], Special]:
    """Registers how nodes of these ops are lowered."""

    def register(function: Special) -> Special:
        for name in names:
            SPECIAL[name] = function
        return function

    return register


def _users(order: Sequence[Node]) -> dict[Node, list[Node]]:
    users: dict[Node, list[Node]] = {}
    for node in order:
        for one in node.inputs:
            users.setdefault(one, []).append(node)
    return users


def _evaluated(node: Node) -> Array | None:
    """The value of a node that depends on nothing; ``None`` if there is none: whoever runs the program is told why."""
    from zerograd.engines import reference

    try:
        return reference.compile((node,))([])[0]
    except Exception:
        return None


__all__ = ["SPECIAL", "Lowering", "Reference", "Step", "special"]

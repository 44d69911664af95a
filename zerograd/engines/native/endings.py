"""Elementwise groups that end a product: computed on tiles of its sums, in registers, before these reach memory.

    out = relu(x @ W.T + bias)         one kernel, where k is short

That saves a pass over the results. In a chain they lie in a cache when that pass comes, so it costs no more than some
multiplications for each element: where k is 16 it is a tenth of both kernels, where k is 256 nothing can be measured.
What an ending reads is the same for all rows or for all columns. A matrix as large as the results is better read by a
kernel that goes through memory in its order: with updates of weights on tiles (k is the batch) steps took longer by a
fifth (SGD) to a half (Adam).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from zerograd.engines.native import values
from zerograd.engines.native.checks import CHECKED
from zerograd.engines.native.domains import Domain
from zerograd.engines.native.emit import Value, lanes
from zerograd.engines.native.fusion import FULL, Fusion, Group
from zerograd.engines.native.kernel import KernelFunction
from zerograd.engines.native.planning import NANOSECONDS
from zerograd.engines.native.products.finish import Ending, Finish, Spot
from zerograd.engines.native.products.matrix import Matrix
from zerograd.engines.native.rowplan import Operand, Plan, described
from zerograd.engines.native.windows import Window, memory_dtype
from zerograd.ir.graph import Node
from zerograd.shapes import Shape, count

if TYPE_CHECKING:
    from zerograd.engines.native.lower import Lowering

DEEPEST = 64  # k
LEAST = 1 << 17  # results: with fewer of them, a kernel of its own is not worth compiling
MOST_NODES = 8  # of a group; its text stands once for each vector of the tile, and for the edges
_BROADCAST = ((0, 0), (0, 1), (1, 0))  # strides of a number; of what is the same for all rows; for all columns


def endings(fusion: Fusion, order: Sequence[Node], outputs: Iterable[Node]) -> dict[Node, Group]:
    """The products that a group can end, nobody else needing their results, with the group."""
    users: dict[Node, list[tuple[Node, Window]]] = {node: [] for node in order if _gains(node)}
    if not users:
        return {}
    for node in order:
        for one in () if node in fusion.seen else node.inputs:
            base, window = fusion.base(one)
            if base in users:
                users[base].append((node, window))
    kept = {fusion.base(node)[0] for node in outputs}
    found: dict[Node, Group] = {}
    for product, several in users.items():
        groups = {fusion.home[node] for node, _ in several if node in fusion.home}
        if product not in kept and len(groups) == 1 and not groups & set(found.values()):
            (group,) = groups
            if _ends(fusion, group, product, [window for _, window in several]):
                found[product] = group
    return found


def _gains(node: Node) -> bool:
    """Whether the pass that an ending saves is a share of the product that can be measured."""
    if node.op.name != "matmul":
        return False
    k = node.inputs[0].shape[-1]
    return 0 < k <= DEEPEST and count(node.shape) >= LEAST and 1 < node.shape[-1] < count(node.shape)


def _ends(fusion: Fusion, group: Group, product: Node, windows: Sequence[Window]) -> bool:
    """Whether a group consists of cheap ops on the product's results, read through ``windows``, and on broadcasts."""
    box = _box(product)
    if group.domain is None or len(group.place) > MOST_NODES or group.domain.count != box.count:
        return False
    for node, place in group.place.items():
        if place != FULL or node.op.name in CHECKED or values.price(node) >= values.EXPENSIVE:
            return False
        for one in node.inputs:
            base, window = fusion.base(one)
            if not _inside(base, product, group) and _strides(box, window) not in _BROADCAST:
                return False
    return all(_strides(box, one) == box.full_strides for one in windows)


def _inside(base: Node, product: Node, group: Group) -> bool:
    """Whether it needs not be read from memory."""
    return base is product or base in group.place or base.op.name == "full"


def _box(product: Node) -> Domain:
    return Domain((count(product.shape[:-1]), product.shape[-1]))


def _strides(box: Domain, window: Window) -> Shape | None:
    return (0, 0) if count(window.shape) == 1 else box.strides(window)


class Ended:
    """A product and the group that ends it, as one kernel in the making.

    Attributes:
        main: the node that becomes the product's result; the group's others are written by the ending.
        ending: what the product's kernel does.
    """

    def __init__(self, lowering: Lowering, product: Node, group: Group) -> None:
        self.lowering, self.product = lowering, product
        self.plan = plan = Plan()
        rows, columns = _box(product).dims
        plan.outer, plan.inner = (rows,), (columns,)
        self.kind = memory_dtype(product.type)
        self.sums = Operand(0, self.kind, (columns,), (1,))
        self.sources: dict[tuple[int, ...], tuple[Operand, Window]] = {}
        for node in sorted(group.place, key=lowering.rows.position.__getitem__):
            self._add(node)
        written = [node for node in plan.order if node in lowering.needed]
        self.main = next(node for node in written if memory_dtype(node.type) is self.kind)
        self.others = [node for node in written if node is not self.main]
        for node in (*self.others, self.main):
            index = 1 + len(self.sources) + len(plan.writes)
            plan.writes[node] = Operand(index, memory_dtype(node.type), (columns,), (1,))
        plan.operands = [self.sums, *(one for one, _ in self.sources.values()), *plan.writes.values()]
        reads = [self._matrix(window, (*one.outer, *one.inner)) for one, window in self.sources.values()]
        writes = [self._matrix(self._placed(node), (columns, 1)) for node in self.others]
        cost = (sum(values.price(node) for node in plan.order) + len(plan.operands)) * NANOSECONDS
        self.ending = Ending(self._epilogue, described(plan), reads, writes, (columns,), cost)

    @staticmethod
    def is_possible(lowering: Lowering, product: Node, group: Group) -> bool:
        """Whether what is read lies well, and something that is needed can take the place of the product's results."""
        box, kind = _box(product), memory_dtype(product.type)
        for one in {one for node in group.place for one in node.inputs}:
            base, _ = lowering.fusion.base(one)
            if not _inside(base, product, group) and _strides(box, lowering.window(one)) not in _BROADCAST:
                return False
        return any(node in lowering.needed and memory_dtype(node.type) is kind for node in group.place)

    def _add(self, node: Node) -> None:
        plan, lowering = self.plan, self.lowering
        plan.order.append(node)
        plan.place[node] = FULL
        for i, x in enumerate(node.inputs):
            base, _ = lowering.fusion.base(x)
            if base.op.name == "full":
                plan.constants[node, i] = base.attributes["fill"]
            elif base is self.product:
                plan.reads[node, i] = self.sums
            elif base in plan.place:
                plan.links[node, i] = base
            else:
                plan.reads[node, i] = self._source(lowering.window(x))

    def _source(self, window: Window) -> Operand:
        strides = _strides(_box(self.product), window)
        assert strides is not None
        key = (window.buffer, window.offset, *strides)
        made = Operand(1 + len(self.sources), window.dtype, strides[:1], strides[1:])
        return self.sources.setdefault(key, (made, window))[0]

    def _placed(self, node: Node) -> Window:
        window = self.lowering.new_window(node.type)
        self.lowering.place(node, window)
        return window

    def _matrix(self, window: Window, strides: Shape) -> Matrix:
        nbytes = self.lowering.buffers[window.buffer].nbytes
        type = values.memory(window.dtype)
        return Matrix(window.buffer, window.byte_offset, _box(self.product).dims, strides, type, nbytes)

    # --- the text ------------------------------------------------------------------------------------------------

    def _epilogue(self, f: KernelFunction, numbers: int) -> Finish:
        plan, columns = self.plan, f.number(numbers)
        sources = [one for one, _ in self.sources.values()]
        places = {one: f.place(1 + one.index) for one in (*sources, *(plan.writes[node] for node in self.others))}
        alone = {
            one: values.load(f, one.dtype, 1, places[one], 0) for one in sources if one.outer + one.inner == (0, 0)
        }

        def finish(f: KernelFunction, x: Value, spot: Spot) -> Value:
            width = lanes(x.type)
            known: dict[Any, Value] = {self.sums: values.rounded(f, x, self.kind)}

            def read(one: Any) -> Value:
                if one.inner == (1,):
                    return values.load(f, one.dtype, width, places[one], spot.column, spot.mask)
                return f.splat(alone.get(one) or values.load(f, one.dtype, 1, places[one], spot.row), width)

            def operand(node: Node, i: int) -> Value:
                if (node, i) in plan.constants:
                    return values.constant(f, node.inputs[i].type, plan.constants[node, i], width)
                source = plan.links.get((node, i)) or plan.reads[node, i]
                if source not in known:
                    known[source] = read(source)
                return known[source]

            for node in plan.order:
                known[node] = values.emit(f, node, [operand(node, i) for i in range(len(node.inputs))], spot.mask)
            for node in self.others:
                one = plan.writes[node]
                at = f.pointer(places[one], f.mul(spot.row, columns), values.memory(one.dtype))
                values.store(f, one.dtype, known[node], at, spot.column, spot.mask)
            return known[self.main]

        return finish


__all__ = ["Ended", "endings"]

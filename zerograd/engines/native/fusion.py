"""Which nodes are computed together: the graph is cut into groups, and each becomes one kernel.

A group is a domain (``domains``) and the nodes that live in it. A node is *full* (a value for each element) or belongs
to *rows* (a value for each row). Reductions fold the inner axes of each row; their results are used in the same group,
as softmax and layer norm do. Folding the outer axes, or all, gives results that are complete only when all rows are
done: such nodes leave the group.

Movement ops belong to no group. They are windows onto what was computed (``windows``), and where no window will do the
movement is a copy, which is an elementwise node.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zerograd.engines.native import values
from zerograd.engines.native.domains import Domain, without_ones
from zerograd.engines.native.windows import MOVES, Window, memory_dtype, window_of
from zerograd.ir.graph import Node, leaf
from zerograd.shapes import Shape, count

FULL, ROWS, COLUMNS, ALL = "full", "rows", "columns", "all"
MOST_NODES = 96
LONGEST_ROW = 1 << 15  # elements of a row that is walked through more than once


class Group:
    """Nodes that one kernel computes.

    Attributes:
        domain: the box; ``None`` for a node by itself that has a kernel of its own kind.
        place: for each node FULL, ROWS, or, for results that need all rows, COLUMNS or ALL.
        before, after: the groups that it needs, and those that need it.
        first, last: the positions of its first and last node in the graph's order.
        latest: the position of the last node of all groups that it needs, directly or not, and of its own.
    """

    def __init__(self, domain: Domain | None, position: int) -> None:
        self.domain = domain
        self.place: dict[Node, str] = {}
        self.before: set[Group] = set()
        self.after: set[Group] = set()
        self.first = self.last = self.latest = position

    def needs(self, others: Iterable[Group]) -> None:
        """Other groups come before this one."""
        for one in others:
            if one is not self:
                self.before.add(one)
                one.after.add(self)
                self.waits_for(one.latest)

    def waits_for(self, position: int) -> None:
        """It needs the node at this position, and so does what needs the group."""
        todo: list[Group] = [self]
        while todo:
            one = todo.pop()
            if one.latest < position:
                one.latest = position
                todo.extend(one.after)

    @property
    def nodes(self) -> list[Node]:
        return list(self.place)

    def __repr__(self) -> str:
        dims = list(self.domain.dims) if self.domain else ""
        return f"<{'+'.join(node.op.name for node in self.place)} {dims}>"


class Fusion:
    """The groups of a graph.

    Attributes:
        groups: in an order in which they can be computed.
        home: the group that computes a node.
        seen: for a node that is a window, the node that it looks at, and how.
        numbers: Python's numbers as another dtype, which no group computes: kernels convert what they read.
    """

    def __init__(self, order: Sequence[Node]) -> None:
        self.home: dict[Node, Group] = {}
        self.seen: dict[Node, tuple[Node, Window]] = {}
        self.numbers: set[Node] = set()
        self._own: dict[Node, tuple[Node, Window]] = {}
        self._groups: list[Group] = []
        for position, node in enumerate(order):
            self._place(node, position)
        self.groups = self._sorted()

    # --- what a node looks at ---------------------------------------------------------------------------------

    def base(self, node: Node) -> tuple[Node, Window]:
        """The computed node behind ``node``, and the window through which it is seen."""
        found = self.seen.get(node) or self._own.get(node)
        if found is None:
            if isinstance(node.type, tuple):  # nobody looks at it but its outputs
                found = node, Window(0, node.type[0].dtype, (), ())
            else:
                found = node, Window.whole(0, memory_dtype(node.type), node.shape)
            self._own[node] = found
        return found

    def _place(self, node: Node, position: int) -> None:
        if node.op is leaf or node.op.name == "full":
            return
        if _is_number(node):
            self.numbers.add(node)
            return
        if node.op.name in MOVES and node.inputs:
            base, window = self.base(node.inputs[0])
            moved = window_of(node, window)
            if moved is not None:
                self.seen[node] = base, moved
            elif values.supported(node):
                self._fuse(node, node.inputs[0].shape, position)
            else:
                self._alone(node, position)
        elif not isinstance(node.type, tuple) and not count(node.shape):
            self._alone(node, position)
        elif node.op.name in values.FOLDS and values.folds(node):
            self._fold(node, position)
        elif is_elementwise(node):
            self._fuse(node, node.shape, position)
        else:
            self._alone(node, position)

    # --- groups ----------------------------------------------------------------------------------------------

    def _alone(self, node: Node, position: int) -> Group:
        group = Group(None, position)
        self._join(group, node, FULL, position)
        self._groups.append(group)
        return group

    def _join(self, group: Group, node: Node, place: str, position: int) -> None:
        group.place[node] = place
        group.last = position
        group.waits_for(position)
        self.home[node] = group
        group.needs(self._homes(node))

    def _homes(self, node: Node) -> set[Group]:
        homes = (self.home.get(self.base(one)[0]) for one in node.inputs)
        return {one for one in homes if one is not None}

    def _candidates(self, node: Node) -> list[Group]:
        """The groups that compute its operands, the latest first."""
        found = [one for one in self._homes(node) if one.domain is not None and len(one.place) < MOST_NODES]
        return sorted(found, key=lambda one: -one.last)

    def _fuse(self, node: Node, shape: Shape, position: int) -> None:
        """Put an elementwise node that walks through ``shape`` into a group of its operands, or into a new one."""
        for group in self._candidates(node):
            fit = self._fit(group, node, shape)
            if fit is not None and not self._reaches(group, self._homes(node).difference((group,))):
                group.domain, place = fit
                self._join(group, node, place, position)
                self._merge_into(group, node, shape)
                return
        group = Group(Domain(without_ones(shape)), position)
        self._groups.append(group)
        self._join(group, node, FULL, position)

    def _fit(self, group: Group, node: Node, shape: Shape) -> tuple[Domain, str] | None:
        """The domain that the group would have with ``node`` in it, and the node's place in it."""
        domain = group.domain
        assert domain is not None
        if count(shape) == domain.count:
            wider, place = domain.refined_by(shape), FULL
        elif domain.inner is not None and count(shape) == domain.rows:
            wider, place = domain.refined_by_rows(shape), ROWS
        else:
            return None
        if wider is None or not all(self._linked(group, wider, one, place) for one in node.inputs):
            return None
        return wider, place

    def _linked(self, group: Group, domain: Domain, x: Node, place: str) -> bool:
        """Whether an operand can be had where the kernel needs it."""
        base, window = self.base(x)
        if count(x.shape) == 1:
            at = group.place.get(base)
            return at is None or (at == FULL and domain.count == 1) or (at == ROWS and domain.rows == 1)
        if place == ROWS:
            expected = _outer(domain)
            strides = expected.strides(window)
            full = expected.full_strides
            where = ROWS
        else:
            strides, full = domain.strides(window), domain.full_strides
            where = FULL
        if strides is None:
            return False
        at = group.place.get(base)
        if at is None:
            return True
        if at == where:
            return strides == full
        return at == ROWS and strides == domain.row_strides

    def _reaches(self, group: Group, others: Iterable[Group]) -> bool:
        """Whether one of ``others`` needs ``group``."""
        todo, met = list(others), set()
        while todo:
            one = todo.pop()
            if one is group:
                return True
            if one.latest < group.first or one in met:
                continue
            met.add(one)
            todo.extend(one.before)
        return False

    def _merge_into(self, group: Group, node: Node, shape: Shape) -> None:
        """Other groups of the operands join too where they walk through the same box."""
        for other in self._candidates(node):
            if other is group or group.domain is None or other.domain is None:
                continue
            if len(other.place) + len(group.place) > MOST_NODES or other.domain.count != group.domain.count:
                continue
            self._try_merge(group, other)

    def _try_merge(self, group: Group, other: Group) -> None:
        mine, its = group.domain, other.domain
        assert mine is not None
        assert its is not None
        if mine.inner is not None and its.inner is not None:
            return
        dims = mine.refined_by(its.dims)
        wider = its.refined_by(mine.dims) if mine.inner is None else dims
        if wider is None or any(place in (COLUMNS, ALL) for place in (*group.place.values(), *other.place.values())):
            return
        if self._reaches(other, group.before.difference((other,))) or self._reaches(group, other.before):
            return
        members = {**other.place, **group.place}
        merged = Group(wider, 0)
        merged.place = members
        if not all(self._linked(merged, wider, one, place) for node, place in members.items() for one in node.inputs):
            return
        group.domain, group.place = wider, members
        group.first, group.last = min(group.first, other.first), max(group.last, other.last)
        for node in other.place:
            self.home[node] = group
        self._groups.remove(other)
        for one in other.before:
            one.after.discard(other)
        group.needs(other.before)
        group.waits_for(other.latest)
        for one in other.after:
            one.before.discard(other)
            one.needs((group,))

    # --- reductions --------------------------------------------------------------------------------------------

    def _fold(self, node: Node, position: int) -> None:
        x = node.inputs[0]
        axes = tuple(axis for axis in values.folded_axes(node) if x.shape[axis] != 1)
        if not axes or not count(x.shape):
            self._alone(node, position)
            return
        home = self.home.get(self.base(x)[0])
        if home is not None and home.domain is not None and self._fold_in(home, node, axes, position):
            return
        group = Group(Domain(without_ones(x.shape)), position)
        self._groups.append(group)
        if not self._fold_in(group, node, axes, position):
            self._groups.remove(group)
            self._alone(node, position)

    def _fold_in(self, group: Group, node: Node, axes: Shape, position: int) -> bool:
        x, domain = node.inputs[0], group.domain
        assert domain is not None
        if count(x.shape) != domain.count or len(group.place) >= MOST_NODES:
            return False
        wider = domain.refined_by(x.shape)
        if wider is None or not self._linked(group, wider, x, FULL):
            return False
        folded = wider.marked(x.shape, axes)
        place = _role(folded, wider.inner)
        if place is None or (place == COLUMNS and not self._folds_alike(group, wider, folded)):
            return False
        if wider.inner is None and place != ALL:
            last = len(folded) - folded[::-1].index(True)  # what comes behind the last folded axis are columns
            inner = folded if place == ROWS else tuple(i >= last for i in range(len(folded)))
            wider = Domain(wider.dims, inner)
        if place == ROWS and wider.count // wider.rows > LONGEST_ROW and len(group.place) > 1:
            return False
        group.domain = wider
        if place == ROWS:
            self._join(group, node, ROWS, position)
        else:
            group.place[node] = place
            group.last = position
            group.waits_for(position)
            outside = Group(None, position)  # complete when all rows are done
            outside.needs((group,))
            self.home[node] = outside
            group.needs(self._homes(node))
            self._groups.append(outside)
        return True

    def _folds_alike(self, group: Group, domain: Domain, folded: tuple[bool, ...]) -> bool:
        """Whether the other folds of columns in the group fold the same axes."""
        others = [node for node, place in group.place.items() if place == COLUMNS]
        return all(domain.marked(one.inputs[0].shape, values.folded_axes(one)) == folded for one in others)

    # --- the order ---------------------------------------------------------------------------------------------

    def _sorted(self) -> list[Group]:
        """Every group after those it needs."""
        done: dict[Group, None] = {}
        begun: set[Group] = set()
        for start in sorted(self._groups, key=lambda one: one.first):
            stack = [start]
            while stack:
                group = stack[-1]
                missing = [one for one in group.before if one not in done]
                if missing:
                    if group in begun:
                        raise AssertionError(f"{group} and {missing} need each other")
                    begun.add(group)
                    stack.extend(missing)
                    continue
                stack.pop()
                done.setdefault(group)
        return list(done)


def _outer(domain: Domain) -> Domain:
    return Domain(domain.outer_dims)


def _role(folded: tuple[bool, ...], inner: tuple[bool, ...] | None) -> str | None:
    """What folding these axes gives in a domain; ``None``: it cannot be done there."""
    if inner is None:
        if all(folded):
            return ALL
        return ROWS if folded[-1] else COLUMNS
    if folded == inner:
        return ROWS
    if all(folded):
        return ALL
    trailing = inner == tuple(sorted(inner))
    return COLUMNS if trailing and not any(a and b for a, b in zip(folded, inner, strict=True)) else None


def _is_number(node: Node) -> bool:
    """Whether a node is a Python number of the caller as another dtype."""
    if node.op.name != "cast" or not values.supported(node):
        return False
    return node.inputs[0].op is leaf and node.inputs[0].type.weak


def is_elementwise(node: Node) -> bool:
    """Whether a fused kernel can compute the node."""
    if isinstance(node.type, tuple):
        return False
    if node.op.name in ("iota", "ramp"):
        return False
    return node.op.elementwise and values.supported(node)

"""What the kernel of a group is to compute: its operands and nodes, and which pass along a row does what."""

from __future__ import annotations

from typing import Any

from zerograd.dtypes import dtype
from zerograd.engines.native import values
from zerograd.engines.native.checks import NO_MATTER
from zerograd.engines.native.fusion import ALL, COLUMNS, FULL, ROWS
from zerograd.engines.native.windows import MOVES, memory_dtype
from zerograd.ir.graph import Node
from zerograd.shapes import Shape, count

UNSEEN = {"dtype", *NO_MATTER}  # attributes that kernels do not depend on, or that are named apart
_STEPS = {0: "0", 1: "1"}
CHEAP = 5  # operations that are rather done again than kept


class Operand:
    """Something that a kernel reads or writes: its place among the operands and its strides along the axes.

    Attributes:
        index: its number among the instruction's operands.
        dtype: in memory.
        outer, inner: strides in elements along the outer and the inner axes.
        number: the node that makes of it what the kernel computes with, if it is a Python number of another dtype.
    """

    def __init__(self, index: int, dtype: dtype, outer: Shape, inner: Shape, number: Node | None = None) -> None:
        self.index, self.dtype, self.number = index, dtype, number
        self.outer, self.inner = outer, inner

    @property
    def step(self) -> str:
        """How it moves along the innermost axis: part of the code."""
        return _STEPS.get(self.inner[-1] if self.inner else 0, "s")

    @property
    def rise(self) -> str:
        """How it moves along the only outer axis: part of the code that goes across rows."""
        return _STEPS.get(self.outer[0], "s")


class Plan:
    """What the kernel of a group computes, in terms of a domain whose axes are joined where they can be.

    Attributes:
        order: the group's nodes, operands first.
        place: FULL, ROWS, COLUMNS or ALL for each.
        reads: for each (node, operand position) that comes from memory, its operand; likewise ``scalars``.
        links: for each (node, operand position) that the kernel itself computes, the node.
        constants: for each (node, operand position) that is a number, that number.
        writes: for each node that others need, its operand.
        outer, inner: sizes of the axes.
        flat: all operands lie one element after the other: units are pieces of one long row.
        across: vectors hold an element of several rows (``across``).
    """

    def __init__(self) -> None:
        self.order: list[Node] = []
        self.place: dict[Node, str] = {}
        self.reads: dict[tuple[Node, int], Operand] = {}
        self.links: dict[tuple[Node, int], Node] = {}
        self.constants: dict[tuple[Node, int], Any] = {}
        self.writes: dict[Node, Operand] = {}
        self.operands: list[Operand] = []
        self.outer: Shape = ()
        self.inner: Shape = ()
        self.flat = self.across = False
        self.extra: list[int] = []
        self.slot: dict[str, int] = {}

    @property
    def folds_rows(self) -> bool:
        """Whether some result needs all rows."""
        return any(place in (COLUMNS, ALL) for place in self.place.values())

    def put(self, name: str, number: int) -> None:
        """A number that the kernel reads under this name."""
        self.slot[name] = 2 * len(self.operands) + len(self.extra)
        self.extra.append(number)

    def prepare(self, rows_of_unit: int) -> None:
        """Lay out the numbers."""
        self.put("rows", count(self.outer))
        self.put("rows of unit", rows_of_unit)
        self.put("row", count(self.inner))
        for axis, n in enumerate(self.outer):
            self.put(f"outer {axis}", n)
        for axis, n in enumerate(self.inner):
            self.put(f"inner {axis}", n)
        for operand in self.operands:
            for axis, stride in enumerate(operand.outer):
                self.put(f"stride {operand.index} outer {axis}", stride)
            for axis, stride in enumerate(operand.inner):
                self.put(f"stride {operand.index} inner {axis}", stride)


def described(plan: Plan) -> str:
    """All that the text of a plan's kernel depends on."""
    number = {node: i for i, node in enumerate(plan.order)}
    lines = [f"{len(plan.outer)} {len(plan.inner)} {plan.flat} {plan.across}"]
    for node in plan.order:
        sources = []
        for i, x in enumerate(node.inputs):
            if (node, i) in plan.constants:
                sources.append(f"{plan.constants[node, i]!r} {memory_dtype(x.type).name}")
            elif (node, i) in plan.links:
                sources.append(f"%{number[plan.links[node, i]]}")
            else:
                sources.append(f"@{plan.reads[node, i].index} {memory_dtype(x.type).name}")
        written = plan.writes.get(node)
        lines.append(
            f"{values.form(node)} {node.attributes.get('dtype')} {_other_attributes(node)}"
            f" {memory_dtype(node.type).name} {plan.place[node]} {sources} {written and written.index}"
        )
    for one in plan.operands:
        moves = [stride != 0 for stride in (*one.outer, *one.inner)]
        lines.append(f"{one.index} {one.dtype.name} {one.step} {moves} {one.rise if plan.across else ''}")
    return "\n".join(lines)


def _other_attributes(node: Node) -> dict[str, Any]:
    """The attributes that are no matter of shapes."""
    if node.op.name in MOVES or node.op.name in values.FOLDS:
        return {}
    return {name: value for name, value in node.attributes.items() if name not in UNSEEN}


class Passes:
    """Which pass computes what, and what is kept between them."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.level: dict[Node, int] = {}
        for node in plan.order:
            inputs = [self.level[x] for i in range(len(node.inputs)) if (x := plan.links.get((node, i)))]
            fold = plan.place[node] == ROWS and is_fold(node)
            self.level[node] = max(inputs, default=0) + (1 if fold else 0)
        self.count = 1 + max((self.pass_of(node) for node in plan.order), default=0)
        self.kept = self._kept()

    def pass_of(self, node: Node) -> int:
        """The pass in which a node's elements are first computed (or folded)."""
        fold = self.plan.place[node] == ROWS
        return self.level[node] - 1 if fold and is_fold(node) else self.level[node]

    def roots(self, index: int) -> list[Node]:
        """What pass ``index`` is there for: folds, and full values that are written."""
        plan = self.plan
        return [
            node
            for node in plan.order
            if self.pass_of(node) == index and ((plan.place[node] == FULL and node in plan.writes) or is_fold(node))
        ]

    def _kept(self) -> dict[Node, int]:
        """The full values that go through scratch memory, with their places there."""
        kept: dict[Node, int] = {}
        for index in range(1, self.count):
            for root in self.roots(index):
                self._ask(root, index, kept)
        return kept

    def _ask(self, node: Node, index: int, kept: dict[Node, int]) -> None:
        for i in range(len(node.inputs)):
            x = self.plan.links.get((node, i))
            if x is None or self.plan.place[x] != FULL or x in kept:
                continue
            if self.level[x] < index and self._price(x, kept) > CHEAP:
                kept[x] = len(kept)
            else:
                self._ask(x, index, kept)

    def _price(self, node: Node, kept: dict[Node, int]) -> int:
        """Roughly how many cheap operations it takes to compute a full value again."""
        price = values.price(node)
        for i in range(len(node.inputs)):
            x = self.plan.links.get((node, i))
            if x is not None and self.plan.place[x] == FULL and x not in kept:
                price += self._price(x, kept)
                if price > CHEAP:
                    break
        return price


def is_fold(node: Node) -> bool:
    """Whether a node folds full values."""
    return node.op.name in values.FOLDS

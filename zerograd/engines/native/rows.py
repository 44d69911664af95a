"""The kernel of a group: a loop over rows, and for each row as many passes along it as its reductions need.

    softmax:   pass 0   largest = max x
               pass 1   total = sum exp(x - largest)        exp(x - largest) is kept in scratch memory
               pass 2   out = kept / total

Values of a whole row that a later pass needs again are recomputed if that is cheap, else kept in scratch memory, which
stays in the cache. Folds of all rows (of each column, or of everything) are summed for each unit apart and combined by
a second kernel, in a fixed order, so that the result does not depend on who did which unit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zerograd.dtypes import dtype
from zerograd.engines.native import values
from zerograd.engines.native.checks import NO_MATTER
from zerograd.engines.native.emit import Value, vector
from zerograd.engines.native.fusion import ALL, COLUMNS, FULL, ROWS
from zerograd.engines.native.kernel import KernelFunction
from zerograd.engines.native.windows import MOVES, memory_dtype
from zerograd.ir.graph import Node
from zerograd.shapes import Shape

BLOCK = 4096  # elements of a row that are folded before the result joins the rest: long sums stay accurate
UNSEEN = {"dtype", *NO_MATTER}  # attributes that kernels do not depend on, or that are named apart
CHEAP = 5  # operations that are rather done again than kept


class Operand:
    """Something that a kernel reads or writes: its place among the operands and its strides along the axes.

    Attributes:
        index: its number among the instruction's operands.
        dtype: in memory.
        outer, inner: strides in elements along the outer and the inner axes.
    """

    def __init__(self, index: int, dtype: dtype, outer: Shape, inner: Shape) -> None:
        self.index, self.dtype = index, dtype
        self.outer, self.inner = outer, inner

    @property
    def step(self) -> str:
        """How it moves along the innermost axis: part of the code."""
        last = self.inner[-1] if self.inner else 0
        return {0: "0", 1: "1"}.get(last, "s")


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
        self.flat = False
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
        self.put("rows", _product(self.outer))
        self.put("rows of unit", rows_of_unit)
        self.put("row", _product(self.inner))
        for axis, n in enumerate(self.outer):
            self.put(f"outer {axis}", n)
        for axis, n in enumerate(self.inner):
            self.put(f"inner {axis}", n)
        for operand in self.operands:
            for axis, stride in enumerate(operand.outer):
                self.put(f"stride {operand.index} outer {axis}", stride)
            for axis, stride in enumerate(operand.inner):
                self.put(f"stride {operand.index} inner {axis}", stride)


def _product(shape: Sequence[int]) -> int:
    result = 1
    for n in shape:
        result *= n
    return result


def described(plan: Plan) -> str:
    """All that the text of a plan's kernel depends on."""
    number = {node: i for i, node in enumerate(plan.order)}
    lines = [f"{len(plan.outer)} {len(plan.inner)} {plan.flat}"]
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
            f"{node.op.name} {node.attributes.get('dtype')} {_other_attributes(node)} {memory_dtype(node.type).name}"
            f" {plan.place[node]} {sources} {written and written.index}"
        )
    for one in plan.operands:
        moves = [stride != 0 for stride in (*one.outer, *one.inner)]
        lines.append(f"{one.index} {one.dtype.name} {one.step} {moves}")
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
            fold = plan.place[node] == ROWS and is_fold(node, plan)
            self.level[node] = max(inputs, default=0) + (1 if fold else 0)
        self.count = 1 + max((self.pass_of(node) for node in plan.order), default=0)
        self.kept = self._kept()

    def pass_of(self, node: Node) -> int:
        """The pass in which a node's elements are first computed (or folded)."""
        fold = self.plan.place[node] == ROWS
        return self.level[node] - 1 if fold and is_fold(node, self.plan) else self.level[node]

    def roots(self, index: int) -> list[Node]:
        """What pass ``index`` is there for: folds, and full values that are written."""
        plan = self.plan
        return [
            node
            for node in plan.order
            if self.pass_of(node) == index
            and ((plan.place[node] == FULL and node in plan.writes) or is_fold(node, plan))
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


def is_fold(node: Node, plan: Plan) -> bool:
    """Whether a node folds full values."""
    return node.op.name in values.FOLDS


class RowKernel:
    """Emits the kernel of a plan."""

    def __init__(self, plan: Plan, passes: Passes, width: int) -> None:
        self.plan, self.passes, self.width = plan, passes, width
        elements = [one.dtype for one in plan.operands] + [one.type.dtype for one in passes.kept]
        self.narrow = any(one.itemsize <= 2 for one in elements)
        self.f = KernelFunction()
        self.numbers: dict[int, Value] = {}

    def text(self) -> str:
        f, plan = self.f, self.plan
        self.base = [f.place(operand.index) for operand in plan.operands]
        self.scalars = self._load_scalars()
        for slot in sorted(set(plan.slot.values())):
            self.numbers[slot] = f.number(slot)
        if plan.flat:
            self._flat_units()
        else:
            f.loop(f.low, f.high, 1, self._unit)
        return f.finish()

    def number(self, name: str) -> Value:
        return self.numbers[self.plan.slot[name]]

    # --- operands ------------------------------------------------------------------------------------------------

    def _load_scalars(self) -> dict[int, Value]:
        """The operands that are one number everywhere are loaded once."""
        return {
            one.index: values.load(self.f, one.dtype, 1, self.base[one.index], 0)
            for one in self.plan.operands
            if not any(one.outer) and not any(one.inner) and one not in self.plan.writes.values()
        }

    def _row_base(self, operand: Operand, places: Sequence[Value]) -> Value:
        """Where an operand's row begins."""
        return self._moved(self.base[operand.index], operand, "outer", operand.outer, places)

    def _moved(self, base: Value, operand: Operand, kind: str, strides: Shape, places: Sequence[Value]) -> Value:
        f = self.f
        offset: Value | None = None
        for axis, (stride, place) in enumerate(zip(strides, places, strict=False)):
            if stride == 0:
                continue
            step = f.mul(place, self.number(f"stride {operand.index} {kind} {axis}"))
            offset = step if offset is None else f.add(offset, step)
        if offset is None:
            return base
        return f.pointer(base, f.mul(offset, operand.dtype.itemsize))

    # --- units and rows --------------------------------------------------------------------------------------------

    def _unit(self, unit: Value) -> None:
        f = self.f
        of_unit = self.number("rows of unit")
        first = f.mul(unit, of_unit)
        last = f.least(f.add(first, of_unit), self.number("rows"))
        self._clear_columns(unit)
        totals = self._totals()
        carried = f.loop(first, last, 1, lambda row, *sums: self._row(row, unit, list(sums)), totals)
        self._store_totals(unit, carried)

    def _all_folds(self) -> list[Node]:
        return [node for node in self.plan.order if self.plan.place[node] == ALL]

    def _totals(self) -> list[Value]:
        return [self._neutral(node, self.width) for node in self._all_folds()]

    def _store_totals(self, unit: Value, totals: Sequence[Value]) -> None:
        for node, total in zip(self._all_folds(), totals, strict=True):
            value = self.f.fold(lambda x, y, node=node: self._combine(node, x, y), total)
            operand = self.plan.writes[node]
            values.store(self.f, operand.dtype, value, self.base[operand.index], unit)

    def _clear_columns(self, unit: Value) -> None:
        """Begin this unit's sums of the columns at 0."""
        for node in self.plan.order:
            if self.plan.place[node] == COLUMNS:
                operand = self.plan.writes[node]
                start = self._column_base(operand, unit)

                def clear(
                    j: Value, mask: Value | None, width: int,
                    operand: Operand = operand, start: Value = start, node: Node = node,
                ) -> None:  # fmt: skip
                    values.store(self.f, operand.dtype, self._neutral(node, width), start, j, mask)

                self._along(self.number("row"), clear)

    def _column_base(self, operand: Operand, unit: Value) -> Value:
        size = self.f.mul(self.number("row"), operand.dtype.itemsize)
        return self.f.pointer(self.base[operand.index], self.f.mul(unit, size))

    def _row(self, row: Value, unit: Value, totals: list[Value]) -> list[Value]:
        places = self._places(row, "outer", self.plan.outer)
        at = Row(self, row, unit, [self._row_base(one, places) for one in self.plan.operands])
        at.row_values(0)
        for index in range(self.passes.count):
            totals = at.run(index, totals)
            at.row_values(index + 1)
        return totals

    def _places(self, index: Value, kind: str, sizes: Shape) -> list[Value]:
        """The coordinates behind a row-major index."""
        f = self.f
        places: list[Value] = []
        for axis in reversed(range(1, len(sizes))):
            n = self.number(f"{kind} {axis}")
            places.append(f.binary("urem", index, n))
            index = f.binary("udiv", index, n)
        return [index, *reversed(places)] if sizes else []

    def _flat_units(self) -> None:
        """Everything lies in one long row: a unit is a piece of it."""
        f = self.f
        size, piece = self.number("rows"), self.number("rows of unit")

        def unit(u: Value) -> None:
            self._piece(u, f.mul(u, piece), f.least(f.mul(f.add(u, 1), piece), size))

        if self._all_folds():
            f.loop(f.low, f.high, 1, unit)
        else:
            self._piece(f.low, f.mul(f.low, piece), f.least(f.mul(f.high, piece), size))

    def _piece(self, unit: Value, first: Value, last: Value) -> None:
        """Elements from first to last."""
        f = self.f
        bases = [
            f.pointer(self.base[one.index], first, values.memory(one.dtype)) if one.inner[-1] else self.base[one.index]
            for one in self.plan.operands
        ]  # fmt: skip
        at = Row(self, first, unit, bases)
        at.length = f.sub(last, first)
        self._store_totals(unit, at.run(0, self._totals()))

    # --- along a row --------------------------------------------------------------------------------------------------

    def _along(
        self, length: Value, body: Callable[..., Any], carried: Sequence[Value] = (), start: Value | None = None
    ) -> list[Value]:
        """``carried = body(j, mask, width, *carried)`` for vectors from start to length; the last one is masked.

        Masks of narrow elements are taken apart lane by lane, which is slow to compile and to run: these go one by one.
        """
        f, width = self.f, self.width
        start = start or f.const(0, "i64")
        whole = f.add(start, f.and_(f.sub(length, start), -width))
        sums = f.loop(start, whole, width, lambda j, *c: body(j, None, width, *c), carried)
        if not carried and self.narrow:
            f.loop(whole, length, 1, lambda j: body(j, None, 1))
            return []
        rest = f.compare("slt", whole, length)

        def tail() -> list[Value]:
            mask = f.first(f.sub(length, whole), width)
            result = body(whole, mask, width, *sums)
            return [result] if isinstance(result, Value) else list(result or ())

        if not carried:
            f.if_(rest, tail)
            return []
        return f.if_(rest, tail, lambda: sums)

    def _neutral(self, node: Node, width: int) -> Value:
        return values.neutral(self.f, node, width)

    def _combine(self, node: Node, x: Value, y: Value) -> Value:
        return values.combine(self.f, node, x, y)


class Row:
    """One row in the making: the values that are known of it."""

    def __init__(self, kernel: RowKernel, row: Value, unit: Value, bases: list[Value]) -> None:
        self.kernel, self.plan, self.f = kernel, kernel.plan, kernel.f
        self.row, self.unit, self.bases = row, unit, bases
        self.index = 0  # of the pass
        self.of_row: dict[Node, Value] = {}  # ROWS values
        self.length: Value | None = None

    # --- values of the row ---------------------------------------------------------------------------------------

    def row_values(self, level: int) -> None:
        """Compute the row's own values of this level, and write those that others need."""
        for node in self.plan.order:
            if self.plan.place[node] != ROWS or self.kernel.passes.level[node] != level:
                continue
            if node not in self.of_row:
                operands = [self._row_operand(node, i) for i in range(len(node.inputs))]
                self.of_row[node] = values.emit(self.f, node, operands)
            operand = self.plan.writes.get(node)
            if operand is not None:
                values.store(self.f, operand.dtype, self.of_row[node], self.bases[operand.index], 0)

    def _row_operand(self, node: Node, i: int) -> Value:
        constant = self.plan.constants.get((node, i))
        if constant is not None:
            return values.constant(self.f, node.inputs[i].type, constant, 1)
        linked = self.plan.links.get((node, i))
        if linked is not None:
            return self.of_row[linked]
        operand = self.plan.reads[node, i]
        if operand.index in self.kernel.scalars:
            return self.kernel.scalars[operand.index]
        return values.load(self.f, operand.dtype, 1, self.bases[operand.index], 0)

    # --- a pass ----------------------------------------------------------------------------------------------------

    def run(self, index: int, totals: list[Value]) -> list[Value]:
        """One pass along the row; gives the sums over everything."""
        kernel, plan, f = self.kernel, self.plan, self.f
        self.index = index
        roots = kernel.passes.roots(index)
        saves = [node for node in kernel.passes.kept if kernel.passes.pass_of(node) == index]
        if not roots and not saves:
            return totals
        folds = [node for node in roots if plan.place[node] == ROWS]
        alls = [node for node in roots if plan.place[node] == ALL]
        everything = kernel._all_folds()
        carried = [kernel._neutral(node, kernel.width) for node in folds]
        carried += [totals[everything.index(node)] for node in alls]

        def visit(at: Along, *sums: Value) -> list[Value]:
            return at.visit(roots, saves, folds + alls, list(sums))

        results = self._walk(visit, carried, folds + alls)
        for node, value in zip(folds, results, strict=False):
            self.of_row[node] = values.rounded(
                f, f.fold(lambda x, y, node=node: kernel._combine(node, x, y), value), node.type.dtype
            )
        totals = list(totals)
        for node, value in zip(alls, results[len(folds) :], strict=True):
            totals[everything.index(node)] = value
        return totals

    def _walk(self, visit: Callable[..., list[Value]], carried: list[Value], folds: list[Node]) -> list[Value]:
        """Go through the inner axes, the last one in vectors."""
        kernel, plan, f = self.kernel, self.plan, self.f
        last = len(plan.inner) - 1
        length = self.length or kernel.number(f"inner {last}")
        if last <= 0:
            return self._blocks(visit, carried, folds, length, self.bases, None)
        lines = kernel.number("inner 0")
        for axis in range(1, last):
            lines = f.mul(lines, kernel.number(f"inner {axis}"))

        def line(i: Value, *sums: Value) -> list[Value]:
            places = kernel._places(i, "inner", plan.inner[:-1])
            bases = [
                kernel._moved(base, one, "inner", one.inner[:-1], places)
                for one, base in zip(plan.operands, self.bases, strict=True)
            ]
            return self._blocks(visit, list(sums), folds, length, bases, f.mul(i, length))

        return f.loop(0, lines, 1, line, carried)

    def _blocks(
        self, visit: Callable[..., list[Value]], carried: list[Value], folds: list[Node], length: Value,
        bases: list[Value], before: Value | None,
    ) -> list[Value]:  # fmt: skip
        """Along the last axis; what is folded is folded in blocks."""
        kernel, f = self.kernel, self.f

        def body(j: Value, mask: Value | None, width: int, *sums: Value) -> list[Value]:
            return visit(Along(self, bases, j, mask, width, before), *sums)

        if not carried:
            return kernel._along(length, body)

        def block(start: Value, *totals: Value) -> list[Value]:
            stop = f.least(f.add(start, BLOCK), length)
            neutral = [kernel._neutral(node, kernel.width) for node in folds]
            sums = kernel._along(stop, body, neutral, start)
            return [kernel._combine(*one) for one in zip(folds, totals, sums, strict=True)]

        return f.loop(0, length, BLOCK, block, carried)


class Along:
    """A vector of neighbouring elements of a row."""

    def __init__(
        self, row: Row, bases: list[Value], j: Value, mask: Value | None, width: int, before: Value | None
    ) -> None:
        self.row, self.kernel, self.plan, self.f = row, row.kernel, row.plan, row.f
        self.bases, self.j, self.mask, self.width, self.before = bases, j, mask, width, before
        self.known: dict[Node, Value] = {}
        self.loaded: dict[int, Value] = {}

    def visit(self, roots: list[Node], saves: list[Node], folds: list[Node], sums: list[Value]) -> list[Value]:
        plan, f = self.plan, self.f
        full = [(plan.writes[node], self.value(node)) for node in roots if plan.place[node] == FULL]
        for operand, value in full:  # when everything has been read: a result may lie where an operand lay
            self._store(operand, value)
        for node in roots:
            if plan.place[node] == COLUMNS:
                self._add_to_columns(node)
        for node in saves:
            place = self._scratch(node)
            values.store(f, node.type.dtype, self.value(node), place, self._inner_index(), self.mask)
        results = []
        for node, total in zip(folds, sums, strict=True):
            combined = self.kernel._combine(node, total, self._operand(node, 0))
            results.append(combined if self.mask is None else f.select(self.mask, combined, total))
        return results

    def _inner_index(self) -> Value:
        return self.j if self.before is None else self.f.add(self.before, self.j)

    def _scratch(self, node: Node) -> Value:
        """Where the row's values of a node are kept; every one has room for 8 bytes an element."""
        f = self.f
        place = self.kernel.passes.kept[node]
        if not place:
            return f.scratch
        return f.pointer(f.scratch, f.mul(f.mul(self.kernel.number("row"), 8), place))

    def _store(self, operand: Operand, value: Value) -> None:
        base = self.bases[operand.index]
        if operand.step == "1":
            values.store(self.f, operand.dtype, value, base, self.j, self.mask)
        else:
            values.scatter(self.f, operand.dtype, value, base, self._lane_offsets(operand), self.mask)

    def _lane_offsets(self, operand: Operand) -> Value:
        """For each lane the element behind the base that it stands for."""
        f = self.f
        lanes = f.iota(vector("i64", self.width))
        at = f.add(f.splat(self.j, self.width), lanes)
        stride = self.kernel.number(f"stride {operand.index} inner {len(self.plan.inner) - 1}")
        return f.mul(at, f.splat(stride, self.width))

    def _add_to_columns(self, node: Node) -> None:
        f = self.f
        operand = self.plan.writes[node]
        base = self.kernel._column_base(operand, self.row.unit)
        column = self._inner_index()
        sofar = values.load(f, operand.dtype, self.width, base, column, self.mask)
        total = self.kernel._combine(node, sofar, self._operand(node, 0))
        values.store(f, operand.dtype, total, base, column, self.mask)

    def value(self, node: Node) -> Value:
        """The elements of a full value."""
        found = self.known.get(node)
        if found is None:
            if node in self.kernel.passes.kept and self._computed_before(node):
                index = self._inner_index()
                found = values.load(self.f, node.type.dtype, self.width, self._scratch(node), index, self.mask)
            else:
                operands = [self._operand(node, i) for i in range(len(node.inputs))]
                found = values.emit(self.f, node, operands, self.mask)
            self.known[node] = found
        return found

    def _computed_before(self, node: Node) -> bool:
        return self.kernel.passes.pass_of(node) < self.row.index

    def _operand(self, node: Node, i: int) -> Value:
        constant = self.plan.constants.get((node, i))
        if constant is not None:
            return values.constant(self.f, node.inputs[i].type, constant, self.width)
        linked = self.plan.links.get((node, i))
        if linked is not None:
            if self.plan.place[linked] == ROWS:
                return self.f.splat(self.row.of_row[linked], self.width)
            return self.value(linked)
        return self._read(self.plan.reads[node, i])

    def _read(self, operand: Operand) -> Value:
        found = self.loaded.get(operand.index)
        if found is None:
            found = self.loaded[operand.index] = self._load(operand)
        return found

    def _load(self, operand: Operand) -> Value:
        f = self.f
        if operand.index in self.kernel.scalars:
            return f.splat(self.kernel.scalars[operand.index], self.width)
        base = self.bases[operand.index]
        if operand.step == "1":
            return values.load(f, operand.dtype, self.width, base, self.j, self.mask)
        if operand.step == "0":
            return f.splat(values.load(f, operand.dtype, 1, base, 0), self.width)
        return values.gather(f, operand.dtype, base, self._lane_offsets(operand), self.mask)

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

from zerograd.engines.native import values
from zerograd.engines.native.emit import Value, vector
from zerograd.engines.native.fusion import ALL, COLUMNS, FULL, ROWS
from zerograd.engines.native.kernel import KernelFunction
from zerograd.engines.native.rowplan import Operand, Passes, Plan, is_fold
from zerograd.engines.native.target import Target
from zerograd.engines.native.vectors import Vectors
from zerograd.engines.native.windows import memory_dtype
from zerograd.ir.graph import Node
from zerograd.shapes import Shape

Visit = Callable[..., list[Value]]
"""(where, *sums) -> sums: what a pass does to a vector of elements."""
REGISTERS = 8  # that a chain of instructions takes, with the constants it needs
BLOCK = 4096  # elements of a row that are folded before the result joins the rest: long sums stay accurate


def _side_by_side(plan: Plan, target: Target) -> int:
    """How many vectors are computed at a time: more than one where each waits for itself, if registers allow."""
    folded = any(place in (ROWS, ALL) and is_fold(node) for node, place in plan.place.items())
    chained = any(values.chained(node) for node in plan.order)
    wide = any(memory_dtype(one.type).itemsize > 4 for one in plan.order)  # fills two registers anyway
    return max(target.registers // REGISTERS, 1) if (folded or chained) and not wide else 1


class RowKernel:
    """Emits the kernel of a plan."""

    def __init__(self, plan: Plan, passes: Passes, target: Target) -> None:
        self.plan, self.passes, self.width = plan, passes, target.lanes
        elements = [one.dtype for one in plan.operands] + [one.type.dtype for one in passes.kept]
        self.vectors = Vectors(self.width, _side_by_side(plan, target), any(one.itemsize <= 2 for one in elements))
        self.f = KernelFunction()
        self.numbers: dict[int, Value] = {}

    def text(self) -> str:
        f, plan = self.f, self.plan
        self.base = [f.place(operand.index) for operand in plan.operands]
        self.scalars = self._load_scalars()
        for slot in sorted(set(plan.slot.values())):
            self.numbers[slot] = f.number(slot)
        self.lane_offsets = self._lane_offsets()
        if plan.flat:
            self._flat_units()
        elif plan.folds_rows:
            f.loop(f.low, f.high, 1, self._unit)
        else:  # units are rows
            self._rows(f.low, f.high, f.low, [])
        return f.finish()

    def number(self, name: str) -> Value:
        return self.numbers[self.plan.slot[name]]

    def stride(self, operand: Operand) -> Value:
        """How an operand moves along the innermost axis."""
        return self.number(f"stride {operand.index} inner {len(self.plan.inner) - 1}")

    def _lane_offsets(self) -> dict[tuple[int, int], Value]:
        """For operands whose elements are no neighbours, and vectors of each width: how far the lanes lie apart."""
        f = self.f
        return {
            (one.index, width): f.mul(f.iota(vector("i64", width)), f.splat(self.stride(one), width))
            for one in self.plan.operands
            if one.step == "s"
            for width in self.vectors.widths
        }

    # --- operands ------------------------------------------------------------------------------------------------

    def _load_scalars(self) -> dict[int, Value]:
        """The operands that are one number everywhere are loaded once."""
        return {
            one.index: self._load_scalar(one)
            for one in self.plan.operands
            if not any(one.outer) and not any(one.inner) and one not in self.plan.writes.values()
        }

    def _load_scalar(self, operand: Operand) -> Value:
        value = values.load(self.f, operand.dtype, 1, self.base[operand.index], 0)
        return value if operand.number is None else values.emit(self.f, operand.number, [value])

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
        self._store_totals(unit, self._rows(first, last, unit, self._totals()))

    def _rows(self, first: Value, last: Value, unit: Value, totals: list[Value]) -> list[Value]:
        """Rows from first to last. Their coordinates are counted on: finding them anew takes divisions."""
        places = self._places(first, "outer", self.plan.outer)
        if len(places) <= 1:
            return self.f.loop(first, last, 1, lambda row, *sums: self._row([row], unit, list(sums)), totals)
        n = len(places)

        def row(_: Value, *carried: Value) -> list[Value]:
            here = list(carried[:n])
            return [*self._next(here), *self._row(here, unit, list(carried[n:]))]

        return self.f.loop(first, last, 1, row, [*places, *totals])[n:]

    def _next(self, places: list[Value]) -> list[Value]:
        """The coordinates of the row that follows."""
        f = self.f
        found: list[Value] = []
        more = f.const(1, "i64")
        for axis in reversed(range(1, len(places))):
            at = f.add(places[axis], more)
            over = f.compare("eq", at, self.number(f"outer {axis}"))
            found.append(f.select(over, f.const(0, "i64"), at))
            more = f.value("i64", f"zext i1 {over.name} to i64")
        return [f.add(places[0], more), *reversed(found)]

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

                self.vectors.along(self.f, 0, self.number("row"), clear)

    def _column_base(self, operand: Operand, unit: Value) -> Value:
        size = self.f.mul(self.number("row"), operand.dtype.itemsize)
        return self.f.pointer(self.base[operand.index], self.f.mul(unit, size))

    def _row(self, places: list[Value], unit: Value, totals: list[Value]) -> list[Value]:
        at = Row(self, unit, [self._row_base(one, places) for one in self.plan.operands])
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
            n = f.intrinsic("umax", self.number(f"{kind} {axis}"), 1)
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
        at = Row(self, unit, bases)
        at.length = f.sub(last, first)
        self._store_totals(unit, at.run(0, self._totals()))

    def _neutral(self, node: Node, width: int) -> Value:
        return values.neutral(self.f, node, width)

    def _combine(self, node: Node, x: Value, y: Value) -> Value:
        return values.combine(self.f, node, x, y)


class Row:
    """One row in the making: the values that are known of it.

    Attributes:
        width: lanes of a value of the row.
        mask: of the lanes that count; ``None``: all.
    """

    width = 1
    mask: Value | None = None

    def __init__(self, kernel: RowKernel, unit: Value, bases: list[Value]) -> None:
        self.kernel, self.plan, self.f = kernel, kernel.plan, kernel.f
        self.unit, self.bases = unit, bases
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
                self.of_row[node] = values.emit(self.f, node, operands, self.mask)
            operand = self.plan.writes.get(node)
            if operand is not None:
                self.put(operand, self.bases[operand.index], self.of_row[node])

    def _row_operand(self, node: Node, i: int) -> Value:
        constant = self.plan.constants.get((node, i))
        if constant is not None:
            return values.constant(self.f, node.inputs[i].type, constant, self.width)
        linked = self.plan.links.get((node, i))
        if linked is not None:
            return self.of_row[linked]
        operand = self.plan.reads[node, i]
        if operand.index in self.kernel.scalars:
            return self.f.splat(self.kernel.scalars[operand.index], self.width)
        return self.take(operand, self.bases[operand.index])

    def take(self, operand: Operand, at: Value) -> Value:
        """The operand's value of the row, which lies at ``at``."""
        return values.load(self.f, operand.dtype, 1, at, 0)

    def put(self, operand: Operand, at: Value, x: Value) -> None:
        """The inverse."""
        values.store(self.f, operand.dtype, x, at, 0)

    # --- a pass ----------------------------------------------------------------------------------------------------

    def run(self, index: int, totals: list[Value]) -> list[Value]:
        """One pass along the row; gives the sums over everything."""
        kernel, plan = self.kernel, self.plan
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
            self.of_row[node] = self._folded(node, value)
        totals = list(totals)
        for node, value in zip(alls, results[len(folds) :], strict=True):
            totals[everything.index(node)] = value
        return totals

    def _folded(self, node: Node, x: Value) -> Value:
        """What a row has been folded to, of what its vectors have."""
        one = self.f.fold(lambda x, y: self.kernel._combine(node, x, y), x)
        return values.rounded(self.f, one, node.type.dtype)

    def _walk(self, visit: Visit, carried: list[Value], folds: list[Node]) -> list[Value]:
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
        self, visit: Visit, carried: list[Value], folds: list[Node], length: Value,
        bases: list[Value], before: Value | None,
    ) -> list[Value]:  # fmt: skip
        """Along the last axis; what is folded is folded in blocks."""
        kernel, f = self.kernel, self.f

        def body(j: Value, mask: Value | None, width: int, *sums: Value) -> list[Value]:
            return visit(Along(self, bases, j, mask, width, before), *sums)

        if not carried:
            kernel.vectors.along(f, 0, length, body)
            return []

        def neutral(width: int) -> list[Value]:
            return [kernel._neutral(node, width) for node in folds]

        def join(xs: Sequence[Value], ys: Sequence[Value]) -> list[Value]:
            return [kernel._combine(*one) for one in zip(folds, xs, ys, strict=True)]

        def block(start: Value, *totals: Value) -> list[Value]:
            stop = f.least(f.add(start, BLOCK), length)
            return join(totals, kernel.vectors.fold(f, start, stop, body, neutral, join))

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
            values.scatter(self.f, operand.dtype, value, *self._spread(operand), self.mask)

    def _spread(self, operand: Operand) -> tuple[Value, Value]:
        """Where the first of the elements lies, and how far from it each of them."""
        offsets = self.kernel.lane_offsets[operand.index, self.width]
        first = self.f.mul(self.j, self.kernel.stride(operand))
        return self.f.pointer(self.bases[operand.index], first, values.memory(operand.dtype)), offsets

    def _add_to_columns(self, node: Node) -> None:
        f = self.f
        operand = self.plan.writes[node]
        base = self.kernel._column_base(operand, self.row.unit)
        column = self._inner_index()
        sofar = values.load(f, operand.dtype, self.width, base, column, self.mask)
        # In this order: a choice between what was loaded and something new would be stored with a mask, which is slow.
        total = self.kernel._combine(node, self._operand(node, 0), sofar)
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
                return self._of_row(linked)
            return self.value(linked)
        return self._read(self.plan.reads[node, i])

    def _of_row(self, node: Node) -> Value:
        return self.f.splat(self.row.of_row[node], self.width)

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
        return values.gather(f, operand.dtype, *self._spread(operand), self.mask)

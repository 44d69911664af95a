"""Short rows: a vector holds one element of as many rows as it has lanes, and goes along all of them at once.

    rows of 3, 4 lanes:    a0 a1 a2        first a0 b0 c0 d0, then a1 b1 c1 d1, then a2 b2 c2 d2
                           b0 b1 b2
                           c0 c1 c2        What folds a row folds lane by lane, what belongs to a row is a lane.
                           d0 d1 d2

Along a row, three elements would fill three lanes of a vector, and each fold would end in a chain of shuffles. Elements
that lie apart are loaded one by one. The last vector may have fewer rows than lanes: those beyond read the last row and
write to its place, before it does, and do not count in folds of all rows.
"""

from __future__ import annotations

from zerograd.engines.native import conversion, values
from zerograd.engines.native.emit import Value, vector
from zerograd.engines.native.fusion import ROWS
from zerograd.engines.native.rowplan import Operand, Plan
from zerograd.engines.native.rows import Along, Row, RowKernel, Visit
from zerograd.ir.graph import Node

LONGEST = 1.5  # vectors that would hold a row: longer rows are folded along; rows without folds if they fill a vector
FEWEST = 4  # rows that are worth a vector
HEADS = 4  # lanes that share a pointer: processors add once, twice or three times a step to it in a load


def goes_across(plan: Plan, rows: int, lanes: int) -> bool:
    """Whether vectors go across the rows of a plan, of which there are so many in a unit, or in all."""
    if plan.flat or len(plan.outer) != 1 or len(plan.inner) != 1:
        return False
    most = LONGEST * lanes if ROWS in plan.place.values() else lanes - 1
    return 1 < plan.inner[0] <= most and rows >= (lanes if plan.folds_rows else FEWEST)


class AcrossKernel(RowKernel):
    """Emits the kernel of a plan with one outer and one inner axis."""

    def _lane_offsets(self) -> dict[tuple[int, int], Value]:
        return {}

    def _rows(self, first: Value, last: Value, unit: Value, totals: list[Value]) -> list[Value]:
        f, width = self.f, self.width
        self.steps = {one.index: self._multiples(one) for one in self.plan.operands if one.rise != "0"}
        end = f.add(first, f.and_(f.sub(last, first), -width))
        totals = f.loop(first, end, width, lambda row, *sums: self._group(row, None, unit, list(sums)), totals)
        return f.if_(f.compare("slt", end, last), lambda: self._group(end, last, unit, totals), lambda: totals)

    def _multiples(self, operand: Operand) -> list[Value]:
        """Bytes from a row to those that follow it, as far as they share a pointer; then to the next pointer."""
        f = self.f
        step = f.mul(self.number(f"stride {operand.index} outer 0"), operand.dtype.itemsize)
        return [f.mul(step, k) for k in range(1, HEADS + 1)]

    def _group(self, row: Value, last: Value | None, unit: Value, totals: list[Value]) -> list[Value]:
        """As many rows as there are lanes, or those before the ``last``."""
        at = AcrossRow(self, unit, [self._row_base(one, [row]) for one in self.plan.operands])
        if last is not None:
            at.count = self.f.sub(last, row)
            at.mask = self.f.first(at.count, self.width)
        at.row_values(0)
        for index in range(self.passes.count):
            totals = at.run(index, totals)
            at.row_values(index + 1)
        return totals


class AcrossRow(Row):
    """Neighbouring rows in the making.

    Attributes:
        count: how many rows there are, ``None``: as many as lanes.
        mask: of the lanes that stand for a row.
    """

    kernel: AcrossKernel
    count: Value | None = None

    def __init__(self, kernel: AcrossKernel, unit: Value, bases: list[Value]) -> None:
        super().__init__(kernel, unit, bases)
        self.width = kernel.width

    # --- elements of several rows ----------------------------------------------------------------------------------

    def take(self, operand: Operand, at: Value) -> Value:
        """An element of each row; the first row's lies at ``at``."""
        f, width, kind = self.f, self.width, operand.dtype
        if operand.rise == "0":
            return f.splat(values.load(f, kind, 1, at, 0), width)
        if self._together(operand):
            return values.load(f, kind, width, at, 0, self.mask)
        element = values.memory(kind)
        whole = Value("poison", vector(element, width))
        for lane, place in enumerate(self._places(operand, at)):
            whole = f.insert(whole, f.load(element, place), lane)
        return conversion.from_memory(f, whole, kind)

    def put(self, operand: Operand, at: Value, x: Value) -> None:
        f, kind = self.f, operand.dtype
        if self._together(operand):
            values.store(f, kind, x, at, 0, self.mask)
            return
        x = conversion.to_memory(f, x, kind)
        places = self._places(operand, at)
        for lane in reversed(range(len(places))):  # so that of those that stand for the last row, itself comes last
            f.store(f.extract(x, lane), places[lane])

    def _together(self, operand: Operand) -> bool:
        """Whether the elements are one vector in memory; masks of narrow ones are slow to compile and to run."""
        return operand.rise == "1" and (self.mask is None or operand.dtype.itemsize > 2)

    def _places(self, operand: Operand, at: Value) -> list[Value]:
        """Where the element of each row lies."""
        f, width = self.f, self.width
        steps = self.kernel.steps[operand.index]
        if self.count is not None:
            last = f.sub(self.count, 1)
            return [f.pointer(at, f.mul(f.least(last, lane), steps[0])) for lane in range(width)]
        places: list[Value] = []
        while len(places) < width:
            places += [at, *(f.pointer(at, step) for step in steps[:-1])]
            at = f.pointer(at, steps[-1])
        return places

    def _folded(self, node: Node, x: Value) -> Value:
        return values.rounded(self.f, x, node.type.dtype)

    def _walk(self, visit: Visit, carried: list[Value], folds: list[Node]) -> list[Value]:
        """Along the rows, element by element."""
        return self.f.loop(
            0, self.kernel.number("inner 0"), 1, lambda j, *sums: visit(AcrossAlong(self, j), *sums), carried
        )


class AcrossAlong(Along):
    """One element of each of the rows."""

    row: AcrossRow

    def __init__(self, row: AcrossRow, j: Value) -> None:
        super().__init__(row, row.bases, j, row.mask, row.width, None)

    def _inner_index(self) -> Value:
        return self.f.mul(self.j, self.width)

    def _scratch(self, node: Node) -> Value:
        f = self.f
        place = self.kernel.passes.kept[node]
        return f.pointer(f.scratch, f.mul(f.mul(self.kernel.number("row"), 8 * self.width), place))

    def _of_row(self, node: Node) -> Value:
        return self.row.of_row[node]

    def _at(self, operand: Operand) -> Value:
        """Where the first row's element lies."""
        base, f = self.bases[operand.index], self.f
        if operand.step == "0":
            return base
        index = self.j if operand.step == "1" else f.mul(self.j, self.kernel.stride(operand))
        return f.pointer(base, index, values.memory(operand.dtype))

    def _store(self, operand: Operand, value: Value) -> None:
        self.row.put(operand, self._at(operand), value)

    def _load(self, operand: Operand) -> Value:
        if operand.index in self.kernel.scalars:
            return self.f.splat(self.kernel.scalars[operand.index], self.width)
        return self.row.take(operand, self._at(operand))

    def _add_to_columns(self, node: Node) -> None:
        f = self.f
        operand = self.plan.writes[node]
        base = self.kernel._column_base(operand, self.row.unit)
        x = self._operand(node, 0)
        if self.mask is not None:
            x = f.select(self.mask, x, self.kernel._neutral(node, self.width))
        total = f.fold(lambda a, b: self.kernel._combine(node, a, b), x)
        sofar = values.load(f, operand.dtype, 1, base, self.j)
        values.store(f, operand.dtype, self.kernel._combine(node, total, sofar), base, self.j)


__all__ = ["AcrossKernel", "goes_across"]

"""From a group to the plan of its kernel: operands, axes, units."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import TYPE_CHECKING

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.engines.native import conversion, values
from zerograd.engines.native.across import AcrossKernel, goes_across
from zerograd.engines.native.buffers import LEAF
from zerograd.engines.native.checks import CHECKED
from zerograd.engines.native.combining import combine
from zerograd.engines.native.domains import Domain, without_ones
from zerograd.engines.native.fusion import COLUMNS, FULL, ROWS, Group
from zerograd.engines.native.kernel import Access, Instruction, Kernel
from zerograd.engines.native.rowplan import Operand, Passes, Plan, described
from zerograd.engines.native.rows import RowKernel
from zerograd.engines.native.target import host
from zerograd.engines.native.transposing import transposing, turn_of
from zerograd.engines.native.windows import Window, merged
from zerograd.ir.graph import Node, Op, TensorType
from zerograd.ops.elementwise import add as add_op
from zerograd.ops.elementwise import copy as copy_op
from zerograd.shapes import Shape, count

if TYPE_CHECKING:
    from zerograd.engines.native.lower import Lowering

PIECE = 512  # elements of a flat array that make a unit, at least
NANOSECONDS = 0.05  # that a cheap operation takes for each element
FEW = 256  # elements that are read where they lie, however that is
PARTS = 32  # how many partial sums of all rows there are, at most
ROWS_TOGETHER = 256  # that one unit folds alone in a small program: of more, sums of parts are more accurate
_kernels: dict[str, _Made] = {}


class RowPlanner:
    """Makes the instructions of groups, within one lowering."""

    def __init__(self, lowering: Lowering) -> None:
        self.lowering = lowering
        self.position = {node: i for i, node in enumerate(lowering.order)}

    def lower(self, group: Group) -> list[Instruction]:
        """The instructions of a group: its kernel, and what combines the sums of all rows."""
        assert group.domain is not None
        work = _Work(self.lowering, group.domain)
        for node in sorted(group.place, key=self.position.__getitem__):
            work.add(node, group)
        for node in group.place:
            if node in self.lowering.needed:
                self.lowering.place(node, work.write(node))
        return work.instructions()

    def copy(self, window: Window, target: Window) -> Instruction:
        """Copies the elements of a window to another window of the same shape."""
        window, target = _as_words(window), _as_words(target)
        turned = transposing(self.lowering, window, target)
        if turned is not None:
            return turned
        return self._between(copy_op, [window], target)

    def adds(self, kind: dtype) -> bool:
        """Whether ``add`` can add elements of this dtype."""
        return conversion.computable(kind) and values.supported(_node(add_op, [TensorType((), kind)] * 2))

    def add(self, window: Window, target: Window) -> Instruction:
        """Adds the elements of a window to those of another, in which no two are one."""
        return self._between(add_op, [target, window], target)

    def converted(self, node: Node, target: Window) -> Instruction:
        """A Python number as another dtype in memory."""
        work = _Work(self.lowering, Domain(()))
        work.plan.order.append(node)
        work.plan.place[node] = FULL
        work.read(node, 0, self.lowering.window(node.inputs[0]), FULL)
        work.write_to(node, target)
        (made,) = work.instructions()
        made.nodes = (node,)
        return made

    def _between(self, op: Op, windows: Sequence[Window], target: Window) -> Instruction:
        """An elementwise op from windows to a window, all of one type."""
        node = _node(op, [TensorType(one.shape, one.dtype) for one in windows])
        work = _Work(self.lowering, Domain(without_ones(target.shape)))
        work.plan.order.append(node)
        work.plan.place[node] = FULL
        for i, window in enumerate(windows):
            work.read(node, i, window, FULL)
        work.write_to(node, target)
        return work.instructions()[0]


def _node(op: Op, types: Sequence[TensorType]) -> Node:
    """A node by itself, for the plan of a kernel."""
    sources = tuple([Node(copy_op, (), {}, type, False) for type in types])
    return Node(op, sources, {}, types[0], False)


def _as_words(window: Window) -> Window:
    """A window onto the same bytes as integers, if kernels do not know its dtype."""
    if conversion.computable(window.dtype):
        return window
    if window.dtype.itemsize <= 8:
        kind = {1: dtypes.int8, 2: dtypes.int16, 4: dtypes.int32, 8: dtypes.int64}[window.dtype.itemsize]
        return Window(window.buffer, kind, window.shape, window.strides, window.offset)
    strides = (*(2 * stride for stride in window.strides), 1)
    return Window(window.buffer, dtypes.int64, (*window.shape, 2), strides, 2 * window.offset)


class _Work:
    """The plan of one kernel in the making."""

    def __init__(self, lowering: Lowering, domain: Domain) -> None:
        self.lowering, self.domain = lowering, domain
        self.plan = Plan()
        self.reads: dict[tuple[int, dtype | None, int, Shape], tuple[Operand, Window]] = {}
        self.writes: list[tuple[Node, Window, Shape]] = []
        self.partials: dict[Node, Window] = {}

    # --- operands ------------------------------------------------------------------------------------------------

    def add(self, node: Node, group: Group) -> None:
        plan = self.plan
        plan.order.append(node)
        plan.place[node] = group.place[node]
        folded = node.op.name in values.FOLDS
        place = ROWS if group.place[node] == ROWS and not folded else FULL
        for i, x in enumerate(node.inputs):
            base, _ = self.lowering.fusion.base(x)
            if base.op.name == "full":
                plan.constants[node, i] = base.attributes["fill"]
            elif base in group.place:
                plan.links[node, i] = base
            elif base in self.lowering.fusion.numbers:
                self.read(node, i, self.lowering.window(base.inputs[0]), place, base)
            else:
                self.read(node, i, self.lowering.window(x), place)

    def read(self, node: Node, i: int, window: Window, place: str, number: Node | None = None) -> None:
        strides = self._strides(window, place)
        key = (window.buffer, number and number.dtype, window.offset, strides)
        found = self.reads.get(key)
        if found is None:
            operand = Operand(len(self.reads), window.dtype, strides, (), number)
            found = self.reads[key] = operand, window
        self.plan.reads[node, i] = found[0]

    def _strides(self, window: Window, place: str) -> Shape:
        """A window's strides along all axes of the domain."""
        domain = self.domain
        if count(window.shape) == 1:
            return (0,) * len(domain.dims)
        if place == FULL:
            strides = domain.strides(window)
        else:
            outer = Domain(domain.outer_dims).strides(window)
            assert outer is not None
            assert domain.inner is not None
            rest = iter(outer)
            strides = tuple(0 if inner else next(rest) for inner in domain.inner)
        assert strides is not None
        return strides

    def write(self, node: Node) -> Window:
        """A place for a node that others need; gives where its final value lies."""
        place, type = self.plan.place[node], node.type
        if place in (FULL, ROWS):
            window = self.lowering.new_window(type)
            self.write_to(node, window)
            return window
        partial_dtype = values.partial_dtype(type.dtype)
        self.partials[node] = final = self.lowering.new_window(type)
        made = self.lowering.buffer(0)  # its size is known with the units
        self.writes.append((node, Window(made.index, partial_dtype, (), ()), (0,) * len(self.domain.dims)))
        return final

    def write_to(self, node: Node, window: Window) -> None:
        self.writes.append((node, window, self._strides(window, self.plan.place[node])))

    # --- axes ---------------------------------------------------------------------------------------------------

    def instructions(self) -> list[Instruction]:
        plan, domain = self.plan, self.domain
        for key, (operand, window) in self.reads.items():
            self.reads[key] = operand, self._turned(operand, window)
        for node, window, strides in self.writes:
            plan.writes[node] = Operand(len(self.reads) + len(plan.writes), window.dtype, strides, ())
        plan.operands = [operand for operand, _ in self.reads.values()] + list(plan.writes.values())
        windows = [window for _, window in self.reads.values()] + [window for _, window, _ in self.writes]
        all_strides = [operand.outer for operand in plan.operands]
        axes = list(zip(domain.dims, zip(*all_strides, strict=True), strict=True)) if domain.dims else []
        inner = domain.inner
        if inner is None:
            joined = merged([(n, tuple(strides)) for n, strides in axes])
            plan.flat = len(joined) <= 1 and all(s in (0, 1) for _, strides in joined for s in strides)
            cut = 0 if plan.flat else len(joined) - 1
            outer_axes, inner_axes = joined[:cut], joined[cut:]
        else:
            outer_axes = merged([axes[i] for i in self._outer_order(inner)])
            inner_axes = merged([axis for axis, flag in zip(axes, inner, strict=True) if flag])
        none = tuple([int(one in plan.writes.values()) for one in plan.operands])
        inner_axes = inner_axes or [(1, none)]
        plan.outer = tuple(n for n, _ in outer_axes)
        plan.inner = tuple(n for n, _ in inner_axes)
        for operand in plan.operands:
            operand.outer = tuple(strides[operand.index] for _, strides in outer_axes)
            operand.inner = tuple(strides[operand.index] for _, strides in inner_axes)
        return self._finished(windows)

    def _turned(self, operand: Operand, window: Window) -> Window:
        """What a row would walk across is copied in the order of the rows first, block by block."""
        domain, strides = self.domain, operand.outer
        inner = [i for i, flag in enumerate(domain.inner or (True,) * len(domain.dims)) if flag]
        if not inner or strides[inner[-1]] in (0, 1):
            return window
        moving = [(n, stride) for n, stride in zip(domain.dims, strides, strict=True) if stride]
        shape = tuple(n for n, _ in moving)
        source = Window(window.buffer, window.dtype, shape, tuple(stride for _, stride in moving), window.offset)
        if count(shape) < FEW or turn_of(source, Window.whole(0, window.dtype, shape)) is None:
            return window
        copied = self.lowering.copied(source)
        rest = iter(copied.strides)
        operand.outer = tuple(next(rest) if stride else 0 for stride in strides)
        return copied

    def _kept(self) -> tuple[bool, ...]:
        """The outer axes that folds of columns do not fold."""
        domain = self.domain
        for node, place in self.plan.place.items():
            if place == COLUMNS:
                assert domain.inner is not None
                folded = domain.marked(node.inputs[0].shape, values.folded_axes(node))
                return tuple(not one and not inner for one, inner in zip(folded, domain.inner, strict=True))
        return (False,) * len(domain.dims)

    def _outer_order(self, inner: tuple[bool, ...]) -> list[int]:
        """The outer axes, those first along which columns are not folded: each such batch has its own columns."""
        kept = self._kept()
        return sorted((i for i, flag in enumerate(inner) if not flag), key=lambda i: not kept[i])

    def _finished(self, windows: Sequence[Window]) -> list[Instruction]:
        plan = self.plan
        rows, row = count(plan.outer), count(plan.inner)
        if plan.flat:
            rows, of_unit = row, self._piece(row)
            elements = of_unit
        else:
            of_unit = self._rows_of_unit(rows) if plan.folds_rows else 1
            elements = of_unit * row
        units = -(-rows // of_unit) if rows else 0
        plan.across = goes_across(plan, of_unit if plan.folds_rows else rows, host().lanes)
        plan.prepare(of_unit)
        if plan.flat:
            plan.extra[0] = rows
        kernel = _kernel(plan)
        batches = count([n for n, kept in zip(self.domain.dims, self._kept(), strict=True) if kept])
        windows = [*list(windows)[: len(self.reads)], *self._write_finals(units, batches)]
        accesses = [
            self._access(operand, window, units, of_unit)
            for operand, window in zip(plan.operands, windows, strict=True)
        ]
        for node, access in zip(plan.writes, accesses[len(self.reads) :], strict=True):
            if node in self.partials:
                if access.buffer != self.partials[node].buffer:
                    size = units * (row if plan.place[node] == COLUMNS else 1)
                    self.lowering.buffers[access.buffer].nbytes = size * plan.writes[node].dtype.itemsize
                access.slabs = max(units, 1)
        price = sum(values.price(node) for node in plan.order) * NANOSECONDS + len(plan.operands) * NANOSECONDS
        scratch = 8 * row * kernel.kept * (host().lanes if plan.across else 1)
        reads, writes = accesses[: len(self.reads)], accesses[len(self.reads) :]
        main = Instruction(kernel.kernel, reads, writes, plan.extra, units, elements * price + 5, scratch)
        if any(node.op.name in CHECKED for node in plan.order):
            main.reports = True
        if kernel.passes == 1:
            main.in_place = self._in_place()
        return [main, *self._combined(batches, units, row)]

    def _write_finals(self, units: int, batches: int) -> list[Window]:
        """Where results are written: where they belong, if what a unit folds is all there is."""
        for i, (node, window, strides) in enumerate(self.writes):
            final = self.partials.get(node)
            complete = units == (batches if self.plan.place[node] == COLUMNS else 1)
            if complete and final is not None and final.dtype is window.dtype:
                self.writes[i] = node, final, strides
        return [window for _, window, _ in self.writes]

    def _rows_of_unit(self, rows: int) -> int:
        """How many rows are folded by one unit, all of one batch."""
        domain, kept = self.domain, self._kept()
        inner = domain.inner or (True,) * len(domain.dims)
        batches = count([n for n, one in zip(domain.dims, kept, strict=True) if one])
        folded = [n for n, one, of_row in zip(domain.dims, kept, inner, strict=True) if not one and not of_row]
        if self.lowering.small and rows <= ROWS_TOGETHER * batches:
            return max(rows // batches, 1)
        if batches == 1:
            return _rows_of_part(rows, folded, PARTS)
        rows //= batches
        of_unit = _rows_of_part(rows, folded, max(PARTS // batches, 1))
        return rows if rows % of_unit else of_unit

    def _in_place(self) -> tuple[tuple[int, int], ...]:
        """What may be written over what: results over operands of theirs that lie in the same way."""
        plan = self.plan
        by_index = {operand.index: window for operand, window in self.reads.values()}
        candidates: list[tuple[int, int, list[int]]] = []
        for node, window, _ in self.writes:
            target = plan.writes[node]
            if plan.place[node] == FULL and window.contiguous:
                alike = [
                    one.buffer
                    for index in sorted(self._sources(node))
                    if (one := by_index[index]).dtype is window.dtype
                    and (plan.operands[index].outer, plan.operands[index].inner) == (target.outer, target.inner)
                    and not one.offset
                    and self.lowering.buffers[one.buffer].kind == LEAF
                ]
                candidates.append((len(alike), window.buffer, alike))
        pairs: dict[int, int] = {}
        for _, written, alike in sorted(candidates):
            free = [read for read in alike if read not in pairs]
            if free:
                pairs[free[0]] = written
        return tuple((written, read) for read, written in pairs.items())

    def _sources(self, node: Node) -> set[int]:
        """The operands that a node is computed from."""
        found: set[int] = set()
        met: set[Node] = set()
        stack = [node]
        while stack:
            one = stack.pop()
            if one in met:
                continue
            met.add(one)
            for i in range(len(one.inputs)):
                if (one, i) in self.plan.reads:
                    found.add(self.plan.reads[one, i].index)
                elif (one, i) in self.plan.links:
                    stack.append(self.plan.links[one, i])
        return found

    def _piece(self, size: int) -> int:
        """How many elements of a flat array make a unit: whole trailing axes, if they are neither few nor many."""
        piece = 1
        for n in reversed(self.domain.dims):
            if piece >= PIECE:
                break
            piece *= n
        least = piece if PIECE <= piece <= 16 * PIECE else 2 * PIECE
        if self.plan.folds_rows and size > least * PARTS:
            least *= -(-size // (least * PARTS))
        return max(least, 1)

    def _access(self, operand: Operand, window: Window, units: int, of_unit: int) -> Access:
        buffer = self.lowering.buffers[window.buffer]
        elements = buffer.nbytes // max(window.dtype.itemsize, 1)
        slabs = 1
        if self.plan.flat:
            whole = operand.step == "1" and window.offset == 0 and self.plan.inner[0] == elements
            slabs = units if whole and units * of_unit == elements else 1
        elif units * of_unit == count(self.plan.outer):
            slabs = gcd(_slabs(operand, window, self.plan, elements), units) if units else 1
        return Access(window.buffer, max(slabs, 1), window.byte_offset)

    def _combined(self, batches: int, units: int, row: int) -> list[Instruction]:
        found = []
        for node, window, _ in self.writes:
            final = self.partials.get(node)
            if final is None or final.buffer == window.buffer:
                continue
            if self.plan.place[node] == COLUMNS:
                found.append(combine(node, window, final, batches, units // batches, row))
            else:
                found.append(combine(node, window, final, 1, units, 1))
        return found


def _slabs(operand: Operand, window: Window, plan: Plan, elements: int) -> int:
    """Into how many slabs rows can be divided so that each has its own part of the buffer."""
    n, span = 1, elements
    for size, stride in zip(plan.outer, operand.outer, strict=True):
        if stride <= 0 or size * stride != span:
            break
        n *= size
        span = stride
    strides = list(zip((*plan.outer, *plan.inner), (*operand.outer, *operand.inner), strict=True))
    reach = window.offset
    done = 1
    for size, stride in strides:
        if done < n:
            done *= size
            continue
        if stride < 0:
            return 1
        reach += (size - 1) * stride
    return n if reach < span else 1


def _rows_of_part(rows: int, outer: Sequence[int], most: int) -> int:
    """How many rows are folded by one unit: such that the units are whole slabs of the outermost axis, if possible."""
    parts = 1
    for n in outer:  # as many leading axes as give not too many parts, and a part of the next one
        if parts * n > most:
            parts *= max(k for k in range(1, most // parts + 1) if n % k == 0)
            break
        parts *= n
    if parts * 8 < min(rows, most):  # a prime number of rows, say
        return -(-rows // most)
    return max(rows // parts, 1)


class _Made:
    """A kernel, what it keeps in scratch memory, and how often it goes along a row."""

    __slots__ = ("kept", "kernel", "passes")

    def __init__(self, plan: Plan, description: str) -> None:
        target, passes = host(), Passes(plan)
        self.kept, self.passes = len(passes.kept), passes.count
        kind = AcrossKernel if plan.across else RowKernel
        self.kernel = Kernel.described("rows", description, lambda: kind(plan, passes, target).text())


def _kernel(plan: Plan) -> _Made:
    """The kernel of a plan: one for all plans that differ in sizes and strides alone."""
    description = described(plan)
    made = _kernels.get(description)
    if made is None:
        made = _kernels[description] = _Made(plan, description)
    return made


__all__ = ["RowPlanner"]

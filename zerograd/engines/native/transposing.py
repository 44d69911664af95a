"""Copies between windows that have different innermost axes: blocks are turned in registers.

Both sides are read and written in vectors; if one axis is too short for that, elements go one by one. A unit is a
strip: as many elements as a cache line has along the source's innermost axis P, and all along the target's, Q.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from zerograd.engines.native.emit import Value, vector
from zerograd.engines.native.kernel import Access, Instruction, Kernel, KernelFunction
from zerograd.engines.native.target import host
from zerograd.engines.native.windows import Window, merged

if TYPE_CHECKING:
    from zerograd.engines.native.lower import Lowering

LINE = 64  # bytes of a cache line
NUMBERS = ("P", "Q", "source step", "target step", "strips")  # steps: of the source along Q, of the target along P
COST = 0.25  # nanoseconds for an element
WIDEST = 8

Axis = tuple[int, tuple[int, ...]]  # size, strides of source and target


class Turn(NamedTuple):
    """What is copied.

    Attributes:
        p, q: the axes in which the source, and the target, has neighbours.
        batch: the other axes.
    """

    p: Axis
    q: Axis
    batch: tuple[Axis, ...]


def block_of(itemsize: int) -> int:
    """The side of a block: at most a register's elements."""
    return min(WIDEST, host().lanes * 4 // itemsize)


def turn_of(window: Window, target: Window) -> Turn | None:
    """How a copy goes, if both axes are there and not both are short."""
    if window.dtype.itemsize > 8:
        return None
    axes = merged(list(zip(window.shape, zip(window.strides, target.strides, strict=True), strict=True)))
    p = next((i for i, (_, (source, _)) in enumerate(axes) if source == 1), -1)
    q = next((i for i, (_, (_, into)) in enumerate(axes) if into == 1), -1)
    if p < 0 or q < 0 or p == q or max(axes[p][0], axes[q][0]) < block_of(window.dtype.itemsize):
        return None
    return Turn(axes[p], axes[q], tuple([one for i, one in enumerate(axes) if i not in (p, q)]))


def _turned(f: KernelFunction, rows: list[Value]) -> list[Value]:
    """A square block with rows and columns exchanged: quarters off the diagonal change places, then theirs."""
    side = len(rows)
    distance = side // 2
    while distance:
        for i in range(side):
            if i & distance:
                continue
            x, y = rows[i], rows[i + distance]
            low = [lane if not lane & distance else side + lane - distance for lane in range(side)]
            high = [lane + distance if not lane & distance else side + lane for lane in range(side)]
            rows[i], rows[i + distance] = f.shuffle(x, y, low), f.shuffle(x, y, high)
        distance //= 2
    return rows


class _Transposing(KernelFunction):
    """The kernel for elements of a size and a number of batch axes."""

    def __init__(self, itemsize: int, rank: int) -> None:
        super().__init__()
        self.itemsize, self.type, self.rank = itemsize, f"i{8 * itemsize}", rank
        self.side = block_of(itemsize)
        self.p, self.q, self.source_step, self.target_step, self.strips = (
            self.number(4 + i) for i in range(len(NUMBERS))
        )

    def text(self) -> str:
        self.loop(self.low, self.high, 1, self._unit)
        return self.finish()

    def _unit(self, u: Value) -> None:
        batch, strip = self.binary("udiv", u, self.strips), self.binary("urem", u, self.strips)
        bases = [self.place(0), self.place(1)]
        for axis in reversed(range(self.rank)):
            size, *steps = (self.number(4 + len(NUMBERS) + 3 * axis + i) for i in range(3))
            place, batch = self.binary("urem", batch, size), self.binary("udiv", batch, size)
            bases = [
                self.pointer(base, self.mul(place, step), self.type) for base, step in zip(bases, steps, strict=True)
            ]
        self.source, self.target = bases
        first = self.mul(strip, LINE // self.itemsize)
        last = self.least(self.add(first, LINE // self.itemsize), self.p)
        whole = self.add(first, self.and_(self.sub(last, first), -self.side))
        blocks = self.and_(self.q, -self.side)

        def across(j: Value) -> None:
            self.loop(first, whole, self.side, lambda i: self._block(i, j))
            self._singly(whole, last, j, self.add(j, self.side))

        self.loop(0, blocks, self.side, across)
        self._singly(first, last, blocks, self.q)

    def _block(self, i: Value, j: Value) -> None:
        """Elements from i on along P and from j on along Q."""
        source = self.pointer(self.source, self.add(i, self.mul(j, self.source_step)), self.type)
        target = self.pointer(self.target, self.add(j, self.mul(i, self.target_step)), self.type)
        line = vector(self.type, self.side)
        rows = [self.load(line, source, self.mul(self.source_step, k)) for k in range(self.side)]
        for k, row in enumerate(_turned(self, rows)):
            self.store(row, target, self.mul(self.target_step, k))

    def _singly(self, first: Value, last: Value, start: Value, stop: Value) -> None:
        def one(i: Value, j: Value) -> None:
            x = self.load(self.type, self.source, self.add(i, self.mul(j, self.source_step)))
            self.store(x, self.target, self.add(j, self.mul(i, self.target_step)))

        def along(i: Value) -> None:
            self.loop(start, stop, 1, lambda j: one(i, j))

        self.loop(first, last, 1, along)


def transposing(lowering: Lowering, window: Window, target: Window) -> Instruction | None:
    """The instruction that copies a window to another of the same shape; ``None``: it is no matter of turning."""
    turn = turn_of(window, target)
    if turn is None:
        return None
    itemsize, rank = window.dtype.itemsize, len(turn.batch)
    (p, (_, target_step)), (q, (source_step, _)) = turn.p, turn.q
    strips = -(-p // (LINE // itemsize))
    batches = 1
    for n, _ in turn.batch:
        batches *= n
    accesses = [
        Access(one.buffer, _slabs(turn, side, one, lowering.buffers[one.buffer].nbytes // itemsize), one.byte_offset)
        for side, one in enumerate((window, target))
    ]
    kernel = Kernel.described("transpose", f"{itemsize} {rank}", lambda: _Transposing(itemsize, rank).text())
    extra = [p, q, source_step, target_step, strips]
    extra += [number for n, strides in turn.batch for number in (n, *strides)]
    cost = q * min(p, LINE // itemsize) * COST + 5
    return Instruction(kernel, accesses[:1], accesses[1:], extra, batches * strips, cost)


def _slabs(turn: Turn, side: int, window: Window, elements: int) -> int:
    """Into how many slabs the outer batch axes divide the buffer."""
    n, span = 1, elements
    inner: Sequence[Axis] = (*turn.batch, turn.p, turn.q)
    for i, (size, strides) in enumerate(turn.batch):
        if strides[side] <= 0 or size * strides[side] != span:
            break
        n, span, inner = n * size, strides[side], (*turn.batch[i + 1 :], turn.p, turn.q)
    if any(strides[side] < 0 for _, strides in inner):
        return 1
    reach = window.offset + sum((size - 1) * strides[side] for size, strides in inner)
    return n if reach < span else 1

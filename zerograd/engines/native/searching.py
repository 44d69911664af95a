"""Places in ascending lines, and membership: binary searches without branches, several values at once.

Before each step the place lies in [base, base + n], n being the same for all values; one look at the element in the
middle decides whether ``base`` moves on. NaN counts as the largest number, as in sorting.
"""

from __future__ import annotations

from collections.abc import Callable

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.engines.native import conversion, sorting, values
from zerograd.engines.native.emit import Value, is_float, lanes, vector
from zerograd.engines.native.kernel import Access, Instruction, Kernel, KernelFunction
from zerograd.engines.native.lower import Lowering, special
from zerograd.engines.native.target import host
from zerograd.engines.native.windows import Window
from zerograd.ir.graph import Node, TensorType
from zerograd.shapes import count

NUMBERS = ("length", "stride", "width", "blocks", "steps")
"""Of a line; from line to line, 0 if there is one for all; searched in a line; units for them; looks at elements."""

BLOCK = 512  # values of a unit
LONGEST = 1 << 31
COST = 1.4  # nanoseconds of a look
LEFT, RIGHT, AMONG, NOT_AMONG = "left", "right", "among", "not among"


class _Searching(KernelFunction):
    """The kernel for one dtype and one way: the place before or behind equal elements, or whether there are any.

    Reads the lines and the values, writes places (int64) or truth. Units: for each line, blocks of its values.
    """

    def __init__(self, kind: dtype, way: str) -> None:
        super().__init__()
        self.kind, self.way = kind, way
        self.length, self.stride, self.width, self.blocks, self.steps = (
            self.number(6 + i) for i in range(len(NUMBERS))
        )
        self.table, self.searched, self.found = (self.place(i) for i in range(3))

    def text(self) -> str:
        self.loop(self.low, self.high, 1, self._unit)
        return self.finish()

    def _unit(self, u: Value) -> None:
        row, block = self.binary("udiv", u, self.blocks), self.binary("urem", u, self.blocks)
        line = self.pointer(self.table, self.mul(row, self.stride), conversion.MEMORY[self.kind])
        start = self.mul(row, self.width)
        low = self.add(start, self.mul(block, BLOCK))
        high = self.least(self.add(low, BLOCK), self.add(start, self.width))
        width = 2 * host().lanes
        whole = self.sub(high, self.binary("urem", self.sub(high, low), width))
        self.loop(low, whole, width, lambda i: self._search(line, i, width))
        self.loop(whole, high, 1, lambda i: self._search(line, i, 1))

    def _search(self, line: Value, i: Value, width: int) -> None:
        """Searches ``width`` values from the ``i``-th on."""
        x = conversion.load(self, self.kind, width, self.searched, i)
        behind = self._behind(x)
        places = vector("i32", width)

        def look(_: Value, base: Value, n: Value) -> tuple[Value, Value]:
            half = self.lshr(n, 1)
            middle = self._elements(line, self.add(base, self.sub(half, 1)))
            step = self.splat(half, lanes(places))
            return self.add(base, self.select(behind(middle), step, 0)), self.sub(n, half)

        length = self.convert(self.length, "i32")
        base, _ = self.loop(0, self.steps, 1, look, (self.const(0, places), length))

        def last(_: Value, base: Value) -> Value:
            return self.add(base, self.convert(behind(self._elements(line, base)), "i32"))

        base = self.loop(0, self.least(self.length, 1), 1, last, (base,))[0]
        if self.way in (LEFT, RIGHT):
            self.store(self.convert(base, "i64"), self.found, i)
            return
        there = self._elements(line, self.least(base, self.convert(self.sub(self.length, 1), "i32")))
        word = {AMONG: ("oeq", "eq"), NOT_AMONG: ("une", "ne")}[self.way][not is_float(x.type)]
        conversion.store(self, dtypes.bool_, self.compare(word, there, x), self.found, i)

    def _elements(self, line: Value, places: Value) -> Value:
        """The elements at these places of a line."""
        places = self.convert(places, "i64") if lanes(places.type) == 1 else places
        return values.gather(self, self.kind, line, places, None)

    def _behind(self, x: Value) -> Callable[[Value], Value]:
        """Whether the place of ``x`` is behind an element."""
        right = self.way == RIGHT
        if not is_float(x.type):
            signed = "s" if self.kind.is_signed else "u"
            word = signed + ("le" if right else "lt")
            return lambda element: self.compare(word, element, x)
        nan = self.compare("uno", x, x)
        if right:
            return lambda element: self.or_(nan, self.compare("ole", element, x))

        def before(element: Value) -> Value:
            return self.or_(self.compare("olt", element, x), self.and_(nan, self.compare("ord", element, element)))

        return before


def _known(line: TensorType, searched: TensorType) -> bool:
    kind = line.dtype
    if not conversion.computable(kind) or kind is not searched.dtype or not count(searched.shape):
        return False
    return line.shape[-1] < LONGEST


def _found(lowering: Lowering, line: Window, x: Node, result: TensorType, way: str) -> Window:
    """The step that searches values in lines; a single line is for all of them."""
    source, target = lowering.whole(x), lowering.new_window(result)
    kind, length = x.dtype, line.shape[-1]
    number = count(x.shape)
    alone = len(line.shape) == 1
    rows = count(x.shape[:-1]) if x.shape else 1
    if alone and number // rows < BLOCK:  # short rows in blocks of their own would be many units
        rows = 1
    blocks = -(-(number // rows) // BLOCK)
    slabs = rows if rows > 1 else _slabs(number)
    steps = max(length - 1, 0).bit_length()

    lowering.steps.append(
        Instruction(
            Kernel.described("search", f"{kind.name} {way}", lambda: _Searching(kind, way).text()),
            [lowering.access(line, 1 if alone else rows), lowering.access(source, slabs)],
            [Access(target.buffer, slabs)],
            [length, 0 if alone else length, number // rows, blocks, steps],
            rows * blocks,
            min(BLOCK, number // rows) * (steps + 3) * COST,
        )
    )
    return target


def _slabs(number: int) -> int:
    """Into how many slabs a flat array's units divide it."""
    return number // BLOCK if number % BLOCK == 0 else 1


@special("searchsorted")
def _searchsorted(lowering: Lowering, node: Node) -> bool:
    line, x = node.inputs
    if not _known(line.type, x.type):
        return False
    way = RIGHT if node.attributes["right"] else LEFT
    assert isinstance(node.type, TensorType)
    lowering.place(node, _found(lowering, lowering.whole(line), x, node.type, way))
    return True


@special("isin")
def _isin(lowering: Lowering, node: Node) -> bool:
    """The members are sorted first."""
    x, members = node.inputs
    if not members.type.count or not _known(members.type, x.type):
        return False
    assert isinstance(node.type, TensorType)
    line, _ = sorting.in_order(lowering, members, 0, False)
    way = NOT_AMONG if node.attributes["invert"] else AMONG
    lowering.place(node, _found(lowering, line, x, node.type, way))
    return True

"""How many elements fall into each of equally wide bins.

The bounds are those of the reference: multiples of the width, computed in double, rounded to the elements' type. Which
bin holds an element is estimated in double, which is off by one at most, and corrected by the bounds on both sides.
"""

from __future__ import annotations

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.engines.native import conversion
from zerograd.engines.native.checks import report
from zerograd.engines.native.emit import BITS, Value
from zerograd.engines.native.kernel import Access, Instruction, Kernel, KernelFunction
from zerograd.engines.native.lower import Lowering, special
from zerograd.engines.native.mathematics.evaluation import DOUBLE
from zerograd.ir.graph import Node
from zerograd.shapes import count

NUMBERS = ("length", "bins", "low", "high")
"""Elements; bins; the bits of the lowest and the highest bound in double."""

MOST_BINS = 1 << 16
COST = 3.0  # nanoseconds for an element


class _Counting(KernelFunction):
    """The kernel for one dtype; between the extremes of the elements with ``free``. One unit.

    Scratch memory: a counter for each bin and one for all that is outside, behind them the bounds. What the reference
    refuses, infinite ranges and bins without a width, is reported.
    """

    def __init__(self, kind: dtype, free: bool) -> None:
        super().__init__()
        self.kind, self.free = kind, free
        self.type = conversion.REGISTER[kind]
        self.length, self.bins, *bounds = (self.number(4 + i) for i in range(len(NUMBERS)))
        self.bounds = [self.bitcast(one, "double") for one in bounds]
        self.source, self.target = self.place(0), self.place(1)
        self.edges = self.pointer(self.scratch, self.mul(self.add(self.bins, 1), 8))

    def text(self) -> str:
        self.loop(self.low, self.high, 1, lambda _: self._all())
        return self.finish()

    def _element(self, i: Value) -> Value:
        return conversion.load(self, self.kind, 1, self.source, i)

    def _all(self) -> None:
        low, high = self._extremes() if self.free else self.bounds
        width = self.sub(high, low)
        last = self.add(self.bins, 1)
        self.loop(0, last, 1, lambda i: self.store(self.const(0, "i64"), self.scratch, i))
        self._write_edges(low, high, width)
        first, final = (self.load(self.type, self.edges, i) for i in (self.const(0, "i64"), self.bins))
        scale = self.div(self.convert(self.bins, "double"), width)

        def step(i: Value) -> None:
            x = self._element(i)
            inside = self.and_(self.compare("oge", x, first), self.compare("ole", x, final))
            bin = self.select(inside, self._bin(x, low, scale), self.bins)
            self.store(self.add(self.load("i64", self.scratch, bin), 1), self.scratch, bin)

        self.loop(0, self.length, 1, step)

        def leave(i: Value) -> None:
            number = conversion.cast(self, self.load("i64", self.scratch, i), dtypes.int64, self.kind)
            conversion.store(self, self.kind, number, self.target, i)

        self.loop(0, self.bins, 1, leave)

    def _bin(self, x: Value, low: Value, scale: Value) -> Value:
        """The bin that holds an element inside of the bounds."""
        guess = self.mul(self.sub(self.convert(x, "double"), low), scale)
        top = self.sub(self.bins, 1)
        fits = self.compare("olt", guess, self.convert(self.bins, "double"))
        usual = self.and_(fits, self.compare("ogt", guess, 0.0))  # the bounds are rounded to the elements' type
        bin = self.select(fits, self.convert(self.select(usual, guess, 0.0), "i64"), top)
        below = self.compare("olt", x, self.load(self.type, self.edges, bin))
        bin = self.sub(bin, self.convert(below, "i64"))
        bin = self.intrinsic("smax", bin, 0)
        above = self.compare("oge", x, self.load(self.type, self.edges, self.add(bin, 1)))
        return self.add(bin, self.convert(self.and_(above, self.compare("slt", bin, top)), "i64"))

    def _extremes(self) -> list[Value]:
        """The least and the largest element, or NaN; one less and one more if they are the same."""

        def step(i: Value, least: Value, most: Value) -> tuple[Value, Value]:
            x = self._element(i)
            nan = self.compare("uno", x, x)
            return (
                self.select(self.or_(nan, self.compare("olt", x, least)), x, least),
                self.select(self.or_(nan, self.compare("ogt", x, most)), x, most),
            )

        some = self.loop(0, self.least(self.length, 1), 1, lambda i, _: self._element(i), [self.const(0.0, self.type)])
        least, most = self.loop(0, self.length, 1, step, [some[0], some[0]])
        low, high = self.convert(least, "double"), self.convert(most, "double")
        same = self.compare("oeq", low, high)
        return [self.select(same, self.sub(low, 1.0), low), self.select(same, self.add(high, 1.0), high)]

    def _write_edges(self, low: Value, high: Value, width: Value) -> None:
        step = self.div(width, self.convert(self.bins, "double"))

        def one(i: Value) -> None:
            place = self.add(self.mul(self.convert(i, "double"), step), low)
            place = self.select(self.compare("eq", i, self.bins), high, place)
            self.store(self.convert(place, self.type), self.edges, i)

        self.loop(0, self.add(self.bins, 1), 1, one)

        def rising(i: Value, wrong: Value) -> Value:
            left, right = self.load(self.type, self.edges, i), self.load(self.type, self.edges, self.add(i, 1))
            return self.or_(wrong, self.not_(self.compare("olt", left, right)))

        infinite = self.not_(self.compare("olt", self.abs(width), float("inf")))
        report(self, self.loop(0, self.bins, 1, rising, [infinite])[0])


@special("histogram")
def _histogram(lowering: Lowering, node: Node) -> bool:
    (x,) = node.inputs
    bins, low, high = (node.attributes[word] for word in ("bins", "low", "high"))
    kind = x.dtype
    if not conversion.computable(kind) or not kind.is_floating_point or bins > MOST_BINS or not low <= high:
        return False
    source, target = lowering.whole(x), lowering.new_window(node.type)
    free, length = low == high, count(x.shape)
    made = Instruction(
        Kernel.described("counting", f"{kind.name} {free}", lambda: _Counting(kind, free).text()),
        [Access(source.buffer, 1, source.byte_offset)],
        [Access(target.buffer)],
        [length, bins, *map(DOUBLE.pattern, (low, high))],
        1,
        length * COST * (1.3 if free else 1) + bins * 4.0,
        (bins + 1) * 8 + (bins + 1) * BITS[conversion.REGISTER[kind]] // 8,
    )
    made.reports = bool(length)
    lowering.steps.append(made)
    lowering.place(node, target)
    return True

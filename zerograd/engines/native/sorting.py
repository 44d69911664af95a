"""Elements along an axis in order, and where they were.

Short lines are merged from ever longer runs. Long ones are dealt out by one byte of their keys after the other, the
most significant one last.

An element is compared by its key, an integer that orders as the dtype does: NaN above all numbers, zeros of both signs
alike. Keys of 32 bits travel with the element's place in one word, keys of 64 bits beside it. Equal elements stay in
their order, so places are those of the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.engines.native import conversion
from zerograd.engines.native.emit import BITS, Value, is_float
from zerograd.engines.native.kernel import Access, Instruction, Kernel, KernelFunction
from zerograd.engines.native.lower import Lowering, special
from zerograd.engines.native.windows import Window
from zerograd.ir.graph import Node
from zerograd.shapes import count

LONGEST = 1 << 31
NUMBERS = ("length", "inner", "levels")  # of a line; lines side by side; how often runs are merged
HALF = 32  # bits of a place beside a short key
KEY_OF_NAN = {"float": (1 << 31) - 1, "double": (1 << 63) - 1}
DIGITS = 256
BYTES = {
    dtypes.bool_: (0,), dtypes.uint8: (0,), dtypes.int8: (0,), dtypes.int16: (0, 1), dtypes.int32: range(4),
    dtypes.int64: range(8), dtypes.float16: (1, 2, 3), dtypes.bfloat16: (2, 3), dtypes.float32: range(4),
    dtypes.float64: range(8),
}  # fmt: skip
"""Which bytes of a key tell elements apart."""
LONG = {1: 100, 2: 250}  # elements from which a line is dealt out, by lists
COST = 3.0  # nanoseconds for an element and a level, or a byte

State = list[Value]


class Sorting(KernelFunction):
    """The kernel for one dtype. Units: lines.

    Scratch memory: two lists of words, or of keys and of places; behind them counters, if the line is dealt out.
    """

    def __init__(self, kind: dtype, descending: bool, long: bool) -> None:
        super().__init__()
        self.kind, self.descending, self.long = kind, descending, long
        self.length, self.inner, self.levels = (self.number(6 + i) for i in range(len(NUMBERS)))
        self.source, self.values, self.places = (self.place(i) for i in range(3))
        self.lists = lists_of(kind)

    def text(self) -> str:
        self.loop(self.low, self.high, 1, self._line)
        return self.finish()

    def _key(self, x: Value) -> Value:
        """An i64 that orders as the element does, of 32 bits for short dtypes."""
        if is_float(x.type):
            bits = f"i{BITS[x.type]}"
            x = self.add(x, 0.0)  # of the two zeros one
            whole = self.bitcast(x, bits)
            turned = self.xor(whole, self.lshr(self.ashr(whole, BITS[bits] - 1), 1))
            key = self.select(self.compare("uno", x, x), self.const(KEY_OF_NAN[x.type], bits), turned)
        else:
            key = self.convert(x, "i64", signed=self.kind.is_signed)
        key = self.convert(key, "i64")
        return self.not_(key) if self.descending else key

    def _line(self, u: Value) -> None:
        batch, j = self.binary("udiv", u, self.inner), self.binary("urem", u, self.inner)
        start = self.add(self.mul(self.mul(batch, self.length), self.inner), j)
        size = self.mul(self.add(self.length, 1), 8)  # one word more, which is read but does not count
        spaces = [self.pointer(self.scratch, self.mul(size, i)) for i in range(2 * self.lists)]
        front, back = spaces[: self.lists], spaces[self.lists :]

        def enter(i: Value) -> None:
            key = self._key(self.element(start, i))
            words = [self.or_(self.shl(key, HALF), i)] if self.lists == 1 else [key, i]
            for word, space in zip(words, front, strict=True):
                self.store(word, space, i)

        self.loop(0, self.length, 1, enter)
        if self.long:
            counters = self.pointer(self.scratch, self.mul(size, 2 * self.lists))
            self.leave(u, start, self._dealt_out(front, back, counters))
            return
        merged = self.loop(0, self.levels, 1, self._level, [self.const(1, "i64"), *front, *back])
        self.leave(u, start, merged[1 : 1 + self.lists])

    def leave(self, u: Value, start: Value, ordered: list[Value]) -> None:
        """Writes the results of a line that begins at ``start``, given its list of words, or of keys and of places."""

        def step(i: Value) -> None:
            place = self.place_of(ordered, i)
            target = self.add(start, self.mul(i, self.inner))
            conversion.store(self, self.kind, self.element(start, place), self.values, target)
            self.store(place, self.places, target)

        self.loop(0, self.length, 1, step)

    def place_of(self, ordered: list[Value], i: Value) -> Value:
        """Where in its line the ``i``-th element in order is."""
        word = self.load("i64", ordered[-1], i)
        return self.and_(word, (1 << HALF) - 1) if self.lists == 1 else word

    def key_of(self, ordered: list[Value], i: Value) -> Value:
        """The key of the ``i``-th element in order."""
        word = self.load("i64", ordered[0], i)
        return self.ashr(word, HALF) if self.lists == 1 else word

    def element(self, start: Value, place: Value) -> Value:
        """An element of a line."""
        at = self.add(start, self.mul(place, self.inner))
        return conversion.load(self, self.kind, 1, self.source, at)

    def _level(self, level: Value, run: Value, *spaces: Value) -> State:
        """Runs of ``run`` elements become runs of twice as many, in the other space."""
        front, back = spaces[: self.lists], spaces[self.lists :]
        double = self.add(run, run)

        def pair(low: Value) -> None:
            middle = self.least(self.add(low, run), self.length)
            high = self.least(self.add(low, double), self.length)

            def step(k: Value, i: Value, j: Value) -> State:
                left, right = ([self.load("i64", space, at) for space in front] for at in (i, j))
                ordered = self.or_(self.compare("sle", left[0], right[0]), self.compare("sge", j, high))
                from_left = self.and_(self.compare("slt", i, middle), ordered)
                for space, x, y in zip(back, left, right, strict=True):
                    self.store(self.select(from_left, x, y), space, k)
                one = self.convert(from_left, "i64")
                return [self.add(i, one), self.add(j, self.sub(1, one))]

            self.loop(low, high, 1, step, [low, middle])

        self.loop(0, self.length, double, pair)
        return [double, *back, *front]

    # --- by bytes ----------------------------------------------------------------------------------------------

    def _dealt_out(self, front: list[Value], back: list[Value], counters: Value) -> list[Value]:
        """The list in order."""
        low = HALF if self.lists == 1 else 0
        places = [low + 8 * i for i in BYTES[self.kind]]
        top = 56 if self.kind.is_floating_point else low + 8 * self.kind.itemsize - 8

        def byte(word: Value, place: int) -> Value:
            found = self.and_(self.lshr(word, place), DIGITS - 1)
            return self.xor(found, DIGITS // 2) if place == top and self.kind.is_signed else found

        def counter(index: int, digit: Value) -> Value:
            return self.pointer(counters, self.add(digit, index * DIGITS), "i32")

        self.loop(0, len(places) * DIGITS, 1, lambda i: self.store(self.const(0, "i32"), counters, i))

        def count_up(i: Value) -> None:
            word = self.load("i64", front[0], i)
            for index, place in enumerate(places):
                at = counter(index, byte(word, place))
                self.store(self.add(self.load("i32", at), 1), at)

        self.loop(0, self.length, 1, count_up)
        for index, place in enumerate(places):
            first = self.load("i32", counter(index, byte(self.load("i64", front[0]), place)))
            same = self.compare("eq", self.convert(first, "i64"), self.length)

            def deal(
                index: int = index, place: int = place, front: list[Value] = front, back: list[Value] = back
            ) -> Any:
                self._starts(counter(index, self.const(0, "i64")))

                def step(i: Value) -> None:
                    words = [self.load("i64", one, i) for one in front]
                    at = counter(index, byte(words[0], place))
                    target = self.load("i32", at)
                    self.store(self.add(target, 1), at)
                    for word, one in zip(words, back, strict=True):
                        self.store(word, one, self.convert(target, "i64"))

                self.loop(0, self.length, 1, step)
                return [*back, *front]

            spaces = self.if_(same, lambda both=(*front, *back): both, deal)  # all in one hand: nothing to do
            front, back = spaces[: self.lists], spaces[self.lists :]
        return front

    def _starts(self, counters: Value) -> None:
        """Numbers of elements become the places where the first of them belongs."""

        def step(i: Value, sum: Value) -> Value:
            number = self.load("i32", counters, i)
            self.store(sum, counters, i)
            return self.add(sum, number)

        self.loop(0, DIGITS, 1, step, [self.const(0, "i32")])


def lists_of(kind: dtype) -> int:
    """Whether keys and places share a list, 1, or have one each, 2."""
    return 2 if kind in (dtypes.int64, dtypes.float64) else 1


@special("sort")
def _sort(lowering: Lowering, node: Node) -> bool:
    (x,), axis = node.inputs, node.attributes["axis"]
    if not known(x, axis):
        return False
    lowering.place_results(node, in_order(lowering, x, axis, node.attributes["descending"]))
    return True


def in_order(lowering: Lowering, x: Node, axis: int, descending: bool) -> tuple[Window, Window]:
    """The step that sorts lines, which are not empty and shorter than ``LONGEST``: the elements, their old places."""
    kind = x.dtype
    values, places = lowering.new_window(x.type), lowering.new_window(x.type.with_dtype(dtypes.int64))
    long = is_long(x, axis)
    kernel = Kernel.described(
        "sort", f"{kind.name} {descending} {long}", lambda: Sorting(kind, descending, long).text()
    )
    lowering.steps.append(instruction(lowering, kernel, x, axis, (values, places)))
    return values, places


def instruction(lowering: Lowering, kernel: Kernel, x: Node, axis: int, results: Sequence[Window]) -> Instruction:
    """A kernel that puts the lines of ``x`` in order, and writes two results."""
    shape = x.shape
    outer, length, inner = count(shape[:axis]), shape[axis], count(shape[axis + 1 :])
    source, levels, bytes = lowering.whole(x), (length - 1).bit_length(), len(BYTES[x.dtype])
    long = is_long(x, axis)
    return Instruction(
        kernel,
        [lowering.access(source, outer)],
        [Access(one.buffer, outer) for one in results],
        [length, inner, levels],
        outer * inner,
        length * (2 + (bytes if long else levels)) * COST + (bytes * DIGITS if long else 5),
        2 * lists_of(x.dtype) * (length + 1) * 8 + (bytes * DIGITS * 4 if long else 0),
    )


def is_long(x: Node, axis: int) -> bool:
    """Whether the lines are dealt out."""
    return x.shape[axis] >= LONG[lists_of(x.dtype)]


def known(x: Node, axis: int) -> bool:
    """Whether there is a kernel for these lines."""
    return conversion.computable(x.dtype) and bool(count(x.shape)) and x.shape[axis] < LONGEST

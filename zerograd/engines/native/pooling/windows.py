"""The kernel of windows: the greatest, or the sum, of what each window of a plane reads.

    for plane (a unit):
        for row of windows:                       the rows it reads: a table of offsets, -1 outside
            for several neighbouring windows:     lanes
                for row read, for column read:    the columns: a table for each, -1 outside

Columns at distances of 1 or 2 are read as whole vectors, others one by one.
"""

from __future__ import annotations

from collections.abc import Callable

from zerograd.dtypes import dtype
from zerograd.engines.native import conversion, values
from zerograd.engines.native.emit import Value, element, lanes, vector
from zerograd.engines.native.kernel import Kernel, KernelFunction
from zerograd.frozen import Frozen

NUMBERS = ("rows", "row_taps", "columns", "column_taps", "column_pitch", "x_plane", "y_plane", "places_plane")
MAXIMUM, SUM = "maximum", "sum"
ROWS, COLUMNS = "rows", "columns"


class Form(Frozen):
    """What the text of the kernel depends on.

    Attributes:
        kind: of the elements.
        lanes: how many windows at a time.
        fold: MAXIMUM or SUM.
        step: the distance of neighbouring windows' readers along columns if it is 1 or 2 everywhere, else 0.
        places: whether the places of the maxima are written.
        weights: of a sum: ROWS, COLUMNS: whose readers have weights; "": none.
    """

    __slots__ = ("fold", "kind", "lanes", "places", "step", "weights")

    def __init__(self, kind: dtype, lanes: int, fold: str, step: int, places: bool, weights: str) -> None:
        self.kind, self.lanes, self.fold, self.step = kind, lanes, fold, step
        self.places, self.weights = places, weights

    def kernel(self) -> Kernel:
        """Reads x, two tables of i32 and perhaps weights laid as one of them; writes y and perhaps places (i64).

        The tables: of rows [rows, row_taps], of columns [column_taps, column_pitch]. Strides of planes are in bytes.
        """
        return Kernel.described("windows", repr(self), lambda: _Windows(self).text())


class _Windows:
    """The kernel under construction."""

    plane: Value  # where the unit's x begins
    out: Value
    places_out: Value
    row: Value  # of windows

    def __init__(self, form: Form) -> None:
        self.form, self.width = form, form.lanes
        self.f = f = KernelFunction()
        reads = 4 if form.weights else 3
        count = reads + 1 + form.places
        self.n = {word: f.number(2 * count + i) for i, word in enumerate(NUMBERS)}
        self.x, self.row_table, self.column_table = (f.place(i) for i in range(3))
        self.weights = f.place(3) if form.weights else f.scratch
        self.y = f.place(reads)
        self.places = f.place(reads + 1) if form.places else f.scratch
        self.register = values.register(form.kind, self.width)
        self.whole = vector("i64" if element(self.register) == "double" else "i32", self.width)

    def text(self) -> str:
        f, n = self.f, self.n

        def unit(u: Value) -> None:
            self.plane = f.pointer(self.x, f.mul(u, n["x_plane"]))
            self.out = f.pointer(self.y, f.mul(u, n["y_plane"]))
            self.places_out = f.pointer(self.places, f.mul(u, n["places_plane"]))
            f.loop(0, n["rows"], 1, self._row)

        f.loop(f.low, f.high, 1, unit)
        return f.finish()

    def _row(self, row: Value) -> None:
        f, n = self.f, self.n
        self.row = row
        last = f.sub(n["columns"], self.width)

        def several() -> None:  # the last windows overlap those before
            f.loop(0, n["columns"], self.width, lambda at: self._windows(f.least(at, last), None))

        few = lambda: self._windows(f.operand(0, "i64"), f.first(n["columns"], self.width))  # noqa: E731
        f.if_(f.compare("sge", last, 0), several, few)

    def _windows(self, at: Value, mask: Value | None) -> None:
        """Neighbouring windows from ``at`` on."""
        f, n, form = self.f, self.n, self.form
        maximum = form.fold == MAXIMUM
        start = [f.const(float("-inf") if maximum else -0.0, self.register)]
        if maximum:
            start.append(f.const(-1, self.whole))

        def row_tap(t: Value, *state: Value) -> list[Value]:
            place = f.add(f.mul(self.row, n["row_taps"]), t)
            offset = f.convert(f.load("i32", self.row_table, place), "i64")

            def read() -> list[Value]:
                return f.loop(0, n["column_taps"], 1, lambda k, *s: self._tap(at, k, offset, place, list(s)), state)

            return f.if_(f.compare("sge", offset, 0), read, lambda: state)

        state = f.loop(0, n["row_taps"], 1, row_tap, start)
        to = f.add(f.mul(self.row, n["columns"]), at)
        result = values.rounded(f, state[0], form.kind)
        conversion.store(f, form.kind, result, self.out, to, mask)
        if form.places:
            f.store(f.convert(state[1], "i64"), self.places_out, to, mask)

    def _tap(self, at: Value, k: Value, offset: Value, row_place: Value, state: list[Value]) -> list[Value]:
        """What the windows' k-th readers along columns meet in a row."""
        f, form = self.f, self.form
        place = f.add(f.mul(k, self.n["column_pitch"]), at)
        readers = f.load(vector("i32", self.width), self.column_table, place)
        inside = f.compare("sge", readers, 0)
        x = self._read(offset, readers, inside)
        if form.fold == MAXIMUM:
            best, where = state
            better = f.or_(f.compare("ogt", x, best), f.compare("uno", x, x))
            better = f.and_(inside, f.or_(better, f.compare("slt", where, 0)))
            here = f.add(f.convert(readers, self.whole), f.convert(offset, element(self.whole)))
            return [f.select(better, x, best), f.select(better, here, where)]
        if form.weights:
            type = element(self.register)
            by_row = form.weights == ROWS
            share = f.load(type if by_row else self.register, self.weights, row_place if by_row else place)
            x = f.mul(x, f.splat(share, self.width) if by_row else share)
        return [f.add(state[0], f.select(inside, x, f.const(-0.0, self.register)))]

    def _read(self, offset: Value, readers: Value, inside: Value) -> Value:
        f, form, width = self.f, self.form, self.width

        def apart() -> Value:
            return values.gather(f, form.kind, self.plane, f.add(f.convert(readers, "i64"), offset), inside)

        if form.step not in _TOGETHER:
            return apart()
        first, last = (f.convert(f.extract(readers, lane), "i64") for lane in (0, width - 1))
        regular = f.compare("eq", f.sub(last, first), form.step * (width - 1))
        regular = f.and_(f.compare("sge", first, 0), regular)
        together = _TOGETHER[form.step]
        (x,) = f.if_(regular, lambda: together(self, f.add(offset, first)), apart)
        return x

    def _neighbours(self, at: Value) -> Value:
        return conversion.load(self.f, self.form.kind, self.width, self.plane, at)

    def _every_second(self, at: Value) -> Value:
        """Nothing is read behind the last."""
        low, high = self._neighbours(at), self._neighbours(self.f.add(at, self.width - 1))
        half = self.width // 2
        return self.f.shuffle(
            low, high, [2 * i if i < half else self.width + 2 * i - (self.width - 1) for i in range(self.width)]
        )


_TOGETHER: dict[int, Callable[[_Windows, Value], Value]] = {1: _Windows._neighbours, 2: _Windows._every_second}

__all__ = ["COLUMNS", "MAXIMUM", "NUMBERS", "ROWS", "SUM", "Form", "lanes"]

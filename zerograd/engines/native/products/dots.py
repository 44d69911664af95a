"""Few rows times a matrix whose columns are contiguous: x @ W.T of a single x, without packing W.

Vectors run along k; as many columns as a vector has lanes are summed side by side, and one transposition turns their
sums into a vector of results. The matrix is read once, in place.
"""

from __future__ import annotations

from zerograd.engines.native.emit import Value, size
from zerograd.engines.native.kernel import Kernel, KernelFunction
from zerograd.engines.native.products.numbers import read, write
from zerograd.engines.native.products.packing import transposed
from zerograd.engines.native.products.tile import Tile
from zerograd.frozen import Frozen

DOT_NUMBERS = (
    "rows", "columns", "depth", "inner", "a_outer", "a_inner", "a_row", "b_outer", "b_inner", "b_column",
    "c_outer", "c_inner", "c_row",
)  # fmt: skip


class DotForm(Frozen):
    """What the text depends on: types of A, B and C, whether C is added to."""

    __slots__ = ("a", "accumulate", "b", "out", "tile")

    def __init__(self, tile: Tile, a: str, b: str, out: str, accumulate: bool) -> None:
        self.tile, self.a, self.b, self.out, self.accumulate = tile, a, b, out, accumulate

    @property
    def operands(self) -> int:
        """How many there are; C is the last."""
        return 3 + self.accumulate


def dot_kernel(form: DotForm) -> Kernel:
    """C = A @ B, for A with contiguous rows and B with contiguous columns. Units: items * columns.

    Numbers: DOT_NUMBERS, strides in bytes.
    """
    return Kernel.described("dots", repr(form), lambda: _Dots(form).text())


class _Dots:
    def __init__(self, form: DotForm) -> None:
        self.form, self.tile = form, form.tile
        self.f = f = KernelFunction()
        self.n = {word: f.number(2 * form.operands + i) for i, word in enumerate(DOT_NUMBERS)}
        self.a, self.b, self.c = f.place(0), f.place(1), f.place(form.operands - 1)
        self.whole = f.mul(f.div(self.n["depth"], self.tile.lanes), self.tile.lanes)

    def text(self) -> str:
        f, n = self.f, self.n
        columns = f.intrinsic("smax", n["columns"], 1)

        def item(i: Value) -> None:
            start = f.mul(i, columns)
            low = f.intrinsic("smax", f.sub(f.low, start), 0)
            high = f.least(f.sub(f.high, start), columns)
            outer, inner = f.div(i, n["inner"]), f.rem(i, n["inner"])
            a, b, c = (
                f.pointer(base, f.add(f.mul(outer, n[f"{word}_outer"]), f.mul(inner, n[f"{word}_inner"])))
                for word, base in (("a", self.a), ("b", self.b), ("c", self.c))
            )
            f.loop(low, high, self.tile.lanes, lambda column: self._group(a, b, c, column, high))

        f.loop(f.div(f.low, columns), f.div(f.add(f.high, f.sub(columns, 1)), columns), 1, item)
        return f.finish()

    def _group(self, a: Value, b: Value, c: Value, column: Value, high: Value) -> None:
        """As many columns as a vector has lanes; those beyond the last repeat it."""
        f, n = self.f, self.n
        last, lanes = f.sub(high, 1), self.tile.lanes
        heads = [f.pointer(b, f.mul(f.least(f.add(column, w), last), n["b_column"])) for w in range(lanes)]
        left = f.sub(high, column)
        mask = f.first(left, lanes)
        whole = f.compare("sge", left, lanes)

        def row(r: Value) -> None:
            sums = self._sums(f.pointer(a, f.mul(r, n["a_row"])), heads)
            to = f.pointer(f.pointer(c, f.mul(r, n["c_row"])), f.mul(column, size(self.form.out)))
            f.if_(whole, lambda: self._put(sums, to, None), lambda: self._put(sums, to, mask))

        f.loop(0, n["rows"], 1, row)

    def _sums(self, a: Value, heads: list[Value]) -> Value:
        """The dot products of a row with each column, as one vector."""
        f, form, tile = self.f, self.form, self.tile

        def several(k: Value, *sums: Value, mask: Value | None = None) -> list[Value]:
            x = read(f, form.a, tile.type, tile.lanes, a, k, mask)
            ys = [read(f, form.b, tile.type, tile.lanes, head, k, mask) for head in heads]
            return [tile.plus_product(f, x, y, z) for y, z in zip(ys, sums, strict=True)]

        sums = f.loop(0, self.whole, tile.lanes, several, [f.const(0, tile.vector)] * tile.lanes)
        rest = f.sub(self.n["depth"], self.whole)
        mask = f.first(rest, tile.lanes)
        sums = f.if_(f.compare("sgt", rest, 0), lambda: several(self.whole, *sums, mask=mask), lambda: sums)
        columns = transposed(f, sums)
        while len(columns) > 1:
            half = len(columns) // 2
            columns = [f.add(x, y) for x, y in zip(columns[:half], columns[half:], strict=True)]
        return columns[0]

    def _put(self, x: Value, to: Value, mask: Value | None) -> None:
        f, form = self.f, self.form
        if form.accumulate:
            x = f.add(read(f, form.out, self.tile.type, self.tile.lanes, to, 0, mask), x)
        write(f, x, form.out, to, 0, mask)


__all__ = ["DOT_NUMBERS", "DotForm", "dot_kernel"]

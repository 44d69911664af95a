"""The planes of a block of positions, one for each channel, tap in depth and phase: the source with zeros around.

    plane[channel, tap in depth, phase of rows, phase of columns][j, i]
        = source[channel, depth, step * (row + j) + a - before, step * (column + i) + b - before]

Behind each plane lie as many zeros as a tile may read beyond the last row.
"""

from __future__ import annotations

from collections.abc import Mapping

from zerograd.engines.native.emit import Function, Value, lanes, size, vector
from zerograd.engines.native.products.numbers import read
from zerograd.frozen import Frozen

NUMBERS = (
    "channels", "x_channel", "x_depth", "x_row",  # how many there are in a group; strides in bytes
    "depth_taps", "depth_source", "depth_step", "depth_tap", "depth_start", "depth_stride",  # as in geometry.Depth
    "row_source", "row_step", "row_before", "row_phases", "row_reach",  # as in geometry.Axis
    "column_source", "column_step", "column_before", "column_phases",
    "pitch", "plane", "slack",  # numbers in a row of a plane; bytes of a plane; numbers read behind its last row
)  # fmt: skip


class Block(Frozen):
    """Which positions the planes are for.

    Attributes:
        depth: the output position along the outermost axis.
        row, column: the first positions.
        rows: how many rows of positions.
    """

    __slots__ = ("column", "depth", "row", "rows")

    def __init__(self, depth: Value, row: Value, column: Value, rows: Value) -> None:
        self.depth, self.row, self.column, self.rows = depth, row, column, rows


class Planes:
    """Emits the copying. Vectors may be written beyond what they are for: what follows is written later.

    Args:
        n: values of NUMBERS.
        source: the type of the source; ``type``: that of the planes, "float" or "double".
        step: the stride along columns if it is 1 or 2, 0: any.
        lanes: of a vector of ``type``.

    Attributes:
        around: a vector of what stands around the source: zeros, if nobody sets it.
    """

    whole: Value  # numbers of a row that are copied as whole vectors
    mask: Value  # of the rest

    def __init__(self, f: Function, n: Mapping[str, Value], source: str, type: str, step: int, lanes: int) -> None:
        self.f, self.n, self.source, self.type, self.step, self.lanes = f, n, source, type, step, lanes
        self.bytes = size(type)
        self.around = f.const(0, vector(type, lanes))

    def lay(self, start: Value, block: Block, planes: Value) -> None:
        """Fill the planes from the source of an image and group that begins at ``start``."""
        f, n = self.f, self.n
        phases = f.mul(n["row_phases"], n["column_phases"])
        rows = f.add(block.rows, n["row_reach"])

        def channel(c: Value) -> None:
            def tap(k: Value) -> None:
                above = f.add(f.add(f.mul(block.depth, n["depth_step"]), f.mul(k, n["depth_tap"])), n["depth_start"])
                at = f.div(above, n["depth_stride"])
                whole = f.compare("eq", f.mul(at, n["depth_stride"]), above)
                inside = f.and_(f.compare("sge", above, 0), f.compare("slt", at, n["depth_source"]))
                here = f.and_(whole, inside)
                number = f.mul(f.add(f.mul(c, n["depth_taps"]), k), phases)
                offset = f.add(f.mul(c, n["x_channel"]), f.mul(at, n["x_depth"]))
                plane = f.pointer(planes, f.mul(number, n["plane"]))
                self._phases(f.pointer(start, offset), here, block, rows, plane)

            f.loop(0, n["depth_taps"], 1, tap)

        f.loop(0, n["channels"], 1, channel)

    def _phases(self, start: Value, here: Value, block: Block, rows: Value, plane: Value) -> None:
        f, n = self.f, self.n

        def row_phase(a: Value) -> None:
            def column_phase(b: Value) -> None:
                at = f.pointer(plane, f.mul(f.add(f.mul(a, n["column_phases"]), b), n["plane"]))
                self._plane(start, here, block, rows, f.sub(a, n["row_before"]), f.sub(b, n["column_before"]), at)

            f.loop(0, n["column_phases"], 1, column_phase)

        f.loop(0, n["row_phases"], 1, row_phase)

    def _plane(
        self, start: Value, here: Value, block: Block, rows: Value, a: Value, b: Value, plane: Value
    ) -> None:  # fmt: skip
        """One plane; ``a``, ``b``: the source position of row, column 0."""
        f, n = self.f, self.n
        step, pitch = n["column_step"], n["pitch"]
        # ceil(-b / step) columns lie before the source; division is of numbers that are not negative
        before = f.div(f.add(f.intrinsic("smax", f.neg(b), 0), f.sub(step, 1)), step)
        behind = f.div(f.intrinsic("smax", f.add(f.sub(n["column_source"], b), f.sub(step, 1)), 0), step)

        def clamped(x: Value) -> Value:
            return f.intrinsic("smin", f.intrinsic("smax", f.sub(x, block.column), 0), pitch)

        low = clamped(before)
        high = f.intrinsic("smax", clamped(behind), low)
        first = f.add(f.mul(f.add(block.column, low), step), b)
        count = f.sub(high, low)
        self.whole = f.and_(count, -self.lanes)
        self.mask = f.first(f.sub(count, self.whole), self.lanes)

        def row(j: Value) -> None:
            i = f.add(f.mul(f.add(block.row, j), n["row_step"]), a)
            inside = f.and_(f.compare("sge", i, 0), f.compare("slt", i, n["row_source"]))
            to = f.pointer(plane, f.mul(f.mul(j, pitch), self.bytes))

            def copy() -> None:
                self._zeros(to, f.operand(0, "i64"), low)
                source = f.pointer(start, f.add(f.mul(i, n["x_row"]), f.mul(first, size(self.source))))
                self._copy(source, f.pointer(to, f.mul(low, self.bytes)), count)
                self._zeros(to, high, pitch)

            f.if_(f.and_(inside, here), copy, lambda: self._zeros(to, f.operand(0, "i64"), pitch))

        f.loop(0, rows, 1, row)
        end = f.mul(rows, pitch)
        self._zeros(plane, end, f.add(end, n["slack"]))

    def _zeros(self, to: Value, low: Value, high: Value) -> None:
        """What stands around, and up to a vector more, which is written again."""
        f = self.f
        f.store(self.around, to, low)
        f.loop(f.add(low, self.lanes), high, self.lanes, lambda i: f.store(self.around, to, i))

    def _copy(self, source: Value, to: Value, count: Value) -> None:
        """Every ``step``-th number."""
        f, width = self.f, self.lanes
        taken = f.operand(0, "i64")
        if self.step == 1:
            f.loop(0, self.whole, width, lambda i: self._put(self._read(source, i, width), to, i))
            rest = lambda: self._put(self._read(source, self.whole, width, self.mask), to, self.whole)  # noqa: E731
            f.if_(f.compare("slt", self.whole, count), rest)
            return
        if self.step == 2:
            taken = f.and_(f.intrinsic("smax", f.sub(count, 1), 0), -width)  # the last pair may be cut

            def pairs(i: Value) -> None:
                at = f.shl(i, 1)
                low, high = self._read(source, at, width), self._read(source, f.add(at, width), width)
                self._put(f.shuffle(low, high, range(0, 2 * width, 2)), to, i)

            f.loop(0, taken, width, pairs)
        stride = self.n["column_step"] if self.step == 0 else self.step
        f.loop(taken, count, 1, lambda i: self._put(self._read(source, f.mul(i, stride), 1), to, i))

    def _read(self, source: Value, at: Value, count: int, mask: Value | None = None) -> Value:
        return read(self.f, self.source, self.type, count, source, at, mask)

    def _put(self, x: Value, to: Value, i: Value) -> None:
        assert lanes(x.type) in (1, self.lanes)
        self.f.store(x, to, i)


__all__ = ["NUMBERS", "Block", "Planes"]

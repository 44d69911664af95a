"""Which kernels compute a product, with which numbers: decided by shapes and strides alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from zerograd.engines.native.emit import size
from zerograd.engines.native.kernel import Access, Instruction, Kernel
from zerograd.engines.native.products.combine import combine_kernel
from zerograd.engines.native.products.dots import DotForm, dot_kernel
from zerograd.engines.native.products.finish import NOTHING, Ending
from zerograd.engines.native.products.matrix import Matrix
from zerograd.engines.native.products.packing import ACROSS, ALONG, ANY, pack_kernel
from zerograd.engines.native.products.product import (
    ACROSS_IN_PLACE,
    IN_PLACE,
    NUMBERS,
    PACKED,
    Form,
    product_kernel,
    scratch_bytes,
)
from zerograd.engines.native.products.tile import Tile, tile_for
from zerograd.engines.native.target import Target, host

FIRST_CACHE = 32 << 10  # bytes; the least that processors of the last ten years have
SECOND_CACHE = 256 << 10
DEPTH = 1024  # k in a block, if a panel of B of this depth is small enough
RATE = 0.8  # of the peak, which large products reach
CLOCK = 3.0  # cycles in a nanosecond
BANDWIDTH = 20  # bytes in a nanosecond, of data in the third cache
SUM_COLUMNS = 1024  # of C whose sums wait in scratch memory while k runs
FEW_COLUMNS = 64
NARROW, WIDE = 16, 1024  # columns of what takes an ending: edges gain nothing, and lines of far rows share a set
MOST_DOT_ROWS, LEAST_DOT_DEPTH = 4, 16  # where dot products in place beat packing
SHALLOW = 16  # k with which transposing B costs less than transposing the results
PIECES = 8  # into so many pieces the work of a product should be divisible, or k is divided too
WORTH_DIVIDING = 4_000_000  # operations, some 50 microseconds
LEAST_SLICE = 512  # k
FEW_PANELS = 32  # of B, for which A is not packed
FEW_PANELS_DIVIDED = 12  # the same where k is divided: then the rows of a block of A lie apart in memory
ROWS_OF_CALL = 64  # a guess
FEW_CALLS = 4  # that pack the same panels of B in their own scratch memory, rather than all of B once through memory
GRADUAL = 4 << 20  # bytes of A and B from which products are computed part by part along k
GRADUAL_DEPTH = 512  # of a part, at least
MOST_PARTS = 4
TURNED_ROWS = 48  # of the kernel that computes the transpose: so much of A waits in the second cache; whole squares


def plan(
    a: Matrix,
    b: Matrix,
    c: Matrix,
    new_buffer: Callable[[int], int],
    *,
    accumulate: bool = False,
    ending: Ending = NOTHING,
    target: Target | None = None,
) -> list[Instruction]:
    """The instructions of ``C = A @ B``.

    Args:
        a, b, c: [..., M, K], [..., K, N], [..., M, N] with the same batch dimensions, at most two. C's columns are
            contiguous. Half types are multiplied as float32 and rounded when they are stored.
        new_buffer: makes a buffer of so many bytes, which lives as long as the instructions need it; gives its number.
        accumulate: ``C += A @ B``.
        ending: what becomes of the results, where ``takes_ending``.
        target: the processor.
    Units are rows of C over the whole batch, or panels of columns when there are few rows.
    """
    a, b, c = _merged(a, b, c)
    if c.shape[-1] == 1 < c.shape[-2] and c.strides[-2] == 1:
        a, b, c = b.transposed(), a.transposed(), c.transposed()  # one row is faster than one column
    type = "double" if a.type == "double" else "float"
    rows, columns = c.shape[-2:]
    make = _Dots if _dots_fit(a, b) else _General
    few = min(rows, 2) if b.strides[-1] == 1 and columns >= FEW_COLUMNS else 2
    if make is _General and _turning_pays(a, b, type):
        make, few = _Turned, 2
        a, b, c = b.transposed(), a.transposed(), c.transposed()
        columns = FEW_COLUMNS
    tile = _tile(target or host(), type, few, min(columns, FEW_COLUMNS))
    return make(tile, a, b, c, new_buffer, accumulate, ending).instructions()


def takes_ending(a: Matrix, b: Matrix, c: Matrix) -> bool:
    """Whether this is one product, the tiles of which are tiles of C, each with its whole sums."""
    a, b, c = _merged(a, b, c)
    if c.items != 1 or a.shape[-1] > LEAST_SLICE or not NARROW <= c.shape[-1] <= WIDE:
        return False
    return not _dots_fit(a, b) and not _turning_pays(a, b, "double" if a.type == "double" else "float")


def _dots_fit(a: Matrix, b: Matrix) -> bool:
    rows, depth = a.shape[-2:]
    return rows <= MOST_DOT_ROWS and a.strides[-1] == b.strides[-2] == 1 != b.strides[-1] and depth >= LEAST_DOT_DEPTH


def _turning_pays(a: Matrix, b: Matrix, type: str) -> bool:
    """Whether it is faster to read B's columns where they lie, and to pack A: where B is large and used little."""
    rows, depth = a.shape[-2:]
    columns = b.shape[-1]
    if b.strides[-2] != 1 or b.strides[-1] == 1 or b.type != type or columns < FEW_COLUMNS or depth <= SHALLOW:
        return False
    return rows <= columns and (rows > 8 or columns * depth * size(type) > SECOND_CACHE // 4)


@cache
def _tile(target: Target, type: str, rows: int, columns: int) -> Tile:
    return tile_for(target, type, rows, columns)


def _merged(a: Matrix, b: Matrix, c: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """A batch that shares one B is one product with more rows."""
    shared = all(n == 1 or s == 0 for n, s in zip(b.shape[:-2], b.strides[:-2], strict=True))
    if shared and a.items > 0:
        high, low = a.flat(), c.flat()
        if high and low:
            a, c = high, low
            b = Matrix(b.buffer, b.offset, b.shape[-2:], b.strides[-2:], b.type, b.bytes)
    return a.padded(), b.padded(), c.padded()


def _dense(buffer: int, items: int, rows: int, columns: int, type: str) -> Matrix:
    return Matrix(buffer, 0, (1, items, rows, columns), (0, rows * columns, columns, 1), type)


class _General:
    """Tiles in registers; B in panels, packed or in place."""

    turned = False
    panel_bytes = FIRST_CACHE  # of a panel of B

    def __init__(
        self, tile: Tile, a: Matrix, b: Matrix, c: Matrix, new_buffer: Callable[[int], int], accumulate: bool,
        ending: Ending = NOTHING,
    ) -> None:  # fmt: skip
        self.tile, self.a, self.b, self.c, self.new_buffer = tile, a, b, c, new_buffer
        self.accumulate, self.ending = accumulate, ending
        self.items = a.items
        self.rows, self.depth = a.shape[-2:]
        self.columns = b.shape[-1]
        self.panels = -(-self.columns // tile.columns)
        self.bytes = size(tile.type)
        self.whole_depth = self.depth * max(self.items, 1)

    def instructions(self) -> list[Instruction]:
        if self.items * self.rows * self.columns == 0:
            return []
        slices, depth = self._slices()
        if slices == 1:
            parts = self._parts()
            return self._product(self.c, self.ending) if parts == 1 else self._gradual(parts)
        partial = self.new_buffer(slices * self.rows * self.columns * self.bytes)
        part = _General(
            self.tile, self._sliced(self.a, slices, depth, 3), self._sliced(self.b, slices, depth, 2),
            _dense(partial, slices, self.rows, self.columns, self.tile.type), self.new_buffer, False,
        )  # fmt: skip
        part.whole_depth = self.depth
        read = Access(partial)
        combination = Instruction(
            combine_kernel(self.tile, self.c.type, self.accumulate),
            [read, read, *([self.c.access(3)] * self.accumulate)], [self.c.access(3)],
            [self.columns, slices, self.rows * self.columns * self.bytes, self.c.steps[2]], self.rows,
            slices * self.columns / self.tile.lanes / CLOCK,
        )  # fmt: skip
        return [*part._product(part.c, NOTHING), combination]

    def _slices(self) -> tuple[int, int]:
        """Into how many parts k is divided, and how long they are: a matter of the shape, not of the threads."""
        pieces = self.panels if self._by_columns else -(-self.rows // self.tile.rows)
        if self.items > 1 or pieces >= PIECES or 2 * self.rows * self.columns * self.depth < WORTH_DIVIDING:
            return 1, self.depth
        most = min(-(-PIECES // pieces), self.depth // LEAST_SLICE)
        if most < 2:
            return 1, self.depth
        depth = -(-self.depth // most // 8) * 8
        return -(-self.depth // depth), depth

    @staticmethod
    def _sliced(matrix: Matrix, slices: int, depth: int, dimension: int) -> Matrix:
        """Slices of k as a batch; the last may reach beyond the matrix, so that whoever reads it must mind."""
        shape, strides = list(matrix.shape), list(matrix.strides)
        even = shape[dimension] == slices * depth
        shape[1], shape[dimension] = slices, depth
        strides[1] = depth * strides[dimension]
        bytes = matrix.bytes if even else -1  # no division of the buffer fits
        return Matrix(matrix.buffer, matrix.offset, shape, strides, matrix.type, bytes)

    def _parts(self) -> int:
        """Into how many parts k is divided that are added to C one after the other: a matter of the shape.

        For the gradient of a weight, k is the batch. Only the part at hand of A and B must be there then (``stages``).
        """
        most = min(self.depth // GRADUAL_DEPTH, MOST_PARTS)
        large = self.depth * (self.rows + self.columns) * self.bytes >= GRADUAL
        if most < 2 or not large or self.turned or self.ending is not NOTHING or self.c.type != self.tile.type:
            return 1
        if self._b_kind() != PACKED or not self._deep or self.a.transposed().slabs(3) != self.depth:
            return 1
        return next((n for n in range(most, 1, -1) if self.depth % (8 * n) == 0), 1)

    def _gradual(self, parts: int) -> list[Instruction]:
        """``C = A[:, first part of k] @ B[first part of k]``, then ``C += ...`` with the others."""
        (packing,), packed = self._packing(parts)
        depth = self.depth // parts
        done: list[Instruction] = []
        for i in range(parts):
            shape, offset = (*self.a.shape[:3], depth), self.a.offset + i * depth * self.a.steps[3]
            a = Matrix(self.a.buffer, offset, shape, self.a.strides, self.a.type, -1)
            b = Matrix(self.b.buffer, 0, (*self.b.shape[:2], depth, self.columns), self.b.strides, self.b.type, -1)
            part = _General(self.tile, a, b, self.c, self.new_buffer, self.accumulate or i > 0)
            start = i * self.panels * depth * self.tile.columns * self.bytes
            (product,) = part._product(self.c, NOTHING, Access(packed.buffer, 1, start, (i, parts)))
            product.reads = (Access(a.buffer, 1, offset, (i, parts)), *product.reads[1:])
            done.append(product)
        return [packing, *done]

    def _product(self, c: Matrix, ending: Ending, packed: Access | None = None) -> list[Instruction]:
        """The product, with B's panels in ``packed`` if they have been made."""
        b_kind = PACKED if packed else self._b_kind()
        before, b = [], packed or self.b.access(2 if self.items > 1 else 0)
        if b_kind == PACKED and packed is None:
            before, b = self._packing()
        form = Form(
            self.tile, self.a.type, self.b.type, c.type, self._a_kind(), b_kind, self.accumulate,
            3 + len(ending.reads) + len(ending.writes) + self.accumulate, self.turned, self.turned,
        )  # fmt: skip
        numbers = self._numbers()
        along = 2 if self._by_columns else 3
        units = self.items * self._units
        total = 2 * self.items * self.rows * self.columns * self.depth
        written = self.items * self.rows * self.columns * (1 / self.tile.lanes / CLOCK + ending.cost)
        reads, writes = self._accesses(c, b, along, ending)
        product = Instruction(
            _product(form, ending), reads, writes,
            [*(numbers[word] for word in NUMBERS), *ending.numbers], units,
            (total / self._speed() + written) / units, scratch_bytes(form, numbers),
        )  # fmt: skip
        return [*before, product]

    def _accesses(
        self, c: Matrix, b: Access, along: int, ending: Ending
    ) -> tuple[list[Access], list[Access]]:  # fmt: skip
        """What the instruction reads, and what it writes; units are divided ``along`` so many dimensions."""
        written, reads = c.access(along), [one.access(along) for one in ending.reads]
        writes = [one.access(along) for one in ending.writes]
        return [self.a.access(along), b, *reads, *([written] * self.accumulate)], [*writes, written]

    @property
    def _units(self) -> int:
        """Of an item."""
        return self.panels if self._by_columns else self.rows

    @property
    def _by_columns(self) -> bool:
        """Whether units are panels of columns: with few rows, unless each row of A is a part of its buffer."""
        tiles = -(-self.rows // self.tile.rows)
        return tiles == 1 or (tiles < min(self.panels, PIECES) and self.a.slabs(3) == 1)

    def _speed(self) -> float:
        """Floating-point operations in a nanosecond."""
        return 4 * self.tile.lanes * CLOCK * RATE

    def _b_kind(self) -> str:
        """Panels are made before, unless B is small or used by few rows, in few calls."""
        straight = self.b.strides[-1] == 1 or self.columns == 1
        small = self.depth * self.columns * self.bytes <= SECOND_CACHE // 4
        if straight and self.b.type == self.tile.type and (small or self.rows <= 2 * self.tile.rows):
            return IN_PLACE
        calls = self.rows / ROWS_OF_CALL if self.items == 1 else 1 + self.rows * PIECES / (self.items * ROWS_OF_CALL)
        if small or calls <= FEW_CALLS:
            return self._direction(self.b.strides[-1], self.b.strides[-2], self.columns, self.depth)
        return PACKED

    @staticmethod
    def _direction(across: int, along: int, width: int, depth: int) -> str:
        if across == 1 or width == 1:
            return ACROSS
        return ALONG if along == 1 or depth == 1 else ANY

    def _a_kind(self) -> str:
        """A stays where it lies if few panels of B use it, or if it is small.

        Packing costs some 3 % of a product with 24 panels; reading rows that lie apart costs twice that.
        """
        kind = self._direction(self.a.strides[-2], self.a.strides[-1], 0, self.depth)
        if self.a.type != self.tile.type:
            return kind
        few = FEW_PANELS_DIVIDED if self._block_depth < self.depth and not self.turned else FEW_PANELS
        if (self.a.strides[-1] == 1 or self.depth == 1) and self.panels <= few:
            return IN_PLACE
        small = self.rows * self.depth * self.bytes <= SECOND_CACHE // 4
        return ACROSS_IN_PLACE if kind == ACROSS and small else kind

    @property
    def _deep(self) -> bool:
        """Whether who makes some rows of B can pack them, too."""
        kind = self._direction(self.b.strides[-1], self.b.strides[-2], self.columns, self.depth)
        return kind == ACROSS and self.items == 1 and self.b.slabs(3) == self.depth

    def _packing(self, parts: int = 1) -> tuple[list[Instruction], Access]:
        """B's panels, once for all rows: those of the first of so many parts of k, then of the next."""
        kind = self._direction(self.b.strides[-1], self.b.strides[-2], self.columns, self.depth)
        panel = self.depth * self.tile.columns
        panels = self.items * self.panels
        packed = self.new_buffer(max(panels * panel * self.bytes, 1))
        outer, inner, along, across = self.b.steps
        depth, deep = self.depth // parts, self._deep
        numbers = (self.columns, depth, self.whole_depth, self.b.shape[1], outer, inner, across, along)
        units = self.depth if deep else panels
        instruction = Instruction(
            _packing(self.tile, self.b.type, kind, deep), [self.b.access(3 if deep else 2)],
            [Access(packed, parts if deep else panels)], numbers, units, panels * panel * self.bytes / 16 / units,
        )  # fmt: skip
        return [instruction], Access(packed, self.items)

    @property
    def _block_depth(self) -> int:
        """How many k a block has."""
        most = min(DEPTH, self.panel_bytes // (self.tile.columns * self.bytes))
        blocks = -(-self.depth // most) or 1
        deep = max(-(-self.depth // blocks), 1)
        return -(-deep // 8) * 8

    def _numbers(self) -> dict[str, int]:
        tile = self.tile
        deep = self._block_depth
        tiles = -(-self._block_rows(deep) // tile.rows) or 1
        sums = SUM_COLUMNS if deep < self.depth else self.columns
        numbers = {
            "rows": self.rows, "columns": self.columns, "depth": self.depth,
            "whole_depth": self.whole_depth, "inner": self.a.shape[1],
            "block_rows": tiles * tile.rows, "block_depth": deep, "block_panels": max(-(-sums // tile.columns), 1),
            "by_columns": int(self._by_columns),
        }  # fmt: skip
        for word, matrix, names in (
            ("a", self.a, ("row", "k")),
            ("b", self.b, ("k", "column")),
            ("c", self.c, ("row",)),
        ):
            for name, step in zip(("outer", "inner", *names), matrix.steps, strict=False):
                numbers[f"{word}_{name}"] = step
        return numbers

    def _block_rows(self, deep: int) -> int:
        return SECOND_CACHE // (deep * self.bytes)


class _Turned(_General):
    """A, B and C are the transposes of those of the caller: A is read where it lies, B is packed.

    Units are columns of C, which are rows for the caller, unless there are too few of them: then rows.
    """

    turned = True
    panel_bytes = 2 * FIRST_CACHE  # rather than rows of A that do not follow each other in memory

    def instructions(self) -> list[Instruction]:
        if self.items * self.rows * self.columns == 0:
            return []
        return self._product(self.c, NOTHING)

    def _accesses(
        self, c: Matrix, b: Access, along: int, ending: Ending
    ) -> tuple[list[Access], list[Access]]:  # fmt: skip
        if not self._by_columns:
            return super()._accesses(c, b, along, ending)
        a, written = self.a.access(2 if self.items > 1 else 0), c.transposed().access(3)
        return [a, self.b.transposed().access(3), *([written] * self.accumulate)], [written]

    @property
    def _by_columns(self) -> bool:
        return self.columns >= 2 * self.tile.columns

    @property
    def _units(self) -> int:
        return self.columns if self._by_columns else self.rows

    def _b_kind(self) -> str:
        return self._direction(self.b.strides[-1], self.b.strides[-2], self.columns, self.depth)

    def _block_rows(self, deep: int) -> int:
        return TURNED_ROWS

    def _numbers(self) -> dict[str, int]:
        numbers = super()._numbers()
        numbers["c_row"] = self.c.steps[3]
        panel = self.tile.columns * self.bytes * max(self.depth, 1)
        numbers["block_panels"] = min(numbers["block_panels"], max(SECOND_CACHE // panel, 1))
        return numbers


class _Dots(_General):
    """Few rows, B with contiguous columns: nothing is packed."""

    def instructions(self) -> list[Instruction]:
        units = self.items * self.columns
        if units * self.rows == 0:
            return []
        form = DotForm(self.tile, self.a.type, self.b.type, self.c.type, self.accumulate)
        (ao, ai, row, _), (bo, bi, _, column), (co, ci, c_row, _) = self.a.steps, self.b.steps, self.c.steps
        numbers = (
            self.rows, self.columns, self.depth, self.a.shape[1], ao, ai, row, bo, bi, column, co, ci, c_row,
        )  # fmt: skip
        bytes = self.depth * size(self.b.type)
        cost = bytes / BANDWIDTH + 2 * self.rows * self.depth / self._speed() * 2
        c = self.c.access(2)
        reads = [self.a.access(2), self.b.access(2), *([c] * self.accumulate)]
        return [Instruction(_dots(form), reads, [c], numbers, units, cost)]


@cache
def _dots(form: DotForm) -> Kernel:
    return dot_kernel(form)


@cache
def _packing(tile: Tile, type: str, kind: str, deep: bool) -> Kernel:
    return pack_kernel(tile, type, kind, deep)


@cache
def _plain(form: Form) -> Kernel:
    return product_kernel(form)


def _product(form: Form, ending: Ending) -> Kernel:
    return _plain(form) if ending is NOTHING else product_kernel(form, ending)


__all__ = ["plan", "takes_ending"]

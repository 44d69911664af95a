"""Which kernels compute a product, with which numbers: decided by shapes and strides alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from zerograd.engines.native.emit import size
from zerograd.engines.native.kernel import Access, Instruction, Kernel
from zerograd.engines.native.products.finish import Epilogue
from zerograd.engines.native.products.matrix import Matrix
from zerograd.engines.native.products.packing import ACROSS, ALONG, ANY, pack_kernel
from zerograd.engines.native.products.product import (
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
DEPTH = 320  # k in a block: a panel of B of this depth and a panel of A fill most of the first cache
RATE = 0.8  # of the peak, which large products reach
CLOCK = 2.5  # cycles in a nanosecond


def plan(
    a: Matrix,
    b: Matrix,
    c: Matrix,
    new_buffer: Callable[[int], int],
    *,
    accumulate: bool = False,
    epilogue: Epilogue | None = None,
    operands: Sequence[Access] = (),
    target: Target | None = None,
) -> list[Instruction]:
    """The instructions of ``C = A @ B``.

    Args:
        a, b, c: [..., M, K], [..., K, N], [..., M, N] with the same batch dimensions, at most two. C's columns are
            contiguous. Half types are multiplied as float32 and rounded when they are stored.
        new_buffer: makes a buffer of so many bytes, which lives as long as the instructions need it; gives its number.
        accumulate: ``C += A @ B``.
        epilogue: applied to the vectors of the result before they are stored. It may read ``operands``: the i-th is
            the kernel's operand 2 + i.
        target: the processor.
    Units are rows of C over the whole batch, or panels of columns when there are few rows.
    """
    a, b, c = _merged(a, b, c)
    tile = _tile(target or host(), "double" if a.type == "double" else "float", min(b.shape[-1], 64))
    return _General(tile, a, b, c, new_buffer, accumulate, epilogue, operands).instructions()


@cache
def _tile(target: Target, type: str, columns: int) -> Tile:
    return tile_for(target, type, columns)


def _merged(a: Matrix, b: Matrix, c: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """A batch that shares one B is one product with more rows."""
    shared = all(n == 1 or s == 0 for n, s in zip(b.shape[:-2], b.strides[:-2], strict=True))
    if shared and a.items > 0:
        high, low = a.flat(), c.flat()
        if high and low:
            a, c = high, low
            b = Matrix(b.buffer, b.offset, b.shape[-2:], b.strides[-2:], b.type, b.bytes)
    return a.padded(), b.padded(), c.padded()


class _General:
    """Tiles in registers; B in panels, packed or in place."""

    def __init__(
        self, tile: Tile, a: Matrix, b: Matrix, c: Matrix, new_buffer: Callable[[int], int], accumulate: bool,
        epilogue: Epilogue | None, operands: Sequence[Access],
    ) -> None:  # fmt: skip
        self.tile, self.a, self.b, self.c, self.new_buffer = tile, a, b, c, new_buffer
        self.accumulate, self.epilogue, self.operands = accumulate, epilogue, operands
        self.items = a.items
        self.rows, self.depth = a.shape[-2:]
        self.columns = b.shape[-1]
        self.panels = -(-self.columns // tile.columns)
        self.bytes = size(tile.type)

    def instructions(self) -> list[Instruction]:
        if self.items * self.rows * self.columns == 0:
            return []
        b_kind = self._b_kind()
        before = []
        b = self.b.access(2) if self.by_items else self.b.access()
        if b_kind == PACKED:
            before, b = self._packing()
        form = Form(
            self.tile, self.a.type, self.b.type, self.c.type, self._a_kind(), b_kind, self.accumulate,
            3 + len(self.operands) + self.accumulate,
        )  # fmt: skip
        numbers = self._numbers()
        by_columns = numbers["by_columns"]
        units = self.items * (self.panels if by_columns else self.rows)
        along = 2 if by_columns else 3
        one = 2 * self.depth * self.columns * (self.rows / self.panels if by_columns else 1)
        product = Instruction(
            _product(form, self.epilogue),
            [self.a.access(along), b, *self.operands, *([self.c.access(along)] * self.accumulate)],
            [self.c.access(along)],
            [numbers[word] for word in NUMBERS],
            units,
            one / self._speed() + self.columns / self.tile.lanes / CLOCK,
            scratch_bytes(form, numbers),
        )
        return [*before, product]

    @property
    def by_items(self) -> bool:
        return self.items > 1

    def _speed(self) -> float:
        """Floating-point operations in a nanosecond."""
        return 4 * self.tile.lanes * CLOCK * RATE

    def _b_kind(self) -> str:
        """Panels are made before, unless B is small or used by few rows."""
        straight = self.b.strides[-1] == 1 or self.columns == 1
        small = self.depth * self.columns * self.bytes <= SECOND_CACHE // 4
        if straight and self.b.type == self.tile.type and (small or self.rows <= 2 * self.tile.rows):
            return IN_PLACE
        if small or (self.items > 1 and self.depth * self.columns * self.bytes <= SECOND_CACHE):
            return self._direction(self.b.strides[-1], self.b.strides[-2], self.columns, self.depth)
        return PACKED

    @staticmethod
    def _direction(across: int, along: int, width: int, depth: int) -> str:
        if across == 1 or width == 1:
            return ACROSS
        return ALONG if along == 1 or depth == 1 else ANY

    def _a_kind(self) -> str:
        kind = self._direction(self.a.strides[-2], self.a.strides[-1], 0, self.depth)
        if (self.a.strides[-1] == 1 or self.depth == 1) and self.a.type == self.tile.type and self.panels <= 8:
            return IN_PLACE
        return kind

    def _packing(self) -> tuple[list[Instruction], Access]:
        """B's panels, once for all rows."""
        kind = self._direction(self.b.strides[-1], self.b.strides[-2], self.columns, self.depth)
        panel = self.depth * self.tile.columns
        packed = self.new_buffer(max(self.items * self.panels * panel * self.bytes, 1))
        outer, inner, along, across = self.b.steps
        numbers = (self.columns, self.depth, self.b.shape[1], outer, inner, across, along)
        writes = Access(packed, self.items * self.panels)
        instruction = Instruction(
            _packing(self.tile, self.b.type, kind), [self.b.access(2)], [writes], numbers,
            self.items * self.panels, panel * self.bytes / 8,
        )  # fmt: skip
        return [instruction], Access(packed, self.items)

    def _numbers(self) -> dict[str, int]:
        tile = self.tile
        most = min(DEPTH, FIRST_CACHE // (tile.columns * self.bytes))
        blocks = -(-self.depth // most) or 1
        deep = max(-(-self.depth // blocks), 1)
        deep = -(-deep // 8) * 8
        tiles = max(SECOND_CACHE // 2 // (deep * self.bytes * tile.rows), 1)
        sums = 1024 if blocks > 1 else self.columns
        numbers = {
            "rows": self.rows, "columns": self.columns, "depth": self.depth,
            "whole_depth": self.depth * max(self.items, 1), "inner": self.a.shape[1],
            "block_rows": tiles * tile.rows, "block_depth": deep, "block_panels": max(-(-sums // tile.columns), 1),
            "by_columns": int(self.rows <= tile.rows and self.items == 1),
        }  # fmt: skip
        for word, matrix, names in (
            ("a", self.a, ("row", "k")),
            ("b", self.b, ("k", "column")),
            ("c", self.c, ("row",)),
        ):
            for name, step in zip(("outer", "inner", *names), matrix.steps, strict=False):
                numbers[f"{word}_{name}"] = step
        return numbers


@cache
def _packing(tile: Tile, type: str, kind: str) -> Kernel:
    return pack_kernel(tile, type, kind)


@cache
def _plain(form: Form) -> Kernel:
    return product_kernel(form)


def _product(form: Form, epilogue: Epilogue | None) -> Kernel:
    return _plain(form) if epilogue is None else product_kernel(form, epilogue)


__all__ = ["plan"]

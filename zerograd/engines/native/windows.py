"""Where a value lies: a strided window onto a buffer. Movement ops change windows and move nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.ir.graph import Node, TensorType
from zerograd.shapes import Shape, contiguous_strides, count


class Window:
    """Elements of a buffer.

    Attributes:
        buffer: the number of the buffer.
        dtype: of an element, as it lies in memory.
        shape: of the value.
        strides: in elements, for each axis; 0 where the value repeats.
        offset: of the first element, in elements.
    """

    __slots__ = ("buffer", "dtype", "offset", "shape", "strides")

    def __init__(self, buffer: int, dtype: dtype, shape: Shape, strides: Shape, offset: int = 0) -> None:
        self.buffer, self.dtype = buffer, dtype
        self.shape, self.strides, self.offset = shape, strides, offset

    @classmethod
    def whole(cls, buffer: int, dtype: dtype, shape: Shape) -> Window:
        """A buffer that holds the value and nothing else, in row-major order."""
        return cls(buffer, dtype, shape, _contiguous(shape))

    def seen(self, shape: Shape, strides: Shape, offset: int = 0) -> Window:
        """Another window onto the same buffer, ``offset`` elements further."""
        return Window(self.buffer, self.dtype, shape, strides, self.offset + offset)

    @property
    def contiguous(self) -> bool:
        """Whether the elements lie one after the other in row-major order."""
        expected = 1
        for n, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if n != 1:
                if stride != expected:
                    return False
                expected *= n
        return True

    @property
    def byte_offset(self) -> int:
        return self.offset * self.dtype.itemsize

    def __repr__(self) -> str:
        return f"{self.dtype.name}{list(self.shape)}@{self.buffer}+{self.offset}{list(self.strides)}"


_contiguous = lru_cache(1 << 14)(contiguous_strides)


def memory_dtype(type: TensorType) -> dtype:
    """The dtype in memory: numbers of the program travel unrounded."""
    if not type.weak:
        return type.dtype
    if type.dtype.is_complex:
        return dtypes.complex128
    if type.dtype.is_floating_point:
        return dtypes.float64
    return dtypes.int64 if type.dtype is not dtypes.bool_ else dtypes.bool_


def _permute(x: Window, node: Node) -> Window:
    order = node.attributes["order"]
    return x.seen(node.shape, tuple(x.strides[axis] for axis in order))


def _expand(x: Window, node: Node) -> Window:
    strides = zip(x.shape, node.shape, x.strides, strict=True)
    return x.seen(node.shape, tuple(0 if m != n else s for m, n, s in strides))


def _slice(x: Window, node: Node) -> Window:
    starts, steps = node.attributes["starts"], node.attributes["steps"]
    offset = sum(start * s for start, s in zip(starts, x.strides, strict=True)) if count(node.shape) else 0
    return x.seen(node.shape, tuple(step * s for step, s in zip(steps, x.strides, strict=True)), offset)


def _flip(x: Window, node: Node) -> Window:
    if not count(node.shape):
        return x
    axes = node.attributes["axes"]
    strides = tuple(-s if i in axes else s for i, s in enumerate(x.strides))
    offset = sum((x.shape[i] - 1) * x.strides[i] for i in axes)
    return x.seen(node.shape, strides, offset)


def _reshape(x: Window, node: Node) -> Window | None:
    strides = reshaped_strides(x.shape, x.strides, node.shape)
    return None if strides is None else x.seen(node.shape, strides)


def _same(x: Window, node: Node) -> Window:
    return x.seen(node.shape, x.strides)


MOVES: dict[str, Callable[[Window, Node], Window | None]] = {
    "permute": _permute,
    "expand": _expand,
    "slice": _slice,
    "flip": _flip,
    "reshape": _reshape,
    "copy": _same,
    "stop": _same,
    "variable": _same,
    "graft": _same,
    "attach": _same,
    "dead_end": _same,
}
"""Ops whose result is a window onto their first operand; ``None`` where the elements must be moved after all."""


@lru_cache(1 << 14)
def reshaped_strides(shape: Shape, strides: Shape, new: Shape) -> Shape | None:
    """Strides under which the same elements, in the same order, have another shape; ``None``: there are none."""
    if not count(shape):
        return contiguous_strides(new)
    blocks = merged([(n, (s,)) for n, s in zip(shape, strides, strict=True)])
    result = [0] * len(new)
    left, stride = 1, 0
    for axis in reversed(range(len(new))):
        n = new[axis]
        if n == 1:
            continue
        if left == 1:
            left, (stride,) = blocks.pop()
        if left % n:
            return None
        result[axis] = stride
        left //= n
        stride *= n
    return tuple(result)


Block = tuple[int, tuple[int, ...]]


def merged(dims: list[Block]) -> list[Block]:
    """Axes (size, strides of each operand), neighbours joined where all operands walk through them in one stride."""
    blocks: list[Block] = []
    for n, strides in dims:
        if n == 1:
            continue
        if blocks:
            size, outer = blocks[-1]
            if all([a == n * b for a, b in zip(outer, strides, strict=True)]):  # noqa: C419  faster
                blocks[-1] = size * n, strides
                continue
        blocks.append((n, strides))
    return blocks


def window_of(node: Node, x: Any) -> Window | None:
    """The result of a movement op on a window, if it needs no movement."""
    move = MOVES.get(node.op.name)
    return move(x, node) if move is not None else None

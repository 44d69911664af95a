"""Views that read a storage in patterns: diagonals, sliding windows, arbitrary strides."""

from __future__ import annotations

import numpy as np

from zerograd import errors
from zerograd.dtypes import dtype, int64
from zerograd.ir.graph import Array, Node, TensorType
from zerograd.ops import elementwise, indexing
from zerograd.ops.movement import broadcast_to, inverse, permute, reshape, slice_, slice_write
from zerograd.ops.source import filled, ramp
from zerograd.shapes import Shape, contiguous_strides, count
from zerograd.tensor.view import Layout, Step


def _strided(base: Array, layout: Layout) -> Array:
    """A view of ``base`` by a layout that counts elements from its first one."""
    strides = tuple(stride * base.itemsize for stride in layout.strides)
    first = base.reshape(-1)[layout.offset :] if layout.offset else base
    return np.lib.stride_tricks.as_strided(first, layout.shape, strides)


def _own(base: Array) -> Layout:
    """An array's own layout, from its first element on."""
    return Layout(base.shape, tuple(stride // base.itemsize for stride in base.strides))


class Diagonal(Step):
    """The elements at ``[..., i, i + shift, ...]`` of two axes, which become one, the last."""

    __slots__ = ("axis1", "axis2", "label", "shift")

    def __init__(self, shift: int, axis1: int, axis2: int, label: str = "DiagonalBackward0") -> None:
        self.shift, self.axis1, self.axis2, self.label = shift, axis1, axis2, label

    def _size(self, shape: Shape) -> int:
        n, m = shape[self.axis1], shape[self.axis2]
        return max(min(n, m - self.shift) if self.shift >= 0 else min(n + self.shift, m), 0)

    def _order(self, rank: int) -> Shape:
        return (*(i for i in range(rank) if i not in (self.axis1, self.axis2)), self.axis1, self.axis2)

    def _box(self, shape: Shape) -> tuple[Shape, Shape, Shape, Shape]:
        """The diagonal as a slice with steps of the two axes joined: shape, starts, stops, steps."""
        n, m = shape[self.axis1], shape[self.axis2]
        rest = tuple(size for i, size in enumerate(shape) if i not in (self.axis1, self.axis2))
        size = self._size(shape)
        start = (self.shift if self.shift >= 0 else -self.shift * m) if size else 0
        stop = start + (size - 1) * (m + 1) + 1 if size else 0
        zeros, ones = (0,) * len(rest), (1,) * len(rest)
        return (*rest, n * m), (*zeros, start), (*rest, stop), (*ones, m + 1)

    def read(self, base: Node) -> Node:
        joined, starts, stops, steps = self._box(base.shape)
        flat = reshape(permute(base, order=self._order(base.rank)), shape=joined)
        return slice_(flat, starts=starts, stops=stops, steps=steps)

    def write(self, base: Node, part: Node) -> Node:
        joined, starts, stops, steps = self._box(base.shape)
        order = self._order(base.rank)
        turned = permute(base, order=order)
        flat = slice_write(reshape(turned, shape=joined), part, starts=starts, stops=stops, steps=steps)
        return permute(reshape(flat, shape=turned.shape), order=inverse(order))

    def look(self, base: Array) -> Array:
        found = base.diagonal(self.shift, self.axis1, self.axis2)
        return np.lib.stride_tricks.as_strided(found, found.shape, found.strides) if base.flags.writeable else found

    def layout(self, base: Layout, kind: dtype) -> Layout:
        along, across = base.strides[self.axis1], base.strides[self.axis2]
        kept = [i for i in range(len(base.shape)) if i not in (self.axis1, self.axis2)]
        size = self._size(base.shape)
        first = (self.shift * across if self.shift >= 0 else -self.shift * along) if size else 0
        return Layout(
            (*(base.shape[i] for i in kept), size),
            (*(base.strides[i] for i in kept), along + across),
            base.offset + first,
        )


class Unfold(Step):
    """Windows of ``size`` elements of an axis, ``step`` apart; the place in the window is a new last axis."""

    __slots__ = ("axis", "label", "size", "step")

    def __init__(self, axis: int, size: int, step: int, label: str = "UnfoldBackward0") -> None:
        self.axis, self.size, self.step, self.label = axis, size, step, label

    def _windows(self, shape: Shape) -> int:
        return (shape[self.axis] - self.size) // self.step + 1 if shape else 1

    def _places(self, shape: Shape) -> Node:
        windows = self._windows(shape)
        grid = TensorType((windows, self.size), int64)
        starts = reshape(ramp(start=0, step=self.step, size=windows, dtype=int64), shape=(windows, 1))
        inside = reshape(ramp(start=0, step=1, size=self.size, dtype=int64), shape=(1, self.size))
        return elementwise.add(broadcast_to(starts, grid.shape), broadcast_to(inside, grid.shape))

    def _back(self, rank: int) -> Shape:
        """From (windows, size, rest...) to the place of each."""
        order = list(range(2, rank + 1))
        order.insert(self.axis, 0)
        return (*order, 1)

    def read(self, base: Node) -> Node:
        if not base.rank:
            return reshape(base, shape=(self.size,))
        front = permute(base, order=indexing.to_front(base.rank, self.axis))
        return permute(indexing.index(front, self._places(base.shape)), order=self._back(base.rank))

    def write(self, base: Node, part: Node) -> Node:
        """Where windows overlap, the last one stays."""
        if not base.rank:
            return reshape(part, shape=())
        order = indexing.to_front(base.rank, self.axis)
        values = permute(part, order=inverse(self._back(base.rank)))
        front = permute(base, order=order)
        written = indexing.index_write(front, values, self._places(base.shape), accumulate=False)
        return permute(written, order=inverse(order))

    def look(self, base: Array) -> Array:
        return _strided(base, self.layout(_own(base), int64))

    def layout(self, base: Layout, kind: dtype) -> Layout:
        if not base.shape:
            return Layout((self.size,), (1,), base.offset)
        shape, strides = list(base.shape), list(base.strides)
        shape[self.axis] = self._windows(base.shape)
        inside = strides[self.axis]
        strides[self.axis] = inside * self.step
        return Layout((*shape, self.size), (*strides, inside), base.offset)


class AsStrided(Step):
    """A whole storage read at offset + i * stride + j * stride + ...

    Attributes:
        order: the axes of the base from the largest stride to the smallest: how its elements lie in memory.
    """

    __slots__ = ("label", "offset", "order", "shape", "strides")

    def __init__(
        self, shape: Shape, strides: Shape, offset: int, order: Shape, label: str = "AsStridedBackward0"
    ) -> None:
        self.shape, self.strides, self.offset, self.order, self.label = shape, strides, offset, order, label

    def _places(self) -> Node:
        type = TensorType(self.shape, int64)
        total = filled(self.offset, type)
        for axis, (size, stride) in enumerate(zip(self.shape, self.strides, strict=True)):
            line = ramp(start=0, step=stride, size=size, dtype=int64)
            placed = reshape(line, shape=tuple(size if i == axis else 1 for i in range(len(self.shape))))
            total = elementwise.add(total, broadcast_to(placed, self.shape))
        return total

    def _flat(self, base: Node) -> Node:
        return reshape(permute(base, order=self.order), shape=(base.type.count,))

    def read(self, base: Node) -> Node:
        return indexing.index(self._flat(base), self._places())

    def write(self, base: Node, part: Node) -> Node:
        """Where places coincide, the last one stays."""
        flat = indexing.index_write(self._flat(base), part, self._places(), accumulate=False)
        laid = tuple(base.shape[axis] for axis in self.order)
        return permute(reshape(flat, shape=laid), order=inverse(self.order))

    def look(self, base: Array) -> Array:
        memory = base.transpose(self.order).reshape(-1)
        return _strided(memory, Layout(self.shape, self.strides, self.offset))

    def layout(self, base: Layout, kind: dtype) -> Layout:
        return Layout(self.shape, self.strides, self.offset)


def as_strided_step(base: Layout, shape: Shape, strides: Shape, offset: int) -> AsStrided:
    """The step that reads a whole storage, laid out as ``base``, with other strides.

    Raises:
        RuntimeError: strides that do not match the shape, are negative, or lead outside the storage.
    """
    if len(shape) != len(strides):
        raise errors.runtime("as_strided needs a stride for each dimension", size=list(shape), stride=list(strides))
    if min(strides, default=0) < 0:
        raise errors.runtime(
            "as_strided cannot walk backwards: a stride is negative", stride=list(strides), hint="use flip"
        )
    if min(shape, default=0) < 0 or offset < 0:
        raise errors.runtime(
            "as_strided: sizes and storage offset must not be negative", size=list(shape), storage_offset=offset
        )
    order = tuple(sorted(range(len(base.shape)), key=lambda i: (-base.strides[i], i)))
    laid = tuple(base.shape[i] for i in order)
    dense = contiguous_strides(laid)
    if any(n > 1 and base.strides[i] != stride for i, n, stride in zip(order, laid, dense, strict=True)):
        raise errors.runtime("as_strided needs a storage without gaps", shape=base.shape, strides=base.strides)
    if 0 not in shape:
        last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
        if last >= count(base.shape):
            raise errors.runtime(
                f"as_strided reaches element {last} of a storage of {count(base.shape)}",
                size=list(shape),
                stride=list(strides),
                storage_offset=offset,
            )
    return AsStrided(shape, strides, offset, order)

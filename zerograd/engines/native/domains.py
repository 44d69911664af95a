"""The space that a fused kernel walks through, and how operands move in it.

A domain is a row-major box. Its axes are *inner* where the kernel goes along a row (and folds it, if there is a
reduction), the others are *outer*: they number the rows. Shapes of the same elements in the same order are the same
box with other borders, so a domain is kept as the common refinement of all shapes seen:

    [12, 64, 128] and [768, 128]  ->  12 x 64 x 128
"""

from __future__ import annotations

from collections.abc import Sequence

from zerograd.engines.native.windows import Window, reshaped_strides
from zerograd.shapes import Shape, contiguous_strides, count


def without_ones(shape: Sequence[int]) -> Shape:
    return tuple(n for n in shape if n != 1)


def refined(first: Shape, second: Shape) -> Shape | None:
    """The coarsest box of which both are borders; ``None`` if there is none. Neither has an axis of size 1."""
    result: list[int] = []
    xs, ys = list(reversed(first)), list(reversed(second))
    x = y = 1
    while xs or ys or x > 1 or y > 1:
        if x == 1:
            if not xs:
                return None
            x = xs.pop()
        if y == 1:
            if not ys:
                return None
            y = ys.pop()
        x, y, step = _split(x, y)
        if not step:
            return None
        result.append(step)
    return tuple(result)


def _split(x: int, y: int) -> tuple[int, int, int]:
    """Both axes without their common outer part, which comes third; 0: neither is a multiple of the other."""
    small, large = min(x, y), max(x, y)
    if large % small:
        return x, y, 0
    return (1, y // x, x) if x == small else (x // y, 1, y)


class Domain:
    """A box and the roles of its axes.

    Attributes:
        dims: sizes, none of them 1.
        inner: for each axis whether it is inner; ``None`` while that is open: all axes may be either.
    """

    __slots__ = ("dims", "inner")

    def __init__(self, dims: Shape, inner: tuple[bool, ...] | None = None) -> None:
        self.dims, self.inner = dims, inner

    @property
    def count(self) -> int:
        return count(self.dims)

    @property
    def outer_dims(self) -> Shape:
        assert self.inner is not None
        return tuple(n for n, inner in zip(self.dims, self.inner, strict=True) if not inner)

    @property
    def rows(self) -> int:
        return count(self.outer_dims)

    def refined_by(self, shape: Shape) -> Domain | None:
        """The same box with the borders of ``shape`` too, which has as many elements."""
        dims = refined(self.dims, without_ones(shape))
        return None if dims is None else self._with(dims)

    def _with(self, dims: Shape) -> Domain:
        if self.inner is None or dims == self.dims:
            return Domain(dims, self.inner)
        roles: list[bool] = []
        parts = iter(dims)
        for n, inner in zip(self.dims, self.inner, strict=True):
            covered = 1
            while covered < n:
                covered *= next(parts)
                roles.append(inner)
        return Domain(dims, tuple(roles))

    def refined_by_rows(self, shape: Shape) -> Domain | None:
        """The same box with the borders of ``shape`` among the outer axes."""
        assert self.inner is not None
        outer = refined(self.outer_dims, without_ones(shape))
        if outer is None:
            return None
        dims: list[int] = []
        roles: list[bool] = []
        parts = iter(outer)
        for n, inner in zip(self.dims, self.inner, strict=True):
            if inner:
                dims.append(n)
                roles.append(True)
                continue
            covered = 1
            while covered < n:
                dims.append(next(parts))
                roles.append(False)
                covered *= dims[-1]
        return Domain(tuple(dims), tuple(roles))

    def strides(self, window: Window) -> Shape | None:
        """The window's strides along the axes; ``None`` if its elements do not fit into this box."""
        return reshaped_strides(window.shape, window.strides, self.dims)

    @property
    def full_strides(self) -> Shape:
        """Of what has a value for each element."""
        return contiguous_strides(self.dims)

    @property
    def row_strides(self) -> Shape | None:
        """Of what has a value for each row."""
        if self.inner is None:
            return None
        outer = iter(contiguous_strides(self.outer_dims))
        return tuple(0 if inner else next(outer) for inner in self.inner)

    def marked(self, shape: Shape, axes: Sequence[int]) -> tuple[bool, ...]:
        """For each axis of the box whether it belongs to the given axes of ``shape``, which refines no further."""
        flags: list[bool] = []
        parts = iter(self.dims)
        for i, n in enumerate(shape):
            covered = 1
            while covered < n:
                covered *= next(parts)
                flags.append(i in axes)
        return tuple(flags)

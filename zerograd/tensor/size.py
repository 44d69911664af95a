"""Shapes as users see them."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

from zerograd import errors
from zerograd.shapes import Shape


class Size(tuple[int, ...]):
    """The sizes of a tensor: a tuple of integers with ``numel()``. Source: torch.Size."""

    __slots__ = ()

    def __new__(cls, sizes: Iterable[Any] = ()) -> Size:
        checked = []
        for i, one in enumerate(sizes):
            if type(one) is not int:
                try:
                    one = one.__index__()
                except AttributeError:
                    raise errors.type_(
                        f"a torch.Size is made of integers, but number {i} of those given is a {type(one).__name__}"
                    ) from None
            checked.append(one)
        return super().__new__(cls, checked)

    def numel(self) -> int:
        """The number of elements of a tensor of this size."""
        return prod(self)

    def __add__(self, other: Any) -> Size:
        if not isinstance(other, tuple):
            raise errors.type_(f"can only concatenate tuple (not {type(other).__name__}) to torch.Size")
        return size_of((*self, *other))

    def __radd__(self, other: Any) -> Size:
        return size_of((*other, *self))

    def __mul__(self, times: Any) -> Size:
        return size_of(tuple(self) * times)

    __rmul__ = __mul__

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return size_of(found) if isinstance(index, slice) else found

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    __str__ = __repr__

    def __reduce__(self) -> tuple[Any, ...]:
        return Size, (tuple(self),)


_known: dict[Shape, Size] = {}


def size_of(shape: Shape) -> Size:
    """The one Size object for a shape."""
    found = _known.get(shape)
    if found is None:
        if len(_known) > 10_000:
            _known.clear()
        found = _known[tuple(shape)] = tuple.__new__(Size, shape)
    return found

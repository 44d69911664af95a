"""Views and other changes of shape."""

from __future__ import annotations

from typing import Any

from zerograd import shapes
from zerograd.tensor.base import TensorBase
from zerograd.tensor.view import Expand, Permute, Reshape, Slice


def sizes(args: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes given one by one or as one sequence."""
    if len(args) == 1 and isinstance(args[0], list | tuple):
        args = tuple(args[0])
    return tuple(one if type(one) is int else one.__index__() for one in args)


def view(input: TensorBase, *shape: Any) -> Any:
    """The same data under another shape, without copying. Source: torch.Tensor.view."""
    return input._see(Reshape(shapes.infer_size(sizes(shape), input._type.count)))


def transpose(input: TensorBase, dim0: int, dim1: int) -> Any:
    """Two dimensions swapped; a view. Source: torch.transpose."""
    rank = len(input._shape)
    a, b = shapes.axis(dim0, rank), shapes.axis(dim1, rank)
    order = list(range(rank))
    if rank:
        order[a], order[b] = order[b], order[a]
    return input._see(Permute(tuple(order), "TransposeBackward0"))


def expand(input: TensorBase, *size: Any) -> Any:
    """Dimensions of size 1 repeated; a view. Source: torch.Tensor.expand."""
    return input._see(Expand(sizes(size)))


def select(input: TensorBase, dim: int, index: int) -> Any:
    """One index of a dimension, which disappears; a view. Source: torch.select."""
    shape = input._shape
    starts = tuple(index if i == dim else 0 for i in range(len(shape)))
    stops = tuple(index + 1 if i == dim else n for i, n in enumerate(shape))
    return input._see(Slice(starts, stops, (1,) * len(shape), (dim,), "SelectBackward0"))


METHODS = {"view": view, "transpose": transpose, "expand": expand, "select": select}
IN_PLACE = ()

"""Integer tensors that name classes or rows: checked at the call where their values are known, else when used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zerograd import dtypes, errors
from zerograd.ir.graph import Node, TensorType
from zerograd.ops.bounds import within
from zerograd.ops.elementwise import convert, eq
from zerograd.ops.movement import expand, reshape
from zerograd.ops.source import iota
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply
from zerograd.tensor.functions.arguments import as_tensor_argument
from zerograd.tensor.functions.indexing import known_bounds


def verified(
    name: str,
    places: TensorBase,
    size: int,
    *,
    ignored: int | None = None,
    error: Callable[..., Exception] = errors.index,
) -> bool:
    """Whether ``places`` are computed and in [0, size) or equal to ``ignored``; False: not computed yet.

    Raises:
        IndexError, or what ``error`` makes: they are computed, and one is out of bounds.
    """
    bounds = known_bounds(places)
    if bounds is None:
        return not places._type.count
    low, high = bounds
    if low >= 0 and high < size:
        return True
    array = places._array()
    wrong = (array < 0) | (array >= size)
    if ignored is not None:
        wrong &= array != ignored
    if wrong.any():
        raise error(
            f"{name}: {array[wrong].flat[0]} is out of bounds (index out of range)",
            expected=f"whole numbers in [0, {size - 1}]",
            given=places._type,
        )
    return True


def rows(name: str, places: Node, size: int, known: bool, ignored: int | None = None) -> Node:
    """int64 places, which check themselves when they are computed unless they are known to be right."""
    places = convert(places, dtypes.int64)
    return places if known else within(places, size=size, ignored=ignored, problem=name)


def _one_hot(places: Node, classes: int) -> Node:
    column = reshape(places, shape=(*places.shape, 1))
    line = reshape(iota(size=classes, dtype=dtypes.int64), shape=(*(1,) * places.rank, classes))
    shape = (*places.shape, classes)
    return convert(eq(expand(column, shape=shape), expand(line, shape=shape)), dtypes.int64)


def one_hot(input: Any, num_classes: int = -1) -> Any:
    """A new last dimension with 1 at the class and 0 elsewhere, int64.

    The input is computed at once, to check it.

    Args:
        input: class numbers, int64.
        num_classes: the new dimension's size; -1: the greatest class plus one.
    Raises:
        RuntimeError: classes that are negative or too great, another dtype, or nothing to infer the number from.
    Source: torch.nn.functional.one_hot.
    """
    as_tensor_argument("one_hot", "input", input)
    if input.dtype is not dtypes.int64:
        raise errors.runtime("one_hot takes class numbers of int64", input=input._type, hint="input.long()")
    array = input._array()
    if not array.size:
        if num_classes <= 0:
            raise errors.runtime("one_hot: cannot infer the number of classes from an empty tensor")
        empty = TensorType((*array.shape, num_classes), dtypes.int64)
        return TensorBase.of_array(array.reshape(empty.shape), empty)
    if num_classes < -1:
        raise errors.runtime(f"one_hot: num_classes should be -1 or positive, got {num_classes}")
    if array.min() < 0:
        raise errors.runtime(f"one_hot: classes count from 0, but the input holds {array.min()}")
    if num_classes == -1:
        num_classes = int(array.max()) + 1
    elif array.max() >= num_classes:
        raise errors.runtime(f"one_hot: with num_classes = {num_classes} there is no class {array.max()}")
    return apply(_one_hot, (input,), (num_classes,))

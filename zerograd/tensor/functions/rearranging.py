"""Copies with elements in other places: repeated, rolled, flipped, combined."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from zerograd import dtypes, errors, shapes
from zerograd.ir.graph import Node
from zerograd.ops import indexing, movement
from zerograd.ops.elementwise import mul
from zerograd.ops.movement import expand, narrow, permute, reshape
from zerograd.ops.source import ones_like
from zerograd.shapes import Shape
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply, labelled, promote
from zerograd.tensor.functions.arguments import as_tensor_argument, by_keyword, integer, sizes
from zerograd.tensor.functions.data import made_of
from zerograd.tensor.functions.joining import repeat, stack


@by_keyword("dims")
def tile(input: TensorBase, *dims: Any) -> Any:
    """Like ``repeat``, with missing counts taken as 1 in front. Source: torch.tile."""
    times = sizes(dims, "dims")
    return repeat(input, (*(1,) * (len(input._shape) - len(times)), *times))


@labelled("RepeatInterleaveBackward0")
def _repeat_interleave(x: Node, times: int, axis: int) -> Node:
    shape = x.shape
    grid = reshape(x, shape=(*shape[: axis + 1], 1, *shape[axis + 1 :]))
    grid = expand(grid, shape=(*shape[: axis + 1], times, *shape[axis + 1 :]))
    return reshape(grid, shape=(*shape[:axis], shape[axis] * times, *shape[axis + 1 :]))


@labelled("IndexSelectBackward0")
def _taken(x: Node, places: Node, axis: int) -> Node:
    return indexing.take_axis(x, places, axis)


def repeat_interleave(
    input: Any, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Any:
    """Each element (or each slice of ``dim``) repeated, all as often or as ``repeats`` says for each.

    With one argument: 0 as often as the first number says, 1 as often as the second, and so on.
    Source: torch.repeat_interleave.
    """
    as_tensor_argument("repeat_interleave", "input", input)
    if repeats is None:
        counts = _counts(input)
        return made_of(np.repeat(np.arange(counts.size), counts), input.dtype)
    if dim is None:
        input, dim = input.reshape(-1), 0
    axis = shapes.axis(dim, len(input._shape))
    if not input._shape:
        input = input.reshape(1)
    if isinstance(repeats, TensorBase):
        counts = _counts(repeats)
    elif isinstance(repeats, list | tuple):
        counts = np.asarray([integer(one, "repeats") for one in repeats], np.int64)
    else:
        counts = np.asarray(integer(repeats, "repeats"), np.int64)
    if counts.size and counts.min() < 0:
        raise errors.runtime("repeats can not be negative", repeats=counts.tolist())
    if counts.size == 1 and isinstance(repeats, int | TensorBase):
        return apply(_repeat_interleave, (input,), (int(counts.reshape(-1)[0]), axis))
    if counts.shape not in ((input._shape[axis],), (1,)):
        raise errors.runtime(
            f"repeat_interleave needs one number of repeats for each element of dimension {axis}",
            repeats=counts.size,
            size=input._shape[axis],
            dim=axis,
        )
    places = np.repeat(np.arange(input._shape[axis]), counts)
    if output_size is not None and output_size != places.size:
        raise errors.runtime(
            "repeat_interleave: output_size is wrong", output_size=output_size, repeats=f"make {places.size}"
        )
    return apply(_taken, (input, made_of(places, dtypes.int64)), (axis,))


def _counts(repeats: TensorBase) -> Any:
    if repeats.dtype not in (dtypes.int64, dtypes.int32):
        raise errors.runtime("repeat_interleave counts in int64 or int32", repeats=repeats._type)
    if len(repeats._shape) > 1:
        raise errors.runtime("repeat_interleave needs the numbers of repeats in a vector", repeats=repeats._type)
    counts = repeats._array()
    if counts.size and counts.min() < 0:
        raise errors.runtime("repeats can not be negative", repeats=counts.tolist())
    return counts


def _roll(x: Node, shifts: Shape, axes: Shape | None) -> Node:
    if axes is None:
        flat = reshape(x, shape=(x.type.count,))
        return reshape(_roll(flat, shifts, (0,)), shape=x.shape)
    out = x
    for shift, axis in zip(shifts, axes, strict=True):
        size = x.shape[axis]
        at = size - shift % size if size else 0
        if at % max(size, 1):
            out = movement.cat(narrow(out, axis, at, size), narrow(out, axis, 0, at), axis=axis)
    return reshape(x, shape=x.shape) if out is x else out


def roll(input: TensorBase, shifts: Any, dims: Any = None) -> Any:
    """Elements moved along dimensions; those that leave one end enter at the other. Source: torch.roll."""
    moves = sizes((shifts,), "shifts")
    dims = () if dims is None else sizes((dims,), "dims")
    if not moves:
        raise errors.runtime("roll: shifts says how far, and it is empty")
    if not dims and len(moves) == 1:
        return apply(_roll, (input,), (moves, None))
    if len(moves) != len(dims):
        raise errors.runtime(
            f"roll needs a shift for each of the {len(dims)} dims, but got {len(moves)}", shifts=moves, dims=dims
        )
    rank = len(input._shape)
    axes = tuple(shapes.axis(one, rank) for one in dims)
    return apply(_roll, (input,), (moves, axes if rank else None))


def _flip(x: Node, axes: Shape) -> Node:
    return movement.flip(x, axes=axes)


@by_keyword("dims")
def flip(input: TensorBase, *dims: Any) -> Any:
    """A copy with the order along dimensions reversed. Source: torch.flip."""
    return apply(_flip, (input,), (shapes.axes(sizes(dims, "dims"), len(input._shape)),))


def fliplr(input: TensorBase) -> Any:
    """Columns in reverse order. Source: torch.fliplr."""
    if len(input._shape) < 2:
        raise errors.runtime("Input must be >= 2-d.", input=input._type)
    return flip(input, 1)


def flipud(input: TensorBase) -> Any:
    """Rows in reverse order. Source: torch.flipud."""
    if not input._shape:
        raise errors.runtime("Input must be >= 1-d.", input=input._type)
    return flip(input, 0)


@labelled("Rot90Backward0")
def _rot90(x: Node, turns: int, first: int, second: int) -> Node:
    order = list(range(x.rank))
    order[first], order[second] = second, first
    match turns:
        case 0:
            return reshape(x, shape=x.shape)
        case 1:
            return permute(movement.flip(x, axes=(second,)), order=tuple(order))
        case 2:
            return movement.flip(x, axes=(first, second))
    return permute(movement.flip(x, axes=(first,)), order=tuple(order))


def rot90(input: TensorBase, k: int = 1, dims: Sequence[int] = (0, 1)) -> Any:
    """A plane turned ``k`` times by 90 degrees, from the first of ``dims`` towards the second. Source: torch.rot90."""
    rank = len(input._shape)
    if len(dims) != 2:
        raise errors.runtime(f"rot90 turns in a plane of two dims, not {len(dims)}")
    if rank < 2:
        raise errors.runtime(f"rot90 needs a tensor of at least 2 dimensions, not {rank}")
    first, second = (shapes.axis(one, rank) for one in dims)
    if first == second:
        raise errors.runtime(f"rot90 turns one dimension into another, but dims = {list(dims)} are the same one")
    return apply(_rot90, (input,), (k % 4, first, second))


# --- grids and combinations ------------------------------------------------------------------------------


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Any, ...]:
    """Grids of the coordinates of every point; views.

    Args:
        indexing: "ij" (the first tensor varies along the first dimension) or "xy" (along the second).
    Source: torch.meshgrid.
    """
    if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
        tensors = tuple(tensors[0])
    if indexing is None:
        warnings.warn(
            'meshgrid without indexing means indexing="ij"; write it, since NumPy\'s default is "xy"',
            UserWarning,
            stacklevel=2,
        )
    _check_grid(tensors, indexing)
    swap = indexing == "xy" and len(tensors) >= 2
    vectors = list(tensors)
    if swap:
        vectors[:2] = vectors[1], vectors[0]
    shape = tuple(one._type.count for one in vectors)
    grids = []
    for i, one in enumerate(vectors):
        line = one.view(tuple(n if k == i else 1 for k, n in enumerate(shape)))
        grids.append(line.expand(shape))
    if swap:
        grids[:2] = grids[1], grids[0]
    return tuple(grids)


def _check_grid(tensors: tuple[Any, ...], indexing: str | None) -> None:
    if indexing not in (None, "ij", "xy"):
        raise errors.runtime(f'meshgrid knows indexing="ij" and "xy", not {indexing!r}')
    if not tensors:
        raise errors.runtime("meshgrid needs at least one tensor")
    for one in tensors:
        if len(one._shape) > 1:
            raise errors.runtime("meshgrid makes a grid of vectors and numbers", got=one._type)
        if one.dtype is not tensors[0].dtype:
            raise errors.runtime("meshgrid needs tensors of one dtype", first=tensors[0]._type, other=one._type)


def cartesian_prod(*tensors: Any) -> Any:
    """Every combination of one element of each vector, a row each. Source: torch.cartesian_prod."""
    if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
        tensors = tuple(tensors[0])
    for one in tensors:
        if len(one._shape) != 1:
            raise errors.runtime("cartesian_prod is of vectors", got=one._type)
    if len(tensors) == 1:
        return tensors[0]
    return stack([one.flatten() for one in meshgrid(*tensors, indexing="ij")], 1)


def combinations(input: TensorBase, r: int = 2, with_replacement: bool = False) -> Any:
    """Every combination of ``r`` elements of a vector, a row each. Source: torch.combinations."""
    if len(input._shape) != 1:
        raise errors.runtime("combinations are of the elements of a vector", input=input._type)
    if r < 0:
        raise errors.runtime(f"combinations of {r} elements: r counts from 0")
    if r == 0:
        return input.new_empty(0)
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(input._shape[0]), r)), np.int64).reshape(-1, r)
    picked = apply(_taken, (input, made_of(rows.reshape(-1), dtypes.int64)), (0,))
    return picked.reshape(rows.shape)


def _block_diag(xs: tuple[Node, ...]) -> Node:
    blocks = [reshape(x, shape=(*(1,) * (2 - x.rank), *x.shape)) for x in promote(*xs)]
    width = sum(x.shape[1] for x in blocks)
    rows, left = [], 0
    for x in blocks:
        rows.append(movement.pad(x, (0, left), (0, width - left - x.shape[1])))
        left += x.shape[1]
    return movement.cat(*rows, axis=0)


def block_diag(*tensors: Any) -> Any:
    """A matrix with the given matrices along its diagonal. Source: torch.block_diag."""
    for i, one in enumerate(tensors):
        as_tensor_argument("block_diag", f"tensors[{i}]", one)
        if len(one._shape) > 2:
            raise errors.runtime(
                f"block_diag is of matrices, vectors and numbers, but tensor {i} has {len(one._shape)} dimensions"
            )
    return apply(_block_diag, (tensors,)) if tensors else made_of(np.empty((1, 0)), dtypes.get_default_dtype())


def _vander(x: Node, columns: int, increasing: bool) -> Node:
    powers = [ones_like(x)]
    for _ in range(columns - 1):
        powers.append(mul(powers[-1], x))
    slots = [reshape(one, shape=(*x.shape, 1)) for one in (powers if increasing else reversed(powers))]
    return movement.cat(*slots, axis=x.rank)


def vander(x: TensorBase, N: int | None = None, increasing: bool = False) -> Any:
    """Powers of a vector's elements as columns. Source: torch.vander."""
    if len(x._shape) != 1:
        raise errors.runtime("vander needs a vector", x=x._type)
    columns = x._shape[0] if N is None else N
    if columns < 0:
        raise errors.runtime("vander: N must not be negative", N=columns)
    if not columns:
        return x.new_empty(x._shape[0], 0)
    return apply(_vander, (x if x.dtype.is_inexact else x.long(),), (columns, increasing))


def unravel_index(indices: TensorBase, shape: Any) -> tuple[Any, ...]:
    """Places in a flattened tensor as places per dimension. Source: torch.unravel_index."""
    shape = sizes((shape,), "shape")
    if indices.dtype.category != dtypes.INTEGER:
        raise errors.value("unravel_index needs indices of an integer dtype", indices=indices._type)
    if min(shape, default=0) < 0:
        raise errors.value("'shape' cannot have negative values", shape=list(shape))
    count = math.prod(shape)
    found = np.unravel_index(indices._array() % max(count, 1), shape) if count else ()
    return tuple(made_of(np.asarray(one), dtypes.int64) for one in found)


METHODS = {
    "tile": tile, "repeat_interleave": repeat_interleave, "roll": roll, "flip": flip, "fliplr": fliplr,
    "flipud": flipud, "rot90": rot90,
}  # fmt: skip
IN_PLACE = ()

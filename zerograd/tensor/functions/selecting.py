"""Selections whose places or sizes depend on values: masks, nonzero elements, flat places."""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd import dtypes, errors, shapes
from zerograd.ir.graph import Node
from zerograd.ops import elementwise, indexing, movement
from zerograd.ops.movement import broadcast_to, reshape
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import accepts_out, apply, labelled
from zerograd.tensor.functions import indexing as places_of
from zerograd.tensor.functions.arguments import as_tensor_argument
from zerograd.tensor.functions.data import made_of
from zerograd.tensor.functions.gathering import gather


def nonzero(input: Any, *, as_tuple: bool = False, out: Any = None) -> Any:
    """The places of nonzero elements: a matrix with a row each, or a vector of places per dimension.

    Source: torch.nonzero.
    """
    array = as_tensor_argument("nonzero", "input", input)._array()
    if as_tuple:
        return tuple(made_of(one, dtypes.int64) for one in np.nonzero(np.atleast_1d(array)))
    rows = made_of(np.argwhere(array), dtypes.int64)
    if out is None:
        return rows
    from zerograd.tensor.door import write_out

    return write_out("nonzero", rows, out)


def nonzero_static(input: Any, *, size: int, fill_value: int = -1) -> Any:
    """The first ``size`` places of nonzero elements, a row each; missing rows hold ``fill_value``.

    Source: torch.nonzero_static.
    """
    found = np.argwhere(as_tensor_argument("nonzero_static", "input", input)._array())[:size]
    rows = np.full((size, len(input._shape)), fill_value, np.int64)
    rows[: len(found)] = found
    return made_of(rows, dtypes.int64)


def argwhere(input: Any) -> Any:
    """The places of nonzero elements, a row each. Source: torch.argwhere."""
    return nonzero(input)


def _true_places(mask: TensorBase) -> Any:
    """Where a mask is true, counted in row-major order."""
    return made_of(np.flatnonzero(mask._array()), dtypes.int64)


@labelled("MaskedSelectBackward0")
def _masked_select(x: Node, places: Node, shape: Any) -> Node:
    flat = reshape(broadcast_to(x, shape), shape=(shapes.count(shape),))
    return indexing.index(flat, places)


@accepts_out
def masked_select(input: Any, mask: Any) -> Any:
    """The elements at which ``mask`` is true, in a vector. Source: torch.masked_select."""
    as_tensor_argument("masked_select", "mask", mask)
    if mask.dtype is not dtypes.bool_:
        raise errors.runtime("masked_select needs a mask of bools", mask=mask._type)
    shape = shapes.broadcast("masked_select", input._shape, mask._shape)
    whole = mask if mask._shape == shape else mask.expand(shape)
    return apply(_masked_select, (input, _true_places(whole)), (shape,))


@labelled("MaskedScatterBackward0")
def _masked_scatter(x: Node, source: Node, places: Node, shape: Any) -> Node:
    flat = reshape(broadcast_to(x, shape), shape=(shapes.count(shape),))
    values = reshape(source, shape=(source.type.count,))
    values = movement.slice_(values, starts=(0,), stops=places.shape, steps=(1,))
    return reshape(indexing.index_write(flat, values, places, accumulate=False), shape=shape)


def masked_scatter(input: Any, mask: Any, source: Any) -> Any:
    """``input`` with the elements of ``source``, in order, where ``mask`` is true. Source: torch.masked_scatter."""
    as_tensor_argument("masked_scatter", "mask", mask)
    as_tensor_argument("masked_scatter", "source", source)
    if mask.dtype is not dtypes.bool_:
        raise errors.runtime("masked_scatter needs a mask of bools", mask=mask._type)
    if source.dtype is not input.dtype:
        raise errors.runtime("masked_scatter needs one dtype", self=input._type, source=source._type)
    shape = shapes.broadcast("masked_scatter", input._shape, mask._shape)
    places = _true_places(mask if mask._shape == shape else mask.expand(shape))
    if places._type.count > source._type.count:
        raise errors.runtime(
            f"masked_scatter: the mask takes {places._type.count} elements, and the source has {source._type.count}",
            mask=mask._type,
            source=source._type,
        )
    return apply(_masked_scatter, (input, source, places), (shape,))


# --- flat places -----------------------------------------------------------------------------------------


def _flat_places(name: str, input: TensorBase, index: Any) -> None:
    as_tensor_argument(name, "index", index)
    if index.dtype not in (dtypes.int64, dtypes.int32):
        raise errors.runtime(f"{name} needs an index of int64", index=index._type)
    if index._type.count and not input._type.count:
        raise errors.index(f"{name}: the tensor has no elements", input=input._type)
    places_of.check_places(index, input._type.count, 0)


@labelled("TakeBackward0")
def _take(x: Node, places: Node) -> Node:
    flat = reshape(x, shape=(x.type.count,))
    return indexing.index(flat, elementwise.convert(places, dtypes.int64))


@accepts_out
def take(input: Any, index: Any) -> Any:
    """The elements at places of the flattened tensor, in the shape of ``index``. Source: torch.take."""
    _flat_places("take", as_tensor_argument("take", "input", input), index)
    return apply(_take, (input, index))


@labelled("PutBackward0")
def _put(x: Node, places: Node, source: Node, accumulate: bool) -> Node:
    if source.dtype is not x.dtype:
        raise errors.runtime("put_ needs one dtype", self=x.type, source=source.type)
    if source.type.count != places.type.count:
        raise errors.runtime(
            "put_ needs one element of source for each index",
            source=source.type,
            index=places.type,
        )
    count = places.type.count
    places = elementwise.convert(reshape(places, shape=(count,)), dtypes.int64)
    flat = reshape(x, shape=(x.type.count,))
    written = indexing.index_write(flat, reshape(source, shape=(count,)), places, accumulate=accumulate)
    return reshape(written, shape=x.shape)


def put(input: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    """``input`` with ``source`` put at, or added to, places of the flattened tensor. Source: torch.put."""
    _flat_places("put", as_tensor_argument("put", "input", input), index)
    return apply(_put, (input, index, as_tensor_argument("put", "source", source)), (bool(accumulate),))


@accepts_out
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """Elements at places along a dimension, broadcast together; flat without ``dim``.

    Along a dimension, places count modulo its size, as in PyTorch. Source: torch.take_along_dim.
    """
    as_tensor_argument("take_along_dim", "input", input)
    as_tensor_argument("take_along_dim", "indices", indices)
    if indices.dtype is not dtypes.int64:
        raise errors.runtime("take_along_dim needs indices of int64", indices=indices._type, hint="indices.long()")
    if dim is None:
        return gather(input.reshape(-1), 0, indices.reshape(-1))
    if len(input._shape) != len(indices._shape):
        raise errors.runtime(
            f"take_along_dim needs indices of {len(input._shape)} dimensions, as the input has, not"
            f" {len(indices._shape)}",
            input=input._type,
            indices=indices._type,
        )
    at = shapes.axis(dim, len(input._shape))

    def others(one: TensorBase) -> Any:
        return (*one._shape[:at], 1, *one._shape[at + 1 :])

    common = shapes.broadcast("take_along_dim", others(input), others(indices))

    def grown(one: TensorBase) -> Any:
        wanted = (*common[:at], one._shape[at], *common[at + 1 :])
        return one if one._shape == wanted else one.expand(wanted)

    size = input._shape[at]
    return gather(grown(input), at, grown(indices.remainder(size) if size else indices))


# --- index_put -------------------------------------------------------------------------------------------


def index_put_(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """Put ``values`` at, or add them to, the places of index tensors, in place. Source: torch.Tensor.index_put_."""
    as_tensor_argument("index_put_", "values", values)
    _, tensors = places_of.parse(
        input.detach(), tuple(slice(None) if one is None else one for one in _index_tensors(indices))
    )
    if not tensors:
        raise errors.runtime("index_put_ needs at least one index tensor")
    places_of.write(input, tensors, values, accumulate=bool(accumulate))
    return input


def _index_tensors(indices: Any) -> tuple[Any, ...]:
    if not isinstance(indices, list | tuple):
        raise errors.type_(f"index_put_: indices are a tuple of tensors, not a {type(indices).__name__}")
    # 0-d places are tensors here, not numbers that make a dimension disappear
    return tuple(
        one.reshape(1) if isinstance(one, TensorBase) and not one._shape and one.dtype is dtypes.int64 else one
        for one in indices
    )


def index_put(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """A copy of ``input`` with values at places of index tensors. Source: torch.index_put."""
    return index_put_(as_tensor_argument("index_put", "input", input).clone(), indices, values, accumulate)


METHODS = {
    "nonzero": nonzero, "nonzero_static": nonzero_static, "argwhere": argwhere, "masked_select": masked_select,
    "masked_scatter": masked_scatter, "take": take, "put": put, "take_along_dim": take_along_dim,
    "index_put": index_put, "index_put_": index_put_,
}  # fmt: skip
IN_PLACE = ("masked_scatter", "put")

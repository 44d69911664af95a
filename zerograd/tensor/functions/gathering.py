"""Reading and writing along one dimension at given places."""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd import dtypes, errors, shapes
from zerograd.ir.graph import Node, TensorType
from zerograd.ops import elementwise, indexing, movement, rounding
from zerograd.ops.elementwise import cast
from zerograd.ops.movement import broadcast_to, reshape
from zerograd.ops.source import filled, ones_like, zeros_like
from zerograd.shapes import Shape
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import accepts_out, apply, labelled
from zerograd.tensor.functions.arguments import as_tensor_argument
from zerograd.tensor.functions.indexing import check_places


def _axis_of(name: str, index: Any, input: TensorBase, dim: int, kinds: tuple[Any, ...]) -> int:
    """The dimension, counted from the front, that an index tensor of a right dtype is for."""
    as_tensor_argument(name, "index", index)
    at = shapes.axis(dim, len(input._shape))
    if index.dtype not in kinds and index._type.count:
        raise errors.runtime(f"{name} needs an index of int64", index=index._type, hint="index.long() converts it")
    return at


def _places(name: str, index: Any, input: TensorBase, dim: int) -> int:
    """Check an index of elements for dimension ``dim`` of ``input``; the dimension, counted from the front."""
    at = _axis_of(name, index, input, dim, _WIDE)
    if max(len(index._shape), 1) == max(len(input._shape), 1):  # what does not fit is refused with all operands
        check_places(index, input._shape[at] if input._shape else 1, at, least=0, error=errors.runtime)
    return at


def _slice_places(
    name: str, index: Any, input: TensorBase, dim: int, source: Any = None, *, kinds: Any = None, least: int = 0
) -> int:
    """Check an index of slices for dimension ``dim`` of ``input``; the dimension, counted from the front."""
    at = _axis_of(name, index, input, dim, kinds or _WIDE)
    if source is None or not source._shape or source._shape[at : at + 1] == (index._type.count,):  # as above
        check_places(index, input._shape[at] if input._shape else 1, at, least=least)
    return at


_WIDE = (dtypes.int64, dtypes.int32)


def _vector(x: Node) -> Node:
    return x if x.rank else reshape(x, shape=(1,))


def _gather(x: Node, places: Node, dim: int) -> Node:
    shape = places.shape
    if x.rank != places.rank and x.rank + places.rank != 1 and places.type.count:
        raise errors.runtime(
            f"gather needs an index of {x.rank} dimensions, as the input has",
            input=x.type,
            index=places.type,
        )
    if not places.type.count:
        nothing = movement.slice_(reshape(x, shape=(x.type.count,)), starts=(0,), stops=(0,), steps=(1,))
        return reshape(nothing, shape=shape)
    places = elementwise.convert(places, dtypes.int64)
    return reshape(indexing.gather(_vector(x), _vector(places), axis=dim), shape=shape)


@accepts_out
def gather(input: Any, dim: int, index: Any, *, sparse_grad: bool = False) -> Any:
    """out[i][j] = input[index[i][j]][j] for ``dim`` 0, and so on. Source: torch.gather."""
    at = _places("gather", index, as_tensor_argument("gather", "input", input), dim)
    return apply(_gather, (input, index), (at,))


def _scatter_operands(name: str, x: Node, places: Node, values: Node) -> tuple[Node, Node, Node]:
    if values.type.weak:
        values = broadcast_to(cast(values, dtype=x.dtype), places.shape)
    if values.dtype is not x.dtype:
        raise errors.runtime(f"{name} needs one dtype", self=x.type, src=values.type)
    x, places, values = _vector(x), _vector(places), _vector(values)
    if not x.rank == places.rank == values.rank:
        raise errors.runtime(
            f"{name} needs tensors of equally many dimensions",
            self=x.type,
            index=places.type,
            src=values.type,
        )
    if any(m > n for m, n in zip(places.shape, values.shape, strict=True)):
        raise errors.runtime(
            f"{name}: the index has places for more elements than src has", index=places.type, src=values.type
        )
    if values.shape != places.shape:
        zero = (0,) * values.rank
        values = movement.slice_(values, starts=zero, stops=places.shape, steps=(1,) * values.rank)
    return x, elementwise.convert(places, dtypes.int64), values


def _scattered(x: Node, places: Node, values: Node, dim: int, kind: str) -> Node:
    shape = x.shape
    if not places.type.count:
        return cast(x, dtype=x.dtype)
    x, places, values = _scatter_operands("scatter", x, places, values)
    if kind == "set":
        out = indexing.scatter(x, places, values, axis=dim)
    elif kind == "add":
        out = indexing.scatter_add(x, places, values, axis=dim)
    else:
        out = indexing.scatter_fold(x, places, values, axis=dim, kind=kind)
    return reshape(out, shape=shape)


@labelled("ScatterBackward0")
def _scatter(x: Node, places: Node, values: Node, dim: int, kind: str) -> Node:
    return _scattered(x, places, values, dim, kind)


@labelled("ScatterAddBackward0")
def _scatter_add(x: Node, places: Node, values: Node, dim: int) -> Node:
    return _scattered(x, places, values, dim, "add")


_OLD_KINDS = {None: "set", "add": "add", "multiply": "product"}


@accepts_out
def scatter(input: Any, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Any:
    """``input`` with elements of ``src`` (or a number) put at places along ``dim``.

    ``reduce`` "add" or "multiply" combines them with what is there. Source: torch.scatter.
    """
    src = value if src is None else src
    if reduce not in _OLD_KINDS:
        raise errors.runtime(
            f'scatter knows reduce="add" and "multiply", not {reduce!r}', hint="scatter_reduce knows more"
        )
    at = _places("scatter", index, as_tensor_argument("scatter", "input", input), dim)
    return apply(_scatter, (input, index, src), (at, _OLD_KINDS[reduce]))


@accepts_out
def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """``input`` with elements of ``src`` added at places along ``dim``. Source: torch.scatter_add."""
    at = _places("scatter_add", index, as_tensor_argument("scatter_add", "input", input), dim)
    as_tensor_argument("scatter_add", "src", src)
    return apply(_scatter_add, (input, index, src), (at,))


_KINDS = {"sum": "add", "mean": "add", "prod": "product", "amax": "max", "amin": "min"}


def _start(kind: str, kind_type: dtypes.dtype) -> Any:
    """What a fold begins with where the input itself is left out."""
    if kind in ("sum", "mean"):
        return 0
    if kind == "prod":
        return 1
    if kind_type.is_floating_point:
        return float("-inf" if kind == "amax" else "inf")
    if kind_type is dtypes.bool_:
        return kind == "amin"
    info = np.iinfo(kind_type.numpy)
    return int(info.min if kind == "amax" else info.max)


@labelled("ScatterReduceBackward0")
def _scatter_reduce(x: Node, places: Node, values: Node, dim: int, reduce: str, include_self: bool) -> Node:
    return _reduced("scatter_reduce", x, places, values, dim, reduce, include_self)


def _reduced(name: str, x: Node, places: Node, values: Node, dim: int, reduce: str, include_self: bool) -> Node:
    shape = x.shape
    if not places.type.count:
        return cast(x, dtype=x.dtype)
    x, places, values = _scatter_operands(name, x, places, values)
    base = x
    if not include_self:
        start = filled(_start(reduce, x.dtype), values.type)
        base = indexing.scatter(x, places, start, axis=dim)
    if reduce in ("sum", "mean"):
        out = indexing.scatter_add(base, places, values, axis=dim)
    else:
        out = indexing.scatter_fold(base, places, values, axis=dim, kind=_KINDS[reduce])
    if reduce == "mean":
        own = filled(1, x.type)
        if not include_self:
            own = indexing.scatter(own, places, filled(0, values.type), axis=dim)
        number = indexing.scatter_add(own, places, filled(1, values.type), axis=dim)
        number = elementwise.where(elementwise.eq(number, zeros_like(number)), ones_like(number), number)
        out = elementwise.div(out, number) if x.dtype.is_inexact else rounding.div_floor(out, number)
    return reshape(out, shape=shape)


def _reduction(name: str, reduce: str) -> str:
    if reduce not in _KINDS:
        raise errors.runtime(f"{name} knows the reductions {', '.join(_KINDS)}, not {reduce!r}")
    return reduce


@accepts_out
def scatter_reduce(input: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True) -> Any:
    """``input`` combined with ``src`` at places along ``dim`` by "sum", "prod", "mean", "amax" or "amin".

    Args:
        include_self: whether the elements of ``input`` take part where something is written.
    Source: torch.scatter_reduce.
    """
    at = _places("scatter_reduce", index, as_tensor_argument("scatter_reduce", "input", input), dim)
    as_tensor_argument("scatter_reduce", "src", src)
    return apply(_scatter_reduce, (input, index, src), (at, _reduction("scatter_reduce", reduce), bool(include_self)))


@labelled("IndexReduceBackward0")
def _index_reduce(x: Node, places: Node, source: Node, dim: int, reduce: str, include_self: bool) -> Node:
    shape = x.shape
    x, places, source = _slices("index_reduce", x, places, source, dim)
    line = tuple(n if i == dim else 1 for i, n in enumerate(source.shape))
    everywhere = broadcast_to(reshape(places, shape=line), source.shape)
    return reshape(_reduced("index_reduce", x, everywhere, source, dim, reduce, include_self), shape=shape)


@accepts_out
def index_reduce(input: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True) -> Any:
    """``input`` combined with slices of ``source`` at places of a dimension by "prod", "mean", "amax" or "amin".

    Source: torch.index_reduce.
    """
    as_tensor_argument("index_reduce", "source", source)
    at = _slice_places("index_reduce", index, as_tensor_argument("index_reduce", "input", input), dim, source)
    if reduce == "sum":
        raise errors.runtime('index_reduce does not know "sum"', hint="index_add adds")
    return apply(_index_reduce, (input, index, source), (at, _reduction("index_reduce", reduce), bool(include_self)))


def _index_select(x: Node, places: Node, dim: int) -> Node:
    if places.rank > 1:
        raise errors.index("index_select takes a vector of indices", index=places.type)
    shape = x.shape
    places = elementwise.convert(_vector(places), dtypes.int64)
    out = indexing.take_axis(_vector(x), places, dim)
    return out if shape else reshape(out, shape=())


@accepts_out
def index_select(input: Any, dim: int, index: Any) -> Any:
    """The slices of a dimension at the places in ``index``, a vector. Source: torch.index_select."""
    at = _slice_places("index_select", index, as_tensor_argument("index_select", "input", input), dim)
    return apply(_index_select, (input, index), (at,))


def _slices(name: str, x: Node, places: Node, source: Node, dim: int) -> tuple[Node, Node, Node]:
    """Operands of the functions that write whole slices."""
    if places.rank > 1:
        raise errors.index(f"{name} takes a vector of indices", index=places.type)
    x, places, source = _vector(x), _vector(places), _vector(source)
    if source.dtype is not x.dtype:
        raise errors.runtime(f"{name} needs one dtype", self=x.type, source=source.type)
    wanted = (*x.shape[:dim], places.shape[0], *x.shape[dim + 1 :])
    if source.shape != wanted:
        other_count = source.rank == x.rank and source.shape[dim] != places.shape[0]
        raise (errors.index if other_count and name == "index_copy" else errors.runtime)(
            f"{name}: the source must have the shape of the slices it goes to",
            self=x.type,
            index=places.type,
            source=source.type,
            wanted=list(wanted),
        )
    return x, elementwise.convert(places, dtypes.int64), source


def _index_add(x: Node, places: Node, source: Node, alpha: Node | None, dim: int) -> Node:
    shape = x.shape
    if alpha is not None:
        source = elementwise.mul(source, broadcast_to(cast(alpha, dtype=source.dtype), source.shape))
    x, places, source = _slices("index_add", x, places, source, dim)
    return reshape(indexing.write_axis(x, source, places, dim, accumulate=True), shape=shape)


@accepts_out
def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Any:
    """``input`` with slices of ``source`` times ``alpha`` added at places of a dimension. Source: torch.index_add."""
    as_tensor_argument("index_add", "source", source)
    at = _slice_places("index_add", index, as_tensor_argument("index_add", "input", input), dim, source)
    return apply(_index_add, (input, index, source, None if alpha == 1 else alpha), (at,))


def _index_copy(x: Node, places: Node, source: Node, dim: int) -> Node:
    shape = x.shape
    x, places, source = _slices("index_copy", x, places, source, dim)
    return reshape(indexing.write_axis(x, source, places, dim, accumulate=False), shape=shape)


@accepts_out
def index_copy(input: Any, dim: int, index: Any, source: Any) -> Any:
    """``input`` with slices of ``source`` put at places of a dimension. Source: torch.index_copy."""
    as_tensor_argument("index_copy", "source", source)
    input = as_tensor_argument("index_copy", "input", input)
    at = _slice_places("index_copy", index, input, dim, source, kinds=(dtypes.int64,))
    return apply(_index_copy, (input, index, source), (at,))


def _index_fill(x: Node, places: Node, value: Node, dim: int) -> Node:
    shape = x.shape
    x, places = _vector(x), _vector(places)
    if value.rank:
        raise errors.runtime("index_fill writes one number everywhere", value=value.type, hint="index_copy")
    chosen = TensorType((x.shape[dim],), dtypes.bool_)
    hits = filled(True, chosen.with_shape(places.shape))
    places = elementwise.convert(places, dtypes.int64)
    line = indexing.index_write(filled(False, chosen), hits, places, accumulate=False)
    mask = reshape(line, shape=tuple(n if i == dim else 1 for i, n in enumerate(x.shape)))
    filler = broadcast_to(cast(value, dtype=x.dtype), x.shape)
    return reshape(elementwise.where(broadcast_to(mask, x.shape), filler, x), shape=shape)


def index_fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    """``input`` with ``value`` in the slices at places of a dimension. Source: torch.index_fill."""
    input = as_tensor_argument("index_fill", "input", input)
    size = input._shape[shapes.axis(dim, len(input._shape))] if input._shape else 1
    at = _slice_places("index_fill", index, input, dim, least=-size)
    return apply(_index_fill, (input, index, value), (at,))


# --- masks -------------------------------------------------------------------------------------------


def _masked_fill(x: Node, mask: Node, value: Node) -> Node:
    if mask.dtype is not dtypes.bool_:
        raise errors.runtime("masked_fill needs a mask of bools", mask=mask.type, hint="mask.bool(), or a comparison")
    if value.rank:
        raise errors.runtime("masked_fill writes one number everywhere", value=value.type, hint="torch.where")
    if value.dtype.category > x.dtype.category and not (value.type.weak and value.dtype.category < dtypes.COMPLEX):
        raise errors.runtime(f"masked_fill: {x.dtype.name} does not hold the value", input=x.type, value=value.type)
    shape: Shape = shapes.broadcast("masked_fill", x.shape, mask.shape)
    value = broadcast_to(cast(value, dtype=x.dtype), shape)
    return elementwise.where(broadcast_to(mask, shape), value, broadcast_to(x, shape))


def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """``value`` where ``mask`` is true, else ``input``. Source: torch.masked_fill."""
    as_tensor_argument("masked_fill", "mask", mask)
    return apply(_masked_fill, (as_tensor_argument("masked_fill", "input", input), mask, value))


METHODS = {
    "gather": gather, "scatter": scatter, "scatter_add": scatter_add, "index_select": index_select,
    "index_add": index_add, "index_copy": index_copy, "index_fill": index_fill, "masked_fill": masked_fill,
    "scatter_reduce": scatter_reduce, "index_reduce": index_reduce,
}  # fmt: skip
IN_PLACE = (
    "scatter", "scatter_add", "scatter_reduce", "index_add", "index_copy", "index_fill", "index_reduce", "masked_fill",
)  # fmt: skip

"""Order along a dimension: sorting, the k largest, medians, the most frequent."""

from __future__ import annotations

import math
from typing import Any

from zerograd import errors
from zerograd.ir.graph import Node
from zerograd.ops import sorting as ops
from zerograd.ops.elementwise import copy
from zerograd.ops.movement import narrow, reshape
from zerograd.ops.source import filled
from zerograd.shapes import axis as one_axis
from zerograd.tensor.door import apply, labelled
from zerograd.tensor.functions.dimensions import along_dims, at_least_1d, dropped, static_dim
from zerograd.tensor.functions.named_results import named_result
from zerograd.tensor.functions.reductions import nonempty, pick
from zerograd.tensor.functions.refusals import ORDERED, REAL, require

Sort, Topk, Kthvalue, Median, Nanmedian, Mode = (
    named_result(name, "values indices") for name in ("sort", "topk", "kthvalue", "median", "nanmedian", "mode")
)


def _sort(x: Node, dim: int, descending: bool) -> tuple[Node, Node]:
    if x.dtype.is_complex:
        raise errors.runtime("complex numbers have no order to sort by", input=x.type, hint="sort their abs()")
    values, indices = ops.sort(at_least_1d(x), axis=one_axis(dim, x.rank), descending=descending)
    return reshape(values, shape=x.shape), reshape(indices, shape=x.shape)


@labelled("SortBackward1")
def _stable_sort(x: Node, dim: int, descending: bool) -> tuple[Node, Node]:
    return _sort(x, dim, descending)


@along_dims
def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool | None = None) -> Any:
    """The elements in order along ``dim``, and where they were; always stable. Source: torch.sort."""
    body = _sort if stable is None else _stable_sort
    return Sort(apply(body, (input,), (static_dim(dim), bool(descending))))


@along_dims
def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """The places of the elements in order along ``dim``; always stable. Source: torch.argsort."""
    return apply(_sort, (input,), (static_dim(dim), bool(descending)))[1]


@along_dims
def msort(input: Any) -> Any:
    """The elements in order along the first dimension. Source: torch.msort."""
    return apply(_sort, (input,), (0, False))[0]


def _topk(x: Node, k: int, dim: int, largest: bool) -> tuple[Node, Node]:
    require("topk", x, REAL)
    axis = one_axis(dim, x.rank)
    if not 0 <= k <= (x.shape[axis] if x.shape else 1):
        raise errors.runtime(f"topk(): selected index k = {k} out of range", input=x.type, dim=dim)
    if not x.shape:
        values, indices = ops.sort(at_least_1d(x), axis=0, descending=largest)
        return reshape(values, shape=()), reshape(indices, shape=())
    values, indices = ops.sort(x, axis=axis, descending=largest)
    return narrow(values, axis, 0, k), narrow(indices, axis, 0, k)


@along_dims
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The ``k`` largest (or smallest) elements along ``dim``, in order, and where they are. Source: torch.topk."""
    return Topk(apply(_topk, (input,), (static_dim(k), static_dim(dim), bool(largest))))


def _kthvalue(x: Node, k: int, dim: int, keepdim: bool) -> tuple[Node, Node]:
    require("kthvalue", x, REAL)
    axis = one_axis(dim, x.rank)
    wide = at_least_1d(x)
    if not 1 <= k <= wide.shape[axis]:
        raise errors.runtime(
            f"kthvalue: k counts from 1 to {wide.shape[axis]} in dimension {axis}, got {k}", input=x.type
        )
    results = ops.sort(wide, axis=axis, descending=False)
    keepdim = keepdim and bool(x.shape)
    values, indices = (dropped(narrow(one, axis, k - 1, k), x, (axis,), keepdim) for one in results)
    return (copy(values), copy(indices)) if keepdim else (values, indices)


@along_dims
def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The ``k``-th smallest element along ``dim``, counted from 1, and where it is. Source: torch.kthvalue."""
    return Kthvalue(apply(_kthvalue, (input,), (static_dim(k), static_dim(dim), keepdim)))


def _middle(x: Node, op: Any) -> Node:
    require("median", x, REAL)
    if not x.type.count:
        return copy(filled(math.nan, x.type.with_shape(())))
    return reshape(op(reshape(x, shape=(x.type.count,)), axes=(0,)), shape=())


def _median(x: Node) -> Node:
    return _middle(x, ops.median)


def _nanmedian(x: Node) -> Node:
    return _middle(x, ops.nanmedian)


@labelled("MedianBackward1")
def _median_at(x: Node, dim: int, keepdim: bool) -> tuple[Node, Node]:
    require("median", x, REAL)
    nonempty("median", x, (one_axis(dim, x.rank),))
    return pick(x, dim, keepdim, ops.median_at)


@labelled("NanmedianBackward1")
def _nanmedian_at(x: Node, dim: int, keepdim: bool) -> tuple[Node, Node]:
    require("nanmedian", x, REAL)
    nonempty("nanmedian", x, (one_axis(dim, x.rank),))
    return pick(x, dim, keepdim, ops.nanmedian_at)


@along_dims
def median(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle element, of two the lower one; with ``dim``, also where it is. Source: torch.median."""
    if dim is None:
        return apply(_median, (input,))
    return Median(apply(_median_at, (input,), (static_dim(dim), keepdim)))


@along_dims
def nanmedian(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle of the elements that are not NaN. Source: torch.nanmedian."""
    if dim is None:
        return apply(_nanmedian, (input,))
    return Nanmedian(apply(_nanmedian_at, (input,), (static_dim(dim), keepdim)))


def _mode(x: Node, dim: int, keepdim: bool) -> tuple[Node, Node]:
    require("mode", x, ORDERED)
    nonempty("mode", x, (one_axis(dim, x.rank),))
    return pick(x, dim, keepdim, ops.mode_at)


@along_dims
def mode(input: Any, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent element along ``dim``, of several the smallest, and its last place. Source: torch.mode."""
    return Mode(apply(_mode, (input,), (static_dim(dim), keepdim)))


METHODS = {
    "argsort": argsort, "kthvalue": kthvalue, "median": median, "mode": mode, "msort": msort, "nanmedian": nanmedian,
    "sort": sort, "topk": topk,
}  # fmt: skip
IN_PLACE = ()

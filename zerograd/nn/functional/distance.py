"""Distances and similarities of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd import dtypes, errors, shapes
from zerograd.ir.graph import Node, TensorType
from zerograd.ops import elementwise as ew
from zerograd.ops.contraction import matmul, turn
from zerograd.ops.elementwise import add, clamp_min, convert, div, graft, mul, plus, square, stop, sub, times
from zerograd.ops.indexing import index
from zerograd.ops.movement import broadcast_to, expand, reshape
from zerograd.ops.reduction import norm
from zerograd.ops.reduction import sum as total_of
from zerograd.ops.source import filled
from zerograd.ops.transcendental import root
from zerograd.shapes import Shape
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply, floats, labelled, together

FEW = 25  # rows up to which distances come from differences, not from a product of matrices


def _dropped(x: Node, axis: int) -> Node:
    return reshape(x, shape=tuple(n for i, n in enumerate(x.shape) if i != axis))


@labelled("SumBackward1")
def _cosine_similarity(x: Node, y: Node, dim: int, eps: float) -> Node:
    x, y = together("cosine_similarity", x, y, inexact=True)
    axis = shapes.axis(dim, x.rank)
    shape = tuple(n for i, n in enumerate(x.shape) if i != axis)
    if not x.rank:
        x, y = reshape(x, shape=(1,)), reshape(y, shape=(1,))
    product = mul(_unit(x, axis, eps), _unit(y, axis, eps))
    return reshape(total_of(product, axes=(axis,)), shape=shape)


def _unit(x: Node, axis: int, eps: float) -> Node:
    """Vectors divided by their length; by eps if they are shorter, but with the gradient as if they were not."""
    length = norm(x, axes=(axis,), p=2.0)
    length = graft(stop(clamp_min(length, filled(eps, length.type))), length)
    return div(x, convert(expand(length, shape=x.shape), x.dtype))


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """x1 · x2 / (|x1| |x2|) along ``dim``, with lengths of at least ``eps``.

    Source: torch.nn.functional.cosine_similarity.
    """
    return apply(_cosine_similarity, (x1, x2), (dim, float(eps)))


@labelled("NormBackward1")
def _pairwise_distance(x: Node, y: Node, p: float, eps: float, keepdim: bool) -> Node:
    x, y = together("pairwise_distance", x, y)
    last = x.rank - 1
    out = norm(plus(floats(sub(x, y)), eps), axes=(last,), p=p)
    return out if keepdim else _dropped(out, last)


def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """The ``p``-norm of x1 - x2 + eps along the last dimension. Source: torch.nn.functional.pairwise_distance."""
    return apply(_pairwise_distance, (x1, x2), (float(p), float(eps), bool(keepdim)))


@labelled("PdistBackward0")
def _pdist(x: Node, first: Node, second: Node, p: float) -> Node:
    return _dropped(norm(sub(index(x, first), index(x, second)), axes=(1,), p=p), 1)


def pdist(input: Any, p: float = 2.0) -> Any:
    """The distances of all pairs of rows i < j of (N, M), row by row: (N (N - 1) / 2,).

    Raises:
        RuntimeError: not a matrix of floats, or p < 0.
    Source: torch.nn.functional.pdist.
    """
    if len(input._shape) != 2:
        raise errors.runtime("pdist needs a matrix, a point in each row", input=input._type)
    if not input.dtype.is_floating_point:
        raise errors.runtime("pdist needs points of a floating dtype", input=input._type)
    if not p >= 0:
        raise errors.runtime(f"pdist: there is no norm of order {p}; p is 0 or more")
    pairs = np.triu_indices(input._shape[0], 1)
    first, second = (TensorBase.of_array(one, TensorType(one.shape, dtypes.int64)) for one in pairs)
    return apply(_pdist, (input, first, second), (float(p),))


@labelled("CdistBackward0")
def _cdist(x: Node, y: Node, p: float, by_product: bool) -> Node:
    batch = shapes.broadcast("cdist", x.shape[:-2], y.shape[:-2])
    rows, columns, width = x.shape[-2], y.shape[-2], x.shape[-1]
    if width == 0:
        nothing = filled(0, x.type.with_shape((*batch, rows, columns)))
        return ew.attach(ew.attach(nothing, x), y)
    x, y = broadcast_to(x, (*batch, rows, width)), broadcast_to(y, (*batch, columns, width))
    if by_product:
        return _by_product(x, y, (*batch, rows, columns))
    shape = (*batch, rows, columns, width)
    left = expand(reshape(x, shape=(*batch, rows, 1, width)), shape=shape)
    right = expand(reshape(y, shape=(*batch, 1, columns, width)), shape=shape)
    return _dropped(norm(sub(left, right), axes=(len(shape) - 1,), p=p), len(shape) - 1)


def _by_product(x: Node, y: Node, shape: Shape) -> Node:
    """sqrt(|x|² + |y|² - 2 x·y)"""
    last = x.rank - 1
    squares = broadcast_to(total_of(square(x), axes=(last,)), shape)
    others = broadcast_to(turn(total_of(square(y), axes=(last,))), shape)
    found = sub(add(squares, others), times(matmul(x, turn(y)), 2))
    return root(ew.relu(found))


MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")


def cdist(x1: Any, x2: Any, p: float = 2.0, compute_mode: str = MODES[0]) -> Any:
    """The distances of all rows of x1 (*, P, M) from all rows of x2 (*, R, M): (*, P, R).

    Args:
        p: which norm measures them, at least 0.
        compute_mode: whether Euclidean distances may come from a product of matrices, which is faster and, for close
            points, less accurate; by default where there are more than 25 rows.
    Raises:
        RuntimeError: not matrices of floats, rows of different lengths, or p < 0.
        ValueError: another compute_mode.
    Source: torch.cdist.
    """
    for name, one in (("x1", x1), ("x2", x2)):
        if not one.dtype.is_floating_point:
            raise errors.runtime("cdist needs points of a floating dtype", **{name: one._type})
        if len(one._shape) < 2:
            raise errors.runtime("cdist needs matrices, a point in each row", **{name: one._type})
    if x1._shape[-1] != x2._shape[-1]:
        raise errors.runtime("cdist needs points of equally many coordinates", x1=x1._type, x2=x2._type)
    if compute_mode not in MODES:
        raise errors.value(f"cdist has no compute_mode {compute_mode!r}", known=", ".join(MODES))
    if not p >= 0:
        raise errors.runtime(f"cdist: there is no norm of order {p}; p is 0 or more")
    many = max(x1._shape[-2], x2._shape[-2]) > FEW
    by_product = p == 2 and (compute_mode == MODES[1] or (compute_mode == MODES[0] and many))
    return apply(_cdist, (x1, x2), (float(p), by_product))

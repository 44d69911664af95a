"""Lengths of vectors."""

from __future__ import annotations

import math
from typing import Any

from zerograd import errors
from zerograd.dtypes import dtype
from zerograd.ir.graph import Node
from zerograd.ops import elementwise, reduction
from zerograd.ops.elementwise import convert
from zerograd.ops.movement import expand, reshape
from zerograd.ops.source import filled, ones_like
from zerograd.shapes import axis as one_axis
from zerograd.tensor.door import apply, labelled, together
from zerograd.tensor.functions.arguments import as_dtype_argument, as_tensor_argument
from zerograd.tensor.functions.arithmetic import written
from zerograd.tensor.functions.dimensions import (
    Dims,
    along_dims,
    dropped,
    reduced_axes,
    static_dim,
    static_dims,
)

P = float | int | str | None


def vector_norm_nodes(x: Node, p: float, dims: Any, keepdim: bool, kind: dtype | None) -> Node:
    """(sum |x|^p)^(1/p) over ``dims``, or over everything.

    Raises:
        RuntimeError: not a float tensor, or the smallest or largest of nothing.
    """
    if not x.dtype.is_inexact:
        raise errors.runtime(f"vector_norm needs a floating or complex dtype, got {x.dtype.name}")
    if kind is not None:
        if kind.is_complex != x.dtype.is_complex or not kind.is_inexact:
            raise errors.runtime(f"vector_norm: dtype {kind.name} does not fit an input of {x.dtype.name}")
        x = convert(x, kind)
    axes = reduced_axes(x, dims)
    if (p < 0 or math.isinf(p)) and any(x.shape[i] == 0 for i in axes):
        raise errors.runtime(
            f"vector_norm of order {p} takes a largest or smallest element, and there is none",
            input=x.type,
        )
    return dropped(reduction.norm(x, axes=axes, p=p), x, axes, keepdim)


@labelled("LinalgVectorNormBackward0")
def _vector_norm(x: Node, p: float, dims: Any, keepdim: bool, kind: dtype | None) -> Node:
    return vector_norm_nodes(x, p, dims, keepdim, kind)


@along_dims
def vector_norm(x: Any, ord: float = 2, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """(sum |x|^ord)^(1/ord) over ``dim``, or over everything. Source: torch.linalg.vector_norm.

    For 0 it is the number of elements that are not zero, for inf (-inf) the largest (smallest) absolute value.
    """
    statics = (float(ord), static_dims(dim), keepdim, as_dtype_argument(dtype, "vector_norm"))
    return apply(_vector_norm, (x,), statics)


@along_dims
def norm(input: Any, p: P = "fro", dim: Dims = None, keepdim: bool = False, dtype: Any = None) -> Any:
    """The p-norm of the elements; "fro" is 2, "nuc" the sum of a matrix's singular values. Source: torch.norm."""
    if p == "nuc":
        from zerograd.tensor.functions.matrices import matrix_norm  # which needs vector norms itself

        return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    if isinstance(p, str) and p != "fro":
        raise errors.runtime(f'norm: p is a number, "fro" or "nuc", not {p!r}')
    return vector_norm(input, 2.0 if p in ("fro", None) else p, dim, keepdim, dtype=dtype)


def frobenius_norm(input: Any, dim: Dims, keepdim: bool = False) -> Any:
    """The square root of the sum of squares over ``dim``. Source: torch.frobenius_norm."""
    return vector_norm(input, 2.0, dim or None, keepdim)


def nuclear_norm(input: Any, dim: Any = (-2, -1), keepdim: bool = False) -> Any:
    """The sum of a matrix's singular values. Source: torch.nuclear_norm."""
    return norm(input, "nuc", dim, keepdim)


def norm_except_dim(v: Any, pow: float = 2, dim: int = 0) -> Any:
    """The norm over all dimensions but one, which stay with size 1. Source: torch.norm_except_dim."""
    if dim == -1:
        return vector_norm(v, pow)
    rank = len(v._shape)
    return vector_norm(v, pow, tuple(i for i in range(rank) if i != one_axis(dim, rank)), True)


def _method_norm(self: Any, p: P = "fro", dim: Dims = None, keepdim: bool = False, dtype: Any = None) -> Any:
    """The p-norm of the elements. Source: torch.Tensor.norm."""
    return norm(self, p, dim, keepdim, dtype)


@labelled("DistBackward0")
def _dist(x: Node, y: Node, p: float) -> Node:
    x, y = together("dist", x, y)
    return vector_norm_nodes(elementwise.sub(x, y), p, None, False, None)


def dist(input: Any, other: Any, p: float = 2) -> Any:
    """The p-norm of ``input - other``. Source: torch.dist."""
    as_tensor_argument("dist", "input", input)
    as_tensor_argument("dist", "other", other)
    return apply(_dist, (input, other), (float(p),))


@labelled("RenormBackward0")
def _renorm(x: Node, limit: Node, p: float, dim: int) -> Node:
    axis = one_axis(dim, x.rank)
    norms = reduction.norm(x, axes=tuple(i for i in range(x.rank) if i != axis), p=p)
    limit = expand(reshape(convert(limit, norms.dtype), shape=(1,) * x.rank), shape=norms.shape)
    shrunk = elementwise.div(limit, elementwise.add(norms, filled(1e-7, norms.type)))
    factor = elementwise.where(elementwise.gt(norms, limit), shrunk, ones_like(norms))
    return elementwise.mul(x, expand(convert(factor, x.dtype), shape=x.shape))


def renorm(input: Any, p: float, dim: int, maxnorm: float, *, out: Any = None) -> Any:
    """``input`` with each slice along ``dim`` scaled down to a p-norm of at most ``maxnorm``. Source: torch.renorm.

    Raises:
        RuntimeError: fewer than two dimensions, or an order or bound that is not positive.
    """
    if len(input._shape) < 2:
        raise errors.runtime("renorm: a vector has no parts whose norm could be limited", input=input._type)
    if p <= 0:
        raise errors.runtime(f"renorm: non-positive norm order {p} not supported")
    if maxnorm < 0:
        raise errors.runtime(f"renorm: a norm is never below {maxnorm}, so maxnorm must not be negative")
    return written("renorm", apply(_renorm, (input, maxnorm), (float(p), static_dim(dim))), out)


METHODS = {"renorm": renorm}
IN_PLACE = ("renorm",)
METHODS |= {"dist": dist, "norm": _method_norm}

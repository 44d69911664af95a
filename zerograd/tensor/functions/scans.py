"""Functions that run along a dimension: running sums, products and extremes."""

from __future__ import annotations

from typing import Any

from zerograd.dtypes import dtype, int64
from zerograd.ir.graph import Node, Op
from zerograd.ops import scan as ops
from zerograd.ops.elementwise import convert
from zerograd.ops.movement import reshape
from zerograd.shapes import axis as one_axis
from zerograd.tensor.door import apply
from zerograd.tensor.functions.arguments import as_dtype_argument
from zerograd.tensor.functions.dimensions import along_dims, at_least_1d, static_dim
from zerograd.tensor.functions.named_results import named_result
from zerograd.tensor.functions.refusals import INEXACT, ORDERED, require

Cummax, Cummin = named_result("cummax", "values indices"), named_result("cummin", "values indices")


def _run(x: Node, dim: int, op: Op) -> Node:
    axis = one_axis(dim, x.rank)
    return reshape(op(at_least_1d(x), axis=axis), shape=x.shape)


def _totals(x: Node, dim: int, kind: dtype | None, op: Op) -> Node:
    if kind is None and not x.dtype.is_inexact:
        kind = int64
    return _run(x if kind is None else convert(x, kind), dim, op)


def _cumsum(x: Node, dim: int, kind: dtype | None) -> Node:
    return _totals(x, dim, kind, ops.cumsum)


def _cumprod(x: Node, dim: int, kind: dtype | None) -> Node:
    return _totals(x, dim, kind, ops.cumprod)


@along_dims
def cumsum(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """The running sum along ``dim``; of integers in int64. Source: torch.cumsum."""
    return apply(_cumsum, (input,), (static_dim(dim), as_dtype_argument(dtype, "cumsum")))


@along_dims
def cumprod(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """The running product along ``dim``; of integers in int64. Source: torch.cumprod."""
    return apply(_cumprod, (input,), (static_dim(dim), as_dtype_argument(dtype, "cumprod")))


def _logcumsumexp(x: Node, dim: int) -> Node:
    require("logcumsumexp", x, INEXACT)
    return _run(x, dim, ops.logcumsumexp)


@along_dims
def logcumsumexp(input: Any, dim: int) -> Any:
    """log of the running sum of exp(input), without overflow. Source: torch.logcumsumexp."""
    return apply(_logcumsumexp, (input,), (static_dim(dim),))


def _extremes(x: Node, dim: int, op: Op) -> tuple[Node, Node]:
    require(op.name, x, ORDERED)
    values, indices = op(at_least_1d(x), axis=one_axis(dim, x.rank))
    return reshape(values, shape=x.shape), reshape(indices, shape=x.shape)


def _cummax(x: Node, dim: int) -> tuple[Node, Node]:
    return _extremes(x, dim, ops.cummax)


def _cummin(x: Node, dim: int) -> tuple[Node, Node]:
    return _extremes(x, dim, ops.cummin)


@along_dims
def cummax(input: Any, dim: int) -> Any:
    """The largest element so far along ``dim`` and where it is, the last of equal ones. Source: torch.cummax."""
    return Cummax(apply(_cummax, (input,), (static_dim(dim),)))


@along_dims
def cummin(input: Any, dim: int) -> Any:
    """The smallest element so far along ``dim`` and where it is, the last of equal ones. Source: torch.cummin."""
    return Cummin(apply(_cummin, (input,), (static_dim(dim),)))


METHODS = {"cumprod": cumprod, "cumsum": cumsum}
IN_PLACE = tuple(METHODS)
METHODS |= {"cummax": cummax, "cummin": cummin, "logcumsumexp": logcumsumexp}

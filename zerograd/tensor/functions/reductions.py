"""Functions that fold dimensions away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zerograd import errors
from zerograd.dtypes import dtype, int64
from zerograd.ir.graph import Node
from zerograd.ops import elementwise, reduction
from zerograd.ops.elementwise import convert
from zerograd.ops.movement import reshape
from zerograd.ops.source import filled
from zerograd.shapes import axes as all_axes
from zerograd.tensor.door import accepts_out, apply

Dims = int | Sequence[int] | None


def folding(x: Node, dims: Any, keepdim: bool, op: Any) -> Node:
    """``op`` over the given dimensions, which are then dropped unless ``keepdim``."""
    axes = all_axes(None if dims == () else dims, x.rank)
    out = op(x, axes=axes)
    return out if keepdim else reshape(out, shape=tuple(n for i, n in enumerate(x.shape) if i not in axes))


def _sum(x: Node, dims: Any, keepdim: bool, kind: dtype | None) -> Node:
    if kind is None and not x.dtype.is_inexact:
        kind = int64
    return folding(x if kind is None else convert(x, kind), dims, keepdim, reduction.sum)


def _mean(x: Node, dims: Any, keepdim: bool, kind: dtype | None) -> Node:
    x = x if kind is None else convert(x, kind)
    if not x.dtype.is_inexact:
        raise errors.runtime(
            f"mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype."
            f" Got: {x.dtype.name.title()}",
            hint="x.float().mean()",
        )
    total = folding(x, dims, keepdim, reduction.sum)
    count = x.type.count // max(total.type.count, 1)
    return elementwise.div(total, filled(count, total.type))


def static_dims(dim: Any) -> Any:
    """Dimensions as a hashable static argument."""
    return tuple(dim) if isinstance(dim, list | tuple) else dim


@accepts_out
def sum(input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: dtype | None = None) -> Any:
    """The sum over ``dim``, or over everything. Integers are summed in int64. Source: torch.sum."""
    return apply(_sum, (input,), (static_dims(dim), keepdim, dtype))


@accepts_out
def mean(input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: dtype | None = None) -> Any:
    """The mean over ``dim``, or over everything. Source: torch.mean."""
    return apply(_mean, (input,), (static_dims(dim), keepdim, dtype))


METHODS = {"sum": sum, "mean": mean}
IN_PLACE = ()

"""Functions that fold dimensions away."""

from __future__ import annotations

from typing import Any

from zerograd import dtypes, errors
from zerograd.dtypes import dtype, float32, int64, uint8
from zerograd.ir.graph import Node, Op
from zerograd.ops import elementwise, reduction
from zerograd.ops import softmax as softmax_ops
from zerograd.ops.elementwise import convert
from zerograd.ops.movement import reshape
from zerograd.shapes import axis as one_axis
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply, floats, labelled, unary, write_out
from zerograd.tensor.functions.arguments import as_dtype_argument, as_tensor_argument, sizes
from zerograd.tensor.functions.comparison import is_nan, truth
from zerograd.tensor.functions.dimensions import (
    Dims,
    along_dims,
    at_least_1d,
    dropped,
    reduced_axes,
    static_dim,
    static_dims,
)
from zerograd.tensor.functions.named_results import named_result
from zerograd.tensor.functions.pointwise import maximum, minimum
from zerograd.tensor.functions.refusals import FLOATING, ORDERED, require

Max, Min, Aminmax = (named_result(*one) for one in (
    ("max", "values indices"), ("min", "values indices"), ("aminmax", "min max"),
))  # fmt: skip


def folding(x: Node, dims: Any, keepdim: bool, op: Op) -> Node:
    """``op`` over the given dimensions, which are then dropped unless ``keepdim``."""
    axes = reduced_axes(x, dims)
    return dropped(op(x, axes=axes), x, axes, keepdim)


# --- sums and means ------------------------------------------------------------------------------------


def _summed(x: Node, dims: Any, keepdim: bool, kind: dtype | None) -> Node:
    if kind is None and not x.dtype.is_inexact:
        kind = int64
    return folding(x if kind is None else convert(x, kind), dims, keepdim, reduction.sum)


@labelled("SumBackward0")
def _sum_all(x: Node) -> Node:
    return _summed(x, None, False, None)


@labelled("SumBackward1")
def _sum(x: Node, dims: Any, keepdim: bool, kind: dtype | None) -> Node:
    return _summed(x, dims, keepdim, kind)


def averaged(x: Node, dims: Any, keepdim: bool, kind: dtype | None) -> Node:
    """The mean; of half precision computed in float32."""
    x = x if kind is None else convert(x, kind)
    if not x.dtype.is_inexact:
        raise errors.runtime(
            f"mean of {x.dtype.name}: the result would not be of the input's dtype, so which one has to be said",
            hint="x.float().mean(), or x.mean(dtype=torch.float32)",
        )
    axes = reduced_axes(x, dims)
    if x.dtype.itemsize == 2:
        mean = convert(reduction.mean_of(convert(x, float32), axes), x.dtype)
    else:
        mean = reduction.mean_of(x, axes)
    return dropped(mean, x, axes, keepdim)


@labelled("MeanBackward0")
def _mean_all(x: Node) -> Node:
    return averaged(x, None, False, None)


@labelled("MeanBackward1")
def _mean(x: Node, dims: Any, keepdim: bool, kind: dtype | None) -> Node:
    return averaged(x, dims, keepdim, kind)


_sum_of_all, _mean_of_all = unary(_sum_all), unary(_mean_all)
_sum_of_all.__name__, _mean_of_all.__name__ = "sum", "mean"


def sum(
    input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None, axis: Dims = None,
    keepdims: bool = False,
) -> Any:  # fmt: skip
    """The sum over ``dim``, or over everything. Integers are summed in int64. Source: torch.sum."""
    if dim is None and axis is None and dtype is None and not (keepdim or keepdims):
        return _sum_of_all(input, out=out)
    statics = (static_dims(axis if dim is None else dim), keepdim or keepdims, as_dtype_argument(dtype, "sum"))
    result = apply(_sum, (as_tensor_argument("sum", "input", input),), statics)
    return result if out is None else write_out("sum", result, out)


def mean(
    input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None, axis: Dims = None,
    keepdims: bool = False,
) -> Any:  # fmt: skip
    """The mean over ``dim``, or over everything. Source: torch.mean."""
    if dim is None and axis is None and dtype is None and not (keepdim or keepdims):
        return _mean_of_all(input, out=out)
    statics = (static_dims(axis if dim is None else dim), keepdim or keepdims, as_dtype_argument(dtype, "mean"))
    result = apply(_mean, (as_tensor_argument("mean", "input", input),), statics)
    return result if out is None else write_out("mean", result, out)


@labelled("SumBackward1")
def _sum_to_size(x: Node, shape: tuple[int, ...]) -> Node:
    lead = x.rank - len(shape)
    if lead < 0 or [1 for n, m in zip(x.shape[lead:], shape, strict=True) if m not in (1, n)]:
        raise errors.runtime(f"sum_to_size: size {list(x.shape)} is not expandable from size {list(shape)}")
    grown = [i for i, n in enumerate(x.shape) if i < lead or n != shape[i - lead]]
    return reshape(reduction.sum(x, axes=tuple(grown)) if grown else x, shape=shape)


def sum_to_size(self: TensorBase, *size: Any) -> Any:
    """The sum that undoes an expansion from ``size``. Source: torch.Tensor.sum_to_size."""
    return apply(_sum_to_size, (self,), (sizes(size),))


def _nansum(x: Node, dims: Any, keepdim: bool, kind: dtype | None) -> Node:
    if x.dtype.is_complex:
        raise errors.runtime("nansum does not support complex inputs", input=x.type)
    if x.dtype.is_inexact:
        x = elementwise.zeroed_where(is_nan(x), x)
    return _summed(x, dims, keepdim, kind)


@along_dims
def nansum(input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The sum with NaN as zero. Source: torch.nansum."""
    return apply(_nansum, (input,), (static_dims(dim), keepdim, as_dtype_argument(dtype, "nansum")))


@labelled("DivBackward0")
def _nanmean(x: Node, dims: Any, keepdim: bool, kind: dtype | None) -> Node:
    if not x.dtype.is_floating_point:
        raise errors.runtime(f"nanmean needs a floating dtype, got {x.dtype.name}")
    numbers = elementwise.eq(x, x)
    total = _summed(elementwise.kept_where(numbers, x), dims, keepdim, kind)
    return elementwise.div(total, folding(elementwise.cast(numbers, dtype=total.dtype), dims, keepdim, reduction.sum))


@along_dims
def nanmean(input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The mean of what is not NaN. Source: torch.nanmean."""
    return apply(_nanmean, (input,), (static_dims(dim), keepdim, as_dtype_argument(dtype, "nanmean")))


# --- products --------------------------------------------------------------------------------------------


def _product(x: Node, axis: int, keepdim: bool, kind: dtype | None) -> Node:
    if kind is None and not x.dtype.is_inexact:
        kind = int64
    x = x if kind is None else convert(x, kind)
    wide = at_least_1d(x)
    return dropped(reduction.prod(wide, axis=axis), x, (axis,), keepdim and bool(x.shape))


@labelled("ProdBackward0")
def _prod_all(x: Node, kind: dtype | None) -> Node:
    return _product(reshape(x, shape=(x.type.count,)), 0, False, kind)


@labelled("ProdBackward1")
def _prod(x: Node, dim: int, keepdim: bool, kind: dtype | None) -> Node:
    return _product(x, one_axis(dim, x.rank), keepdim, kind)


@along_dims
def prod(input: Any, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The product over ``dim``, or of everything. Integers are multiplied in int64. Source: torch.prod."""
    kind = as_dtype_argument(dtype, "prod")
    if dim is None:
        return apply(_prod_all, (input,), (kind,))
    return apply(_prod, (input,), (static_dim(dim), keepdim, kind))


# --- the largest and the smallest ---------------------------------------------------------------------------


def nonempty(name: str, x: Node, axes: Any) -> None:
    """Refuse to look for an extreme among nothing."""
    empty = [i for i in axes if x.shape[i] == 0] if x.shape else []
    if empty:
        raise errors.index(f"{name}(): Expected reduction dim {empty[0]} to have non-zero size.", input=x.type)


def _nonempty_all(name: str, x: Node) -> None:
    if not x.type.count:
        raise errors.runtime(
            f"{name} of no elements",
            input=x.type,
            hint="with dim=, an input of size 0 in other dimensions has an empty result",
        )


@labelled("MaxBackward1")
def _max_all(x: Node) -> Node:
    _nonempty_all("max", x)
    require("max", x, ORDERED)
    return folding(x, None, False, reduction.max)


@labelled("MinBackward1")
def _min_all(x: Node) -> Node:
    _nonempty_all("min", x)
    require("min", x, ORDERED)
    return folding(x, None, False, reduction.min)


def pick(x: Node, dim: int, keepdim: bool, op: Op) -> tuple[Node, Node]:
    """The results of an op that picks an element along an axis."""
    axis = one_axis(dim, x.rank)
    require(op.name.partition("_")[0], x, ORDERED)
    values, indices = op(at_least_1d(x), axis=axis)
    keepdim = keepdim and bool(x.shape)
    return dropped(values, x, (axis,), keepdim), dropped(indices, x, (axis,), keepdim)


@labelled("MaxBackward0")
def _max_at(x: Node, dim: int, keepdim: bool) -> tuple[Node, Node]:
    nonempty("max", x, (one_axis(dim, x.rank),))
    return pick(x, dim, keepdim, reduction.max_at)


@labelled("MinBackward0")
def _min_at(x: Node, dim: int, keepdim: bool) -> tuple[Node, Node]:
    nonempty("min", x, (one_axis(dim, x.rank),))
    return pick(x, dim, keepdim, reduction.min_at)


@along_dims
def max(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The largest element; with ``dim``, also where it is; with ``other``, ``maximum``. Source: torch.max."""
    if dim is None and other is None:
        return apply(_max_all, (input,))
    if other is not None or isinstance(dim, TensorBase):
        return maximum(input, dim if other is None else other)
    return Max(apply(_max_at, (input,), (static_dim(dim), keepdim)))


@along_dims
def min(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The smallest element; with ``dim``, also where it is; with ``other``, ``minimum``. Source: torch.min."""
    if dim is None and other is None:
        return apply(_min_all, (input,))
    if other is not None or isinstance(dim, TensorBase):
        return minimum(input, dim if other is None else other)
    return Min(apply(_min_at, (input,), (static_dim(dim), keepdim)))


def _extreme(x: Node, dims: Any, keepdim: bool, op: Op) -> Node:
    require(f"a{op.name}", x, ORDERED)
    nonempty(f"a{op.name}", x, reduced_axes(x, dims))
    return folding(x, dims, keepdim, op)


def _amax(x: Node, dims: Any, keepdim: bool) -> Node:
    return _extreme(x, dims, keepdim, reduction.max)


def _amin(x: Node, dims: Any, keepdim: bool) -> Node:
    return _extreme(x, dims, keepdim, reduction.min)


@along_dims
def amax(input: Any, dim: Dims = (), keepdim: bool = False) -> Any:
    """The largest element over ``dim``; equal ones share the gradient. Source: torch.amax."""
    return apply(_amax, (input,), (static_dims(dim), keepdim))


@along_dims
def amin(input: Any, dim: Dims = (), keepdim: bool = False) -> Any:
    """The smallest element over ``dim``; equal ones share the gradient. Source: torch.amin."""
    return apply(_amin, (input,), (static_dims(dim), keepdim))


def _aminmax(x: Node, dim: int | None, keepdim: bool) -> tuple[Node, Node]:
    require("aminmax", x, ORDERED)
    if dim is None:
        _nonempty_all("aminmax", x)
    else:
        nonempty("aminmax", x, (one_axis(dim, x.rank),))
    return folding(x, dim, keepdim, reduction.min), folding(x, dim, keepdim, reduction.max)


@along_dims
def aminmax(input: Any, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest and the largest element. Source: torch.aminmax."""
    return Aminmax(apply(_aminmax, (input,), (static_dims(dim), keepdim)))


def _place(x: Node, dim: int | None, keepdim: bool, op: Op) -> Node:
    require(op.name, x, dtypes.ALL[1:10])
    if dim is None:
        if not x.type.count:
            raise errors.index(
                f"{op.name} of no elements",
                input=x.type,
                hint="with dim=, an input of size 0 in other dimensions has an empty result",
            )
        found = op(reshape(x, shape=(x.type.count,)), axis=0)
        return reshape(found, shape=(1,) * x.rank if keepdim else ())
    axis = one_axis(dim, x.rank)
    nonempty(op.name, x, (axis,))
    return dropped(op(at_least_1d(x), axis=axis), x, (axis,), keepdim and bool(x.shape))


def _argmax(x: Node, dim: int | None, keepdim: bool) -> Node:
    return _place(x, dim, keepdim, reduction.argmax)


def _argmin(x: Node, dim: int | None, keepdim: bool) -> Node:
    return _place(x, dim, keepdim, reduction.argmin)


@along_dims
def argmax(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Where the largest element is, the first of equal ones. Source: torch.argmax."""
    return apply(_argmax, (input,), (static_dims(dim), keepdim))


@along_dims
def argmin(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Where the smallest element is, the first of equal ones. Source: torch.argmin."""
    return apply(_argmin, (input,), (static_dims(dim), keepdim))


# --- truth -----------------------------------------------------------------------------------------------


def _truth_of(x: Node, dims: Any, keepdim: bool, op: Op) -> Node:
    out = truth(x)
    out = elementwise.copy(out) if dims == () else folding(out, dims, keepdim, op)
    return convert(out, uint8) if x.dtype is uint8 else out


def _any(x: Node, dims: Any, keepdim: bool) -> Node:
    return _truth_of(x, dims, keepdim, reduction.any)


def _all(x: Node, dims: Any, keepdim: bool) -> Node:
    return _truth_of(x, dims, keepdim, reduction.all)


@along_dims
def any(input: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """Whether an element is not zero. Source: torch.any."""
    return apply(_any, (input,), (static_dims(dim), keepdim))


@along_dims
def all(input: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """Whether no element is zero. Source: torch.all."""
    return apply(_all, (input,), (static_dims(dim), keepdim))


def _count_nonzero(x: Node, dims: Any) -> Node:
    return folding(elementwise.cast(truth(x), dtype=int64), dims, False, reduction.sum)


@along_dims
def count_nonzero(input: Any, dim: Dims = None) -> Any:
    """The number of elements that are not zero. Source: torch.count_nonzero."""
    return apply(_count_nonzero, (input,), (static_dims(dim),))


# --- exponentials ------------------------------------------------------------------------------------------


def _logsumexp(x: Node, dims: Any, keepdim: bool) -> Node:
    return folding(floats(x), dims, keepdim, reduction.logsumexp)


@along_dims
def logsumexp(input: Any, dim: Dims, keepdim: bool = False) -> Any:
    """log of the sum of exp(input), without overflow. Source: torch.logsumexp."""
    return apply(_logsumexp, (input,), (static_dims(dim), keepdim))


def _rows(x: Node, dim: int, kind: dtype | None, op: Op) -> Node:
    if kind is not None:
        x = convert(x, kind)
    require(op.name, x, FLOATING, "pass dtype=torch.float32")
    axis = one_axis(dim, x.rank)
    return reshape(op(at_least_1d(x), axis=axis), shape=x.shape)


def _softmax(x: Node, dim: int, kind: dtype | None) -> Node:
    return _rows(x, dim, kind, softmax_ops.softmax)


def _log_softmax(x: Node, dim: int, kind: dtype | None) -> Node:
    return _rows(x, dim, kind, softmax_ops.log_softmax)


def _softmin(x: Node, dim: int, kind: dtype | None) -> Node:
    x = x if kind is None else convert(x, kind)
    if x.dtype is dtypes.bool_:
        raise errors.runtime("softmin: bools have no negative", input=x.type, hint="pass dtype=torch.float32")
    return _rows(elementwise.neg(x), dim, None, softmax_ops.softmax)


_softmin.label = "SoftmaxBackward0"  # pyright: ignore[reportFunctionMemberAccess]


@along_dims
def softmax(input: Any, dim: int, dtype: Any = None) -> Any:
    """exp(input) / sum(exp(input)) along ``dim``. Source: torch.softmax."""
    return apply(_softmax, (input,), (static_dim(dim), as_dtype_argument(dtype, "softmax")))


@along_dims
def log_softmax(input: Any, dim: int, dtype: Any = None) -> Any:
    """log of the softmax along ``dim``, accurate where that is nearly 0 or 1. Source: torch.log_softmax."""
    return apply(_log_softmax, (input,), (static_dim(dim), as_dtype_argument(dtype, "log_softmax")))


@along_dims
def softmin(input: Any, dim: int, dtype: Any = None) -> Any:
    """The softmax of ``-input``. Source: torch.nn.functional.softmin."""
    return apply(_softmin, (input,), (static_dim(dim), as_dtype_argument(dtype, "softmin")))


METHODS = {
    "all": all, "amax": amax, "amin": amin, "aminmax": aminmax, "any": any, "argmax": argmax, "argmin": argmin,
    "count_nonzero": count_nonzero, "log_softmax": log_softmax, "logsumexp": logsumexp, "max": max, "mean": mean,
    "min": min, "nanmean": nanmean, "nansum": nansum, "prod": prod, "softmax": softmax, "sum": sum,
    "sum_to_size": sum_to_size,
}  # fmt: skip
IN_PLACE = ()

"""Spread and dependence: variances, covariances, quantiles."""

from __future__ import annotations

import warnings
from typing import Any

from zerograd import dtypes, errors
from zerograd.ir.graph import Node
from zerograd.ops import contraction, elementwise, indexing, reduction, rounding, sorting, transcendental
from zerograd.ops.elementwise import convert
from zerograd.ops.movement import expand, permute, reshape
from zerograd.ops.source import filled, zeros_like
from zerograd.shapes import axis as one_axis
from zerograd.shapes import count
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply, labelled, promote
from zerograd.tensor.functions.dimensions import (
    along_dims,
    at_least_1d,
    dropped,
    reduced_axes,
    static_dims,
)
from zerograd.tensor.functions.reductions import averaged

# --- variance --------------------------------------------------------------------------------------------


def spread(name: str, x: Node, dims: Any, correction: float, keepdim: bool) -> tuple[Node, Node]:
    """Variance and mean over ``dims``; of half precision computed in float32."""
    if not x.dtype.is_inexact:
        raise errors.runtime(f"{name} only supports floating point and complex dtypes, got {x.dtype.name}")
    axes = reduced_axes(x, dims)
    if count([x.shape[i] for i in axes]) - correction <= 0:
        warnings.warn(
            f"{name} divides by elements - correction, but {count([x.shape[i] for i in axes])} - {correction} is not"
            " positive: the result is nan or infinite",
            UserWarning,
            stacklevel=6,
        )
    return dropped(reduction.var(x, axes=axes, correction=correction), x, axes, keepdim), averaged(
        x, dims, keepdim, None
    )


@labelled("VarBackward0")
def _var(x: Node, dims: Any, correction: float, keepdim: bool) -> Node:
    return spread("var", x, dims, correction, keepdim)[0]


@labelled("StdBackward0")
def _std(x: Node, dims: Any, correction: float, keepdim: bool) -> Node:
    return transcendental.root(spread("std", x, dims, correction, keepdim)[0])


@labelled("VarMeanBackward0")
def _var_mean(x: Node, dims: Any, correction: float, keepdim: bool) -> tuple[Node, Node]:
    return spread("var_mean", x, dims, correction, keepdim)


@labelled("StdMeanBackward0")
def _std_mean(x: Node, dims: Any, correction: float, keepdim: bool) -> tuple[Node, Node]:
    variance, mean = spread("std_mean", x, dims, correction, keepdim)
    return transcendental.root(variance), mean


def _corrected(body: Any, input: Any, dim: Any, unbiased: bool | None, keepdim: bool, correction: float | None) -> Any:
    """The call with its forms of arguments brought to one."""
    if isinstance(dim, bool):  # std(input, unbiased)
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise errors.type_("give either unbiased or correction, not both", unbiased=unbiased, correction=correction)
    if correction is None:
        correction = 0 if unbiased is False else 1
    return apply(body, (input,), (static_dims(dim), float(correction), keepdim))


@along_dims
def var(
    input: Any,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Any:
    """The mean squared deviation from the mean, over N - ``correction`` (default 1). Source: torch.var."""
    return _corrected(_var, input, dim, unbiased, keepdim, correction)


@along_dims
def std(
    input: Any,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Any:
    """The square root of the variance. Source: torch.std."""
    return _corrected(_std, input, dim, unbiased, keepdim, correction)


@along_dims
def var_mean(
    input: Any,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Any:
    """Variance and mean. Source: torch.var_mean."""
    return _corrected(_var_mean, input, dim, unbiased, keepdim, correction)


@along_dims
def std_mean(
    input: Any,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Any:
    """Standard deviation and mean. Source: torch.std_mean."""
    return _corrected(_std_mean, input, dim, unbiased, keepdim, correction)


# --- covariance ------------------------------------------------------------------------------------------


def _weights(x: Node, name: str, w: Node | None, whole: bool) -> Node | None:
    if w is None:
        return None
    if w.rank > 1 or (w.shape and w.shape[0] != x.shape[1]):
        raise errors.runtime(f"cov(): expected {name} to be a vector of {x.shape[1]} weights", given=w.type)
    if w.dtype.is_inexact == whole:
        raise errors.runtime(
            f"cov(): expected {name} to have {'integral' if whole else 'floating point'} dtype, got {w.dtype.name}"
        )
    return reshape(w, shape=(1, x.shape[1]))


def covariance(x: Node, frequencies: Node | None, importance: Node | None, correction: int) -> Node:
    """The matrix of covariances of the rows of ``x``, a vector being one row."""
    if x.rank > 2:
        raise errors.runtime("cov needs a matrix, a row for each variable, or a vector", input=x.type)
    if x.dtype is dtypes.bool_:
        raise errors.runtime("cov: bools have no covariance", input=x.type, hint="input.float()")
    x = x if x.dtype.is_inexact else convert(x, dtypes.get_default_dtype())
    x = x if x.rank == 2 else reshape(x, shape=(1, x.type.count))
    f, a = _weights(x, "fweights", frequencies, True), _weights(x, "aweights", importance, False)
    w = f if a is None else a if f is None else elementwise.mul(*promote(f, a))
    freedom, total = _freedom(x, w, a, correction)
    if w is not None:
        x, w = promote(x, w)
    mean = elementwise.div(
        reduction.sum(_weighted(x, w), axes=(1,)), expand(convert(total, x.dtype), shape=(x.shape[0], 1))
    )
    x = elementwise.sub(x, expand(mean, shape=x.shape))
    products = contraction.matmul(_weighted(x, w), elementwise.conj(contraction.turn(x)))
    return elementwise.div(products, expand(convert(freedom, x.dtype), shape=products.shape))


def _weighted(x: Node, w: Node | None) -> Node:
    return x if w is None else elementwise.mul(x, expand(w, shape=x.shape))


def _freedom(x: Node, w: Node | None, importance: Node | None, correction: int) -> tuple[Node, Node]:
    """What sums of products are divided by, and the sum of the weights; in the weights' own precision."""
    real = x.type.with_dtype(x.dtype.to_real()).with_shape((1, 1))
    total = filled(x.shape[1], real) if w is None else reduction.sum(w, axes=(1,))
    lost = filled(correction, total.type)
    if w is not None and importance is not None:
        squares = elementwise.mul(*promote(w, importance))
        lost = elementwise.div(elementwise.mul(lost, reduction.sum(squares, axes=(1,))), total)
    return elementwise.clamp_min(elementwise.sub(total, lost), zeros_like(total)), total


def _unless_single(c: Node) -> Node:
    return reshape(c, shape=() if c.shape == (1, 1) else c.shape)


@labelled("SqueezeBackward0")
def _cov(x: Node, frequencies: Node | None, importance: Node | None, correction: int) -> Node:
    return _unless_single(covariance(x, frequencies, importance, correction))


def cov(input: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    """The covariances of the rows, each a variable observed in the columns. Source: torch.cov."""
    return apply(_cov, (input, fweights, aweights), (correction,))


def _corrcoef(x: Node) -> Node:
    """The correlations of the rows. Source: torch.corrcoef."""
    c = covariance(x, None, None, 1)
    n = c.shape[0]
    own = indexing.gather(c, reduction.places(c.type.with_shape((n, 1)), 0), axis=1)
    deviation = elementwise.sqrt(own)
    c = elementwise.div(c, expand(deviation, shape=c.shape))
    c = elementwise.div(c, expand(permute(deviation, order=(1, 0)), shape=c.shape))
    if not c.dtype.is_complex:
        c = elementwise.clamp(c, filled(-1, c.type), filled(1, c.type))
    return _unless_single(c)


_corrcoef.label = "ClampBackward1"  # pyright: ignore[reportFunctionMemberAccess]


def corrcoef(input: Any) -> Any:
    """The correlations of the rows. Source: torch.corrcoef."""
    return apply(_corrcoef, (input,))


# --- quantiles -------------------------------------------------------------------------------------------

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _ranks(rows: Node, q: Node, ignore_nan: bool) -> Node:
    """Where each quantile lies in each sorted row; NaNs, if they count, are the quantile."""
    n, shape = rows.shape[1], (rows.shape[0], q.type.count)
    q = expand(reshape(q, shape=(1, shape[1])), shape=shape)
    numbers = reduction.sum(elementwise.cast(elementwise.eq(rows, rows), dtype=rows.dtype), axes=(1,))
    if ignore_nan:
        last = elementwise.clamp_min(elementwise.plus(numbers, -1), zeros_like(numbers))
        return elementwise.mul(q, expand(last, shape=shape))
    whole = expand(elementwise.eq(numbers, filled(n, numbers.type)), shape=shape)
    return elementwise.where(whole, elementwise.times(q, n - 1), filled(n - 1, q.type))


@labelled("SqueezeBackward4")
def _quantile(x: Node, q: Node, dim: int | None, keepdim: bool, interpolation: str, ignore_nan: bool) -> Node:
    if x.dtype not in (dtypes.float32, dtypes.float64):
        raise errors.runtime("quantile needs an input of float32 or float64", input=x.type)
    if q.dtype is not x.dtype and not q.type.weak:
        raise errors.runtime("quantile needs input and q of one dtype", input=x.type, q=q.type)
    if q.rank > 1:
        raise errors.runtime("quantile: q is a number or a vector of numbers", q=q.type)
    if not x.type.count:
        raise errors.runtime("quantile of no elements", input=x.type)
    q = convert(q, x.dtype)
    wide = at_least_1d(x) if dim is not None else reshape(x, shape=(x.type.count,))
    axis = 0 if dim is None else one_axis(dim, x.rank)
    others = tuple(n for i, n in enumerate(wide.shape) if i != axis)
    order = (*(i for i in range(wide.rank) if i != axis), axis)
    rows = reshape(permute(wide, order=order), shape=(count(others), wide.shape[axis]))
    ranks = _ranks(rows, q, ignore_nan)
    ordered = sorting.sort(rows, axis=1, descending=False)[0]
    found = _between(ordered, ranks, interpolation)
    if dim is None:
        kept = (1,) * x.rank if keepdim else ()
    else:
        kept = tuple(1 if i == axis else n for i, n in enumerate(x.shape)) if keepdim else others if x.rank else ()
    return reshape(permute(found, order=(1, 0)), shape=(*q.shape, *kept))


def _between(ordered: Node, ranks: Node, interpolation: str) -> Node:
    """The elements of sorted rows at ranks that may lie between two places."""

    def at(ranks: Node) -> Node:
        return indexing.gather(ordered, elementwise.cast(ranks, dtype=dtypes.int64), axis=1)

    below, above = rounding.floor(ranks), rounding.ceil(ranks)
    match interpolation:
        case "lower":
            return at(below)
        case "higher":
            return at(above)
        case "nearest":
            return at(rounding.round(ranks))
        case "midpoint":
            return elementwise.lerp(at(below), at(above), filled(0.5, ranks.type))
    return elementwise.lerp(at(below), at(above), elementwise.sub(ranks, below))


def _any_quantile(input: Any, q: Any, dim: Any, keepdim: bool, interpolation: str, ignore_nan: bool) -> Any:
    if interpolation not in _INTERPOLATIONS:
        raise errors.runtime(f"quantile has no interpolation {interpolation!r}; it knows {', '.join(_INTERPOLATIONS)}")
    if isinstance(q, TensorBase):
        array = q._array()
        if not ((array >= 0) & (array <= 1)).all():
            wrong = array[~((array >= 0) & (array <= 1))].flat[0]
            raise errors.runtime(f"quantile: q is a share from 0 to 1, but holds {wrong}")
    elif not isinstance(q, float | int):
        raise errors.type_(f"quantile(): argument 'q' must be Tensor or float, not {type(q).__name__}")
    elif not 0 <= q <= 1:
        raise errors.runtime(f"quantile: q is a share from 0 to 1, got {q}")
    statics = (None if dim is None else static_dims(dim), keepdim, interpolation, ignore_nan)
    return apply(_quantile, (input, q), statics)


@along_dims
def quantile(
    input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Any:
    """The numbers below which the shares ``q`` of the elements lie. Source: torch.quantile."""
    return _any_quantile(input, q, dim, keepdim, interpolation, False)


@along_dims
def nanquantile(
    input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Any:
    """The quantiles of what is not NaN. Source: torch.nanquantile."""
    return _any_quantile(input, q, dim, keepdim, interpolation, True)


METHODS = {
    "corrcoef": corrcoef, "cov": cov, "nanquantile": nanquantile, "quantile": quantile, "std": std, "var": var,
}  # fmt: skip
IN_PLACE = ()

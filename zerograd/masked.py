"""Functions of the elements that a mask lets through: where it is False, an element does not count.

Source: torch.masked. Masked tensors as a type of their own are not there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from zerograd import dtypes, errors
from zerograd.dtypes import dtype as Dtype
from zerograd.tensor.functions import comparison, norms, pointwise, reductions, scans, sorting, statistics
from zerograd.tensor.functions.conversion import to
from zerograd.tensor.functions.creation import ones_like

__all__ = [
    "amax", "amin", "argmax", "argmin", "cumprod", "cumsum", "log_softmax", "logaddexp", "logsumexp", "mean", "median",
    "norm", "normalize", "prod", "softmax", "softmin", "std", "sum", "var",
]  # fmt: skip

Dims = int | tuple[int, ...] | None


def _prepared(input: Any, dtype: Dtype | None, mask: Any, fill: float) -> Any:
    """The input in its dtype, with ``fill`` in the place of what does not count."""
    kept = input if dtype is None else to(input, dtype)
    return kept if mask is None else comparison.where(mask, kept, fill)


def _lowest(kind: Dtype) -> Any:
    """What loses against every number of the dtype."""
    if kind.is_inexact:
        return -math.inf
    return False if kind is dtypes.bool_ else _limits(kind)[0]


def _highest(kind: Dtype) -> Any:
    if kind.is_inexact:
        return math.inf
    return True if kind is dtypes.bool_ else _limits(kind)[1]


def _limits(kind: Dtype) -> tuple[int, int]:
    bits = 8 * kind.itemsize
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if kind.is_signed else (0, (1 << bits) - 1)


def _whole_in_int64(input: Any, dtype: Dtype | None) -> Dtype | None:
    return dtypes.int64 if dtype is None and not input.dtype.is_inexact else dtype


def _over(dim: Dims) -> Dims:
    return None if dim == () else dim


# --- reductions ------------------------------------------------------------------------------------------


def sum(input: Any, dim: Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Any:
    """The sum of what counts. Source: torch.masked.sum."""
    kept = _prepared(input, _whole_in_int64(input, dtype), mask, 0)
    return reductions.sum(kept, _over(dim), keepdim, dtype=dtype)


def prod(input: Any, dim: Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Any:
    """The product of what counts. Source: torch.masked.prod."""
    kept = _prepared(input, _whole_in_int64(input, dtype), mask, 1)
    rank = len(kept.shape)
    dims = range(rank) if dim is None or dim == () else (dim,) if isinstance(dim, int) else dim
    for one in sorted([axis % max(rank, 1) for axis in dims], reverse=True):
        kept = reductions.prod(kept, one, keepdim)
    return kept


def amax(input: Any, dim: Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Any:
    """The largest element that counts. Source: torch.masked.amax."""
    kept = _prepared(input, dtype, mask, _lowest(dtype or input.dtype))
    return reductions.amax(kept, () if dim is None else dim, keepdim)


def amin(input: Any, dim: Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Any:
    """The smallest element that counts. Source: torch.masked.amin."""
    kept = _prepared(input, dtype, mask, _highest(dtype or input.dtype))
    return reductions.amin(kept, () if dim is None else dim, keepdim)


def argmax(input: Any, dim: int | None = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Any:
    """Where the largest element that counts is, in the dtype of the elements. Source: torch.masked.argmax."""
    kept = _prepared(input, dtype, mask, _lowest(dtype or input.dtype))
    return to(reductions.argmax(kept, dim, keepdim), dtype or input.dtype)


def argmin(input: Any, dim: int | None = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Any:
    """Where the smallest element that counts is, in the dtype of the elements. Source: torch.masked.argmin."""
    kept = _prepared(input, dtype, mask, _highest(dtype or input.dtype))
    return to(reductions.argmin(kept, dim, keepdim), dtype or input.dtype)


def _floats_only(name: str, input: Any, dtype: Dtype | None) -> None:
    kind = dtype or input.dtype
    if not kind.is_inexact:
        raise errors.value(f"{name}() needs floating-point or complex elements, not {kind.name}", input=input._type)


def _counted(input: Any, dim: Dims, keepdim: bool, kind: Dtype, mask: Any) -> Any:
    """How many elements count."""
    ones = ones_like(input, dtype=kind)
    return reductions.sum(ones if mask is None else comparison.where(mask, ones, 0.0), _over(dim), keepdim)


def mean(input: Any, dim: Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Any:
    """The mean of what counts. Source: torch.masked.mean.

    Raises:
        ValueError: the elements are whole numbers.
    """
    _floats_only("mean", input, dtype)
    total = sum(input, dim, keepdim=keepdim, dtype=dtype, mask=mask)
    return total / _counted(input, dim, keepdim, total.dtype, mask)


def median(input: Any, dim: int = -1, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Any:
    """The lower middle of what counts. Source: torch.masked.median.

    Raises:
        ValueError: the elements are whole numbers.
    """
    _floats_only("median", input, dtype)
    return sorting.nanmedian(_prepared(input, dtype, mask, math.nan), dim, keepdim)[0]


def norm(
    input: Any, ord: float | None = 2.0, dim: Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Any:
    """The norm of what counts. Source: torch.masked.norm."""
    order = 2.0 if ord is None else ord
    kept = _prepared(input, dtype, mask, math.inf if order == -math.inf else 0.0)
    return norms.vector_norm(kept, order, _over(dim), keepdim)


def logsumexp(input: Any, dim: Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Any:
    """log of the sum of exp of what counts. Source: torch.masked.logsumexp."""
    return reductions.logsumexp(_prepared(input, dtype, mask, -math.inf), _over(dim), keepdim)


def var(
    input: Any, dim: Dims = None, unbiased: bool | None = None, *, correction: float | None = None,
    keepdim: bool = False, dtype: Any = None, mask: Any = None,
) -> Any:  # fmt: skip
    """The variance of what counts. Source: torch.masked.var."""
    lost = correction if correction is not None else 0 if unbiased is False else 1
    kind = dtype or (input.dtype if input.dtype.is_inexact else dtypes.get_default_dtype())
    if mask is None:
        return statistics.var(to(input, kind), _over(dim), correction=lost, keepdim=keepdim)
    kept = to(input, kind)
    deviation = comparison.where(mask, kept - mean(kept, dim, keepdim=True, mask=mask), 0.0)
    squares = deviation * deviation.conj() if kind.is_complex else deviation * deviation
    total = reductions.sum(squares.real, _over(dim), keepdim)
    freedom = _counted(input, dim, keepdim, total.dtype, mask) - lost
    return total / pointwise.clamp_min(freedom, 0.0)


def std(
    input: Any, dim: Dims = None, unbiased: bool | None = None, *, correction: int | None = None,
    keepdim: bool = False, dtype: Any = None, mask: Any = None,
) -> Any:  # fmt: skip
    """The standard deviation of what counts. Source: torch.masked.std."""
    return pointwise.sqrt(var(input, dim, unbiased, correction=correction, keepdim=keepdim, dtype=dtype, mask=mask))


# --- functions that keep the shape -----------------------------------------------------------------------


def _along(function: Callable[..., Any], fill: float, doc: str) -> Callable[..., Any]:
    def public(input: Any, dim: int, *, dtype: Any = None, mask: Any = None) -> Any:
        return function(_prepared(input, dtype, mask, fill), dim)

    public.__name__ = public.__qualname__ = function.__name__
    public.__doc__ = f"{doc} Source: torch.masked.{function.__name__}."
    return public


softmax = _along(reductions.softmax, -math.inf, "The softmax of what counts; the rest gets 0.")
log_softmax = _along(reductions.log_softmax, -math.inf, "The logarithm of the softmax of what counts.")
softmin = _along(reductions.softmin, math.inf, "The softmax of -input over what counts; the rest gets 0.")
cumsum = _along(scans.cumsum, 0, "The running sum of what counts.")
cumprod = _along(scans.cumprod, 1, "The running product of what counts.")


def normalize(input: Any, ord: float, dim: int, *, eps: float = 1e-12, dtype: Any = None, mask: Any = None) -> Any:
    """What counts divided by its norm, or by ``eps`` if that is larger. Source: torch.masked.normalize."""
    size = pointwise.clamp_min(norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask), eps)
    return _prepared(input, dtype, mask, 0.0) / size


def logaddexp(input: Any, other: Any, *, dtype: Any = None, input_mask: Any = None, other_mask: Any = None) -> Any:
    """log(exp(input) + exp(other)) of what counts in each. Source: torch.masked.logaddexp."""
    return pointwise.logaddexp(
        _prepared(input, dtype, input_mask, -math.inf), _prepared(other, dtype, other_mask, -math.inf)
    )

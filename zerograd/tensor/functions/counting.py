"""Distinct elements and how often they come. The sizes of most results depend on values, so these read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.dtypes import float32, float64, int64
from zerograd.ir.graph import Array, Node, TensorType
from zerograd.ops import sorting as ops
from zerograd.shapes import axis as one_axis
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import accepts_out, apply
from zerograd.tensor.functions.arguments import as_tensor_argument
from zerograd.tensor.functions.named_results import named_result
from zerograd.tensor.functions.refusals import FLOATING, INTEGRAL, require, unsupported

Histogram, Histogramdd = (
    named_result("histogram", "hist bin_edges"),
    named_result("histogramdd", "hist bin_edges"),
)


def _made(array: Array, kind: dtypes.dtype) -> Any:
    array = np.asarray(array, kind.numpy, order="C")  # np.ascontiguousarray would add a dimension where there is none
    return TensorBase.of_array(array, TensorType(array.shape, kind))


def _values(input: TensorBase) -> Array:
    """The elements in a type that NumPy orders."""
    if input.dtype.is_complex:
        raise unsupported("unique", input.dtype)
    array = input._array()
    return array.astype(np.float32) if input.dtype.itemsize == 2 and input.dtype.is_inexact else array


# --- distinct elements -----------------------------------------------------------------------------------


def _slices_along(name: str, input: TensorBase, dim: int) -> int:
    axis, shape = one_axis(dim, len(input._shape)), input._shape
    if not shape:
        raise errors.index(f"{name}: dimension {dim} of a tensor that has no dimensions")
    if shape[axis] and 0 in shape:
        raise errors.runtime(
            f"{name}: the slices along dimension {dim} are empty, so none is like another", input=input._type
        )
    return axis


def unique(
    input: Any,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The distinct elements (or slices along ``dim``) in ascending order. Source: torch.unique.

    Args:
        return_inverse: also return where each element of the input is in the result.
        return_counts: also return how often each comes.
    """
    as_tensor_argument("unique", "input", input)
    axis = None if dim is None else _slices_along("unique", input, dim)
    found = np.unique(
        _values(input), return_inverse=return_inverse, return_counts=return_counts, axis=axis, equal_nan=False
    )
    if not isinstance(found, tuple):
        return _made(found, input.dtype)
    distinct, *others = found
    if return_inverse:
        others[0] = others[0].reshape(input._shape if axis is None else input._shape[axis])
    return (_made(distinct, input.dtype), *[_made(one, int64) for one in others])


def unique_consecutive(
    input: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The elements (or slices along ``dim``) that differ from the one before. Source: torch.unique_consecutive."""
    as_tensor_argument("unique_consecutive", "input", input)
    array = _values(input)
    axis = 0 if dim is None else _slices_along("unique_consecutive", input, dim)
    if dim is None:
        array = array.reshape(-1)
    rows = np.moveaxis(array, axis, 0).reshape(array.shape[axis], array.size // max(array.shape[axis], 1))
    new = np.ones(len(rows), np.bool_)
    new[1:] = np.any(rows[1:] != rows[:-1], axis=1)
    starts = np.flatnonzero(new)
    parts = [_made(np.take(array, starts, axis), input.dtype)]
    if return_inverse:
        inverse = np.cumsum(new) - 1
        parts.append(_made(inverse.reshape(input._shape) if dim is None else inverse, int64))
    if return_counts:
        parts.append(_made(np.diff(starts, append=len(rows)), int64))
    return parts[0] if len(parts) == 1 else tuple(parts)


# --- counts ----------------------------------------------------------------------------------------------


def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Any:
    """How often each of 0, 1, 2, ... comes, or the sum of its weights. Source: torch.bincount.

    Raises:
        RuntimeError: not a vector of integers that are not negative, or weights of another shape.
    """
    if input.dtype not in INTEGRAL or input.dtype is dtypes.bool_:
        raise unsupported("bincount", input.dtype)
    array = input._array()
    if minlength < 0:
        raise errors.runtime(f"bincount: minlength should be >= 0, got {minlength}")
    if array.ndim != 1 or (array.size and array.min() < 0):
        raise errors.runtime("bincount counts the numbers 0, 1, 2, ... in a vector", input=input._type)
    if weights is None:
        return _made(np.bincount(array, minlength=minlength), int64)
    if weights._shape != input._shape:
        raise errors.runtime("bincount needs a weight for each element of the input", weights=weights._type)
    kind = float32 if weights.dtype is float32 else float64
    return _made(np.bincount(array, weights._array().astype(np.float64), minlength), kind)


def _histc(x: Node, bins: int, low: float, high: float) -> Node:
    require("histc", x, FLOATING)
    return ops.histogram(x, bins=bins, low=low, high=high)


@accepts_out
def histc(input: Any, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """How many elements fall into equally wide bins between ``min`` and ``max``. Source: torch.histc.

    Elements outside are not counted; min == max means the smallest and the largest element.
    """
    if bins <= 0:
        raise errors.runtime(f"histc: bins must be > 0, got {bins}")
    if min > max:
        raise errors.runtime(f"histc: the range from min to max is upside down, {min} to {max}")
    return apply(_histc, (input,), (bins, float(min), float(max)))


def _edges(name: str, array: Array, bins: Any, range: Any) -> Array:
    """The bounds of the bins: given, or equally spaced over a range or between the extremes."""
    if isinstance(bins, TensorBase):
        return bins._array()
    if bins <= 0:
        raise errors.runtime(f"{name}(): bins must be > 0, got {bins}")
    low, high = range or ((array.min(), array.max()) if array.size else (0.0, 1.0))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise errors.runtime(f"{name}(): range [{low}, {high}] is not finite")
    if low > high:
        raise errors.runtime(f"{name}(): min should not exceed max, got {low} and {high}")
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, bins + 1, dtype=array.dtype)


def _bins_of(column: Array, edges: Array) -> Array:
    """The bin that holds each number; -1 outside. The last bin includes its upper bound."""
    if np.all(edges[1:] >= edges[:-1]):
        found = np.searchsorted(edges, column, "right") - 1
    else:  # what a binary search happens to find, one number at a time
        found = np.array([np.searchsorted(edges, one, "right") - 1 for one in column], np.int64)
    found = np.minimum(found, len(edges) - 2)
    return np.where((column >= edges[0]) & (column <= edges[-1]), found, -1)


def _counts(points: Array, edges: list[Array], weight: Any, density: bool) -> Array:
    """The (weighted) number of points in each box, or a density whose integral is 1."""
    counts = np.zeros([len(one) - 1 for one in edges], np.float64)
    places = [_bins_of(column, one) for column, one in zip(points.T, edges, strict=True)]
    inside = np.all([place >= 0 for place in places], axis=0)
    weights = np.ones(len(points)) if weight is None else weight._array().reshape(-1)
    np.add.at(counts, tuple(place[inside] for place in places), weights[inside])
    if density:
        with np.errstate(invalid="ignore", divide="ignore"):
            counts /= counts.sum()
            for width in np.meshgrid(*[np.diff(one) for one in edges], indexing="ij"):
                counts /= width
    return counts


def _float_only(name: str, input: TensorBase) -> Array:
    if input.dtype not in (float32, float64):
        raise unsupported(name, input.dtype)
    return input.detach()._array()


def histogram(
    input: Any, bins: Any, *, range: Sequence[float] | None = None, weight: Any = None, density: bool = False,
    out: Any = None,
) -> Any:  # fmt: skip
    """Counts (or weights, or a density) in bins, and the bins' bounds. Source: torch.histogram."""
    array = _float_only("histogram", input).reshape(-1)
    edges = _edges("histogram", array, bins, range)
    counts = _counts(array[:, None], [edges], weight, density)
    made = (_made(counts, input.dtype), _made(edges, input.dtype))
    if out is not None:
        made = tuple(target.resize_(one._shape).copy_(one) for target, one in zip(out, made, strict=True))
    return Histogram(made)


def histogramdd(
    input: Any, bins: Any, *, range: Sequence[float] | None = None, weight: Any = None, density: bool = False
) -> Any:
    """Counts of points, the rows of ``input``, in boxes, and the boxes' bounds. Source: torch.histogramdd."""
    points = _float_only("histogramdd", input)
    points = points.reshape(points.size // max(points.shape[-1], 1), points.shape[-1])
    several = [bins] * points.shape[1] if isinstance(bins, int) else list(bins)
    ranges = [None] * len(several) if range is None else list(zip(range[::2], range[1::2], strict=True))
    edges = [_edges("histogramdd", *one) for one in zip(points.T, several, ranges, strict=True)]
    counts = _counts(points, edges, weight, density)
    return Histogramdd((_made(counts, input.dtype), tuple(_made(one, input.dtype) for one in edges)))


METHODS = {
    "bincount": bincount, "histc": histc, "histogram": histogram, "unique": unique,
    "unique_consecutive": unique_consecutive,
}  # fmt: skip
IN_PLACE = ()

"""Ops that order elements along an axis, and ops that look elements up in ordered ones.

NaN counts as the largest number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ops.elementwise import eq, is_half
from zerograd.ops.indexing import scatter
from zerograd.ops.movement import expand, zeros_of
from zerograd.ops.reduction import folded, max, picking, shared_among


def _wide(x: Array) -> Array:
    return x.astype(np.float32) if is_half(x) else x


def _order(x: Array, axis: int, descending: bool) -> Array:
    """Places in ascending or descending order; equal elements stay in theirs."""
    x = _wide(x)
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    turned = np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis)
    return x.shape[axis] - 1 - turned


def _infer_sort(x: TensorType, *, axis: int, descending: bool) -> tuple[TensorType, TensorType]:
    return x, x.with_dtype(dtypes.int64)


def _reference_sort(x: Array, *, axis: int, descending: bool) -> tuple[Array, Array]:
    order = _order(x, axis, descending)
    return np.take_along_axis(x, order, axis), order


def _sort_gradient(
    grad: tuple[Node | None, ...], outs: tuple[Node, Node], x_type: TensorType, axis: int
) -> Node | None:
    return grad[0] and scatter(zeros_of(x_type), outs[1], grad[0], axis=axis)


sort = Op("sort", _infer_sort, _reference_sort, _sort_gradient)
"""The elements in order, stably, and where they were."""


# --- single elements of the order --------------------------------------------------------------------


def _infer_place(x: TensorType, *, axis: int) -> TensorType:
    return folded(x, (axis,)).with_dtype(dtypes.int64)


def _kth(name: str, place: Callable[[Array, int], Array]) -> Op:
    """An op that finds the index of an element of the ascending order.

    Args:
        place: from an array and an axis to the place in that order, with the axis of size 1.
    """

    def reference(x: Array, *, axis: int) -> Array:
        return np.take_along_axis(_order(x, axis, False), place(_wide(x), axis), axis)

    return Op(name, _infer_place, reference)


def _count_of_numbers(x: Array, axis: int) -> Array:
    return np.sum(x == x, axis=axis, keepdims=True)


def _middle(x: Array, axis: int) -> Array:
    """The lower middle; where there is a NaN, the first NaN."""
    numbers, n = _count_of_numbers(x, axis), x.shape[axis]
    return np.where(numbers < n, numbers, (n - 1) // 2)


def _middle_of_numbers(x: Array, axis: int) -> Array:
    return np.maximum(_count_of_numbers(x, axis) - 1, 0) // 2


median_at = picking("median_at", _kth("median_place", _middle))
nanmedian_at = picking("nanmedian_at", _kth("nanmedian_place", _middle_of_numbers))


def _middle_value(picker: Op) -> Any:
    def reference(x: Array, *, axes: tuple[int, ...]) -> Array:
        return picker.reference(x, axis=0)[0]

    return reference


median = Op("median", lambda x, *, axes: folded(x, axes), _middle_value(median_at), max.gradient)
"""The lower middle of a vector, whose gradient equal elements share."""

nanmedian = Op(
    "nanmedian",
    lambda x, *, axes: folded(x, axes),
    _middle_value(nanmedian_at),
    lambda grad, x, out, axes: shared_among(eq(x, expand(out, shape=x.shape)), grad, x, axes),
)


def _reference_mode(x: Array, *, axis: int) -> Array:
    """The smallest of the most frequent elements; its last place."""
    rows = np.moveaxis(_wide(x), axis, -1)
    found = np.empty(rows.shape[:-1], np.int64)
    for place in np.ndindex(found.shape):
        values, counts = np.unique(rows[place], return_counts=True, equal_nan=False)
        most = values[np.argmax(counts)]
        found[place] = np.flatnonzero(rows[place] == most)[-1] if most == most else 0
    return np.expand_dims(found, axis)


mode_at = picking("mode_at", Op("mode_place", _infer_place, _reference_mode))

# --- looking up ----------------------------------------------------------------------------------------


def _infer_searchsorted(line: TensorType, values: TensorType, *, right: bool) -> TensorType:
    if line.rank > 1 and line.shape[:-1] != values.shape[:-1]:
        raise errors.runtime(
            "searchsorted: boundaries and values should have the same dimensions but for the last",
            boundaries=line,
            values=values,
        )
    return values.with_dtype(dtypes.int64)


def _reference_searchsorted(line: Array, values: Array, *, right: bool) -> Array:
    side = "right" if right else "left"
    line, values = _wide(line), _wide(values)
    if line.ndim == 1:
        return np.searchsorted(line, values, side).astype(np.int64)
    out = np.empty(values.shape, np.int64)
    for row in np.ndindex(line.shape[:-1]):
        out[row] = np.searchsorted(line[row], values[row], side)
    return out


searchsorted = Op("searchsorted", _infer_searchsorted, _reference_searchsorted)
"""Where values would be put into ascending rows: before equal elements, or after them for ``right``."""

isin = Op(
    "isin",
    lambda x, members, *, invert: x.with_dtype(dtypes.bool_),
    lambda x, members, *, invert: np.isin(_wide(x), _wide(members), invert=invert),
)
"""Whether each element is one of the members."""


def _infer_histogram(x: TensorType, *, bins: int, low: float, high: float) -> TensorType:
    return x.with_shape((bins,))


def _reference_histogram(x: Array, *, bins: int, low: float, high: float) -> Array:
    kind, x = x.dtype, _wide(x)
    if low == high and x.size:
        low, high = float(np.min(x)), float(np.max(x))
    if low == high:
        low, high = low - 1, high + 1
    return np.histogram(x, bins, (low, high))[0].astype(kind)


histogram = Op("histogram", _infer_histogram, _reference_histogram)
"""The number of elements in each of equally wide bins; between the extremes if ``low == high``."""

"""Ops that read and write at places given by index tensors (int64; negative ones count from the end).

``index`` takes whole slices of the first axis, ``gather`` follows one axis with a place for every element. Several
index tensors become one by ``wrap`` and arithmetic, other axes come first by a permutation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ops.elementwise import cast, conj, div, eq, mul, where
from zerograd.ops.movement import inverse, permute, zeros_of
from zerograd.ops.source import ones_like, zeros_like


def _int64(name: str, places: TensorType) -> None:
    if places.dtype is not dtypes.int64:
        raise errors.runtime(f"{name} needs int64 places", places=places)


def _infer_wrap(places: TensorType, *, size: int) -> TensorType:
    _int64("wrap", places)
    return places


def _reference_wrap(places: Array, *, size: int) -> Array:
    if places.size and (np.min(places) < -size or np.max(places) >= size):
        wrong = places[(places < -size) | (places >= size)].flat[0]
        raise errors.index(f"there is no index {wrong} among {size} elements")
    return np.where(places < 0, places + size, places)


wrap = Op("wrap", _infer_wrap, _reference_wrap, elementwise=True)
"""Places in an axis of the given size, with negative ones counted from the end."""


def _infer_index(x: TensorType, places: TensorType) -> TensorType:
    _int64("index", places)
    return x.with_shape((*places.shape, *x.shape[1:]))


index = Op(
    "index",
    _infer_index,
    lambda x, places: x[places],
    (lambda grad, x_type, places: index_write(zeros_of(x_type), grad, places, accumulate=True), None),
)
"""x[places]: slices of the first axis."""


def _infer_index_write(x: TensorType, values: TensorType, places: TensorType, *, accumulate: bool) -> TensorType:
    _int64("index_write", places)
    wanted = (*places.shape, *x.shape[1:])
    if values.shape != wanted or values.dtype is not x.dtype:
        raise errors.runtime("index_write: the values do not fit the places", x=x, values=values, places=list(wanted))
    return x


def _reference_index_write(x: Array, values: Array, places: Array, *, accumulate: bool) -> Array:
    result = np.array(x)
    if not accumulate:
        result[places] = values
    elif x.dtype.itemsize == 2 and x.dtype.kind in "fV":  # half precision is added in float32, as elsewhere
        wide = result.astype(np.float32)
        _add_rows(wide, places, values.astype(np.float32))
        result = wide.astype(x.dtype)
    elif x.dtype.kind == "f":
        _add_rows(result, places, values)
    else:
        np.add.at(result, places, values)
    return result


def _add_rows(result: Array, places: Array, rows: Array) -> None:
    """Adds rows, those of one place in their order; for real rows many at a time, which is faster than one by one."""
    if result.ndim == 1 or not rows.size:
        np.add.at(result, places, rows)
        return
    places, rows = places.reshape(-1), rows.reshape(-1, *rows.shape[places.ndim :])
    places = _reference_wrap(places, size=len(result))
    order = np.argsort(places, kind="stable")
    found = places[order]
    starts = np.flatnonzero(np.concatenate(([True], found[1:] != found[:-1])))
    result[found[starts]] += np.add.reduceat(rows[order], starts, axis=0)


index_write = Op(
    "index_write",
    _infer_index_write,
    _reference_index_write,
    (
        lambda grad, values_type, places, accumulate: (
            grad if accumulate else index_write(grad, zeros_of(values_type), places, accumulate=False)
        ),
        lambda grad, places: index(grad, places),
        None,
    ),
)
"""``x`` with values put at, or added to, the given places of the first axis."""


def _grid(places: Array, axis: int) -> tuple[Any, ...]:
    grid: list[Any] = list(np.ogrid[tuple(slice(n) for n in places.shape)])
    grid[axis] = places
    return tuple(grid)


def _check_gather(name: str, x: TensorType, places: TensorType, axis: int) -> None:
    if places.dtype is not dtypes.int64 or places.rank != x.rank:
        raise errors.runtime(f"{name}: the index must be int64 and have as many dimensions", x=x, index=places)
    if any(m > n for i, (m, n) in enumerate(zip(places.shape, x.shape, strict=True)) if i != axis):
        raise errors.runtime(
            f"{name}: apart from dimension {axis}, the index must not be larger than the input",
            x=x,
            index=places,
        )


def _infer_gather(x: TensorType, places: TensorType, *, axis: int) -> TensorType:
    _check_gather("gather", x, places, axis)
    return x.with_shape(places.shape)


gather = Op(
    "gather",
    _infer_gather,
    lambda x, places, *, axis: x[_grid(places, axis)],
    (lambda grad, x_type, places, axis: scatter_add(zeros_of(x_type), places, grad, axis=axis), None),
)
"""out[i, j] = x[places[i, j], j] for axis 0, and so on."""


def _infer_scatter(x: TensorType, places: TensorType, values: TensorType, *, axis: int) -> TensorType:
    _check_gather("scatter", x, places, axis)
    if values.shape != places.shape or values.dtype is not x.dtype:
        raise errors.runtime("scatter: the values must have the index's shape and x's dtype", x=x, values=values)
    return x


def _reference_scatter(x: Array, places: Array, values: Array, *, axis: int) -> Array:
    result = np.array(x)
    result[_grid(places, axis)] = values
    return result


scatter = Op(
    "scatter",
    _infer_scatter,
    _reference_scatter,
    (
        lambda grad, places, values_type, axis: scatter(grad, places, zeros_of(values_type), axis=axis),
        None,
        lambda grad, places, axis: gather(grad, places, axis=axis),
    ),
)
"""``x`` with values put at places along an axis; where places coincide, the last one stays."""


def _fold_at(function: np.ufunc, x: Array, places: Array, values: Array, axis: int) -> Array:
    if x.dtype.itemsize == 2 and x.dtype.kind in "fV":  # half precision is added in float32, as elsewhere
        return _fold_at(function, x.astype(np.float32), places, values.astype(np.float32), axis).astype(x.dtype)
    result = np.array(x)
    function.at(result, _grid(places, axis), values)
    return result


scatter_add = Op(
    "scatter_add",
    _infer_scatter,
    lambda x, places, values, *, axis: _fold_at(np.add, x, places, values, axis),
    (lambda grad: grad, None, lambda grad, places, axis: gather(grad, places, axis=axis)),
)
"""``x`` with values added at places along an axis."""


def _infer_scatter_fold(x: TensorType, places: TensorType, values: TensorType, *, axis: int, kind: str) -> TensorType:
    return _infer_scatter(x, places, values, axis=axis)


_FOLDS = {"product": np.multiply, "max": np.maximum, "min": np.minimum}


def _fold_gradient_x(grad: Node, x: Node, places: Node, values: Node, out: Node, axis: int, kind: str) -> Node:
    if kind != "product":
        return where(eq(x, out), _shared(grad, x, places, values, out, axis), zeros_like(grad))
    known = where(eq(x, zeros_like(x)), ones_like(x), x)  # out / x is the product of the others, also where x is 0
    return mul(grad, conj(div(scatter_fold(known, places, values, axis=axis, kind=kind), known)))


def _shared(grad: Node, x: Node, places: Node, values: Node, out: Node, axis: int) -> Node:
    """Extreme values share the gradient equally."""
    here = cast(eq(x, out), dtype=x.dtype)
    there = cast(eq(values, gather(out, places, axis=axis)), dtype=x.dtype)
    return div(grad, scatter_add(here, places, there, axis=axis))


def _fold_gradient_values(grad: Node, x: Node, places: Node, values: Node, out: Node, axis: int, kind: str) -> Node:
    if kind != "product":
        share = gather(_shared(grad, x, places, values, out, axis), places, axis=axis)
        return where(eq(values, gather(out, places, axis=axis)), share, zeros_like(values))
    zero = eq(values, zeros_like(values))
    zeros = scatter_add(zeros_like(x), places, cast(zero, dtype=x.dtype), axis=axis)
    single = eq(gather(zeros, places, axis=axis), ones_like(values))
    known = where(zero, ones_like(values), values)
    others = gather(scatter_fold(x, places, known, axis=axis, kind=kind), places, axis=axis)
    usual = div(gather(out, places, axis=axis), known)
    factor = where(zero, where(single, others, zeros_like(values)), usual)
    return mul(gather(grad, places, axis=axis), conj(factor))


scatter_fold = Op(
    "scatter_fold",
    _infer_scatter_fold,
    lambda x, places, values, *, axis, kind: _fold_at(_FOLDS[kind], x, places, values, axis),
    (_fold_gradient_x, None, _fold_gradient_values),
)
"""``x`` combined with values at places along an axis, by "product", "max" or "min"."""


def to_front(rank: int, axis: int) -> tuple[int, ...]:
    return (axis, *(i for i in range(rank) if i != axis))


def take_axis(x: Node, places: Node, axis: int) -> Node:
    """Slices of one axis at 1-d places."""
    if axis == 0:
        return index(x, places)
    order = to_front(x.rank, axis)
    return permute(index(permute(x, order=order), places), order=inverse(order))


def write_axis(x: Node, values: Node, places: Node, axis: int, *, accumulate: bool) -> Node:
    """``x`` with slices of one axis replaced, or added to, at 1-d places."""
    if axis == 0:
        return index_write(x, values, places, accumulate=accumulate)
    order = to_front(x.rank, axis)
    written = index_write(permute(x, order=order), permute(values, order=order), places, accumulate=accumulate)
    return permute(written, order=inverse(order))


__all__ = [
    "gather", "index", "index_write", "scatter", "scatter_add", "scatter_fold", "take_axis", "to_front", "wrap",
    "write_axis",
]  # fmt: skip

"""Windows given by tables: maxima with their places, and weighted sums along an axis.

A *table* says which positions along an axis each window reads: ``table[window][k]``, -1 where the k-th reader of a
window is outside (padding, or a window shorter than others). Tables are static, so one op serves pooling with any
stride, dilation, padding and adaptive size, and one serves every kind of interpolation.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from zerograd.dtypes import int64
from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ops.convolution import widened
from zerograd.ops.indexing import gather, scatter, scatter_add
from zerograd.ops.movement import reshape, zeros_of
from zerograd.shapes import Shape, count

Table = tuple[tuple[int, ...], ...]
Weights = tuple[tuple[float, ...], ...]


@lru_cache(maxsize=1024)
def _columns(table: Table) -> tuple[tuple[Array, slice | None, Array | None], ...]:
    """For each k: the positions, the slice that reads them if there is one, and which windows have a k-th reader."""
    result = []
    for positions in np.array(table, np.int64).reshape(len(table), len(table[0]) if table else 0).T:
        steps = np.unique(np.diff(positions))
        inside = None if positions.min() >= 0 else positions >= 0
        box = None
        if inside is None and (len(steps) == 0 or (len(steps) == 1 and steps[0] > 0)):
            step = int(steps[0]) if len(steps) else 1
            box = slice(int(positions[0]), int(positions[-1]) + 1, step)
        result.append((positions, box, inside))
    return tuple(result)


def _read(x: Array, axis: int, positions: Array, box: slice | None) -> Array:
    if box is not None:
        return x[(slice(None),) * axis + (box,)]
    return np.take(x, positions, axis)


def _along(values: Array, axis: int, rank: int) -> Array:
    """A vector laid along one axis of an array with ``rank`` dimensions."""
    return values.reshape((len(values),) + (1,) * (rank - 1 - axis))


# --- maxima ----------------------------------------------------------------------------------------------


def _infer_max_pool(x: TensorType, *, tables: tuple[Table, ...]) -> tuple[TensorType, TensorType]:
    out = x.with_shape((*x.shape[: -len(tables)], *map(len, tables)))
    return out, out.with_dtype(int64)


def _reference_max_pool(x: Array, *, tables: tuple[Table, ...]) -> tuple[Array, Array]:
    kind = x.dtype
    (x,) = widened(x)
    rank, size = x.ndim, x.shape[x.ndim - len(tables) :]
    has_nan = x.dtype.kind == "f" and x.size > 0 and bool(np.isnan(np.max(x)))
    places = np.arange(count(size)).reshape(size)
    for axis, table in reversed(list(enumerate(tables, rank - len(tables)))):
        x, places = _fold_windows(x, places, axis, table, has_nan)
    return x.astype(kind, copy=False), np.broadcast_to(places, x.shape)


def _fold_windows(x: Array, places: Array, axis: int, table: Table, has_nan: bool) -> tuple[Array, Array]:
    """The first greatest value of each window along an axis (a NaN is greater than all) and its place."""
    best = best_places = unset = None
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    places_axis = axis - (x.ndim - places.ndim)
    for positions, box, inside in _columns(table):
        value = _read(x, axis, positions, box)
        place = _read(places, places_axis, positions, box)
        if inside is not None:
            value = np.where(_along(inside, axis, x.ndim), value, np.asarray(lowest, x.dtype))
        if best is None or best_places is None:
            best, best_places = value, place
            unset = None if inside is None else ~inside
            continue
        better = value > best
        if has_nan:
            better |= np.isnan(value)
        if unset is not None:  # a window that begins outside takes its first reader whatever its value is
            found = unset if inside is None else unset & inside
            better |= _along(found, axis, x.ndim)
            unset = unset & ~found
        best = np.where(better, value, best)
        best_places = np.where(better, place, best_places)
    return best, best_places  # pyright: ignore[reportReturnType]


def _max_pool_gradient(
    grad: tuple[Node | None, None], outs: tuple[Node, Node], x_type: TensorType, tables: tuple[Table, ...]
) -> Node | None:
    lead = x_type.rank - len(tables)
    if grad[0] is None:
        return None
    return place(grad[0], outs[1], lead, x_type.shape[lead:], distinct=_distinct(tables))


max_pool = Op("max_pool", _infer_max_pool, _reference_max_pool, _max_pool_gradient)
"""The greatest value of each window over the last axes, and its place, counted row by row through these axes."""


def _distinct(tables: tuple[Table, ...]) -> bool:
    """Whether no position belongs to two windows."""
    return all(
        len(set(positions)) == len(positions)
        for positions in ([one for row in table for one in row if one >= 0] for table in tables)
    )


# --- values by place ---------------------------------------------------------------------------------------


def _plane(x: Node, lead: int) -> Node:
    """The first ``lead`` axes as one, those behind them as another."""
    return reshape(x, shape=(count(x.shape[:lead]), count(x.shape[lead:])))


def pick(x: Node, places: Node, lead: int) -> Node:
    """The values at given places. Behind the first ``lead`` axes, which agree, the axes of ``x`` count as one."""
    return reshape(gather(_plane(x, lead), _plane(places, lead), axis=1), shape=places.shape)


def place(x: Node, places: Node, lead: int, shape: Shape, *, distinct: bool) -> Node:
    """Values added at given places of axes of this shape; with ``distinct``, the last value at a place stays."""
    planes = x.type.with_shape((count(x.shape[:lead]), count(shape)))
    put = scatter if distinct else scatter_add
    placed = put(zeros_of(planes), _plane(places, lead), _plane(x, lead), axis=1)
    return reshape(placed, shape=(*x.shape[:lead], *shape))


# --- weighted sums ---------------------------------------------------------------------------------------


def _infer_resample(x: TensorType, *, axis: int, table: Table, weights: Weights | None) -> TensorType:
    return x.with_shape((*x.shape[:axis], len(table), *x.shape[axis + 1 :]))


def _reference_resample(x: Array, *, axis: int, table: Table, weights: Weights | None) -> Array:
    kind = x.dtype
    (x,) = widened(x)
    shares = None if weights is None else np.array(weights, np.real(x).dtype).T
    total: Any = None
    for k, (positions, box, inside) in enumerate(_columns(table)):
        value = _read(x, axis, positions, box)
        if shares is not None:
            value = value * _along(shares[k], axis, x.ndim)
        if inside is not None:
            value = np.where(_along(inside, axis, x.ndim), value, np.zeros((), x.dtype))
        if total is None:
            total = value.copy() if value.base is not None else value
        else:
            total += value
    if total is None:  # windows without readers
        total = np.zeros((*x.shape[:axis], len(table), *x.shape[axis + 1 :]), x.dtype)
    return np.asarray(total, kind)


def _resample_gradient(grad: Node, x_type: TensorType, axis: int, table: Table, weights: Weights | None) -> Node:
    back, shares = transposed(table, weights, x_type.shape[axis])
    return resample(grad, axis=axis, table=back, weights=shares)


resample = Op("resample", _infer_resample, _reference_resample, _resample_gradient)
"""Each window's weighted sum along an axis; without weights, the plain sum."""


@lru_cache(maxsize=1024)
def transposed(table: Table, weights: Weights | None, size: int) -> tuple[Table, Weights | None]:
    """The table (and weights) of the transposed map, for an axis of ``size`` positions."""
    readers: list[dict[int, float]] = [{} for _ in range(size)]
    for window, row in enumerate(table):
        for k, position in enumerate(row):
            if position >= 0:
                share = 1.0 if weights is None else weights[window][k]
                readers[position][window] = readers[position].get(window, 0.0) + share
    width = max(map(len, readers), default=0)
    back = tuple((*one, *(-1,) * (width - len(one))) for one in readers)
    shares = tuple((*one.values(), *(0.0,) * (width - len(one))) for one in readers)
    plain = weights is None and all(share == 1.0 for one in readers for share in one.values())
    return back, None if plain else shares

"""Nodes without tensor inputs: where values come from."""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd.dtypes import bool_, dtype
from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ir.record import constant, constants_made_by
from zerograd.shapes import Shape


def _reference_full(*, fill: Any, type: TensorType) -> Array:
    if type.weak:  # a number takes the precision of what it meets: it is not rounded before
        return np.asarray(fill)
    return np.full(type.shape, fill, type.dtype.numpy)


full = Op("full", lambda *, fill, type: type, _reference_full)
"""A constant: the same number everywhere."""
constants_made_by(full)


def filled(fill: Any, type: TensorType) -> Node:
    """A constant tensor of the given type."""
    return constant(fill, type)


def zeros_like(x: Node) -> Node:
    return constant(0, x.type)


def ones_like(x: Node) -> Node:
    return constant(1, x.type)


def _infer_iota(*, size: int, dtype: dtype) -> TensorType:
    return TensorType((size,), dtype)


def _reference_iota(*, size: int, dtype: dtype) -> Array:
    return np.arange(size).astype(dtype.numpy)


iota = Op("iota", _infer_iota, _reference_iota)
"""0, 1, ..., size - 1."""


def _infer_triangle(*, shape: Shape, diagonal: int) -> TensorType:
    return TensorType(shape, bool_)


def _reference_triangle(*, shape: Shape, diagonal: int) -> Array:
    return np.tri(shape[0], shape[1], diagonal, dtype=np.bool_)


triangle = Op("triangle", _infer_triangle, _reference_triangle)
"""True on and below the given diagonal of a matrix."""


def _infer_ramp(*, start: Any, step: Any, size: int, dtype: dtype) -> TensorType:
    return TensorType((size,), dtype)


def _reference_ramp(*, start: Any, step: Any, size: int, dtype: dtype) -> Array:
    if dtype.is_inexact and not dtype.is_complex:
        return (float(start) + np.longdouble(step) * np.arange(size)).astype(dtype.numpy)  # rounded once
    if dtype.is_complex:
        return (start + step * np.arange(size)).astype(dtype.numpy)
    return (int(start) + int(step) * np.arange(size)).astype(dtype.numpy)


ramp = Op("ramp", _infer_ramp, _reference_ramp)
"""start + i * step."""


def _infer_spaced(*, start: Any, end: Any, size: int, dtype: dtype, base: float | None) -> TensorType:
    return TensorType((size,), dtype)


def _reference_spaced(*, start: Any, end: Any, size: int, dtype: dtype, base: float | None) -> Array:
    """From both ends to the middle, in the precision of the result, as PyTorch rounds."""
    if not size:
        return np.empty(0, dtype.numpy)
    work = np.dtype(dtype.numpy if dtype.is_inexact and dtype.itemsize > 2 else np.float64)
    if size == 1:
        points = np.full(1, start, work)
    else:
        first, last = work.type(start), work.type(end)
        step = (last - first) / work.type(size - 1)
        i = np.arange(size)
        wide = np.complex256 if work.kind == "c" else np.longdouble  # products and sums are rounded once
        points = np.where(i < size // 2, first + wide(step) * i, last - wide(step) * (size - 1 - i)).astype(work)
    if base is not None:
        points = np.power(np.float64(base), points.astype(np.complex128 if dtype.is_complex else np.float64))
    return points.astype(dtype.numpy)


spaced = Op("spaced", _infer_spaced, _reference_spaced)
"""Equally spaced numbers from start to end; powers of base with these exponents, if there is a base."""

diagonal_ones = Op(
    "diagonal_ones",
    lambda *, shape, dtype: TensorType(shape, dtype),
    lambda *, shape, dtype: np.eye(*shape).astype(dtype.numpy),
)
"""Ones on the diagonal of a matrix."""

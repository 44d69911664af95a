"""Nodes without tensor inputs: where values come from."""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd.dtypes import bool_, dtype
from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ir.record import constant, constants_made_by
from zerograd.shapes import Shape

full = Op(
    "full",
    lambda *, fill, type: type,
    lambda *, fill, type: np.full(type.shape, fill, type.dtype.numpy),
)
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

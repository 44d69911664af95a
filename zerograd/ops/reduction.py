"""Ops that fold axes away. Reduced axes stay, with size 1; reshape drops them."""

from __future__ import annotations

import numpy as np

from zerograd import dtypes
from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ops.elementwise import cast, div, eq, mul
from zerograd.ops.movement import expand
from zerograd.shapes import Shape


def folded(x: TensorType, axes: Shape) -> TensorType:
    return x.with_shape(tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


def _wide(x: Array) -> Array:
    """Half precision is summed in float32, as PyTorch does."""
    return x.astype(np.float32) if x.dtype.itemsize == 2 and x.dtype.kind in "fV" else x


def _reference_sum(x: Array, *, axes: Shape) -> Array:
    return np.sum(_wide(x), axis=axes, keepdims=True, dtype=None if x.dtype.itemsize == 2 else x.dtype).astype(x.dtype)


sum = Op(
    "sum",
    lambda x, *, axes: folded(x, axes),
    _reference_sum,
    lambda grad, x_type: expand(grad, shape=x_type.shape),
)


def _spread_gradient(grad: Node, x: Node, out: Node, axes: Shape) -> Node:
    """Extreme values share the gradient equally, as PyTorch's amax and amin do."""
    chosen = cast(eq(x, expand(out, shape=x.shape)), dtype=x.dtype)
    share = div(chosen, expand(sum(chosen, axes=axes), shape=x.shape))
    return mul(expand(grad, shape=x.shape), share)


max = Op(
    "max",
    lambda x, *, axes: folded(x, axes),
    lambda x, *, axes: np.max(x, axis=axes, keepdims=True),
    _spread_gradient,
)
min = Op(
    "min",
    lambda x, *, axes: folded(x, axes),
    lambda x, *, axes: np.min(x, axis=axes, keepdims=True),
    _spread_gradient,
)


def _infer_arg(x: TensorType, *, axis: int) -> TensorType:
    return folded(x, (axis,)).with_dtype(dtypes.int64)


argmax = Op("argmax", _infer_arg, lambda x, *, axis: np.argmax(x, axis=axis, keepdims=True))
argmin = Op("argmin", _infer_arg, lambda x, *, axis: np.argmin(x, axis=axis, keepdims=True))

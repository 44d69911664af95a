"""Ops that multiply and add along a shared axis."""

from __future__ import annotations

import numpy as np

from zerograd import errors
from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ops.elementwise import conj
from zerograd.ops.movement import permute


def _infer_matmul(x: TensorType, y: TensorType) -> TensorType:
    if x.shape[:-2] != y.shape[:-2] or x.dtype is not y.dtype:
        raise errors.runtime("matmul needs equal batch dimensions and dtypes", left=x, right=y)
    if x.shape[-1] != y.shape[-2]:
        turned = x.shape[-1] == y.shape[-1]
        raise errors.runtime(
            f"matmul needs left columns = right rows, but {x.shape[-1]} != {y.shape[-2]}",
            left=x,
            right=y,
            hint="left @ right.mT would fit" if turned else None,
        )
    return x.with_shape((*x.shape[:-1], y.shape[-1]))


def _reference_matmul(x: Array, y: Array) -> Array:
    if x.dtype.itemsize == 2 and x.dtype.kind in "fV":  # half precision: accumulated in float32
        return np.matmul(x.astype(np.float32), y.astype(np.float32)).astype(x.dtype)
    return np.matmul(x, y)


def turn(x: Node) -> Node:
    """The last two axes swapped."""
    n = x.rank
    return permute(x, order=(*range(n - 2), n - 1, n - 2))


matmul = Op(
    "matmul",
    _infer_matmul,
    _reference_matmul,
    (lambda grad, y: matmul(grad, conj(turn(y))), lambda grad, x: matmul(conj(turn(x)), grad)),
)
"""Products of matrices in the last two axes; the axes before them are a batch and must agree."""

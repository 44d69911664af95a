"""exp(x) / sum(exp(x)) along an axis, and its logarithm, without overflow."""

from __future__ import annotations

import numpy as np

from zerograd.ir.graph import Array, Node, Op
from zerograd.ops.elementwise import conj, exp, in_single, mul, sub
from zerograd.ops.movement import expand
from zerograd.ops.reduction import sum


def _total(x: Node, axis: int) -> Node:
    return expand(sum(x, axes=(axis,)), shape=x.shape)


def _centred(x: Array, axis: int) -> Array:
    return x - np.max(x, axis=axis, keepdims=True) if x.size else x


def _reference_softmax(x: Array, *, axis: int) -> Array:
    out = np.exp(_centred(x, axis))
    return out / np.sum(out, axis=axis, keepdims=True)


softmax = Op(
    "softmax",
    lambda x, *, axis: x,
    in_single(_reference_softmax),
    lambda grad, out, axis: mul(conj(out), sub(grad, _total(mul(grad, conj(out)), axis))),
)


def _reference_log_softmax(x: Array, *, axis: int) -> Array:
    x = _centred(x, axis)
    return x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True))


log_softmax = Op(
    "log_softmax",
    lambda x, *, axis: x,
    in_single(_reference_log_softmax),
    lambda grad, out, axis: sub(grad, mul(conj(exp(out)), _total(grad, axis))),
)

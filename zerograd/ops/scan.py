"""Ops that run along an axis and keep every step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zerograd import dtypes
from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ops.elementwise import conj, eq, exp, in_single, is_half, mul, same, sub, where
from zerograd.ops.indexing import scatter_add
from zerograd.ops.movement import cat, flip, narrow, zeros_of
from zerograd.ops.source import ones_like, zeros_like


def along(x: Array, axis: int) -> Array:
    """A view with the axis in front."""
    return np.moveaxis(x, axis, 0)


def shifted(x: Node, axis: int, first: Node) -> Node:
    """The elements one place later; ``first`` comes in front and the last one is dropped."""
    return cat(first, narrow(x, axis, 0, x.shape[axis] - 1), axis=axis)


def _first(x: Node, axis: int) -> Node:
    return narrow(x, axis, 0, 1)


cumsum = Op(
    "cumsum",
    lambda x, *, axis: x,
    in_single(lambda x, *, axis: np.cumsum(x, axis=axis, dtype=x.dtype)),
    lambda grad, axis: flip(cumsum(flip(grad, axes=(axis,)), axis=axis), axes=(axis,)),
)


def _reference_recurrence(factor: Array, term: Array, *, axis: int) -> Array:
    out = np.array(term)
    factors, rows = along(factor, axis), along(out, axis)
    for i in range(1, len(rows)):
        rows[i] += factors[i] * rows[i - 1]
    return out


def _backwards(grad: Node, factor: Node, axis: int) -> Node:
    """What each term adds to the gradient: the same recurrence from the other end."""
    turned = flip(conj(factor), axes=(axis,))
    turned = shifted(turned, axis, zeros_like(_first(turned, axis)))
    return flip(recurrence(turned, flip(grad, axes=(axis,)), axis=axis), axes=(axis,))


def _factor_gradient(grad: Node, factor: Node, out: Node, axis: int) -> Node:
    if not out.shape[axis]:
        return zeros_like(out)
    before = shifted(out, axis, zeros_like(_first(out, axis)))
    return mul(_backwards(grad, factor, axis), conj(before))


def _term_gradient(grad: Node, factor: Node, axis: int) -> Node:
    return _backwards(grad, factor, axis) if grad.shape[axis] else zeros_like(grad)


recurrence = Op(
    "recurrence",
    lambda factor, term, *, axis: same("recurrence", factor, term),
    in_single(_reference_recurrence),
    (_factor_gradient, _term_gradient),
)
"""h[i] = factor[i] * h[i - 1] + term[i] along an axis, from h[-1] = 0."""


def _cumprod_gradient(grad: Node, x: Node, out: Node, axis: int) -> Node:
    """The product of the elements before, times a recurrence over those after: zeros do no harm."""
    if not x.shape[axis]:
        return zeros_like(x)
    before = shifted(out, axis, ones_like(_first(out, axis)))
    return mul(_backwards(grad, x, axis), conj(before))


cumprod = Op(
    "cumprod",
    lambda x, *, axis: x,
    in_single(lambda x, *, axis: np.cumprod(x, axis=axis, dtype=x.dtype)),
    _cumprod_gradient,
)


def _reference_logcumsumexp(x: Array, *, axis: int) -> Array:
    if x.dtype.kind != "c":
        return np.logaddexp.accumulate(x, axis=axis)
    out = np.array(x)
    rows = along(out, axis)
    for i in range(1, len(rows)):
        larger = np.where(rows[i].real >= rows[i - 1].real, rows[i], rows[i - 1])
        smaller = np.where(rows[i].real >= rows[i - 1].real, rows[i - 1], rows[i])
        rows[i] = larger + np.log1p(np.exp(smaller - larger))
    return out


def _logcumsumexp_gradient(grad: Node, x: Node, out: Node, axis: int) -> Node:
    """exp(x[i]) * sum over j >= i of grad[j] / exp(out[j]), with every factor at most 1."""
    if not x.shape[axis]:
        return zeros_like(x)
    before = shifted(out, axis, _first(out, axis))
    decay = where(eq(before, out), ones_like(out), exp(sub(before, out)))
    share = where(eq(x, out), ones_like(out), exp(sub(x, out)))
    return mul(conj(share), _backwards(grad, decay, axis))


logcumsumexp = Op("logcumsumexp", lambda x, *, axis: x, in_single(_reference_logcumsumexp), _logcumsumexp_gradient)
"""log of the running sum of exp(x)."""


def _running(better: np.ufunc) -> Callable[..., tuple[Array, Array]]:
    """The running extreme and its place: the last of equal ones; NaN beats every number."""

    def reference(x: Array, *, axis: int) -> tuple[Array, Array]:
        wide = x.astype(np.float32) if is_half(x) else x
        values = better.accumulate(wide, axis=axis)
        line = np.arange(x.shape[axis]).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
        places = np.where((wide == values) | (wide != wide), line, 0)
        return values.astype(x.dtype), np.maximum.accumulate(places, axis=axis).astype(np.int64)

    return reference


def _running_gradient(
    grad: tuple[Node | None, ...], outs: tuple[Node, Node], x_type: TensorType, axis: int
) -> Node | None:
    return grad[0] and scatter_add(zeros_of(x_type), outs[1], grad[0], axis=axis)


def _infer_running(x: TensorType, *, axis: int) -> tuple[TensorType, TensorType]:
    return x, x.with_dtype(dtypes.int64)


cummax = Op("cummax", _infer_running, _running(np.maximum), _running_gradient)
cummin = Op("cummin", _infer_running, _running(np.minimum), _running_gradient)

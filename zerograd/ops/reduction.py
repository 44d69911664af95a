"""Ops that fold axes away. Reduced axes stay, with size 1; reshape drops them."""

from __future__ import annotations

import math

import numpy as np

from zerograd import dtypes
from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ops.elementwise import (
    abs,
    cast,
    conj,
    convert,
    div,
    either,
    eq,
    exp,
    in_single,
    is_half,
    kept_where,
    mul,
    ne,
    pow,
    sign,
    sub,
    times,
    where,
    zeroed_where,
)
from zerograd.ops.movement import cat, expand, flip, narrow, reshape
from zerograd.ops.scan import cumprod
from zerograd.ops.source import filled, iota, ones_like, zeros_like
from zerograd.shapes import Shape, count


def folded(x: TensorType, axes: Shape) -> TensorType:
    return x.with_shape(tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


# --- sums and products -----------------------------------------------------------------------------


def _reference_sum(x: Array, *, axes: Shape) -> Array:
    if is_half(x):
        return np.sum(x.astype(np.float32), axis=axes, keepdims=True).astype(x.dtype)
    return np.sum(x, axis=axes, keepdims=True, dtype=x.dtype)


sum = Op(
    "sum",
    lambda x, *, axes: folded(x, axes),
    _reference_sum,
    lambda grad, x_type: expand(grad, shape=x_type.shape),
)


def mean_of(x: Node, axes: Shape) -> Node:
    """The mean along ``axes``, which stay with size 1."""
    total = sum(x, axes=axes)
    return div(total, filled(count([x.shape[i] for i in axes]), total.type))


def _before(x: Node, axis: int) -> Node:
    """For each element the product of those before it."""
    ones = ones_like(narrow(x, axis, 0, 1))
    return cat(ones, narrow(cumprod(x, axis=axis), axis, 0, x.shape[axis] - 1), axis=axis)


def _prod_gradient(grad: Node, x: Node, axis: int) -> Node:
    """The product of all other elements, so that zeros do no harm."""
    if not x.type.count:
        return mul(expand(grad, shape=x.shape), x)  # nothing, but a function of x
    after = flip(_before(flip(x, axes=(axis,)), axis), axes=(axis,))
    return mul(expand(grad, shape=x.shape), conj(mul(_before(x, axis), after)))


prod = Op(
    "prod",
    lambda x, *, axis: folded(x, (axis,)),
    in_single(lambda x, *, axis: np.prod(x, axis=axis, keepdims=True, dtype=x.dtype)),
    _prod_gradient,
)

# --- the largest and the smallest -------------------------------------------------------------------


def _spread_gradient(grad: Node, x: Node, out: Node, axes: Shape) -> Node:
    """Equal extreme values share the gradient equally; if there are NaNs, they are the extreme values."""
    return shared_among(either(eq(x, expand(out, shape=x.shape)), ne(x, x)), grad, x, axes)


def shared_among(condition: Node, grad: Node, x: Node, axes: Shape) -> Node:
    """The gradient in equal parts where the condition holds."""
    chosen = cast(condition, dtype=x.dtype)
    share = div(chosen, expand(sum(chosen, axes=axes), shape=x.shape))
    return mul(expand(grad, shape=x.shape), share)


max = Op(
    "max",
    lambda x, *, axes: folded(x, axes),
    in_single(lambda x, *, axes: np.max(x, axis=axes, keepdims=True)),
    _spread_gradient,
)
min = Op(
    "min",
    lambda x, *, axes: folded(x, axes),
    in_single(lambda x, *, axes: np.min(x, axis=axes, keepdims=True)),
    _spread_gradient,
)


def _infer_arg(x: TensorType, *, axis: int) -> TensorType:
    return folded(x, (axis,)).with_dtype(dtypes.int64)


argmax = Op("argmax", _infer_arg, in_single(lambda x, *, axis: np.argmax(x, axis=axis, keepdims=True)))
argmin = Op("argmin", _infer_arg, in_single(lambda x, *, axis: np.argmin(x, axis=axis, keepdims=True)))


def places(x: TensorType, axis: int) -> Node:
    """Each element's index along an axis."""
    line = iota(size=x.shape[axis], dtype=dtypes.int64)
    shape = tuple(n if i == axis else 1 for i, n in enumerate(x.shape))
    return expand(reshape(line, shape=shape), shape=x.shape)


def picked(grad: Node, index: Node, x: TensorType, axis: int) -> Node:
    """The gradient of picking one element along an axis: all of it goes there."""
    chosen = eq(expand(index, shape=x.shape), places(x, axis))
    return kept_where(chosen, expand(grad, shape=x.shape))


def _infer_pick(x: TensorType, *, axis: int) -> tuple[TensorType, TensorType]:
    out = folded(x, (axis,))
    return out, out.with_dtype(dtypes.int64)


def _pick_gradient(
    grad: tuple[Node | None, ...], outs: tuple[Node, Node], x_type: TensorType, axis: int
) -> Node | None:
    return grad[0] and picked(grad[0], outs[1], x_type, axis)


def picking(name: str, index: Op) -> Op:
    """An op whose results are the element that ``index`` finds along an axis, and its index."""

    def reference(x: Array, *, axis: int) -> tuple[Array, Array]:
        places = index.reference(x, axis=axis)
        return np.take_along_axis(x, places, axis), places

    return Op(name, _infer_pick, reference, _pick_gradient)


max_at = picking("max_at", argmax)
min_at = picking("min_at", argmin)

# --- truth -------------------------------------------------------------------------------------------

any = Op("any", lambda x, *, axes: folded(x, axes), lambda x, *, axes: np.any(x, axis=axes, keepdims=True))
all = Op("all", lambda x, *, axes: folded(x, axes), lambda x, *, axes: np.all(x, axis=axes, keepdims=True))

# --- sums of functions -------------------------------------------------------------------------------


def _reference_logsumexp(x: Array, *, axes: Shape) -> Array:
    if 0 in x.shape:
        return np.log(np.sum(x, axis=axes, keepdims=True))
    largest = np.max(np.real(x), axis=axes, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, 0).astype(np.real(x).dtype)
    return np.log(np.sum(np.exp(x - largest), axis=axes, keepdims=True)) + largest


def _logsumexp_gradient(grad: Node, x: Node, out: Node) -> Node:
    nothing = eq(out, filled(-math.inf, out.type))  # the logarithm of a sum of zeros
    return mul(expand(grad, shape=x.shape), conj(exp(sub(x, expand(zeroed_where(nothing, out), shape=x.shape)))))


logsumexp = Op("logsumexp", lambda x, *, axes: folded(x, axes), in_single(_reference_logsumexp), _logsumexp_gradient)


def _infer_var(x: TensorType, *, axes: Shape, correction: float) -> TensorType:
    return folded(x, axes).with_dtype(x.dtype.to_real())


def _degrees(shape: Shape, axes: Shape, correction: float) -> float:
    """The number of elements less ``correction``; not less than 0."""
    freedom = count([shape[i] for i in axes]) - correction
    return freedom if freedom > 0 else 0


def _reference_var(x: Array, *, axes: Shape, correction: float) -> Array:
    deviation = x - np.mean(x, axis=axes, keepdims=True)
    square = np.square(deviation) if x.dtype.kind != "c" else np.square(deviation.real) + np.square(deviation.imag)
    total = np.sum(square, axis=axes, keepdims=True)
    return total / total.dtype.type(_degrees(x.shape, axes, correction))


def _var_gradient(grad: Node, x: Node, axes: Shape, correction: float) -> Node:
    freedom = count([x.shape[i] for i in axes]) - correction
    factor = 2 / freedom if freedom else math.inf
    deviation = sub(x, expand(mean_of(x, axes), shape=x.shape))
    return mul(expand(times(convert(grad, x.dtype), factor), shape=x.shape), deviation)


var = Op("var", _infer_var, in_single(_reference_var), _var_gradient)
"""The mean square of the deviations from the mean, with ``correction`` taken from their number."""


def _infer_norm(x: TensorType, *, axes: Shape, p: float) -> TensorType:
    return folded(x, axes).with_dtype(x.dtype.to_real())


def _reference_norm(x: Array, *, axes: Shape, p: float) -> Array:
    size = np.abs(x)
    if math.isinf(p):
        return (np.max if p > 0 else np.min)(size, axis=axes, keepdims=True)
    if p == 0:
        return np.sum(size != 0, axis=axes, keepdims=True).astype(size.dtype)
    if p == 1:
        return np.sum(size, axis=axes, keepdims=True)
    if p == 2:
        return np.sqrt(np.sum(np.square(size), axis=axes, keepdims=True))
    return np.power(np.sum(np.power(size, p), axis=axes, keepdims=True), 1 / p)


def _norm_gradient(grad: Node, x: Node, out: Node, axes: Shape, p: float) -> Node | None:
    """At 0, where the norm has no derivative, 0."""
    if p == 0:
        return None
    spread = expand(grad, shape=x.shape)
    if p == 1:
        return mul(convert(spread, x.dtype), sign(x))
    norm = expand(out, shape=x.shape)
    zero = eq(norm, zeros_like(norm))
    if p == 2:  # divided by what is not 0, so that the gradient's gradient is finite too
        nonzero = where(zero, ones_like(norm), norm)
        return zeroed_where(zero, mul(x, convert(div(spread, nonzero), x.dtype)))
    size = abs(x)
    if math.isinf(p):
        chosen = cast(either(eq(size, norm), ne(size, size)), dtype=size.dtype)
        share = div(chosen, expand(sum(chosen, axes=axes), shape=x.shape))
        return mul(convert(mul(spread, share), x.dtype), sign(x))
    slope = pow(size, filled(p - 1, size.type))
    if p < 1:
        slope = zeroed_where(eq(size, zeros_like(size)), slope)
    scale = zeroed_where(zero, div(spread, pow(norm, filled(p - 1, norm.type))))
    return mul(convert(mul(slope, scale), x.dtype), sign(x))


norm = Op("norm", _infer_norm, in_single(_reference_norm), _norm_gradient)
"""(sum |x|^p)^(1/p); the number of elements that are not 0 for p = 0, the largest (smallest) size for ±inf."""

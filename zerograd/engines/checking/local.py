"""What an op may be off by itself, given the reference's operands: the table of ``tolerances`` as arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from zerograd.engines.checking import attending, sequences, tolerances
from zerograd.engines.checking.step import Bound, Step, size_of, wide
from zerograd.engines.checking.tolerances import (
    ABSOLUTE,
    COMPLEX_ULPS,
    FREE_SIGN,
    SIGN_OF_ZERO_IS_FREE,
    ULPS,
    computing,
    eps,
    is_half,
    own_eps,
    smallest,
    terms_factor,
)
from zerograd.engines.checking.trial import types_of
from zerograd.ir.graph import Array, TensorType
from zerograd.shapes import count

MATRICES = frozenset(tolerances.ROUNDED[256.0].split())


def own(step: Step) -> tuple[Bound, ...]:
    """The bound of each result."""
    return tuple(_one(step, place, type) for place, type in enumerate(types_of(step.node)))


def _one(step: Step, place: int, type: TensorType) -> Bound:
    if not type.dtype.is_inexact or type.weak:
        return None
    amount = _amount(step, place, type)
    out = step.outs[place]
    if amount is not None and np.any(amount):
        total = np.broadcast_to(amount, out.shape) * step.freedoms.ulps + _rounding(type, out) + _measured(step, place)
    else:
        total = np.zeros(out.shape)
    if step.name in ("mul", "standardized") and step.freedoms.contraction:
        total = total + eps(type.dtype) / 2 * size_of(out)
    if is_half(type.dtype) and step.freedoms.wide_halves and step.node.op.elementwise:
        total = total + own_eps(type.dtype) / 2 * size_of(out)
    if step.name in SIGN_OF_ZERO_IS_FREE:
        total = total + np.where(out == 0, FREE_SIGN, 0.0)
    elif step.name in ("add", "sub") and not type.dtype.is_complex:
        total = total + np.where(_zeros_cancel(step), FREE_SIGN, 0.0)
    return total if total.any() else None


def _zeros_cancel(step: Step) -> Array:
    """Where 0 is added to -0, or taken from 0: simplified to the other operand, the sum keeps that one's sign."""
    x, y = step.xs
    opposite = np.signbit(x) != np.signbit(y)
    return (x == 0) & (y == 0) & (opposite if step.name == "add" else ~opposite)


def _rounding(type: TensorType, out: Array) -> Array | float:
    """Half precision is rounded once at the end."""
    if not is_half(type.dtype):
        return 0.0
    return 0.5 * np.maximum(own_eps(type.dtype) * size_of(out), smallest(type.dtype))


def _measured(step: Step, place: int) -> Array | float:
    """What the reference is off."""
    exact = step.wide_outs()
    if exact is None or exact[place].shape != step.outs[place].shape:
        return 0.0
    off = np.abs(wide(step.outs[place]) - exact[place]).astype(np.float64)
    return np.where(np.isfinite(off), off, 0.0)


def _amount(step: Step, place: int, type: TensorType) -> Array | float | None:
    name = step.name
    if name in attending.NAMES:
        return attending.own(step)[place]
    rule = _RULES.get(name)
    if rule is not None:
        return rule(step, type)
    if name in sequences.OPERANDS:
        return sequences.own(step)[place]
    if name in MATRICES:
        size = size_of(step.outs[place])
        return ULPS[name] * eps(type.dtype) * max(float(np.max(size, initial=0.0)), smallest(type.dtype))
    ulps = COMPLEX_ULPS.get(name) if _is_complex(step, type) else None
    ulps = ulps or ULPS.get(name)
    if ulps is None:
        return None
    places = np.maximum(eps(type.dtype) * size_of(step.outs[place]), smallest(type.dtype))
    return ulps * places + ABSOLUTE.get(name, 0.0) * eps(type.dtype)


def _is_complex(step: Step, type: TensorType) -> bool:
    return type.dtype.is_complex or any(one.dtype.is_complex for one in step.node.inputs if one.type)


# --- sums --------------------------------------------------------------------------------------------------


def _terms(total: Any, n: float, type: TensorType, underflow: bool = False) -> Array:
    """The bound for a sum of n terms with this sum of their sizes; infinite where a partial sum may overflow."""
    total = np.asarray(total, np.float64)
    found = np.asarray(terms_factor(n) * eps(type.dtype) * total)
    if underflow:
        found = found + n * smallest(type.dtype)
    return np.where(total > tolerances.largest(computing(type.dtype)), np.inf, found)


def _number_of(step: Step, axes: tuple[int, ...]) -> int:
    return count([step.xs[0].shape[i] for i in axes])


def _sum(step: Step, type: TensorType) -> Array | None:
    axes = step.attributes["axes"]
    return _terms(np.sum(step.sizes(0), axis=axes, keepdims=True), _number_of(step, axes), type)


def _prod(step: Step, type: TensorType) -> Array:
    """Factors whose product grows or shrinks beyond the type on the way, in some order, leave it undecided."""
    axis, size = step.attributes["axis"], step.sizes(0)
    n = step.xs[0].shape[axis]
    found = n * eps(type.dtype) * size_of(step.outs[0])
    return np.where(_risky_product(size, axis, type, n), np.inf, found)


def _risky_product(size: Array, axis: int, type: TensorType, n: int) -> Array | bool:
    if n <= 1:
        return False
    logs = np.log2(np.where(size == 0, 1.0, size))
    up = (
        np.sum(np.maximum(logs, 0), axis=axis, keepdims=True) > math.log2(tolerances.largest(computing(type.dtype))) - 2
    )
    down = np.sum(np.minimum(logs, 0), axis=axis, keepdims=True) < math.log2(smallest_normal(type)) + 2
    return up | down


def smallest_normal(type: TensorType) -> float:
    """The smallest normal number of the type that is computed in."""
    return float(computing(type.dtype).to_real().limits.smallest_normal)


def _cumprod(step: Step, type: TensorType) -> Array:
    axis, size = step.attributes["axis"], step.sizes(0)
    n = step.xs[0].shape[axis]
    found = n * eps(type.dtype) * size_of(step.outs[0])
    return np.where(_risky_product(size, axis, type, n), np.inf, found)


def _bilinear(terms: Callable[[Step], float]) -> Callable[[Step, TensorType], Array]:
    def rule(step: Step, type: TensorType) -> Array:
        n = terms(step)
        return _terms(step.applied(step.sizes(0), step.sizes(1)), max(n, 2), type, underflow=True)

    return rule


def _convolution(terms: Callable[[Step], float]) -> Callable[[Step, TensorType], Array]:
    """As ``_bilinear``; 3x3 kernels without strides may also be computed by Winograd's filtering.

    That multiplies sums of a tile's numbers by sums of taps and takes apart what comes out (see
    ``engines.native.convolutions.winograd.transforms``). With all signs positive, what is added up for a window is at
    most 2 * (sum of its source) * (sum of the taps) along an axis, so 4 * along both; and what is added up for a tap is
    at most 4 * the sum over all taps. Halves of taps that are hardly numbers lose their last bit.
    """

    def rule(step: Step, type: TensorType) -> Array:
        n = max(terms(step), 2)
        found = _terms(step.applied(step.sizes(0), step.sizes(1)), n, type, underflow=True)
        attributes = step.attributes
        kernel = attributes["kernel"] if step.name == "conv_weight" else step.xs[1].shape[2:]
        if kernel != (3, 3) or attributes["stride"] != (1, 1) or attributes["dilation"] != (1, 1):
            return found
        x, y = step.sizes(0), step.sizes(1)
        if step.name == "conv_weight":
            total = np.broadcast_to(4 * np.sum(step.applied(x, y), (2, 3), keepdims=True), found.shape)
            return np.maximum(found, _terms(total, n, type, underflow=True))
        taps = np.broadcast_to(4 * np.sum(y, (2, 3), keepdims=True), y.shape)
        lost = 4 * smallest(type.dtype) * step.applied(x, np.ones(y.shape))
        return np.maximum(found, _terms(step.applied(x, taps), n, type, underflow=True) + lost)

    return rule


def _linear(terms: Callable[[Step], float]) -> Callable[[Step, TensorType], Array]:
    def rule(step: Step, type: TensorType) -> Array:
        return _terms(step.applied(step.sizes(0)), terms(step), type)

    return rule


def _resample(step: Step, type: TensorType) -> Array:
    """Weights are rounded to the type before."""
    weights = step.attributes["weights"]
    n = max(map(len, step.attributes["table"]), default=0)
    if weights is None:
        return _terms(step.applied(step.sizes(0)), n, type)
    plain = tuple(tuple(map(abs, row)) for row in weights)
    return _terms(step.applied(step.sizes(0), weights=plain), n + 2, type, underflow=True)


def _cumsum(step: Step, type: TensorType) -> Array:
    axis = step.attributes["axis"]
    return _terms(np.cumsum(step.sizes(0), axis=axis), step.xs[0].shape[axis], type)


def _recurrence(step: Step, type: TensorType) -> Array:
    n = step.xs[0].shape[step.attributes["axis"]]
    return _terms(step.applied(step.sizes(0), step.sizes(1)), 2 * n, type, underflow=True)


def _index_write(step: Step, type: TensorType) -> Array | None:
    if not step.attributes["accumulate"]:
        return None
    x, values, places = step.sizes(0), step.sizes(1), step.xs[2]
    return _terms(step.applied(x, values, places), places.size + 1, type)


def _scatter_add(step: Step, type: TensorType) -> Array:
    n = step.xs[1].shape[step.attributes["axis"]] if step.xs[1].ndim else 1
    return _terms(step.applied(step.sizes(0), step.xs[1], step.sizes(2)), n + 1, type)


def _scatter_fold(step: Step, type: TensorType) -> Array | float | None:
    if step.attributes["kind"] != "product":
        return None
    logs = [float(np.sum(np.abs(np.log2(np.where(size > 0, size, 1.0))))) for size in (step.sizes(0), step.sizes(2))]
    risky = sum(logs) > math.log2(tolerances.largest(computing(type.dtype))) - 4
    n = step.xs[1].shape[step.attributes["axis"]] if step.xs[1].ndim else 1
    return np.inf if risky else (n + 1) * eps(type.dtype) * size_of(step.outs[0])


# --- sums of functions ------------------------------------------------------------------------------------


def _peaks(step: Step, axes: Any) -> Array:
    """The distance of the elements from the largest one, whose rounding exp turns into a relative error."""
    size = step.sizes(0)
    return size + np.max(size, axis=axes, keepdims=True, initial=0.0)


def _softmax(step: Step, type: TensorType) -> Array:
    axis = step.attributes["axis"]
    n = step.xs[0].shape[axis]
    relative = eps(type.dtype) * (terms_factor(n) + 16.0 + _peaks(step, axis))
    return relative * size_of(step.outs[0]) + 2 * smallest(type.dtype)


def _log_softmax(step: Step, type: TensorType) -> Array:
    axis = step.attributes["axis"]
    n = step.xs[0].shape[axis]
    return eps(type.dtype) * (terms_factor(n) + 16.0 + 2 * _peaks(step, axis))


def _logsumexp(step: Step, type: TensorType) -> Array:
    axes = step.attributes["axes"]
    largest = np.max(_peaks(step, axes), axis=axes, keepdims=True, initial=0.0)
    return eps(type.dtype) * (terms_factor(_number_of(step, axes)) + 16.0 + 2 * largest)


def _logcumsumexp(step: Step, type: TensorType) -> Array:
    axis = step.attributes["axis"]
    reached = np.maximum.accumulate(np.where(np.isfinite(step.outs[0]), size_of(step.outs[0]), 0.0), axis=axis)
    return eps(type.dtype) * (terms_factor(step.xs[0].shape[axis]) + 8.0) * (1.0 + reached)


def deviations(step: Step) -> tuple[Array, int, float]:
    """|x - mean| for ``var``, the number of elements and the degrees of freedom."""
    axes, x = step.attributes["axes"], wide(step.xs[0])
    n = _number_of(step, axes)
    away = np.abs(x - np.sum(x, axis=axes, keepdims=True) / max(n, 1)).astype(np.float64)
    return np.where(np.isfinite(away), away, 0.0), n, max(n - step.attributes["correction"], 0)


def _var(step: Step, type: TensorType) -> Array | float:
    away, n, freedom = deviations(step)
    if not freedom:
        return 0.0 if n == 1 else np.inf
    axes = step.attributes["axes"]
    fold = lambda x: np.sum(x, axis=axes, keepdims=True)  # noqa: E731
    e = eps(type.dtype)
    shift = (terms_factor(n) + 1) * e * fold(step.sizes(0)) / max(n, 1)
    lost = 2 * fold(away) * shift + n * shift**2 + (terms_factor(n) + 4) * e * fold(away**2)
    found = lost / freedom + n * smallest(computing(type.dtype))
    return np.where(fold(away**2) > tolerances.largest(computing(type.dtype)) / 2, np.inf, found)


def _norm(step: Step, type: TensorType) -> Array | None:
    axes, p = step.attributes["axes"], step.attributes["p"]
    if p == 0 or math.isinf(p):
        return 8.0 * eps(type.dtype) * size_of(step.outs[0]) if p and step.xs[0].dtype.kind == "c" else None
    n = _number_of(step, axes)
    found = (terms_factor(n) + 8.0 * max(p, 1 / p)) * eps(type.dtype) * size_of(step.outs[0])
    return found if p == 1 else found + (n * smallest_normal(type)) ** (1 / p)


def _fourier(step: Step, axes: tuple[int, ...], type: TensorType) -> Array:
    n = _number_of(step, axes)
    total = np.sum(step.sizes(0), axis=axes, keepdims=True)
    return 2 * (4 + 2 * math.log2(max(n, 1) + 1)) * eps(type.dtype) * total


_RULES: dict[str, Callable[[Step, TensorType], Any]] = {
    "sum": _sum,
    "prod": _prod,
    "cumprod": _cumprod,
    "cumsum": _cumsum,
    "recurrence": _recurrence,
    "matmul": _bilinear(lambda step: step.xs[0].shape[-1]),
    "conv": _convolution(lambda step: count(step.xs[1].shape[1:])),
    "conv_input": _convolution(
        lambda step: step.xs[1].shape[0] / step.attributes["groups"] * count(step.xs[1].shape[2:])
    ),
    "conv_weight": _convolution(lambda step: step.xs[1].shape[0] * count(step.xs[1].shape[2:])),
    "fold": _linear(lambda step: count(step.attributes["kernel"])),
    "resample": _resample,
    "index_write": _index_write,
    "scatter_add": _scatter_add,
    "scatter_fold": _scatter_fold,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "logcumsumexp": _logcumsumexp,
    "var": _var,
    "norm": _norm,
    "fourier": lambda step, type: _fourier(step, step.attributes["axes"], type),
    "half_fourier": lambda step, type: _fourier(step, (step.attributes["axis"],), type),
    "whole": lambda step, type: 2 * _fourier(step, (step.attributes["axis"],), type),
}

"""Fourier transforms, none of them scaled.

fourier      c -> c   sum over x of x * exp(-2 pi i jk / n) along the axes; with +, if not forward
half_fourier r -> c   the first n // 2 + 1 elements of the same; the others are their conjugates
whole        c -> r   from such a half, sum of x * exp(+2 pi i jk / n) with the conjugates filled in
"""

from __future__ import annotations

import numpy as np

from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ops.elementwise import mul
from zerograd.ops.movement import broadcast_to, cat, pad
from zerograd.ops.parts import complex_, real
from zerograd.ops.source import filled, zeros_like
from zerograd.shapes import Shape


def resized(type: TensorType, axis: int, size: int) -> TensorType:
    """The type with another size along the axis."""
    return type.with_shape((*type.shape[:axis], size, *type.shape[axis + 1 :]))


def _reference_fourier(x: Array, *, axes: Shape, forward: bool) -> Array:
    if not axes:
        return x
    return np.fft.fftn(x, axes=axes) if forward else np.fft.ifftn(x, axes=axes, norm="forward")


fourier = Op(
    "fourier",
    lambda x, *, axes, forward: x,
    _reference_fourier,
    lambda grad, axes, forward: fourier(grad, axes=axes, forward=not forward),
)


def _half_gradient(grad: Node, x_type: TensorType, axis: int) -> Node:
    missing = x_type.shape[axis] - grad.shape[axis]
    after = tuple(missing if i == axis else 0 for i in range(grad.rank))
    return real(fourier(pad(grad, (0,) * grad.rank, after), axes=(axis,), forward=False))


def _infer_half(x: TensorType, *, axis: int) -> TensorType:
    return resized(x, axis, x.shape[axis] // 2 + 1).with_dtype(x.dtype.to_complex())


half_fourier = Op("half_fourier", _infer_half, lambda x, *, axis: np.fft.rfft(x, axis=axis), _half_gradient)


def _whole_gradient(grad: Node, axis: int, size: int) -> Node:
    """An element that stands for its conjugate, too, counts twice."""
    half = half_fourier(grad, axis=axis)
    kind = half.type
    single, double = 1, size - kind.shape[axis]
    parts = [
        broadcast_to(filled(times, resized(kind, axis, 1)), resized(kind, axis, n).shape)
        for times, n in ((1, single), (2, double), (1, kind.shape[axis] - single - double))
        if n > 0
    ]
    return mul(half, cat(*parts, axis=axis) if len(parts) > 1 else parts[0])


whole = Op(
    "whole",
    lambda x, *, axis, size: resized(x, axis, size).with_dtype(x.dtype.to_real()),
    lambda x, *, axis, size: np.fft.irfft(x, size, axis, norm="forward"),
    _whole_gradient,
)


def as_complex(x: Node) -> Node:
    """A real value with zeros as its imaginary part."""
    return x if x.dtype.is_complex else complex_(x, zeros_like(x))

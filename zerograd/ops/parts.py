"""Complex numbers and their parts."""

from __future__ import annotations

import numpy as np

from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ops.elementwise import abs, cast, div, eq, mul, neg, same, square, zeroed_where
from zerograd.ops.source import zeros_like


def _turned(x: Node) -> Node:
    """1j * x for real x."""
    return complex_(zeros_like(x), x)


real = Op(
    "real",
    lambda x: x.with_dtype(x.dtype.to_real()),
    np.real,
    lambda grad, x_type: cast(grad, dtype=x_type.dtype),
    elementwise=True,
)
imag = Op(
    "imag",
    lambda x: x.with_dtype(x.dtype.to_real()),
    np.imag,
    lambda grad: _turned(grad),
    elementwise=True,
)


def _reference_complex(x: Array, y: Array) -> Array:
    kind = np.complex64 if x.dtype == np.float32 else np.complex128
    out = np.empty(np.broadcast_shapes(np.shape(x), np.shape(y)), kind)
    out.real, out.imag = x, y
    return out


complex_ = Op(
    "complex",
    lambda x, y: same("complex", x, y).with_dtype(x.dtype.to_complex()),
    _reference_complex,
    (lambda grad: real(grad), lambda grad: imag(grad)),
    elementwise=True,
)
"""x + 1j * y"""


def _reference_angle(x: Array) -> Array:
    if x.dtype.kind == "c":
        return np.angle(x)
    return np.where(np.isnan(x), x, np.where(x < 0, x.dtype.type(np.pi), x.dtype.type(0)))


def _angle_gradient(grad: Node, x: Node) -> Node:
    """0 for real numbers; for complex ones the angle grows with the part at right angles to x."""
    if not x.dtype.is_complex:
        return zeros_like(grad)
    size = square(abs(x))
    across = complex_(neg(div(mul(grad, imag(x)), size)), div(mul(grad, real(x)), size))
    return zeroed_where(eq(x, zeros_like(x)), across)


angle = Op("angle", lambda x: x.with_dtype(x.dtype.to_real()), _reference_angle, _angle_gradient, elementwise=True)
"""The angle with the positive real axis, in radians."""


def _infer_pairs(x: TensorType) -> TensorType:
    return TensorType((*x.shape, 2), x.dtype.to_real())


def _reference_pairs(x: Array) -> Array:
    return np.stack((np.real(x), np.imag(x)), -1)


def _infer_unpairs(x: TensorType) -> TensorType:
    return TensorType(x.shape[:-1], x.dtype.to_complex())


pairs = Op("pairs", _infer_pairs, _reference_pairs, lambda grad: unpairs(grad))
"""The real and imaginary parts side by side in a new last dimension."""

unpairs = Op("unpairs", _infer_unpairs, lambda x: _reference_complex(x[..., 0], x[..., 1]), lambda grad: pairs(grad))
"""Complex numbers from a last dimension of size 2."""

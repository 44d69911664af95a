"""Rounding, division with a whole quotient, and the parts of a number's representation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ops.elementwise import (
    binary,
    cast,
    div,
    eq,
    flat,
    in_single,
    mul,
    neg,
    predicate,
    refusing,
    unary,
    zeroed_where,
)
from zerograd.ops.source import zeros_like
from zerograd.ops.transcendental import exp2

floor = unary("floor", np.floor, flat)
ceil = unary("ceil", np.ceil, flat)
trunc = unary("trunc", np.trunc, flat)
round = unary("round", np.rint, flat)
"""To the nearest whole number; halves to the even one."""


def _reference_div_trunc(x: Array, y: Array) -> Array:
    if x.dtype.kind == "i":
        quotient = np.floor_divide(x, y)
        return quotient + ((x != quotient * y) & ((x < 0) != (y < 0))).astype(x.dtype)
    return np.floor_divide(x, y) if x.dtype.kind == "u" else np.trunc(x / y)


div_floor = binary("div_floor", in_single(np.floor_divide), (flat, flat))
"""The quotient rounded down."""

div_trunc = binary("div_trunc", in_single(_reference_div_trunc), (flat, flat))
"""The quotient rounded towards zero."""


def _divisor_gradient(quotient: Callable[[Node, Node], Node]) -> Any:
    return lambda grad, x, y: neg(mul(grad, quotient(x, y)))


remainder = binary(
    "remainder", in_single(np.remainder), (lambda grad: grad, _divisor_gradient(lambda x, y: div_floor(x, y)))
)
"""x - y * floor(x / y): has the divisor's sign."""

fmod = binary("fmod", in_single(np.fmod), (lambda grad: grad, _divisor_gradient(lambda x, y: div_trunc(x, y))))
"""x - y * trunc(x / y): has the dividend's sign."""

# --- the representation of a number ------------------------------------------------------------------


def _copysign_gradient(grad: Node, x: Node, out: Node) -> Node:
    return zeroed_where(eq(x, zeros_like(x)), mul(grad, div(out, x)))


copysign = binary("copysign", np.copysign, (_copysign_gradient, flat), domain=(0.5, 2))
"""|x| with the sign of y."""

signbit = predicate("signbit", lambda x: np.signbit(x) if x.dtype.kind in "fV" else x < 0, 1)
nextafter = binary("nextafter", np.nextafter, (lambda grad, x, y: zeroed_where(eq(x, y), grad), flat))
"""The next representable number from x towards y."""

heaviside = binary(
    "heaviside",
    lambda x, y: np.where(x == 0, y, (x > 0).astype(y.dtype)),
    (refusing("heaviside"), refusing("heaviside")),
)
"""0 for negative x, 1 for positive, y for 0."""


def _infer_frexp(x: TensorType) -> tuple[TensorType, TensorType]:
    return x, x.with_dtype(dtypes.int32)


def _reference_frexp(x: Array) -> tuple[Array, Array]:
    mantissa, exponent = np.frexp(x.astype(np.float32) if x.dtype.itemsize == 2 else x)
    return mantissa.astype(x.dtype), exponent.astype(np.int32)


def _frexp_gradient(grad: Any, outs: tuple[Node, Node], x_type: TensorType) -> Node | None:
    return grad[0] and div(grad[0], exp2(cast(outs[1], dtype=x_type.dtype)))


frexp = Op("frexp", _infer_frexp, _reference_frexp, _frexp_gradient)
"""x = mantissa * 2 ** exponent, with 0.5 <= |mantissa| < 1."""

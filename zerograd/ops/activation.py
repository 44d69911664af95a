"""Smooth steps as ops of their own, where composing them would overflow, lose gradients or keep too much.

The gradient of an activation is grad * slope(x), and the slope is an op too: x is all that is kept for it, 16-bit
floats are rounded once, and a program that computes the activation can compute its slope by the way, so that the
backward pass reads one array.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from zerograd import dtypes
from zerograd.ir.graph import Array, Node, Op
from zerograd.ops.elementwise import (
    Reference,
    convert,
    exp,
    in_single,
    mul,
    neg,
    plus,
    sigmoid,
    square,
    sub,
    tanh,
    times,
    unary,
)
from zerograd.ops.source import ones_like
from zerograd.ops.special_functions import erf

ROOT_HALF: Final = math.sqrt(0.5)
DENSITY_AT_0: Final = 1 / math.sqrt(2 * math.pi)
ROOT_TWO_OVER_PI: Final = math.sqrt(2 / math.pi)
CUBE: Final = 0.044715


def _reference_softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


softplus = unary("softplus", in_single(_reference_softplus), lambda grad, x: mul(grad, sigmoid(x)))
"""log(1 + exp(x))"""


def _activation(name: str, reference: Reference, slope: Op) -> Op:
    """An op whose gradient is that of the result times the slope; 16-bit floats are rounded when that is known."""

    def gradient(grad: Node, x: Node) -> Node:
        half = x.dtype.itemsize == 2
        wide = dtypes.float32 if half else x.dtype
        return convert(mul(convert(grad, wide), slope(convert(x, wide))), grad.dtype)

    return unary(name, in_single(reference), gradient)


# --- x times the normal distribution function of x -----------------------------------------------------------


def _reference_gelu(x: Array) -> Array:
    return x * 0.5 * (erf.reference(x * ROOT_HALF) + 1)


def _reference_gelu_slope(x: Array) -> Array:
    return (erf.reference(x * ROOT_HALF) + 1) * 0.5 + x * DENSITY_AT_0 * np.exp(x * x * -0.5)


def _bend_of_gelu(x: Node) -> Node:
    """The second derivative: (2 - x²) times the normal density."""
    power = square(x)
    return mul(times(exp(times(power, -0.5)), DENSITY_AT_0), plus(neg(power), 2))


gelu_slope = unary("gelu_slope", in_single(_reference_gelu_slope), lambda grad, x: mul(grad, _bend_of_gelu(x)))
"""The derivative of gelu."""

gelu = _activation("gelu", _reference_gelu, gelu_slope)
"""x Φ(x), Φ(x) = (1 + erf(x / √2)) / 2"""

# --- the same with tanh ----------------------------------------------------------------------------------------


def _reference_gelu_tanh(x: Array) -> Array:
    return x * 0.5 * (np.tanh((x + x * (x * x) * CUBE) * ROOT_TWO_OVER_PI) + 1)


def _reference_gelu_tanh_slope(x: Array) -> Array:
    power = x * x
    step = np.tanh((x + x * power * CUBE) * ROOT_TWO_OVER_PI)
    inner = power * (3 * CUBE * ROOT_TWO_OVER_PI) + ROOT_TWO_OVER_PI
    return (step + 1) * 0.5 + x * 0.5 * (1 - step * step) * inner


def _bend_of_gelu_tanh(x: Node) -> Node:
    """(1 - t²) (u' + x u'' / 2 - x t u'²) with t = tanh(u), u the cubic."""
    power = square(x)
    step = tanh(times(mul(x, plus(times(power, CUBE), 1)), ROOT_TWO_OVER_PI))
    inner = plus(times(power, 3 * CUBE * ROOT_TWO_OVER_PI), ROOT_TWO_OVER_PI)
    curved = plus(times(power, 6 * CUBE * ROOT_TWO_OVER_PI), ROOT_TWO_OVER_PI)
    return mul(sub(ones_like(x), square(step)), sub(curved, mul(mul(x, step), square(inner))))


gelu_tanh_slope = unary(
    "gelu_tanh_slope", in_single(_reference_gelu_tanh_slope), lambda grad, x: mul(grad, _bend_of_gelu_tanh(x))
)
"""The derivative of gelu_tanh."""

gelu_tanh = _activation("gelu_tanh", _reference_gelu_tanh, gelu_tanh_slope)
"""x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2"""

# --- x times the sigmoid of x ----------------------------------------------------------------------------------


def _reference_silu(x: Array) -> Array:
    return x * sigmoid.reference(x)


def _reference_silu_slope(x: Array) -> Array:
    share = sigmoid.reference(x)
    return share * (x * (1 - share) + 1)


def _bend_of_silu(x: Node) -> Node:
    """s (1 - s) (2 + x (1 - 2 s)) with s = sigmoid(x)"""
    share = sigmoid(x)
    rest = sub(ones_like(x), share)
    return mul(mul(share, rest), plus(mul(x, sub(rest, share)), 2))


silu_slope = unary("silu_slope", in_single(_reference_silu_slope), lambda grad, x: mul(grad, _bend_of_silu(x)))
"""The derivative of silu."""

silu = _activation("silu", _reference_silu, silu_slope)
"""x sigmoid(x), of real numbers"""

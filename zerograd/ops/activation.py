"""Smooth steps as ops of their own, where composing them would overflow or lose gradients."""

from __future__ import annotations

import numpy as np

from zerograd.ir.graph import Array
from zerograd.ops.elementwise import in_single, mul, sigmoid, unary


def _reference_softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


softplus = unary("softplus", in_single(_reference_softplus), lambda grad, x: mul(grad, sigmoid(x)))
"""log(1 + exp(x))"""

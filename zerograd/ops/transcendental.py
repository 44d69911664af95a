"""Exponentials, logarithms, angles and their inverses, of each element.

Every function has its own op, also where others could express it: ``log1p(x)`` is accurate where ``log(1 + x)``
is not.
"""

from __future__ import annotations

import math

import numpy as np

from zerograd.ir.graph import Array, Node
from zerograd.ops.elementwise import (
    abs,
    add,
    binary,
    both,
    conj,
    div,
    eq,
    exp,
    ge,
    in_single,
    le,
    mul,
    neg,
    plus,
    reciprocal,
    square,
    sub,
    times,
    unary,
    where,
    zeroed_where,
)
from zerograd.ops.source import filled, ones_like, zeros_like

LN2, LN10 = math.log(2), math.log(10)

# --- exponentials and logarithms ---------------------------------------------------------------------


def _reference_exp2(x: Array) -> Array:
    return np.exp(x * LN2) if x.dtype.kind == "c" else np.exp2(x)


exp2 = unary("exp2", in_single(_reference_exp2), lambda grad, out: mul(grad, conj(times(out, LN2))))
expm1 = unary("expm1", np.expm1, lambda grad, out: mul(grad, conj(plus(out, 1))))
log2 = unary("log2", in_single(np.log2), lambda grad, x: div(grad, conj(times(x, LN2))), domain=(0.1, 4))
log10 = unary("log10", in_single(np.log10), lambda grad, x: div(grad, conj(times(x, LN10))), domain=(0.1, 4))
log1p = unary("log1p", np.log1p, lambda grad, x: div(grad, conj(plus(x, 1))), domain=(-0.9, 4))


def _rsqrt_gradient(grad: Node, out: Node) -> Node:
    return mul(grad, conj(times(mul(out, mul(out, out)), -0.5)))


rsqrt = unary("rsqrt", in_single(lambda x: 1 / np.sqrt(x)), _rsqrt_gradient, domain=(0.1, 4))
"""1 / sqrt(x)"""


def _root_gradient(grad: Node, out: Node) -> Node:
    return zeroed_where(eq(out, zeros_like(out)), div(grad, conj(times(out, 2))))


root = unary("root", np.sqrt, _root_gradient, domain=(0.1, 4))
"""sqrt(x) whose gradient at 0 is 0: the last step of norms and standard deviations."""


def _logistic_share(grad: Node, mine: Node, other: Node) -> Node:
    return div(grad, conj(plus(exp(sub(other, mine)), 1)))


def _reference_logaddexp(x: Array, y: Array) -> Array:
    if x.dtype.kind != "c":
        return np.logaddexp(x, y)
    larger = np.where(np.real(x) >= np.real(y), x, y)
    smaller = np.where(np.real(x) >= np.real(y), y, x)
    return larger + np.log1p(np.exp(smaller - larger))


logaddexp = binary(
    "logaddexp",
    in_single(_reference_logaddexp),
    (lambda grad, x, y: _logistic_share(grad, x, y), lambda grad, x, y: _logistic_share(grad, y, x)),
)
"""log(exp(x) + exp(y))"""


logaddexp2 = binary(
    "logaddexp2",
    in_single(np.logaddexp2),
    (
        lambda grad, x, y: div(grad, plus(exp2(sub(y, x)), 1)),
        lambda grad, x, y: div(grad, plus(exp2(sub(x, y)), 1)),
    ),
)
"""log2(2 ** x + 2 ** y)"""


def _logit_gradient(grad: Node, x: Node) -> Node:
    zero, one = zeros_like(x), ones_like(x)
    slope = reciprocal(abs(mul(x, sub(one, x))))
    return where(both(ge(x, zero), le(x, one)), mul(grad, slope), filled(math.nan, x.type))


logit = unary("logit", in_single(lambda x: np.log(x / (1 - x))), _logit_gradient, domain=(0.1, 0.9))
"""log(x / (1 - x)), the inverse of the logistic function."""

# --- angles ------------------------------------------------------------------------------------------

tan = unary("tan", np.tan, lambda grad, out: mul(grad, conj(plus(mul(out, out), 1))), domain=(-1.4, 1.4))


def _beside_one(x: Node) -> Node:
    """1 - x²"""
    return sub(ones_like(x), mul(x, x))


asin = unary("asin", np.arcsin, lambda grad, x: mul(grad, conj(rsqrt(_beside_one(x)))), domain=(-0.9, 0.9))
acos = unary("acos", np.arccos, lambda grad, x: neg(mul(grad, conj(rsqrt(_beside_one(x))))), domain=(-0.9, 0.9))
atan = unary("atan", np.arctan, lambda grad, x: div(grad, conj(plus(mul(x, x), 1))))
sinh = unary("sinh", np.sinh, lambda grad, x: mul(grad, conj(cosh(x))))
cosh = unary("cosh", np.cosh, lambda grad, x: mul(grad, conj(sinh(x))))
asinh = unary("asinh", np.arcsinh, lambda grad, x: mul(grad, conj(rsqrt(plus(mul(x, x), 1)))))


def _acosh_gradient(grad: Node, x: Node) -> Node:
    if not x.dtype.is_complex:
        return mul(grad, rsqrt(plus(mul(x, x), -1)))
    return mul(grad, conj(mul(rsqrt(plus(x, -1)), rsqrt(plus(x, 1)))))


acosh = unary("acosh", np.arccosh, _acosh_gradient, domain=(1.1, 4))
atanh = unary("atanh", np.arctanh, lambda grad, x: div(grad, conj(_beside_one(x))), domain=(-0.9, 0.9))


def _over_square(grad: Node, numerator: Node, x: Node, y: Node) -> Node:
    """grad * numerator / (x² + y²), and 0 at the origin."""
    size = add(square(x), square(y))
    return zeroed_where(eq(size, zeros_like(size)), mul(grad, div(numerator, size)))


atan2 = binary(
    "atan2",
    in_single(np.arctan2),
    (lambda grad, x, y: _over_square(grad, y, x, y), lambda grad, x, y: _over_square(grad, neg(x), x, y)),
)
"""The angle of the point with ordinate x and abscissa y."""

hypot = binary(
    "hypot",
    in_single(np.hypot),
    (lambda grad, x, out: mul(grad, div(x, out)), lambda grad, y, out: mul(grad, div(y, out))),
    domain=(0.5, 2),
)
"""sqrt(x² + y²)"""

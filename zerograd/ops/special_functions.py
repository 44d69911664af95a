"""The special functions as ops, with their derivatives.

Their kernels stand in ``special``. Where PyTorch's result carries no gradient (Bessel and Airy functions,
orthogonal polynomials) neither does ours.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from zerograd import errors
from zerograd.ir.graph import Node, Op, Rule
from zerograd.ops.elementwise import (
    binary,
    both,
    conj,
    cos,
    div,
    eq,
    exp,
    le,
    log,
    mul,
    neg,
    plus,
    sign,
    square,
    sub,
    times,
    unary,
    where,
    zeroed_where,
)
from zerograd.ops.source import filled, ones_like, zeros_like
from zerograd.ops.special import kernel

TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


def is_zero(x: Node) -> Node:
    return eq(x, zeros_like(x))


def _gaussian(x: Node, rate: float) -> Node:
    """exp(rate * x²)"""
    return exp(times(square(x), rate))


def _unknown(name: str, input: str) -> Rule:
    """The rule of an input for which no derivative is known, here as in PyTorch."""

    def rule(grad: Node) -> Node:
        raise NotImplementedError(
            errors.message(
                f"the derivative of {name} with respect to '{input}' is not implemented",
                hint=f"pass {input}.detach() if its gradient is not needed",
            )
        )

    return rule


# --- the error function --------------------------------------------------------------------------------

erf = unary("erf", kernel("error_function.erf"), lambda grad, x: mul(grad, times(_gaussian(x, -1), TWO_OVER_ROOT_PI)))
erfc = unary(
    "erfc",
    kernel("error_function.erfc"),
    lambda grad, x: mul(grad, times(_gaussian(x, -1), -TWO_OVER_ROOT_PI)),
)
erfcx = unary(
    "erfcx",
    kernel("error_function.erfcx"),
    lambda grad, x, out: mul(grad, plus(times(mul(x, out), 2), -TWO_OVER_ROOT_PI)),
)
erfinv = unary(
    "erfinv",
    kernel("error_function.erfinv"),
    lambda grad, out: mul(grad, times(_gaussian(out, 1), 1 / TWO_OVER_ROOT_PI)),
    domain=(-0.9, 0.9),
)
ndtr = unary(
    "ndtr",
    kernel("error_function.ndtr"),
    lambda grad, x: mul(grad, times(_gaussian(x, -0.5), 1 / math.sqrt(2 * math.pi))),
)
ndtri = unary(
    "ndtri",
    kernel("error_function.ndtri"),
    lambda grad, out: mul(grad, times(_gaussian(out, 0.5), math.sqrt(2 * math.pi))),
    domain=(0.05, 0.95),
)
log_ndtr = unary(
    "log_ndtr",
    kernel("error_function.log_ndtr"),
    lambda grad, x: div(times(grad, math.sqrt(2 / math.pi)), erfcx(times(x, -math.sqrt(0.5)))),
)

# --- gamma and zeta ------------------------------------------------------------------------------------

lgamma = unary("lgamma", kernel("gamma.lgamma"), lambda grad, x: mul(grad, digamma(x)), domain=(0.5, 4))
digamma = unary("digamma", kernel("gamma.digamma"), lambda grad, x: mul(grad, polygamma(x, n=1)), domain=(0.5, 4))
polygamma = Op(
    "polygamma",
    lambda x, *, n: x,
    kernel("gamma.polygamma"),
    lambda grad, x, n: mul(grad, polygamma(x, n=n + 1)),
    domain=(0.5, 4),
    elementwise=True,
)
zeta = binary(
    "zeta",
    kernel("gamma.zeta"),
    (
        _unknown("zeta", "input"),
        lambda grad, x, y: neg(mul(mul(grad, x), zeta(plus(x, 1), y))),
    ),
    domain=(1.5, 4),
)


def _gamma_density(x: Node, y: Node) -> Node:
    """y**(x-1) exp(-y) / Γ(x)"""
    return exp(sub(sub(mul(plus(x, -1), log(y)), y), lgamma(x)))


igamma = binary(
    "igamma",
    kernel("incomplete_gamma.igamma"),
    (_unknown("igamma", "input"), lambda grad, x, y: mul(grad, _gamma_density(x, y))),
    domain=(0.5, 4),
)
"""P(x, y), the share of the gamma function of x below y."""

igammac = binary(
    "igammac",
    kernel("incomplete_gamma.igammac"),
    (_unknown("igammac", "input"), lambda grad, x, y: neg(mul(grad, _gamma_density(x, y)))),
    domain=(0.5, 4),
)
"""Q(x, y) = 1 - P(x, y)."""

# --- Bessel and Airy functions -------------------------------------------------------------------------


def _over(numerator: Node, x: Node) -> Node:
    """numerator / x, and no NaN at 0, where the caller puts a limit."""
    return div(numerator, where(is_zero(x), ones_like(x), x))


def _i1_gradient(grad: Node, x: Node, out: Node) -> Node:
    slope = sub(i0(x), _over(out, x))
    return mul(grad, where(is_zero(x), filled(0.5, x.type), slope))


def _i1e_gradient(grad: Node, x: Node, out: Node) -> Node:
    slope = sub(sub(i0e(x), mul(out, sign(x))), _over(out, x))
    return mul(grad, where(is_zero(x), filled(0.5, x.type), slope))


i0 = unary("i0", kernel("modified_bessel.i0"), lambda grad, x: mul(grad, i1(x)))
i0e = unary("i0e", kernel("modified_bessel.i0e"), lambda grad, x, out: mul(grad, sub(i1e(x), mul(sign(x), out))))
i1 = unary("i1", kernel("modified_bessel.i1"), _i1_gradient)
i1e = unary("i1e", kernel("modified_bessel.i1e"), _i1e_gradient)

bessel_j0 = unary("bessel_j0", kernel("bessel.bessel_j0"))
bessel_j1 = unary("bessel_j1", kernel("bessel.bessel_j1"))
bessel_y0 = unary("bessel_y0", kernel("bessel.bessel_y0"), domain=(0.1, 4))
bessel_y1 = unary("bessel_y1", kernel("bessel.bessel_y1"), domain=(0.1, 4))
modified_bessel_i0 = unary("modified_bessel_i0", kernel("modified_bessel.i0"))
modified_bessel_i1 = unary("modified_bessel_i1", kernel("modified_bessel.i1"))
modified_bessel_k0 = unary("modified_bessel_k0", kernel("modified_bessel.k0"), domain=(0.1, 4))
modified_bessel_k1 = unary("modified_bessel_k1", kernel("modified_bessel.k1"), domain=(0.1, 4))
scaled_modified_bessel_k0 = unary("scaled_modified_bessel_k0", kernel("modified_bessel.scaled_k0"), domain=(0.1, 4))
scaled_modified_bessel_k1 = unary("scaled_modified_bessel_k1", kernel("modified_bessel.scaled_k1"), domain=(0.1, 4))
spherical_bessel_j0 = unary("spherical_bessel_j0", kernel("bessel.spherical_bessel_j0"))
airy_ai = unary("airy_ai", kernel("bessel.airy_ai"))

# --- logarithms and sin(πx)/(πx) -----------------------------------------------------------------------

entr = unary("entr", kernel("logarithmic.entr"), lambda grad, x: mul(grad, neg(plus(log(x), 1))), domain=(0.1, 4))


def _where_it_counts(least: float) -> Rule:
    """The logarithm as a factor's gradient: 0 where the factor is 0 and the logarithm has no finite value."""

    def rule(grad: Node, x: Node, y: Node) -> Node:
        void = both(is_zero(x), le(y, filled(least, y.type)))
        return zeroed_where(void, (xlog1py if least else xlogy)(grad, y))

    return rule


xlogy = binary(
    "xlogy",
    kernel("logarithmic.xlogy"),
    (_where_it_counts(0), lambda grad, x, y: div(mul(grad, x), y)),
    domain=(0.1, 4),
)
xlog1py = binary(
    "xlog1py",
    kernel("logarithmic.xlog1py"),
    (_where_it_counts(-1), lambda grad, x, y: div(mul(grad, x), plus(y, 1))),
    domain=(0.1, 4),
)


_sinc_of_reals = kernel("logarithmic.sinc")


def _reference_sinc(x: Any) -> Any:
    if x.dtype.kind != "c":
        return _sinc_of_reals(x)
    angle = x * x.dtype.type(np.pi)
    zero = x == 0
    return np.where(zero, 1, np.sin(angle) / np.where(zero, 1, angle)).astype(x.dtype)


def _sinc_gradient(grad: Node, x: Node, out: Node) -> Node:
    slope = _over(sub(cos(times(x, math.pi)), out), x)
    return mul(grad, conj(zeroed_where(is_zero(x), slope)))


sinc = unary("sinc", _reference_sinc, _sinc_gradient)
"""sin(πx) / (πx), 1 at 0."""

# --- orthogonal polynomials: of x, of degree y -------------------------------------------------------------

chebyshev_polynomial_t = binary("chebyshev_polynomial_t", kernel("orthogonal.chebyshev_t"))
chebyshev_polynomial_u = binary("chebyshev_polynomial_u", kernel("orthogonal.chebyshev_u"))
chebyshev_polynomial_v = binary("chebyshev_polynomial_v", kernel("orthogonal.chebyshev_v"))
chebyshev_polynomial_w = binary("chebyshev_polynomial_w", kernel("orthogonal.chebyshev_w"))
shifted_chebyshev_polynomial_t = binary("shifted_chebyshev_polynomial_t", kernel("orthogonal.shifted_chebyshev_t"))
shifted_chebyshev_polynomial_u = binary("shifted_chebyshev_polynomial_u", kernel("orthogonal.shifted_chebyshev_u"))
shifted_chebyshev_polynomial_v = binary("shifted_chebyshev_polynomial_v", kernel("orthogonal.shifted_chebyshev_v"))
shifted_chebyshev_polynomial_w = binary("shifted_chebyshev_polynomial_w", kernel("orthogonal.shifted_chebyshev_w"))
hermite_polynomial_h = binary("hermite_polynomial_h", kernel("orthogonal.hermite_h"))
hermite_polynomial_he = binary("hermite_polynomial_he", kernel("orthogonal.hermite_he"))
laguerre_polynomial_l = binary("laguerre_polynomial_l", kernel("orthogonal.laguerre"))
legendre_polynomial_p = binary("legendre_polynomial_p", kernel("orthogonal.legendre"))

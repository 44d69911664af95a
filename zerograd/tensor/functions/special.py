"""The special functions of torch.special, as functions of tensors.

Integers and booleans are computed in the default float type. Complex numbers are refused, and half precision
where PyTorch has no kernel for it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Container
from typing import Any

from zerograd import errors
from zerograd.dtypes import bfloat16, dtype, float16
from zerograd.ir.graph import Node, Op
from zerograd.ops import elementwise
from zerograd.ops import special_functions as ops
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import accepts_out, apply, binary, common_dtype, floats, labelled, together, unary
from zerograd.tensor.functions.refusals import FLOATING, ORDERED, require, unsupported

Function = Callable[..., Any]

WIDE = ORDERED - {float16, bfloat16}


def _of_one(name: str, op: Op, meaning: str, allowed: Container[dtype] = ORDERED) -> Function:
    """The function of one tensor. ``name`` is PyTorch's internal one, which errors and grad_fn show."""

    def body(x: Node) -> Node:
        require(name, x, allowed)
        return op(floats(x))

    body.__name__ = name
    body.__doc__ = f"{meaning} Source: torch.{name.replace('special_', 'special.', 1)}."
    return unary(body)


def _of_two(name: str, op: Op, meaning: str, allowed: Container[dtype] = ORDERED) -> Function:
    """The function of two operands, one of which may be a number."""

    def body(x: Node, y: Node) -> Node:
        kind = common_dtype(x, y)
        if kind not in allowed:
            raise unsupported(name, kind)
        return op(*together(name, x, y, inexact=True))

    body.__name__ = name
    body.__doc__ = f"{meaning} Source: torch.{name.replace('special_', 'special.', 1)}."
    method = binary(body)

    @functools.wraps(method)
    def function(input: Any, other: Any, *, out: Any = None) -> Any:
        if not (isinstance(input, TensorBase) or isinstance(other, TensorBase)):
            kinds = f"{type(input).__name__} and {type(other).__name__}"
            raise errors.type_(f"{name}(): one of the two arguments must be a Tensor, got {kinds}")
        return method(input, other, out=out)

    return function


def _require_tensor(name: str, position: int, input: Any) -> None:
    if not isinstance(input, TensorBase):
        raise errors.type_(
            f"{name}(): argument 'input' (position {position}) must be Tensor, not {type(input).__name__}"
        )


def _require_int(name: str, argument: str, position: int, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise errors.type_(
            f"{name}(): argument '{argument}' (position {position}) must be int, not {type(value).__name__}"
        )


# --- the error function -------------------------------------------------------------------------------

erf = _of_one("erf", ops.erf, "2/√π times the integral of exp(-t²) from 0 to each element.")
erfc = _of_one("erfc", ops.erfc, "1 - erf of each element, accurate where that is small.")
erfcx = _of_one("special_erfcx", ops.erfcx, "exp(x²) erfc(x) of each element x.", WIDE)
erfinv = _of_one("erfinv", ops.erfinv, "The x with erf(x) = each element; ±inf at ±1, NaN beyond.")
ndtri = _of_one("special_ndtri", ops.ndtri, "The standard normal quantile of each element.", WIDE)
log_ndtr = _of_one("special_log_ndtr", ops.log_ndtr, "log(ndtr) of each element.", WIDE)


@labelled("MulBackward1")  # PyTorch composes it
def _ndtr(x: Node) -> Node:
    """The standard normal distribution function of each element. Source: torch.special.ndtr."""
    require("special_ndtr", x, ORDERED)
    return ops.ndtr(floats(x))


ndtr = unary(_ndtr)

# --- gamma and zeta -----------------------------------------------------------------------------------

lgamma = _of_one("lgamma", ops.lgamma, "log |Γ(x)| of each element x.")
digamma = _of_one("digamma", ops.digamma, "The derivative of log Γ(x) at each element x.")
zeta = _of_two(
    "special_zeta", ops.zeta, "The Hurwitz zeta function: the sum of (other + k) ** -input over k >= 0.", WIDE
)


def _polygamma(x: Node, n: int) -> Node:
    require("polygamma", x, ORDERED)
    return ops.polygamma(floats(x), n=n)


@accepts_out
def polygamma(n: int, input: Any) -> Any:
    """The nth derivative of digamma at each element, n >= 0.

    Raises:
        RuntimeError: n is negative.
    Source: torch.polygamma.
    """
    _require_int("polygamma", "n", 1, n)
    _require_tensor("polygamma", 2, input)
    if n < 0:
        raise errors.runtime(f"polygamma: there is no derivative number {n}; n counts from 0")
    return apply(_polygamma, (input,), (n,))


def _polygamma_method(self: Any, n: int) -> Any:
    """The nth derivative of digamma at each element. Source: torch.Tensor.polygamma."""
    return polygamma(n, self)


_polygamma_method.__name__ = "polygamma"


def _mvlgamma(x: Node, p: int) -> Node:
    require("mvlgamma", x, ORDERED)
    x = floats(x)
    total = ops.lgamma(x)
    for j in range(1, p):
        total = elementwise.add(total, ops.lgamma(elementwise.plus(x, -j / 2)))
    return elementwise.plus(total, p * (p - 1) / 4 * math.log(math.pi))


@accepts_out
def mvlgamma(input: Any, p: int) -> Any:
    """The logarithm of the multivariate gamma function of dimension p, of each element.

    Raises:
        RuntimeError: p < 1.
    Source: torch.mvlgamma.
    """
    _require_tensor("mvlgamma", 1, input)
    _require_int("mvlgamma", "p", 2, p)
    if p < 1:
        raise errors.runtime(f"mvlgamma: the dimension p is 1 or more, got {p}")
    return apply(_mvlgamma, (input,), (p,))


def _incomplete(name: str, op: Op, meaning: str) -> Function:
    def body(x: Node, y: Node) -> Node:
        kind = common_dtype(x, y)
        if kind not in FLOATING:
            raise unsupported(name, kind, hint="convert one of the operands with .float()")
        return op(*together(name, x, y))

    body.__name__ = name
    body.__doc__ = f"{meaning} Source: torch.{name}."
    return binary(body, left=False, right=False)


igamma = _incomplete("igamma", ops.igamma, "The regularised lower incomplete gamma function P(input, other).")
igammac = _incomplete("igammac", ops.igammac, "1 - igamma(input, other), accurate where that is small.")

# --- Bessel and Airy functions; all but the first four without gradients, as in PyTorch ---------------

i0 = _of_one("i0", ops.i0, "The modified Bessel function I₀.")
i0e = _of_one("special_i0e", ops.i0e, "exp(-|x|) I₀(x) of each element x.")
i1 = _of_one("special_i1", ops.i1, "The modified Bessel function I₁.")
i1e = _of_one("special_i1e", ops.i1e, "exp(-|x|) I₁(x) of each element x.")
bessel_j0 = _of_one("special_bessel_j0", ops.bessel_j0, "The Bessel function J₀.", WIDE)
bessel_j1 = _of_one("special_bessel_j1", ops.bessel_j1, "The Bessel function J₁.", WIDE)
bessel_y0 = _of_one("special_bessel_y0", ops.bessel_y0, "The Bessel function Y₀.", WIDE)
bessel_y1 = _of_one("special_bessel_y1", ops.bessel_y1, "The Bessel function Y₁.", WIDE)
modified_bessel_i0 = _of_one(
    "special_modified_bessel_i0", ops.modified_bessel_i0, "The modified Bessel function I₀.", WIDE
)
modified_bessel_i1 = _of_one(
    "special_modified_bessel_i1", ops.modified_bessel_i1, "The modified Bessel function I₁.", WIDE
)
modified_bessel_k0 = _of_one(
    "special_modified_bessel_k0", ops.modified_bessel_k0, "The modified Bessel function K₀.", WIDE
)
modified_bessel_k1 = _of_one(
    "special_modified_bessel_k1", ops.modified_bessel_k1, "The modified Bessel function K₁.", WIDE
)
scaled_modified_bessel_k0 = _of_one(
    "special_scaled_modified_bessel_k0",
    ops.scaled_modified_bessel_k0,
    "exp(x) K₀(x) of each x.",
    WIDE,
)
scaled_modified_bessel_k1 = _of_one(
    "special_scaled_modified_bessel_k1",
    ops.scaled_modified_bessel_k1,
    "exp(x) K₁(x) of each x.",
    WIDE,
)
spherical_bessel_j0 = _of_one(
    "special_spherical_bessel_j0", ops.spherical_bessel_j0, "sin(x)/x of each element x.", WIDE
)
airy_ai = _of_one("special_airy_ai", ops.airy_ai, "The Airy function Ai.", WIDE)

# --- logarithms and sin(πx)/(πx) ----------------------------------------------------------------------

entr = _of_one("special_entr", ops.entr, "-x log(x) of each element x; 0 at 0, -inf below.")
xlogy = _of_two("xlogy", ops.xlogy, "input * log(other), but 0 where input is 0 and other is not NaN.")
xlog1py = _of_two("special_xlog1py", ops.xlog1py, "input * log1p(other), but 0 where input is 0 and other is not NaN.")


@labelled("SincBackward0")
def _sinc(x: Node) -> Node:
    """sin(πx)/(πx) of each element x, 1 at 0. Source: torch.sinc."""
    return ops.sinc(floats(x))


sinc = unary(_sinc)


# --- orthogonal polynomials: of input, of degree n, without gradients ---------------------------------


def _polynomial(name: str, op: Op, family: str) -> Function:
    meaning = f"The {family} polynomial of degree n at each element; 0 for negative n."
    two = _of_two(f"special_{name}", op, meaning, WIDE)

    def function(input: Any, n: Any, *, out: Any = None) -> Any:
        return two(input, n, out=out)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = two.__doc__
    return function


chebyshev_polynomial_t = _polynomial("chebyshev_polynomial_t", ops.chebyshev_polynomial_t, "first Chebyshev")
chebyshev_polynomial_u = _polynomial("chebyshev_polynomial_u", ops.chebyshev_polynomial_u, "second Chebyshev")
chebyshev_polynomial_v = _polynomial("chebyshev_polynomial_v", ops.chebyshev_polynomial_v, "third Chebyshev")
chebyshev_polynomial_w = _polynomial("chebyshev_polynomial_w", ops.chebyshev_polynomial_w, "fourth Chebyshev")
shifted_chebyshev_polynomial_t = _polynomial(
    "shifted_chebyshev_polynomial_t", ops.shifted_chebyshev_polynomial_t, "first shifted Chebyshev"
)
shifted_chebyshev_polynomial_u = _polynomial(
    "shifted_chebyshev_polynomial_u", ops.shifted_chebyshev_polynomial_u, "second shifted Chebyshev"
)
shifted_chebyshev_polynomial_v = _polynomial(
    "shifted_chebyshev_polynomial_v", ops.shifted_chebyshev_polynomial_v, "third shifted Chebyshev"
)
shifted_chebyshev_polynomial_w = _polynomial(
    "shifted_chebyshev_polynomial_w", ops.shifted_chebyshev_polynomial_w, "fourth shifted Chebyshev"
)
hermite_polynomial_h = _polynomial("hermite_polynomial_h", ops.hermite_polynomial_h, "physicists' Hermite")
hermite_polynomial_he = _polynomial("hermite_polynomial_he", ops.hermite_polynomial_he, "probabilists' Hermite")
laguerre_polynomial_l = _polynomial("laguerre_polynomial_l", ops.laguerre_polynomial_l, "Laguerre")
legendre_polynomial_p = _polynomial("legendre_polynomial_p", ops.legendre_polynomial_p, "Legendre")

METHODS = {
    "digamma": digamma, "erf": erf, "erfc": erfc, "erfinv": erfinv, "i0": i0, "igamma": igamma,
    "igammac": igammac, "lgamma": lgamma, "mvlgamma": mvlgamma, "polygamma": _polygamma_method,
    "sinc": sinc, "xlogy": xlogy,
}  # fmt: skip
IN_PLACE = tuple(METHODS)

"""What the result of one op may be off, in an engine that is given the reference's operands.

The bound has two parts. What the *reference* is off is measured, by computing the op in a wider type; what the
*engine* may be off stands here. So a wrong digit of NumPy's does no harm, and none is granted to the engine.

Kinds, by op:

    exact      the same bits (NaN as NaN), except for the sign of a zero where the table says so
    rounded    so many units in the last place
    summed     eps * terms_factor(n) * the sum of the sizes of the n terms

16-bit floats compute in float32 and round once: at a border between two of them the results may be neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from zerograd import dtypes
from zerograd.dtypes import dtype


def words(text: str) -> tuple[str, ...]:
    """The names in a table."""
    return tuple(text.split())


@dataclass(frozen=True)
class Freedoms:
    """What an engine may do beyond rounding each op by itself.

    Attributes:
        contraction: a product may enter a sum unrounded (a fused multiply-add).
        wide_halves: 16-bit values that only the same kernel reads may stay in float32.
        ulps: a factor on every bound that is not 0.
    """

    contraction: bool = False
    wide_halves: bool = False
    ulps: float = 1.0


STRICT: Final = Freedoms()

ROUNDED: Final = {
    4.0: "exp exp2 expm1 log log2 log10 log1p tanh sin cos sigmoid erf erfc rsqrt lerp",
    8.0: """pow tan asin acos atan atan2 sinh cosh asinh acosh atanh hypot logit logaddexp logaddexp2 softplus
            binary_cross_entropy angle sinc entr xlogy xlog1py remainder fmod div_floor div_trunc gelu gelu_slope
            gelu_tanh gelu_tanh_slope silu silu_slope lgamma digamma erfinv ndtri""",
    32.0: """erfcx ndtr log_ndtr polygamma zeta igamma igammac i0 i0e i1 i1e
             bessel_j0 bessel_j1 bessel_y0 bessel_y1 modified_bessel_i0 modified_bessel_i1 modified_bessel_k0
             modified_bessel_k1 scaled_modified_bessel_k0 scaled_modified_bessel_k1 spherical_bessel_j0 airy_ai
             chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v chebyshev_polynomial_w
             shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v
             shifted_chebyshev_polynomial_w hermite_polynomial_h hermite_polynomial_he laguerre_polynomial_l
             legendre_polynomial_p ramp spaced""",
    256.0: "inverse solve solve_triangular cofactor det slogdet cholesky qr eigh svd eig lu_factor ctc ctc_gradient",
}
ULPS: Final = {name: ulps for ulps, names in ROUNDED.items() for name in names.split()}
"""Units in the last place; for matrices (256) in units of the largest element."""

COMPLEX_ULPS: Final[dict[str, float]] = dict.fromkeys(
    ("mul", "div", "square", "reciprocal", "sqrt", "root", "abs", "sign"), 8.0
)
"""Exact for real numbers only."""

ABSOLUTE: Final[dict[str, float]] = dict.fromkeys(
    [
        "sin",
        "cos",
        "tan",
        "lgamma",
        "digamma",
        "log",
        "logaddexp",
        "logaddexp2",
        "logit",
        "softplus",
        "binary_cross_entropy",
        "xlogy",
        "xlog1py",
        "entr",
        "sinc",
        "bessel_j0",
        "bessel_j1",
        "bessel_y0",
        "bessel_y1",
        "airy_ai",
        "spherical_bessel_j0",
        "polygamma",
        "acosh",
        "asinh",
        "atanh",
        "erfinv",
        "ndtri",
    ],
    1.0,
)
"""Units of eps that are added: functions that pass 0 where their argument is no exact number."""
ABSOLUTE["log"] = 0.25
ABSOLUTE.update(lgamma=16.0, digamma=16.0)  # left of 0 a difference
ABSOLUTE.update(gelu=8.0, gelu_slope=8.0, gelu_tanh=8.0, gelu_tanh_slope=16.0, silu_slope=8.0)  # 1 - 1, times x

SIGN_OF_ZERO_IS_FREE: Final = frozenset(
    words("""maximum minimum clamp clamp_min clamp_max relu fmax fmin max min max_at min_at cummax cummin max_pool sum
             matmul conv conv_input conv_weight fold resample cumsum recurrence index_write scatter_add scatter_fold var
             norm lerp pow fourier half_fourier whole remainder fmod div_floor div_trunc prod cumprod""")
)

FREE_SIGN: Final = 1e-200
"""The bound of a value that is 0 or -0."""


def terms_factor(n: float) -> float:
    """How many eps a sum of n terms may be off, relative to the sum of their sizes.

    In any order the error is below n - 1; in the orders of real engines it is a walk of about sqrt(n) steps at worst.
    """
    return 0.0 if n <= 1 else min(n, 8.0 + 2.0 * math.sqrt(n))


def computing(kind: dtype) -> dtype:
    """The type in which a type computes: float32 for 16-bit floats."""
    return dtypes.float32 if is_half(kind) else kind


def eps(kind: dtype) -> float:
    """The distance from 1 to the next number of the type in which a type computes."""
    return own_eps(computing(kind))


def own_eps(kind: dtype) -> float:
    """The distance from 1 to the next number of a float or complex type itself."""
    return float(kind.to_real().limits.eps)


def is_half(kind: dtype) -> bool:
    return kind.is_floating_point and kind.itemsize == 2


def smallest(kind: dtype) -> float:
    """The smallest positive number of a float or complex type."""
    limits: Any = kind.to_real().limits
    return float(limits.smallest_subnormal)


def largest(kind: dtype) -> float:
    """The largest finite number of a float or complex type."""
    return float(kind.to_real().limits.max)

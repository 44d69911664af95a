"""The special functions compute what torch.special computes, in every float type, poles included.

PyTorch's float64 result is the expectation for all types: its float32 kernels are less exact than ours. Where
even that has few digits, the tolerance here is PyTorch's, and the identities below hold ours to twelve.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ml_dtypes
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import special

from zerograd.ops.special import bessel, error_function, gamma, incomplete_gamma, logarithmic, orthogonal
from zerograd.ops.special import modified_bessel as modified

ROUNDING = {np.float16: 2.0**-10, ml_dtypes.bfloat16: 2.0**-7, np.float32: 4e-7, np.float64: 0.0}
EDGES = np.array(
    [
        0.0,
        -0.0,
        np.nan,
        np.inf,
        -np.inf,
        1.0,
        -1.0,
        2.0,
        -2.0,
        0.5,
        -0.5,
        1e-30,
        -1e-30,
        1e30,
        -1e30,
        3.0,
        -3.5,
    ]
)
by_name = lambda kind: kind.__name__  # noqa: E731


@dataclass(frozen=True)
class Case:
    """A kernel, PyTorch's function, and where to compare them.

    Attributes:
        ranges: an interval for each argument.
        rtol, atol: what PyTorch's own float64 result is worth.
        odd: edges where PyTorch's answer is an accident that we do not repeat.
    """

    name: str
    ours: Callable[..., np.ndarray]
    theirs: Callable[..., torch.Tensor]
    ranges: tuple[tuple[float, float], ...]
    rtol: float = 1e-12
    atol: float = 0.0
    odd: tuple[float, ...] = ()

    def __str__(self) -> str:
        return self.name

    def expected(self, *arrays: np.ndarray) -> np.ndarray:
        wide = [torch.from_numpy(array.astype(np.float64)) for array in arrays]
        return self.theirs(*wide).numpy()


def polygamma(n: int) -> Case:
    # At the poles of trigamma PyTorch divides by sin(π), which is not quite 0, instead of answering inf.
    return Case(
        f"polygamma({n})",
        lambda x: gamma.polygamma(x, n=n),
        lambda x: special.polygamma(n, x),
        ((0.01, 30.0),),
        rtol=1e-8 if n == 1 else 1e-12,
        odd=(-1.0, -2.0, -1e30, -np.inf) if n == 1 else (),
    )


CASES = [
    Case("erf", error_function.erf, special.erf, ((-7, 7),)),
    Case("erfc", error_function.erfc, special.erfc, ((-7, 26),), 1e-11),
    Case("erfcx", error_function.erfcx, special.erfcx, ((-26, 200),), 1e-11),
    Case("erfinv", error_function.erfinv, special.erfinv, ((-1, 1),)),
    Case("ndtr", error_function.ndtr, special.ndtr, ((-12, 9),), atol=1e-16),
    Case("ndtri", error_function.ndtri, special.ndtri, ((0, 1),)),
    Case("log_ndtr", error_function.log_ndtr, special.log_ndtr, ((-100, 8),), 1e-11),
    Case("lgamma", gamma.lgamma, torch.lgamma, ((-30, 60),), 1e-11, 1e-12),
    Case("digamma", gamma.digamma, torch.digamma, ((-30, 60),), 1e-9, 1e-12),
    *map(polygamma, (0, 1, 2, 3, 4, 10)),
    # PyTorch's series for a huge first argument overflows to NaN where the sum is 0.
    Case("zeta", gamma.zeta, special.zeta, ((1, 40), (0.1, 60)), odd=(1e30, np.inf)),
    Case("igamma", incomplete_gamma.igamma, special.gammainc, ((0, 300), (0, 400)), 1e-7, 1e-300),
    Case("igammac", incomplete_gamma.igammac, special.gammaincc, ((0, 300), (0, 400)), 1e-7, 1e-300),
    Case("igamma, small", incomplete_gamma.igamma, special.gammainc, ((0, 3), (0, 4)), 1e-11),
    Case("igammac, small", incomplete_gamma.igammac, special.gammaincc, ((0, 3), (0, 4)), 1e-11),
    Case("i0", modified.i0, special.i0, ((-80, 80),)),
    Case("i0e", modified.i0e, special.i0e, ((-80, 80),)),
    Case("i1", modified.i1, special.i1, ((-80, 80),)),
    Case("i1e", modified.i1e, special.i1e, ((-80, 80),)),
    Case("modified_bessel_i0", modified.i0, special.modified_bessel_i0, ((-80, 80),)),
    Case("modified_bessel_i1", modified.i1, special.modified_bessel_i1, ((-80, 80),)),
    Case("modified_bessel_k0", modified.k0, special.modified_bessel_k0, ((0, 80),)),
    Case("modified_bessel_k1", modified.k1, special.modified_bessel_k1, ((0, 80),)),
    Case("scaled_k0", modified.scaled_k0, special.scaled_modified_bessel_k0, ((0, 80),)),
    Case("scaled_k1", modified.scaled_k1, special.scaled_modified_bessel_k1, ((0, 80),)),
    Case("bessel_j0", bessel.bessel_j0, special.bessel_j0, ((-50, 50),), 1e-7, 1e-6),
    Case("bessel_j1", bessel.bessel_j1, special.bessel_j1, ((-50, 50),), 1e-7, 1e-6),
    Case("bessel_y0", bessel.bessel_y0, special.bessel_y0, ((0, 50),), 1e-7, 1e-6),
    Case("bessel_y1", bessel.bessel_y1, special.bessel_y1, ((0, 50),), 1e-7, 2e-6),
    Case("spherical_bessel_j0", bessel.spherical_bessel_j0, special.spherical_bessel_j0, ((-50, 50),)),
    # PyTorch squares -1e30 to infinity in float32.
    Case("airy_ai", bessel.airy_ai, special.airy_ai, ((-20, 20),), 1e-7, 1e-5, odd=(-1e30,)),
    Case("entr", logarithmic.entr, special.entr, ((0, 5),)),
    Case("xlogy", logarithmic.xlogy, special.xlogy, ((-5, 5), (0, 9))),
    Case("xlog1py", logarithmic.xlog1py, special.xlog1py, ((-5, 5), (-1, 9))),
]


@pytest.mark.parametrize("kind", ROUNDING, ids=by_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_are_torchs(case: Case, kind: type) -> None:
    generator = np.random.default_rng(7)
    arrays = [generator.uniform(low, high, 2000).astype(kind) for low, high in case.ranges]
    with np.errstate(over="ignore"):
        wanted = case.expected(*arrays).astype(kind)
    result = case.ours(*arrays)
    assert result.dtype == kind
    tolerance = {"rtol": max(case.rtol, ROUNDING[kind]), "atol": case.atol}
    assert_allclose(result.astype(np.float64), wanted.astype(np.float64), **tolerance)


@pytest.mark.parametrize("kind", [np.float32, np.float64], ids=by_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_poles_and_infinities_are_torchs(case: Case, kind: type) -> None:
    edges = EDGES[~np.isin(EDGES, case.odd)].astype(kind)
    arrays = [array.ravel() for array in np.meshgrid(*[edges] * len(case.ranges))]
    wanted = case.theirs(*map(torch.from_numpy, arrays)).numpy()
    assert_allclose(case.ours(*arrays), wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", [np.float32, np.float64], ids=by_name)
def test_sinc_is_torchs(kind: type) -> None:
    # At whole numbers both show the rounding of π in the type, so the comparison is within each type.
    x = np.concatenate([np.linspace(-9, 9, 1001), EDGES]).astype(kind)
    wanted = special.sinc(torch.from_numpy(x)).numpy()
    assert_allclose(logarithmic.sinc(x), wanted, rtol=1e-6, atol=4 * np.finfo(kind).eps)


POLYNOMIALS = {
    "chebyshev_polynomial_t": orthogonal.chebyshev_t,
    "chebyshev_polynomial_u": orthogonal.chebyshev_u,
    "chebyshev_polynomial_v": orthogonal.chebyshev_v,
    "chebyshev_polynomial_w": orthogonal.chebyshev_w,
    "shifted_chebyshev_polynomial_t": orthogonal.shifted_chebyshev_t,
    "shifted_chebyshev_polynomial_u": orthogonal.shifted_chebyshev_u,
    "shifted_chebyshev_polynomial_v": orthogonal.shifted_chebyshev_v,
    "shifted_chebyshev_polynomial_w": orthogonal.shifted_chebyshev_w,
    "hermite_polynomial_h": orthogonal.hermite_h,
    "hermite_polynomial_he": orthogonal.hermite_he,
    "laguerre_polynomial_l": orthogonal.laguerre,
    "legendre_polynomial_p": orthogonal.legendre,
}


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_orthogonal_polynomials_are_torchs(name: str) -> None:
    points = np.concatenate([np.linspace(-3, 3, 61), [0.01, 0.99, -0.99]])  # at NaN PyTorch answers by accident
    degrees = np.array([-2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 25, 2.9])
    x, n = (array.ravel() for array in np.meshgrid(points, degrees))
    wanted = getattr(special, name)(torch.from_numpy(x), torch.from_numpy(n)).numpy()
    assert_allclose(POLYNOMIALS[name](x, n), wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("kind", "last"), [(np.float32, 128), (np.float64, 512)], ids=str)
def test_hermite_polynomials_end_where_torchs_do(kind: type, last: int) -> None:
    n = np.array([last + 1, 2 * last, np.inf, np.nan, -np.inf], kind)
    x = np.full_like(n, 0.3)
    wanted = special.hermite_polynomial_h(torch.from_numpy(x), torch.from_numpy(n)).numpy()
    assert_array_equal(orthogonal.hermite_h(x, n), wanted)


# --------------------------------------------------------------------- twelve digits, without PyTorch

X = np.concatenate([np.geomspace(1e-8, 40, 400), np.linspace(0.05, 20, 400)])
i0, i1, k0, k1 = (function(X) for function in (modified.i0, modified.i1, modified.k0, modified.k1))
j0, j1, y0, y1 = (f(X) for f in (bessel.bessel_j0, bessel.bessel_j1, bessel.bessel_y0, bessel.bessel_y1))
lower, upper = incomplete_gamma.igamma, incomplete_gamma.igammac
A = np.repeat(np.geomspace(0.01, 3000, 40), 40)
T = A * np.tile(np.geomspace(0.3, 3, 40), 40)
FIRST_TERM = np.exp(A * np.log(T) - T - gamma.lgamma(A + 1))

IDENTITIES = {
    "Wronskian of I and K, DLMF 10.28.2": (X * (i0 * k1 + i1 * k0), np.ones_like(X)),
    "Wronskian of J and Y, DLMF 10.5.2": (X * (j1 * y0 - j0 * y1), np.full_like(X, 2 / np.pi)),
    "recurrence of lgamma": (gamma.lgamma(X + 1), gamma.lgamma(X) + np.log(X)),
    "duplication of digamma, DLMF 5.5.8": (
        gamma.digamma(2 * X), (gamma.digamma(X) + gamma.digamma(X + 0.5)) / 2 + np.log(2)
    ),
    "reflection of polygamma(3), DLMF 5.15.6": (
        gamma.polygamma(0.5 - X / 50, n=3) + gamma.polygamma(0.5 + X / 50, n=3),
        2 * np.pi**4 * (1 + 3 * np.tan(np.pi * X / 50) ** 2) / np.cos(np.pi * X / 50) ** 2,
    ),
    "even zeta values, DLMF 25.6.1": (
        gamma.zeta(np.array([2.0, 4.0, 6.0]), np.ones(3)),
        np.array([np.pi**2 / 6, np.pi**4 / 90, np.pi**6 / 945]),
    ),
    "P + Q = 1": (lower(A, T) + upper(A, T), np.ones_like(A)),
    "recurrence of P, DLMF 8.8.5": (lower(A + 1, T) + FIRST_TERM, lower(A, T)),
    "recurrence of Q, DLMF 8.8.6": (upper(A, T) + FIRST_TERM, upper(A + 1, T)),
    "erf(erfinv(y)) = y": (
        error_function.erf(error_function.erfinv(np.linspace(-1, 1, 999))), np.linspace(-1, 1, 999)
    ),
    "log_ndtr(ndtri(p)) = log(p)": (
        error_function.log_ndtr(error_function.ndtri(np.geomspace(1e-300, 1, 999))),
        np.log(np.geomspace(1e-300, 1, 999)),
    ),
    "erfc(x) = exp(-x²) erfcx(x)": (
        error_function.erfc(X[X < 10]), np.exp(-X[X < 10] ** 2) * error_function.erfcx(X[X < 10])
    ),
    # Computed with mpmath.
    "Airy values": (
        bessel.airy_ai(np.array([-9.5, -7.0, -5.5, -3.0, -1.5, 1.0, 2.5, 10.0, 60.0])),
        np.array([
            0.3191032477191282, 0.18428083525050565, 0.017781541276574976, -0.37881429367765806,
            0.4642565777488694, 0.13529241631288141, 0.01572592338047049, 1.1047532552898686e-10,
            2.7831487094969354e-136
        ]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", IDENTITIES)
def test_identities_hold_to_twelve_digits(name: str) -> None:
    left, right = IDENTITIES[name]
    assert_allclose(left, right, rtol=1e-12, atol=1e-14)


def test_small_types_go_through_blocks_without_a_seam() -> None:
    x = np.linspace(-4, 4, 20_001, dtype=np.float32)
    whole = error_function.erf(x)
    parts = np.concatenate([error_function.erf(part) for part in np.array_split(x, 7)])
    assert_array_equal(whole, parts)
    assert_array_equal(error_function.erf(x.reshape(3, 59, 113)), whole.reshape(3, 59, 113))


def test_the_fast_single_precision_erf_is_exact_to_four_units() -> None:
    x = np.concatenate([np.linspace(-5, 5, 200_001), np.geomspace(1e-38, 1, 5000), [np.inf, -np.inf, 3e38]])
    x = x.astype(np.float32)
    exact = error_function.erf(x.astype(np.float64))
    units = np.abs(error_function.erf(x) - exact) / np.spacing(np.abs(exact).astype(np.float32))
    assert units.max() <= 4

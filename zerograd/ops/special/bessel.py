"""Bessel functions of orders 0 and 1, spherical Bessel j0 and the Airy function Ai.

Up to 8 polynomials fitted in x²; beyond, the amplitude and phase forms DLMF 10.17.3 and 9.7.9 with fitted
amplitudes. Values near a zero have the absolute, not the relative accuracy of float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from zerograd.ir.graph import Array
from zerograd.ops.special import tables
from zerograd.ops.special.evaluation import Kernel, at_every_width, piecewise, polynomial

FITTED_UP_TO = 8.0


def _even_part(near: Sequence[float], middle: Sequence[float]) -> Kernel:
    """A function fitted in x² on [0, 4] and [4, 8]."""

    def formula(x: Array) -> Array:
        square = x * x
        return piecewise(
            (square,),
            (square <= 16, lambda square: polynomial(square / 8 - 1, near)),
            (square > 16, lambda square: polynomial((square - 40) / 24, middle)),
        )

    return formula


_j0_near = _even_part(tables.J0_NEAR, tables.J0_MIDDLE)
_j1_near = _even_part(tables.J1_NEAR, tables.J1_MIDDLE)  # J1(x) / x
_y0_near = _even_part(tables.Y0_NEAR, tables.Y0_MIDDLE)
_y1_near = _even_part(tables.Y1_NEAR, tables.Y1_MIDDLE)


def _amplitudes(x: Array, order: int) -> tuple[Array, Array]:
    """√(2/(πx)) times P and Q of DLMF 10.17.3, for x >= 8."""
    p, q = ((tables.P0, tables.Q0), (tables.P1, tables.Q1))[order]
    t = 128 / x / x - 1
    scale = np.sqrt(2 / np.pi / x)
    return scale * polynomial(t, p), scale / x * polynomial(t, q)


def _phase(x: Array, order: int) -> tuple[Array, Array]:
    """cos and sin of x - (order/2 + 1/4)π, from those of x, which NumPy reduces exactly."""
    c, s = np.cos(x), np.sin(x)
    cosine, sine = (c + s) * math.sqrt(0.5), (s - c) * math.sqrt(0.5)
    return (cosine, sine) if order == 0 else (sine, -cosine)


def _first_kind_far(x: Array, order: int) -> Array:
    p, q = _amplitudes(x, order)
    cosine, sine = _phase(x, order)
    return p * cosine - q * sine


def _second_kind_far(x: Array, order: int) -> Array:
    p, q = _amplitudes(x, order)
    cosine, sine = _phase(x, order)
    return p * sine + q * cosine


def _j0(x: Array) -> Array:
    size = np.abs(x)
    return piecewise((size,), (size <= FITTED_UP_TO, _j0_near), (np.isfinite(size), lambda x: _first_kind_far(x, 0)))


def _j1(x: Array) -> Array:
    size = np.abs(x)
    result = piecewise(
        (size,),
        (size <= FITTED_UP_TO, lambda x: x * _j1_near(x)),
        (np.isfinite(size), lambda x: _first_kind_far(x, 1)),
    )
    return np.where(x < 0, -result, result)


def _y0(x: Array) -> Array:
    return piecewise(
        (x,),
        (x == 0, -np.inf),
        (x < 0, np.nan),
        (x <= FITTED_UP_TO, lambda x: 2 / np.pi * np.log(x) * _j0_near(x) + _y0_near(x)),
        (np.isfinite(x), lambda x: _second_kind_far(x, 0)),
    )


def _y1(x: Array) -> Array:
    def near(x: Array) -> Array:
        return x * (2 / np.pi * np.log(x) * _j1_near(x) + _y1_near(x)) - 2 / np.pi / x

    return piecewise(
        (x,),
        (x == 0, -np.inf),
        (x < 0, np.nan),
        (x <= FITTED_UP_TO, near),
        (np.isfinite(x), lambda x: _second_kind_far(x, 1)),
    )


def _spherical_j0(x: Array) -> Array:
    return piecewise((x,), (np.isinf(x), 0.0), (x == 0, 1.0), (x != 0, lambda x: np.sin(x) / x))


# ------------------------------------------------------------------------------------------- Airy

AIRY_VANISHES = 103.892  # PyTorch answers 0 from here; Ai is 5e-308
_AIRY_PIECES = (
    (0.0, tables.AIRY_NEAR),
    (-2.0, tables.AIRY_M2),
    (-4.0, tables.AIRY_M4),
    (-6.0, tables.AIRY_M6),
    (-8.0, tables.AIRY_M8),
)


def _airy_ai(x: Array) -> Array:
    at_two = 4 / 3 * math.sqrt(2)

    def right(x: Array) -> Array:
        zeta = 2 / 3 * x * np.sqrt(x)
        scale = 2 * math.sqrt(math.pi) * np.sqrt(np.sqrt(x))
        return np.exp(-zeta) / scale * polynomial(2 * at_two / zeta - 1, tables.AIRY_RIGHT)

    def left(x: Array) -> Array:
        x = -x
        zeta = 2 / 3 * x * np.sqrt(x)
        t = 2 * (8 * at_two / zeta) ** 2 - 1
        c, s = np.cos(zeta), np.sin(zeta)
        p, q = polynomial(t, tables.AIRY_P), polynomial(t, tables.AIRY_Q) / zeta
        return (p * (c + s) + q * (s - c)) / (math.sqrt(2 * math.pi) * np.sqrt(np.sqrt(x)))

    def fitted(low: float, table: Sequence[float]) -> Kernel:
        return lambda x: polynomial(x - (low + 1), table)

    return piecewise(
        (x,),
        (np.isinf(x), np.nan),
        (x > AIRY_VANISHES, 0.0),
        (x > 2, right),
        *((x >= low, fitted(low, table)) for low, table in _AIRY_PIECES),
        (x < -8, left),
    )


bessel_j0 = at_every_width(_j0)
"""The Bessel function J₀; NaN at ±inf. Source: torch.special.bessel_j0."""

bessel_j1 = at_every_width(_j1)
"""The Bessel function J₁; NaN at ±inf. Source: torch.special.bessel_j1."""

bessel_y0 = at_every_width(_y0)
"""The Bessel function Y₀; -inf at 0, NaN below and at inf. Source: torch.special.bessel_y0."""

bessel_y1 = at_every_width(_y1)
"""The Bessel function Y₁; -inf at 0, NaN below and at inf. Source: torch.special.bessel_y1."""

spherical_bessel_j0 = at_every_width(_spherical_j0)
"""sin(x) / x, 1 at 0, 0 at ±inf. Source: torch.special.spherical_bessel_j0."""

airy_ai = at_every_width(_airy_ai)
"""The Airy function Ai; NaN at ±inf, as PyTorch answers. Source: torch.special.airy_ai."""

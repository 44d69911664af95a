"""Orthogonal polynomials of whole degrees, by their three-term recurrences (DLMF 18.9).

The degrees come as an array, as in PyTorch, and may differ from element to element. Negative degrees give 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zerograd.ir.graph import Array
from zerograd.ops.special.evaluation import Kernel, at_every_width

# The next member from (x, degree of the next, current, previous).
Step = Callable[[Array, int, Array, Array], Array]

# Inside the interval of orthogonality Chebyshev polynomials of higher degree are trigonometric.
RECURRENCE_UP_TO = 8
# PyTorch answers NaN for Hermite polynomials of higher degrees.
HERMITE_LIMITS = {"e": 1024, "f": 128, "d": 512}


def _recurrence(x: Array, degree: Array, first: Array, step: Step) -> Array:
    """Member number ``degree`` of the family that starts with 1 and ``first``."""
    result = np.where(degree == 0, 1.0, np.where(degree < 0, 0.0, first))
    previous, current = np.ones_like(x), first
    highest = int(degree.max(initial=0))
    for number in range(2, highest + 1):
        current, previous = step(x, number, current, previous), current
        result = np.where(degree >= number, current, result)
        if np.all(np.isnan(current) | (degree <= number)):
            break
    return result


def _whole(degree: Array) -> Array:
    """Degrees truncated towards zero; what is not finite counts as negative."""
    return np.where(np.isfinite(degree), np.trunc(degree), -1.0)


def _double(x: Array, number: int, current: Array, previous: Array) -> Array:
    return 2 * x * current - previous


def _chebyshev(offset: float, closed: Callable[[Array, Array], Array], ends: Kernel, shifted: bool) -> Kernel:
    """The kind that starts with 1 and 2x + offset (x for the first kind, offset NaN)."""

    def formula(x: Array, degree: Array) -> Array:
        n = _whole(degree)
        x = 2 * x - 1 if shifted else x
        inside = np.abs(x) < 1
        trigonometric = inside & (n > RECURRENCE_UP_TO)
        at_end = (np.abs(x) == 1) & (n >= 0)
        first = x if np.isnan(offset) else 2 * x + offset
        result = _recurrence(x, np.where(trigonometric | at_end, 0, n), first, _double)
        angle = np.arccos(np.where(inside, x, 0))
        result = np.where(trigonometric, closed(n, angle), result)
        return np.where(at_end, ends(x > 0, n), result)

    return at_every_width(formula)


def _alternating(n: Array) -> Array:
    return np.where(n % 2 == 0, 1.0, -1.0)


def _ratio(over: Array, under: Array, n: Array) -> Array:
    return np.where(under == 0, n, over / np.where(under == 0, 1, under))


_KINDS: dict[str, tuple[float, Callable[[Array, Array], Array], Kernel]] = {
    "t": (
        np.nan,
        lambda n, angle: np.cos(n * angle),
        lambda right, n: np.where(right, 1.0, _alternating(n)),
    ),
    "u": (
        0.0,
        lambda n, angle: _ratio(np.sin((n + 1) * angle), np.sin(angle), n + 1),
        lambda right, n: np.where(right, 1.0, _alternating(n)) * (n + 1),
    ),
    "v": (
        -1.0,
        lambda n, angle: _ratio(np.cos((n + 0.5) * angle), np.cos(angle / 2), n),
        lambda right, n: np.where(right, 1.0, _alternating(n) * (2 * n + 1)),
    ),
    "w": (
        1.0,
        lambda n, angle: _ratio(np.sin((n + 0.5) * angle), np.sin(angle / 2), 2 * n + 1),
        lambda right, n: np.where(right, 2 * n + 1, _alternating(n)),
    ),
}

chebyshev_t, chebyshev_u, chebyshev_v, chebyshev_w = (_chebyshev(*kind, shifted=False) for kind in _KINDS.values())
"""The Chebyshev polynomials of the four kinds. Source: torch.special.chebyshev_polynomial_t and so on."""

shifted_chebyshev_t, shifted_chebyshev_u, shifted_chebyshev_v, shifted_chebyshev_w = (
    _chebyshev(*kind, shifted=True) for kind in _KINDS.values()
)
"""The same at 2x - 1. Source: torch.special.shifted_chebyshev_polynomial_t and so on."""


def _hermite(double: Kernel) -> Kernel:
    """NaN above the degree that PyTorch sets for the float type."""
    formula = at_every_width(double)

    def kernel(x: Array, degree: Array) -> Array:
        limit = HERMITE_LIMITS.get(x.dtype.char, 1024)
        beyond = np.isfinite(degree) & (degree >= limit + 1)
        result = formula(x, np.where(beyond, 0, degree).astype(x.dtype))
        return np.where(beyond, np.nan, result).astype(x.dtype)

    return kernel


@_hermite
def hermite_h(x: Array, degree: Array) -> Array:
    """The physicists' Hermite polynomials. Source: torch.special.hermite_polynomial_h."""
    return _recurrence(x, _whole(degree), 2 * x, lambda x, n, now, before: 2 * x * now - 2 * (n - 1) * before)


@_hermite
def hermite_he(x: Array, degree: Array) -> Array:
    """The probabilists' Hermite polynomials. Source: torch.special.hermite_polynomial_he."""
    return _recurrence(x, _whole(degree), x, lambda x, n, now, before: x * now - (n - 1) * before)


@at_every_width
def laguerre(x: Array, degree: Array) -> Array:
    """The Laguerre polynomials. Source: torch.special.laguerre_polynomial_l."""
    n = _whole(degree)
    return _recurrence(x, n, 1 - x, lambda x, n, now, before: ((2 * n - 1 - x) * now - (n - 1) * before) / n)


@at_every_width
def legendre(x: Array, degree: Array) -> Array:
    """The Legendre polynomials. Source: torch.special.legendre_polynomial_p."""
    n = _whole(degree)
    return _recurrence(x, n, x, lambda x, n, now, before: ((2 * n - 1) * x * now - (n - 1) * before) / n)

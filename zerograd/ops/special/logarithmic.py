"""Products with logarithms that are 0 where the factor is, and sin(πx)/(πx)."""

from __future__ import annotations

import numpy as np

from zerograd.ir.graph import Array
from zerograd.ops.special.evaluation import at_every_width, piecewise


def _entr(x: Array) -> Array:
    return piecewise((x,), (x == 0, 0.0), (x < 0, -np.inf), (x > 0, lambda x: -x * np.log(x)))


def _xlogy(x: Array, y: Array) -> Array:
    return np.where((x == 0) & ~np.isnan(y), 0, x * np.log(y))


def _xlog1py(x: Array, y: Array) -> Array:
    return np.where((x == 0) & ~np.isnan(y), 0, x * np.log1p(y))


def _sinc(x: Array) -> Array:
    angle = x * x.dtype.type(np.pi)
    return np.where(x == 0, x.dtype.type(1), np.sin(angle) / angle)


entr = at_every_width(_entr)
"""-x log(x); 0 at 0, -inf below. Source: torch.special.entr."""

xlogy = at_every_width(_xlogy, _xlogy)
"""x log(y), but 0 where x is 0 and y is not NaN. Source: torch.xlogy."""

xlog1py = at_every_width(_xlog1py, _xlog1py)
"""x log(1 + y), but 0 where x is 0 and y is not NaN. Source: torch.special.xlog1py."""

sinc = at_every_width(_sinc, _sinc)
"""sin(πx) / (πx), 1 at 0. Source: torch.sinc."""

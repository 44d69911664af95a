"""Winograd's minimal filtering, F(2, 3): two neighbouring windows of three taps from four products instead of six.

    y0 = d0 g0 + d1 g1 + d2 g2 = m0 + m1 + m2       m0 = (d0 - d2) g0           m1 = (d1 + d2) (g0 + g1 + g2) / 2
    y1 = d1 g0 + d2 g1 + d3 g2 = m1 - m2 - m3       m3 = (d1 - d3) g2           m2 = (d2 - d1) (g0 - g1 + g2) / 2

Along both axes: 16 products for four windows of nine taps. The products of all channels are summed before they become
windows, so that each of the 16 *points* is a product of matrices. The gradient of the weights is the same read
backwards: what the gradients of two windows become is multiplied by the same (d0 - d2, ...), summed over all windows,
and becomes three taps.

The factors are 1, -1 and 1/2, so whole numbers (that are not too large) stay exact. Rounding: with all signs positive,
y0 would add up (d0 + d2) g0 + (d1 + d2) (g0 + g1 + g2) + ..., in which no product d g of the window's own numbers has a
factor above 2. So what is added up for a window is at most 2 * (sum of its source) * (sum of the taps) along an axis,
4 * along both, where the plain sum adds up the products of equals only; and what is added up for a tap is at most 4 *
the sum over all taps. The rounding of a window is that of such a sum: a small tap beside a large one has its rounding.

Source: S. Winograd, Arithmetic Complexity of Computations, 1980; A. Lavin and S. Gray, 2015, for two axes and channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zerograd.engines.native.emit import Function, Value

POINTS = 4  # along an axis
WINDOWS, TAPS = 2, 3
Transform = Callable[[Function, Sequence[Value]], list[Value]]


def of_source(f: Function, d: Sequence[Value]) -> list[Value]:
    """Four numbers of the source -> four points."""
    return [f.sub(d[0], d[2]), f.add(d[1], d[2]), f.sub(d[2], d[1]), f.sub(d[1], d[3])]


def of_weights(f: Function, g: Sequence[Value]) -> list[Value]:
    """Three taps -> four points."""
    outer, inner = f.mul(f.add(g[0], g[2]), 0.5), f.mul(g[1], 0.5)
    return [g[0], f.add(outer, inner), f.sub(outer, inner), g[2]]


def to_windows(f: Function, m: Sequence[Value]) -> list[Value]:
    """Four points -> two windows."""
    return [f.add(f.add(m[0], m[1]), m[2]), f.sub(f.sub(m[1], m[2]), m[3])]


def of_windows(f: Function, y: Sequence[Value]) -> list[Value]:
    """Gradients of two windows -> four points. The last has its sign turned, which ``to_taps`` takes back."""
    return [y[0], f.add(y[0], y[1]), f.sub(y[0], y[1]), y[1]]


def to_taps(f: Function, p: Sequence[Value]) -> list[Value]:
    """Four points, the last with its sign turned -> gradients of three taps."""
    half, other = f.mul(f.add(p[1], p[2]), 0.5), f.mul(f.sub(p[1], p[2]), 0.5)
    return [f.add(p[0], half), other, f.sub(half, p[3])]


def along_both(f: Function, transform: Transform, square: Sequence[Sequence[Value]]) -> list[list[Value]]:
    """A transform along the rows' index, then along the columns'."""
    columns = [transform(f, column) for column in zip(*square, strict=True)]
    return [transform(f, row) for row in zip(*columns, strict=True)]


__all__ = [
    "POINTS", "TAPS", "WINDOWS", "along_both", "of_source", "of_weights", "of_windows", "to_taps", "to_windows",
]  # fmt: skip

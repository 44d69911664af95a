"""Bounds of attention and its gradient: errors of scores become relative errors of weights, and these go on.

With d the errors of the scores, weights that are shares change by a factor of at most exp(2 max d), those that are
found from given statistics by exp(d + error of the statistics).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zerograd.engines.checking.step import Bound, Step, wide
from zerograd.engines.checking.tolerances import eps, smallest, terms_factor
from zerograd.ir.graph import Array
from zerograd.ops.attention import INSIDE, scores_of

NAMES = ("attention", "attention_gradient")
LARGE = 600.0  # exp of it is finite


class Operands(NamedTuple):
    """Sizes of q, k, v and the mask, and their errors."""

    sizes: tuple[Array, ...]
    errors: tuple[Array, ...]


def own(step: Step) -> tuple[Array, ...]:
    """What each result may be off by itself."""
    return _found(step, eps(step.dtype))


def arrived(step: Step) -> tuple[Bound, ...]:
    """What the bounds of the operands lead to in each result."""
    return _found(step, 0.0)


def _found(step: Step, e: float) -> tuple[Array, ...]:
    """The bounds; ``e`` is the engine's own rounding, or 0 where errors of the operands count."""
    if not _certain(step):
        return tuple(np.full(out.shape, np.inf) for out in step.outs)
    first = step.node.op.inputs.index("q")
    places = range(first, first + 4)
    errors = tuple(np.zeros(step.xs[i].shape) if e else step.bound(i) for i in places)
    operands = Operands(tuple(step.sizes(i) for i in places), errors)
    rule = _gradient if first else _attention
    return rule(step, operands, e)


def _certain(step: Step) -> bool:
    """Whether all operands are finite (but for what a mask forbids) and decided: NaN goes far, 0 * NaN too."""
    for i, x in enumerate(step.xs):
        fine = np.isfinite(x) | (x == -np.inf) if step.node.op.inputs[i] == "mask" else np.isfinite(x)
        if not fine.all() and step.node.op.inputs[i] != "statistics":
            return False
        if not np.isfinite(step.bound(i)).all():
            return False
    return True


def _scores(step: Step, operands: Operands, e: float) -> tuple[Array, Array]:
    """The scores, and their errors."""
    first, at = step.node.op.inputs.index("q"), step.attributes
    q, k, mask = step.xs[first], step.xs[first + 1], step.xs[first + 3]
    found = scores_of(wide(q), wide(k), mask, at["causal"], at["scale"]).astype(np.float64)
    (q, k, _, m), (eq, ek, _, em) = operands
    off = _product(q, ek) + _product(eq, k) + _product(eq, ek) + (terms_factor(q.shape[3]) + 2) * e * _product(q, k)
    off = off * abs(at["scale"])
    if mask.ndim == 4 and mask.dtype != bool:
        off = off + em + e * np.where(np.isfinite(m), m, 0)
    return found, np.where(np.isfinite(found), off + 2 * e * np.abs(np.where(np.isfinite(found), found, 0)), 0)


def _product(x: Array, y: Array) -> Array:
    return np.matmul(x, np.swapaxes(y, 2, 3))


def _attention(step: Step, operands: Operands, e: float) -> tuple[Array, ...]:
    scores, off = _scores(step, operands, e)
    n = scores.shape[3]
    v, ev = operands.sizes[2], operands.errors[2]
    most = np.max(scores, axis=3, keepdims=True)
    most = np.where(np.isfinite(most), most, 0)
    weights = np.exp(scores - most)
    total = weights.sum(3, keepdims=True)
    weights = weights / np.where(total == 0, 1, total)
    off = np.max(off + e * np.abs(np.where(np.isfinite(scores), scores, 0)), axis=3, keepdims=True) + e * np.abs(most)
    relative = np.expm1(np.minimum(2 * off, LARGE)) + (terms_factor(n) + 16) * e
    changed = weights * relative + (2 * smallest(step.dtype) if e else 0)
    out = np.matmul(changed, v) + np.matmul(weights + changed, ev) + terms_factor(n) * e * np.matmul(weights, v)
    statistics = off + e * (terms_factor(n) + 16 + 2 * np.abs(most))
    return out.transpose(INSIDE), statistics[..., 0]


def _gradient(step: Step, operands: Operands, e: float) -> tuple[Array, ...]:
    scores, off = _scores(step, operands, e)
    statistics = step.xs[6][..., None].astype(np.float64)
    es = np.zeros(statistics.shape) if e else step.bound(6)[..., None]
    statistics = np.where(np.isfinite(statistics), statistics, np.inf)
    weights = np.exp(np.minimum(scores - statistics, LARGE))
    near = np.where(np.isfinite(scores), np.abs(scores), 0) + np.where(np.isfinite(statistics), np.abs(statistics), 0)
    relative = np.expm1(np.minimum(off + es + e * near, LARGE)) + 16 * e
    changed = weights * relative + (2 * smallest(step.dtype) if e else 0)

    (q, k, v, _), (eq, ek, ev, _) = operands
    g, out = (step.sizes(i).transpose(INSIDE) for i in (0, 5))
    eg, eo = (np.zeros(g.shape) if e else step.bound(i).transpose(INSIDE) for i in (0, 5))
    n = terms_factor(v.shape[3]) + 2
    mean, size = np.sum(g * out, axis=3, keepdims=True), _product(g, v)
    slope_off = n * e * (size + mean) + _product(g, ev) + _product(eg, v + ev)
    slope_off = slope_off + np.sum(g * eo + eg * (out + eo), axis=3, keepdims=True)
    slope = weights * (size + mean)
    slope_off = (weights + changed) * slope_off + changed * (size + mean) + 4 * e * slope
    scale = abs(step.attributes["scale"])
    slope, slope_off = slope * scale, slope_off * scale

    def times(x: Array, x_off: Array, y: Array, y_off: Array) -> Array:
        return np.matmul(x_off, y + y_off) + np.matmul(x, y_off) + terms_factor(x.shape[3]) * e * np.matmul(x, y)

    turn = lambda x: np.swapaxes(x, 2, 3)  # noqa: E731
    results = (
        times(slope, slope_off, k, ek),
        times(turn(slope), turn(slope_off), q, eq),
        times(turn(weights), turn(changed), g, eg),
    )
    return tuple(one.transpose(INSIDE) for one in results)


__all__ = ["NAMES", "arrived", "own"]

"""What the bounds of an op's operands lead to in its results.

Most rules are derivatives with their second-order terms, so they hold for bounds of any size. Elementwise functions
without a rule are computed, in a wider type, at the ends of the intervals; what may jump there, or has a pole there,
becomes undecided.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from zerograd.engines.checking import attending, choices, sequences, signs
from zerograd.engines.checking.local import MATRICES, deviations
from zerograd.engines.checking.step import SIGNIFICANT, Bound, Step, moved, size_of, times, wide
from zerograd.engines.checking.tolerances import FREE_SIGN, own_eps, smallest, words
from zerograd.engines.checking.trial import types_of
from zerograd.ir.graph import Array, TensorType
from zerograd.ops.scan import recurrence

SAFETY = 2.0  # functions need not be monotone between the ends of an interval

Rule = Callable[[Step], Any]


def arrived(step: Step) -> tuple[Bound, ...]:
    """The bound of each result from the bounds of the operands."""
    if all(e is None for e in step.es):
        return (None,) * len(step.outs)
    rule = RULES.get(step.name) or (sampled if step.node.op.elementwise else opaque)
    found = rule(step)
    found = found if isinstance(found, tuple) else (found,)
    found = tuple(e if e is None else np.where(np.isnan(e), np.inf, e) for e in found)  # 0 times what is undecided
    return found if step.name in NOT_ROUNDING else tuple(map(_rounded, found, step.outs, types_of(step.node)))


def _rounded(e: Bound, out: Array, type: TensorType) -> Bound:
    """Both engines round what they get, each to its side; a 0 may have been a small number of either sign."""
    if e is None or not type.dtype.is_inexact:
        return e
    size = size_of(out)
    place = np.maximum(own_eps(type.dtype) * np.where(np.isfinite(size), size, 0.0), smallest(type.dtype))
    return np.where(e > SIGNIFICANT, e + place, np.where(out == 0, FREE_SIGN, e))


def opaque(step: Step) -> tuple[Bound, ...]:
    """Any change of an operand may change everything."""
    bad = any(moved(e) for e in step.es)
    return tuple(np.full(out.shape, np.inf) if bad else None for out in step.outs)


# --- elementwise -------------------------------------------------------------------------------------------


def sampled(step: Step) -> Array:
    """The largest distance that the function goes to when each operand moves to the ends of its interval."""
    out = step.outs[0]
    unknown = np.zeros(out.shape, np.bool_)
    for place in range(len(step.xs)):
        e = step.bound(place)
        unknown |= np.isinf(e) if step.xs[place].dtype.kind not in "iub" else e > 0
    unknown |= choices.jumps(step)
    base = step.wide_outs()
    if base is None:
        return np.where(np.any([step.bound(i) > 0 for i in range(len(step.xs))], axis=0), np.inf, 0.0)
    worst = np.zeros(out.shape)
    for operands in _ends(step):
        try:
            worst = np.maximum(worst, _distance(np.asarray(step.applied(*operands)), base[0]))
        except Exception:  # an operand outside the domain
            return np.where(np.any([step.bound(i) > 0 for i in range(len(step.xs))], axis=0), np.inf, 0.0)
    if out.dtype.kind in "iub":
        worst = np.where(worst > 0, np.inf, 0.0)
    return np.where(unknown, np.inf, SAFETY * worst)


def _ends(step: Step) -> list[tuple[Array, ...]]:
    moves: list[list[Array]] = []
    for x, e in zip(step.xs, step.es, strict=True):
        x = wide(x)
        if e is None or x.dtype.kind in "iub":
            moves.append([x])
            continue
        e = np.where(np.isfinite(e), e, 0.0)
        directions = (1, -1, 1j, -1j) if x.dtype.kind == "c" else (1, -1)
        moves.append([(x + one * e).astype(x.dtype) for one in directions])
    return list(product(*moves))


def _distance(a: Array, b: Array) -> Array:
    if a.dtype.kind == "b":
        return (a != b).astype(np.float64)
    alike = (a == b) | (np.isnan(a) & np.isnan(b))
    away = np.abs(a - b).astype(np.float64)
    return np.where(alike, 0.0, np.where(np.isfinite(away), away, np.inf))


def _lipschitz(step: Step) -> Array:
    """Sums, differences, and what never moves further than its operands do together."""
    return np.sum([step.bound(i) for i in range(len(step.xs))], axis=0)


def _growing(step: Step) -> Array:
    """Functions that never fall: all operands at their upper ends, then at their lower ends."""
    base = step.wide_outs()
    if base is None:
        return sampled(step)
    worst = np.where(np.isinf(_furthest(step)), np.inf, 0.0)
    for sign in (1, -1):
        ends = [wide(x) if e is None else wide(x) + sign * e for x, e in zip(step.xs, step.es, strict=True)]
        worst = np.maximum(worst, _distance(np.asarray(step.applied(*ends)), base[0]))
    return worst


def _furthest(step: Step) -> Array:
    """What moves no further than the operand that moves furthest."""
    return np.max([step.bound(i) for i in range(len(step.xs))], axis=0)


def _first(step: Step) -> Bound:
    return step.es[0]


def _mul(step: Step) -> Array:
    ex, ey = step.bound(0), step.bound(1)
    return times(size_of(step.xs[0]), ey) + times(size_of(step.xs[1]), ex) + times(ex, ey)


def _standardized(step: Step) -> Array:
    """(x - mean) * factor."""
    away = np.abs(wide(step.xs[0]) - wide(step.xs[1]))
    moved_by, ef = step.bound(0) + step.bound(1), step.bound(2)
    return times(away, ef) + times(size_of(step.xs[2]), moved_by) + times(moved_by, ef)


def _square(step: Step) -> Array:
    e = step.bound(0)
    return times(2 * size_of(step.xs[0]), e) + e * e


def _div(step: Step) -> Array:
    ex, ey = step.bound(0), step.bound(1)
    x, y = size_of(step.xs[0]), size_of(step.xs[1])
    room = np.where(ey > 0, y - ey, y)
    found = (ex + times(x / y, ey)) / room
    return np.where((ex == 0) & (ey == 0), 0.0, np.where((ey > 0) & ~(room > 0), np.inf, found))


def _root(step: Step) -> Array:
    """What is never negative is not so by rounding either."""
    if step.xs[0].dtype.kind == "c" or not signs.never_negative(step.node.inputs[0]):
        return sampled(step)
    x, e = wide(step.xs[0]), step.bound(0)
    up, down = np.sqrt(x + e) - np.sqrt(x), np.sqrt(x) - np.sqrt(np.maximum(x - e, 0))
    return np.where(e == 0, 0.0, np.maximum(up, down).astype(np.float64))


def _waves(step: Step) -> Array:
    """sin and cos."""
    return np.where(np.isinf(step.bound(0)), 2.0, np.minimum(step.bound(0), 2.0))


def _cast(step: Step) -> Array | None:
    x, kind, e = step.xs[0], step.attributes["dtype"], step.bound(0)
    if not kind.is_inexact:
        return sampled(step)
    if x.dtype.kind == "b":
        return np.minimum(e, 1.0)
    return e


# --- moving ------------------------------------------------------------------------------------------------


def _moved_along(step: Step) -> Array:
    """What only moves elements moves their bounds."""
    return step.applied(*[step.bound(i) for i in range(len(step.xs))])


def _bitcast(step: Step) -> Array:
    """The bits of a number, and of a zero, are open where the number, or the zero's sign, is."""
    unsure, out = step.bound(0) > 0, step.outs[0]
    if out.size != step.xs[0].size:
        return np.full(out.shape, np.inf if unsure.any() else 0.0)
    return np.where(unsure.reshape(out.shape), np.inf, 0.0)


def _index(step: Step) -> Array:
    rest = (1,) * (step.outs[0].ndim - step.xs[1].ndim)
    unsure = step.unsure(1).reshape(step.xs[1].shape + rest)
    return np.where(unsure, np.inf, step.applied(step.bound(0), step.xs[1]))


def _index_write(step: Step) -> Array:
    if moved(step.es[2]):
        return np.full(step.outs[0].shape, np.inf)
    return step.applied(step.bound(0), step.bound(1), step.xs[2])


def _gather(step: Step) -> Array:
    return np.where(step.unsure(1), np.inf, step.applied(step.bound(0), step.xs[1]))


def _scatter(step: Step) -> Array:
    if moved(step.es[1]):
        return np.full(step.outs[0].shape, np.inf)
    return step.applied(step.bound(0), step.xs[1], step.bound(2))


def _scatter_fold(step: Step) -> Any:
    if step.attributes["kind"] == "product" or moved(step.es[1]):
        return opaque(step)
    return step.applied(step.bound(0), step.xs[1], step.bound(2), kind="max")


# --- sums --------------------------------------------------------------------------------------------------


def _bilinear(step: Step) -> Array:
    """Matrix products and convolutions. Where operands are not finite, only exact ones leave the result decided."""
    x, y, ex, ey = step.sizes(0), step.sizes(1), step.bound(0), step.bound(1)
    open_x, open_y = np.isinf(ex), np.isinf(ey)
    ex, ey = np.where(open_x, 0.0, ex), np.where(open_y, 0.0, ey)
    found = step.applied(x, ey) + step.applied(ex, y) + step.applied(ex, ey)
    if open_x.any() or open_y.any():
        touched = step.applied(open_x * 1.0, np.ones(y.shape)) + step.applied(np.ones(x.shape), open_y * 1.0)
        found = np.where(touched > 0, np.inf, found)
    return np.where(np.isfinite(size_of(step.outs[0])), found, np.inf)


def _prod(step: Step) -> Array:
    size, e = step.sizes(0), step.bound(0)
    return step.applied(size + e) - step.applied(size)


def _recurrence(step: Step) -> Array:
    axis, out = step.attributes["axis"], np.where(np.isfinite(step.outs[0]), size_of(step.outs[0]), 0.0)
    before = np.roll(out, 1, axis)
    return recurrence.reference(step.sizes(0) + step.bound(0), step.bound(1) + step.bound(0) * before, axis=axis)


def _resample(step: Step) -> Array:
    weights = step.attributes["weights"]
    plain = None if weights is None else tuple(tuple(map(abs, row)) for row in weights)
    return step.applied(step.bound(0), weights=plain)


def _greatest(step: Step) -> Array:
    """The bound of the furthest element along the op's axes, for results that move no further than it."""
    axes = step.attributes.get("axes", step.attributes.get("axis"))
    return np.max(step.bound(0), axis=axes, keepdims=True, initial=0.0)


def _softmax(step: Step) -> Array:
    """Shares change by a factor of at most exp(2e), and by no more than 1."""
    e = _greatest(step)
    grown = (size_of(step.outs[0]) + smallest(step.dtype)) * np.expm1(np.minimum(2 * e, 600.0))
    found = grown if step.dtype.is_complex else np.where(e > 40, 1.0, np.minimum(grown, 1.0))
    return np.where(np.isfinite(e), np.where(e > 0, found, 0.0), np.inf)


def _log_softmax(step: Step) -> Array:
    return step.bound(0) + _greatest(step)


def _var(step: Step) -> Array:
    away, n, freedom = deviations(step)
    axes = step.attributes["axes"]
    e = step.bound(0)
    if not freedom:
        return np.full(step.outs[0].shape, np.inf)
    each = e + np.sum(e, axis=axes, keepdims=True) / n
    return np.sum(2 * away * each + each**2, axis=axes, keepdims=True) / freedom


def _norm(step: Step) -> Array:
    """By the triangle inequality."""
    axes, p, e = step.attributes["axes"], step.attributes["p"], step.bound(0)
    if np.isinf(p):
        return _greatest(step)
    if p == 0:
        return np.sum(np.where(step.unsure(0) & (size_of(step.xs[0]) <= e), 1.0, 0.0), axis=axes, keepdims=True)
    if p < 1:
        return np.where(np.any(step.unsure(0), axis=axes, keepdims=True), np.inf, 0.0)
    return np.sum(e**p, axis=axes, keepdims=True) ** (1 / p)


def _fourier(step: Step) -> Array:
    axes = step.attributes.get("axes", (step.attributes.get("axis"),))
    total = 2 * np.sum(step.bound(0), axis=axes, keepdims=True)
    return np.broadcast_to(total, step.outs[0].shape)


def _of_pairs(step: Step) -> Array:
    return np.stack((step.bound(0), step.bound(0)), -1)


def _by_name(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


MOVING = "reshape permute expand slice slice_write overwrite flip cat unfold"
SAME = "variable copy stop attach dead_end sampled graft neg conjugate real imag wrap within"

RULES: dict[str, Rule] = {
    **_by_name(_first, f"{SAME} abs"),
    **_by_name(_lipschitz, "add sub complex"),
    **_by_name(_growing, "maximum minimum fmax fmin clamp clamp_min clamp_max relu"),
    "logaddexp": _furthest,
    **_by_name(_moved_along, MOVING),
    **_by_name(_bilinear, "matmul conv conv_input conv_weight"),
    **_by_name(_moved_along, "sum cumsum fold"),
    **_by_name(_scatter, "scatter scatter_add"),
    **_by_name(_greatest, "max min logsumexp median nanmedian"),
    **_by_name(_prod, "prod cumprod"),
    **_by_name(_fourier, "fourier half_fourier whole"),
    **_by_name(_waves, "sin cos"),
    **_by_name(opaque, " ".join(MATRICES)),
    "mul": _mul,
    "sqrt": _root,
    "root": _root,
    "square": _square,
    "standardized": _standardized,
    "div": _div,
    "cast": _cast,
    "bitcast": _bitcast,
    "index": _index,
    "index_write": _index_write,
    "gather": _gather,
    "scatter_fold": _scatter_fold,
    "recurrence": _recurrence,
    "resample": _resample,
    "logcumsumexp": lambda step: np.maximum.accumulate(step.bound(0), axis=step.attributes["axis"]),
    **dict.fromkeys(attending.NAMES, attending.arrived),
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "var": _var,
    "norm": _norm,
    "pairs": _of_pairs,
    "unpairs": lambda step: step.bound(0)[..., 0] + step.bound(0)[..., 1],
    **choices.RULES,
    **dict.fromkeys(sequences.OPERANDS, sequences.arrived),
}

NOT_ROUNDING = frozenset(
    words(f"""{MOVING} {SAME} where gather index scatter maximum minimum fmax fmin clamp clamp_min clamp_max relu max
              min argmax argmin max_at min_at sort cummax cummin median nanmedian median_at nanmedian_at mode_at
              max_pool pairs unpairs complex""")
)
"""Ops whose results are elements of their operands."""

EXACT_FOR_COMPLEX = frozenset(words(f"{MOVING} {SAME} add sub where gather index scatter unpairs complex cast"))
"""Ops that treat the parts of complex infinities alike in every engine."""

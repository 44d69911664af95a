"""Bounds of what jumps: comparisons, places of extremes and orders, rounding to whole numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zerograd.engines.checking.step import SIGNIFICANT, Step, size_of, wide
from zerograd.ir.graph import Array

# --- poles and steps inside an interval ---------------------------------------------------------------------


def _contains_zero(step: Step, place: int) -> Array:
    e = step.bound(place)
    return (e > 0) & (size_of(step.xs[place]) <= e)


def _whole_between(step: Step, place: int) -> Array:
    x, e = wide(step.xs[place]), step.bound(place)
    return (e > 0) & (x - e <= 1) & (np.floor(x - e) != np.floor(x + e))


def _other_quotient(step: Step) -> Array:
    """A division with rest, where the whole quotient may be another one."""
    x, y = wide(step.xs[0]), wide(step.xs[1])
    ex, ey = step.bound(0), step.bound(1)
    if x.dtype.kind in "iub":
        return np.zeros(x.shape, np.bool_)
    slack = (ex + np.abs(x / y) * ey) / np.maximum(np.abs(y) - ey, 0)
    quotient = x / y
    # Even exact operands: the quotient itself is rounded before it is cut off.
    return ((ex > 0) | (ey > 0)) & ~(np.floor(quotient - slack) == np.floor(quotient + slack))


def _on_the_cut(step: Step) -> Array:
    return _contains_zero(step, 0) & (wide(step.xs[1]) - step.bound(1) <= 0)


_POLES: dict[str, Callable[[Step], Array]] = {
    **dict.fromkeys(("reciprocal", "rsqrt", "pow", "xlogy"), lambda step: _contains_zero(step, 0)),
    **dict.fromkeys(("log", "log2", "log10", "angle", "sign"), lambda step: _contains_zero(step, 0)),
    **dict.fromkeys(("lgamma", "digamma", "polygamma"), lambda step: _whole_between(step, 0)),
    **dict.fromkeys(("remainder", "fmod", "div_floor", "div_trunc"), _other_quotient),
    "atan2": _on_the_cut,
    "nextafter": lambda step: (step.bound(0) > 0) | (step.bound(1) > 0),
    "zeta": lambda step: (step.bound(0) > 0) | (step.bound(1) > 0),
}


def jumps(step: Step) -> Array | bool:
    """Where a function of single elements may jump or have a pole within the bounds of its operands."""
    rule = _POLES.get(step.name)
    return False if rule is None else rule(step)


# --- comparison and choice -----------------------------------------------------------------------------------


def _compared(step: Step) -> Array:
    """Undecided where the operands may be equal."""
    x, y, e = wide(step.xs[0]), wide(step.xs[1]), step.bound(0) + step.bound(1)
    if step.node.inputs[0] is step.node.inputs[1]:  # a value and itself, as in a search for NaN
        return np.where(np.isinf(e), np.inf, 0.0)
    if x.dtype.kind in "iub":
        return np.where(e > 0, np.inf, 0.0)
    apart = np.abs(x - y)
    same = (x == y) & ~np.isfinite(x)
    return np.where((e > SIGNIFICANT) & ~same & ~(apart > e) & ~(np.isnan(apart) & np.isfinite(e)), np.inf, 0.0)


def _where(step: Step) -> Array:
    """An undecided condition costs the distance of what it chooses from."""
    condition, x, y = step.xs[0], wide(step.xs[1]), wide(step.xs[2])
    ex, ey = step.bound(1), step.bound(2)
    chosen = np.where(condition, ex, ey)
    unsure = step.unsure(0)
    if not unsure.any():
        return chosen
    if x.dtype.kind == "b":
        distance = np.where(x == y, 0.0, np.inf)
    else:
        alike = (x == y) | (np.isnan(x) & np.isnan(y))
        distance = np.where(alike, 0.0, np.abs(x - y).astype(np.float64))
    open_end = np.where(np.isnan(distance), np.inf, distance) + np.maximum(ex, ey)
    return np.where(unsure, open_end, chosen)


def _any_or_all(step: Step) -> Array:
    axes, x, e = step.attributes["axes"], step.xs[0], step.bound(0)
    true = wide(x) != 0
    unsure = step.unsure(0) & (np.isinf(e) | (size_of(x) <= e))
    deciding = (true if step.name == "any" else ~true) & ~unsure
    open_rows = np.any(unsure, axis=axes, keepdims=True) & ~np.any(deciding, axis=axes, keepdims=True)
    return np.where(open_rows, np.inf, 0.0)


# --- places ----------------------------------------------------------------------------------------------------


def _rivals(step: Step, best: Array, axis: int, sign: float) -> Array:
    """Where another element than the best may be the best."""
    x, e = sign * wide(step.xs[0]), np.where(step.unsure(0), step.bound(0), 0.0)
    least = np.take_along_axis(x, best, axis) - np.take_along_axis(e, best, axis)
    others = ((x + e) >= least) | np.isinf(e)
    others &= (e > 0) | (np.take_along_axis(e, best, axis) > 0)
    places = np.arange(x.shape[axis]).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    return np.where(np.any(others & (places != best), axis=axis, keepdims=True), np.inf, 0.0)


def _best_place(sign: float, several: bool) -> Callable[[Step], Any]:
    def rule(step: Step) -> Any:
        axis = step.attributes["axis"]
        places = _rivals(step, step.outs[-1], axis, sign)
        if not several:
            return places
        return np.max(step.bound(0), axis=axis, keepdims=True, initial=0.0), places

    return rule


def _close_rows(step: Step) -> Array:
    """Rows in whose order two elements may change places."""
    axis, e = step.attributes["axis"], np.where(step.unsure(0), step.bound(0), 0.0)
    furthest = np.max(e, axis=axis, keepdims=True, initial=0.0)
    gaps = np.diff(np.sort(wide(step.xs[0]), axis=axis), axis=axis)
    narrow = np.any(~(gaps > 2 * furthest), axis=axis, keepdims=True)
    return np.where((furthest > 0) & narrow, np.inf, 0.0)


def _ordered(step: Step) -> tuple[Array, Array]:
    """``sort`` and the running extremes: the values move no further than the furthest, the places stay or not."""
    shape = step.outs[0].shape
    furthest = np.max(step.bound(0), axis=step.attributes["axis"], keepdims=True, initial=0.0)
    return np.broadcast_to(furthest, shape), np.broadcast_to(_close_rows(step), shape)


def _middle(step: Step) -> tuple[Array, Array]:
    return np.max(step.bound(0), axis=step.attributes["axis"], keepdims=True, initial=0.0), _close_rows(step)


def _row_or_nothing(step: Step) -> tuple[Array, ...]:
    """Undecided in every row that moves at all."""
    rows = np.any(step.unsure(0), axis=step.attributes["axis"], keepdims=True)
    return tuple(np.where(rows, np.inf, 0.0) for _ in step.outs)


def windows(x: Array, tables: Any, fill: float) -> Array:
    """The elements of each window over the last axes, laid along a new last axis."""
    lead = x.ndim - len(tables)
    for axis, table in enumerate(tables):
        at = lead + 2 * axis
        places = np.array(table, np.int64).reshape(len(table), len(table[0]) if table else 0)
        x = np.take(x, np.maximum(places, 0), at)
        mask = (places < 0).reshape((1,) * at + places.shape + (1,) * (x.ndim - at - 2))
        x = np.where(mask, fill, x)
    order = [*range(lead), *range(lead, x.ndim, 2), *range(lead + 1, x.ndim, 2)]
    x = np.transpose(x, order)
    return x.reshape((*x.shape[: lead + len(tables)], -1))


def _max_pool(step: Step) -> tuple[Array, Array]:
    tables = step.attributes["tables"]
    e = windows(np.where(step.unsure(0), step.bound(0), 0.0), tables, 0.0)
    x = windows(wide(step.xs[0]).astype(np.float64), tables, -np.inf)
    furthest = np.max(e, axis=-1, initial=0.0)
    if not x.shape[-1]:
        return furthest, np.zeros(furthest.shape)
    best = np.max(x, axis=-1, keepdims=True)
    rivals = np.sum(x + e >= best - furthest[..., None], axis=-1) > 1
    return furthest, np.where((furthest > 0) & (rivals | ~np.isfinite(best[..., 0])), np.inf, 0.0)


RULES: dict[str, Callable[[Step], Any]] = {
    **dict.fromkeys(["eq", "ne", "lt", "le", "gt", "ge"], _compared),
    "where": _where,
    "any": _any_or_all,
    "all": _any_or_all,
    "argmax": _best_place(1.0, False),
    "argmin": _best_place(-1.0, False),
    "max_at": _best_place(1.0, True),
    "min_at": _best_place(-1.0, True),
    "sort": _ordered,
    "cummax": _ordered,
    "cummin": _ordered,
    "median_at": _middle,
    "nanmedian_at": _middle,
    **dict.fromkeys(("mode_at", "mode_place", "median_place", "nanmedian_place"), _row_or_nothing),
    "max_pool": _max_pool,
}

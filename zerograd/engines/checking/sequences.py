"""Recurrent layers over all steps, their gradients and tangents: operands to try them on, and how far they may be off.

A rounding at one step goes through all steps that follow, and what becomes of it depends on every gate on the way. So
it is tried: the reference computes, in a wider type, what comes out when all operands move at once by what roundings
are worth, each number in a direction of its own. What comes in at a gate moves by the roundings of its sum, so a
change of the operands stands for those of every step. The furthest that a row of results goes in several such trials,
times ``SAFETY``, is the bound of that row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zerograd.dtypes import dtype
from zerograd.engines.checking.step import SIGNIFICANT, Bound, Step, moved, size_of, wide
from zerograd.engines.checking.tolerances import computing, eps, largest, terms_factor
from zerograd.engines.checking.trial import arrays_in, types_of
from zerograd.ir.graph import Array, Node, TensorType, registry
from zerograd.ops.recurrent import gru, lstm, rnn  # noqa: F401  so that they are in the registry

if TYPE_CHECKING:
    from zerograd.engines.checking.building import Builder

OPERANDS = {
    "lstm": "x_gates h0 c0 w", "gru": "x_gates h0 w b", "rnn": "x_gates h0 w",
    "lstm_gradient": "grad_hidden grad_cells w c0 cells gates", "gru_gradient": "grad_hidden w h0 hidden gates",
    "rnn_gradient": "grad_hidden w hidden",
    "lstm_tangent": "x_change h_change c_change w c0 cells gates",
    "gru_tangent": "x_change product_change h_change w h0 hidden gates", "rnn_tangent": "x_change h_change w hidden",
}  # fmt: skip
"""What each op takes, in its order."""

KEPT = {"lstm": "hidden cells gates", "gru": "hidden gates", "rnn": "hidden"}
"""What each layer gives."""

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
SUMMED = ("x_gates", "x_change", "product_change", "grad_hidden", "grad_cells", "b")  # they enter sums of every step
TRIALS = 6
SAFETY = 6.0
ULPS = 16.0  # of the largest result, for each step: functions and products that no change of an operand stands for


# --- bounds ------------------------------------------------------------------------------------------------


def own(step: Step) -> tuple[Bound, ...]:
    """What each result may be off for exact operands."""
    kind = types_of(step.node)[0].dtype
    names, e = OPERANDS[step.name].split(), eps(kind)
    w = step.sizes(names.index("w"))
    reach = max((float(np.max(size_of(one), initial=0.0)) for one in step.outs if one.size), default=0.0)
    weight = max(float(w.sum(0).max(initial=0.0)), float(w.sum(1).max(initial=0.0)))
    terms = terms_factor(w.shape[1]) + 4
    amounts = []
    for place, name in enumerate(names):
        size = step.sizes(place)
        amounts.append(e * (terms * (size + weight * reach) if name in SUMMED else 4 * size))
    found = _spread(step, amounts, kind)
    steps = max(one.shape[0] for one in step.xs if one.ndim == 3)
    floor = ULPS * steps * e
    return tuple(one + floor * np.max(size_of(out), initial=0.0) for one, out in zip(found, step.outs, strict=True))


def arrived(step: Step) -> tuple[Bound, ...]:
    """What the bounds of the operands lead to."""
    amounts = [np.where(step.bound(i) <= SIGNIFICANT, 0.0, step.bound(i)) for i in range(len(step.xs))]
    if not any(map(moved, step.es)):
        return tuple(np.zeros(out.shape) for out in step.outs)
    if any(np.isinf(one).any() for one in amounts) or _kink(step, amounts):
        return tuple(np.full(out.shape, np.inf) for out in step.outs)
    return tuple(_spread(step, amounts, types_of(step.node)[0].dtype))


def _kink(step: Step, amounts: Sequence[Array]) -> bool:
    """Whether the slope of a relu may be the other one."""
    if step.attributes.get("function") != "relu" or step.name == "rnn":
        return False
    hidden = OPERANDS[step.name].split().index("hidden")
    return bool(((amounts[hidden] > 0) & (step.sizes(hidden) <= amounts[hidden])).any())


def _spread(step: Step, amounts: Sequence[Array], kind: dtype) -> list[Array]:
    """How far the rows of the results go when the operands move by the amounts."""
    base = step.wide_outs()
    known = base is not None and all(np.isfinite(one).all() for one in (*map(wide, step.xs), *base))
    if base is None or not known or any((np.abs(one) > largest(computing(kind))).any() for one in base):
        return [np.full(out.shape, np.inf) for out in step.outs]
    directions = np.random.default_rng(0)
    furthest = [np.zeros(out.shape) for out in step.outs]
    for _ in range(TRIALS):
        xs = [
            (wide(x) + amount * directions.choice((-1.0, 1.0), x.shape)).astype(wide(x).dtype)
            for x, amount in zip(step.xs, amounts, strict=True)
        ]
        for place, other in enumerate(arrays_in(step.applied(*xs))):
            away = np.abs(other - base[place]).astype(np.float64)
            furthest[place] = np.maximum(furthest[place], away.max(-1, keepdims=True, initial=0.0))
    return [SAFETY * one for one in furthest]


# --- operands ----------------------------------------------------------------------------------------------


def operands(b: Builder, name: str, kind: dtype) -> tuple[tuple[Node, ...], dict[str, object]]:
    """Leaves that an op takes; what a layer keeps is what that layer gives."""
    draw, layer = b.draw, name.split("_")[0]
    steps, batch, hidden = draw.between(1, 6), draw.between(1, 9), draw.size(33) or 1
    gates = GATES[layer] * hidden
    attributes: dict[str, object] = {"reverse": draw.chance(0.4)}
    if layer == "rnn":
        attributes["function"] = draw.one(("tanh", "relu"))
    shapes = {
        "x_gates": (steps, batch, gates), "x_change": (steps, batch, gates), "product_change": (steps, batch, gates),
        "h0": (batch, hidden), "c0": (batch, hidden), "h_change": (batch, hidden), "c_change": (batch, hidden),
        "b": (hidden,), "grad_hidden": (steps, batch, hidden),
        "grad_cells": (draw.one((0, steps)), batch, hidden),
    }  # fmt: skip
    made: dict[str, Node] = {"w": b.floats(gates, hidden, kind=kind, scale=hidden**-0.5)}

    def take(names: str) -> tuple[Node, ...]:
        for one in names.split():
            if one not in made:
                made[one] = b.leaf(TensorType(shapes[one], kind))
        return tuple(made[one] for one in names.split())

    if name != layer:
        results = registry[layer](*take(OPERANDS[layer]), **attributes)
        results = results if isinstance(results, tuple) else (results,)
        b.know(*results)
        for one, node in zip(KEPT[layer].split(), results, strict=True):
            made[one] = b.leaf(node.type, np.asarray(b.values[node]))
    return take(OPERANDS[name]), attributes


__all__ = ["GATES", "KEPT", "OPERANDS", "arrived", "operands", "own"]

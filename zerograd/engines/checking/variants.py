"""Engines made of the reference: some that round differently, as a sound engine may, and some with planted faults.

The first show that no difference is reported which is rounding; the second that faults are found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from zerograd.engines.checking.step import wide
from zerograd.engines.checking.tolerances import ULPS, words
from zerograd.engines.checking.trial import evaluate
from zerograd.engines.protocol import Compile, Program
from zerograd.ir.graph import Array, Node, registry

Meaning = Callable[..., Any]


def engine_of(meanings: Mapping[str, Meaning]) -> Compile:
    """An engine that computes some ops, by name, in another way than the reference."""

    def compile(outputs: tuple[Node, ...]) -> Program:
        def run(leaves: Sequence[Any]) -> list[Array]:
            values = evaluate(outputs, leaves, meanings)
            return [np.array(values[node]) for node in outputs]

        return run

    return compile


def usual(name: str) -> Meaning:
    """The reference of an op."""
    return registry[name].reference


# --- the same, rounded differently --------------------------------------------------------------------------


def _half(x: Array) -> bool:
    return x.dtype.itemsize == 2 and x.dtype.kind in "fV"


def _working(x: Array) -> Array:
    return x.astype(np.float32) if _half(x) else x


def backwards_sum(x: Array, *, axes: tuple[int, ...]) -> Array:
    """One term after the other, from the last to the first, in eight lanes."""
    if x.dtype.kind in "iub" or not axes or not x.size:
        return usual("sum")(x, axes=axes)
    work = _working(x)
    lead = [i for i in range(x.ndim) if i not in axes]
    rows = np.transpose(work, (*axes, *lead)).reshape(-1, *[x.shape[i] for i in lead])[::-1]
    lanes = [np.zeros(rows.shape[1:], work.dtype) for _ in range(8)]
    for i, row in enumerate(rows):
        lanes[i % 8] = lanes[i % 8] + row
    total = lanes[0]
    for lane in lanes[1:]:
        total = total + lane
    return np.asarray(total).reshape([1 if i in axes else n for i, n in enumerate(x.shape)]).astype(x.dtype)


def blocked_matmul(x: Array, y: Array) -> Array:
    """Rank-1 updates from the last to the first; half precision kept in float32 until the end."""
    if x.dtype.kind in "iub":
        return usual("matmul")(x, y)
    a, b = _working(x), _working(y)
    total = np.zeros((*x.shape[:-1], y.shape[-1]), a.dtype)
    for k in reversed(range(x.shape[-1])):
        total = total + a[..., :, k : k + 1] * b[..., k : k + 1, :]
    return total.astype(x.dtype)


def in_more_digits(name: str) -> Meaning:
    """Computed in a wider type and rounded once: what a perfect engine gives."""

    def meaning(*xs: Any, **attributes: Any) -> Any:
        found = usual(name)(*map(wide, xs), **attributes)
        like = usual(name)(*xs, **attributes)
        if isinstance(found, tuple):
            return tuple(np.asarray(a).astype(b.dtype) for a, b in zip(found, like, strict=True))
        return np.asarray(found).astype(np.asarray(like).dtype)

    return meaning


def a_place_off(name: str) -> Meaning:
    """The last place of every second element moved, as in an engine with its own approximations.

    Half precision is rounded after that.
    """

    def meaning(*xs: Any, **attributes: Any) -> Any:
        out = np.asarray(usual(name)(*xs, **attributes))
        if out.dtype.kind not in "fV" or not out.size:
            return out
        work = in_more_digits(name)(*[_working(x) for x in xs], **attributes) if _half(out) else out
        up = np.nextafter(work, np.full_like(work, np.inf))
        small = np.isfinite(work) & (np.abs(work) < 1e30) & (work != 0)
        moved = small & (np.arange(out.size).reshape(out.shape) % 2 == 1)
        return np.where(moved, up, work).astype(out.dtype)

    return meaning


def one_pass_softmax(x: Array, *, axis: int) -> Array:
    """exp2 in the place of exp, and a product with the reciprocal in the place of the division."""
    if x.dtype.kind == "c" or not x.size:
        return usual("softmax")(x, axis=axis)
    work = _working(x)
    scale = work.dtype.type(np.log2(np.e))
    powers = np.exp2((work - np.max(work, axis=axis, keepdims=True)) * scale)
    total = backwards_sum(powers, axes=(axis,))
    return (powers * (1 / total)).astype(x.dtype)


def running_var(x: Array, *, axes: tuple[int, ...], correction: float) -> Array:
    """Welford's algorithm. Source: B. P. Welford, 1962."""
    if x.dtype.kind == "c" or not x.size:
        return usual("var")(x, axes=axes, correction=correction)
    work = _working(x)
    lead = [i for i in range(x.ndim) if i not in axes]
    rows = np.transpose(work, (*axes, *lead)).reshape(-1, *[x.shape[i] for i in lead])
    mean, total = np.zeros(rows.shape[1:], work.dtype), np.zeros(rows.shape[1:], work.dtype)
    for n, row in enumerate(rows, 1):
        away = row - mean
        mean = mean + away / work.dtype.type(n)
        total = total + away * (row - mean)
    found = total / work.dtype.type(max(len(rows) - correction, 0))
    return np.asarray(found).reshape([1 if i in axes else n for i, n in enumerate(x.shape)]).astype(x.dtype)


def unordered_rows(x: Array, values: Array, places: Array, *, accumulate: bool) -> Array:
    """Rows added from the last to the first."""
    if not accumulate or x.dtype.kind in "iub":
        return usual("index_write")(x, values, places, accumulate=accumulate)
    result = np.zeros(x.shape, _working(x).dtype)
    flat = places.reshape(-1)
    rows = _working(values).reshape(len(flat), *x.shape[1:])
    for place, row in zip(flat[::-1], rows[::-1], strict=True):
        result[place] += row
    return (_working(x) + result).astype(x.dtype)


REORDERED: dict[str, Meaning] = {
    "sum": backwards_sum,
    "matmul": blocked_matmul,
    "softmax": one_pass_softmax,
    "var": running_var,
    "index_write": unordered_rows,
}

WIDER = {
    name: in_more_digits(name)
    for name in (
        *(name for name, ulps in ULPS.items() if ulps <= 8.0),
        *words(
            "sum matmul conv conv_input conv_weight softmax log_softmax logsumexp var norm cumsum prod cumprod fold"
        ),
        *words("recurrence logcumsumexp resample"),
    )
}

MOVED = {name: a_place_off(name) for name, ulps in ULPS.items() if ulps <= 8.0}

SOUND: dict[str, Compile] = {
    "reordered": engine_of(REORDERED),
    "wider": engine_of(WIDER),
    "moved": engine_of({**MOVED, **REORDERED}),
}
"""Engines in which nothing is wrong."""

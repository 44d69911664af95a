"""Planted faults: engines of which each has one mistake that a real engine may have.

``COMPUTED`` are mistakes in what an op computes; ``KEPT`` are mistakes in how a program treats memory.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from itertools import count as counting
from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.engines.checking.trial import above, evaluate
from zerograd.engines.checking.variants import Meaning, engine_of, usual
from zerograd.engines.protocol import Compile, Program
from zerograd.ir.graph import Array, Node


def _tail_lost(name: str) -> Meaning:
    """The elements behind the last whole vector of 8 are not written."""

    def meaning(*xs: Any, **attributes: Any) -> Any:
        out = np.array(usual(name)(*xs, **attributes))
        whole = out.size - out.size % 8
        out.reshape(-1)[whole:] = 0
        return out

    return meaning


def _last_term_lost(x: Array, *, axes: tuple[int, ...]) -> Array:
    if not axes or x.shape[axes[-1]] % 8 != 1 or x.shape[axes[-1]] == 1:
        return usual("sum")(x, axes=axes)
    return usual("sum")(np.take(x, range(x.shape[axes[-1]] - 1), axes[-1]), axes=axes)


def _last_k_lost(x: Array, y: Array) -> Array:
    k = x.shape[-1]
    keep = k - 1 if k % 4 == 1 and k > 1 else k
    return usual("matmul")(x[..., :keep], y[..., :keep, :])


def _off_by_one(x: Array, *, starts: Any, stops: Any, steps: Any) -> Array:
    if starts and stops[-1] < x.shape[-1]:
        starts, stops = (*starts[:-1], starts[-1] + 1), (*stops[:-1], stops[-1] + 1)
    return usual("slice")(x, starts=starts, stops=stops, steps=steps)


def _flushed(name: str) -> Meaning:
    """Subnormal results are 0."""

    def meaning(*xs: Any, **attributes: Any) -> Any:
        out = np.array(usual(name)(*xs, **attributes))
        if out.dtype.kind != "f":
            return out
        return np.where(np.abs(out) < np.finfo(out.dtype).smallest_normal, out.dtype.type(0), out)

    return meaning


def _inexact(name: str, error: float) -> Meaning:
    def meaning(*xs: Any, **attributes: Any) -> Any:
        out = np.asarray(usual(name)(*xs, **attributes))
        return out if out.dtype != np.float32 else (out * np.float32(1 + error)).astype(out.dtype)

    return meaning


def _truncated(x: Any, *, dtype: Any) -> Array:
    """bfloat16 by cutting bits off."""
    x = np.asarray(x)
    if dtype is not dtypes.bfloat16 or x.dtype != np.float32:
        return usual("cast")(x, dtype=dtype)
    bits = np.array(x, order="C").view(np.uint32) & np.uint32(0xFFFF0000)
    return usual("cast")(bits.view(np.float32), dtype=dtype)


def _rounding_cast(x: Any, *, dtype: Any) -> Array:
    x = np.asarray(x)
    return usual("cast")(np.rint(x) if x.dtype.kind == "f" and dtype.category == dtypes.INTEGER else x, dtype=dtype)


def _last_place(x: Array, *, axis: int) -> Array:
    """Among equal elements the last."""
    turned = usual("argmax")(np.flip(x, axis), axis=axis)
    return x.shape[axis] - 1 - turned


def _without_maximum(x: Array, *, axis: int) -> Array:
    powers = np.exp(x.astype(np.float32) if x.dtype.itemsize == 2 else x)
    return (powers / np.sum(powers, axis=axis, keepdims=True)).astype(x.dtype)


def _overwriting(x: Array, values: Array, places: Array, *, accumulate: bool) -> Array:
    """Of several rows for one place only the last is added."""
    if not accumulate:
        return usual("index_write")(x, values, places, accumulate=False)
    result = np.array(x)
    result[places] = (x[places] + values).astype(x.dtype)
    return result


def _of_conv(**changed: Any) -> Callable[[str], Meaning]:
    def make(name: str) -> Meaning:
        def meaning(x: Array, w: Array, *, padding: Any, **attributes: Any) -> Array:
            wanted = usual(name)(x, w, padding=padding, **attributes)
            turned = tuple((b, a) for a, b in padding)
            return usual(name)(x, w, padding=turned, **attributes) if changed.get("turned") else -wanted

        return meaning

    return make


def _without_negative(x: Array, places: Array) -> Array:
    return x[np.maximum(places, 0)] if x.shape[0] else x[places]


def _first_of_part(x: Array, part: Array, *, starts: Any, stops: Any, steps: Any) -> Array:
    """Writes through the wrong window when the step is not 1."""
    return usual("slice_write")(x, np.flip(part, -1) if steps and steps[-1] > 1 else part,
                                starts=starts, stops=stops, steps=steps)  # fmt: skip


def _always_corrected(x: Array, *, axes: tuple[int, ...], correction: float) -> Array:
    return usual("var")(x, axes=axes, correction=1.0)


COMPUTED: dict[str, dict[str, Meaning]] = {
    "tail of add lost": {"add": _tail_lost("add")},
    "tail of mul lost": {"mul": _tail_lost("mul")},
    "tail of tanh lost": {"tanh": _tail_lost("tanh")},
    "last term of sums lost": {"sum": _last_term_lost},
    "last k of products lost": {"matmul": _last_k_lost},
    "lt is le": {"lt": np.less_equal},
    "ge is gt": {"ge": np.greater},
    "sub with operands swapped": {"sub": lambda x, y: np.subtract(y, x)},
    "div with operands swapped": {"div": lambda x, y: np.true_divide(y, x)},
    "maximum without NaN": {"maximum": np.fmax},
    "relu makes NaN 0": {"relu": lambda x: np.fmax(x, x.dtype.type(0))},
    "max without NaN": {"max": lambda x, *, axes: np.fmax.reduce(x, axis=axes, keepdims=True)},
    "slices off by one": {"slice": _off_by_one},
    "slice_write reversed by steps": {"slice_write": _first_of_part},
    "mul flushes subnormals": {"mul": _flushed("mul")},
    "exp flushes subnormals": {"exp": _flushed("exp")},
    "exp clamped": {"exp": lambda x: np.exp(np.clip(x, -87, 87).astype(x.dtype)) if x.dtype.kind != "c" else np.exp(x)},
    "exp with 16 wrong units": {"exp": _inexact("exp", 2e-6)},
    "tanh with four digits": {"tanh": _inexact("tanh", 1e-4)},
    "sqrt a unit off": {"sqrt": _inexact("sqrt", 1.2e-7)},
    "neg is 0 - x": {"neg": lambda x: np.subtract(x.dtype.type(0), x) if x.dtype.kind != "b" else x},
    "bfloat16 cut off": {"cast": _truncated},
    "casts to integers round": {"cast": _rounding_cast},
    "argmax takes the last": {"argmax": _last_place},
    "softmax without maximum": {"softmax": _without_maximum},
    "index_write loses equal places": {"index_write": _overwriting},
    "index without negative places": {"index": _without_negative},
    "conv with padding turned": {"conv": _of_conv(turned=True)("conv")},
    "conv_weight with padding turned": {"conv_weight": _of_conv(turned=True)("conv_weight")},
    "var ignores correction": {"var": _always_corrected},
    "where with branches swapped": {"where": lambda condition, x, y: np.where(condition, y, x)},
    "flip of one axis only": {"flip": lambda x, *, axes: np.flip(x, axes[:1])},
    "cat in the wrong order": {"cat": lambda *xs, axis: np.concatenate((xs[0], *xs[:0:-1]), axis)},
    "sort is not stable": {"sort": lambda x, *, axis, descending: tuple(
        np.flip(one, axis) if descending else one for one in usual("sort")(x, axis=axis, descending=False))},
    "cumsum starts at 0": {"cumsum": lambda x, *, axis: usual("cumsum")(x, axis=axis) - x},
}  # fmt: skip
"""The mistake -> the ops that have it."""


def _ignoring_strides(leaves: Sequence[Any]) -> list[Any]:
    """Elements in the order in which they lie in memory."""
    return [one.ravel("K").reshape(one.shape) if isinstance(one, np.ndarray) else one for one in leaves]


def _misreading(outputs: tuple[Node, ...]) -> Program:
    return lambda leaves: engine_of({})(outputs)(_ignoring_strides(leaves))


def _remembering(outputs: tuple[Node, ...]) -> Program:
    """The second run writes into the arrays that the first one gave away."""
    kept: list[Array] = []

    def run(leaves: Sequence[Any]) -> list[Array]:
        results = engine_of({})(outputs)(leaves)
        if kept:
            for old in kept:
                if old.dtype.kind == "f":
                    np.add(old, 1, out=old, casting="unsafe")
            return [np.array(one) for one in results]
        kept.extend(results)
        return results

    return run


def _unsteady(outputs: tuple[Node, ...]) -> Program:
    """Every run rounds a little differently, as threads that race do."""
    runs = counting()

    def run(leaves: Sequence[Any]) -> list[Array]:
        results = engine_of({})(outputs)(leaves)
        step = next(runs)
        return [np.nextafter(one, np.full_like(one, np.inf)) if step and one.dtype == np.float32 else one
                for one in results]  # fmt: skip

    return run


def _writing(outputs: tuple[Node, ...]) -> Program:
    """Results are computed in the memory of the leaves."""

    def run(leaves: Sequence[Any]) -> list[Array]:
        results = [np.array(one) for one in map(evaluate(outputs, leaves).__getitem__, outputs)]
        for one in leaves:
            if isinstance(one, np.ndarray) and one.flags.writeable and one.dtype.kind == "f":
                one += 1
        return results

    return run


def _unfused(outputs: tuple[Node, ...]) -> Program:
    """A mistake of fusion: mul is wrong if tanh reads it."""
    bad = {one for node in above(outputs, {}) if node.op.name == "tanh" for one in node.inputs if one.op.name == "mul"}

    def run(leaves: Sequence[Any]) -> list[Array]:
        if not bad:
            return engine_of({})(outputs)(leaves)
        return engine_of({"tanh": lambda x: np.tanh(x) + np.asarray(1).astype(x.dtype)})(outputs)(leaves)

    return run


KEPT: dict[str, Compile] = {
    "strides of leaves ignored": _misreading,
    "results overwritten by the next run": _remembering,
    "runs differ": _unsteady,
    "leaves written to": _writing,
    "mul into tanh fused wrongly": _unfused,
}


def _dying(outputs: tuple[Node, ...]) -> Program:
    """The interpreter is gone, as after a write to memory that is not there."""
    return lambda leaves: os._exit(13)


def _endless(outputs: tuple[Node, ...]) -> Program:
    """A barrier that nobody comes to."""

    def run(leaves: Sequence[Any]) -> list[Array]:
        while True:
            time.sleep(1)

    return run


DEADLY: dict[str, Compile] = {"dies": _dying, "never ends": _endless}
"""Engines that take their process with them."""

FAULTS: dict[str, Compile] = {**{name: engine_of(meanings) for name, meanings in COMPUTED.items()}, **KEPT}
"""Engines of which each does something wrong."""

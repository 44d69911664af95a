"""An engine's results against the reference's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zerograd.engines.checking.bounds import bounds_of
from zerograd.engines.checking.step import Bound, size_of, wide
from zerograd.engines.checking.tolerances import STRICT, Freedoms
from zerograd.engines.checking.trial import Trial, Values, evaluate
from zerograd.ir.graph import Array, Node

TIGHT = 1e-2  # a bound below this share of an output's largest element says something


@dataclass
class Expectation:
    """What a trial should give.

    Attributes:
        values: of every node.
        bounds: of every node.
    """

    trial: Trial
    values: Values
    bounds: dict[Node, Any]

    def differences(self, results: list[Array]) -> list[str]:
        """What is wrong with an engine's results; empty if nothing is."""
        found = []
        if len(results) != len(self.trial.outputs):
            return [f"{len(results)} results for {len(self.trial.outputs)} outputs"]
        for place, (node, got) in enumerate(zip(self.trial.outputs, results, strict=True)):
            problem = difference(node, self.values[node], got, self.bounds[node])
            if problem:
                found.append(f"output {place}: {problem}")
        return found

    def coverage(self) -> Coverage:
        """How much of the outputs can be judged."""
        total = Coverage()
        for node in self.trial.outputs:
            total.add(np.asarray(self.values[node]), self.bounds[node])
        return total


@dataclass
class Coverage:
    """How many elements were compared.

    Attributes:
        elements: of all outputs.
        decided: of them, those for which something was asked.
        tight: of them, those that had to agree to within a hundredth of their output's largest element.
    """

    elements: int = 0
    decided: int = 0
    tight: int = 0
    exact: int = field(default=0)

    def add(self, out: Array, bound: Bound) -> None:
        """Count one output."""
        self.elements += out.size
        if bound is None:
            self.decided += out.size
            self.tight += out.size
            self.exact += out.size
            return
        size = size_of(out)
        scale = np.max(np.where(np.isfinite(size), size, 0.0), initial=0.0)
        self.decided += int(np.isfinite(bound).sum())
        self.tight += int((bound <= TIGHT * scale).sum())
        self.exact += int((bound == 0).sum())

    def merge(self, other: Coverage) -> None:
        """Count what another has counted."""
        self.elements += other.elements
        self.decided += other.decided
        self.tight += other.tight
        self.exact += other.exact

    def __str__(self) -> str:
        share = lambda n: f"{100 * n / max(self.elements, 1):.1f} %"  # noqa: E731
        return f"{share(self.decided)} decided, {share(self.tight)} tight, {share(self.exact)} exact"


def expected(trial: Trial, freedoms: Freedoms = STRICT) -> Expectation:
    """What the reference computes, and how far from it results may be."""
    values = evaluate(trial.outputs, trial.leaves)
    return Expectation(trial, values, bounds_of(trial.outputs, values, freedoms))


def difference(node: Node, wanted: Any, got: Any, bound: Bound) -> str | None:
    """What is wrong with one result."""
    wanted, got = np.asarray(wanted), np.asarray(got)
    if got.shape != wanted.shape or (got.dtype != wanted.dtype and not node.type.weak):
        return f"{got.dtype}{list(got.shape)} instead of {wanted.dtype}{list(wanted.shape)}"
    wrong = ~agreeing(wanted, got, bound)
    return _described(node, wanted, got, bound, wrong) if wrong.any() else None


def agreeing(wanted: Array, got: Array, bound: Bound) -> Array:
    """Where two arrays agree; without a bound, bit by bit but for NaN."""
    with np.errstate(all="ignore"):
        same = _same(wanted, got)
        if bound is None:
            return same
        if wanted.dtype.kind in "iub":
            return same | np.isinf(bound)
        away = np.abs(wide(got) - wide(wanted)).astype(np.float64)
        near = (bound > 0) & (away <= bound * (1 + 1e-9))
        return same | near | np.isinf(bound)


def _same(a: Array, b: Array) -> Array:
    if a.dtype.kind == "c":
        return _same(np.real(a), np.real(b)) & _same(np.imag(a), np.imag(b))
    if a.dtype.kind in "iub":
        return a == b
    return ((a == b) & (np.signbit(a) == np.signbit(b))) | (np.isnan(a) & np.isnan(b))


def _described(node: Node, wanted: Array, got: Array, bound: Bound, wrong: Array) -> str:
    with np.errstate(all="ignore"):
        away = np.abs(wide(got) - wide(wanted)) if wanted.dtype.kind != "b" else wrong.astype(np.float64)
        away = np.where(wrong, np.where(np.isnan(away), np.inf, away), -1.0).astype(np.float64)
    at = tuple(int(i) for i in np.unravel_index(np.argmax(away), away.shape))
    allowed = 0.0 if bound is None else float(bound[at])
    return (
        f"{node.type}: {int(wrong.sum())} of {wrong.size} elements differ, most at {list(at)}: "
        f"{got[at]!r} instead of {wanted[at]!r}, allowed {allowed:.3g}; "
        f"wanted {extremes(wanted)}, got {extremes(got)}"
    )


def extremes(x: Array) -> str:
    """The least and the greatest number of an array, and how many are none."""
    if not x.size:
        return "nothing"
    if x.dtype.kind == "c":
        return f"sizes {extremes(np.abs(x))}"
    numbers = wide(x)
    finite = numbers[np.isfinite(numbers)] if numbers.dtype.kind == "f" else numbers
    lost = x.size - finite.size
    text = f"[{finite.min()}, {finite.max()}]" if finite.size else "no numbers"
    return text + (f" and {lost} not finite" if lost else "")

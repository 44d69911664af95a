"""The comparison in numbers and in words; every word is chosen by the numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from zerograd.cli.demo.comparison import Run

ROWS = 10
ALIKE = 1.25
"""Two losses count as alike up to this ratio; single batches differ by more."""
ASTRAY = 60
"""Degrees; beyond them less than half of a step goes where the batch would send it."""


def table(runs: Sequence[Run]) -> str:
    """Loss and angle of each run, as means over a tenth of the steps."""
    heading = "steps      " + "   ".join(f"{run.name:>19}" for run in runs)
    units = "           " + "   ".join(f"{'loss':>10}{'angle':>9}" for _ in runs)
    return "\n".join([heading, units, *(row(runs, part) for part in parts(len(runs[0].losses)))])


def row(runs: Sequence[Run], part: slice) -> str:
    """One line of the table."""
    figures = (f"{mean(run.losses[part]):10.4f}{mean(run.angles[part]):8.1f}°" for run in runs)
    return f"{part.start + 1:4}-{part.stop:<4}  " + "   ".join(figures)


def parts(steps: int) -> list[slice]:
    """The tenths of a run."""
    edges = [round(steps * i / ROWS) for i in range(ROWS + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges) if stop > start]


def mean(values: Sequence[float]) -> float:
    """The mean of some numbers."""
    return math.fsum(values) / len(values)


def final(run: Run) -> float:
    """The mean loss of a run's last tenth."""
    return mean(run.losses[parts(len(run.losses))[-1]])


def sentences(runs: Sequence[Run]) -> list[str]:
    """Three sentences on the runs with zero_grad, without it, and with gradients halved."""
    cleared, kept, halved = runs
    first = mean(cleared.losses[parts(len(cleared.losses))[0]])
    course = "fell" if final(cleared) < first else "did not fall"
    astray = sum(angle > ASTRAY for angle in kept.angles) / len(kept.angles)
    return [
        f"With zero_grad the loss {course}, from {first:.3f} to {final(cleared):.3f}, and each step applied "
        f"the gradient of its own batch (at most {max(cleared.angles):.2f}° off).",
        f"Without it each step applied the sum of all gradients so far, which was {mean(kept.angles):.0f}° "
        f"off the true one on average, and more than {ASTRAY}° in {100 * astray:.0f} % of the steps, "
        f"and the loss ended at {final(kept):.3f}, {against(final(kept), final(cleared))}.",
        f"Halved, old gradients fade (after four steps 6 % are left), the applied one was "
        f"{mean(halved.angles):.0f}° off on average, and the loss ended at {final(halved):.3f}, "
        f"{against(final(halved), final(cleared))}.",
    ]


def against(loss: float, reference: float) -> str:
    """A loss compared with the one that zero_grad gave."""
    if not math.isfinite(loss):
        return "no number any more"
    if max(loss, reference) <= ALIKE * min(loss, reference):
        return "about where zero_grad ended"
    if loss > reference:
        return f"{loss / reference:.1f} times as high as with zero_grad"
    return f"{reference / loss:.1f} times lower than with zero_grad"

"""The comparison as a picture. matplotlib is imported here, when a picture is drawn, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zerograd.cli.demo.comparison import Run

FILE = "zero_grad.png"
COLOURS = ("#1b7837", "#c51b7d", "#2166ac")
SMOOTHING = 0.9


def draw(runs: Sequence[Run], folder: Path) -> str:
    """Write the picture into a folder, and say where it is, or why there is none."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return "no picture: matplotlib is missing; pip install 'zerograd[plot]' brings it"
    figure = Figure(figsize=(9, 7), layout="constrained")
    FigureCanvasAgg(figure)
    losses, angles = figure.subplots(2, 1, sharex=True)
    for run, colour in zip(runs, COLOURS, strict=True):
        for axes, values in ((losses, run.losses), (angles, run.angles)):
            axes.plot(values, color=colour, alpha=0.25, linewidth=0.8)
            axes.plot(smooth(values), color=colour, label=run.name)
    losses.set(ylabel="loss of the batch, nats", title="The same training, three ways to treat the old gradient")
    angles.set(
        xlabel="step",
        ylabel="degrees",
        title="Angle between the applied gradient and the batch's own",
    )
    losses.set_ylim(bottom=0)
    losses.legend()
    for axes in (losses, angles):
        axes.grid(alpha=0.3)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / FILE, dpi=120)
    return f"picture: {folder / FILE}"


def smooth(values: Sequence[float]) -> list[float]:
    """The running mean with exponential weights, without its bias to the start."""
    smoothed, total, weight = [], 0.0, 0.0
    for value in values:
        total = SMOOTHING * total + (1 - SMOOTHING) * value
        weight = SMOOTHING * weight + (1 - SMOOTHING)
        smoothed.append(total / weight)
    return smoothed

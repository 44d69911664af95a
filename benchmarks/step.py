"""One training program in this process, measured: the time of a step, of the first steps, memory. Prints JSON.

    python benchmarks/step.py zerograd loop gpt_small [--threads 2] [--seconds 1] [--busy] [--count]

``loop`` runs the step as it is written, ``compiled`` under ``torch.compile``: the whole step in zerograd; the model
and the optimizer's step in PyTorch, which is how it is meant there. Times are medians (and minima) of several blocks of
steps; each block ends by reading the loss and a parameter, so that nothing is still to be computed. ``--busy`` keeps
another process computing on one core meanwhile. ``--count`` adds what a step has to do at least: floating-point
operations of its products and convolutions, and bytes of all arrays that it is given and gives back.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

BLOCKS = 5
FIRST = 6  # steps at the beginning, until everything is compiled: graphs differ in the first ones


def resolve(framework: str, mode: str, training: Any, torch: Any) -> Any:
    """The step in the given mode."""
    if mode == "loop":
        return training.step
    if framework == "zerograd":
        return torch.compile(training.step)
    training.model.forward = torch.compile(training.model.forward)
    training.optimizer.step = torch.compile(training.optimizer.step)
    return training.step


def measured(step: Any, parameter: Any, seconds: float) -> dict[str, Any]:
    """The figures of a step."""
    marks, losses = [time.perf_counter()], []
    for _ in range(FIRST):
        losses.append(float(step()))
        marks.append(time.perf_counter())

    def block(count: int) -> float:
        start = time.perf_counter()
        for _ in range(count):
            loss = step()
        float(loss), float(parameter.detach().sum())
        return (time.perf_counter() - start) / count

    block(3)
    count = max(1, int(seconds / max(block(3), 1e-6)))
    times = [block(count) for _ in range(BLOCKS)]
    return {
        "seconds": statistics.median(times), "best": min(times), "first": marks[1] - marks[0],
        "first six": marks[-1] - marks[0], "losses": losses,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip


def needs(step: Any) -> dict[str, float]:
    """What a step of zerograd's has to do at least, taken from a profile of some."""
    from zerograd.engines import profiling

    steps = 3
    profile = profiling.begin()
    try:
        for _ in range(2 * steps):
            float(step())
        before = {id(work): work.calls for work in profile.works.values()}
        runs = {id(one): one.runs for one in profile.programs}
        for _ in range(steps):
            float(step())
    finally:
        profiling.end()
    flops = sum(work.flops * (work.calls - before.get(id(work), 0)) for work in profile.works.values())
    moved = 0
    for one in profile.programs:
        memory = one.memory()
        moved += (one.runs - runs.get(id(one), 0)) * (memory["leaves"] + memory["results"])
    return {"flops": flops / steps, "bytes": moved / steps}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("framework", choices=["zerograd", "torch"])
    parser.add_argument("mode", choices=["loop", "compiled"])
    parser.add_argument("workload")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a block")
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--count", action="store_true")
    parser.add_argument("--workloads", type=Path, default=Path(__file__).parent, help="folder of the package workloads")
    options = parser.parse_args()
    sys.path.insert(0, str(options.workloads))
    torch = importlib.import_module(options.framework)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    training = importlib.import_module(f"workloads.{options.workload}").build(torch, np.random.default_rng(0))
    parameter = next(iter(training.model.parameters()))
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if options.busy else None
    try:
        found = measured(resolve(options.framework, options.mode, training, torch), parameter, options.seconds)
        if options.count:
            found |= needs(training.step)
    finally:
        if other is not None:
            other.kill()
            other.wait()
    print(json.dumps(found))


if __name__ == "__main__":
    main()

"""What it saves to go on in Python while a step is being computed: blocks of steps with and without, in turn.

    python benchmarks/asynchronous.py gpt_small [--threads 2] [--rounds 30] [--steps 6] [--compiled] [--read 10]

Prints milliseconds a step: the minimum and the median of the blocks of each kind.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import zerograd as torch
from zerograd.settings import settings


def block(step: Any, count: int, every: int) -> float:
    """Milliseconds a step, of which every so many read their loss; nothing is still to be computed at the end."""
    start = time.perf_counter()
    for number in range(count):
        loss = step()
        if every and number % every == every - 1:
            float(loss)
    float(loss)
    return (time.perf_counter() - start) / count * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workload")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--read", type=int, default=0, metavar="N", help="read the loss of every N-th step too")
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--workloads", type=Path, default=Path(__file__).parent, help="folder of the package workloads")
    options = parser.parse_args()
    sys.path.insert(0, str(options.workloads))
    torch.set_num_threads(options.threads)
    training = importlib.import_module(f"workloads.{options.workload}").build(torch, np.random.default_rng(0))
    step = torch.compile(training.step) if options.compiled else training.step
    times: dict[bool, list[float]] = {False: [], True: []}
    for number in range(options.rounds + 2):
        for asynchronous, found in times.items():
            settings.asynchronous = asynchronous
            float(step())
            taken = block(step, options.steps, options.read)
            if number > 1:  # the first ones compile
                found.append(taken)
    for asynchronous, found in times.items():
        word = "asynchronous" if asynchronous else "synchronous"
        print(f"{word:12}  best {min(found):8.3f}  median {statistics.median(found):8.3f} ms a step")


if __name__ == "__main__":
    main()

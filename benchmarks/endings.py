"""Training steps of networks with short sums: with biases and activations that end products, and without.

    python benchmarks/endings.py [--seconds 3] [--only 64-64-64]

Each program is made twice, in one process, and both run in turns: the table shows the median and the tenth percentile
of the steps' times, which other programs disturb least.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any
from unittest import mock

import numpy as np

import zerograd as torch
from zerograd.engines.native import endings, program
from zerograd.ir.graph import Node
from zerograd.settings import settings

# layers, rows of a batch
NETWORKS = [
    ((16, 16, 16, 16, 4), 8192), ((32, 32, 32, 32, 4), 4096), ((64, 64, 64, 64, 4), 2048),
    ((128, 128, 128, 128, 4), 1024), ((32, 64, 64, 64, 16), 16384), ((3, 64, 64, 64, 1), 8192),
    ((16, 64, 1), 16384), ((16, 512, 1), 8192), ((16, 1024, 1), 4096), ((64, 256, 1), 4096), ((64, 512, 1), 8192),
    ((63, 256, 256, 256, 4), 1024), ((784, 512, 512, 10), 128),
]  # fmt: skip


make = program.compile


class Pair:
    """Two programs for the same nodes, of which one has no endings; ``ended`` says which one runs."""

    ended = False
    begin = small = None

    def __init__(self, outputs: tuple[Node, ...]) -> None:
        with mock.patch.object(endings, "DEEPEST", 0):
            self.plain = make(outputs)
        self.other = make(outputs)

    def __call__(self, leaves: Sequence[Any]) -> list[Any]:
        return (self.other if Pair.ended else self.plain)(leaves)


def training(sizes: Sequence[int], rows: int) -> Callable[[], None]:
    """A step of a network of linear layers and ReLU, with SGD."""
    torch.manual_seed(0)
    layers: list[Any] = []
    for before, after in pairwise(sizes):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    x, y = torch.randn(rows, sizes[0]), torch.randn(rows, sizes[-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()

    return step


def timed(step: Callable[[], None], ended: bool) -> float:
    """Seconds of a step, behind two that bring its memory back into the caches."""
    Pair.ended = ended
    for _ in range(2):
        step()
    start = time.perf_counter()
    for _ in range(2):
        step()
    return (time.perf_counter() - start) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3, help="for each network")
    parser.add_argument("--only", default="", help="networks whose sizes contain this")
    options = parser.parse_args()
    settings.engine = "native"
    print(
        f"{'layers':>20} {'batch':>6} {'without':>9} {'with':>9} {'median':>8} {'10 %':>8}   {settings.threads} threads"
    )
    with mock.patch.object(program, "compile", Pair), mock.patch.object(program, "name_of", return_value=""):
        for sizes, rows in NETWORKS:
            name = "-".join(map(str, sizes))
            if options.only not in name:
                continue
            step = training(sizes, rows)
            found: tuple[list[float], list[float]] = ([], [])
            end = time.perf_counter() + options.seconds
            while time.perf_counter() < end or len(found[1]) < 5:
                for ended in (False, True) if len(found[0]) % 2 else (True, False):
                    found[ended].append(timed(step, ended))
            (plain, low), (other, below) = (np.quantile(one[2:], (0.5, 0.1)) * 1e3 for one in found)
            share = f"{100 * (other / plain - 1):+7.1f}% {100 * (below / low - 1):+7.1f}%"
            print(f"{name:>20} {rows:6} {plain:6.3f} ms {other:6.3f} ms {share}", flush=True)


if __name__ == "__main__":
    main()

"""What recording costs: a whole training step of a 100-op model, per op, next to PyTorch.

    python benchmarks/recording.py [--rounds 30] [--blocks 25]

The model is ``blocks`` times linear, relu, times a number, plus the residual: four calls each, on tensors so small
that only overhead is left. A step is forward, backward, Adam and zero_grad. For zerograd, ``recording`` replaces the
engine by one that hands out the arrays of its first run, so what remains is what recording, memoised backward,
optimizer bookkeeping and launching cost; ``with NumPy`` runs the reference engine. Frameworks take turns in one
process; the figure is the best step of each (and the median), in microseconds per forward call.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numpy as np


def build(torch: Any, blocks: int, width: int = 32, batch: int = 8) -> Callable[[], Any]:
    """The step of the model in one framework."""
    F = torch.nn.functional
    torch.manual_seed(0)
    layers = torch.nn.ModuleList([torch.nn.Linear(width, width) for _ in range(blocks)])
    parameters = [(layer.weight, layer.bias) for layer in layers]
    optimizer = torch.optim.Adam(layers.parameters(), lr=1e-3)
    x = torch.ones(batch, width)

    def step() -> Any:
        h = x
        for weight, bias in parameters:
            h = F.linear(h, weight, bias).relu() * 0.5 + h
        loss = h.mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step


@contextmanager
def computing_nothing() -> Any:
    """Programs run once and hand out the same arrays from then on."""
    from zerograd.engines import reference
    from zerograd.ir.record import recorder

    original = reference.compile

    def compile(outputs: Any) -> Any:
        program, memo = original(outputs), []

        def run(leaves: Any) -> Any:
            if not memo:
                memo.append(program(leaves))
            return memo[0]

        return run

    reference.compile = compile
    recorder.own.forget()
    try:
        yield
    finally:
        reference.compile = original
        recorder.own.forget()


def turn(step: Callable[[], Any], seconds: float = 0.05) -> list[float]:
    """The times of single steps, in microseconds, in a turn long enough to fill the caches again."""
    times: list[float] = []
    end = time.perf_counter_ns() + int(seconds * 1e9)
    while (start := time.perf_counter_ns()) < end:
        step()
        times.append((time.perf_counter_ns() - start) / 1000)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()

    import torch as pytorch

    import zerograd
    from zerograd.settings import settings

    settings.engine = "reference"  # the one that computing_nothing replaces
    pytorch.set_num_threads(1)
    calls = 4 * options.blocks
    theirs, ours, computed = [], [], []
    with computing_nothing():
        mine, other = build(zerograd, options.blocks), build(pytorch, options.blocks)
        for _ in range(5):
            mine(), other()
        for _ in range(options.rounds):
            ours += turn(mine)
            theirs += turn(other)
    mine = build(zerograd, options.blocks)
    for _ in range(5):
        mine()
    for _ in range(options.rounds):
        computed += turn(mine)
    parameters = 2 * options.blocks
    print(f"{calls} forward calls, {parameters} parameters; microseconds per forward call (whole step / {calls})")
    for name, times in [("zerograd, recording", ours), ("zerograd, with NumPy", computed), ("PyTorch", theirs)]:
        print(f"{name:22} {min(times) / calls:7.2f}   (step {min(times):8.1f} us, median {np.median(times):8.1f} us)")
    print(f"PyTorch / zerograd recording: {min(theirs) / min(ours):.2f}")


if __name__ == "__main__":
    main()

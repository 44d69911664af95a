"""Memory over long loops: resident megabytes at intervals of 100,000 iterations of four programs.

    python benchmarks/memory.py [--iterations 100000]

Every loop must end where it began: a training loop that never reads a value, an inference loop ``x = f(x)``, a loop
with a changing learning rate, and one with a changing batch length.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable, Iterator

import zerograd as torch


def resident() -> float:
    """Megabytes of memory that the process holds now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20


def model() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    return net, torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)


def training_without_reading() -> Iterator[None]:
    net, optimizer = model()
    x = torch.randn(16, 4)
    while True:
        optimizer.zero_grad()
        net(x).pow(2).mean().backward()
        optimizer.step()
        yield


def inference() -> Iterator[None]:
    x = torch.randn(16)
    while True:
        x = (x * 1.01).tanh()
        yield


def changing_learning_rate() -> Iterator[None]:
    net, optimizer = model()
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.99999)
    x = torch.randn(16, 4)
    while True:
        optimizer.zero_grad()
        net(x).pow(2).mean().backward()
        optimizer.step()
        scheduler.step()
        yield


def changing_length() -> Iterator[None]:
    net, optimizer = model()
    length = 0
    while True:
        length = length % 97 + 1
        optimizer.zero_grad()
        net(torch.ones(length, 4)).pow(2).mean().backward()
        optimizer.step()
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=100_000)
    options = parser.parse_args()
    programs: list[Callable[[], Iterator[None]]] = [
        training_without_reading, inference, changing_learning_rate, changing_length,
    ]  # fmt: skip
    for program in programs:
        loop = program()
        marks = []
        for k in range(options.iterations):
            next(loop)
            if k % (options.iterations // 5) == options.iterations // 10:
                gc.collect()
                marks.append(resident())
        print(f"{program.__name__:26} MB at fifths: {', '.join(f'{mark:.1f}' for mark in marks)}", flush=True)


if __name__ == "__main__":
    main()

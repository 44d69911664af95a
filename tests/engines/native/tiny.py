"""Tiny kernels and programs of them, whose results NumPy knows."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from zerograd.engines.native.driver import Schedule
from zerograd.engines.native.jit import load
from zerograd.engines.native.kernel import Kernel, KernelFunction

ROOT = Path(__file__).resolve().parents[3]


def mixing_kernel() -> Kernel:
    """target[u] = 3 * sum(source) + u, after a while; all of int64. Extra numbers: length of source, rounds to wait."""
    f = KernelFunction()
    source, target, length, rounds = f.place(0), f.place(1), f.number(4), f.number(5)

    def unit(u: Any) -> None:
        (waited,) = f.loop(0, rounds, 1, lambda i, x: f.mul(x, 1.5), [f.const(1.0, "double")])
        (total,) = f.loop(0, length, 1, lambda i, x: f.add(x, f.load("i64", source, i)), [f.const(0, "i64")])
        late = f.convert(f.compare("uno", waited, waited), "i64")  # 0, but not before the waiting is over
        f.store(f.add(f.add(f.mul(total, 3), u), late), target, u)

    f.loop(f.low, f.high, 1, unit)
    return Kernel("mixing", f.finish())


def scratch_kernel() -> Kernel:
    """Fill the scratch memory with the unit's number, wait, and count the words that have changed; all of int64.

    target[2u] is that count, target[2u + 1] the memory's address. Extra numbers: words, rounds to wait.
    """
    f = KernelFunction()
    target, words, rounds = f.place(0), f.number(2), f.number(3)

    def unit(u: Any) -> None:
        f.loop(0, words, 1, lambda i: f.store(u, f.scratch, i))
        (waited,) = f.loop(0, rounds, 1, lambda i, x: f.mul(x, 1.5), [f.const(1.0, "double")])
        late = f.convert(f.compare("uno", waited, waited), "i64")

        def look(i: Any, wrong: Any) -> Any:
            return f.add(wrong, f.convert(f.compare("ne", f.load("i64", f.scratch, i), u), "i64"))

        (wrong,) = f.loop(0, words, 1, look, [late])
        f.store(wrong, target, f.mul(u, 2))
        f.store(f.value("i64", f"ptrtoint ptr {f.scratch.name} to i64"), target, f.add(f.mul(u, 2), 1))

    f.loop(f.low, f.high, 1, unit)
    return Kernel("scratch", f.finish())


@cache
def address(make: Any) -> int:
    """Where a kernel of this file is in memory."""
    kernel = make()
    return load({kernel.symbol: kernel.text})[kernel.symbol]


class Mixing:
    """Phases in each of which every unit needs all results of the phase before.

    Attributes:
        first: what the program begins with.
        expected: what it must end with.
    """

    def __init__(self, phases: int, tasks: int, waits: tuple[int, ...] = (0,), length: int = 12) -> None:
        """waits: rounds that the tasks wait in turn."""
        rng = np.random.default_rng(phases * 1000 + tasks)
        self.first = rng.integers(0, 1 << 40, length)
        kernel = address(mixing_kernel)
        self._numbers = [np.array([p % 2, 0, 1 - p % 2, 0, length, wait], np.int64) for p in range(2) for wait in waits]
        self._kernel, self._tasks, self._waits = kernel, tasks, len(waits)
        self.schedule = Schedule([[self.calls(p, t) for t in range(tasks)] for p in range(phases)], 0)
        self.last = phases % 2
        x = self.first
        for _ in range(phases):
            x = x.sum(keepdims=True) * 3 + np.arange(length)  # an array wraps around silently
        self.expected = x

    def calls(self, phase: int, task: int) -> list[tuple[int, int, int, int]]:
        """What a task of a phase does."""
        wait = (phase * self._tasks + task) % self._waits
        numbers, length = self._numbers[phase % 2 * self._waits + wait].ctypes.data, len(self.first)
        return [(self._kernel, numbers, task * length // self._tasks, (task + 1) * length // self._tasks)]

    def memory(self) -> tuple[list[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
        """Buffers and the table of pointers to them."""
        buffers = [self.first.copy(), np.zeros_like(self.first)]
        return buffers, np.array([one.ctypes.data for one in buffers], np.int64)

    def right(self, threads: int, schedule: Schedule | None = None) -> bool:
        """Run it, and tell whether the result is right."""
        buffers, table = self.memory()
        (schedule or self.schedule).run(table.ctypes.data, threads)
        return bool((buffers[self.last] == self.expected).all())


def python(script: str, timeout: float = 120, **environment: str) -> str:
    """What a script prints in a process of its own, which must end well and in time."""
    paths = [str(ROOT), str(Path(__file__).parent)]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment}
    done = subprocess.run(
        [sys.executable, "-c", script], env=variables, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert not done.stderr, done.stderr
    return done.stdout

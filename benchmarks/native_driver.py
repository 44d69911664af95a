"""What the native engine takes apart from computing: calls, launches, barriers, waking, compiling, loading.

    python benchmarks/native_driver.py

Times are the best and the median of many, in one process on an otherwise quiet machine; the last figures keep one core
busy with another process.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from zerograd.engines.native import jit
from zerograd.engines.native.driver import Schedule
from zerograd.engines.native.kernel import Kernel, KernelFunction


def quantiles(work: Callable[[], Any], times: int, pause: float = 0.0) -> tuple[float, float]:
    """Best and median, in microseconds."""
    found = []
    for _ in range(times):
        if pause:
            time.sleep(pause)
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    found.sort()
    return found[0] * 1e6, found[len(found) // 2] * 1e6


def report(what: str, pair: tuple[float, float], divisor: float = 1.0, unit: str = "us") -> None:
    print(f"{what:62s} {pair[0] / divisor:10.2f} {pair[1] / divisor:10.2f} {unit}")


def nothing() -> Kernel:
    return Kernel("nothing", KernelFunction().finish())


def rounds() -> Kernel:
    """``high - low`` dependent products, which no cache and no other core can slow down."""
    f = KernelFunction()
    x = f.place(0)
    (last,) = f.loop(f.low, f.high, 1, lambda i, v: f.mul(v, 1.0000001), [f.load("double", x)])
    f.store(last, x)
    return Kernel("rounds", f.finish())


class Programs:
    """Programs of tasks that take a known time."""

    def __init__(self) -> None:
        kernels = [nothing(), rounds()]
        found = jit.load({one.symbol: one.source for one in kernels})
        self.nothing, self.rounds = (found[one.symbol] for one in kernels)
        self.data = np.ones((64, 16))
        self.table = np.array([self.data.ctypes.data], np.int64)
        self.buffers = self.table.ctypes.data
        self.numbers = [np.array([0, 128 * i], np.int64) for i in range(64)]
        program = self._of(1, 1, 100_000)
        self.speed = 1e5 / quantiles(lambda: program.run(self.buffers, 1), 200)[0]  # rounds in a microsecond

    def _of(self, phases: int, tasks: int, count: int) -> Schedule:
        at = [one.ctypes.data for one in self.numbers]
        return Schedule([[[(self.rounds, at[t], 0, count)] for t in range(tasks)] for _ in range(phases)], 0)

    def of(self, phases: int, tasks: int, microseconds: float) -> Schedule:
        return self._of(phases, tasks, int(microseconds * self.speed))

    def empty(self, phases: int, tasks: int) -> Schedule:
        return Schedule([[[(self.nothing, 0, 0, 0)]] * tasks] * phases, 0)


def driver(programs: Programs) -> None:
    at = programs.buffers
    one, pair = programs.empty(1, 1), programs.empty(1, 2)
    report("launch, 1 thread, empty program", quantiles(lambda: [one.run(at, 1) for _ in range(100)], 300), 100)
    report("launch, 2 threads awake, empty program", quantiles(lambda: [pair.run(at, 2) for _ in range(100)], 300), 100)
    calls = Schedule([[[(programs.nothing, 0, 0, 0)] * 10_000]], 0)
    report("call, 1 thread", quantiles(lambda: calls.run(at, 1), 100), 10, "ns")
    phases = programs.empty(10_000, 1)
    report("task and phase, one thread draws them all", quantiles(lambda: phases.run(at, 1), 100), 10, "ns")
    for work in (2, 10, 50):
        program = programs.of(20, 2, work)
        single, double = (quantiles(lambda n=n, p=program: p.run(at, n), 300) for n in (1, 2))
        report(f"phase of 2 tasks of {work} us, 1 thread", single, 20)
        report(f"phase of 2 tasks of {work} us, 2 threads", double, 20)
    for work in (10, 20, 50, 100, 500):
        program = programs.of(1, 2, work)
        report(f"program of 2 tasks of {work} us, 1 thread", quantiles(lambda p=program: p.run(at, 1), 200))
        report("    2 threads, worker awake", quantiles(lambda p=program: p.run(at, 2), 200))
        report("    2 threads, worker asleep", quantiles(lambda p=program: p.run(at, 2), 200, 0.002))


def _burn(ready: Any) -> None:
    ready.set()
    while True:
        pass


def busy(programs: Programs) -> None:
    """A core kept busy by a process in a session of its own."""
    context = multiprocessing.get_context("fork")
    for work in (10, 100):
        program = programs.of(100, 4, work)
        report(
            f"100 phases of 4 tasks of {work} us, quiet, 1 thread",
            quantiles(lambda p=program: p.run(programs.buffers, 1), 30),
        )
        report("    2 threads", quantiles(lambda p=program: p.run(programs.buffers, 2), 30))
        ready = context.Event()
        other = context.Process(target=_burn, args=(ready,), daemon=True)
        other.start()
        ready.wait()
        report("    beside a busy process, 1 thread", quantiles(lambda p=program: p.run(programs.buffers, 1), 30))
        report("    beside a busy process, 2 threads", quantiles(lambda p=program: p.run(programs.buffers, 2), 30))
        other.kill()
        other.join()


_LOAD = """
import sys, time
import numpy
from zerograd.engines.native import jit
from zerograd.engines.native.kernel import Kernel, KernelFunction
def kernel(n):
    f = KernelFunction()
    x = f.place(0)
    def body(i):
        v = f.load("<8 x float>", x, i)
        for k in range(30):
            v = f.fma(v, 1.0 + n + k, 0.5 * k)
        f.store(f.sqrt(v), x, i)
    f.loop(f.low, f.high, 8, body)
    return Kernel("k", f.finish())
texts = {one.symbol: one.source for one in map(kernel, range(100))}
start = time.perf_counter()
jit.load(texts)
print((time.perf_counter() - start) * 1e3, "llvmlite.binding" in sys.modules)
"""


def loading() -> None:
    """100 kernels of 35 vector instructions, compiled and from the disk, in new processes."""
    with tempfile.TemporaryDirectory() as folder:
        for what, times in (("compiled", 1), ("from the disk", 10)):
            found = []
            for _ in range(times):
                variables = {**os.environ, "ZEROGRAD_CACHE_DIR": folder}
                told = subprocess.run(
                    [sys.executable, "-c", _LOAD], env=variables, capture_output=True, text=True, check=True
                )
                found.append(float(told.stdout.split()[0]))
            found.sort()
            report(
                f"100 kernels {what}, LLVM loaded: {told.stdout.split()[1]}",
                (found[0], found[len(found) // 2]),
                1,
                "ms",
            )


def main() -> None:
    print(f"{'':62s} {'best':>10s} {'median':>10s}")
    programs = Programs()
    driver(programs)
    busy(programs)
    loading()


if __name__ == "__main__":
    main()

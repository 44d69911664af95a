"""Products of the native engine against OpenBLAS (NumPy's own copy, one thread): a row for each shape.

    python benchmarks/products.py [--rounds 15] [--only 64x64]

Both run in this process, in turns; the best of many rounds counts, as other programs disturb some of them. A product
is called as the engine calls it: packing B is part of it, and shown apart ("packed": B's panels are there already,
as for the second and later row slabs). Batches go to OpenBLAS item by item, called from a compiled loop of Python's
ctypes; its overhead, measured with an empty product, is subtracted.
"""

from __future__ import annotations

import argparse
import ctypes
import glob
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from zerograd.engines.native.jit import load
from zerograd.engines.native.kernel import Instruction
from zerograd.engines.native.products.matrix import Matrix
from zerograd.engines.native.products.plan import plan

# M, N, K, batch, A transposed, B transposed
SHAPES = [
    (2048, 1536, 384, 1, 0, 1), (2048, 384, 1536, 1, 0, 0), (384, 1536, 2048, 1, 1, 0), (128, 512, 784, 1, 0, 1),
    (128, 512, 512, 1, 0, 1), (128, 512, 512, 1, 0, 0), (512, 784, 128, 1, 1, 0), (768, 512, 128, 1, 0, 1),
    (64, 512, 128, 1, 0, 0), (64, 512, 128, 1, 0, 1), (64, 128, 9216, 1, 0, 1), (64, 576, 288, 1, 0, 0),
    (1024, 1024, 1024, 1, 0, 0), (256, 256, 256, 1, 0, 0), (256, 64, 64, 48, 0, 1), (64, 64, 32, 48, 0, 0),
    (64, 64, 32, 48, 0, 1), (64, 32, 64, 48, 0, 0), (64, 32, 64, 48, 1, 0), (32, 64, 4, 1, 0, 1),
    (32, 64, 64, 1, 0, 1), (32, 64, 64, 1, 0, 0), (64, 64, 32, 1, 1, 0), (32, 3, 64, 1, 0, 1), (3, 64, 32, 1, 1, 0),
    (32, 64, 3, 1, 0, 0), (64, 4, 32, 1, 1, 0), (128, 10, 512, 1, 0, 1), (10, 512, 128, 1, 1, 0),
    (128, 512, 10, 1, 0, 0), (64, 65, 384, 1, 0, 1), (64, 64, 4096, 1, 1, 0), (1, 512, 512, 1, 0, 0),
    (1, 512, 512, 1, 0, 1), (512, 1, 512, 1, 0, 0), (4, 1536, 384, 1, 0, 1),
]  # fmt: skip
CALL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)


def openblas() -> Any:
    """NumPy's cblas_sgemm, on one thread."""
    folder = os.path.join(os.path.dirname(os.path.dirname(np.__file__)), "numpy.libs")
    library = ctypes.CDLL(glob.glob(os.path.join(folder, "libscipy_openblas64_*.so"))[0])
    library.scipy_openblas_set_num_threads64_(1)
    function = library.scipy_cblas_sgemm64_
    word, number, place = ctypes.c_int64, ctypes.c_float, ctypes.c_void_p
    function.argtypes = [ctypes.c_int] * 3 + [word] * 3 + [number, place, word, place, word, number, place, word]
    function.restype = None
    return function


class Memory:
    """Buffers aligned to a cache line."""

    def __init__(self) -> None:
        self.buffers: list[np.ndarray[Any, Any]] = []

    def new(self, count: int) -> int:
        whole = np.zeros(count // 4 + 32, np.float32)
        start = -whole.ctypes.data % 64 // 4
        self.buffers.append(whole[start : start + count // 4 + 1])
        return len(self.buffers) - 1

    def matrix(self, batch: int, rows: int, columns: int, transposed: int) -> tuple[Matrix, np.ndarray[Any, Any]]:
        number = self.new(batch * rows * columns * 4)
        flat = self.buffers[number][: batch * rows * columns]
        flat[:] = np.random.default_rng(number).standard_normal(flat.size)
        strides = (rows * columns, 1, rows) if transposed else (rows * columns, columns, 1)
        view = np.lib.stride_tricks.as_strided(flat, (batch, rows, columns), [4 * s for s in strides])
        return Matrix(number, 0, (batch, rows, columns), strides, "float"), view


def runner(memory: Memory, instructions: list[Instruction]) -> tuple[Callable[[], None], float]:
    """A function that runs them, and how long their code took to compile, in ms."""
    begin = time.perf_counter()
    code = load({one.kernel.symbol: one.kernel.text for one in instructions})
    took = (time.perf_counter() - begin) * 1e3
    table = np.array([one.ctypes.data for one in memory.buffers], np.uint64)
    scratch = memory.buffers[memory.new(max(one.scratch for one in instructions) + 64)]
    calls = []
    for one in instructions:
        operands = [x for at in (*one.reads, *one.writes) for x in (at.buffer, at.offset)]
        numbers = np.array(operands + list(one.extra), np.int64)
        memory.buffers.append(numbers)
        calls.append((CALL(code[one.kernel.symbol]), table.ctypes.data, numbers.ctypes.data, 0, one.units))

    def run() -> None:
        for function, *numbers in calls:
            function(*numbers, scratch.ctypes.data)

    run.keep = table  # pyright: ignore[reportFunctionMemberAccess]
    return run, took


def best(functions: list[Callable[[], None]], rounds: int, flops: float) -> list[float]:
    """Seconds of one call of each, taken in turns."""
    count = max(1, int(2e8 / max(flops, 2e5)))
    times = [float("inf")] * len(functions)
    for _ in range(rounds):
        for i, function in enumerate(functions):
            begin = time.perf_counter()
            for _ in range(count):
                function()
            times[i] = min(times[i], (time.perf_counter() - begin) / count)
    return times


def measure(shape: tuple[int, ...], blas: Any, rounds: int) -> str:
    m, n, k, batch, left, right = shape
    memory = Memory()
    a, x = memory.matrix(batch, m, k, left)
    b, y = memory.matrix(batch, k, n, right)
    c, z = memory.matrix(batch, m, n, 0)
    instructions = plan(a, b, c, memory.new)
    own, compiled = runner(memory, instructions)
    own()
    truth = x.astype(np.float64) @ y
    error = abs(z - truth).max() / (abs(x.astype(np.float64)) @ abs(y)).max() / 2**-24
    pieces = [own]
    if len(instructions) > 1 and instructions[0].kernel.symbol.startswith("pack"):
        pieces.append(runner(memory, instructions[1:])[0])
    widths = (k if not left else m, n if not right else k, n)
    places = [
        tuple(memory.buffers[one.buffer].ctypes.data + 4 * i * one.shape[1] * one.shape[2] for one in (a, b, c))
        for i in range(batch)
    ]

    def theirs(m: int = m, n: int = n) -> None:
        for p, q, r in places:
            blas(101, 111 + left, 111 + right, m, n, k, 1.0, p, widths[0], q, widths[1], 0.0, r, widths[2])

    empty = CALL(load({"nothing": NOTHING})["nothing"])

    def nothing() -> None:
        for _ in instructions:
            empty(0, 0, 0, 0, 0)

    flops = 2 * m * n * k * batch
    times = best([*pieces, theirs, lambda: theirs(0, 0), nothing], rounds, flops)
    times[-3] -= times[-2]
    times[:-3] = [one - times[-1] for one in times[:-3]]
    rate = [flops / one / 1e9 for one in times]
    packed = f"{rate[1]:7.1f}" if len(pieces) > 1 else " " * 7
    layout = "nt"[left] + "nt"[right]
    return (
        f"{f'{batch} x ' * (batch > 1)}{m}x{n} k {k} {layout}".ljust(24)
        + f"{times[0] * 1e6:9.2f} {rate[0]:7.1f} {packed} {times[-3] * 1e6:10.2f} {rate[-3]:7.1f}"
        + f" {times[-3] / times[0]:6.2f} {compiled:8.0f} {len(instructions):4d} {error:7.2f}"
    )


HEAD = "shape                       own us    GF/s  packed  OpenBLAS us    GF/s  ratio  compile ms, parts, error"

NOTHING = """define void @nothing(ptr %a, ptr %b, i64 %c, i64 %d, ptr %e) {
  ret void
}
"""


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rounds", type=int, default=15)
    words.add_argument("--only", default="", help="shapes whose name contains this")
    chosen = words.parse_args()
    blas = openblas()
    print(HEAD)
    for shape in SHAPES:
        m, n, k = shape[:3]
        if chosen.only in f"{m}x{n} k {k}":
            print(measure(shape, blas, chosen.rounds), flush=True)


if __name__ == "__main__":
    main()

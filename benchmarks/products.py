"""Products of the native engine against a BLAS library (OpenBLAS, NumPy's copy), one thread: a row for each shape.

    python benchmarks/products.py [--rounds 15] [--only 64x64] [--blas /path/to/libmkl_rt.so.3]

Both run in this process, in turns; the best of many rounds counts, as other programs disturb some of them, and
the time is that of the processor. A product
is called as the engine calls it: packing B is part of it, and shown apart ("packed": B's panels are there already,
as for the second and later row slabs). Batches go to the library item by item. The calls are made by a compiled loop.
The error is the greatest, in units of 2**-24 of the greatest sum of magnitudes.
"""

from __future__ import annotations

import argparse
import ctypes
import glob
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from repeating import repeating

from zerograd.engines.native.emit import Function, Value
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
    (1, 512, 512, 1, 0, 1), (512, 1, 512, 1, 0, 0), (4, 1536, 384, 1, 0, 1), (128, 512, 768, 1, 1, 0),
    (512, 128, 768, 1, 1, 0), (384, 128, 768, 1, 1, 0), (128, 128, 768, 1, 1, 0), (768, 128, 128, 1, 0, 0),
    (768, 128, 128, 1, 0, 1), (768, 512, 128, 1, 0, 0), (768, 128, 512, 1, 0, 0), (768, 128, 512, 1, 0, 1),
]  # fmt: skip


THREADS = ("MKL_Set_Num_Threads", "openblas_set_num_threads", "bli_thread_set_num_threads")
"""What sets the number of threads, by library; takes it as an int."""


def openblas() -> tuple[int, bool]:
    """The address of NumPy's cblas_sgemm, on one thread, and whether it takes sizes of 64 bits."""
    folder = os.path.join(os.path.dirname(os.path.dirname(np.__file__)), "numpy.libs")
    library = ctypes.CDLL(glob.glob(os.path.join(folder, "libscipy_openblas64_*.so"))[0])
    library.scipy_openblas_set_num_threads64_(1)
    return ctypes.cast(library.scipy_cblas_sgemm64_, ctypes.c_void_p).value or 0, True


def library(name: str) -> tuple[int, bool]:
    """The same of a library with the usual names, by its path or as the linker finds it; sizes have 32 bits."""
    os.environ.setdefault("MKL_THREADING_LAYER", "SEQUENTIAL")
    found = ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    for word in THREADS:
        if hasattr(found, word):
            getattr(found, word)(1)
    return ctypes.cast(found.cblas_sgemm, ctypes.c_void_p).value or 0, False


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


def repeated_sgemm(wide: bool) -> str:
    """Code that calls sgemm for each of ``items`` rows of 11 numbers, and that so many times.

    Args:
        wide: whether its sizes have 64 bits, else 32.
    """
    f = Function("repeat_sgemm", (("ptr", "function"), ("ptr", "rows"), ("i64", "items"), ("i64", "count")))
    function, rows, items, count = f.arguments

    def one(i: Value) -> None:
        left, right, m, n, k, a, lda, b, ldb, c, ldc = (f.load("i64", rows, f.add(f.mul(i, 11), j)) for j in range(11))
        left, right = f.convert(left, "i32"), f.convert(right, "i32")
        a, b, c = (f.value("ptr", f"inttoptr i64 {x.name} to ptr") for x in (a, b, c))
        if not wide:
            m, n, k, lda, ldb, ldc = (f.convert(x, "i32") for x in (m, n, k, lda, ldb, ldc))
        f.do(
            f"call void {function.name}(i32 101, {left}, {right}, {m}, {n}, {k}, float 1.0, {a}, {lda}, {b}, {ldb}, "
            f"float 0.0, {c}, {ldc})"
        )

    f.loop(0, count, 1, lambda _: f.loop(0, items, 1, one) and None)
    return f.finish()


class Repeated:
    """Calls made by compiled code, so that Python's own time is no part of what is measured."""

    def __init__(self, wide: bool) -> None:
        self.kept: list[Any] = []
        code = load({"repeat_sgemm": repeated_sgemm(wide)})
        word, place = ctypes.c_int64, ctypes.c_void_p
        self.kernel = repeating()
        self.sgemm = ctypes.CFUNCTYPE(None, place, place, word, word)(code["repeat_sgemm"])

    def kernels(self, memory: Memory, instructions: Sequence[Instruction]) -> Callable[[int], None]:
        code = load({one.kernel.symbol: one.kernel.text for one in instructions})
        scratch = memory.buffers[memory.new(max([one.scratch for one in instructions], default=0) + 64)]
        table = np.array([one.ctypes.data for one in memory.buffers], np.uint64)
        calls = []
        for one in instructions:
            operands = [x for at in (*one.reads, *one.writes) for x in (at.buffer, at.offset)]
            numbers = np.array(operands + list(one.extra), np.int64)
            self.kept += [numbers, table, scratch]
            places = table.ctypes.data, numbers.ctypes.data, scratch.ctypes.data
            calls.append((code[one.kernel.symbol], *places, one.units))

        def run(count: int) -> None:
            for call in calls:
                self.kernel(*call, count)

        return run

    def products(self, function: int, rows: Sequence[Sequence[int]]) -> Callable[[int], None]:
        numbers = np.array(rows, np.int64)
        self.kept.append(numbers)
        return lambda count: self.sgemm(function, numbers.ctypes.data, len(rows), count)


def best(functions: Sequence[Callable[[int], None]], rounds: int, flops: float) -> list[float]:
    """Processor seconds of one call of each, taken in turns."""
    count = max(1, int(1e8 / max(flops, 1e5)))
    times = [float("inf")] * len(functions)
    for _ in range(rounds):
        for i, function in enumerate(functions):
            begin = time.thread_time()
            function(count)
            times[i] = min(times[i], (time.thread_time() - begin) / count)
    return times


def measure(shape: tuple[int, ...], blas: tuple[int, bool], rounds: int) -> str:
    m, n, k, batch, left, right = shape
    function, wide = blas
    memory, repeated = Memory(), Repeated(wide)
    a, x = memory.matrix(batch, m, k, left)
    b, y = memory.matrix(batch, k, n, right)
    c, z = memory.matrix(batch, m, n, 0)
    instructions = plan(a, b, c, memory.new)
    begin = time.perf_counter()
    own = repeated.kernels(memory, instructions)
    compiled = (time.perf_counter() - begin) * 1e3
    own(1)
    magnitude = (abs(x.astype(np.float64)) @ abs(y)).max()
    error = abs(z - x.astype(np.float64) @ y).max() / magnitude * 2**24
    pieces = [own]
    if instructions[0].kernel.symbol.startswith("pack"):
        pieces.append(repeated.kernels(memory, instructions[1:]))
    starts = [
        [memory.buffers[one.buffer].ctypes.data + 4 * i * one.strides[0] for one in (a, b, c)] for i in range(batch)
    ]
    widths = m if left else k, k if right else n, n
    rows = [
        [111 + left, 111 + right, m, n, k, *(x for pair in zip(places, widths, strict=True) for x in pair)]
        for places in starts
    ]
    flops = 2 * m * n * k * batch
    theirs = repeated.products(function, rows)
    z[:] = 0
    theirs(1)
    assert abs(z - x.astype(np.float64) @ y).max() < 1e-4 * magnitude, "the library's product is another"
    times = best([*pieces, theirs], rounds, flops)
    rates = [flops / one / 1e9 for one in times]
    packed = f"{rates[1]:7.1f}" if len(pieces) > 1 else " " * 7
    name = f"{f'{batch} x ' * (batch > 1)}{m}x{n} k {k} {'nt'[left]}{'nt'[right]}"
    return (
        f"{name:24}{times[0] * 1e6:10.2f} {rates[0]:7.1f} {packed} {times[-1] * 1e6:12.2f} {rates[-1]:7.1f}"
        f" {times[-1] / times[0]:6.2f} {compiled:8.0f} {len(instructions):6} {error:6.2f}"
    )


HEAD = "shape                       own us    GF/s  packed      BLAS us    GF/s  ratio  compile ms, parts, error"


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rounds", type=int, default=15)
    words.add_argument("--only", default="", help="shapes whose name contains this")
    words.add_argument("--blas", default="", help="a BLAS library to compare with, by path or name")
    chosen = words.parse_args()
    blas = library(chosen.blas) if chosen.blas else openblas()
    print(HEAD)
    for shape in SHAPES:
        m, n, k = shape[:3]
        if chosen.only in f"{m}x{n} k {k}":
            print(measure(shape, blas, chosen.rounds), flush=True)


if __name__ == "__main__":
    main()

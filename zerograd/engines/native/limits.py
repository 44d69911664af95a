"""What this machine can do at best, measured in a fraction of a second: arithmetic and memory.

The rate of arithmetic is that of a large product of float32 matrices, by this engine or by NumPy's BLAS, whichever is
faster (the BLAS takes all processors, so it counts where programs do, too); the bandwidth is that of ``y = x * number``
on arrays that no cache holds, written over themselves, so that each element is read once and written once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from zerograd import dtypes
from zerograd.engines.native.program import Program, Segment, compile
from zerograd.ir.graph import Node, TensorType, leaf
from zerograd.ops.contraction import matmul
from zerograd.ops.elementwise import mul
from zerograd.ops.movement import expand
from zerograd.settings import settings

SIZE = 1024  # rows, columns and depth of the product
STREAM = 1 << 24  # elements of the array: 64 MB
SECONDS = 0.15  # for each of the measurements


class Limits(NamedTuple):
    """What the threads in use can do together.

    Attributes:
        threads: how many.
        flops: floating-point operations a second, in float32.
        bandwidth: bytes a second, read and written.
    """

    threads: int
    flops: float
    bandwidth: float


def measure(seconds: float = SECONDS) -> Limits:
    """Measure the limits with as many threads as programs use now."""
    flops = _native_product(seconds)
    if settings.threads >= (os.cpu_count() or 1):
        flops = max(flops, _blas(seconds))
    return Limits(settings.threads, flops, _stream(seconds))


def _native_product(seconds: float) -> float:
    x, y = (_input(slot, (SIZE, SIZE)) for slot in range(2))
    arrays = [np.ones((SIZE, SIZE), np.float32) for _ in range(2)]
    return 2 * SIZE**3 / _best(_run_again(compile((_node(matmul, x, y),)), arrays), seconds)


def _blas(seconds: float) -> float:
    x, y, z = (np.ones((SIZE, SIZE), np.float32) for _ in range(3))
    return 2 * SIZE**3 / _best(lambda: np.matmul(x, y, out=z), seconds)


def _stream(seconds: float) -> float:
    x, factor = _input(0, (STREAM,)), _input(1, (1,))
    program = compile((_node(mul, x, _node(expand, factor, shape=(STREAM,))),))
    again = _run_again(program, [np.ones(STREAM, np.float32), np.ones(1, np.float32)])
    return 2 * 4 * STREAM / _best(again, seconds)


def _input(slot: int, shape: tuple[int, ...]) -> Node:
    return _node(leaf, slot=slot, type=TensorType(shape, dtypes.float32))


def _node(op: Any, *inputs: Node, **attributes: Any) -> Node:
    """A node that no recorder knows of."""
    return Node(op, inputs, attributes, op.infer(*[one.type for one in inputs], **attributes), False)


def _run_again(program: Program, arrays: list[Any]) -> Callable[[], object]:
    """What runs the program's only segment again on the arrays of its first run, so that no memory is new."""
    results = program(arrays)
    (segment,) = program.parts
    threads = settings.threads
    assert isinstance(segment, Segment)
    table = program.table.copy()
    for one in program.results:  # over the first operand where they fit
        if results[0].size == arrays[0].size == STREAM:
            table[one.index] = arrays[0].ctypes.data

    def run(held: object = (program, arrays, results)) -> None:
        segment.schedule.run(table.ctypes.data, threads)

    return run


def _best(run: Callable[[], object], seconds: float) -> float:
    """Seconds of the fastest run."""
    best = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best

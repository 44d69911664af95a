"""Convolutions of the native engine against PyTorch's, in one process, in turns: GFLOP/s of the best of many rounds.

    python benchmarks/convolutions.py [--rounds 9] [--only 3x3] [--threads 1] [--double] [--plain]

Forward, gradient of the weights, gradient of the input, each as a program of one op. Operations that meet
the padding's zeros count too, and kernels of 3x3 count as sums over nine taps, though they may be computed with fewer
products (not with ``--plain``). PyTorch must be installed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import zerograd
from zerograd.dtypes import from_numpy
from zerograd.engines.native import program
from zerograd.ir.graph import Node, TensorType, leaf
from zerograd.ops import convolution as ops
from zerograd.settings import settings

# batch, channels, features, size, kernel, stride, padding, groups
SHAPES = [
    (64, 1, 32, (28, 28), 3, 1, 0, 1), (64, 32, 64, (26, 26), 3, 1, 0, 1), (16, 64, 128, (56, 56), 3, 2, 1, 1),
    (4, 3, 64, (224, 224), 7, 2, 3, 1), (16, 256, 256, (14, 14), 1, 1, 0, 1), (8, 96, 96, (56, 56), 3, 1, 1, 96),
    (16, 64, 64, (56, 56), 3, 1, 1, 1), (16, 256, 256, (14, 14), 3, 1, 1, 1), (16, 512, 512, (7, 7), 3, 1, 1, 1),
    (32, 64, 64, (32, 32), 3, 1, 1, 1), (16, 256, 512, (14, 14), 1, 2, 0, 1), (32, 64, 64, (1000,), 5, 1, 2, 1),
    (2, 16, 32, (16, 28, 28), 3, 1, 1, 1), (32, 16, 16, (32, 32), 3, 1, 1, 1), (1, 64, 64, (28, 28), 3, 1, 1, 1),
    (64, 32, 32, (7, 7), 3, 1, 1, 1),
]  # fmt: skip


def leaves(*arrays: np.ndarray[Any, Any]) -> list[Node]:
    types = [TensorType(one.shape, from_numpy(one.dtype)) for one in arrays]
    return [Node(leaf, (), {"slot": i}, type, False) for i, type in enumerate(types)]


def own(node: Node, arrays: list[Any]) -> Callable[[], Any]:
    """One run of the op's program."""
    made = program.compile((node,))
    assert all(isinstance(part, program.Segment) for part in made.parts), "a part is left to NumPy"
    return lambda: made(arrays)


def measure(shape: tuple[Any, ...], rounds: int, count: int, kind: Any) -> str:
    import torch

    torch.set_num_threads(count)
    zerograd.set_num_threads(count)
    n, channels, features, size, k, stride, padding, groups = shape
    rank = len(size)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, channels, *size)).astype(kind)
    w = rng.standard_normal((features, channels // groups, *(k,) * rank)).astype(kind)
    how: dict[str, Any] = {
        "stride": (stride,) * rank, "padding": ((padding, padding),) * rank, "dilation": (1,) * rank, "groups": groups
    }  # fmt: skip
    windows = ops.window_counts(size, w.shape[2:], **{key: how[key] for key in ("stride", "padding", "dilation")})
    y = rng.standard_normal((n, features, *windows)).astype(kind)
    flops = 2 * y.size * w[0].size
    nodes = (
        (ops.conv(*leaves(x, w), **how), [x, w], (True, False, False)),
        (ops.conv_weight(*leaves(x, y), kernel=w.shape[2:], **how), [x, y], (False, True, False)),
        (ops.conv_input(*leaves(y, w), size=size, **how), [y, w], (True, False, False)),
    )
    tx, tw, ty = (torch.from_numpy(one) for one in (x, w, y))
    arguments = (stride,) * rank, (padding,) * rank, (1,) * rank
    back = torch.ops.aten.convolution_backward
    theirs = (
        lambda: torch.ops.aten.convolution(tx, tw, None, *arguments, False, (0,) * rank, groups),
        lambda: back(ty, tx, tw, None, *arguments, False, (0,) * rank, groups, (False, True, False)),
        lambda: back(ty, tx, tw, None, *arguments, False, (0,) * rank, groups, (True, False, False)),
    )
    text = f"{n:3} {channels:4} {features:4} {'x'.join(map(str, size)):9} k{k} s{stride} p{padding} g{groups:<3}"
    for (node, arrays, _), other in zip(nodes, theirs, strict=True):
        mine = own(node, arrays)
        times = best((mine, other), rounds, time.thread_time if count == 1 else time.perf_counter)
        text += f" | {flops / times[0] / 1e9:6.1f} {flops / times[1] / 1e9:6.1f} {times[1] / times[0]:5.2f}"
    return text


def best(functions: tuple[Callable[[], Any], ...], rounds: int, clock: Callable[[], float]) -> list[float]:
    """Seconds of one call of each, taken in turns. On one thread its own time counts: other programs have less part."""
    times = [float("inf")] * len(functions)
    for _ in range(rounds):
        for i, function in enumerate(functions):
            begin = clock()
            function()
            times[i] = min(times[i], clock() - begin)
    return times


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rounds", type=int, default=9)
    words.add_argument("--threads", type=int, default=1)
    words.add_argument("--double", action="store_true")
    words.add_argument("--plain", action="store_true", help="3x3 kernels as sums over taps")
    words.add_argument("--only", default="", help="numbers of shapes, as 0,3")
    chosen = words.parse_args()
    settings.winograd = not chosen.plain
    print("shape                              | forward   torch ratio | weights  torch ratio | input    torch ratio")
    kind = np.float64 if chosen.double else np.float32
    for i, shape in enumerate(SHAPES):
        if not chosen.only or str(i) in chosen.only.split(","):
            print(measure(shape, chosen.rounds, chosen.threads, kind), flush=True)


if __name__ == "__main__":
    main()

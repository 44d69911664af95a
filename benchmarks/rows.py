"""Row kernels of the native engine: elementwise chains, row reductions, sums of all rows; a line for each case.

    python benchmarks/rows.py [--rounds 15] [--only softmax] [--kernels]

One thread. Operands lie where the call before left them: in a cache, if they fit. ``elements``: of the largest value
that is there. ``GB/s`` counts every operand of every kernel once; ``copy`` is what NumPy's copy of as many bytes
reaches in the same turn; ``NumPy`` the time of the reference, which is the same computation op by op. ``--kernels``
shows the kernels of which a case consists. The best of many rounds counts, as other programs disturb some of them, and
the time is that of the processor.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from repeating import repeating

import zerograd as torch
from zerograd.engines import reference
from zerograd.engines.native import kinds
from zerograd.engines.native.buffers import CONSTANT, LEAF, NUMBER
from zerograd.engines.native.jit import load
from zerograd.engines.native.kernel import Instruction
from zerograd.engines.native.lower import Lowering
from zerograd.ir.graph import Node, leaf
from zerograd.ir.record import recorder
from zerograd.ir.traverse import topological
from zerograd.passes import pipeline

kinds.registered()
F = torch.nn.functional
Case = Callable[[], Sequence[torch.Tensor]]


def gradients(function: Callable[..., torch.Tensor], *shapes: tuple[int, ...]) -> Sequence[torch.Tensor]:
    """A function of normal numbers and its gradients, for a gradient of normal numbers."""
    inputs = [torch.randn(*shape, requires_grad=True) for shape in shapes]
    out = function(*inputs)
    return [out, *torch.autograd.grad(out, inputs, torch.randn(out.shape))]


def unary(name: str) -> Case:
    return lambda: [getattr(torch, name)(torch.randn(768, 512))]


def layer_norm(rows: int, row: int) -> Case:
    def case() -> Sequence[torch.Tensor]:
        total = torch.randn(rows, row) + torch.randn(rows, row)
        return [total, F.layer_norm(total, (row,), torch.randn(row), torch.randn(row))]

    return case


def layer_norm_gradient(rows: int, row: int) -> Case:
    return lambda: gradients(lambda x, w, b: F.layer_norm(x, (row,), w, b), (rows, row), (row,), (row,))


def masked_softmax() -> Sequence[torch.Tensor]:
    """About half of the scores are masked."""
    scores = torch.randn(12, 4, 64, 64) * 0.125
    return [torch.softmax(scores.masked_fill(torch.randn(64, 64) > 0.7, float("-inf")), -1)]


def cross_entropy(rows: int, classes: int) -> Case:
    return lambda: gradients(lambda x: F.cross_entropy(x, torch.randint(0, classes, (rows,))), (rows, classes))


def adam() -> Sequence[torch.Tensor]:
    p, g, m, v = (torch.randn(512, 784).abs() for _ in range(4))
    m, v = m * 0.9 + g * 0.1, v * 0.999 + g * g * 0.001
    return [m, v, p - 0.001 * (m / 0.1) / ((v / 0.001).sqrt() + 1e-8)]


def lstm_cell() -> Sequence[torch.Tensor]:
    gates, c = torch.randn(64, 1024), torch.randn(64, 256)
    i, f, g, o = gates.chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return [c, o.sigmoid() * c.tanh()]


def batch_norm() -> Sequence[torch.Tensor]:
    return gradients(lambda x, w, b: F.batch_norm(x, None, None, w, b, True), (64, 32, 14, 14), (32,), (32,))


def channels_norm() -> Sequence[torch.Tensor]:
    images = torch.randn(8, 96, 28, 28).permute(0, 2, 3, 1)
    return [F.layer_norm(images, (96,), torch.randn(96), torch.randn(96))]


def rotary() -> Sequence[torch.Tensor]:
    x, cos, sin = torch.randn(8, 4, 128, 64), torch.randn(128, 32), torch.randn(128, 32)
    a, b = x[..., ::2], x[..., 1::2]
    return [torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)]


def rms_norm(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt() * weight


CASES: dict[str, Case] = {
    "add": lambda: [torch.randn(768, 512) + torch.randn(768, 512)],
    "add bias, relu": lambda: [(torch.randn(768, 512) + torch.randn(512)).relu()],
    "scaled sum, small": lambda: [torch.randn(32, 64) * 0.5 + torch.randn(32, 64)],
    **{name: unary(name) for name in ("exp", "log", "tanh", "sigmoid", "erf", "sin", "sqrt", "log1p", "expm1")},
    "gelu": lambda: [F.gelu(torch.randn(768, 512) + torch.randn(512))],
    "gelu, backward": lambda: gradients(lambda x, b: F.gelu(x + b), (768, 512), (512,)),
    "gelu tanh, backward": lambda: gradients(lambda x: F.gelu(x, approximate="tanh"), (768, 512)),
    "silu": lambda: [F.silu(torch.randn(768, 512))],
    "softplus": lambda: [F.softplus(torch.randn(768, 512))],
    "sum of rows": lambda: [torch.randn(768, 128).sum(1)],
    "sum of short rows": lambda: [torch.randn(4096, 10).sum(1)],
    "sum of long rows": lambda: [torch.randn(16, 8192).sum(1)],
    "max of rows": lambda: [torch.randn(768, 128).amax(1)],
    "sum of columns": lambda: [torch.randn(768, 512).sum(0)],
    "sum of columns, 130": lambda: [torch.randn(768, 130).sum(0)],
    "sum of everything": lambda: [torch.randn(768, 512).sum()],
    "mse": lambda: gradients(lambda x, y: F.mse_loss(x, y), (768, 512), (768, 512)),
    "variance of rows": lambda: [torch.randn(768, 128).var(1)],
    "layer norm": layer_norm(768, 128),
    "layer norm, 384": layer_norm(2048, 384),
    "layer norm, 100": layer_norm(768, 100),
    "layer norm, backward": layer_norm_gradient(768, 128),
    "softmax": lambda: [torch.softmax(torch.randn(768, 64), -1)],
    "softmax, 1000": lambda: [torch.softmax(torch.randn(256, 1000), -1)],
    "softmax, 10": lambda: [torch.softmax(torch.randn(2048, 10), -1)],
    "softmax, 16": lambda: [torch.softmax(torch.randn(2048, 16), -1)],
    "softmax, 3": lambda: [torch.softmax(torch.randn(2048, 3), -1)],
    "sixteen columns": lambda: [torch.randn(4096, 16) * torch.randn(16) + torch.randn(16)],
    "softmax, backward": lambda: gradients(lambda x: torch.softmax(x, -1), (768, 64)),
    "softmax, masked": masked_softmax,
    "cross entropy, 10": cross_entropy(128, 10),
    "cross entropy, 65": cross_entropy(768, 65),
    "batch norm, backward": batch_norm,
    "adam": adam,
    "lstm cell": lstm_cell,
    "broadcast column": lambda: [torch.randn(768, 512) * torch.randn(768, 1)],
    "transposed add": lambda: [torch.randn(512, 512) + torch.randn(512, 512).t()],
    "bfloat16 add": lambda: [torch.randn(768, 512).bfloat16() + torch.randn(768, 512).bfloat16()],
    "int64 add": lambda: [torch.arange(1 << 18) + torch.arange(1 << 18)],
    "three columns": lambda: [torch.randn(65536, 3) * torch.randn(3) + torch.randn(3)],
    "sum of three": lambda: [torch.randn(65536, 3).sum(1)],
    "normalised three": lambda: [F.normalize(torch.randn(65536, 3), dim=1)],
    "softmax over channels": lambda: [torch.softmax(torch.randn(8, 21, 48, 48), 1)],
    "layer norm of channels": channels_norm,
    "group norm": lambda: [F.group_norm(torch.randn(16, 32, 16, 16), 8, torch.randn(32), torch.randn(32))],
    "rotary": rotary,
    "patches": lambda: [torch.randn(16, 192, 14, 14).flatten(2).transpose(1, 2) + torch.randn(196, 192)],
    "global average": lambda: [torch.randn(32, 64, 14, 14).mean((2, 3))],
    "mean over time": lambda: [torch.randn(32, 64, 128).mean(1)],
    "dropout": lambda: [torch.randn(768, 512) * (torch.rand(768, 512) < 0.9) / 0.9],
    "accuracy": lambda: [(torch.randint(0, 9, (65536,)) == torch.randint(0, 9, (65536,))).float().mean()],
    "rms norm": lambda: [rms_norm(torch.randn(768, 384), torch.randn(384))],
    "swiglu": lambda: [F.silu(torch.randn(768, 1024)[:, :512]) * torch.randn(768, 1024)[:, 512:]],
    "attention mask": lambda: [torch.softmax(torch.randn(8, 4, 128, 128) + torch.randn(128, 128), -1)],
    "distances": lambda: [((torch.randn(256, 1, 16) - torch.randn(1, 256, 16)) ** 2).sum(2)],
    "float64 exp": lambda: [torch.randn(768, 256).double().exp()],
}


class Graph:
    """A case on the native engine and on the reference, with data of its own."""

    def __init__(self, case: Case) -> None:
        nodes = tuple(pipeline.run([one._node() for one in case()]))
        self.rng = np.random.default_rng(0)
        self.arrays = {
            one.attributes["slot"]: self._data(one) for one in topological(nodes) if one.op is leaf
        }  # fmt: skip
        recorder.own.new_trace()
        self.reference = reference.compile(nodes)
        self.bound = [self.arrays.get(i, np.zeros(())) for i in range(max(self.arrays, default=0) + 1)]
        self.lowering = lowering = Lowering(nodes)
        self.steps = [one for one in lowering.steps if isinstance(one, Instruction)]
        self.native = len(self.steps) == len(lowering.steps)
        self.buffers = [self._buffer(one) for one in lowering.buffers]
        self.table = np.array([one.ctypes.data for one in self.buffers], np.uint64)
        self.scratch = self._aligned(max([one.scratch for one in self.steps], default=0))
        self.code = load({one.kernel.symbol: one.kernel.source for one in self.steps})
        self.numbers = [
            np.array(
                [n for at in (*one.reads, *one.writes) for n in (at.buffer, at.offset)] + list(one.extra), np.int64
            )
            for one in self.steps
        ]
        self.elements = max(
            one.type.count for step in self.steps for node in step.nodes for one in (node, *node.inputs)
        )
        self.repeat = repeating()

    def _data(self, node: Node) -> Any:
        """The number of the program, or positive numbers, of which every function is defined."""
        if node.type.weak:
            return recorder.own.trace.leaves[node.attributes["slot"]]
        kind = node.type.dtype.numpy
        if node.type.dtype.is_floating_point:
            return np.asarray(np.abs(self.rng.standard_normal(node.shape)) + 0.01).astype(kind)
        return self.rng.integers(0, 10 if kind != np.bool_ else 2, node.shape).astype(kind)

    def _aligned(self, nbytes: int) -> Any:
        whole = np.zeros(nbytes + 192, np.uint8)
        start = -whole.ctypes.data % 64
        return whole[start : start + nbytes + 64]

    def _buffer(self, one: Any) -> Any:
        made = self._aligned(one.nbytes)
        content = one.detail if one.kind == CONSTANT else None
        if one.kind in (LEAF, NUMBER):
            content = np.asarray(self.arrays[one.detail]).astype(one.dtype.numpy)
        if content is not None:
            made[: one.nbytes] = np.frombuffer(np.ascontiguousarray(content).tobytes(), np.uint8)
        return made

    def call(self, i: int, count: int) -> None:
        one = self.steps[i]
        self.repeat(
            self.code[one.kernel.symbol], self.table.ctypes.data, self.numbers[i].ctypes.data,
            self.scratch.ctypes.data, one.units, count,
        )  # fmt: skip

    def nbytes(self, i: int) -> int:
        """Of all operands of a kernel."""
        one = self.steps[i]
        return sum(self.lowering.buffers[at.buffer].nbytes for at in (*one.reads, *one.writes))


def best(functions: Sequence[Callable[[int], Any]], rounds: int) -> list[float]:
    """Processor seconds of one call of each, taken in turns."""
    times = [float("inf")] * len(functions)
    counts = [1] * len(functions)
    for turn in range(rounds + 1):
        for i, function in enumerate(functions):
            function(1)  # what others have left in the caches goes
            begin = time.thread_time()
            function(counts[i])
            taken = (time.thread_time() - begin) / counts[i]
            if turn:
                times[i] = min(times[i], taken)
            else:
                counts[i] = max(1, int(1e-3 / max(taken, 1e-7)))
    return times


def calls(function: Callable[[], Any]) -> Callable[[int], None]:
    def run(count: int) -> None:
        for _ in range(count):
            function()

    return run


def measure(name: str, case: Case, rounds: int, kernels: bool) -> str:
    graph = Graph(case)
    if not graph.native:
        return f"{name:24}has no kernel"
    number = len(graph.steps)
    sizes = [graph.nbytes(i) for i in range(number)]
    source = np.zeros(max(sum(sizes) // 8, 1), np.float32)
    target = np.zeros_like(source)
    functions = [lambda count, i=i: graph.call(i, count) for i in range(number)]
    times = best(
        [*functions, calls(lambda: np.copyto(target, source)), calls(lambda: graph.reference(graph.bound))], rounds
    )
    total, copy, numpy = sum(times[:number]), times[-2], times[-1]
    lines = [
        f"{name:24}{graph.elements:9} {total * 1e6:10.2f} {total / graph.elements * 1e9:8.3f}"
        f" {sum(sizes) / total / 1e9:7.1f} {2 * source.nbytes / copy / 1e9:7.1f} {numpy * 1e6:11.1f} {number:8}"
    ]
    for i, one in enumerate(graph.steps):
        if kernels:
            ops = "+".join(node.op.name for node in one.nodes)
            lines.append(f"    {times[i] * 1e6:9.2f} us  {one.kernel.symbol[:16]} {one.units} {ops}")
    return "\n".join(lines)


HEAD = "case                     elements         us  ns each    GB/s    copy    NumPy us  kernels"


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=15)
    words.add_argument("--only", default="", help="cases whose name contains this")
    words.add_argument("--kernels", action="store_true", help="a line for each kernel too")
    chosen = words.parse_args()
    print(HEAD)
    for name, case in CASES.items():
        if chosen.only in name:
            with np.errstate(all="ignore"):
                print(measure(name, case, chosen.rounds, chosen.kernels), flush=True)


if __name__ == "__main__":
    main()

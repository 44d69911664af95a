"""A graph run as the native engine runs it, but on memory between guards, and with its units divided at will."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from engines.native.running import Memory, Prepared
from numpy.lib.stride_tricks import as_strided

from zerograd import dtypes
from zerograd.engines.native import making  # noqa: F401  all kernels are registered
from zerograd.engines.native.buffers import CONSTANT, LEAF
from zerograd.engines.native.kernel import Instruction
from zerograd.engines.native.lower import Lowering
from zerograd.ir.graph import Node, TensorType, leaf

Array = np.ndarray[Any, Any]


def leaves(*arrays: Array) -> list[Node]:
    """A leaf for each array."""
    types = [TensorType(one.shape, dtypes.from_numpy(one.dtype)) for one in arrays]
    return [Node(leaf, (), {"slot": i}, type, False) for i, type in enumerate(types)]


class Lowered:
    """What a graph became.

    Attributes:
        native: whether no node was left to NumPy.
    """

    def __init__(self, outputs: Sequence[Node], arrays: Sequence[Array]) -> None:
        self.lowering = made = Lowering(tuple(outputs))
        steps = [one for one in made.steps if isinstance(one, Instruction)]
        self.native = len(steps) == len(made.steps)
        if not self.native:
            return
        self.memory = Memory()
        for one in made.buffers:
            content = one.detail if one.kind == CONSTANT else arrays[one.detail] if one.kind == LEAF else None
            self.memory.new(one.nbytes, content)
        self.prepared = Prepared(self.memory, steps)

    def run(self, cuts: Callable[[int], Sequence[int]] = lambda units: [0, units]) -> list[Array]:
        """The outputs, with the units of every instruction divided at ``cuts(units)``."""
        self.prepared.run(cuts)
        assert self.memory.intact(), "written outside of a buffer"
        return [self._array(window) for window in self.lowering.results]

    def _array(self, window: Any) -> Array:
        kind = window.dtype.numpy
        flat = self.memory.array(window.buffer, kind)
        return as_strided(flat[window.offset :], window.shape, [s * kind.itemsize for s in window.strides]).copy()

    def kernels(self) -> list[str]:
        """The kinds of the kernels, in order."""
        return [one.kernel.symbol.rsplit("_", 1)[0] for one in self.prepared.instructions]


def random_cuts(rng: np.random.Generator) -> Callable[[int], Sequence[int]]:
    """Units divided at random."""

    def cuts(units: int) -> list[int]:
        inner = rng.integers(0, units + 1, 4) if units else []
        return sorted({0, units, *map(int, inner)})

    return cuts

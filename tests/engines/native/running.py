"""Instructions run on NumPy's memory, one after the other, in this thread."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from zerograd.engines.native.jit import load
from zerograd.engines.native.kernel import Instruction

KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
GUARD = 256  # bytes on both sides of what a program may touch


def aligned(count: int) -> np.ndarray[Any, Any]:
    """Bytes that begin at a multiple of 64."""
    whole = np.zeros(count + 64, np.uint8)
    start = -whole.ctypes.data % 64
    return whole[start : start + count]


class Memory:
    """The buffers of a program, each between two guards that must stay as they are."""

    def __init__(self) -> None:
        self.buffers: list[np.ndarray[Any, Any]] = []

    def new(self, count: int, content: np.ndarray[Any, Any] | None = None) -> int:
        """A buffer's number. What nobody has written is NaN, in every float type."""
        whole = aligned(count + 2 * GUARD)
        whole[:] = 0xFF
        whole[:GUARD] = whole[GUARD + count :] = 0xA5
        if content is not None:
            whole[GUARD : GUARD + content.nbytes] = np.frombuffer(content.tobytes(), np.uint8)
        self.buffers.append(whole)
        return len(self.buffers) - 1

    def array(self, number: int, dtype: Any) -> np.ndarray[Any, Any]:
        return self.buffers[number][GUARD:-GUARD].view(dtype)

    def intact(self) -> bool:
        return all((one[:GUARD] == 0xA5).all() and (one[-GUARD:] == 0xA5).all() for one in self.buffers)


class Prepared:
    """Instructions with their code and numbers, ready to be called again and again."""

    def __init__(self, memory: Memory, instructions: Sequence[Instruction]) -> None:
        self.memory, self.instructions = memory, list(instructions)
        code = load({one.kernel.symbol: one.kernel.text for one in instructions})
        self.table = np.array([one.ctypes.data + GUARD for one in memory.buffers], np.uint64)
        self.numbers = [
            np.array(
                [x for at in (*one.reads, *one.writes) for x in (at.buffer, at.offset)] + list(one.extra), np.int64
            )
            for one in instructions
        ]
        self.functions: list[Callable[..., None]] = [KERNEL(code[one.kernel.symbol]) for one in instructions]
        most = max([one.scratch for one in instructions], default=0)
        self.scratch = aligned(most + 2 * GUARD)

    def call(self, which: int, low: int, high: int) -> None:
        """Some units of one instruction, with scratch memory full of garbage; its guards are checked."""
        bytes = self.instructions[which].scratch
        self.scratch[:] = 0xFF
        self.scratch[:GUARD] = self.scratch[GUARD + bytes :] = 0xA5
        place = self.scratch.ctypes.data + GUARD
        self.functions[which](self.table.ctypes.data, self.numbers[which].ctypes.data, low, high, place)
        assert (self.scratch[:GUARD] == 0xA5).all()
        assert (self.scratch[GUARD + bytes :] == 0xA5).all(), "written behind the scratch memory"

    def run(self, cuts: Callable[[int], Sequence[int]] = lambda units: [0, units]) -> None:
        """All instructions, the units of each divided at ``cuts(units)``."""
        for which, one in enumerate(self.instructions):
            places = cuts(one.units)
            for low, high in pairwise(places):
                self.call(which, low, high)

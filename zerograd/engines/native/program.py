"""A graph made ready to run: buffers, instructions in phases, and the calls of NumPy between them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.engines import reference
from zerograd.engines.native import jit, kinds
from zerograd.engines.native.binding import Binding
from zerograd.engines.native.buffers import (
    CONSTANT,
    LEAF,
    NUMBER,
    RESULT,
    STATUS,
    TEMPORARY,
    Lifetime,
    arena,
    place,
)
from zerograd.engines.native.donation import donations
from zerograd.engines.native.driver import Schedule
from zerograd.engines.native.kernel import Instruction
from zerograd.engines.native.locality import Locals, entering, local_buffers
from zerograd.engines.native.lower import Lowering, Reference, Step
from zerograd.engines.native.schedule import Chain, Phases, Task, cost_of
from zerograd.engines.native.threads import threads_for
from zerograd.engines.native.windows import Window
from zerograd.ir.graph import Array, Node, leaf
from zerograd.ir.traverse import topological
from zerograd.passes import pipeline

kinds.registered()


Final = tuple[str, Any, int, int, tuple[int, ...]]  # how, where, offset, count, shape of an output
Call = tuple[int, int, int, int, int]  # kernel, numbers, low, high, private: see the driver


class Result:
    """An array that a run makes: the buffer behind one or more outputs.

    Attributes:
        index: its place in the table of pointers.
        shape, dtype: what to allocate.
        slot: the leaf that it may be written over, or -1.
    """

    __slots__ = ("dtype", "index", "shape", "slot")

    def __init__(self, index: int, shape: tuple[int, ...], dtype: dtype, slot: int) -> None:
        self.index, self.shape, self.dtype, self.slot = index, shape, dtype.numpy, slot


class Segment:
    """Instructions between calls of NumPy: their phases, and once they are loaded, their schedule."""

    __slots__ = ("cost", "instructions", "phases", "schedule")

    schedule: Schedule

    def __init__(self, instructions: list[Instruction]) -> None:
        self.instructions = instructions
        self.phases = Phases(instructions)
        self.cost = cost_of(instructions)


class Program:
    """What ``compile`` gives: called with the arrays and numbers of the leaves, it gives the outputs' arrays."""

    def __init__(self, outputs: tuple[Node, ...]) -> None:
        self.recorded = outputs
        self.outputs = pipeline.run(outputs)
        lowering = Lowering(self.outputs)
        self.buffers, self.windows = lowering.buffers, lowering.results
        self.checks = any(isinstance(step, Instruction) and step.reports for step in lowering.steps)
        self._lowered(lowering)
        for window in self.windows:
            if self.buffers[window.buffer].kind == TEMPORARY:
                self.buffers[window.buffer].kind = RESULT
        self.parts = _parts(lowering.steps)
        self._place_temporaries()
        self._make_tables()
        self._load()

    # --- making -----------------------------------------------------------------------------------------------------

    def _lowered(self, lowering: Lowering) -> None:
        """For programs that keep more of it."""

    def _call(self, one: Instruction, kernel: int, numbers: int, low: int, high: int, private: int) -> Call:
        """How the driver calls an instruction: with the addresses of its code and numbers, for some of its units."""
        return kernel, numbers, low, high, private

    def _place_temporaries(self) -> None:
        """Plan memory: what one chain needs lies with its threads; other temporaries live in the arena.

        There they live from the phase that writes them to the last that reads them.
        """
        moment = 0
        spans: dict[int, list[int]] = {}
        users: dict[int, list[object]] = {}
        self.moments: dict[Instruction, int] = {}
        for part in self.parts:
            if isinstance(part, Reference):
                for window in part.inputs:
                    spans.setdefault(window.buffer, []).append(moment)
                    users.setdefault(window.buffer, []).append(part)
                moment += 1
                continue
            for i, one in enumerate(part.instructions):
                # On one thread, in one task, each instruction is a moment of its own.
                self.moments[one] = now = moment + (i if part.phases.alone else part.phases.moment[one])
                for access in (*one.reads, *one.writes):
                    spans.setdefault(access.buffer, []).append(now)
                    users.setdefault(access.buffer, []).append(part.phases.of[one])
            moment = 1 + max((self.moments[one] for one in part.instructions), default=moment)
        self.locals = self._local(users)
        local = {index for one in self.locals.values() for index in one.buffers}
        lifetimes = [
            Lifetime(self.buffers[index], min(moments), max(moments))
            for index, moments in spans.items()
            if self.buffers[index].kind == TEMPORARY and index not in local
        ]
        self.arena_size = place(lifetimes)
        self.arena_grown = -1

    def _local(self, users: dict[int, list[object]]) -> dict[Chain, Locals]:
        """The memory of each chain that is worked through slab by slab."""
        found: dict[Chain, Locals] = {}
        for part in self.parts:
            if isinstance(part, Reference) or part.phases.alone:
                continue
            for chain in part.phases.chains:
                local = local_buffers(chain, self.buffers, users)
                if local:
                    found[chain] = Locals(chain, local, len(self.buffers))
        return found

    def _make_tables(self) -> None:
        """The pointers to all buffers; those of leaves and results change with each run."""
        table = self.table = np.zeros(len(self.buffers), np.int64)
        numbers = self.numbers = np.zeros(len(self.buffers), np.float64)
        status = self.status = np.zeros(8, np.int64)
        for one in self.buffers:
            match one.kind:
                case "constant":
                    table[one.index] = one.detail.ctypes.data
                case "number":
                    table[one.index] = numbers.ctypes.data + 8 * one.index
                case "status":
                    table[one.index] = status.ctypes.data
        self.status_word = ctypes.c_int64.from_address(status.ctypes.data)
        shown = {window.buffer for window in self.windows}
        given = donations(self.parts, self.moments, self.buffers, shown)
        slots = {leaf: result for result, leaf in given.items()}
        arrays = [(one.detail, one.index, slots.get(one.index, -1)) for one in self.buffers if one.kind == LEAF]
        weak = [one for one in self.buffers if one.kind == NUMBER]
        floats = [(one.detail, one.index) for one in weak if one.dtype is dtypes.float64]
        others = [(one.detail, one.index) for one in weak if one.dtype is not dtypes.float64]
        self.binding = Binding(arrays, floats, others, table, numbers)
        self.results = []
        for window in self.windows:
            buffer = self.buffers[window.buffer]
            if buffer.kind == RESULT and all(one.index != buffer.index for one in self.results):
                n = buffer.nbytes // window.dtype.itemsize
                shape = window.shape if prod(window.shape) == n else (n,)
                slot = self.buffers[given[buffer.index]].detail if buffer.index in given else -1
                self.results.append(Result(buffer.index, shape, window.dtype, slot))
        self.order = [one.index for one in self.results]
        self.fresh = Binding([(i, one.index, -1) for i, one in enumerate(self.results)], [], [], table, numbers)
        self.table_at = table.ctypes.data
        self.shapes = [self._final(i, window) for i, window in enumerate(self.windows)]
        wanted = [("whole", one.index, one.shape) for one in self.results]
        only = self.parts[0] if len(self.parts) == 1 else None
        whole = wanted == [(how, where, shape) for how, where, _, _, shape in self.shapes]
        shapes = {node.attributes["slot"]: node.shape for node in topological(self.outputs) if node.op is leaf}
        turned = any(one.slot >= 0 and shapes[one.slot] != one.shape for one in self.results)
        self.direct = only if whole and not turned and isinstance(only, Segment) else None

    def _load(self) -> None:
        segments = [part for part in self.parts if isinstance(part, Segment)]
        texts = {one.kernel.symbol: one.kernel.source for part in segments for one in part.instructions}
        texts[entering().symbol] = entering().source
        addresses = jit.load(texts)
        self.held: list[Array] = []
        for part in segments:
            tables: dict[Instruction, int] = {}
            for one in part.instructions:
                numbers = [word for access in (*one.reads, *one.writes) for word in (access.buffer, access.offset)]
                array = np.array([*numbers, *one.extra], np.int64)
                self.held.append(array)
                tables[one] = array.ctypes.data
            phases = [[self._calls(task, addresses, tables) for task in tasks] for tasks in part.phases.tasks()]
            part.schedule = Schedule(phases, max((self._scratch(chain) for chain in part.phases.chains), default=0))

    def _calls(self, task: Task, addresses: dict[str, int], tables: dict[Instruction, int]) -> list[Call]:
        """The calls of a task; if its chain has local memory, the first one enters it."""
        local = self.locals.get(task.chain)
        private = local.private if local else 0
        calls = [
            self._call(one, addresses[one.kernel.symbol], tables[one], low, high, private)
            for one, low, high in task.calls
        ]
        if local is None:
            return calls
        numbers = np.array(local.numbers, np.int64)
        self.held.append(numbers)
        return [(addresses[entering().symbol], numbers.ctypes.data, task.part, task.chain.parts, 0), *calls]

    def _scratch(self, chain: Chain) -> int:
        """Bytes that a thread needs for a task of the chain."""
        local = self.locals.get(chain)
        return max(one.scratch for one in chain.instructions) + (local.private if local else 0)

    def _final(self, i: int, window: Window) -> Final:
        """How the i-th output is had after a run."""
        node, buffer = self.outputs[i], self.buffers[window.buffer]
        n = prod(window.shape)
        if node.op is leaf:
            return "leaf", node.attributes["slot"], 0, n, window.shape
        if buffer.kind == LEAF:
            return "part", buffer.detail, window.offset, n, window.shape
        if buffer.kind in (CONSTANT, NUMBER):
            return "copy", window, 0, n, window.shape
        whole = not window.offset and n * window.dtype.itemsize == buffer.nbytes
        return "whole" if whole else "slice", window.buffer, window.offset, n, window.shape

    # --- running ----------------------------------------------------------------------------------------------------

    def __call__(self, leaves: Sequence[Any]) -> list[Array]:
        if not isinstance(leaves, list):
            leaves = list(leaves)
        binding = self.binding
        if self.arena_grown != arena.grown or self.arena_size > len(arena.memory):
            self._enter_arena()
        held = binding.enter(leaves)
        taken = binding.taken.tolist()
        arrays = [leaves[one.slot] if taken[one.index] else np.empty(one.shape, one.dtype) for one in self.results]
        self.fresh.enter(arrays)
        if self.direct is not None:
            self._run(self.direct, leaves)
            return arrays
        made = dict(zip(self.order, arrays, strict=True))
        for part in self.parts:
            if isinstance(part, Segment):
                self._run(part, leaves)
            else:
                self._refer(part, made, leaves)
        del held
        return [self._result(one, made, leaves) for one in self.shapes]

    def _enter_arena(self) -> None:
        """Place the pointers to temporaries."""
        arena.reserve(self.arena_size)
        start = arena.memory.ctypes.data
        for one in self.buffers:
            if one.kind == TEMPORARY:
                self.table[one.index] = start + one.offset
        self.arena_grown = arena.grown

    def _run(self, segment: Segment, leaves: Sequence[Any]) -> None:
        segment.schedule.run(self.table_at, threads_for(segment.cost))
        if self.checks and self.status_word.value:
            self._report(leaves)

    def _report(self, leaves: Sequence[Any]) -> None:
        """A kernel met a wrong index: the reference says which."""
        self.status_word.value = 0
        reference.compile(self.recorded)(leaves)
        raise AssertionError("a kernel has reported a wrong index that the reference does not know of")

    def _array(self, window: Window, made: dict[int, Array], leaves: Sequence[Any]) -> Array:
        """A window as an array, which must not outlive the run if it lies in the arena."""
        buffer = self.buffers[window.buffer]
        match buffer.kind:
            case "temporary":
                raw: Any = arena.memory[buffer.offset : buffer.offset + buffer.nbytes]
            case "constant":
                raw = buffer.detail
            case "number":
                raw = self.numbers[buffer.index : buffer.index + 1]
            case "leaf":
                raw = np.ascontiguousarray(leaves[buffer.detail])
            case _:
                raw = made[window.buffer]
        flat = raw.reshape(-1).view(window.dtype.numpy)
        strides = tuple(s * window.dtype.itemsize for s in window.strides)
        return as_strided(flat[window.offset :], window.shape, strides)

    def _refer(self, part: Reference, made: dict[int, Array], leaves: Sequence[Any]) -> None:
        node = part.node
        with np.errstate(all="ignore"):
            inputs = [self._array(window, made, leaves) for window in part.inputs]
            found = node.op.reference(*inputs, **node.attributes)
        for window, array in zip(part.outputs, found if isinstance(found, tuple) else (found,), strict=True):
            array = np.ascontiguousarray(np.broadcast_to(array, window.shape), window.dtype.numpy)
            if array.base is not None:
                array = array.copy()  # a view of what it was given, which may lie in the arena
            made[window.buffer] = array.reshape(-1)
            self.table[window.buffer] = array.ctypes.data

    def _result(self, final: Final, made: dict[int, Array], leaves: Sequence[Any]) -> Array:
        how, where, offset, n, shape = final
        match how:
            case "whole":
                array = made[where]
            case "slice":
                array = made[where].reshape(-1)[offset : offset + n]
            case "leaf":
                return np.asarray(leaves[where])
            case "part":
                array = np.ascontiguousarray(leaves[where]).reshape(-1)[offset : offset + n]
            case _:
                return self._array(where, made, leaves).copy()
        return array if shape == array.shape else array.reshape(shape)


def _parts(steps: Sequence[Step]) -> list[Segment | Reference]:
    """Instructions between NumPy calls belong together."""
    parts: list[Any] = []
    for step in steps:
        if isinstance(step, Reference):
            parts.append(step)
        elif parts and isinstance(parts[-1], list):
            parts[-1].append(step)
        else:
            parts.append([step])
    return [Segment(part) if isinstance(part, list) else part for part in parts]


def compile(outputs: tuple[Node, ...]) -> Program:
    """The program that computes these nodes. ``engines/protocol.py`` says what is called and given."""
    return Program(outputs)


__all__ = ["STATUS", "Program", "compile"]

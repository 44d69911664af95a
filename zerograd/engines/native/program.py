"""A graph made ready to run: buffers, instructions in phases, and the calls of NumPy between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from zerograd.engines.native import contraction, jit, moving  # noqa: F401  they register their kernels
from zerograd.engines.native.buffers import (
    ALIGNMENT,
    CONSTANT,
    LEAF,
    NUMBER,
    REFERENCE,
    RESULT,
    STATUS,
    TEMPORARY,
    Buffer,
    Lifetime,
    place,
)
from zerograd.engines.native.driver import Schedule
from zerograd.engines.native.kernel import Instruction
from zerograd.engines.native.lower import Lowering, Reference, Step
from zerograd.engines.native.schedule import Phases, cost_of
from zerograd.engines.native.windows import Window
from zerograd.ir.graph import Array, Node, leaf
from zerograd.passes import pipeline


class Program:
    """What ``compile`` gives: called with the arrays and numbers of the leaves, it gives the outputs' arrays."""

    def __init__(self, outputs: tuple[Node, ...]) -> None:
        outputs = pipeline.run(outputs)
        lowering = Lowering(outputs)
        self.buffers = lowering.buffers
        self.outputs = outputs
        self._name_results(lowering)
        self.segments = _segments(lowering.steps)
        self._place_temporaries()
        self._make_table()
        self._numbers: list[Array] = []
        self._load()
        self.parts = [segment if isinstance(segment, Reference) else self._native(segment) for segment in self.segments]

    # --- making -----------------------------------------------------------------------------------------------------

    def _name_results(self, lowering: Lowering) -> None:
        """The temporaries that outputs lie in become results, unless an output is a leaf or a constant itself."""
        self.results: list[Window] = lowering.results
        for window in self.results:
            buffer = self.buffers[window.buffer]
            if buffer.kind == TEMPORARY:
                buffer.kind = RESULT

    def _place_temporaries(self) -> None:
        """Plan the arena: a temporary lives from the phase that writes it to the last that reads it."""
        moment = 0
        spans: dict[int, list[int]] = {}
        self.phases: list[Phases | None] = []
        for segment in self.segments:
            if isinstance(segment, Reference):
                self.phases.append(None)
                for window in segment.inputs:
                    spans.setdefault(window.buffer, []).append(moment)
                moment += 1
                continue
            phases = Phases(segment)
            self.phases.append(phases)
            for one in segment:
                for access in (*one.reads, *one.writes):
                    spans.setdefault(access.buffer, []).append(moment + phases.moment[one])
            moment += 1 + max(phases.moment.values(), default=0)
        lifetimes = [
            Lifetime(self.buffers[index], min(moments), max(moments))
            for index, moments in spans.items()
            if self.buffers[index].kind == TEMPORARY
        ]
        self.arena = _aligned(place(lifetimes))

    def _make_table(self) -> None:
        """The pointers to all buffers; those of leaves and results change with each run."""
        self.table = np.zeros(len(self.buffers), np.int64)
        self.numbers = np.zeros(len(self.buffers), np.float64)
        self.status = np.zeros(8, np.int64)
        start, numbers = self.arena.ctypes.data, self.numbers.ctypes.data
        for one in self.buffers:
            if one.kind == TEMPORARY:
                self.table[one.index] = start + one.offset
            elif one.kind == CONSTANT:
                self.table[one.index] = one.detail.ctypes.data
            elif one.kind == NUMBER:
                self.table[one.index] = numbers + 8 * one.index
            elif one.kind == STATUS:
                self.table[one.index] = self.status.ctypes.data
        self.leaves = [(one.index, one.detail) for one in self.buffers if one.kind == LEAF]
        kinds = {window.buffer: window.dtype for window in self.results}
        del kinds
        self.weak = [one for one in self.buffers if one.kind == NUMBER]

    def _load(self) -> None:
        texts = {
            one.kernel.symbol: one.kernel.text
            for segment in self.segments
            if not isinstance(segment, Reference)
            for one in segment
        }
        self.addresses = jit.load(texts)

    def _native(self, segment: list[Instruction]) -> tuple[Schedule, float]:
        phases = self.phases[self.segments.index(segment)]
        assert phases is not None
        tables: dict[Instruction, int] = {}
        for one in segment:
            numbers = [word for access in (*one.reads, *one.writes) for word in (access.buffer, access.offset)]
            array = np.array([*numbers, *one.extra], np.int64)
            self._numbers.append(array)
            tables[one] = array.ctypes.data
        tasks = [
            [[(self.addresses[one.kernel.symbol], tables[one], low, high) for one, low, high in calls] for calls in phase]
            for phase in phases.tasks()
        ]  # fmt: skip
        return Schedule(tasks, max((one.scratch for one in segment), default=0)), cost_of(segment)

    # --- running ----------------------------------------------------------------------------------------------------

    def __call__(self, leaves: Sequence[Any]) -> list[Array]:
        held: list[Array] = []
        made: dict[int, Array] = {}
        table = self.table
        for index, slot in self.leaves:
            array = leaves[slot]
            if not array.flags.c_contiguous:
                array = np.ascontiguousarray(array)
                held.append(array)
            made[index] = array
            table[index] = array.ctypes.data
        for one in self.weak:
            self._set_number(one, leaves[one.detail])
        for window in self.results:
            buffer = self.buffers[window.buffer]
            if buffer.kind == RESULT and window.buffer not in made:
                array = np.empty(buffer.nbytes // window.dtype.itemsize, window.dtype.numpy)
                made[window.buffer] = array
                table[window.buffer] = array.ctypes.data
        for part in self.parts:
            if isinstance(part, Reference):
                self._refer(part, made)
            else:
                part[0].run(table.ctypes.data, 1)
        return [self._result(i, window, made, leaves) for i, window in enumerate(self.results)]

    def _set_number(self, buffer: Buffer, number: Any) -> None:
        if isinstance(number, float):
            self.numbers[buffer.index] = number
        else:
            self.numbers.view(np.int64)[buffer.index] = number

    def _array(self, window: Window, made: dict[int, Array]) -> Array:
        """A window as an array, which must not outlive the run if it lies in the arena."""
        buffer = self.buffers[window.buffer]
        if buffer.kind == TEMPORARY:
            raw: Any = self.arena[buffer.offset : buffer.offset + buffer.nbytes]
        elif buffer.kind == CONSTANT:
            raw = buffer.detail
        elif buffer.kind == NUMBER:
            raw = self.numbers[buffer.index : buffer.index + 1]
        else:
            raw = made[window.buffer]
        flat = raw.reshape(-1).view(window.dtype.numpy) if raw.dtype != window.dtype.numpy else raw.reshape(-1)
        strides = tuple(s * window.dtype.itemsize for s in window.strides)
        return as_strided(flat[window.offset :], window.shape, strides)

    def _refer(self, reference: Reference, made: dict[int, Array]) -> None:
        node = reference.node
        with np.errstate(all="ignore"):
            inputs = [self._array(window, made) for window in reference.inputs]
            found = node.op.reference(*inputs, **node.attributes)
        for window, array in zip(reference.outputs, found if isinstance(found, tuple) else (found,), strict=True):
            array = np.ascontiguousarray(np.broadcast_to(array, window.shape), window.dtype.numpy)
            made[window.buffer] = array
            self.table[window.buffer] = array.ctypes.data

    def _result(self, i: int, window: Window, made: dict[int, Array], leaves: Sequence[Any]) -> Array:
        node = self.outputs[i]
        if node.op is leaf:
            return np.asarray(leaves[node.attributes["slot"]])
        buffer = self.buffers[window.buffer]
        array = made.get(window.buffer)
        if array is None or buffer.kind == LEAF:
            return self._array(window, made).copy()
        if window.offset or array.size != int(np.prod(window.shape)):
            array = array[window.offset : window.offset + int(np.prod(window.shape))]
        return array.reshape(window.shape)


def _segments(steps: Sequence[Step]) -> list[Any]:
    """Instructions between NumPy calls belong together."""
    segments: list[Any] = []
    for step in steps:
        if isinstance(step, Reference):
            segments.append(step)
        elif segments and not isinstance(segments[-1], Reference):
            segments[-1].append(step)
        else:
            segments.append([step])
    return segments


def _aligned(nbytes: int) -> Array:
    """Memory that begins at a multiple of 64 bytes."""
    raw = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + nbytes]


def compile(outputs: tuple[Node, ...]) -> Program:
    """The program that computes these nodes. ``engines/protocol.py`` says what is called and given."""
    return Program(outputs)


__all__ = ["REFERENCE", "Program", "compile"]

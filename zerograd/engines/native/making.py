"""A graph becomes a recipe: passes, kernels, phases, the plan of memory, and the calls of each task."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from zerograd import dtypes
from zerograd.engines.native import kinds
from zerograd.engines.native.buffers import CONSTANT, LEAF, NUMBER, RESULT, TEMPORARY, Lifetime, place
from zerograd.engines.native.donation import donations
from zerograd.engines.native.kernel import Instruction
from zerograd.engines.native.locality import Locals, entering, local_buffers
from zerograd.engines.native.lower import Lowering, Reference, Step
from zerograd.engines.native.recipe import Calls, Entry, Final, Recipe, Result
from zerograd.engines.native.schedule import Chain, Phases, Task, cost_of
from zerograd.engines.native.stages import Stages, divide
from zerograd.engines.native.windows import Window
from zerograd.ir.graph import Node, leaf
from zerograd.ir.traverse import topological
from zerograd.passes import pipeline

kinds.registered()


class Segment:
    """Instructions between calls of NumPy, and their phases."""

    __slots__ = ("cost", "instructions", "phases")

    def __init__(self, instructions: list[Instruction]) -> None:
        self.instructions = instructions
        self.phases = Phases(instructions)
        self.cost = cost_of(instructions)


class Making:
    """A graph on its way to a recipe.

    Attributes:
        recorded, outputs: the nodes before and after the passes.
        lowering: how they became instructions.
        buffers: by number.
        parts: segments, and what NumPy computes.
        arena: bytes that temporaries need.
        results: the arrays that a run makes.
    """

    def __init__(self, outputs: tuple[Node, ...]) -> None:
        self.recorded = outputs
        self.outputs = pipeline.run(outputs)
        lowering = self.lowering = Lowering(self.outputs)
        self.buffers, self.windows = lowering.buffers, lowering.results
        for window in self.windows:
            if self.buffers[window.buffer].kind == TEMPORARY:
                self.buffers[window.buffer].kind = RESULT
        self.parts = _parts(lowering.steps)
        self.stages = divide(self.parts, self.buffers)
        for one in self.stages:
            one.make_aliases(self.buffers)
        self._place_temporaries()
        shown = {window.buffer for window in self.windows}
        self.given = donations(self.parts, self.moments, self.buffers, shown)
        self.results = self._results()

    # --- memory -----------------------------------------------------------------------------------------------------

    def _place_temporaries(self) -> None:
        """Plan memory: what one chain needs lies with its threads; other temporaries live in the arena.

        There they live from the phase that writes them to the last that reads them.
        """
        moment = 0
        spans: dict[int, list[int]] = {}
        users: dict[int, list[object]] = {}
        self.moments: dict[Instruction, tuple[int, int]] = {}
        for part in self.parts:
            if isinstance(part, Reference):
                for window in part.inputs:
                    spans.setdefault(window.buffer, []).append(moment)
                    users.setdefault(window.buffer, []).append(part)
                moment += 1
                continue
            for i, one in enumerate(part.instructions):
                # On one thread, in one task, each instruction is a moment of its own.
                chain = part.phases.of[one]
                times = range(i, i + 1) if part.phases.alone else chain.times
                now = self.moments[one] = moment + times[0], moment + times[-1]
                for access in (*one.reads, *one.writes):
                    spans.setdefault(access.buffer, []).extend(now)
                    users.setdefault(access.buffer, []).append(chain)
            moment = 1 + max((self.moments[one][1] for one in part.instructions), default=moment)
        self.locals = self._local(users)
        local = {index for one in self.locals.values() for index in one.buffers}
        divided = {index: one.count for one in self.stages for index in one.shared}
        lifetimes = [
            Lifetime(self.buffers[index], min(moments), max(moments), divided.get(index, 1))
            for index, moments in spans.items()
            if self.buffers[index].kind == TEMPORARY and index not in local
        ]
        self.arena = place(lifetimes)
        for one in self.stages:
            one.place_aliases(self.buffers)

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

    def _results(self) -> list[Result]:
        results: dict[int, Result] = {}
        for window in self.windows:
            buffer = self.buffers[window.buffer]
            if buffer.kind == RESULT and buffer.index not in results:
                n = buffer.nbytes // window.dtype.itemsize
                shape = window.shape if prod(window.shape) == n else (n,)
                slot = self.buffers[self.given[buffer.index]].detail if buffer.index in self.given else -1
                results[buffer.index] = Result(buffer.index, shape, window.dtype.numpy, slot)
        return list(results.values())

    # --- the recipe -------------------------------------------------------------------------------------------------

    def recipe(self) -> Recipe:
        """What the program needs to run."""
        made = Recipe()
        made.buffers, made.arena, made.results = self.buffers, self.arena, self.results
        made.checks = any(isinstance(step, Instruction) and step.reports for step in self.lowering.steps)
        slots = {leaf: result for result, leaf in self.given.items()}
        weak = [one for one in self.buffers if one.kind == NUMBER]
        made.arrays = [(one.detail, one.index, slots.get(one.index, -1)) for one in self.buffers if one.kind == LEAF]
        made.floats = [(one.detail, one.index) for one in weak if one.dtype is dtypes.float64]
        made.others = [(one.detail, one.index) for one in weak if one.dtype is not dtypes.float64]
        made.finals = [self._final(i, window) for i, window in enumerate(self.windows)]
        made.direct = self._is_direct(made.finals)
        segments = [part for part in self.parts if isinstance(part, Segment)]
        made.kernels = {one.kernel.symbol: one.kernel.source for part in segments for one in part.instructions}
        made.kernels[entering().symbol] = entering().source
        made.parts = [self._calls(part) if isinstance(part, Segment) else part for part in self.parts]
        return made

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

    def _is_direct(self, finals: Sequence[Final]) -> bool:
        """Whether one segment makes all, and the outputs are the results, also where they lie over leaves."""
        if len(self.parts) != 1 or not isinstance(self.parts[0], Segment):
            return False
        wanted = [("whole", one.index, one.shape) for one in self.results]
        shapes = {node.attributes["slot"]: node.shape for node in topological(self.outputs) if node.op is leaf}
        turned = any(one.slot >= 0 and shapes[one.slot] != one.shape for one in self.results)
        return not turned and wanted == [(how, where, shape) for how, where, _, _, shape in finals]

    def _calls(self, part: Segment) -> Calls:
        entries = [self._entry(one, i, None, 0) for i, one in enumerate(part.instructions)]
        number = {one: i for i, one in enumerate(part.instructions)}
        begins: dict[Chain, int] = {}
        later: dict[tuple[Instruction, int], int] = {}
        for chain in part.phases.chains:
            if chain in self.locals:
                begins[chain] = len(entries)
                entries.append(Entry(entering().symbol, self.locals[chain].numbers, -1))
            if chain.stages is None:
                continue
            for stage in range(1, chain.stages.count) if chain.stage is None else [chain.stage]:
                for one in chain.instructions:
                    later[one, stage] = len(entries)
                    entries.append(self._entry(one, number[one], chain.stages, stage))
        phases = [[self._task(task, number, later, begins) for task in tasks] for tasks in part.phases.tasks()]
        scratch = max((self._scratch(chain) for chain in part.phases.chains), default=0)
        calls = [call for tasks in phases for task in tasks for call in task]
        reporting = {
            i for i, one in enumerate(entries) if one.instruction >= 0 and part.instructions[one.instruction].reports
        }
        certain = max((i + 1 for i, call in enumerate(calls) if call[0] in reporting), default=0)
        return Calls(part.cost, scratch, entries, phases, certain)

    @staticmethod
    def _entry(one: Instruction, number: int, stages: Stages | None, stage: int) -> Entry:
        """How an instruction is called, in a stage."""
        numbers: list[int] = []
        for access in (*one.reads, *one.writes):
            numbers += (stages.alias(access.buffer, stage) if stages else access.buffer, access.offset)
        return Entry(one.kernel.symbol, [*map(int, numbers), *map(int, one.extra)], number)

    def _task(
        self,
        task: Task,
        number: dict[Instruction, int],
        later: dict[tuple[Instruction, int], int],
        begins: dict[Chain, int],
    ) -> list[tuple[int, int, int, int]]:
        """The calls of a task; if its chain has local memory, the first one enters it."""
        local = self.locals.get(task.chain)
        private = local.private if local else 0
        calls = [(later.get((one, task.stage), number[one]), low, high, private) for one, low, high in task.calls]
        return calls if local is None else [(begins[task.chain], task.part, task.chain.parts, 0), *calls]

    def _scratch(self, chain: Chain) -> int:
        """Bytes that a thread needs for a task of the chain."""
        local = self.locals.get(chain)
        return max(one.scratch for one in chain.instructions) + (local.private if local else 0)


def _parts(steps: Sequence[Step]) -> list[Segment | Reference]:
    """Instructions between calls of NumPy belong together."""
    parts: list[Any] = []
    for step in steps:
        if isinstance(step, Reference):
            parts.append(step)
        elif parts and isinstance(parts[-1], list):
            parts[-1].append(step)
        else:
            parts.append([step])
    return [Segment(part) if isinstance(part, list) else part for part in parts]

"""A program ready to run: the table of pointers, the schedules, and the calls of NumPy between them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from zerograd.engines import flight, reference
from zerograd.engines.native import jit, pages
from zerograd.engines.native.aside import Aside
from zerograd.engines.native.binding import Binding
from zerograd.engines.native.buffers import CONSTANT, NUMBER, STATUS, TEMPORARY, arena
from zerograd.engines.native.driver import Schedule
from zerograd.engines.native.quick import Quick
from zerograd.engines.native.recipe import Calls, Final, Recipe, keep, name_of, recall
from zerograd.engines.native.threads import ALONE, threads_for
from zerograd.engines.native.windows import Window
from zerograd.ir import interrupts
from zerograd.ir.graph import Array, Node
from zerograd.ir.interrupts import PYTHONS, SIGINT, getsignal
from zerograd.settings import settings

_MOVED = 1 << 24  # bytes of leaves after which no more move into large pages in a run
BRIEF, WORTH = 250_000, 1_500_000
"""Nanoseconds of work on one thread up to which, and from which, a program is left to others: see Program._begin.

Steps up to the first take about as long in Python, which goes on meanwhile: measured, loops are 1.3 times as fast.
Between the two they are not: a worker that begins alone has in its core's caches what the caller needs when it comes.
"""

Begin = Callable[[list[Any]], list[Array]]


class Segment:
    """Calls between those of NumPy, ready to be made."""

    __slots__ = ("cost", "schedule")

    def __init__(self, cost: float, schedule: Schedule) -> None:
        self.cost, self.schedule = cost, schedule


class Launched:
    """A program in flight, and what it reads and writes."""

    __slots__ = ("arrays", "held", "leaves", "program", "schedule", "threads")

    def __init__(
        self, program: Program, leaves: list[Any], arrays: list[Array], held: list[Array], threads: int
    ) -> None:
        assert program.direct is not None
        self.program, self.schedule, self.threads = program, program.direct.schedule, threads
        self.leaves, self.arrays, self.held = leaves, arrays, held

    def start(self) -> bool:
        return self.schedule.start(self.program.table_at, self.threads)

    def finish(self) -> None:
        self.schedule.finish()
        status = self.program.status_word
        if status.value:
            flight.recover(self.program.recorded, self.leaves, self.arrays)
            status.value = 0


class Program:
    """What ``compile`` gives: called with the arrays and numbers of the leaves, it gives the outputs' arrays.

    Attributes:
        begin: the same, but the arrays may be filled later (``flight``); ``None`` if that is not worth it.
        quick: how it runs if it is small.
        aside: how it is left to a worker then.
    """

    def __init__(self, recorded: tuple[Node, ...], recipe: Recipe) -> None:
        self.recorded = recorded
        self.buffers, self.results, self.shapes = recipe.buffers, recipe.results, recipe.finals
        self.arena_size, self.checks = recipe.arena, recipe.checks
        self.arena_grown = -1
        self._make_tables(recipe)
        addresses = jit.load(recipe.kernels)
        self.held: list[Array] = []
        self.parts = [
            self._segment(i, part, addresses) if isinstance(part, Calls) else part
            for i, part in enumerate(recipe.parts)
        ]
        only = self.direct = self.parts[0] if recipe.direct else None
        small = only is not None and only.cost < ALONE and bool(self.results) and self.binding.call is not None
        self.quick = Quick(self.binding, self.results, only.schedule) if only is not None and small else None
        self.aside = Aside.of(self.quick.record, only.schedule, only.cost) if only is not None and self.quick else None
        self.begin: Begin | None = self._begin_aside if self.aside is not None else None
        if only is not None and (only.cost >= WORTH or ALONE <= only.cost < BRIEF):
            self.begin = self._begin

    # --- making -----------------------------------------------------------------------------------------------------

    def _make_tables(self, recipe: Recipe) -> None:
        """The pointers to all buffers; those of leaves and results change with each run."""
        table = self.table = np.zeros(len(self.buffers), np.int64)
        numbers = self.numbers = np.zeros(len(self.buffers), np.float64)
        status = self.status = np.zeros(8, np.int64)
        for one in self.buffers:
            if one.kind == CONSTANT:
                table[one.index] = one.detail.ctypes.data
            elif one.kind == NUMBER:
                table[one.index] = numbers.ctypes.data + 8 * one.index
            elif one.kind == STATUS:
                table[one.index] = status.ctypes.data
        self.status_word = ctypes.c_int64.from_address(status.ctypes.data)
        self.binding = Binding(recipe.arrays, recipe.floats, recipe.others, table, numbers)
        self.order = [one.index for one in self.results]
        self.fresh = Binding([(i, one.index, -1) for i, one in enumerate(self.results)], [], [], table, numbers)
        self.table_at = table.ctypes.data

    def _segment(self, index: int, part: Calls, addresses: dict[str, int]) -> Segment:
        """The ``index``-th part with the addresses of its kernels and of their numbers."""
        made: list[tuple[int, int, int]] = []
        for one in part.entries:
            numbers = np.array(one.numbers, np.int64)
            self.held.append(numbers)
            made.append((one.instruction, addresses[one.symbol], numbers.ctypes.data))
        phases = [
            [
                [(*self._called(index, *made[entry]), low, high, private) for entry, low, high, private in task]
                for task in tasks
            ]
            for tasks in part.phases
        ]
        guard = (self.status.ctypes.data, part.certain) if part.certain else None
        return Segment(part.cost, Schedule(phases, part.scratch, guard))

    def _called(self, part: int, instruction: int, kernel: int, numbers: int) -> tuple[int, int]:
        """What the driver calls, and with which numbers, for an instruction of a part."""
        del part, instruction
        return kernel, numbers

    # --- running ----------------------------------------------------------------------------------------------------

    def __call__(self, leaves: Sequence[Any]) -> list[Array]:
        if flight.running is not None:
            flight.finish()
        if not isinstance(leaves, list):
            leaves = list(leaves)
        quick = self.quick
        if quick is not None:
            fresh = self._run_quick(leaves, None)
            if fresh is not None:
                return self._outputs(leaves, fresh)
        arrays, held = self._enter(leaves)
        if quick is not None and not held:
            quick.foretell(len(leaves))
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

    @property
    def small(self) -> Program | None:
        """Itself, if it is small: ``engines/protocol.py`` says what ``places`` and ``run_small`` are."""
        return self if self.quick is not None else None

    @property
    def places(self) -> list[int] | None:
        return self.quick and self.quick.places

    def run_small(self, leaves: list[Any]) -> list[Array] | None:
        aside = self.aside
        return self._run_quick(leaves, aside if aside is not None and aside.is_wanted() else None)

    def _run_quick(self, leaves: list[Any], aside: Aside | None) -> list[Array] | None:
        assert self.quick is not None
        fresh = self.quick.new()  # first: the collector of garbage may have something computed
        if flight.running is not None:
            flight.finish()
        self._prepare()
        if not self.quick.run(leaves, fresh, aside):
            return None
        if self.checks and self.status_word.value:
            self._report(leaves)
        return fresh

    def _outputs(self, leaves: list[Any], fresh: list[Array]) -> list[Array]:
        """What a quick run has given."""
        assert self.quick is not None
        several = leaves + fresh
        return [several[place] for place in self.quick.places or ()]

    def _prepare(self) -> None:
        """All runs begin with this: interrupts can be noticed, and temporaries have a place."""
        if getsignal(SIGINT) is PYTHONS:
            interrupts.get_ready()
        if self.arena_grown != arena.grown or self.arena_size > len(arena.memory):
            self._place_temporaries()

    def _enter(self, leaves: list[Any]) -> tuple[list[Array], list[Array]]:
        """Fill the tables; gives the results' arrays, and others that must live until the run is over."""
        binding = self.binding
        self._prepare()
        with pages.Undisturbed():  # or this very program might run before it has been begun
            held = binding.enter(leaves)
            arrays = self._targets(leaves, binding.taken.tolist())
            self.fresh.enter(arrays)
        return arrays, held

    def _targets(self, leaves: list[Any], taken: list[int]) -> list[Array]:
        """The arrays of the results: leaves that nobody needs any more, and new ones.

        A large leaf that lies anywhere, as loaded weights do, moves into large pages; not many do in one run, for both
        places are needed until it ends.
        """
        moved = 0
        arrays: list[Array] = []
        for one in self.results:
            if taken[one.index]:
                leaf = leaves[one.slot]
                if not one.is_large or type(leaf.base) is pages.Block or moved >= _MOVED:
                    arrays.append(leaf)
                    continue
                moved += leaf.nbytes
            arrays.append(pages.empty(one.shape, one.dtype) if one.is_large else np.empty(one.shape, one.dtype))
        return arrays

    def _begin(self, leaves: list[Any]) -> list[Array]:
        """As a call, but the arrays may be filled later: who looks into them calls ``flight.finish()`` first.

        To begin costs what waking a worker costs (``threads_for``); it saves the share that the workers do while the
        caller is in Python.
        """
        assert self.direct is not None
        threads = threads_for(self.direct.cost)
        if threads < 2 or not settings.asynchronous:
            return self(leaves)
        with flight.lock:
            if flight.running is not None:
                flight.finish()
            arrays, held = self._enter(leaves)
            if not flight.take_off(Launched(self, leaves, arrays, held, threads)):
                self._run(self.direct, leaves)
            return arrays

    def _begin_aside(self, leaves: list[Any]) -> list[Array]:
        """The same for a small program."""
        with flight.lock:
            fresh = self.run_small(leaves)
            return self(leaves) if fresh is None else self._outputs(leaves, fresh)

    def _place_temporaries(self) -> None:
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
        raise AssertionError(flight.UNKNOWN)

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

    def _refer(self, part: Any, made: dict[int, Array], leaves: Sequence[Any]) -> None:
        node = part.node
        found = reference.apply(node, [self._array(window, made, leaves) for window in part.inputs])
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


def compile(outputs: tuple[Node, ...]) -> Program:
    """The program that computes these nodes. ``engines/protocol.py`` says what is called and given."""
    name = name_of(outputs)
    recipe = recall(name) if name else None
    if recipe is None:
        from zerograd.engines.native.making import Making  # what makes programs loads slowly, and may not be needed

        recipe = Making(outputs).recipe()
        program = Program(outputs, recipe)
        if name:
            keep(name, recipe)
        return program
    return Program(outputs, recipe)


__all__ = ["Program", "Segment", "compile"]

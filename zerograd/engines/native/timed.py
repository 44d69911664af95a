"""Programs that say how long each call of a kernel took, on the threads and in the order in which they always run.

The driver is the usual one. What it calls is not the kernel but a small function that reads the clock, calls the
kernel, and reads the clock again; its numbers are a *record*, one for each call:

    kernel, numbers        addresses of the kernel and of its own numbers
    start, end             the clock before and after: seconds, nanoseconds
    thread                 who has done it
"""

from __future__ import annotations

import ctypes
import functools
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from zerograd.engines import profiling
from zerograd.engines.describing import flops, nbytes, title
from zerograd.engines.native import jit
from zerograd.engines.native.buffers import CONSTANT, LEAF, TEMPORARY
from zerograd.engines.native.concurrent import ThreadedFunction
from zerograd.engines.native.emit import Value
from zerograd.engines.native.kernel import PARAMETERS, Access, Instruction
from zerograd.engines.native.lower import Lowering, Reference
from zerograd.engines.native.making import Making, Segment
from zerograd.engines.native.program import Program
from zerograd.engines.native.windows import Window
from zerograd.engines.profiling import FALLBACK, Event, Profile, Work
from zerograd.ir.graph import Array, Node
from zerograd.ir.record import user_line

KERNEL, NUMBERS, START, END, THREAD = 0, 1, 2, 4, 6
RECORD = 8  # i64s, so that each record has a cache line of its own


class Clock(NamedTuple):
    """How compiled code asks for the time and the thread.

    Attributes:
        read: (function, place): store seconds and nanoseconds there, on the clock of ``time.perf_counter_ns``.
        thread: the function that gives the thread's number, as ``threading.get_ident`` does.
        externals: functions of Python that are called, by name; they give an i64.
    """

    read: Callable[[ThreadedFunction, Value], object]
    thread: str
    externals: tuple[tuple[str, Callable[[], int]], ...]


def _posix(number: int) -> Clock:
    def read(f: ThreadedFunction, place: Value) -> object:
        return f.call("clock_gettime", "i32", Value(str(number), "i32"), place)

    return Clock(read, "pthread_self", ())


def _read_from_python(f: ThreadedFunction, place: Value) -> None:
    f.store(f.const(0, "i64"), place)
    f.store(f.call("python_clock", "i64"), place, 1)


PYTHON = Clock(
    _read_from_python,
    "python_thread",
    (("python_clock", time.perf_counter_ns), ("python_thread", threading.get_ident)),
)
"""Where there is no clock that all threads can read without Python."""

CLOCKS = {"linux": _posix(1), "darwin": _posix(8)}
"""CLOCK_MONOTONIC, CLOCK_UPTIME_RAW: what ``time.perf_counter`` reads on these systems."""


def timed_text(name: str, clock: Clock) -> str:
    """A kernel that calls the one in its record, between two looks at the clock."""
    f = ThreadedFunction(name, PARAMETERS)
    buffers, record, low, high, scratch = f.arguments
    clock.read(f, f.pointer(record, START, "i64"))
    f.call_at(f.load("ptr", record, KERNEL), buffers, f.load("ptr", record, NUMBERS), low, high, scratch)
    clock.read(f, f.pointer(record, END, "i64"))
    f.store(f.call(clock.thread, "i64"), record, THREAD)
    return f.finish()


_kept: list[Any] = []  # what compiled code calls must not be freed


@functools.cache
def timed_kernel(clock: Clock | None = None) -> int:
    """The address of that kernel."""
    clock = clock or CLOCKS.get(sys.platform, PYTHON)
    name = jit.symbol("timed", timed_text("timed", clock))
    gives_number = ctypes.CFUNCTYPE(ctypes.c_int64)
    made = {word: gives_number(one) for word, one in clock.externals}
    _kept.extend(made.values())
    externals = {word: ctypes.cast(one, ctypes.c_void_p).value or 0 for word, one in made.items()}
    return jit.load({name: timed_text(name, clock)}, externals)[name]


class Records:
    """The records of one segment's calls, in the order in which they were made.

    Attributes:
        instructions: of the segment.
        which: for each call the number of its instruction.
        phases: how many the segment has.
    """

    def __init__(self, segment: Segment) -> None:
        self.instructions = segment.instructions
        tasks = [task for tasks in segment.phases.tasks() for task in tasks]
        self.phases = len(segment.phases.tasks())
        count = sum(len(task.calls) for task in tasks)
        memory = np.zeros((count + 1) * RECORD, np.int64)
        first = -memory.ctypes.data % 64 // 8
        self.table = memory[first : first + count * RECORD].reshape(count, RECORD)
        self.which: list[int] = []

    def add(self, instruction: int, kernel: int, numbers: int) -> int:
        """The address of a new record."""
        row = self.table[len(self.which)]
        row[KERNEL], row[NUMBERS] = kernel, numbers
        self.which.append(instruction)
        return row.ctypes.data

    def times(self) -> tuple[Array, Array]:
        """When the calls of the last run began and ended, in nanoseconds."""
        billion = 1_000_000_000
        table = self.table
        return (
            table[:, START] * billion + table[:, START + 1],
            table[:, END] * billion + table[:, END + 1],
        )


class TimedProgram(Program):
    """A program that tells a profile what it does.

    Attributes:
        works: for each instruction its entry in the profile.
        line: where it was first run from.
        runs, seconds: how often it was run, and how long that took.
        making: seconds that it took to make it.
        in_place: results that were written over leaves, in all runs.
    """

    def __init__(self, outputs: tuple[Node, ...], profile: Profile) -> None:
        self.profile = profile
        self.works: dict[Instruction, Work] = {}
        self.fallbacks: dict[Node, Work] = {}
        self.runs = self.in_place = 0
        self.seconds = 0.0
        self.line = user_line()
        start, before = time.perf_counter_ns(), jit.counts.copy()
        making = Making(outputs)
        self.outputs = making.outputs
        self._introduce(making)
        super().__init__(outputs, making.recipe())
        self.begin = None
        end, after = time.perf_counter_ns(), jit.counts
        self.making = (end - start) * 1e-9
        self.loading = after.seconds - before.seconds
        self.compiled, self.found = after.compiled - before.compiled, after.found - before.found
        self.number = len(profile.programs)
        profile.programs.append(self)
        details = {"kernels compiled": self.compiled, "found on the disk": self.found, "line": self.line}
        profile.happened(Event(f"make {self.name}", "compile", start, end, threading.get_ident(), details))

    @property
    def name(self) -> str:
        return f"program {self.number}"

    # --- making -----------------------------------------------------------------------------------------------------

    def _introduce(self, making: Making) -> None:
        """Tell the profile of all that will be called."""
        self._introduce_instructions(making.lowering)
        self.records: dict[int, Records] = {}
        for i, part in enumerate(making.parts):
            if isinstance(part, Segment):
                self.records[i] = Records(part)
            else:
                moved = sum(_nbytes(window) for window in (*part.inputs, *part.outputs))
                self.fallbacks[part.node] = self.profile.work((part.node,), FALLBACK, flops(part.node), moved)

    def _introduce_instructions(self, lowering: Lowering) -> None:
        steps = [step for step in lowering.steps if isinstance(step, Instruction)]
        main: dict[tuple[Node, ...], Instruction] = {}
        for one in steps:  # of several instructions for the same nodes, all flops go to the one that works longest
            before = main.get(one.nodes)
            if before is None or one.cost * one.units > before.cost * before.units:
                main[one.nodes] = one
        for one in steps:
            done = sum(map(flops, one.nodes)) if main[one.nodes] is one else 0
            kind = one.kernel.symbol.rpartition("_")[0]
            self.works[one] = self.profile.work(one.nodes, kind, done, _bytes_moved(lowering, one))

    def _called(self, part: int, instruction: int, kernel: int, numbers: int) -> tuple[int, int]:
        if instruction < 0:
            return kernel, numbers  # what begins a task
        return timed_kernel(), self.records[part].add(instruction, kernel, numbers)

    # --- running ----------------------------------------------------------------------------------------------------

    @property
    def small(self) -> None:
        """It is always called, and then timed."""
        return

    def __call__(self, leaves: Sequence[Any]) -> list[Array]:
        start = time.perf_counter_ns()
        results = super().__call__(leaves)
        end = time.perf_counter_ns()
        self.runs += 1
        self.seconds += (end - start) * 1e-9
        self.in_place += sum(bool(one.slot >= 0 and self.binding.taken[one.index]) for one in self.results)
        if profiling.current is self.profile:
            self.profile.happened(Event(self.name, "run", start, end, threading.get_ident(), {"line": self.line}))
            for records in self.records.values():
                self._note(records)
        return results

    def _note(self, records: Records) -> None:
        starts, ends = records.times()
        threads = records.table[:, THREAD]
        happened = self.profile.happened
        works = [self.works[one] for one in records.instructions]
        for work in works:
            work.calls += 1
        for number, start, end, thread in zip(
            records.which, starts.tolist(), ends.tolist(), threads.tolist(), strict=True
        ):
            work = works[number]
            work.seconds += (end - start) * 1e-9
            happened(Event(work.title, work.kind, start, end, thread, {"line": profiling.line_of(work)}))

    def _refer(self, part: Reference, made: dict[int, Array], leaves: Sequence[Any]) -> None:
        work = self.fallbacks[part.node]
        start = time.perf_counter_ns()
        super()._refer(part, made, leaves)
        end = time.perf_counter_ns()
        work.calls += 1
        work.seconds += (end - start) * 1e-9
        details = {"line": profiling.line_of(work)}
        self.profile.happened(Event(work.title, FALLBACK, start, end, threading.get_ident(), details))

    # --- what people ask for ----------------------------------------------------------------------------------------

    def phases(self) -> int:
        """How many phases there are, with a barrier after each."""
        return sum(records.phases for records in self.records.values())

    def memory(self) -> dict[str, int]:
        """What it holds.

        Returns:
            Bytes of the arena, of its temporaries if they did not share it, of constants, leaves and results; how many
            results there are, and how many of them may be written over leaves.
        """
        kinds: dict[str, int] = {}
        for one in self.buffers:
            kinds[one.kind] = kinds.get(one.kind, 0) + one.nbytes
        results = [self.buffers[one.index].nbytes for one in self.results]
        return {
            "arena": self.arena_size, "temporaries": kinds.get(TEMPORARY, 0), "constants": kinds.get(CONSTANT, 0),
            "leaves": kinds.get(LEAF, 0), "results": sum(results), "number of results": len(results),
            "may be in place": sum(one.slot >= 0 for one in self.results),
        }  # fmt: skip

    def __repr__(self) -> str:
        return f"<{self.name}: {title(self.outputs)}>"


def _nbytes(window: Window) -> int:
    return int(np.prod(window.shape, dtype=np.int64)) * window.dtype.itemsize


def _bytes_moved(lowering: Lowering, one: Instruction) -> int:
    """Bytes that an instruction reads and writes: of each buffer what the nodes use of it, once.

    Rows that are picked from a table are as many as are written, and so are those that are added to one.
    """
    written = sum(_size(lowering, one, access) for access in one.writes)
    picks = one.kernel.symbol.startswith("picking")
    total = written
    for buffer, access in {access.buffer: access for access in one.reads}.items():
        size = _size(lowering, one, access)
        total += min(size, written) if picks and buffer == one.reads[0].buffer else size
    return total


def _size(lowering: Lowering, one: Instruction, access: Access) -> int:
    """Bytes of a buffer that the nodes of an instruction read, as far as they tell; else all of it."""
    whole = lowering.buffers[access.buffer].nbytes
    seen = {}
    for node in one.nodes:
        for x in node.inputs:
            base, view = lowering.fusion.base(x)
            window = lowering._windows.get(base)
            if window is not None and window.buffer == access.buffer:
                seen[view.offset, view.shape, view.strides] = nbytes(x)
    return min(whole, sum(seen.values())) if seen else whole

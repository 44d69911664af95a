"""Runs programs: the calls of kernels, phase after phase, on one thread or on several.

    schedule = Schedule(phases, scratch)
    schedule.run(buffers, threads)

    if schedule.start(buffers, threads):  # ... and while the workers are at it
        schedule.finish()

On one thread the calls are made one after the other. On several, whoever is free takes the next task of the phase that
is open; whoever finishes the last task of a phase opens the next one. All of that is one word of memory, the *state*:
in its low half the *limit*, the number of tasks in all phases opened so far, in its high half the number of tasks that
have been taken. 0 means that there is no program. A thread takes a task by raising the high half, and only while it is
below the limit, so nobody holds a task that may not start, and a thread that the system suspends delays nobody unless
it is computing. So a program may also be started by a thread that goes elsewhere, and comes back to take part. Only
after it has taken a task does a thread look at the program: until that task is done the program cannot end, so what is
read is never out of date. Waiting threads watch the state, first awake, then asleep.
"""

from __future__ import annotations

import ctypes
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zerograd.engines.native import threads as team
from zerograd.engines.native.concurrent import WAITS, ThreadedFunction, Wait, wait
from zerograd.engines.native.emit import Value
from zerograd.engines.native.jit import described, load
from zerograd.engines.native.threads import Word

CALL = 5  # i64s of a call: kernel, numbers, low, high, private
TASK = 3  # i64s of a task: its first call, the call after its last, the limit once its phase is done (0: the end)
HEAD = 6  # i64s that describe a program: its calls, their number, its tasks, the first limit, and those of a guard:
# the address of a word that is 0 as long as all is well, and how many calls are made before it is asked
_HALF = 32
_word = ctypes.c_void_p  # an argument as wide as a pointer; also numbers go as such
_NOWHERE = _word(0)
_well = np.zeros(1, np.int64)  # a guard that lets everything pass


def make_calls(f: ThreadedFunction, calls: Value, first: Value, last: Value, buffers: Value, scratch: Value) -> None:
    """The code that makes some of the calls of a program, one after the other."""

    def one(index: Value) -> None:
        row = f.pointer(calls, f.mul(index, CALL), "i64")
        kernel, numbers, private = f.load("ptr", row), f.load("ptr", row, 1), f.load("i64", row, 4)
        table = f.value("ptr", f"select i1 {f.compare('ne', private, 0).name}, ptr {scratch.name}, ptr {buffers.name}")
        own = f.pointer(scratch, private)
        f.call_at(kernel, table, numbers, f.load("i64", row, 2), f.load("i64", row, 3), own)

    f.loop(first, last, 1, one)


def serial_text(name: str) -> str:
    """``void serial(calls, count, buffers, scratch)``: every call in turn."""
    f = ThreadedFunction(name, (("ptr", "calls"), ("i64", "count"), ("ptr", "buffers"), ("ptr", "scratch")))
    calls, count, buffers, scratch = f.arguments
    make_calls(f, calls, f.const(0, "i64"), count, buffers, scratch)
    return f.finish()


def guarded_text(name: str) -> str:
    """``void guarded(program, nothing, buffers, scratch)``: every call in turn, the last ones only if all is well."""
    f = ThreadedFunction(name, (("ptr", "program"), ("i64", "nothing"), ("ptr", "buffers"), ("ptr", "scratch")))
    program, _, buffers, scratch = f.arguments
    calls, count, certain = f.load("ptr", program, 0), f.load("i64", program, 1), f.load("i64", program, 5)
    make_calls(f, calls, f.const(0, "i64"), certain, buffers, scratch)
    wrong = f.load("i64", f.load("ptr", program, 4))
    f.if_(f.compare("eq", wrong, 0), lambda: make_calls(f, calls, certain, count, buffers, scratch))
    return f.finish()


def _wake(f: ThreadedFunction, how: Wait, words: Value, mask: Value, count: Value) -> None:
    """Wake ``count`` of the sleepers in ``mask``, those with the lowest bits first."""
    asleep = f.and_(f.read(words, Word.ASLEEP, "seq_cst"), mask)
    anybody = f.and_(f.compare("ne", asleep, 0), f.compare("sgt", count, 0))

    def rouse() -> None:
        # Bits below the count-th one that is set: those of the whole mask less those that remain without the lowest.
        (rest,) = f.loop(0, count, 1, lambda i, left: f.and_(left, f.sub(left, 1)), [asleep])
        # 0 stays 0: 0 & (0 - 1).
        chosen = f.and_(asleep, f.not_(rest))
        before = f.exchange("and", f.not_(chosen), words, Word.ASLEEP)
        bits = f.convert(f.and_(before, chosen), "i32")
        f.if_(f.compare("ne", bits, 0), lambda: how.wake(f, f.pointer(words, Word.STATE, "i64"), bits))

    f.if_(anybody, rouse)


def _bits(f: ThreadedFunction, threads: Value) -> Value:
    """The bits of the first ``threads`` threads."""
    return f.sub(f.shl(f.const(1, "i64"), f.intrinsic("smin", threads, 32)), 1)


def tasks_of(f: ThreadedFunction, state: Value) -> tuple[Value, Value]:
    """What the state says: the number of tasks that have been taken, and the limit."""
    return f.lshr(state, _HALF), f.and_(state, (1 << _HALF) - 1)


class _Participation:
    """The text of ``participate``, block by block."""

    def __init__(self, name: str, how: Wait) -> None:
        parameters = (("ptr", "words"), ("i64", "index"), ("ptr", "scratch"))
        self.f = ThreadedFunction(name, parameters)
        self.how = how
        self.words, self.index, self.scratch = self.f.arguments
        self.head, self.take, self.work, self.shut, self.rest, self.doze, self.leave = (
            self.f.label(word) for word in ("head", "take", "work", "shut", "rest", "doze", "leave")
        )

    def text(self) -> str:
        f = self.f
        self.spins, self.spare = f.variable(), f.variable()
        self.bit = f.shl(f.const(1, "i64"), f.intrinsic("smin", self.index, 31))
        f.store(f.const(0, "i64"), self.spins)
        f.jump(self.head)
        f.begin(self.head)
        state = f.read(self.words, Word.STATE, "acquire")
        taken, limit = tasks_of(f, state)
        is_open = f.compare("ult", taken, limit)
        wanted = f.compare("slt", self.index, f.read(self.words, Word.THREADS))
        f.branch(f.and_(is_open, wanted), self.take, self.shut)
        f.begin(self.take)
        f.branch(f.replace(state, f.add(state, 1 << _HALF), self.words, Word.STATE), self.work, self.head)
        f.begin(self.work)
        self._work(taken, limit)
        f.store(f.const(0, "i64"), self.spins)
        f.jump(self.head)
        self._wait(state, limit)
        f.begin(self.leave)
        return f.finish()

    def _work(self, taken: Value, limit: Value) -> None:
        """Do a task, and open the next phase if it was the last of this one."""
        f, words = self.f, self.words
        program, buffers = f.load("ptr", words, Word.PROGRAM), f.load("ptr", words, Word.BUFFERS)
        (scratch,) = f.if_(
            f.compare("eq", self.index, 0),
            lambda: self.scratch,
            lambda: f.load("ptr", words, f.add(self.index, Word.SCRATCH)),
        )
        calls, tasks = f.load("ptr", program, 0), f.load("ptr", program, 2)
        row = f.pointer(tasks, f.mul(taken, TASK), "i64")
        following = f.load("i64", row, 2)
        make_calls(f, calls, f.load("i64", row, 0), f.load("i64", row, 1), buffers, scratch)
        # From here on the program may be gone, unless this was its last task.
        threads = f.read(words, Word.THREADS)
        done = f.add(f.exchange("add", 1, words, Word.DONE), 1)

        def open_next() -> None:
            f.exchange("xchg", f.or_(f.shl(limit, _HALF), following), words, Word.STATE)
            _wake(f, self.how, words, _bits(f, threads), f.sub(f.sub(following, limit), 1))

        def end() -> None:
            f.exchange("xchg", 0, words, Word.STATE)
            _wake(f, self.how, words, f.const(1, "i64"), f.const(1, "i64"))

        def go_on() -> None:
            wrong = f.load("i64", f.load("ptr", program, 4))
            last = f.or_(f.compare("eq", following, 0), f.compare("ne", wrong, 0))
            f.if_(last, end, open_next)

        f.if_(f.compare("eq", done, limit), go_on)

    def _wait(self, state: Value, limit: Value) -> None:
        """Leave if the program has ended; otherwise pause, and after many pauses sleep."""
        f, words = self.f, self.words
        f.begin(self.shut)
        ended = f.compare("eq", state, 0)
        f.branch(f.and_(ended, f.compare("eq", self.index, 0)), self.leave, self.rest)
        f.begin(self.rest)
        f.pause()
        spins = f.add(f.load("i64", self.spins), 1)
        f.store(spins, self.spins)
        bound = f.select(ended, f.read(words, Word.IDLE_SPIN), f.read(words, Word.SPIN))
        f.branch(f.compare("slt", spins, bound), self.head, self.doze)
        f.begin(self.doze)
        f.exchange("or", self.bit, words, Word.ASLEEP)
        word, expected = f.pointer(words, Word.STATE, "i64"), f.convert(limit, "i32")
        self.how.sleep(f, word, expected, f.convert(self.bit, "i32"), self.spare)
        # The last bit is shared by all threads from the 32nd on: it stays, which costs at most a vain wake.
        f.if_(f.compare("slt", self.index, 31), lambda: f.exchange("and", f.not_(self.bit), words, Word.ASLEEP))
        f.store(f.const(0, "i64"), self.spins)
        f.jump(self.head)


def participate_text(name: str, how: Wait) -> str:
    """``void participate(words, index, scratch)``: take part in whatever programs come.

    Thread 0 is the one that began the program: it leaves when that has ended, and brings its own scratch memory.
    Others never leave.
    """
    return _Participation(name, how).text()


def _begin(f: ThreadedFunction, words: Value, program: Value, buffers: Value, threads: Value) -> Value:
    """Open the first phase of a program for the team, which is busy with no other; gives the number of its tasks."""
    f.store(program, words, Word.PROGRAM)
    f.store(buffers, words, Word.BUFFERS)
    f.write(threads, words, Word.THREADS)
    f.write(0, words, Word.DONE)
    limit = f.load("i64", program, 3)
    f.exchange("xchg", limit, words, Word.STATE)
    return limit


def run_text(name: str, how: Wait, guarded: str, participate: str) -> str:
    """``void run(words, program, buffers, scratch, threads)``: with the team, or alone if it has another program."""
    parameters = (("ptr", "words"), ("ptr", "program"), ("ptr", "buffers"), ("ptr", "scratch"), ("i64", "threads"))
    f = ThreadedFunction(name, parameters)
    words, program, buffers, scratch, threads = f.arguments

    def together() -> None:
        limit = _begin(f, words, program, buffers, threads)
        _wake(f, how, words, _bits(f, threads), f.sub(limit, 1))
        f.call(participate, "void", words, f.const(0, "i64"), scratch)
        f.write(0, words, Word.BUSY, "release")

    def alone() -> None:
        f.call(guarded, "void", program, f.const(0, "i64"), buffers, scratch)

    f.if_(f.replace(0, 1, words, Word.BUSY), together, alone)
    return f.finish()


def start_text(name: str, how: Wait) -> str:
    """``i64 start(words, program, buffers, threads)``: leave a program to the team; 0: it has another one."""
    parameters = (("ptr", "words"), ("ptr", "program"), ("ptr", "buffers"), ("i64", "threads"))
    f = ThreadedFunction(name, parameters, "i64")
    words, program, buffers, threads = f.arguments
    free = f.replace(0, 1, words, Word.BUSY)

    def begin() -> None:
        f.write(1, words, Word.STARTED)
        limit = _begin(f, words, program, buffers, threads)
        _wake(f, how, words, _bits(f, threads), f.intrinsic("smin", limit, f.sub(threads, 1)))

    f.if_(free, begin)
    return f.finish(f.convert(free, "i64", signed=False))


def finish_text(name: str, participate: str) -> str:
    """``void finish(words, scratch)``: take part in the program that was started, if it has not been finished yet."""
    f = ThreadedFunction(name, (("ptr", "words"), ("ptr", "scratch")))
    words, scratch = f.arguments

    def take_part() -> None:
        f.call(participate, "void", words, f.const(0, "i64"), scratch)
        f.write(0, words, Word.STARTED)
        f.write(0, words, Word.BUSY, "release")

    f.if_(f.compare("ne", f.read(words, Word.STARTED), 0), take_part)
    return f.finish()


def pauses_text(name: str) -> str:
    """``void pauses(count)``: pause so many times."""
    f = ThreadedFunction(name, (("i64", "count"),))
    f.loop(0, f.arguments[0], 1, lambda i: f.pause())
    return f.finish()


def _pause(pauses: Callable[..., None]) -> float:
    """Nanoseconds that a pause takes."""
    count = 1000
    times = []
    for _ in range(5):
        start = time.perf_counter()
        pauses(_word(count))
        times.append(time.perf_counter() - start)
    return max(1.0, min(times) / count * 1e9)


class _Driver:
    """The compiled functions.

    Attributes:
        serial: one call runs a whole program in the calling thread.
        guarded: the same, but what comes behind a guard only if all is well.
        run: the same with a team.
        start, finish: the same in two calls.
        participate: what a worker does all its life.
        addresses: of ``start`` and ``finish``, for other native code.
    """

    def __init__(self, how: Wait) -> None:
        style = next((f"{place}" for place, one in WAITS.items() if one is how), "poll")
        serial, guarded, participate, run, start, finish, pauses = (
            described(word, style) for word in ("serial", "guarded", "participate", "run", "start", "finish", "pauses")
        )
        texts = {
            serial: lambda: serial_text(serial),
            guarded: lambda: guarded_text(guarded),
            start: lambda: start_text(start, how),
            participate: lambda: participate_text(participate, how),
            pauses: lambda: pauses_text(pauses),
        }
        externals = dict(how.externals())
        addresses = load(texts, externals)
        texts = {
            run: lambda: run_text(run, how, guarded, participate),
            finish: lambda: finish_text(finish, participate),
        }
        addresses |= load(texts, {**externals, **addresses})
        self.addresses = {start: addresses[start], finish: addresses[finish]}
        # Without declared types ctypes passes its own objects on as they are, which is more than twice as fast.
        made = ctypes.CFUNCTYPE(None)
        names = (serial, guarded, participate, run, finish)
        self.serial, self.guarded, self.participate, self.run, self.finish = (made(addresses[name]) for name in names)
        self.start = ctypes.CFUNCTYPE(ctypes.c_int64)(addresses[start])
        team.patience = team.Patience(_pause(made(addresses[pauses])))


@functools.cache
def driver() -> _Driver:
    """Compiled at first use."""
    return _Driver(wait())


class Schedule:
    """A program that can be run any number of times.

    Args:
        phases: a phase is a list of independent tasks; all are finished before the next phase begins. A task is a list
            of calls that one thread makes in order: (kernel's address, numbers' address, low, high), and where the
            thread's scratch memory begins with a table of pointers of its own (``locality``), the bytes before the
            kernel's part of it.
        scratch: bytes of scratch memory that each thread needs.
        guard: the address of an i64, and a number of calls: unless it is 0 after those, others may be left undone.

    Attributes:
        calls: all calls, in an order that one thread may take.
        guard: the address, and the number of calls that are made before it is asked.
        place: the address of all that is known of the program.
    """

    __slots__ = (
        "_alone",
        "_count",
        "_data",
        "_first",
        "_head",
        "_table",
        "_wide",
        "calls",
        "guard",
        "place",
        "scratch",
    )

    def __init__(
        self, phases: Sequence[Sequence[Sequence[tuple[int, ...]]]], scratch: int, guard: tuple[int, int] | None = None
    ) -> None:
        kept = [[task for task in phase if task] for phase in phases]
        kept = [phase for phase in kept if phase]
        limits = np.cumsum([0, *map(len, kept)], dtype=np.int64).tolist()
        following = [*limits[2:], 0]  # by phase: the limit once it is done
        bounds = np.cumsum([0, *(len(task) for phase in kept for task in phase)], dtype=np.int64).tolist()
        after = [limit for phase, limit in zip(kept, following, strict=False) for _ in phase]
        calls = np.array([(*call, 0)[:CALL] for phase in kept for task in phase for call in task], np.uint64)
        tasks = np.array(list(zip(bounds, bounds[1:], after, strict=False)), np.int64)
        self.calls = calls
        first = limits[min(1, len(kept))]
        self.guard = word, certain = guard or (_well.ctypes.data, 0)
        head = np.array([calls.ctypes.data, len(calls), tasks.ctypes.data, first, word, certain], np.uint64)
        self._data = (calls, tasks, head)
        self.place: int = head.ctypes.data
        self._head = _word(head.ctypes.data)
        self._table = (0, _word(0))  # the last table of pointers
        self._wide = any(len(phase) > 1 for phase in kept)
        made: Any = driver()
        self._alone, self._first, self._count = made.guarded, self._head, _NOWHERE
        if guard is None:
            self._alone, self._first, self._count = made.serial, _word(calls.ctypes.data), _word(len(calls))
        self.scratch = scratch

    def run(self, buffers: int, threads: int) -> None:
        """Run the program and return when all is done.

        Args:
            buffers: address of the table of pointers that the kernels are given.
            threads: how many threads may take part. While another program has the workers, it runs alone.
        """
        known, table = self._table
        if known != buffers:
            table = self._remember(buffers)
        scratch = team.scratch(self.scratch) if self.scratch else _NOWHERE
        if threads > 1 and self._wide:
            made = driver()
            threads = team.gather(threads, self.scratch, made.participate)
            made.run(team.words.place, self._head, table, scratch, _word(threads))
        else:
            self._alone(self._first, self._count, table, scratch)

    def _remember(self, buffers: int) -> ctypes.c_void_p:
        self._table = (buffers, _word(buffers))
        return self._table[1]

    def start(self, buffers: int, threads: int) -> bool:
        """Leave the program to the workers; ``finish`` waits for its end.

        Returns:
            Whether they have begun; not if they have another program, or if there are none.
        """
        made = driver()
        threads = team.gather(threads, self.scratch, made.participate)
        if threads < 2 or (self._alone is made.guarded and not self._wide):  # the team asks a guard between phases only
            return False
        return bool(made.start(team.words.place, self._head, self._remember(buffers), _word(threads)))

    def finish(self) -> None:
        """Take part in the program that was started, and return when all is done. Only one thread at a time may."""
        driver().finish(team.words.place, team.scratch(self.scratch) if self.scratch else _NOWHERE)


__all__ = ["Schedule", "driver", "make_calls"]

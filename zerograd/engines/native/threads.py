"""The team: the memory that all threads of a program share, the workers, and how many threads a program is worth.

A worker is a thread that sits in native code and never comes back to Python. It owns nothing, and a program is right
with any number of workers, none too: whoever begins a program takes part and does what nobody else has taken.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import threading
import time
from collections.abc import Callable
from enum import IntEnum

import numpy as np

from zerograd.engines.native.pages import aligned
from zerograd.settings import settings

MOST = 1024  # threads that can take part
ALONE = 100_000  # nanoseconds of work below which waking others costs more than they take off: see threads_for
SHARE = 50_000  # nanoseconds of work that a thread more is worth
_IDLE_SPIN = 200_000  # nanoseconds; see threads_for for what sleeping costs
_BRIEF_SPIN, _LONG_SPIN = 50_000, 1_000_000  # nanoseconds, see Patience
_LOOK = 0.2  # seconds between two looks at what the system does
DOUBLED = 1 << 20  # bytes of scratch memory up to which it becomes twice as large when it is too small
_LINES = 128  # two lines of cache: processors fetch them in pairs


class Word(IntEnum):
    """Where things lie in the team's memory, in i64s. What many threads write has lines of its own.

    STATE: tasks taken, and the limit; see driver.py.
    DONE: tasks done.
    ASLEEP: a bit for each thread that sleeps: thread i has bit i, all from the 32nd on share the last.
    BUSY: 1 while a program has the team.
    STARTED: 1 while it is one that was left to the workers, and nobody has waited for yet.
    PROGRAM, BUFFERS: that program.
    THREADS: how many threads may take part in it.
    SPIN, IDLE_SPIN: pauses before a thread sleeps, within a program and between programs.
    SCRATCH: the first of the addresses of each thread's scratch memory.
    """

    STATE = 0
    DONE = 16
    ASLEEP = 32
    BUSY = 48
    STARTED = 49
    PROGRAM = 64
    BUFFERS = 65
    THREADS = 66
    SPIN = 67
    IDLE_SPIN = 68
    SCRATCH = 80


class _Memory:
    """Zeroed memory at an aligned address that is never given back: threads may look at it until the process ends."""

    def __init__(self, size: int) -> None:
        self.bytes = aligned(size, _LINES)
        self.bytes[:] = 0
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.bytes))
        self.address = self.bytes.ctypes.data
        self.place = ctypes.c_void_p(self.address)


class _Words(_Memory):
    """The team's memory."""

    def __init__(self) -> None:
        super().__init__(8 * (Word.SCRATCH + MOST))
        self.words = self.bytes.view(np.int64)


class Patience:
    """How long threads wait for each other awake, before they sleep.

    Within a program the others are about to end a task. Who sleeps meanwhile comes late to the next phase; steps of
    some milliseconds take a tenth more time if threads wait awake for 50 microseconds only. But where more threads want
    to run than there are processors, the one that is waited for may be suspended, and who sleeps makes place for it:
    then steps take 10-30 % more if threads wait awake for a millisecond. The system says which it is: it interrupts the
    threads of a process 10 to 90 times a second if nobody else wants to run, 130 to 440 times if one other process does
    (measured with two threads on two processors).

    Args:
        pause: how long one pause takes, in nanoseconds: from 3 to 50, depending on the processor.
    """

    def __init__(self, pause: float) -> None:
        self.brief, self.long, idle = (max(1, int(time / pause)) for time in (_BRIEF_SPIN, _LONG_SPIN, _IDLE_SPIN))
        words.words[Word.IDLE_SPIN] = idle
        self._decide(crowded=_interrupted is None)
        self._next = self._looked = self._interrupted = 0.0

    def look(self, threads: int) -> None:
        """A program begins with so many threads: now and then, see how things are."""
        now = time.monotonic()
        if now < self._next or _interrupted is None:
            return
        interrupted = _interrupted()
        if now < self._looked + 3 * _LOOK:  # else it has been elsewhere, where nothing could be seen
            rate = (interrupted - self._interrupted) / (now - self._looked)
            self._decide(crowded=rate > 40 + 40 * threads)
        self._next, self._looked, self._interrupted = now + _LOOK, now, interrupted

    def _decide(self, *, crowded: bool) -> None:
        words.words[Word.SPIN] = self.brief if crowded else self.long


def _interruptions() -> Callable[[], float] | None:
    """What says how often the system has interrupted this process for others, where it does."""
    try:
        from resource import RUSAGE_SELF, getrusage
    except ImportError:
        return None
    return lambda: getrusage(RUSAGE_SELF).ru_nivcsw


class _Own(threading.local):
    """Scratch memory of a thread that begins programs."""

    size = 0
    place = ctypes.c_void_p(0)
    memory: np.ndarray | None = None


words = _Words()
_interrupted = _interruptions()
patience = Patience(25.0)
_own = _Own()
_lock = threading.Lock()
_limit = MOST  # threads that the system has been willing to give
_workers = 0  # how many there are; their threads have the numbers 1, 2, ...
_scratch = 0  # bytes that each worker has
generation = 0  # how often the process has been forked: the workers of one before are gone


def scratch(size: int) -> ctypes.c_void_p:
    """The address of at least ``size`` bytes for the calling thread, aligned to 64; it stays until a larger demand."""
    if _own.size < size:
        grown = _grown(size, _own.size)
        _own.memory = aligned(grown, _LINES)
        _own.place = ctypes.c_void_p(_own.memory.ctypes.data)
        _own.size = grown
    return _own.place


def _grown(size: int, before: int) -> int:
    """How much scratch memory to make where ``size`` bytes are needed and ``before`` are not enough.

    The steps of a program differ a little at first, so there is some more than is needed; and to grow is rare where a
    little memory is made twice as large.
    """
    granule = max(1 << size.bit_length() >> 4, 64)
    roomy = -(-size // granule) * granule
    return max(roomy, 2 * before) if before < DOUBLED else roomy


def threads_for(cost: float) -> int:
    """How many threads a program of ``cost`` nanoseconds of work, on one thread, should be run with.

    Measured in a virtual machine with two cores: to wake a worker takes 15 microseconds of the caller's time, and it
    comes 30 to 60 microseconds late, so two threads break even at about 100 (at 5 if the worker is still awake). Which
    number it is changes no result.
    """
    if cost < ALONE:
        return 1
    return max(1, min(settings.threads, int(cost / SHARE)))


def gather(threads: int, size: int, participate: Callable[..., None]) -> int:
    """Have workers for ``threads`` threads, if the system allows, each with ``size`` bytes of scratch.

    Returns:
        How many threads can take part, the caller included.
    """
    threads = min(threads, _limit)
    patience.look(threads)
    if _workers + 1 < threads or _scratch < size:
        with _lock:
            _provide(threads, size)
            _start(threads - 1, participate)
    return min(threads, _limit)


def _provide(threads: int, size: int) -> None:
    """Scratch memory for the present and coming workers. The old stays: a worker may be using it."""
    global _scratch
    if _scratch >= size and _workers + 1 >= threads:
        return
    grown = _scratch if _scratch >= size else _grown(size, _scratch)
    first = 1 if grown > _scratch else _workers + 1
    for index in range(first, max(threads, _workers + 1)):
        words.words[Word.SCRATCH + index] = _Memory(grown).address
    _scratch = grown


def _start(count: int, participate: Callable[..., None]) -> None:
    global _limit, _workers
    while _workers < count:
        try:
            _thread.start_new_thread(participate, (words.place, ctypes.c_void_p(_workers + 1), ctypes.c_void_p(0)))
        except RuntimeError:  # no more threads, or the interpreter is about to end
            _limit = _workers + 1
            return
        _workers += 1
        time.sleep(0)  # a new thread needs Python's lock once, before it leaves it for good


def _forget() -> None:
    """In the child of a fork no worker lives, and what the others were doing there is nobody's."""
    global _limit, _lock, _workers, generation
    _lock, _limit, _workers = threading.Lock(), MOST, 0
    generation += 1
    words.words[: Word.SPIN] = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

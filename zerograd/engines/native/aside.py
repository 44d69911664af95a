"""Small programs aside: a worker runs them while Python goes on.

To wake a worker takes longer than a small program does. But where such programs follow each other, as in a training
loop, the worker is still awake. Then the program costs the loop next to nothing, and its data stay in the caches of the
worker's core while those of Python stay in the other one.

This is for programs whose results nobody is about to look at. The one before is waited for first; if no worker has
taken it, the caller runs it. Where that happens too often, because another process keeps the cores busy, and where the
worker has to be woken each time for little work, programs are run by the caller for a while.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from zerograd.engines import flight
from zerograd.engines.native import jit
from zerograd.engines.native import threads as team
from zerograd.engines.native.binding import DATA
from zerograd.engines.native.concurrent import ThreadedFunction
from zerograd.engines.native.driver import Schedule, driver, tasks_of
from zerograd.engines.native.emit import Value
from zerograd.engines.native.quick import RECORD, field_of, method, text
from zerograd.engines.native.threads import Word
from zerograd.ir.graph import Array
from zerograd.settings import settings

WAKING = 30_000  # nanoseconds of work that may be worth waking a worker, which takes half of that
ASLEEP = 20  # what it weighs that it had to be woken: where other processes keep the cores busy, it takes the caller's
LEAST = 3_000  # nanoseconds of work that are worth the handing over, which takes about 500
UNTAKEN, PATIENT, LATE, MOST_MISSES = 2, 20, 400, 300
"""What it weighs that nobody came in time, that the caller has waited as long as it does awake, and that the worker was
suspended even longer; and when it is too much. 1 is about 10 microseconds, which are won where all goes well."""
LEAST_ALONE, MOST_ALONE = 100, 1 << 16  # runs by the caller alone, when that has weighed too much: see _weigh


def begin_text(name: str, start: str) -> str:
    """As ``quick.text``, but a worker makes the calls behind the guard; the program before has been waited for."""

    def leave(f: ThreadedFunction, record: Value, here: Callable[[], None]) -> None:
        alone = field_of(f, record, "alone")

        def begin() -> None:
            asleep = f.and_(f.read(field_of(f, record, "words"), Word.ASLEEP), 2)  # the bit of the first worker
            doze = field_of(f, record, "doze")
            f.if_(f.compare("ne", asleep, 0), lambda: _weigh(f, record, doze))
            words, head, table = (field_of(f, record, word) for word in ("words", "head", "table"))
            begun = f.call(start, "i64", words, head, table, f.const(2, "i64"))
            f.if_(f.compare("eq", begun, 0), here)

        def go_alone() -> None:
            f.store(f.sub(alone, 1), record, RECORD.index("alone"))
            here()

        f.if_(f.compare("eq", alone, 0), begin, go_alone)

    return text(name, leave)


def _weigh(f: ThreadedFunction, record: Value, weight: Value) -> None:
    """Add up what went wrong; if it is too much, go alone: each time twice as long, unless all has gone well since."""

    def keep(word: str, x: Value) -> None:
        f.store(x, record, RECORD.index(word))

    misses = f.intrinsic("smax", f.add(field_of(f, record, "misses"), weight), 0)
    pause = f.intrinsic("smax", f.add(field_of(f, record, "pause"), f.intrinsic("smin", weight, 0)), LEAST_ALONE)
    keep("misses", misses)
    keep("pause", pause)

    def go_alone() -> None:
        keep("misses", f.const(0, "i64"))
        keep("alone", pause)
        keep("pause", f.intrinsic("smin", f.add(pause, pause), MOST_ALONE))

    f.if_(f.compare("sgt", misses, MOST_MISSES), go_alone)


def join_text(name: str, finish: str) -> str:
    """``PyObject *join(record, nothing, 0)``: wait for the program that was begun; take part if nobody has come."""
    f = ThreadedFunction(name, (("ptr", "self"), ("ptr", "given"), ("i64", "none")), "ptr")
    self = f.arguments[0]
    record = f.load("ptr", f.pointer(self, DATA))
    words = field_of(f, record, "words")
    begun = f.compare("ne", f.read(words, Word.STARTED), 0)
    spins = f.variable()
    f.store(f.const(0, "i64"), spins)
    look, rest, done = f.label("look"), f.label("rest"), f.label("done")
    f.jump(look)
    f.begin(look)
    state = f.read(words, Word.STATE, "acquire")
    ended = f.compare("eq", state, 0)
    taken = f.compare("uge", *tasks_of(f, state))
    patient = f.compare("slt", f.load("i64", spins), f.read(words, Word.IDLE_SPIN))
    f.branch(f.and_(f.and_(taken, f.compare("ne", state, 0)), patient), rest, done)
    f.begin(rest)
    f.pause()
    f.store(f.add(f.load("i64", spins), 1), spins)
    f.jump(look)
    f.begin(done)
    f.call(finish, "void", words, field_of(f, record, "scratch"))
    waited = f.div(f.mul(f.load("i64", spins), PATIENT), f.read(words, Word.IDLE_SPIN))
    late = f.select(taken, f.const(LATE, "i64"), f.const(UNTAKEN, "i64"))
    weight = f.select(ended, f.sub(waited, 1), late)
    f.if_(begun, lambda: _weigh(f, record, weight))
    f.store(f.add(f.load("i32", self), 1), self)  # a new reference
    return f.finish(self)


@functools.cache
def _methods() -> tuple[Callable[[Array], Any], Callable[[Array], Any]]:
    """What makes Python's functions ``begin`` and ``join`` of a record."""
    start, finish = driver().addresses
    begin, join = jit.described("begin", start), jit.described("join", finish)
    texts = {begin: lambda: begin_text(begin, start), join: lambda: join_text(join, finish)}
    made = jit.load(texts, driver().addresses)
    return method(made[begin]), method(made[join])


class Aside:
    """How a small program is left to a worker: a flight, which may begin again when it has landed.

    Args:
        record: of the program; see ``quick.RECORD``.
        schedule: its calls.
        cost: of them, in nanoseconds.
    """

    def __init__(self, record: Array, schedule: Schedule, cost: float) -> None:
        self.record = record
        rest = [tuple(call) for call in schedule.calls[schedule.guard[1] :].tolist()]
        self.schedule = Schedule([[rest]], schedule.scratch)
        record[RECORD.index("words")] = team.words.address
        record[RECORD.index("head")] = self.schedule.place
        record[RECORD.index("doze")] = ASLEEP if cost < WAKING else UNTAKEN
        begin, join = _methods()
        self.call, self.join = begin(record), join(record)
        self.held: Any = None
        self.generation, self.workers = -1, 0

    @classmethod
    def of(cls, record: Array, schedule: Schedule, cost: float) -> Aside | None:
        """If a program that costs so many nanoseconds is worth it."""
        return cls(record, schedule, cost) if cost >= LEAST and schedule.guard[1] < len(schedule.calls) else None

    def is_wanted(self) -> bool:
        """Whether programs are to be left to workers now, and there are any."""
        if settings.threads < 2 or not settings.asynchronous or not flight.may_begin():
            return False
        if self.generation != team.generation:
            self.generation = team.generation
            self.workers = team.gather(2, self.schedule.scratch, driver().participate)
        return self.workers > 1

    def begin(self, leaves: list[Any], fresh: list[Array]) -> bool:
        """Begin, if all is as it was foretold; no program is in flight."""
        flight.running = self
        if self.call(leaves, fresh) is not leaves:
            flight.running = None
            return False
        self.held = tuple(leaves), fresh
        return True

    def finish(self) -> None:
        self.join()
        self.held = None


__all__ = ["Aside"]

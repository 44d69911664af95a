"""What engines have done, while somebody wants to know: time by piece of work, programs, and a line of events.

``current`` is ``None`` unless a profile is being taken. Engines ask for it where they make programs, never where they
run them: a program that is made without a profile is not measured later, and costs nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from zerograd.ir.graph import Node
from zerograd.ir.origins import Origin, origins
from zerograd.ir.record import recorders
from zerograd.settings import settings

MOST_EVENTS = 400_000
FIRST_RUN, FALLBACK = "numpy, first run", "numpy"
"""Why NumPy computes: a graph is compiled when it comes back; no kernel knows the op."""


class Work:
    """One kind of work: a kernel on some shape for some line of the program.

    Attributes:
        title, kind: what it computes, and with what kind of kernel.
        origin: the line of the program, if that is known.
        flops, nbytes: floating-point operations and bytes read and written, each time.
        calls: how often it was done; a thread's part of it does not count by itself.
        seconds: in all, added up over threads.
    """

    __slots__ = ("calls", "flops", "kind", "nbytes", "origin", "seconds", "title")

    def __init__(self, title: str, kind: str, origin: Origin | None, flops: int, nbytes: int) -> None:
        self.title, self.kind, self.origin, self.flops, self.nbytes = title, kind, origin, flops, nbytes
        self.calls = 0
        self.seconds = 0.0


class Event:
    """Something with a beginning and an end, in nanoseconds of ``time.perf_counter_ns``."""

    __slots__ = ("details", "end", "kind", "start", "thread", "title")

    def __init__(
        self, title: str, kind: str, start: int, end: int, thread: int, details: dict[str, Any] | None = None
    ) -> None:
        self.title, self.kind, self.start, self.end, self.thread, self.details = (
            title, kind, start, end, thread, details,
        )  # fmt: skip


class Profile:
    """What has been seen from the moment it was made.

    Attributes:
        works: every kind of work, by what tells them apart.
        programs: compiled programs, as the native engine describes them (``native/timed.py``).
        events: for the trace; at most ``MOST_EVENTS``.
        left_out: how many events were not kept.
        started, ended: nanoseconds.
    """

    def __init__(self) -> None:
        self.works: dict[Any, Work] = {}
        self.programs: list[Any] = []
        self.events: list[Event] = []
        self.left_out = 0
        self.started = time.perf_counter_ns()
        self.ended = 0

    def work(self, nodes: Sequence[Node], kind: str, flops: int, nbytes: int) -> Work:
        """The entry for this computation."""
        from zerograd.engines.describing import origin, title  # this module is loaded by every `import zerograd`

        found = title(nodes), kind, origin(nodes), flops, nbytes
        return self.works.setdefault(found, Work(*found))

    def happened(self, event: Event) -> None:
        """Keep an event, if there is room."""
        if len(self.events) < MOST_EVENTS:
            self.events.append(event)
        else:
            self.left_out += 1

    def timed(self, function: Callable[..., Any], node: Node, kind: str) -> Callable[..., Any]:
        """The function that computes a node with NumPy, with a clock around it."""
        from zerograd.engines.describing import flops, nbytes

        moved = nbytes(node) + sum(nbytes(one) for one in node.inputs)
        work = self.work((node,), kind, flops(node), moved)

        def run(*arrays: Any) -> Any:
            start = time.perf_counter_ns()
            try:
                return function(*arrays)
            finally:
                end = time.perf_counter_ns()
                work.calls += 1
                work.seconds += (end - start) * 1e-9
                self.happened(Event(work.title, kind, start, end, threading.get_ident(), {"line": line_of(work)}))

        return run


def line_of(work: Work) -> str:
    """``file:line``, or nothing."""
    if work.origin is None:
        return ""
    return f"{work.origin.line} backward" if work.origin.backward else work.origin.line


current: Profile | None = None


def begin() -> Profile:
    """Start a profile. What was recorded before is forgotten, so that it is compiled anew and measured."""
    global current
    _forget()
    origins.on = True
    current = Profile()
    return current


def end() -> Profile:
    """End the profile and give it. What was compiled for it is forgotten."""
    global current
    assert current is not None, "no profile is being taken"
    found, current = current, None
    found.ended = time.perf_counter_ns()
    origins.on = bool(settings.debug)
    _forget()
    return found


def _forget() -> None:
    for one in list(recorders):
        one.forget()

"""The program in flight: begun, and not waited for yet.

A program that is worth it is left to other threads while the calling one goes on in Python. The arrays that it will
have written are there from the start, and go from hand to hand like others; whoever wants to see their *content*, or to
run a program, calls ``finish()`` first. That thread then does its share of what is left, so nobody waits idly, and
there is never more than one program in flight.

    if flight.running is not None:
        flight.finish()
"""

from __future__ import annotations

import atexit
import copy
import os
import threading
import weakref
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from zerograd.engines import faults, reference
from zerograd.ir.graph import Array, Node, leaf
from zerograd.ir.traverse import topological


class Flight(Protocol):
    """A program in flight, which keeps all that it reads and writes alive."""

    def finish(self) -> None:
        """Take part until the program is done, and see to what it reports.

        To do this again, or without a start, changes nothing.
        """
        ...


class Launch(Flight, Protocol):
    """One that has not begun yet."""

    def start(self) -> bool:
        """Leave the program to other threads; whether they take it."""
        ...


UNKNOWN = "a kernel has reported a wrong index that the reference does not know of"
lock = threading.RLock()  # held while anything is computed
running: Flight | None = None
spoiled: dict[int, tuple[weakref.ref[Array], Exception]] = {}
"""By their ids, arrays that could not be computed: the array, and why."""
_ready = False
_over = False  # the interpreter is about to end


def take_off(one: Launch) -> bool:
    """Start a program; the caller holds the lock and has waited for the one before.

    Returns:
        Whether it is in flight now.
    """
    global running
    if not may_begin():
        return False
    running = one  # also before the start: no interrupt may come between
    if not one.start():
        finish()
        return False
    running = one  # the collector of garbage may have had something computed
    return True


def may_begin() -> bool:
    """Whether programs may be in flight now; from then on the process waits for them where it has to."""
    global _ready
    if not _ready:
        # The hook that is registered last is called first: before those of locks that are taken while computing.
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=_before_fork, after_in_parent=lock.release, after_in_child=lock.release)
        atexit.register(_end)
        _ready = True
    return not _over


def finish() -> None:
    """Return when no program is in flight. Errors are kept for those who look at what could not be computed."""
    with lock:
        land(running)


def land(one: Flight | None) -> None:
    """Finish a program; the caller holds the lock."""
    global running
    if one is not None:
        one.finish()
        if running is one:  # not so if the collector of garbage has had something computed meanwhile
            running = None


def _before_fork() -> None:
    """The child has no workers: what is in flight has to land, and nothing may be begun until the process is forked."""
    lock.acquire()
    land(running)


def _end() -> None:
    global _over
    _over = True
    finish()


def recover(outputs: Sequence[Node], leaves: Sequence[Any], arrays: Sequence[Array]) -> None:
    """Fill the arrays after their program has failed and left its leaves as they were; what fails again is spoiled."""
    found = one_by_one(outputs, leaves)
    if not any(isinstance(one, Exception) for one in found):
        fault = faults.told(AssertionError(UNKNOWN))
        found = [fault] * len(found)
    for array, content in zip(arrays, found, strict=True):
        if isinstance(content, Exception):
            spoil(array, content)
        else:
            np.copyto(array, content)


def spoil(array: Array, error: Exception) -> None:
    """Remember why an array could not be computed, for as long as anybody has it."""
    key = id(array)
    error = error.with_traceback(None)  # it would keep the array alive
    spoiled[key] = weakref.ref(array, lambda _: spoiled.pop(key, None)), error


def one_by_one(outputs: Sequence[Node], leaves: Sequence[Any]) -> list[Array | Exception]:
    """Every node's value by itself, or why it has none."""
    found: list[Any] = []
    for node in outputs:
        try:
            check([leaves[one.attributes["slot"]] for one in topological((node,)) if one.op is leaf])
            found.append(reference.compile((node,))(leaves)[0])
        except Exception as error:
            found.append(error)
    return found


@faults.definition
def check(leaves: Sequence[Any]) -> None:
    """Raise the error of a leaf that could not be computed, or of what it is a part of."""
    for array in leaves if spoiled else ():
        while array is not None:
            if id(array) in spoiled:
                raise copy.copy(spoiled[id(array)][1])
            array = getattr(array, "base", None)

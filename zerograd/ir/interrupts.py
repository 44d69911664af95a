"""Ctrl-C does not cut a computation from what is to be done with its results.

Native programs write updated parameters over the old ones. Were the interrupt raised when such a program has ended and
before its results are stored, what is computed later would start from parameters that are updated already. So it waits
for the end of the section: a function after which everything is consistent again. Whoever presses the keys again, a
second later, does not want to wait.

    @section
    def launch():
        ...
        if interrupts.pending:
            interrupts.deliver()

Sections cost nothing: the handler finds them on the stack. It takes the place of Python's own handler of SIGINT when
the first native program is made; a handler that the user has set stays, and raises where it likes (that of
``asyncio.run`` cancels the main task, and raises when the keys are pressed again).

Who asks whether Python's own handler is in force, as ``asyncio`` does before it sets one for the time that it runs,
asks whether ``signal.getsignal(SIGINT) is signal.default_int_handler``. So ours is that too: the name in ``signal`` is
bound to it, and whoever puts the default handler back puts ours back. Those who have kept the old function (Jupyter
sets it for each cell) are found out when a program runs: to ask which handler is set takes 40 ns. To set ours for the
time of each run alone would take 700 ns, of the 30 us that a small training step takes; a handler of the operating
system, below Python's, would cost every section a note of its begin and end, and be lost as soon as anybody sets
another handler.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from types import CodeType, FrameType
from typing import Any, TypeVar

PATIENCE = 1.0  # seconds
F = TypeVar("F", bound=Callable[..., Any])

pending = 0.0
"""When the keys were pressed, if the interrupt is still to be raised."""
_sections: set[CodeType] = set()
_harmless: set[CodeType] = set()
SIGINT = int(signal.SIGINT)
getsignal: Callable[[int], Any] = import_module("_signal").getsignal
"""That of ``signal`` tries to make an enumeration of what this gives, which takes a microsecond."""
PYTHONS = signal.default_int_handler
"""Python's own handler."""


def section(function: F) -> F:
    """No interrupt is raised in ``function``, which delivers it at its end."""
    _sections.add(function.__code__)
    return function


def harmless(function: F) -> F:
    """``function`` changes nothing before it returns, and may take long: it is interrupted, in a section too."""
    _harmless.add(function.__code__)
    return function


def _inside(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code in _harmless:
            return False
        if frame.f_code in _sections:
            return True
        frame = frame.f_back
    return False


def default_int_handler(signum: int, frame: FrameType | None) -> None:
    """Raise ``KeyboardInterrupt``, at once or at the end of the section."""
    global pending
    now = time.monotonic()
    if _inside(frame) and (not pending or now - pending < PATIENCE):
        pending = pending or now
        return
    pending = 0.0
    PYTHONS(signum, frame)


def deliver() -> None:
    """Raise the interrupt that waits, unless the caller itself is called by a section."""
    global pending
    if not _inside(sys._getframe(2)):
        pending = 0.0
        raise KeyboardInterrupt


def get_ready() -> None:
    """Have interrupts wait from now on, if nobody but Python handles them."""
    if getsignal(SIGINT) is PYTHONS and threading.current_thread() is threading.main_thread():
        with contextlib.suppress(ValueError):  # another interpreter of the process
            signal.signal(SIGINT, default_int_handler)
            signal.default_int_handler = default_int_handler


__all__ = ["PYTHONS", "SIGINT", "deliver", "get_ready", "getsignal", "harmless", "section"]

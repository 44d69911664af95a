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
the first native program is made; a handler that the user has set stays.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, TypeVar

PATIENCE = 1.0  # seconds
F = TypeVar("F", bound=Callable[..., Any])

pending = 0.0
"""When the keys were pressed, if the interrupt is still to be raised."""
_sections: set[CodeType] = set()
_harmless: set[CodeType] = set()
_ready = False


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


def _handle(signum: int, frame: FrameType | None) -> None:
    global pending
    now = time.monotonic()
    if _inside(frame) and (not pending or now - pending < PATIENCE):
        pending = pending or now
        return
    pending = 0.0
    signal.default_int_handler(signum, frame)


def deliver() -> None:
    """Raise the interrupt that waits, unless the caller itself is called by a section."""
    global pending
    if not _inside(sys._getframe(2)):
        pending = 0.0
        raise KeyboardInterrupt


def get_ready() -> None:
    """Have interrupts wait from now on, if nobody else handles them."""
    global _ready
    if not _ready and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with contextlib.suppress(ValueError):  # only the main thread may set handlers
            signal.signal(signal.SIGINT, _handle)
            _ready = True


__all__ = ["deliver", "get_ready", "harmless", "section"]

"""When a program fails: whose fault it is.

An op's definition may refuse the values that it is given: an index that is out of range, a matrix that has no inverse.
The reference then finds the values that cannot be computed, and who reads one is told why. Whatever else is raised
while a program is made or run is an engine's own fault. No other engine steps in for it: that would hide the fault and
leave a program that is right and a hundred times as slow. It is raised, and the user is told what to report.

One thing is neither: without llvmlite the native engine cannot make programs. Then the reference computes, and says so.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any, TypeVar

from zerograd import errors
from zerograd.ir.graph import Node
from zerograd.ir.record import user_line

MOST_LINES = 5
F = TypeVar("F", bound=Callable[..., Any])
_definitions: set[CodeType] = set()
_told = False  # that llvmlite is missing


class Fault(RuntimeError):  # noqa: N818  an engine's, not the program's
    """An engine has failed where the program is right."""


class Unsupported(Exception):  # noqa: N818  the reference steps in
    """An engine has no form for a value that the definition of an op may take, and has done nothing yet."""


class Uncompilable(ImportError):  # noqa: N818  said once as a warning
    """There is no compiler: llvmlite is not installed, or cannot be loaded."""


def definition(function: F) -> F:
    """What ``function`` raises was raised by the definitions of ops: it is about the values they were given."""
    _definitions.add(function.__code__)
    return function


def refused(error: BaseException) -> bool:
    """Whether it is about values: an op refuses them, there is no memory, they come from what has failed, ...

    ... or the engine has declared that it does not support them.
    """
    if isinstance(error, (MemoryError, Fault, Unsupported)):
        return True
    frames = error.__traceback__
    while frames is not None:
        if frames.tb_frame.f_code in _definitions:
            return True
        frames = frames.tb_next
    return False


def told(error: Exception, nodes: Iterable[Node] = ()) -> Fault:
    """The error that an engine's own is raised as: ``raise told(error) from error``.

    Args:
        error: its notes (``add_note``) say what the engine was about to do.
        nodes: what was to be computed, as it was recorded.
    """
    if isinstance(error, Fault):
        return error
    innermost = traceback.extract_tb(error.__traceback__)[-1:]
    rows: dict[str, object] = {f"{type(error).__name__}": str(error) or "(it says no more)"}
    if innermost:
        rows["raised"] = f"{innermost[0].filename}:{innermost[0].lineno} in {innermost[0].name}"
    notes = getattr(error, "__notes__", ())
    if notes:
        rows["about"] = ", ".join(notes)
    lines = list(dict.fromkeys(node.call.line for node in nodes if node.call is not None))
    if lines:
        rows["recorded"] = ", ".join(lines[:MOST_LINES]) + (", ..." if len(lines) > MOST_LINES else "")
    return Fault(
        errors.message(
            "the engine has failed; nothing of what was to be computed here has a value",
            **rows,
            computed=user_line(),
            hint="this is a fault of zerograd, not of your program: please report these lines and those above them. "
            "With ZEROGRAD_ENGINE=reference in the environment, the program runs without this engine, slowly",
        )
    )


def say_uncompilable(error: Uncompilable) -> None:
    """Warn, once in a process, that the reference computes everything."""
    global _told
    if not _told:
        _told = True
        warnings.warn(
            errors.message(
                "without llvmlite nothing can be compiled: every op is computed by NumPy, many times as slowly",
                why=error,
                hint="pip install --force-reinstall llvmlite",
            ),
            RuntimeWarning,
            stacklevel=2,
        )

"""Checks that programs write down: ``torch._assert`` and ``torch._check``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zerograd import errors

Message = Callable[[], object] | str | None


def _assert(condition: Any, message: str) -> None:
    """``assert`` as a function. Source: torch._assert."""
    if not condition:
        raise AssertionError(message)


def _checker(name: str, error: type[Exception]) -> Callable[[Any, Message], None]:
    def check(cond: Any, message: Message = None) -> None:
        if isinstance(cond, bool) and cond:
            return
        if not isinstance(cond, bool):
            raise errors.type_(f"{name} takes a bool, not {type(cond).__name__}")
        text = "a condition that the program states does not hold" if message is None else message
        raise error(str(text()) if callable(text) else text)

    check.__name__ = check.__qualname__ = name
    check.__doc__ = f"Raise {error.__name__} unless the condition holds. Source: torch.{name}."
    return check


_check = _checker("_check", RuntimeError)
_check_value = _checker("_check_value", ValueError)
_check_index = _checker("_check_index", IndexError)
_check_type = _checker("_check_type", TypeError)
_check_not_implemented = _checker("_check_not_implemented", NotImplementedError)

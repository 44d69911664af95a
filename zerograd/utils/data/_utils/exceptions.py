"""An exception that travels between processes with its trace as text."""

from __future__ import annotations

from typing import Any, NoReturn


class _Text(str):
    """A message whose repr is itself, so that KeyError shows its line breaks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class ExceptionWrapper:
    """What went wrong elsewhere, to be raised again here.

    Args:
        where: "in ..." for the message.
    Source: torch._utils.ExceptionWrapper.
    """

    def __init__(self, error: BaseException, where: str) -> None:
        import traceback  # loaded when the first thing goes wrong

        self.exc_type: type[BaseException] = type(error)
        self.exc_msg = "".join(traceback.format_exception(error))
        self.where = where

    def reraise(self) -> NoReturn:
        """Raises an exception of the same type, or RuntimeError where that takes other arguments."""
        text = f"Caught {self.exc_type.__name__} {self.where}.\nOriginal {self.exc_msg}"
        if self.exc_type is KeyError:
            text = _Text(text)
        make: Any = self.exc_type
        try:
            error = make(message=text) if getattr(make, "message", None) else make(text)
        except Exception:
            raise RuntimeError(text) from None
        raise error

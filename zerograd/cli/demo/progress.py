"""A progress bar: tqdm's where it is installed, else a line now and then."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, Self

SECONDS_BETWEEN_LINES = 5.0


class Bar(Protocol):
    """What the demo needs of a progress bar."""

    def update(self, n: float | None = 1) -> object:
        """One more step is done."""

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
        """What to show behind the bar."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> object: ...


class Lines:
    """A progress bar made of lines."""

    def __init__(self, total: int, label: str) -> None:
        self.total, self.label = total, label
        self.done, self.figures = 0.0, ""
        self.shown = time.monotonic()

    def update(self, n: float | None = 1) -> None:
        """Some steps are done; says so when the last line is old, and at the end."""
        self.done += n or 0
        if self.done >= self.total or time.monotonic() - self.shown >= SECONDS_BETWEEN_LINES:
            print(f"{self.label}: {self.done:.0f} of {self.total}  {self.figures}".rstrip(), file=sys.stderr)
            self.shown = time.monotonic()

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
        """What to show behind the count."""
        self.figures = s

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Nothing is left open."""


def progress(total: int, label: str) -> Bar:
    """A bar for so many steps, on standard error."""
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        return Lines(total, label)
    seconds = 0.1 if sys.stderr.isatty() else SECONDS_BETWEEN_LINES
    return tqdm(total=total, desc=label, unit="step", mininterval=seconds)

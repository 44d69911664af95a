"""``torch.__version__``: text that compares as a version."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from zerograd import version


def _parsed(text: str) -> tuple[tuple[int, ...], int]:
    """The numbers of a version, and whether it comes before (-1), at (0) or after (1) the release of these numbers."""
    found = re.fullmatch(r"v?(\d+(?:\.\d+)*)([^+]*)(\+.*)?", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a version; the form is '2.13.0'")
    numbers = [int(one) for one in found[1].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()  # 2.1 and 2.1.0 are the same
    before = found[2] and not found[2].startswith((".post", "post", "-"))
    return tuple(numbers), -1 if before else 1 if found[2] or found[3] else 0


class TorchVersion(str):
    """A version that compares with texts ("2.1"), tuples ((2, 1)) and version objects, number by number.

    Source: torch.torch_version.TorchVersion.
    """

    __slots__ = ()

    def _compared(self, other: Any) -> int | None:
        """-1, 0 or 1, as this version is before, at or after ``other``; ``None`` for what is no version."""
        if isinstance(other, Iterable) and not isinstance(other, str):
            other = ".".join(map(str, other))
        if not isinstance(other, str):
            return None
        try:
            mine, others = _parsed(self), _parsed(other)
        except ValueError:
            return (str(self) > other) - (str(self) < other)
        return (mine > others) - (mine < others)

    def __lt__(self, other: Any) -> bool:
        order = self._compared(other)
        return NotImplemented if order is None else order < 0

    def __le__(self, other: Any) -> bool:
        order = self._compared(other)
        return NotImplemented if order is None else order <= 0

    def __gt__(self, other: Any) -> bool:
        order = self._compared(other)
        return NotImplemented if order is None else order > 0

    def __ge__(self, other: Any) -> bool:
        order = self._compared(other)
        return NotImplemented if order is None else order >= 0

    def __eq__(self, other: object) -> bool:
        return self._compared(other) == 0

    def __ne__(self, other: object) -> bool:
        return self._compared(other) != 0

    __hash__ = str.__hash__


__version__ = TorchVersion(version.__version__)

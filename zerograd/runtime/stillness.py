"""Dictionaries that nobody changes: looked at item by item once, and not again until somebody does change them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zerograd.settings import settings

MOST_LOOKS = 200  # at the items, after which nobody relies on these dictionaries any more: they keep changing


class Stillness:
    """Whether dictionaries are what they were when their items were looked at last.

    Where the native engine is not to be used, or Python does not tell, the answer is no.
    """

    __slots__ = ("_dictionaries", "_looks", "_unchanged")

    def __init__(self, dictionaries: Sequence[dict[Any, Any]]) -> None:
        self._dictionaries = dictionaries
        self._looks = 0
        self._unchanged: Any = None

    def holds(self) -> bool:
        """Whether nobody has changed them."""
        return self._unchanged is not None and self._unchanged.holds()

    def looked(self) -> None:
        """All items have been looked at, and are right: rely on that from the second time on."""
        self._looks += 1
        if self._looks > MOST_LOOKS:
            self._unchanged = None
        elif self._unchanged is not None:
            self._unchanged.note()
        elif self._looks > 1 and settings.engine != "reference":
            from zerograd.engines.native.unchanged import Unchanged

            self._unchanged = Unchanged(self._dictionaries)

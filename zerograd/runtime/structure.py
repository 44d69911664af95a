"""How often anything has changed that decides what a program does, and is not a value.

Attributes of modules (``train()`` and ``eval()`` among them), hooks, ``requires_grad``: whoever has looked at what a
function does, and wants to rely on it, compares the count (``program/``).
"""

from __future__ import annotations

import weakref
from typing import Any, Final


class Structure:
    """The count of such changes, in all threads.

    Attributes:
        changes: how many there have been.
        met: modules and storages that somebody relies on, by id; what is done to new ones is no change.
    """

    __slots__ = ("changes", "met")

    def __init__(self) -> None:
        self.changes = 0
        self.met: dict[int, weakref.ref[Any]] = {}

    def meet(self, one: Any) -> None:
        """Somebody relies on this module or storage from now on, as long as it lives."""
        number = id(one)
        if number not in self.met:
            self.met[number] = weakref.ref(one, lambda _: self.met.pop(number, None))


structure: Final = Structure()

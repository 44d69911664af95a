"""How often anything has changed that decides what a program does, and is not a value.

Attributes of modules (``train()`` and ``eval()`` among them), hooks, ``requires_grad``: whoever has looked at what a
function does, and wants to rely on it, compares the count (``program/``).
"""

from __future__ import annotations

from typing import Final


class Structure:
    """The count of such changes, in all threads.

    Attributes:
        changes: how many there have been.
    """

    __slots__ = ("changes",)

    def __init__(self) -> None:
        self.changes = 0


structure: Final = Structure()

"""What every engine provides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from zerograd.ir.graph import Array, Node

Program = Callable[[Sequence[Any]], list[Array]]
"""The arrays and numbers bound to the leaf slots -> the outputs' arrays, which nobody may write to.

It may have the attributes ``begin``: ``None``, or the same, but the arrays may be filled later (``flight``); and
``small``: ``None``, or how it runs if it is small.
"""


class Small(Protocol):
    """A small program, which tells before it runs where its outputs will be."""

    @property
    def places(self) -> list[int] | None:
        """Of each output, among the leaves and what ``run_small`` gives behind them; ``None``: not known yet."""
        ...

    def run_small(self, leaves: list[Any]) -> list[Array] | None:
        """The new arrays, which may be filled later, see ``flight``.

        ``None``: it is not as was told, nothing has been done, and the program has to be called.
        """
        ...


Compile = Callable[[tuple[Node, ...]], Program]
"""The nodes whose values are wanted -> a program that computes them."""

"""What every engine provides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zerograd.ir.graph import Array, Node

Program = Callable[[Sequence[Any]], list[Array]]
"""The arrays and numbers bound to the leaf slots -> the outputs' arrays, which nobody may write to.

It may have an attribute ``begin``: ``None``, or the same, but the arrays may be filled later (``flight``).
"""

Compile = Callable[[tuple[Node, ...]], Program]
"""The nodes whose values are wanted -> a program that computes them."""

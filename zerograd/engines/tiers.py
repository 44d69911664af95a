"""Which engine runs a graph: NumPy when it is met for the first time, native code when it comes back.

The choice depends on how often a graph was run, never on time, so that a program gives the same numbers each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zerograd.engines import reference
from zerograd.engines.protocol import Program
from zerograd.ir.graph import Array, Node
from zerograd.settings import settings

LARGE = 1 << 24  # bytes of all results together, beyond which native code is made at once


class Tiered:
    """A program that is compiled when it runs for the second time, or at once if it is large."""

    __slots__ = ("native", "outputs", "reference")

    def __init__(self, outputs: tuple[Node, ...]) -> None:
        self.outputs = outputs
        self.native: Program | None = None
        self.reference: Program | None = None

    def __call__(self, leaves: Sequence[Any]) -> list[Array]:
        if self.native is not None:
            return self.native(leaves)
        if self.reference is None and not _large(self.outputs):
            self.reference = reference.compile(self.outputs)
            return self.reference(leaves)
        from zerograd.engines import native

        self.native, self.reference = native.compile(self.outputs), None
        return self.native(leaves)


def _large(outputs: tuple[Node, ...]) -> bool:
    """Whether running it once on the reference would take longer than compiling it."""
    met: set[Node] = set()
    stack = list(outputs)
    total = 0
    while stack:
        node = stack.pop()
        if node in met:
            continue
        met.add(node)
        stack.extend(node.inputs)
        total += 0 if isinstance(node.type, tuple) else node.type.nbytes
        if total > LARGE:
            return True
    return False


def compile(outputs: tuple[Node, ...]) -> Program:
    """The program of the engine that ``settings.engine`` names."""
    if settings.engine == "reference":
        return reference.compile(outputs)
    if settings.engine == "native":
        from zerograd.engines import native

        return native.compile(outputs)
    return Tiered(outputs)

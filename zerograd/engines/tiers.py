"""Which engine runs a graph: NumPy when it is met for the first time, native code when it comes back.

The choice depends on how often graphs were run, never on time, so that a program gives the same numbers each time.

A program whose batches or sequences have ever new lengths makes graphs that differ in sizes only. Their kernels are the
same, but each is planned anew, which takes as long as some runs with NumPy. So the more programs a structure has been
given, the more often a graph of it must come back before it is given one of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from zerograd.engines import faults, reference
from zerograd.engines.protocol import Program, Small
from zerograd.ir.graph import Array, Node
from zerograd.ir.traverse import topological
from zerograd.settings import settings

LARGE = 1 << 24  # bytes of all results together, beyond which native code is made at once
PATIENCE = 8  # native programs of one structure, after which a graph must come back once more often

_made: Counter[int] = Counter()  # by structure, how many native programs there are


class Tiered:
    """A program that is compiled when it comes back, or at once if it is large.

    Attributes:
        begin: that of the native program.
    """

    __slots__ = ("begin", "native", "outputs", "reference", "runs", "structure")

    def __init__(self, outputs: tuple[Node, ...]) -> None:
        self.outputs = outputs
        self.native: Program | None = None
        self.reference: Program | None = None
        self.begin: Program | None = None
        self.runs = 0
        self.structure = 0

    @property
    def small(self) -> Small | None:
        return getattr(self.native, "small", None)

    def __call__(self, leaves: Sequence[Any]) -> list[Array]:
        if self.native is not None:
            return self.native(leaves)
        if self.reference is None and not _large(self.outputs):
            self.reference = reference.compile(self.outputs)
            self.structure = _structure(self.outputs)
        if self.reference is not None:
            self.runs += 1
            if self.runs < 2 + _made[self.structure] // PATIENCE:
                return self.reference(leaves)
        self.native, self.reference = _native(self.outputs), None
        self.begin = getattr(self.native, "begin", None)
        _made[self.structure] += 1
        return self.native(leaves)


def _structure(outputs: tuple[Node, ...]) -> int:
    """The same for graphs that differ in sizes and numbers only."""
    order = topological(outputs)
    number = {node: i for i, node in enumerate(order)}
    return hash(tuple([(node.op, *[number[one] for one in node.inputs]) for node in order]))


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
        return _native(outputs)
    return Tiered(outputs)


def _native(outputs: tuple[Node, ...]) -> Program:
    """The native program; that of the reference where nothing can be compiled, which is said once."""
    from zerograd.engines import native

    try:
        return native.compile(outputs)
    except faults.Uncompilable as error:
        faults.say_uncompilable(error)
        return reference.compile(outputs)

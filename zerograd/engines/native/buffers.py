"""The buffers of a program: where each comes from, how long it is needed, and its place in the arena."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zerograd.engines.native.pages import LINE, aligned

LEAF, NUMBER, CONSTANT, TEMPORARY, RESULT, REFERENCE, STATUS = (
    "leaf", "number", "constant", "temporary", "result", "reference", "status",
)  # fmt: skip


class Buffer:
    """Memory that instructions read and write.

    Attributes:
        index: its place in the table of pointers.
        nbytes: its size.
        kind: LEAF: an array of the caller; NUMBER: a Python number of the caller; CONSTANT: an array known when the
            program was made; TEMPORARY: in the arena; RESULT: an array made for the caller; REFERENCE: an array that
            a NumPy function gives; STATUS: where kernels report wrong indices.
        detail: the leaf's slot, or the constant's array.
        dtype: of a number.
        offset: of a temporary, in the arena; of an alias (``stages``) it may lie before it.
    """

    __slots__ = ("detail", "dtype", "index", "kind", "nbytes", "offset")

    def __init__(self, index: int, nbytes: int, kind: str, detail: Any = None, dtype: Any = None) -> None:
        self.index, self.nbytes, self.kind, self.detail, self.dtype = index, nbytes, kind, detail, dtype
        self.offset = 0


class Arena:
    """The memory of temporaries: one for all programs, which run one at a time, as large as the largest needs.

    Attributes:
        memory: begins at a multiple of 64 bytes.
        grown: how often it has been replaced by a larger one; programs then place their pointers anew.
    """

    def __init__(self) -> None:
        self.memory = aligned(0)
        self.grown = 0

    def reserve(self, nbytes: int) -> None:
        """Have at least so much memory. What was in it is lost."""
        if nbytes > len(self.memory):
            self.memory = aligned(0)  # the old one is given back first
            self.memory = aligned(nbytes)
            self.grown += 1


class Lifetime:
    """A temporary, the first and last moment of its use, and how much memory it needs: of its bytes a part may do."""

    __slots__ = ("buffer", "first", "last", "nbytes")

    def __init__(self, buffer: Buffer, first: int, last: int, parts: int = 1) -> None:
        self.buffer, self.first, self.last = buffer, first, last
        self.nbytes = buffer.nbytes // parts


def place(lifetimes: Sequence[Lifetime]) -> int:
    """Give every temporary its offset in the arena, such that no two in use at one moment overlap; gives its size.

    The large ones choose first, each the lowest gap that is free for its whole life.
    """
    placed: list[Lifetime] = []
    total = 0
    for one in sorted(lifetimes, key=lambda one: (-one.nbytes, one.first)):
        size = -(-one.nbytes // LINE) * LINE
        rivals = sorted(
            (other.buffer.offset, other.nbytes)
            for other in placed
            if other.first <= one.last and one.first <= other.last
        )
        start = 0
        for offset, nbytes in rivals:
            if start + size <= offset:
                break
            start = max(start, -(-(offset + nbytes) // LINE) * LINE)
        one.buffer.offset = start
        placed.append(one)
        total = max(total, start + size)
    return total


arena = Arena()

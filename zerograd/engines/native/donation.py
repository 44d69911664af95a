"""Which results may be written over which leaves.

A parameter and what an optimizer makes of it are equal in type, and the kernel that computes the new value goes through
both in the same order. If nobody needs the old array after the run (``binding`` sees that), the new values take its
place: no second array, and no memory that the processor has not in its cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zerograd.engines.native.buffers import LEAF, RESULT, Buffer
from zerograd.engines.native.kernel import Instruction


def donations(
    parts: Sequence[Any], moments: dict[Instruction, tuple[int, int]], buffers: Sequence[Buffer], shown: set[int]
) -> dict[int, int]:
    """For each result that may be written over a leaf, the leaf's buffer.

    Args:
        moments: the first and the last at which an instruction is done.
        shown: buffers that outputs lie in; a leaf may be an output too, and is then not dead.

    The instruction must say that it can work in place, nobody else may read the leaf at the same time or later, nobody
    may have written the result before, and no call of NumPy, which may fail, comes after it.
    """
    touched = _touched(parts)
    barrier = max((moments[one][1] for one in touched.instructions if one.reports), default=-1)
    used = {index for index in shown if buffers[index].kind == LEAF} | touched.named
    found: dict[int, int] = {}
    for one in parts[-1].instructions if parts and hasattr(parts[-1], "instructions") else ():
        if moments[one][0] <= barrier:
            continue
        for result, source in one.in_place:
            target, leaf = buffers[result], buffers[source]
            fits = target.kind == RESULT and leaf.kind == LEAF and target.nbytes == leaf.nbytes
            free = source not in used and result not in found and touched.writers[result] == [one]
            if (
                fits
                and free
                and all(other is one or moments[other][1] < moments[one][0] for other in touched.readers[source])
            ):
                found[result] = source
                used.add(source)
    return found


class _Touched:
    """Who reads and writes what.

    Attributes:
        named: the buffers that calls of NumPy read.
    """

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self.readers: dict[int, list[Instruction]] = {}
        self.writers: dict[int, list[Instruction]] = {}
        self.named: set[int] = set()


def _touched(parts: Sequence[Any]) -> _Touched:
    made = _Touched()
    for part in parts:
        if not hasattr(part, "instructions"):
            made.named.update(window.buffer for window in part.inputs)
            continue
        for one in part.instructions:
            made.instructions.append(one)
            for access in one.reads:
                made.readers.setdefault(access.buffer, []).append(one)
            for access in one.writes:
                made.writers.setdefault(access.buffer, []).append(one)
    return made

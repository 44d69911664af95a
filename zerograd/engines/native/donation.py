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
    parts: Sequence[Any], moments: dict[Instruction, int], buffers: Sequence[Buffer], shown: set[int]
) -> dict[int, int]:
    """For each result that may be written over a leaf, the leaf's buffer.

    Args:
        shown: buffers that outputs lie in; a leaf may be an output too, and is then not dead.

    The instruction must say that it can work in place, nobody else may read the leaf at the same time or later, nobody
    may have written the result before, and no call of NumPy, which may fail, comes after it.
    """
    readers: dict[int, list[Instruction]] = {}
    writers: dict[int, list[Instruction]] = {}
    barrier = -1
    named: set[int] = set()
    for part in parts:
        if not hasattr(part, "instructions"):
            named.update(window.buffer for window in part.inputs)
            continue
        for one in part.instructions:
            for access in one.reads:
                readers.setdefault(access.buffer, []).append(one)
            for access in one.writes:
                writers.setdefault(access.buffer, []).append(one)
            if one.reports:
                barrier = max(barrier, moments[one])
    found: dict[int, int] = {}
    used: set[int] = {index for index in shown if buffers[index].kind == LEAF}
    if not parts or not hasattr(parts[-1], "instructions"):
        return found
    for one in parts[-1].instructions:
        if moments[one] <= barrier:
            continue
        for result, source in one.in_place:
            target, leaf = buffers[result], buffers[source]
            alone = all(other is one or moments[other] < moments[one] for other in readers.get(source, ()))
            fits = target.kind == RESULT and leaf.kind == LEAF and target.nbytes == leaf.nbytes
            if fits and alone and source not in used | named and writers[result] == [one] and result not in found:
                found[result] = source
                used.add(source)
    return found

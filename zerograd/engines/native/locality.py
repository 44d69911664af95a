"""Memory that belongs to a thread while it takes a slab through a chain.

What a chain computes and nobody else needs exists only as long as its slab is worked on. So it lies in memory of the
thread, which the next slab uses again: the memory of a step is that of a few slabs, not of the whole batch, and what
is read was written a moment ago into the same cache lines.

Kernels find their data through the table of pointers. A task of such a chain begins with a call that copies the table
into the thread's scratch memory, and lets the entries of local buffers point so far before the thread's own memory
that the slab's part of each lies inside:

    scratch:  [table | local buffers | scratch of the kernels]
    table[slot] = local buffers + offset[slot] - slab * (bytes of the buffer's part)
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from zerograd.engines.native.buffers import TEMPORARY, Buffer, Lifetime, place
from zerograd.engines.native.emit import Value
from zerograd.engines.native.kernel import Kernel, KernelFunction
from zerograd.engines.native.pages import LINE
from zerograd.engines.native.schedule import Chain

FIELDS = 3  # numbers of a local buffer: slot, offset, bytes of a slab's part


class Locals:
    """The local buffers of a chain.

    Attributes:
        numbers: of the call that begins a task.
        private: bytes before the kernels' scratch memory.
        buffers: their numbers.
    """

    def __init__(self, chain: Chain, local: Sequence[Buffer], slots: int) -> None:
        self.buffers = {one.index for one in local}
        spans: dict[int, list[int]] = {}
        for moment, one in enumerate(chain.instructions):
            for access in (*one.reads, *one.writes):
                spans.setdefault(access.buffer, []).append(moment)
        pieces = [Buffer(one.index, one.nbytes // chain.parts, TEMPORARY) for one in local]
        size = place([Lifetime(one, min(spans[one.index]), max(spans[one.index])) for one in pieces])
        table = _aligned(8 * slots)
        self.numbers = [slots, table, len(pieces)]
        for one in pieces:
            self.numbers += [one.index, one.offset, one.nbytes]
        self.private = table + _aligned(size)


def local_buffers(chain: Chain, buffers: Sequence[Buffer], users: Mapping[int, Sequence[object]]) -> list[Buffer]:
    """The temporaries that only this chain touches, each task its own part of them."""
    if len(chain.instructions) == 1:
        return []
    divided: dict[int, bool] = {}
    for one in chain.instructions:
        for access in (*one.reads, *one.writes):
            divided[access.buffer] = divided.get(access.buffer, True) and access.slabs % chain.parts == 0
    return [
        buffers[index]
        for index, own in divided.items()
        if own
        and buffers[index].kind == TEMPORARY
        and buffers[index].nbytes % chain.parts == 0
        and all(user is chain for user in users[index])
    ]


@functools.cache
def entering() -> Kernel:
    """Begins a task: ``low`` is its slab. numbers: pointers in the table, its bytes, local buffers, fields."""
    f = KernelFunction()
    slots, size, count = (f.number(i) for i in range(3))
    f.loop(0, slots, 1, lambda i: f.store(f.load("i64", f.buffers, i), f.scratch, i))
    home = f.value("i64", f"ptrtoint ptr {f.pointer(f.scratch, size).name} to i64")

    def one(i: Value) -> None:
        fields = f.pointer(f.numbers, f.add(f.mul(i, FIELDS), 3), "i64")
        slot, offset, part = (f.load("i64", fields, k) for k in range(FIELDS))
        f.store(f.sub(f.add(home, offset), f.mul(f.low, part)), f.scratch, slot)

    f.loop(0, count, 1, one)
    return Kernel("entering", f.finish())


def _aligned(nbytes: int) -> int:
    return -(-nbytes // LINE) * LINE

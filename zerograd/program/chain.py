"""Replays that follow each other while nobody looks: one trace that moves on.

What a replay leaves pending, and nobody has read when the next one begins, need not be written to its storages and read
from there again: its arrays are the next replay's leaves, and the storages, packs and gradients that wait for the trace
go on waiting for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from zerograd.ir.record import Recorder
from zerograd.ir.trace import Point, Trace

if TYPE_CHECKING:
    from zerograd.program.program import Program

Pick = Callable[[Sequence[Any]], Sequence[Any]]


class Chain:
    """Which array of a replay is which leaf of the next.

    Attributes:
        results: for each new tensor, its place among the arrays, and whether it has a history.
        carried: picks the next leaves from the arrays followed by the leaves that are no arrays of the last replay.
        rebound: (pack, first leaf, end) of packs that the step only reads.
    """

    def __init__(self, program: Program) -> None:
        plan = program.silent
        self.plan = plan
        count = program.held[0]
        self.tracked: Sequence[bool] = plan.tracked[:count]
        at = count
        arrays: dict[int, int] = {}
        for storage, *_ in program.written:
            arrays[id(storage)] = at
            at += 1
        for pack, nodes, _ in program.packs_written:
            arrays[id(pack)] = at
            at += len(nodes)
        bindings = program.bindings
        count = len(plan.wanted)
        places = list(range(count, count + len(bindings.constants)))
        self.rebound: list[tuple[Any, int, int]] = []
        for pack, first, end in bindings.packs:
            at = arrays.get(id(pack), -1)
            if at < 0:
                self.rebound.append((pack, first, end))
            else:
                places[first:end] = range(at, at + end - first)
        for slot, storage, _ in bindings.kept:
            at = arrays.get(id(storage), -1)
            if at >= 0:
                places[slot] = at
        several = len(places) > 1  # of one place, an itemgetter gives the item
        self.carried: Pick = itemgetter(*places) if several else lambda items: [items[place] for place in places]
        self.kept = [one for one in bindings.kept if id(one[1]) not in arrays]

    @classmethod
    def of(cls, program: Program) -> Chain | None:
        """How replays of a program follow each other; ``None``: only by themselves."""
        plan = program.silent
        if plan is None or not program.defers:
            return None
        kept_as_they_are = all(not views for _, _, views in program.bindings.kept)
        fixed = all(storage is not None for storage, *_ in program.written)
        gradients = len(program.arrived) == len(program.left)
        simple = not program.record.made and not plan.kept and not program.needs
        return cls(program) if kept_as_they_are and fixed and gradients and simple else None

    def go_on(self, program: Program, trace: Trace, own: Recorder, tensors: Sequence[Any]) -> list[Any] | None:
        """Compute the last replay, and bind the leaves of the next, but for its numbers and draws.

        ``None``: the last one cannot be computed as a whole, so each of its values has to say why.
        """
        leaves = program.bindings.bind_some(own, tensors, self.rebound, self.kept)
        try:
            arrays = self.plan.sorted(self.plan.run(trace))
        except Exception:
            return None
        leaves = [*self.carried([*arrays, *leaves])]
        for one, array, tracked in zip(trace.results, arrays, self.tracked, strict=False):
            one._computed(array, Point(trace, one._at) if tracked else None)
        trace.results.clear()
        for pack, _, times in program.packs_written:
            pack.version += times
        for storage, _, _, times in program.written:
            storage.version += times
        return leaves

"""Replays that follow each other while nobody looks: one trace that moves on.

What a replay leaves pending, and nobody has read when the next one begins, need not be written to its storages and read
from there again: its arrays are the next replay's leaves, and the storages, packs and gradients that wait for the trace
go on waiting for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zerograd.ir.record import Recorder
from zerograd.ir.trace import Point, Trace
from zerograd.program.glide import Glide, picking
from zerograd.runtime.realize import sort_out

if TYPE_CHECKING:
    from zerograd.program.program import Program


class Chain:
    """Which array of a replay is which leaf of the next.

    Attributes:
        results: for each new tensor, its place among the arrays, and whether it has a history.
        places: of the next leaves, among the arrays followed by the leaves that are no arrays of the last replay.
        carried: picks them.
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
        self.places = places
        self.carried = picking(places)
        self.glide: Glide | None = None
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

    def go_on(
        self, program: Program, trace: Trace, own: Recorder, tensors: Sequence[Any], numbers: list[Any], steady: bool
    ) -> bool:
        """Compute the last replay, and make the leaves of its trace those of the next, but for its draws.

        Args:
            steady: nobody has changed what the step only reads.

        Returns:
            ``False``: the last one cannot be computed as a whole, so each of its values has to say why.
        """
        try:
            arrays = None
            if steady and self.glide is not None:
                bindings = program.bindings
                given = bindings.arrays_given(own, tensors) if bindings.given else []
                arrays = self.glide.run(trace, given, numbers)
            if arrays is None:
                arrays = self._call(program, trace, own, tensors, numbers)
        except Exception as error:
            sort_out(trace, error)
            return False
        for one, array, tracked in zip(trace.results, arrays, self.tracked):  # noqa: B905  faster; arrays are more
            one._computed(array, Point(trace, one._at) if tracked else None)
        trace.results.clear()
        for pack, _, times in program.packs_written:
            pack.version += times
        for storage, _, _, times in program.written:
            storage.version += times
        return True

    def _call(
        self, program: Program, trace: Trace, own: Recorder, tensors: Sequence[Any], numbers: list[Any]
    ) -> Sequence[Any]:
        """The same for any program; the arrays of the last replay."""
        leaves = program.bindings.bind_some(own, tensors, self.rebound, self.kept)
        arrays = self.plan.sorted(self.plan.run(trace))
        trace.leaves = following = [*self.carried([*arrays, *leaves])]
        program.stepping.fill(following, numbers)
        small = getattr(self.plan.program, "small", None)
        if small is not None and self.plan.in_order and self.glide is None:
            self.glide = Glide(small, self, program)
        return arrays

"""Capture: one watched run of a function, and the record of what it did."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from sys import getrefcount
from typing import Any

from zerograd.ir.graph import Node
from zerograd.ir.record import Edge
from zerograd.ir.trace import Trace
from zerograd.program.arguments import Arguments, Shown, steps_of_data
from zerograd.program.gradients import Gradients
from zerograd.program.origins import Constant, Given, GradientOf, Kept, OfDraw, OfPack, OfPlace, OfStep, Origin, Place
from zerograd.program.results import Results, Unknown
from zerograd.program.watch import Draw, Entry, OptimizerStep, Watch
from zerograd.tape.differentiate import kept_by
from zerograd.tensor.base import TensorBase
from zerograd.tensor.pack import Pack
from zerograd.tensor.storage import Storage


class Record:
    """What one run of a function did.

    Attributes:
        origins: where the data of each leaf comes from.
        events: draws, optimizer steps and actions, in their order.
        packs, storages: what was changed in place: (pack, its nodes, how often), (place, its node, how often).
        gradients: what became of ``.grad`` of the leaves.
        result: how to make what the function returned, and the storages that its tensors need.
        trace: the trace of the run, after its launch.
        shown: the data of the arguments.
    """

    origins: list[Origin]
    packs: list[tuple[Pack, tuple[Node, ...], int]]
    storages: list[tuple[Place, Node, int]]
    gradients: Gradients
    result: Any
    made: list[Node | Constant | OfDraw]
    met: list[weakref.ref[Storage]]
    packs_met: list[Pack]
    lines: dict[int, str]

    def __init__(self, watch: Watch, given: Arguments) -> None:
        self.events = watch.events
        self.trace = watch.trace
        self.sources = watch.trace.sources
        self.groups = [group for group, _ in watch.groups.values()]
        self.shown = [Shown.by(tensor) for tensor in given.tensors]

    def storages_met(self) -> set[Storage]:
        """Those that were there and are still."""
        return {one for one in (met() for met in self.met) if one is not None}


class Part:
    """Instead of a record: the call is in the middle of a step, and is to be recorded into it."""


def captured(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], given: Arguments, before: Record | None
) -> tuple[Any, Record | Part | str]:
    """Run the function, watched, in a trace of its own.

    Args:
        before: the record of an earlier run, which says whose gradients to look at.
    Returns:
        What the function returned, and the record, or why there is none.
    """
    gradients = Gradients(before.gradients if before is not None else None)
    watch = Watch(before.groups if before is not None else ())
    try:
        result = function(*args, **kwargs)
        if watch.reason is None:
            return result, _recorded(watch, given, gradients, before, result)
    finally:
        watch.stop()
    return result, watch.reason


def _recorded(
    watch: Watch, given: Arguments, gradients: Gradients, before: Record | None, result: Any
) -> Record | Part | str:
    trace = watch.trace
    watch.check_options()
    if watch.reason is not None:
        return watch.reason
    trace.forget_anchored()
    if _has_future(trace, result):
        return Part()
    if any(isinstance(source, Edge) for source in trace.passages.values()):
        return "it goes on from a tensor that has a history from before the call"
    try:
        return _Taking(watch, given, gradients, before).record(result)
    except Unknown as unknown:
        return str(unknown)


def _has_future(trace: Trace, result: Any) -> bool:
    """Whether the function returns something with a history that is still to be differentiated."""
    nodes = []
    for tensor in _tensors_in(result):
        if tensor._leaf is None and tensor._tracked():
            if tensor._serial == trace.serial:
                nodes.append(tensor._at)
            elif tensor._storage.serial == trace.serial:
                nodes.append(tensor._storage.node)
    return bool(nodes) and (not trace.freed or bool(kept_by(tuple(dict.fromkeys(nodes)), trace.freed)))


def _tensors_in(result: Any) -> Iterator[Any]:
    if isinstance(result, TensorBase):
        yield result
    elif isinstance(result, tuple | list | dict):
        for one in result.values() if isinstance(result, dict) else result:
            yield from _tensors_in(one)


class _Taking:
    """Takes the record of a run from its trace, before that is launched."""

    def __init__(self, watch: Watch, given: Arguments, gradients: Gradients, before: Record | None) -> None:
        self.watch = watch
        self.before = None if before is None else before.storages_met()
        self.packs_before = None if before is None else before.packs_met
        self.seen: dict[int, weakref.ref[Storage]] = {}
        self.trace = watch.trace
        self.gradients = gradients
        self.given = given
        self.places: dict[int, Place] = {}
        for index, tensor in enumerate(given.tensors):
            self.places.setdefault(id(tensor._storage), Given(index))
        for tensor, storage in gradients.storages():
            self.places[id(storage)] = GradientOf(tensor)
        draws = [event for event in watch.events if isinstance(event, Draw)]
        self.drawn = {id(draw.array): OfDraw(number) for number, draw in enumerate(draws)}

    def record(self, result: Any) -> Record:
        found = Record(self.watch, self.given)
        found.origins = self._origins()
        packs = [pack for pack in self.watch.packs if pack.whole and pack.buffers is None]
        versions = self.watch.packs.versions
        found.packs = [(one, one.nodes, one.version - versions[id(one)]) for one in packs if self._lasts(one)]
        found.storages = self._written()
        for pack in packs:
            if not self._lasts(pack):
                times = pack.version - versions[id(pack)]
                members = zip(pack.members, pack.nodes, strict=True)
                found.storages += [(Kept(member), node, times) for member, node in members if member() is not None]
        found.packs_met = [entry.holder for entry in self.watch.entries if isinstance(entry.holder, Pack)]
        results = Results(self.trace, self.places, self.given.tensors, self.drawn)
        found.result = results.of(result)
        used = any(isinstance(event, OptimizerStep) for event in found.events)
        used = used or any(isinstance(self.places.get(key), GradientOf) for key in self.seen)
        found.gradients = self.gradients.taken(self.trace, self.watch.cleared, used, results)
        found.made = results.storages
        found.met = list(self.seen.values())
        found.lines = self.watch.leaves.lines
        self._check(results)
        return found

    def _lasts(self, pack: Pack) -> bool:
        """Whether a pack was there in an earlier run; one that forms anew in each is handled member by member."""
        return self.packs_before is None or pack in self.packs_before

    def _check(self, results: Results) -> None:
        """That every new tensor that somebody holds is accounted for."""
        left = self._left_behind(results)
        if left:
            del left
            gc.collect()  # what only a cycle of garbage holds is held by nobody
            left = self._left_behind(results)
        if left:
            made = next((f", of {node.call.name} made at {node.call.line}" for node in left if node.call), "")
            raise Unknown(f"it leaves behind a new tensor, {left[0].type}{made}, that it does not return")

    def _left_behind(self, results: Results) -> list[Node]:
        old = self.watch.values.versions
        tensors = [
            one._at
            for one in self.trace.results
            if getrefcount(one) > 3 and one._serial and id(one) not in results.tensors
        ]
        return tensors + [
            one.node
            for one in self.trace.pending
            if getrefcount(one) > 3 and one.buffer is None and id(one) not in results.seen and id(one) not in old
        ]

    def _written(self) -> list[tuple[Place, Node, int]]:
        versions = self.watch.values.versions
        written = [
            one
            for one in self.trace.pending
            if getrefcount(one) > 3 and id(one) in versions and one.buffer is None and one.serial == self.trace.serial
        ]
        placed = [(self._place(one), one) for one in written]
        return [(place, one.node, one.version - versions[id(one)]) for place, one in placed if place is not None]

    def _place(self, storage: Storage) -> Place | None:
        """Where a storage is to be found in another call; ``None`` if it was made in this one."""
        self.seen[id(storage)] = weakref.ref(storage)
        place = self.places.get(id(storage))
        if place is None and (self.before is None or storage in self.before):
            place = self.places[id(storage)] = Kept(weakref.ref(storage))
        return place

    def _origins(self) -> list[Origin]:
        origins: list[Any] = [None] * len(self.trace.leaves)
        for entry in self.watch.entries:
            found = self._of_pack(entry.holder) if isinstance(entry.holder, Pack) else [self._of_entry(entry)]
            origins[entry.slot : entry.slot + len(found)] = found
        for number, event in enumerate(self.watch.events):
            if isinstance(event, OptimizerStep):
                for place, slot in enumerate(event.slots):
                    origins[slot] = OfStep(number, place)
        for slot, data in enumerate(self.trace.leaves):
            origins[slot] = self.drawn.get(id(data)) or origins[slot] or Constant(data)
        return origins

    def _of_pack(self, pack: Pack) -> list[Origin]:
        for member in pack.members:
            self.seen[id(member())] = member
        if self._lasts(pack):
            return [OfPack(pack, number) for number in range(len(pack.members))]
        return [OfPlace(Kept(member), ()) for member in pack.members]

    def _of_entry(self, entry: Entry) -> Origin | None:
        storage = entry.holder()
        if not isinstance(storage, Storage):  # gone, or a value that the tape holds
            return None
        place = self._place(storage)
        if place is None:
            return None
        if isinstance(place, Given) and entry.views:
            return self._of_argument(storage, entry.views)
        return OfPlace(place, entry.views)

    def _of_argument(self, storage: Storage, views: tuple[Any, ...]) -> OfPlace:
        """A part of what an argument shows of its storage."""
        numbers = [i for i, tensor in enumerate(self.given.tensors) if tensor._storage is storage]
        for number in numbers:
            tensor = self.given.tensors[number]
            steps = steps_of_data(tensor)
            if views[:steps] == tensor._steps[:steps]:
                return OfPlace(Given(number, steps), views[steps:])
        raise Unknown("it looks at the memory of an argument in another way than through the argument")

"""What a replay binds to the leaves of its trace: the present data of every origin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zerograd.ir.record import Recorder, wait_for
from zerograd.program.capture import Record
from zerograd.program.origins import Constant, Given, GradientOf, Kept, OfDraw, OfPack, OfPlace, Place
from zerograd.program.watch import Draw
from zerograd.runtime.realize import launch
from zerograd.tensor.storage import Storage

Views = tuple[Any, ...]


class Doubt(Exception):  # noqa: N818  no error: the body runs instead
    """It cannot be told that the body would do what the program does; nothing has been done yet."""


class Bindings:
    """The origins of a program, sorted by how they are asked for their data.

    Attributes:
        constants: the data of all leaves, with gaps where it is not constant.
        packs: (pack, its first slot, the end of its slots).
        kept: (slot, storage, views) of what exists from call to call.
        given: (slot, place, views) of arguments and gradients.
        draws: (how to draw, the slots for it), in order.
    """

    def __init__(self, record: Record) -> None:
        self.constants: list[Any] = [one.data if isinstance(one, Constant) else None for one in record.origins]
        self.packs: list[tuple[Any, int, int]] = []
        self.kept: list[tuple[int, Storage, Views]] = []
        self.given: list[tuple[int, Place, Views]] = []
        draws = [event for event in record.events if isinstance(event, Draw)]
        self.draws: list[tuple[Callable[[], Any], list[int]]] = [(event.again, []) for event in draws]
        for slot, origin in enumerate(record.origins):
            match origin:
                case OfPack(pack, 0):
                    self.packs.append((pack, slot, slot + len(pack.members)))
                case OfPlace(Kept() as place, views):
                    self.kept.append((slot, storage_at(place, []), views))
                case OfPlace(place, views):
                    self.given.append((slot, place, views))
                case OfDraw(number):
                    self.draws[number][1].append(slot)
                case _:
                    pass

    def check(self) -> None:
        """That what exists from call to call is still such as it was.

        Raises:
            Doubt: it is not.
        """
        for _, storage, _ in self.kept:
            if storage.history is not None:
                raise Doubt

    def loosen(self, pack: Any) -> None:
        """A pack has dissolved: its members are ordinary storages."""
        for one, first, _ in self.packs:
            if one is pack:
                members = [member() for member in pack.members]
                self.kept += [(first + i, storage, ()) for i, storage in enumerate(members) if storage is not None]
        self.packs = [one for one in self.packs if one[0] is not pack]

    def bind(self, own: Recorder, tensors: Sequence[Any]) -> list[Any]:
        """The data of the leaves, but numbers and draws."""
        return self.bind_some(own, tensors, self.packs, self.kept)

    def bind_some(
        self, own: Recorder, tensors: Sequence[Any], packs: list[Any], kept: list[tuple[int, Storage, Views]]
    ) -> list[Any]:
        """The same, but only some of what exists from call to call."""
        leaves = self.constants.copy()
        for pack, first, end in packs:
            if pack.buffers is None:
                make_ready(own, pack)
            if pack.buffers is None:
                raise Doubt  # it has dissolved: what makes its members cannot be computed as a whole
            leaves[first:end] = pack.buffers
        for slot, storage, views in kept:
            if storage.buffer is None:
                make_ready(own, storage)
            leaves[slot] = storage.buffer if storage.shared is None and not views else seen(storage, views)
        if self.given:
            for (slot, *_), array in zip(self.given, self.arrays_given(own, tensors), strict=True):
                leaves[slot] = array
        return leaves

    def arrays_given(self, own: Recorder, tensors: Sequence[Any]) -> list[Any]:
        """The data of arguments and gradients."""
        arrays = []
        for _, place, views in self.given:
            storage = storage_at(place, tensors)
            if storage.buffer is None:
                make_ready(own, storage)
            if isinstance(place, Given) and place.steps:
                views = (*tensors[place.number]._steps[: place.steps], *views)
            arrays.append(storage.buffer if storage.shared is None and not views else seen(storage, views))
        return arrays

    def draw(self, leaves: list[Any]) -> list[Any]:
        """Draw the random numbers, in the order of the step."""
        arrays = []
        for again, slots in self.draws:
            array = again()
            arrays.append(array)
            for slot in slots:
                leaves[slot] = array
        return arrays


def storage_at(place: Place, tensors: Sequence[Any]) -> Storage:
    """The storage that is at a place in this call."""
    if isinstance(place, Given):
        return tensors[place.number]._storage
    if isinstance(place, GradientOf):
        return place.tensor.grad._storage
    storage = place.storage()
    assert storage is not None, "it has just been met"
    return storage


def seen(storage: Storage, views: Views) -> Any:
    """The present data of a storage, seen through views."""
    array: Any = storage.buffer
    for view in views:
        array = view.look(array)
    if storage.shared is not None:
        if storage.shared.is_shared():
            return storage.unchanging(array)
        storage.shared = None
    return array


def make_ready(own: Recorder, holder: Any) -> None:
    """Have a value computed."""
    if holder.serial == own.trace.serial:
        launch()
    else:
        wait_for(holder.serial)
    failure = getattr(holder, "failure", None)
    if failure is not None:
        raise failure

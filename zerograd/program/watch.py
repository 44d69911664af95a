"""Watching a function run: where the data of its trace comes from, and what it does besides recording."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from zerograd.ir.graph import Array
from zerograd.ir.record import recorder, user_line
from zerograd.ir.trace import Trace
from zerograd.settings import settings
from zerograd.tensor.leaf import Arrived
from zerograd.tensor.pack import Pack

Group = dict[str, Any]
NUMBERS = (bool, int, float, complex)


class Entry(NamedTuple):
    """Something whose data was bound: a pack, or a storage (weakly), perhaps seen through views."""

    slot: int
    holder: Any
    views: tuple[Any, ...]


class Draw(NamedTuple):
    """A draw of random numbers: what it gave, and how to draw again."""

    array: Array
    again: Callable[[], Array]


class OptimizerStep(NamedTuple):
    """An optimizer's update of a cohort (``optim.rule.Step``), and the slots of its numbers."""

    step: Any
    slots: tuple[int, ...]


class Action(NamedTuple):
    """Something done in Python alone."""

    again: Callable[[], Any]


class Writes(list[Any]):
    """The values that a trace has to compute; of those that had a value before, how often they had changed.

    Attributes:
        versions: the version before the first change, by the id of the storage or pack.
    """

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.serial = trace.serial
        self.versions: dict[int, int] = {}

    def append(self, holder: Any) -> None:
        if isinstance(holder, Pack) or holder.serial != self.serial or holder.buffer is not None:
            self.versions.setdefault(id(holder), holder.version)
        super().append(holder)


class Leaves(list[Any]):
    """The data bound to the leaves of a trace; of numbers, also which line of the program used them.

    Attributes:
        lines: by slot.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[int, str] = {}

    def append(self, data: Any) -> None:
        if isinstance(data, NUMBERS):
            self.lines[len(self)] = user_line()
        super().append(data)


class Watch:
    """What a function does from now on, in the current trace, which must be new (``ir.trace.Watch``).

    Attributes:
        entries: what was bound, by slot.
        events: draws, optimizer steps and actions, in their order.
        cleared: tensors whose gradients of before have been cleared, unread, by id.
        groups: the parameter groups of optimizers that have stepped, with their options as they should be, by id.
        reason: why a replay could not do the same, or ``None``.
    """

    def __init__(self, groups: Iterable[Group] = ()) -> None:
        self.trace = recorder.own.trace
        self.entries: list[Entry] = []
        self.events: list[Draw | OptimizerStep | Action] = []
        self.cleared: dict[int, Any] = {}
        self.groups: dict[int, tuple[Group, Group]] = {}
        self.reason: str | None = None
        self.acting = False
        for group in groups:
            self.groups[id(group)] = group, dict(group)
        self.trace.watch = self
        self.trace.limit = sys.maxsize
        self.trace.leaves = self.leaves = Leaves()
        self.trace.pending = self.values = Writes(self.trace)
        self.trace.packs = self.packs = Writes(self.trace)

    def stop(self) -> None:
        """Look away."""
        self.trace.watch = None
        self.trace.limit = settings.max_pending_calls

    def fail(self, reason: str) -> None:
        """Note why a replay could not do the same."""
        self.reason = self.reason or reason

    # --- what the trace tells ----------------------------------------------------------------------

    def enters(self, holder: Any, slot: int, views: tuple[Any, ...] = ()) -> None:
        self.entries.append(Entry(slot, holder if isinstance(holder, Pack) else weakref.ref(holder), views))

    def draws(self, array: Array, draw: Callable[[], Array]) -> None:
        self.events.append(Draw(array, draw))

    def clears(self, tensors: Iterable[Any]) -> None:
        serial = self.trace.serial
        for tensor in tensors:
            grad = tensor._grad
            new = grad is not None and (grad.serial if isinstance(grad, Arrived) else grad._serial) == serial
            if not new:
                self.cleared[id(tensor)] = tensor

    def plans(self, group: Group) -> None:
        known = self.groups.get(id(group))
        if known is None:
            self.groups[id(group)] = group, dict(group)
        elif not same_options(*known):
            self.fail(f"it changes the options of an optimizer's parameter group ({user_line()})")

    def steps(self, step: Any, first: int, numbers: Sequence[Any]) -> None:
        leaves = self.trace.leaves
        slots = tuple([slot for slot in range(first, len(leaves)) if isinstance(leaves[slot], NUMBERS)])
        if len(slots) != len(numbers):
            self.fail(f"an option of {type(step.optimizer).__name__} is a tensor ({user_line()})")
        self.events.append(OptimizerStep(step, slots))

    def acts(self, action: Callable[[], Any]) -> Any:
        if self.acting:
            return action()
        self.acting = True
        try:
            self.check_options()
            result = action()
        finally:
            self.acting = False
        self.events.append(Action(action))
        for group, _ in self.groups.values():
            self.groups[id(group)] = group, dict(group)
        return result

    def reads(self) -> None:
        self.fail(f"it reads a value of a tensor while it runs ({user_line()})")
        self.stop()

    # --- at the end ---------------------------------------------------------------------------------

    def check_options(self) -> None:
        """That only schedules have changed the options of optimizers."""
        for group, before in self.groups.values():
            if not same_options(group, before):
                names = [name for name in group if group[name] is not before.get(name)]
                self.fail(f"it changes an optimizer's {' and '.join(names)} itself; a scheduler's step() may do so")


def same_options(one: Group, other: Group) -> bool:
    """Whether a group has the options that it had."""
    return one.keys() == other.keys() and all(same_value(value, other[name]) for name, value in one.items())


def same_value(one: Any, other: Any) -> bool:
    """Whether Python values are the same; objects only if they are one object."""
    if one is other:
        return True
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is list or isinstance(one, tuple):
        return len(one) == len(other) and all(map(same_value, one, other))
    if kind in (int, bool, str, bytes):
        return one == other
    return kind in (float, complex) and repr(one) == repr(other)

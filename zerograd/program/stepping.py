"""The optimizers and schedules of a captured step: their Python runs in every replay, and gives the numbers."""

from __future__ import annotations

from operator import is_
from typing import Any

from zerograd.program.bindings import Doubt
from zerograd.program.watch import Action, Draw, OptimizerStep

Undo = tuple[Any, ...]
"""A function and its arguments."""


class Stepping:
    """All that optimizers and schedules do in one call, in its order.

    Attributes:
        events: optimizer steps and actions.
        slots: the leaves that numbers of the steps are bound to.
        owners: the cohorts that are updated, by parameter group.
        cohorts: those of them whose counters are shown by tensors.
        has_schedules: something changes the groups' options.
    """

    def __init__(self, events: list[Draw | OptimizerStep | Action]) -> None:
        self.events: list[Any] = [event for event in events if isinstance(event, OptimizerStep | Action)]
        steps = [event for event in self.events if isinstance(event, OptimizerStep)]
        self.slots: list[int] = [slot for event in steps for slot in event.slots]
        self._runs = _runs(self.slots)
        self.has_schedules = any(isinstance(event, Action) for event in self.events)
        groups: dict[int, tuple[Any, Any, list[Any]]] = {}
        for step in [event.step for event in steps]:
            cohorts = groups.setdefault(id(step.group), (step.optimizer, step.group, []))[2]
            if step.cohort not in cohorts:
                cohorts.append(step.cohort)
        self.owners = [_Owner(*one) for one in groups.values()]
        self.cohorts = [cohort for owner in self.owners for cohort in owner.cohorts if cohort.vectors]

    def check(self) -> None:
        """That the optimizers have the parameters and states that they had.

        Raises:
            Doubt: they have others.
        """
        for owner in self.owners:
            if not owner.is_current():
                raise Doubt

    def advance(self, numbers: list[Any]) -> list[Undo]:
        """Move counters and schedules on, and say which numbers the steps need in ``slots``.

        Returns:
            What takes all of it back.
        Raises:
            Doubt: a step would have to do something else; nothing has been moved.
        """
        undo: list[Undo] = []
        try:
            for event in self.events:
                if event.__class__ is not OptimizerStep:
                    undo.append(_memory_of(event.again))
                    event.again()
                    continue
                (optimizer, group, cohort, known), slots = event
                undo.append((setattr, cohort, "numbers", cohort.numbers))
                cohort.numbers, operands, switches = optimizer.scheduled(group, cohort)
                before = len(numbers)
                numbers += cohort.numbers.values()
                numbers += operands
                if switches != known or len(numbers) - before != len(slots):
                    raise Doubt
        except Exception:
            take_back(undo)
            raise Doubt from None  # the body meets the same error, in its place
        return undo

    def fill(self, leaves: list[Any], numbers: list[Any]) -> None:
        """Bind the numbers that ``advance`` has given."""
        for low, high, begin, end in self._runs:
            leaves[low:high] = numbers[begin:end]

    def note(self) -> None:
        """The tensors that show the counters are those that the optimizers have written."""
        for cohort in self.cohorts:
            cohort.note_versions()


def _runs(slots: list[int]) -> list[tuple[int, int, int, int]]:
    """Slots that follow one another: the first and their end, and the place of the first among all and their end."""
    starts = [i for i in range(len(slots)) if i == 0 or slots[i] != slots[i - 1] + 1]
    ends = [*starts[1:], len(slots)]
    return [(slots[i], slots[i] + k - i, i, k) for i, k in zip(starts, ends, strict=False)]


def take_back(undo: list[Undo]) -> None:
    for function, *arguments in reversed(undo):
        function(*arguments)


def _memory_of(action: Any) -> Undo:
    """What puts a schedule, those that it is made of, and its optimizer's options back."""
    schedule = action.args[0]
    parts = [schedule, *getattr(schedule, "_schedulers", ())]
    before: list[tuple[dict[str, Any], dict[str, Any]]] = [(vars(one), dict(vars(one))) for one in parts]
    before += [(group, dict(group)) for group in schedule.optimizer.param_groups]

    return _put_back, before


def _put_back(before: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    for now, then in before:
        now.clear()
        now.update(then)


class _Owner:
    """The cohorts of one group of an optimizer: whether they are still as the program knows them."""

    def __init__(self, optimizer: Any, group: dict[str, Any], cohorts: list[Any]) -> None:
        self.optimizer, self.group, self.cohorts = optimizer, group, cohorts
        self.number = next(i for i, one in enumerate(optimizer.param_groups) if one is group)
        self.params = list(group["params"])

    def is_current(self) -> bool:
        optimizer, params = self.optimizer, self.group["params"]
        groups = optimizer.param_groups
        if self.number >= len(groups) or groups[self.number] is not self.group or len(params) != len(self.params):
            return False
        if not all(map(is_, params, self.params)):
            return False
        for cohort in self.cohorts:  # noqa: SIM110  faster
            if not cohort.is_current(optimizer.state):
                return False
        return True

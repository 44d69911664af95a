"""The optimizers and schedules of a captured step: their Python runs in every replay, and gives the numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import is_
from typing import Any

from zerograd.program.bindings import Doubt
from zerograd.program.watch import Action, Draw, OptimizerStep

Undo = Callable[[], None]
Numbers = list[tuple[Sequence[int], Sequence[Any]]]
"""Slots, and the number for each."""


class Stepping:
    """All that optimizers and schedules do in one call, in its order.

    Attributes:
        events: optimizer steps and actions.
        owners: the cohorts that are updated, by parameter group.
    """

    def __init__(self, events: list[Draw | OptimizerStep | Action]) -> None:
        self.events: list[Any] = [event for event in events if isinstance(event, OptimizerStep | Action)]
        groups: dict[int, tuple[Any, Any, list[Any]]] = {}
        for event in self.events:
            if isinstance(event, OptimizerStep):
                step = event.step
                cohorts = groups.setdefault(id(step.group), (step.optimizer, step.group, []))[2]
                if step.cohort not in cohorts:
                    cohorts.append(step.cohort)
        self.owners = [_Owner(*one) for one in groups.values()]

    def check(self) -> None:
        """That the optimizers have the parameters and states that they had.

        Raises:
            Doubt: they have others.
        """
        for owner in self.owners:
            if not owner.is_current():
                raise Doubt

    def advance(self, numbers: Numbers) -> list[Undo]:
        """Move counters and schedules on, and say which numbers the steps need in which slots.

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
                before = cohort.numbers
                cohort.numbers, operands, switches = optimizer.scheduled(group, cohort)
                undo.append(partial(setattr, cohort, "numbers", before))
                values = (*cohort.numbers.values(), *operands)
                if switches != known or len(values) != len(slots):
                    raise Doubt
                numbers.append((slots, values))
        except Exception:
            take_back(undo)
            raise Doubt from None  # the body meets the same error, in its place
        return undo

    def note(self) -> None:
        """The tensors that show the counters are those that the optimizers have written."""
        for owner in self.owners:
            for cohort in owner.cohorts:
                cohort.note_versions()


def take_back(undo: list[Undo]) -> None:
    for one in reversed(undo):
        one()


def _memory_of(action: Any) -> Undo:
    """What puts a schedule, those that it is made of, and its optimizer's options back."""
    schedule = action.args[0]
    parts = [schedule, *getattr(schedule, "_schedulers", ())]
    before: list[tuple[dict[str, Any], dict[str, Any]]] = [(vars(one), dict(vars(one))) for one in parts]
    before += [(group, dict(group)) for group in schedule.optimizer.param_groups]

    def put_back() -> None:
        for now, then in before:
            now.clear()
            now.update(then)

    return put_back


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

"""Schedules made of schedules."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from zerograd import errors
from zerograd.optim.lr_scheduler.plateau import ReduceLROnPlateau
from zerograd.optim.lr_scheduler.scheduler import LRScheduler, option, set_option
from zerograd.optim.optimizer import Optimizer


class _Composed(LRScheduler):
    """Saves and loads the schedules it is made of."""

    _schedulers: Sequence[LRScheduler]

    def _check(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer) -> None:
        name = type(self).__name__
        for index, scheduler in enumerate(schedulers):
            if not hasattr(scheduler, "optimizer"):
                raise errors.type_(f"{name} is made of schedules", **{f"[{index}]": repr(scheduler)})
            if isinstance(scheduler, ReduceLROnPlateau):
                raise errors.value(f"{name} cannot contain ReduceLROnPlateau, whose step needs a measure", index=index)
            if scheduler.optimizer is not optimizer:
                raise errors.value(
                    f"all schedules in {name} change one optimizer, but schedule {index} has another",
                    schedule=type(scheduler).__name__,
                )

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        state["_schedulers"] = [scheduler.state_dict() for scheduler in self._schedulers]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "_schedulers"})
        for scheduler, state in zip(self._schedulers, state_dict["_schedulers"], strict=False):
            scheduler.load_state_dict(state)


class SequentialLR(_Composed):
    """One schedule after the other, each from its milestone on.

    Args:
        milestones: the epochs at which the second, third ... schedule begins.
    Raises:
        ValueError: no schedule, not one milestone fewer than schedules, schedules of several optimizers, or
            ReduceLROnPlateau among them.
        TypeError: one is no schedule.
    Source: torch.optim.lr_scheduler.SequentialLR.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: list[LRScheduler],
        milestones: list[int],
        last_epoch: int = -1,
    ) -> None:
        if len(schedulers) < 1:
            raise errors.value("SequentialLR needs at least one schedule")
        self._check(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise errors.value(
                "SequentialLR needs a milestone between each two schedules",
                milestones=len(milestones),
                schedules=len(schedulers),
            )
        self._schedulers = schedulers
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer
        # Each schedule took its first step when it was made, all on the same lr: undo that, start the first.
        for group in optimizer.param_groups:
            set_option(group, "lr", group["initial_lr"])
        self.recursive_undo()
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def recursive_undo(self, sched: LRScheduler | None = None) -> None:
        """Takes back one epoch of all schedules inside."""
        scheduler = self if sched is None else sched
        if isinstance(scheduler, _Composed):
            for inner in scheduler._schedulers:
                self.recursive_undo(inner)
        elif hasattr(scheduler, "last_epoch"):
            scheduler.last_epoch -= 1

    def step(self) -> None:
        """Moves on by one epoch."""
        self.last_epoch += 1
        index = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[index]
        if index > 0 and self._milestones[index - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_Composed):
    """Several schedules at once: each changes what the one before has set.

    Raises:
        ValueError: no schedule, schedules of several optimizers, or ReduceLROnPlateau among them.
        TypeError: one is no schedule.
    Source: torch.optim.lr_scheduler.ChainedScheduler.
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if len(schedulers) < 1:
            raise errors.value("ChainedScheduler needs at least one schedule")
        optimizer = optimizer or schedulers[0].optimizer
        self._check(schedulers, optimizer)
        self._schedulers = schedulers
        self.optimizer = optimizer
        self._last_lr = option(optimizer, "lr")

    def step(self) -> None:
        """Moves all schedules on by one epoch."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = option(self.optimizer, "lr")

"""The 1cycle schedule: one rise and one long fall over the whole training."""

from __future__ import annotations

import math
from typing import Any, Literal

from zerograd import errors
from zerograd.optim.lr_scheduler.cyclic import set_momentum, start_momentum, uses_beta1
from zerograd.optim.lr_scheduler.scheduler import LRScheduler, Value, check_optimizer, for_each_group
from zerograd.optim.optimizer import Optimizer

Phase = dict[str, Any]


class OneCycleLR(LRScheduler):
    """lr rises from max_lr / div_factor to max_lr, then falls far below its start; momentum the other way.

    Args:
        max_lr: one value, or a list with one per group.
        total_steps: how often `step` will be called at most; or give epochs and steps_per_epoch.
        pct_start: the share of the steps in which lr rises.
        anneal_strategy: "cos" or "linear".
        final_div_factor: lr ends at max_lr / div_factor / final_div_factor.
        three_phase: fall back to the start first, as fast as it rose, and then to the end.
    Raises:
        ValueError: missing or not positive numbers of steps, pct_start outside [0, 1], an unknown strategy, a
            list of another length, no momentum to change, or more steps than said.
        TypeError: `optimizer` is none.
    Source: torch.optim.lr_scheduler.OneCycleLR.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise errors.value("pct_start must be a float in [0, 1]", pct_start=repr(pct_start))
        if anneal_strategy not in ("cos", "linear"):
            raise errors.value("anneal_strategy is 'cos' or 'linear'", anneal_strategy=repr(anneal_strategy))
        self._schedule_phases = _phases(pct_start * self.total_steps, self.total_steps, three_phase=three_phase)
        self._anneal_func_type = anneal_strategy
        max_lrs = for_each_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, highest in zip(optimizer.param_groups, max_lrs, strict=True):
                group["initial_lr"] = highest / div_factor
                group["max_lr"] = highest
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = uses_beta1(optimizer)
            highest = for_each_group("max_momentum", optimizer, max_momentum)
            lowest = for_each_group("base_momentum", optimizer, base_momentum)
            if last_epoch == -1:
                start_momentum(optimizer, lowest, highest, beta1=self.use_beta1)
        super().__init__(optimizer, last_epoch)

    def _between(self, start: Any, end: Any, share: float) -> Any:
        """The value after this share of the way from start to end."""
        if self._anneal_func_type == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)

    def get_lr(self) -> list[Value]:
        """The next lr of each group; sets its momentum."""
        self._warn_outside_step()
        step = self.last_epoch
        if step > self.total_steps:
            raise errors.value("the schedule is over", step=step, total_steps=self.total_steps)
        start = 0.0
        phase = self._schedule_phases[-1]
        for phase in self._schedule_phases:
            if step <= phase["end_step"]:
                break
            if phase is not self._schedule_phases[-1]:
                start = phase["end_step"]
        share = (step - start) / (phase["end_step"] - start)
        lrs = []
        for group in self.optimizer.param_groups:
            lrs.append(self._between(group[phase["start_lr"]], group[phase["end_lr"]], share))
            if self.cycle_momentum:
                momentum = self._between(group[phase["start_momentum"]], group[phase["end_momentum"]], share)
                set_momentum(group, momentum, beta1=self.use_beta1)
        return lrs


def _total_steps(total: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    given = {"total_steps": total} if total is not None else {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    if None in given.values():
        raise errors.value("give total_steps, or epochs and steps_per_epoch")
    result = 1
    for name, value in given.items():
        if not isinstance(value, int) or value <= 0:
            raise errors.value(f"{name} must be a positive integer, but is {value!r}")
        result *= value
    return result


def _phases(rise: float, total: int, *, three_phase: bool) -> list[Phase]:
    """Where each phase ends, and between which options of a group it goes."""

    def phase(end: float, lr: tuple[str, str], momentum: tuple[str, str]) -> Phase:
        return {
            "end_step": end,
            "start_lr": lr[0],
            "end_lr": lr[1],
            "start_momentum": momentum[0],
            "end_momentum": momentum[1],
        }

    up = phase(float(rise) - 1, ("initial_lr", "max_lr"), ("max_momentum", "base_momentum"))
    if not three_phase:
        return [up, phase(total - 1, ("max_lr", "min_lr"), ("base_momentum", "max_momentum"))]
    return [
        up,
        phase(float(2 * rise) - 2, ("max_lr", "initial_lr"), ("base_momentum", "max_momentum")),
        phase(total - 1, ("initial_lr", "min_lr"), ("max_momentum", "max_momentum")),
    ]

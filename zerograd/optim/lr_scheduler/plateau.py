"""A schedule that reduces the learning rate when a measure no longer improves."""

from __future__ import annotations

from math import inf
from typing import Any, Literal, SupportsFloat

from zerograd import errors
from zerograd.optim.lr_scheduler.scheduler import (
    LRScheduler,
    check_optimizer,
    option,
    set_option,
    warn_epoch_argument,
)
from zerograd.optim.optimizer import Optimizer


class ReduceLROnPlateau(LRScheduler):
    """lr is multiplied by `factor` when the measure has not improved for more than `patience` steps.

    Args:
        mode: "min" if a smaller measure is better, "max" if a larger one is.
        threshold: what counts as better: by this share of the best value ("rel") or by this much ("abs").
        cooldown: steps after a reduction in which nothing is counted.
        min_lr: lr does not fall below it; one value, or a list with one per group.
        eps: smaller changes of lr are not made.
    Raises:
        ValueError: factor not below 1, an unknown mode or threshold_mode, a min_lr of another length.
        TypeError: `optimizer` is none.
    Source: torch.optim.lr_scheduler.ReduceLROnPlateau.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        min_lr: list[float] | float = 0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1.0:
            raise errors.value("factor must be below 1", factor=factor)
        check_optimizer(optimizer)
        groups = len(optimizer.param_groups)
        self.factor = factor
        self.optimizer = optimizer
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else min_lr
        self.min_lrs = list(min_lr) if isinstance(min_lr, list | tuple) else [min_lr] * groups
        if len(self.min_lrs) != groups:
            raise errors.value("min_lr needs one value per parameter group", values=len(self.min_lrs), groups=groups)
        self.patience = patience
        self.cooldown = cooldown
        self.eps = eps
        self.last_epoch = 0
        self._last_lr = option(optimizer, "lr")
        self._init_is_better(mode, threshold, threshold_mode)
        self._reset()

    def _init_is_better(self, mode: str, threshold: float, threshold_mode: str) -> None:
        if mode not in ("min", "max"):
            raise errors.value("mode is 'min' or 'max'", mode=repr(mode))
        if threshold_mode not in ("rel", "abs"):
            raise errors.value("threshold_mode is 'rel' or 'abs'", threshold_mode=repr(threshold_mode))
        self.mode_worse = inf if mode == "min" else -inf
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode

    def _reset(self) -> None:
        """Forgets the best value."""
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    @property
    def in_cooldown(self) -> bool:
        return self.cooldown_counter > 0

    def step(self, metrics: SupportsFloat, epoch: int | None = None) -> None:
        """Takes the measure of this epoch into account; reduces lr if it is time."""
        current = float(metrics)
        if epoch is not None:
            warn_epoch_argument()
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(current, self.best):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = option(self.optimizer, "lr")

    def _is_better(self, value: float, best: float) -> bool:
        sign = -1.0 if self.mode == "min" else 1.0
        if self.threshold_mode == "rel":
            return sign * value > sign * best * (1.0 + sign * self.threshold)
        return sign * value > sign * best + self.threshold

    def _reduce_lr(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise errors.runtime(
                    "the optimizer has another number of parameter groups since min_lr was given as a list",
                    groups=len(groups),
                    min_lrs=len(self.min_lrs),
                    hint="set the schedule's min_lrs to a list with one value per group",
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, lowest in zip(groups, self.min_lrs, strict=True):
            old = float(group["lr"])
            new = max(old * self.factor, lowest)
            if old - new > self.eps:
                set_option(group, "lr", new)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._init_is_better(self.mode, self.threshold, self.threshold_mode)

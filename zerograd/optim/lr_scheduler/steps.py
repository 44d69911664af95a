"""Schedules that change the learning rate at certain epochs."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable

from zerograd import errors
from zerograd.optim.lr_scheduler.scheduler import LRScheduler, Value
from zerograd.optim.optimizer import Optimizer


class StepLR(LRScheduler):
    """lr is multiplied by gamma every `step_size` epochs.

    Source: torch.optim.lr_scheduler.StepLR.
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Value]:
        self._warn_outside_step()
        now = self.last_epoch != 0 and self.last_epoch % self.step_size == 0
        return self._lrs(self.gamma if now else 1.0)

    def _get_closed_form_lr(self) -> list[Value]:
        return [lr * self.gamma ** (self.last_epoch // self.step_size) for lr in self.base_lrs]


class MultiStepLR(LRScheduler):
    """lr is multiplied by gamma at each milestone; one that stands twice counts twice.

    Source: torch.optim.lr_scheduler.MultiStepLR.
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Value]:
        self._warn_outside_step()
        return self._lrs(self.gamma ** self.milestones.get(self.last_epoch, 0))

    def _get_closed_form_lr(self) -> list[Value]:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [lr * self.gamma**passed for lr in self.base_lrs]


class ConstantLR(LRScheduler):
    """lr is `factor` times its base for the first `total_iters` epochs.

    Raises:
        ValueError: factor outside [0, 1].
    Source: torch.optim.lr_scheduler.ConstantLR.
    """

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        if factor > 1.0 or factor < 0:
            raise errors.value("factor must be in [0, 1]", factor=factor)
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Value]:
        self._warn_outside_step()
        if self.last_epoch == 0:
            return self._lrs(self.factor)
        return self._lrs(1.0 / self.factor if self.last_epoch == self.total_iters else 1.0)

    def _get_closed_form_lr(self) -> list[Value]:
        factor = 1.0 if self.last_epoch >= self.total_iters else self.factor
        return [lr * factor for lr in self.base_lrs]

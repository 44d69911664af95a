"""Schedules given by functions of the epoch."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from zerograd import errors
from zerograd.optim.lr_scheduler.scheduler import LRScheduler, Value
from zerograd.optim.optimizer import Optimizer

Function = Callable[[int], float]


class _FunctionSchedule(LRScheduler):
    """Keeps a function per group. Functions are not saved; of callable objects their attributes are."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Function | list[Function], last_epoch: int = -1) -> None:
        groups = len(optimizer.param_groups)
        if not isinstance(lr_lambda, list | tuple):
            lr_lambda = [lr_lambda] * groups
        elif len(lr_lambda) != groups:
            raise errors.value(
                "lr_lambda needs one function per parameter group", functions=len(lr_lambda), groups=groups
            )
        self.lr_lambdas = list(lr_lambda)
        self._check_functions()
        super().__init__(optimizer, last_epoch)

    def _check_functions(self) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        state["lr_lambdas"] = [
            None if isinstance(function, types.FunctionType) else function.__dict__.copy()
            for function in self.lr_lambdas
        ]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.__dict__.update({name: value for name, value in state_dict.items() if name != "lr_lambdas"})
        for function, attributes in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=False):
            if attributes is not None:
                function.__dict__.update(attributes)


class LambdaLR(_FunctionSchedule):
    """lr = base_lr * lr_lambda(epoch).

    Args:
        lr_lambda: one function, or a list with one per parameter group.
    Raises:
        ValueError: a list of another length.
    Source: torch.optim.lr_scheduler.LambdaLR.
    """

    def get_lr(self) -> list[Value]:
        self._warn_outside_step()
        return [lr * function(self.last_epoch) for function, lr in zip(self.lr_lambdas, self.base_lrs, strict=True)]


class MultiplicativeLR(_FunctionSchedule):
    """lr is multiplied by lr_lambda(epoch) in each epoch after the first.

    Args:
        lr_lambda: one function, or a list with one per parameter group.
    Raises:
        ValueError: a list of another length.
        TypeError: something that cannot be called.
    Source: torch.optim.lr_scheduler.MultiplicativeLR.
    """

    def _check_functions(self) -> None:
        for function in self.lr_lambdas:
            if not callable(function):
                raise errors.type_("lr_lambda must be a function", lr_lambda=repr(function))

    def get_lr(self) -> list[Value]:
        self._warn_outside_step()
        if self._is_initial:
            return self._lrs()
        groups = self.optimizer.param_groups
        return [
            group["lr"] * function(self.last_epoch) for function, group in zip(self.lr_lambdas, groups, strict=True)
        ]

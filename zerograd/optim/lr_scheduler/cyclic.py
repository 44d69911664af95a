"""A schedule in which the learning rate goes up and down between two bounds."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any, Literal

from zerograd import errors
from zerograd.optim.lr_scheduler.scheduler import (
    LRScheduler,
    Value,
    check_optimizer,
    for_each_group,
    set_option,
)
from zerograd.optim.optimizer import Group, Optimizer

# How much of the height is left, by cycle (counted from 1) or, in exp_range, by iteration.
_SCALES: dict[str, tuple[str, Callable[[float, float], float]]] = {
    "triangular": ("cycle", lambda gamma, x: 1.0),
    "triangular2": ("cycle", lambda gamma, x: 1 / 2.0 ** (x - 1)),
    "exp_range": ("iterations", lambda gamma, x: gamma**x),
}


class CyclicLR(LRScheduler):
    """lr rises in straight lines from base_lr to max_lr and falls back, again and again.

    The momentum goes the other way.

    Args:
        base_lr, max_lr: one value, or a list with one per group.
        step_size_up, step_size_down: steps of the rise and of the fall (None: as many).
        mode: how the height changes: "triangular" stays, "triangular2" halves with each cycle, "exp_range" is
            multiplied by gamma in each step.
        scale_fn: replaces `mode`: a function of the cycle or of the step, as `scale_mode` says.
        cycle_momentum: also change the momentum, or beta1, between max_momentum and base_momentum.
    Raises:
        ValueError: an unknown mode, a list of another length, or no momentum to change.
        TypeError: `optimizer` is none.
    Source: torch.optim.lr_scheduler.CyclicLR.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float = 0.8,
        max_momentum: float = 0.9,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        base_lrs = for_each_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for lr, group in zip(base_lrs, optimizer.param_groups, strict=True):
                set_option(group, "lr", lr)
        self.max_lrs = for_each_group("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        if mode not in _SCALES and scale_fn is None:
            raise errors.value(f"mode is one of {', '.join(_SCALES)}, or a scale_fn is given", mode=repr(mode))
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode if scale_fn is not None else _SCALES[mode][0]
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = uses_beta1(optimizer)
            self.base_momentums = for_each_group("base_momentum", optimizer, base_momentum)
            self.max_momentums = for_each_group("max_momentum", optimizer, max_momentum)
            if last_epoch == -1:
                start_momentum(optimizer, self.base_momentums, self.max_momentums, beta1=self.use_beta1)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """How much of the height is left in cycle, or at step, x."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return _SCALES[self.mode][1](self.gamma, x)

    def get_lr(self) -> list[Value]:
        """The next lr of each group; sets its momentum."""
        self._warn_outside_step()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            bounds = zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True)
            for group, low, high in bounds:
                set_momentum(group, high - (high - low) * height * scale, beta1=self.use_beta1)
        return [low + (high - low) * height * scale for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """As in LRScheduler; of a `scale_fn` the attributes, nothing if it is a plain function."""
        state = super().state_dict()
        function = self._scale_fn_custom
        plain = function is None or isinstance(function, types.FunctionType)
        state["_scale_fn_custom"] = None if plain else function.__dict__.copy()
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "_scale_fn_custom"})
        attributes = state_dict["_scale_fn_custom"]
        if attributes is not None and self._scale_fn_custom is not None:
            self._scale_fn_custom.__dict__.update(attributes)


def uses_beta1(optimizer: Optimizer) -> bool:
    """Whether the optimizer's momentum is its first beta.

    Raises:
        ValueError: it has neither.
    """
    if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
        raise errors.value(
            f"{type(optimizer).__name__} has neither momentum nor betas to change",
            hint="cycle_momentum=False",
        )
    return "betas" in optimizer.defaults


def set_momentum(group: Group, value: Any, *, beta1: bool) -> None:
    if beta1:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value


def start_momentum(optimizer: Optimizer, lowest: list[Any], highest: list[Any], *, beta1: bool) -> None:
    """Sets the highest momentum and writes the bounds into the groups."""
    for group, low, high in zip(optimizer.param_groups, lowest, highest, strict=True):
        set_momentum(group, high, beta1=beta1)
        group["max_momentum"] = high
        group["base_momentum"] = low

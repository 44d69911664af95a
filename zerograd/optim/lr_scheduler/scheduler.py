"""The base class of schedules, and how they read and write the options of an optimizer's groups."""

from __future__ import annotations

import functools
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from zerograd import errors
from zerograd.ir.record import recorder
from zerograd.optim.arguments import scalar
from zerograd.optim.optimizer import Group, Optimizer
from zerograd.tensor.tensor import Tensor

Value = float | Tensor


def copied(value: Any) -> Any:
    """The value, a tensor as a copy, so that writing into the one does not change the other."""
    return value.clone() if isinstance(value, Tensor) else value


def option(optimizer: Optimizer, name: str) -> list[Any]:
    """An option of every group; tensors as copies."""
    return [copied(group[name]) for group in optimizer.param_groups]


def set_option(group: Group, name: str, value: Value) -> None:
    """Changes an option of a group; a tensor is written into, so that it stays the same object."""
    if isinstance(group[name], Tensor):
        group[name].fill_(scalar(value))
    else:
        group[name] = value


def for_each_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """One value per group, from a list or from one value for all.

    Raises:
        ValueError: the list has another length.
    """
    groups = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [copied(value) for _ in range(groups)]
    if len(value) != groups:
        raise errors.value(f"{name} needs one value per parameter group", values=len(value), groups=groups)
    return [copied(one) for one in value]


def check_optimizer(optimizer: object) -> None:
    if not isinstance(optimizer, Optimizer):
        raise errors.type_("a schedule changes an Optimizer", optimizer=type(optimizer).__name__)


def warn_epoch_argument() -> None:
    warnings.warn(
        "step(epoch) is deprecated: call step() once per epoch, which moves every schedule on by one",
        UserWarning,
        stacklevel=3,
    )


def _told(step: Callable[..., None]) -> Callable[..., None]:
    """``step``, of which whoever watches the trace is told: a captured step moves its schedules on when replayed."""

    @functools.wraps(step)
    def telling(self: Any, *args: Any, **kwargs: Any) -> None:
        watch = recorder.own.trace.watch
        if watch is None or args or kwargs:
            return step(self, *args, **kwargs)
        return watch.acts(functools.partial(step, self))

    return telling


class LRScheduler:
    """What schedules share. A subclass gives `get_lr`, which computes the next lr of each group.

    Attributes:
        last_epoch: how often the schedule has been stepped.
        base_lrs: the lr of each group at the start; also in the group's "initial_lr".
    Args:
        last_epoch: -1 to start; otherwise the groups must have an "initial_lr" already.
    Raises:
        TypeError: `optimizer` is none.
        KeyError: resuming without "initial_lr".
    Source: torch.optim.lr_scheduler.LRScheduler.
    """

    _get_lr_called_within_step: bool = False
    _is_initial: bool = False
    _last_lr: list[Value]
    _step_count: int

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "step" in cls.__dict__:
            cls.step = _told(cls.__dict__["step"])

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for index, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"group {index} of the optimizer has no 'initial_lr', which a schedule needs to go on "
                    f"from last_epoch={last_epoch}; load the optimizer's state_dict first, or start with "
                    "last_epoch=-1"
                )
        self.base_lrs: list[Value] = option(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        _watch_step(optimizer)
        self._initial_step()

    def _initial_step(self) -> None:
        """Sets the lr of the first epoch."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer; made for saving.

        Source: torch.optim.lr_scheduler.LRScheduler.state_dict.
        """
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on where the schedule that returned `state_dict` was.

        Source: torch.optim.lr_scheduler.LRScheduler.load_state_dict.
        """
        self.__dict__.update(state_dict)

    def get_last_lr(self) -> list[Value]:
        """The lr of each group as this schedule has set it last.

        Source: torch.optim.lr_scheduler.LRScheduler.get_last_lr.
        """
        return self._last_lr

    def get_lr(self) -> list[Value]:
        """The next lr of each group; for subclasses. To see the present one call `get_last_lr`."""
        raise NotImplementedError(f"{type(self).__name__} needs a method get_lr()")

    def _warn_outside_step(self) -> None:
        """For `get_lr`, which some schedules can compute only while they step."""
        if not self._get_lr_called_within_step:
            warnings.warn(
                "get_lr() computes the next learning rate and is for step() to call; get_last_lr() returns "
                "the present one",
                UserWarning,
                stacklevel=3,
            )

    @_told
    def step(self, epoch: int | None = None) -> None:
        """Moves the schedule on and sets the lr of each group. Call it after `optimizer.step()`.

        Source: torch.optim.lr_scheduler.LRScheduler.step.
        """
        if self._step_count == 1:
            self._check_order()
        self._step_count += 1
        if epoch is not None:
            warn_epoch_argument()
        self._update_lr(epoch)

    def _check_order(self) -> None:
        if not hasattr(self.optimizer.step, "_wrapped_by_lr_sched"):
            warnings.warn(
                "optimizer.step was replaced after the schedule was made, so the schedule cannot see whether "
                "optimizer.step() is called before its own step(), as it should be",
                UserWarning,
                stacklevel=3,
            )
        elif not getattr(self.optimizer, "_opt_called", False):
            warnings.warn(
                "this schedule was stepped before the optimizer, which skips the first learning rate; call "
                "optimizer.step() first, then the schedule's step()",
                UserWarning,
                stacklevel=3,
            )

    def _update_lr(self, epoch: int | None = None) -> None:
        with self._inside_step():
            closed_form = getattr(self, "_get_closed_form_lr", None)
            if epoch is None:
                self.last_epoch += 1
                values = self.get_lr()
            else:
                self.last_epoch = epoch
                values = self.get_lr() if closed_form is None else closed_form()
        for group, lr in zip(self.optimizer.param_groups, values, strict=True):
            set_option(group, "lr", lr)
        self._last_lr = option(self.optimizer, "lr")

    @contextmanager
    def _inside_step(self) -> Iterator[None]:
        self._get_lr_called_within_step = True
        try:
            yield
        finally:
            self._get_lr_called_within_step = False

    def _lrs(self, factor: float = 1.0) -> list[Value]:
        """The present lr of each group, times a factor."""
        if factor == 1.0:
            return option(self.optimizer, "lr")
        return [group["lr"] * factor for group in self.optimizer.param_groups]


class _LRScheduler(LRScheduler):
    """The name of LRScheduler in PyTorch before 2.0, which programs still subclass."""


def _watch_step(optimizer: Optimizer) -> None:
    """Makes the optimizer note its first step, once however many schedules it has."""
    if hasattr(optimizer.step, "_wrapped_by_lr_sched"):
        return
    function = optimizer.step.__func__
    reference = weakref.ref(optimizer)  # the optimizer must not hold itself through its step

    @functools.wraps(function)
    def step(*args: Any, **kwargs: Any) -> Any:
        owner: Any = reference()
        owner._opt_called = True
        return function(owner, *args, **kwargs)

    step.__dict__["_wrapped_by_lr_sched"] = True
    optimizer.step = step

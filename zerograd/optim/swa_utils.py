"""Averages of a model over its training: equal weights (SWA) or exponentially decaying ones (EMA).

Source: torch.optim.swa_utils.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, Literal

from zerograd import dtypes, errors
from zerograd.autograd.grad_mode import no_grad
from zerograd.nn.modules.batchnorm import _BatchNorm
from zerograd.nn.modules.module import Module
from zerograd.optim.lr_scheduler.scheduler import LRScheduler, Value, for_each_group
from zerograd.optim.optimizer import Optimizer
from zerograd.tensor.functions.data import tensor
from zerograd.tensor.tensor import Tensor

AverageOne = Callable[[Tensor, Tensor, Any], Tensor]
AverageMany = Callable[[list[Tensor], list[Tensor], Any], None]


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise errors.value("decay must be in [0, 1]", decay=decay)


def get_ema_avg_fn(decay: float = 0.999) -> AverageOne:
    """A function (average, current, count) -> decay * average + (1 - decay) * current.

    Raises:
        ValueError: decay outside [0, 1].
    Source: torch.optim.swa_utils.get_ema_avg_fn.
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn() -> AverageOne:
    """A function (average, current, count) -> the mean of all count + 1 values.

    Source: torch.optim.swa_utils.get_swa_avg_fn.
    """

    @no_grad()
    def swa_update(averaged_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


def _in_place(update: AverageOne) -> AverageMany:
    """The same for lists of tensors, written into the first."""

    @no_grad()
    def update_all(averaged: list[Tensor], current: list[Tensor], num_averaged: Any) -> None:
        for old, new in zip(averaged, current, strict=True):
            old.copy_(update(old, new, num_averaged))

    return update_all


def get_ema_multi_avg_fn(decay: float = 0.999) -> AverageMany:
    """`get_ema_avg_fn` for lists: a function (averages, currents, count) that writes into the averages.

    Raises:
        ValueError: decay outside [0, 1].
    Source: torch.optim.swa_utils.get_ema_multi_avg_fn.
    """
    return _in_place(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> AverageMany:
    """`get_swa_avg_fn` for lists: a function (averages, currents, count) that writes into the averages.

    Source: torch.optim.swa_utils.get_swa_multi_avg_fn.
    """
    return _in_place(get_swa_avg_fn())


class AveragedModel(Module):
    """A copy of a model that averages its parameters.

    Args:
        avg_fn: (average, current, count) -> average, for one parameter; equal weights by default.
        multi_avg_fn: the same for lists, in place.
        use_buffers: average the buffers too, instead of copying them.
    Raises:
        AssertionError: both functions are given.
    Source: torch.optim.swa_utils.AveragedModel.
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: AverageOne | None = None,
        multi_avg_fn: AverageMany | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("AveragedModel takes avg_fn or multi_avg_fn, not both")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, dtype=dtypes.int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Takes the present parameters of `model` into the average.

        Source: torch.optim.swa_utils.AveragedModel.update_parameters.
        """
        averaged = [x.detach() for x in self._averaged(self.module)]
        current = [x.detach().to(old.device) for x, old in zip(self._averaged(model), averaged, strict=False)]
        averaged = averaged[: len(current)]
        if self.n_averaged == 0:
            for old, new in zip(averaged, current, strict=True):
                old.copy_(new)
        elif self.avg_fn is not None:
            _in_place(self.avg_fn)(averaged, current, self.n_averaged)
        else:
            self._average_by_dtype(averaged, current)
        if not self.use_buffers:
            for old, new in zip(self.module.buffers(), model.buffers(), strict=True):
                old.detach().copy_(new.detach().to(old.device))
        self.n_averaged += 1

    def _averaged(self, model: Module) -> Iterable[Tensor]:
        return itertools.chain(model.parameters(), model.buffers()) if self.use_buffers else model.parameters()

    def _average_by_dtype(self, averaged: list[Tensor], current: list[Tensor]) -> None:
        """A function for lists expects tensors of one dtype."""
        update = self.multi_avg_fn or get_swa_multi_avg_fn()
        for dtype in dict.fromkeys(x.dtype for x in averaged):
            places = [index for index, x in enumerate(averaged) if x.dtype == dtype]
            update([averaged[i] for i in places], [current[i] for i in places], self.n_averaged)


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Computes the running statistics of all batch norms anew, from one pass over the data.

    Args:
        loader: batches; of a list or tuple the first element is the input.
    Source: torch.optim.swa_utils.update_bn.
    """
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    was_training = model.training
    model.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
    for batch in loader:
        x = batch[0] if isinstance(batch, list | tuple) else batch
        model(x if device is None else x.to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """lr goes to `swa_lr` in `anneal_epochs` epochs and stays there.

    Args:
        swa_lr: one value, or a list with one per group.
        anneal_strategy: "cos" or "linear".
    Raises:
        ValueError: an unknown strategy, a negative number of epochs, a list of another length.
    Source: torch.optim.swa_utils.SWALR.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float,
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        for group, lr in zip(optimizer.param_groups, for_each_group("swa_lr", optimizer, swa_lr), strict=True):
            group["swa_lr"] = lr
        if anneal_strategy not in ("cos", "linear"):
            raise errors.value("anneal_strategy is 'cos' or 'linear'", anneal_strategy=repr(anneal_strategy))
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise errors.value("anneal_epochs must be an integer of at least 0", anneal_epochs=repr(anneal_epochs))
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step: float) -> float:
        """How far the lr has gone to swa_lr after so many steps, in [0, 1]."""
        t = max(0, min(1, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def get_lr(self) -> list[Value]:
        self._warn_outside_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        lrs = []
        for group in self.optimizer.param_groups:
            goal = group["swa_lr"]
            start = goal if before == 1 else (group["lr"] - before * goal) / (1 - before)
            lrs.append(goal * now + start * (1 - now))
        return lrs

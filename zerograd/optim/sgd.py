"""Stochastic gradient descent, plain, with momentum, or with Nesterov's."""

from __future__ import annotations

from typing import Any

from zerograd import errors
from zerograd.optim.arguments import check_implementation, check_lr, check_not_negative, is_zero, scalar
from zerograd.optim.optimizer import Group, ParamsT
from zerograd.optim.rule import Number, Rule, Situation, States, for_each_parameter
from zerograd.tensor.tensor import Tensor


@for_each_parameter(states=1)
def update(
    p: Tensor,
    g: Tensor,
    buffer: Tensor | None,
    lr: Number,
    momentum: Number,
    renewal: Number,
    weight_decay: Number,
    *,
    has_momentum: bool,
    has_decay: bool,
    nesterov: bool,
    maximize: bool,
) -> tuple[Tensor | None, ...]:
    if maximize:
        g = -g
    if has_decay:
        g = g + weight_decay * p
    if has_momentum:
        new = g.clone() if buffer is None else momentum * buffer + renewal * g
        g, buffer = g + momentum * new if nesterov else new, new
    return p - lr * g, buffer


class SGD(Rule):
    """p -= lr * v, where v = momentum * v + (1 - dampening) * (g + weight_decay * p).

    In the first step v is the gradient itself. With `nesterov` p moves by g + momentum * v.

    Raises:
        ValueError: a negative lr, momentum or weight_decay; nesterov without momentum or with dampening.
        RuntimeError: fused together with foreach or differentiable.
    Source: torch.optim.SGD.
    """

    names = ("momentum_buffer",)
    update = staticmethod(update)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check_not_negative("momentum", momentum)
        check_not_negative("weight_decay", weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise errors.value(
                "nesterov needs a momentum above 0 and no dampening", momentum=momentum, dampening=dampening
            )
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_implementation(foreach=foreach, fused=fused, differentiable=differentiable)

    def has_state(self, group: Group) -> bool:
        return group["momentum"] != 0

    def made_by_update(self, group: Group) -> tuple[str, ...]:
        return self.names if self.has_state(group) else ()

    def init_counters(self, group: Group) -> dict[str, float]:
        return {}

    def init_single(self, param: Tensor, group: Group) -> States:
        return {}

    def schedule(self, group: Group, situation: Situation) -> tuple[tuple[Number, ...], dict[str, Any]]:
        numbers = (scalar(group["lr"]), group["momentum"], 1 - group["dampening"], group["weight_decay"])
        return numbers, {
            "has_momentum": group["momentum"] != 0,
            "has_decay": not is_zero(group["weight_decay"]),
            "nesterov": group["nesterov"],
            "maximize": group["maximize"],
        }

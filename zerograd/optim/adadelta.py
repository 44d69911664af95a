"""Adadelta: a step in the unit of the parameter, without a learning rate to choose."""

from __future__ import annotations

from typing import Any

from zerograd import errors
from zerograd.optim.arguments import check_lr, check_not_negative, is_zero, scalar
from zerograd.optim.optimizer import Group, ParamsT
from zerograd.optim.rule import Number, Rule, Situation, States, for_each_parameter
from zerograd.tensor.functions.creation import zeros_like
from zerograd.tensor.tensor import Tensor


@for_each_parameter(states=2)
def update(
    p: Tensor,
    g: Tensor,
    v: Tensor,
    deltas: Tensor,
    lr: Number,
    rho: Number,
    renewal: Number,
    eps: Number,
    weight_decay: Number,
    *,
    has_decay: bool,
    maximize: bool,
) -> tuple[Tensor | None, ...]:
    if maximize:
        g = -g
    if has_decay:
        g = g + weight_decay * p
    v = rho * v + renewal * g * g
    delta = (deltas + eps).sqrt() / (v + eps).sqrt() * g
    return p - lr * delta, v, rho * deltas + renewal * delta * delta


class Adadelta(Rule):
    """p -= lr * d, where d = sqrt(mean of d ** 2 + eps) / sqrt(mean of g ** 2 + eps) * g.

    Args:
        rho: what the means keep of their value in each step.
    Raises:
        ValueError: a negative lr, eps or weight_decay, or rho outside [0, 1].
    Source: torch.optim.Adadelta.
    """

    names = ("square_avg", "acc_delta")
    update = staticmethod(update)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise errors.value("rho must be in [0, 1]", rho=rho)
        check_not_negative("eps", eps)
        check_not_negative("weight_decay", weight_decay)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init_single(self, param: Tensor, group: Group) -> States:
        return {"square_avg": zeros_like(param), "acc_delta": zeros_like(param)}

    def schedule(self, group: Group, situation: Situation) -> tuple[tuple[Number, ...], dict[str, Any]]:
        situation.numbers["step"] += 1
        rho = group["rho"]
        numbers = (scalar(group["lr"]), rho, 1 - rho, group["eps"], group["weight_decay"])
        return numbers, {"has_decay": not is_zero(group["weight_decay"]), "maximize": group["maximize"]}

"""Adamax: Adam with the largest gradient so far, decaying, instead of the mean square."""

from __future__ import annotations

from typing import Any

from zerograd.optim.arguments import check_betas, check_lr, check_not_negative, is_zero, scalar
from zerograd.optim.optimizer import Group, ParamsT
from zerograd.optim.rule import Number, Rule, Situation, States, for_each_parameter
from zerograd.tensor.functions.creation import zeros_like
from zerograd.tensor.tensor import Tensor


@for_each_parameter(states=2)
def update(
    p: Tensor,
    g: Tensor,
    m: Tensor,
    largest: Tensor,
    step_size: Number,
    renewal: Number,
    beta2: Number,
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
    m = m + renewal * (g - m)
    largest = (beta2 * largest).maximum(g.abs() + eps)
    return p - step_size * m / largest, m, largest


class Adamax(Rule):
    """p -= lr / (1 - beta1 ** step) * m / u, where u = max(beta2 * u, |g| + eps).

    Raises:
        ValueError: a negative lr, eps or weight_decay, or a beta outside [0, 1).
    Source: torch.optim.Adamax.
    """

    names = ("exp_avg", "exp_inf")
    update = staticmethod(update)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check_not_negative("eps", eps)
        check_betas(betas)
        check_not_negative("weight_decay", weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def init_single(self, param: Tensor, group: Group) -> States:
        return {"exp_avg": zeros_like(param), "exp_inf": zeros_like(param)}

    def schedule(self, group: Group, situation: Situation) -> tuple[tuple[Number, ...], dict[str, Any]]:
        situation.numbers["step"] += 1
        beta1, beta2 = group["betas"]
        step_size = scalar(group["lr"]) / (1 - beta1 ** situation.numbers["step"])
        numbers = (step_size, 1 - beta1, beta2, group["eps"], group["weight_decay"])
        return numbers, {"has_decay": not is_zero(group["weight_decay"]), "maximize": group["maximize"]}

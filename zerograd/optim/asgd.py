"""Averaged stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from zerograd.optim.arguments import check_lr, check_not_negative, is_zero
from zerograd.optim.optimizer import Group, ParamsT
from zerograd.optim.rule import Number, Rule, Situation, States, for_each_parameter
from zerograd.tensor.functions.creation import zeros_like
from zerograd.tensor.tensor import Tensor


@for_each_parameter(states=1)
def update(
    p: Tensor,
    g: Tensor,
    average: Tensor,
    eta: Number,
    mu: Number,
    keep: Number,
    weight_decay: Number,
    *,
    averaging: bool,
    has_decay: bool,
    maximize: bool,
) -> tuple[Tensor | None, ...]:
    if maximize:
        g = -g
    if has_decay:
        g = g + weight_decay * p
    p = keep * p - eta * g
    return p, average + mu * (p - average) if averaging else p.clone()


class ASGD(Rule):
    """Gradient descent with a step that shrinks, and the average of p from step t0 on in `state[p]["ax"]`.

    eta = lr / (1 + lambd * lr * step) ** alpha.

    Args:
        lambd: p also shrinks by lambd * eta * p in each step.
    Raises:
        ValueError: a negative lr or weight_decay.
    Source: torch.optim.ASGD.
    """

    names = ("ax",)
    update = staticmethod(update)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check_not_negative("weight_decay", weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def init_counters(self, group: Group) -> dict[str, float]:
        return {"step": 0.0, "eta": float(group["lr"]), "mu": 1.0}

    def init_single(self, param: Tensor, group: Group) -> States:
        return {"ax": zeros_like(param)}

    def schedule(self, group: Group, situation: Situation) -> tuple[tuple[Number, ...], dict[str, Any]]:
        counters, lr, lambd = situation.numbers, float(group["lr"]), group["lambd"]
        eta, mu = counters["eta"], counters["mu"]
        counters["step"] += 1
        counters["eta"] = lr / (1 + lambd * lr * counters["step"]) ** group["alpha"]
        counters["mu"] = 1 / max(1, counters["step"] - group["t0"])
        return (eta, mu, 1 - lambd * eta, group["weight_decay"]), {
            "averaging": mu != 1,
            "has_decay": not is_zero(group["weight_decay"]),
            "maximize": group["maximize"],
        }

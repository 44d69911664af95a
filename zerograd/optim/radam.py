"""RAdam: Adam that waits with its adaptive step until the mean square is reliable."""

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
    v: Tensor,
    step_size: Number,
    renewal1: Number,
    beta2: Number,
    renewal2: Number,
    eps: Number,
    decay: Number,
    *,
    rectified: bool,
    l2: bool,
    decoupled: bool,
    maximize: bool,
) -> tuple[Tensor | None, ...]:
    if maximize:
        g = -g
    if decoupled:
        p = decay * p
    elif l2:
        g = g + decay * p
    m = m + renewal1 * (g - m)
    v = beta2 * v + renewal2 * g * g
    direction = m / (v.sqrt() + eps) if rectified else m
    return p - step_size * direction, m, v


class RAdam(Rule):
    """Adam with a step scaled by how much the mean square varies; plain momentum while it varies too much.

    Raises:
        ValueError: a negative lr, eps or weight_decay, or a beta outside [0, 1).
    Source: torch.optim.RAdam.
    """

    names = ("exp_avg", "exp_avg_sq")
    update = staticmethod(update)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
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
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init_single(self, param: Tensor, group: Group) -> States:
        return {"exp_avg": zeros_like(param), "exp_avg_sq": zeros_like(param)}

    def schedule(self, group: Group, situation: Situation) -> tuple[tuple[Number, ...], dict[str, Any]]:
        situation.numbers["step"] += 1
        step = situation.numbers["step"]
        lr, (beta1, beta2), decay = scalar(group["lr"]), group["betas"], group["weight_decay"]
        correction = 1 - beta2**step
        step_size = lr / (1 - beta1**step)
        # The mean of squares is worth `length` samples, in the limit `longest`; below 5 its variance is
        # too large, or infinite, to divide by it.
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / correction
        rectified = length > 5.0
        if rectified:
            variance = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            step_size = step_size * (variance * correction) ** 0.5
        decoupled = bool(group["decoupled_weight_decay"]) and not is_zero(decay)
        shrinking = 1 - lr * decay if decoupled else decay
        numbers = (step_size, 1 - beta1, beta2, 1 - beta2, group["eps"], shrinking)
        return numbers, {
            "rectified": rectified,
            "l2": not decoupled and not is_zero(decay),
            "decoupled": decoupled,
            "maximize": group["maximize"],
        }

"""NAdam: Adam with Nesterov's momentum."""

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
    rate_of_gradient: Number,
    rate_of_mean: Number,
    renewal1: Number,
    beta2: Number,
    renewal2: Number,
    correction: Number,
    eps: Number,
    decay: Number,
    *,
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
    scale = (v / correction).sqrt() + eps
    return p - rate_of_gradient * g / scale - rate_of_mean * m / scale, m, v


class NAdam(Rule):
    """Adam that looks one step ahead: it moves by the gradient and by the mean that follows it.

    The momentum mu = beta1 * (1 - 0.96 ** (step * momentum_decay) / 2) grows towards beta1; the product of
    all mu so far corrects the mean for its start at 0.

    Raises:
        ValueError: a negative lr, eps, weight_decay or momentum_decay, or a beta outside [0, 1).
    Source: torch.optim.NAdam.
    """

    names = ("exp_avg", "exp_avg_sq")
    update = staticmethod(update)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
        check_not_negative("momentum_decay", momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init_counters(self, group: Group) -> dict[str, float]:
        return {"step": 0.0, "mu_product": 1.0}

    def init_single(self, param: Tensor, group: Group) -> States:
        return {"exp_avg": zeros_like(param), "exp_avg_sq": zeros_like(param)}

    def schedule(self, group: Group, situation: Situation) -> tuple[tuple[Number, ...], dict[str, Any]]:
        counters = situation.numbers
        counters["step"] += 1
        step, growth = counters["step"], group["momentum_decay"]
        lr, (beta1, beta2), decay = scalar(group["lr"]), group["betas"], group["weight_decay"]
        mu = beta1 * (1 - 0.5 * 0.96 ** (step * growth))
        next_mu = beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * growth))
        product = counters["mu_product"] = situation.round(counters["mu_product"] * mu)
        decoupled = bool(group["decoupled_weight_decay"]) and not is_zero(decay)
        numbers = (
            lr * (1 - mu) / (1 - product),
            lr * next_mu / (1 - product * next_mu),
            1 - beta1,
            beta2,
            1 - beta2,
            1 - beta2**step,
            group["eps"],
            1 - lr * decay if decoupled else decay,
        )
        return numbers, {
            "l2": not decoupled and not is_zero(decay),
            "decoupled": decoupled,
            "maximize": group["maximize"],
        }

"""Adam, also in the forms AMSGrad and, with decoupled weight decay, AdamW."""

from __future__ import annotations

from typing import Any

from zerograd import errors
from zerograd.optim.arguments import (
    check_betas,
    check_implementation,
    check_lr,
    check_not_negative,
    is_zero,
    scalar,
)
from zerograd.optim.optimizer import Group, ParamsT
from zerograd.optim.rule import Number, Rule, Situation, States, for_each_parameter
from zerograd.tensor.functions.creation import zeros_like
from zerograd.tensor.tensor import Tensor


@for_each_parameter(states=3)
def update(
    p: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    largest_v: Tensor | None,
    step_size: Number,
    renewal1: Number,
    beta2: Number,
    renewal2: Number,
    eps: Number,
    decay: Number,
    *,
    l2: bool,
    decoupled: bool,
    amsgrad: bool,
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
    scale = v
    if amsgrad:
        scale = largest_v = v.clone() if largest_v is None else largest_v.maximum(v)
    return p - step_size * (m / (scale.sqrt() + eps)), m, v, largest_v


class Adam(Rule):
    """p -= lr * m / (sqrt(v) + eps), where m and v are running means of the gradient and of its square.

    Both means start at 0 and are divided by 1 - beta ** step, which corrects them for that. What divides v is taken
    out of the fraction, m / (sqrt(v) / root + eps) = root * m / (sqrt(v) + eps * root): one division less an element.

    Args:
        betas: what the means keep of their value in each step.
        weight_decay: adds weight_decay * p to the gradient; with `decoupled_weight_decay` p shrinks by
            lr * weight_decay * p instead (AdamW).
        amsgrad: divide by the largest v so far.
    Raises:
        ValueError: a negative lr, eps or weight_decay, or a beta outside [0, 1).
        RuntimeError: fused together with foreach or differentiable.
    Source: torch.optim.Adam.
    """

    names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    update = staticmethod(update)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_lr(lr)
        check_not_negative("eps", eps)
        check_betas(betas)
        check_not_negative("weight_decay", weight_decay)
        _check_tensor_arguments(lr, betas, foreach=bool(foreach) and not capturable)
        defaults = {
            "lr": lr,
            "betas": tuple(scalar(beta) for beta in betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)
        check_implementation(foreach=foreach, fused=fused, differentiable=differentiable)

    def init_single(self, param: Tensor, group: Group) -> States:
        state: States = {"exp_avg": zeros_like(param), "exp_avg_sq": zeros_like(param)}
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = zeros_like(param)
        return state

    def made_by_update(self, group: Group) -> tuple[str, ...]:
        return ("max_exp_avg_sq",) if group["amsgrad"] else ()

    def schedule(self, group: Group, situation: Situation) -> tuple[tuple[Number, ...], dict[str, Any]]:
        step = situation.numbers["step"] = situation.numbers["step"] + 1
        lr, (beta1, beta2), decay = group["lr"], group["betas"], group["weight_decay"]
        if lr.__class__ is not float:
            lr = scalar(lr)
        decays = not is_zero(decay)
        decoupled = decays and bool(group["decoupled_weight_decay"])
        root = (1 - beta2**step) ** 0.5
        numbers = (
            lr / (1 - beta1**step) * root,
            1 - beta1,
            beta2,
            1 - beta2,
            group["eps"] * root,
            1 - lr * decay if decoupled else decay,
        )
        return numbers, {
            "l2": decays and not decoupled,
            "decoupled": decoupled,
            "amsgrad": group["amsgrad"],
            "maximize": group["maximize"],
        }


def _check_tensor_arguments(lr: float | Tensor, betas: tuple[float | Tensor, float | Tensor], *, foreach: bool) -> None:
    tensors = [isinstance(beta, Tensor) for beta in betas]
    if any(tensors) != all(tensors) or not all(isinstance(beta, float | Tensor) for beta in betas):
        raise errors.value("betas are two floats or two tensors", betas=betas)
    for index, beta in enumerate(betas):
        if isinstance(beta, Tensor) and beta.numel() != 1:
            raise errors.value(f"betas[{index}] has one element", shape=list(beta.shape))
    if foreach and (isinstance(lr, Tensor) or any(tensors)):
        raise errors.value(
            "lr and betas are numbers, not tensors, with foreach=True and capturable=False",
            hint="leave out foreach: it changes nothing",
        )

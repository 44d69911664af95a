"""RMSprop: the gradient divided by the root of its mean square."""

from __future__ import annotations

from typing import Any

from zerograd.optim.arguments import check_lr, check_not_negative, is_zero, scalar
from zerograd.optim.optimizer import Group, ParamsT
from zerograd.optim.rule import Number, Rule, Situation, States, for_each_parameter
from zerograd.tensor.functions.creation import zeros_like
from zerograd.tensor.tensor import Tensor


@for_each_parameter(states=3)
def update(
    p: Tensor,
    g: Tensor,
    v: Tensor,
    buffer: Tensor | None,
    mean: Tensor | None,
    lr: Number,
    alpha: Number,
    renewal: Number,
    eps: Number,
    weight_decay: Number,
    momentum: Number,
    *,
    centered: bool,
    has_momentum: bool,
    has_decay: bool,
    maximize: bool,
) -> tuple[Tensor | None, ...]:
    if maximize:
        g = -g
    if has_decay:
        g = g + weight_decay * p
    v = alpha * v + renewal * g * g
    scale = v
    if centered:
        new = renewal * g if mean is None else mean + renewal * (g - mean)
        scale, mean = v - new * new, new
    direction = g / (scale.sqrt() + eps)
    if has_momentum:
        direction = buffer = direction if buffer is None else momentum * buffer + direction
    return p - lr * direction, v, buffer, mean


class RMSprop(Rule):
    """p -= lr * g / (sqrt(v) + eps), where v = alpha * v + (1 - alpha) * g ** 2.

    Args:
        momentum: move by a running sum of these directions.
        centered: subtract the squared running mean of g from v, which makes it a variance.
    Raises:
        ValueError: a negative lr, alpha, eps, momentum or weight_decay.
    Source: torch.optim.RMSprop.
    """

    names = ("square_avg", "momentum_buffer", "grad_avg")
    update = staticmethod(update)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        for name, value in {
            "eps": eps,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "alpha": alpha,
        }.items():
            check_not_negative(name, value)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init_single(self, param: Tensor, group: Group) -> States:
        return {name: zeros_like(param) for name in ("square_avg", *self.made_by_update(group))}

    def made_by_update(self, group: Group) -> tuple[str, ...]:
        wanted = {"momentum_buffer": group["momentum"] > 0, "grad_avg": group["centered"]}
        return tuple(name for name, used in wanted.items() if used)

    def schedule(self, group: Group, situation: Situation) -> tuple[tuple[Number, ...], dict[str, Any]]:
        situation.numbers["step"] += 1
        rest = (group[name] for name in ("eps", "weight_decay", "momentum"))
        return (scalar(group["lr"]), group["alpha"], 1 - group["alpha"], *rest), {
            "centered": group["centered"],
            "has_momentum": group["momentum"] > 0,
            "has_decay": not is_zero(group["weight_decay"]),
            "maximize": group["maximize"],
        }

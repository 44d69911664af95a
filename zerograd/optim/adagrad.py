"""Adagrad: the gradient divided by the root of the sum of all its squares."""

from __future__ import annotations

from typing import Any

from zerograd.optim.arguments import check_implementation, check_lr, check_not_negative, is_zero, scalar
from zerograd.optim.optimizer import Group, ParamsT
from zerograd.optim.rule import Number, Rule, Situation, States, for_each_parameter
from zerograd.tensor.functions.creation import full_like
from zerograd.tensor.tensor import Tensor


@for_each_parameter(states=1)
def update(
    p: Tensor,
    g: Tensor,
    total: Tensor,
    rate: Number,
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
    total = total + g * g
    return p - rate * g / (total.sqrt() + eps), total


class Adagrad(Rule):
    """p -= lr / (1 + (step - 1) * lr_decay) * g / (sqrt(sum of g ** 2) + eps).

    Args:
        initial_accumulator_value: where the sum starts.
    Raises:
        ValueError: a negative lr, lr_decay, weight_decay, initial_accumulator_value or eps.
        RuntimeError: fused together with foreach or differentiable.
    Source: torch.optim.Adagrad.
    """

    names = ("sum",)
    update = staticmethod(update)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check_not_negative("lr_decay", lr_decay)
        check_not_negative("weight_decay", weight_decay)
        check_not_negative("initial_accumulator_value", initial_accumulator_value)
        check_not_negative("eps", eps)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_implementation(foreach=foreach, fused=fused, differentiable=differentiable)
        self.begin()  # as in PyTorch: programs share the sums between processes before the first step

    def init_single(self, param: Tensor, group: Group) -> States:
        start = self.defaults["initial_accumulator_value"]
        return {"sum": full_like(param, complex(start, start) if param.is_complex() else start)}

    def schedule(self, group: Group, situation: Situation) -> tuple[tuple[Number, ...], dict[str, Any]]:
        rate = scalar(group["lr"]) / (1 + situation.numbers["step"] * group["lr_decay"])
        situation.numbers["step"] += 1
        has_decay = not is_zero(group["weight_decay"])
        numbers = (rate, group["eps"], group["weight_decay"])
        return numbers, {"has_decay": has_decay, "maximize": group["maximize"]}

    def share_memory(self) -> None:
        """Moves the sums into memory that several processes share.

        Source: torch.optim.Adagrad.share_memory.
        """
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param]["sum"].share_memory_()

"""Rprop: only the sign of the gradient counts, and each element has its own step."""

from __future__ import annotations

from typing import Any

from zerograd import errors
from zerograd.optim.arguments import check_lr, scalar
from zerograd.optim.optimizer import Group, ParamsT
from zerograd.optim.rule import Number, Rule, Situation, States, for_each_parameter
from zerograd.tensor.functions.comparison import where
from zerograd.tensor.functions.creation import full_like, zeros_like
from zerograd.tensor.tensor import Tensor


@for_each_parameter(states=2)
def update(
    p: Tensor,
    g: Tensor,
    previous: Tensor,
    size: Tensor,
    shrink: Number,
    grow: Number,
    smallest: Number,
    largest: Number,
    *,
    maximize: bool,
) -> tuple[Tensor | None, ...]:
    if maximize:
        g = -g
    agreement = g * previous
    size = where(agreement > 0, grow * size, where(agreement < 0, shrink * size, size))
    size = size.clamp(smallest, largest)
    g = where(agreement < 0, 0.0, g)
    return p - size * g.sign(), g.clone(), size


class Rprop(Rule):
    """p -= size * sign(g); the size grows while the sign stays, and shrinks when it changes.

    After a change of sign the element waits for one step.

    Args:
        lr: the first size.
        etas: by what a size is multiplied when it shrinks and when it grows.
        step_sizes: the smallest and the largest size.
    Raises:
        ValueError: a negative lr, or not 0 < etas[0] < 1 < etas[1].
    Source: torch.optim.Rprop.
    """

    names = ("prev", "step_size")
    update = staticmethod(update)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise errors.value("etas must be a factor in (0, 1) and one above 1", etas=etas)
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def init_single(self, param: Tensor, group: Group) -> States:
        lr = float(scalar(group["lr"]))
        return {
            "prev": zeros_like(param),
            "step_size": full_like(param, complex(lr, lr) if param.is_complex() else lr),
        }

    def schedule(self, group: Group, situation: Situation) -> tuple[tuple[Number, ...], dict[str, Any]]:
        situation.numbers["step"] += 1
        return (*group["etas"], *group["step_sizes"]), {"maximize": group["maximize"]}

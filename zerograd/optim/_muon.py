"""Muon: momentum whose matrix is made orthogonal before it moves the parameter."""

from __future__ import annotations

import math
from typing import Any

from zerograd import errors
from zerograd.optim.arguments import check_lr, check_not_negative, scalar
from zerograd.optim.optimizer import Group, ParamsT
from zerograd.optim.rule import Number, Rule, Situation, States, for_each_parameter
from zerograd.tensor.functions.creation import zeros_like
from zerograd.tensor.tensor import Tensor

# x -> a x + b x^3 + c x^5, repeated, drives singular values in (0, 1] towards 1 fastest near 0.
# Source: Keller Jordan, "Muon: An optimizer for hidden layers in neural networks", 2024.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


@for_each_parameter(states=1)
def update(
    p: Tensor,
    g: Tensor,
    buffer: Tensor,
    lr: Number,
    momentum: Number,
    renewal: Number,
    keep: Number,
    *,
    nesterov: bool,
    coefficients: tuple[float, float, float],
    rounds: int,
    eps: float,
    adjustment: str | None,
) -> tuple[Tensor | None, ...]:
    buffer = buffer + renewal * (g - buffer)
    direction = g + momentum * (buffer - g) if nesterov else buffer
    direction = orthogonal(direction, coefficients, rounds, eps)
    return keep * p - lr * (_adjustment(adjustment, *p.shape) * direction), buffer


def orthogonal(matrix: Tensor, coefficients: tuple[float, float, float], rounds: int, eps: float) -> Tensor:
    """Nearly U @ V.T of the matrix's singular value decomposition, by a Newton-Schulz iteration in bfloat16.

    Sums are computed in float32 and rounded once, as a product in bfloat16 with an addend does it.
    """
    a, b, c = coefficients
    x = matrix.bfloat16()
    tall = matrix.shape[0] > matrix.shape[1]
    if tall:
        x = x.T
    x = (x / x.norm().clamp(min=eps)).float()
    for _ in range(rounds):
        gram = _rounded(x @ x.T)
        x = _rounded(a * x + _rounded(b * gram + c * (gram @ gram)) @ x)
    return x.T if tall else x


def _rounded(x: Tensor) -> Tensor:
    """float32 values that bfloat16 holds exactly."""
    return x.bfloat16().float()


def _adjustment(name: str | None, rows: int, columns: int) -> float:
    """What the learning rate is multiplied by, so that it suits matrices of every shape."""
    if name == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1, rows / columns))


class Muon(Rule):
    """Moves each matrix by the orthogonal matrix that is nearest to its momentum.

    For the weights of hidden layers; everything else belongs in another optimizer.

    Args:
        ns_coefficients: of the odd polynomial of degree 5 that is iterated.
        ns_steps: how often; below 100.
        adjust_lr_fn: "original" (None is the same) multiplies lr by sqrt(max(1, rows / columns)),
            "match_rms_adamw" by 0.2 * sqrt(max(rows, columns)).
    Raises:
        ValueError: a negative lr, momentum or weight_decay, a parameter that is no matrix, an unknown
            adjust_lr_fn, or too many ns_steps (the last in `step`).
        RuntimeError: a complex parameter.
    Source: torch.optim.Muon.
    """

    names = ("momentum_buffer",)
    update = staticmethod(update)

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = COEFFICIENTS,
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_lr(lr)
        check_not_negative("momentum", momentum)
        check_not_negative("weight_decay", weight_decay)
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise errors.value("adjust_lr_fn is 'original' or 'match_rms_adamw'", adjust_lr_fn=repr(adjust_lr_fn))
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for param in group["params"]:
                if param.dim() != 2:
                    raise errors.value("Muon needs matrices", parameter=list(param.shape))

    def init_counters(self, group: Group) -> dict[str, float]:
        return {}

    def init_single(self, param: Tensor, group: Group) -> States:
        return {"momentum_buffer": zeros_like(param)}

    def check_single(self, param: Tensor, grad: Tensor) -> None:
        if param.is_complex():
            raise errors.runtime("Muon has no rule for complex parameters", got=f"{param.dtype} {list(param.shape)}")
        super().check_single(param, grad)
        if grad.dim() != 2:  # of a parameter in a group that was added later
            raise errors.value("Muon needs matrices", parameter=list(param.shape))

    def schedule(self, group: Group, situation: Situation) -> tuple[tuple[Number, ...], dict[str, Any]]:
        if group["ns_steps"] >= 100:
            raise errors.value("ns_steps must be below 100: 5 are enough", ns_steps=group["ns_steps"])
        if len(group["ns_coefficients"]) != 3:
            raise errors.value("ns_coefficients are three numbers", ns_coefficients=group["ns_coefficients"])
        lr = scalar(group["lr"])
        momentum = group["momentum"]
        return (lr, momentum, 1 - momentum, 1 - lr * group["weight_decay"]), {
            "nesterov": group["nesterov"],
            "coefficients": tuple(group["ns_coefficients"]),
            "rounds": group["ns_steps"],
            "eps": group["eps"],
            "adjustment": group["adjust_lr_fn"],
        }

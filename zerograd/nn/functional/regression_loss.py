"""Losses of numbers against numbers."""

from __future__ import annotations

import math
from typing import Any

from zerograd import errors
from zerograd.ir.graph import Node
from zerograd.nn.functional.reducing import Reducing, chosen, reduced, warn_of_broadcast, weighted_mean
from zerograd.ops import elementwise as ew
from zerograd.ops.elementwise import (
    clamp_min,
    convert,
    div,
    exp,
    graft,
    gt,
    kept_where,
    log,
    lt,
    mul,
    plus,
    square,
    stop,
    sub,
    times,
    where,
)
from zerograd.ops.source import filled, ones_like
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply, labelled, promote, together
from zerograd.tensor.functions.refusals import FLOATING, require


def _difference(name: str, x: Node, y: Node) -> Node:
    x, y = together(name, x, y)
    return sub(x, y)


def _weighted(name: str, losses: Node, weight: Node, how: str) -> Node:
    losses, weight = promote(losses, weight)
    losses = mul(losses, weight)
    return weighted_mean(losses, weight) if how == "mean" else reduced(losses, how)


@labelled("MseLossBackward0")
def _mse_loss(x: Node, y: Node, how: str) -> Node:
    difference = _difference("mse_loss", x, y)
    require("mse_loss", difference, FLOATING)
    return reduced(square(difference), how)


def _weighted_mse_loss(x: Node, y: Node, weight: Node, how: Reducing) -> Node:
    return _weighted("mse_loss", square(_difference("mse_loss", x, y)), weight, how.how)


def _l1_loss(x: Node, y: Node, how: Reducing) -> Node:
    return reduced(ew.abs(_difference("l1_loss", x, y)), how.how)


def _weighted_l1_loss(x: Node, y: Node, weight: Node, how: Reducing) -> Node:
    return _weighted("l1_loss", ew.abs(_difference("l1_loss", x, y)), weight, how.how)


def _check_weight(name: str, weight: Any, input: Any) -> None:
    if weight._shape != input._shape:
        raise errors.value(f"{name} needs a weight for each element", weight=weight._type, input=input._type)


def mse_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Any:
    """(input - target)², reduced.

    Args:
        size_average, reduce: deprecated, use ``reduction``.
        reduction: "mean", "sum" or "none".
        weight: factors of the elements; their sum divides the mean.
    Source: torch.nn.functional.mse_loss.
    """
    warn_of_broadcast("mse_loss", input, target)
    how = chosen(reduction, size_average, reduce)
    if weight is None:
        return apply(_mse_loss, (input, target), (how,))
    _check_weight("mse_loss", weight, input)
    return apply(_weighted_mse_loss, (input, target, weight), (_divided(how),))


def _divided(how: str) -> Reducing:
    """The reduction of weighted losses, whose mean is a quotient."""
    return Reducing("mean", "DivBackward0") if how == "mean" else Reducing(how, "MulBackward0")


def l1_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Any:
    """|input - target|, reduced; see ``mse_loss``. Source: torch.nn.functional.l1_loss."""
    warn_of_broadcast("l1_loss", input, target)
    how = chosen(reduction, size_average, reduce)
    if weight is None:
        return apply(_l1_loss, (input, target), (Reducing(how, "AbsBackward0"),))
    _check_weight("l1_loss", weight, input)
    return apply(_weighted_l1_loss, (input, target, weight), (_divided(how),))


@labelled("SmoothL1LossBackward0")
def _smooth_l1_loss(x: Node, y: Node, how: str, beta: float) -> Node:
    difference = _difference("smooth_l1_loss", x, y)
    require("smooth_l1_loss", difference, FLOATING)
    size = ew.abs(difference)
    near = lt(size, filled(beta, size.type))
    return reduced(where(near, times(square(difference), 0.5 / beta), plus(size, -0.5 * beta)), how)


def smooth_l1_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Any:
    """d² / (2 beta) where d = |input - target| < beta, else d - beta / 2; reduced.

    Raises:
        RuntimeError: beta < 0.
    Source: torch.nn.functional.smooth_l1_loss.
    """
    warn_of_broadcast("smooth_l1_loss", input, target)
    how = chosen(reduction, size_average, reduce)
    if beta < 0:
        raise errors.runtime(f"smooth_l1_loss: beta is a distance from 0, so not negative, got {beta}")
    if beta == 0.0:
        return apply(_l1_loss, (input, target), (Reducing(how, "AbsBackward0"),))
    return apply(_smooth_l1_loss, (input, target), (how, float(beta)))


def _huber(name: str, x: Node, y: Node, delta: float) -> Node:
    difference = _difference(name, x, y)
    require(name, difference, FLOATING)
    size = ew.abs(difference)
    near = ew.le(size, filled(delta, size.type))
    return where(near, times(square(difference), 0.5), times(plus(size, -0.5 * delta), delta))


@labelled("HuberLossBackward0")
def _huber_loss(x: Node, y: Node, how: str, delta: float) -> Node:
    return reduced(_huber("huber_loss", x, y, delta), how)


def _weighted_huber_loss(x: Node, y: Node, weight: Node, how: Reducing, delta: float) -> Node:
    losses, weight = promote(_huber("huber_loss", x, y, delta), weight)
    return reduced(mul(losses, weight), how.how)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Any:
    """d² / 2 where d = |input - target| <= delta, else delta * (d - delta / 2); times weight, reduced.

    Raises:
        RuntimeError: delta <= 0.
    Source: torch.nn.functional.huber_loss.
    """
    warn_of_broadcast("huber_loss", input, target)
    how = chosen(reduction)
    if delta <= 0:
        raise errors.runtime(f"huber_loss: delta is a distance above 0, got {delta}")
    if weight is None:
        return apply(_huber_loss, (input, target), (how, float(delta)))
    _check_weight("huber_loss", weight, input)
    return apply(_weighted_huber_loss, (input, target, weight), (Reducing(how, "MulBackward0"), float(delta)))


def _poisson_nll_loss(x: Node, y: Node, how: Reducing, log_input: bool, full: bool, eps: float) -> Node:
    x, y = together("poisson_nll_loss", x, y)
    losses = sub(exp(x), mul(y, x)) if log_input else sub(x, mul(y, log(plus(x, eps))))
    if full:
        many = gt(y, ones_like(y))
        n = where(many, y, ones_like(y))
        stirling = ew.add(sub(mul(n, log(n)), n), times(log(times(n, 2 * math.pi)), 0.5))
        losses = ew.add(losses, kept_where(many, stirling))
    return reduced(losses, how.how)


def poisson_nll_loss(
    input: Any,
    target: Any,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """-log of the Poisson probability of ``target``, without its constant term.

    Args:
        log_input: the input is the logarithm of the expectation.
        full: add Stirling's approximation of the constant term where target > 1.
        eps: added to an expectation before its logarithm is taken.
    Source: torch.nn.functional.poisson_nll_loss.
    """
    how = Reducing(chosen(reduction, size_average, reduce), "SubBackward0")
    return apply(_poisson_nll_loss, (input, target), (how, bool(log_input), bool(full), float(eps)))


def _gaussian_nll_loss(x: Node, y: Node, variance: Node, how: Reducing, full: bool, eps: float) -> Node:
    if variance.type.weak:
        variance = convert(variance, x.dtype)
    x, y, variance = together("gaussian_nll_loss", x, y, variance)
    variance = graft(stop(clamp_min(variance, filled(eps, variance.type))), variance)
    losses = times(ew.add(log(variance), div(square(sub(x, y)), variance)), 0.5)
    if full:
        losses = plus(losses, 0.5 * math.log(2 * math.pi))
    return reduced(losses, how.how)


def gaussian_nll_loss(
    input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Any:
    """-log of the normal density of ``target`` for mean ``input`` and variance ``var``, without its constant term.

    Args:
        var: the variance, at least ``eps`` is used: a number, or a tensor of the input's shape, where the last
            dimension, or one, may be missing or 1. It is computed at once, to check it.
        full: add the constant term, log(2 pi) / 2.
    Raises:
        ValueError: a negative variance, or one of another shape.
    Source: torch.nn.functional.gaussian_nll_loss.
    """
    negative = bool((var._array() < 0).any()) if isinstance(var, TensorBase) else var < 0
    if negative:
        raise errors.value("gaussian_nll_loss: var has negative entries")
    if isinstance(var, TensorBase) and var._shape != input._shape:
        if var._shape == input._shape[:-1]:
            var = var.unsqueeze(-1)
        elif len(var._shape) != len(input._shape) or (
            sum(m for n, m in zip(input._shape, var._shape, strict=True) if n != m) != 1
        ):
            raise errors.value("gaussian_nll_loss: var does not fit the input", var=var._type, input=input._type)
    how = Reducing(chosen(reduction), "MulBackward0")
    return apply(_gaussian_nll_loss, (input, target, var), (how, bool(full), float(eps)))

"""Losses of probabilities against probabilities, and of yes-or-no scores."""

from __future__ import annotations

import warnings
from typing import Any

from zerograd import errors, shapes
from zerograd.ir.graph import Node
from zerograd.nn.functional.reducing import Reducing, chosen, reduced
from zerograd.ops import loss as ops
from zerograd.ops.activation import softplus
from zerograd.ops.elementwise import add, convert, div, exp, mul, neg, plus, sub
from zerograd.ops.movement import broadcast_to, reshape
from zerograd.ops.reduction import mean_of
from zerograd.ops.source import filled
from zerograd.ops.special_functions import xlogy
from zerograd.tensor.door import apply, labelled, promote, together
from zerograd.tensor.functions.refusals import FLOATING, require


def _times_weight(losses: Node, weight: Node | None) -> Node:
    if weight is None:
        return losses
    return mul(*together("weight", losses, weight))


@labelled("BinaryCrossEntropyBackward0")
def _binary_cross_entropy(p: Node, y: Node, weight: Node | None, how: str) -> Node:
    require("binary_cross_entropy", p, FLOATING)
    if y.dtype is not p.dtype:
        raise errors.runtime(
            f"binary_cross_entropy: found dtype {y.dtype.name} but expected {p.dtype.name}",
            target=y.type,
            hint=f"target.to(torch.{p.dtype.name})",
        )
    if weight is not None:
        weight = broadcast_to(weight, shapes.broadcast("binary_cross_entropy", p.shape, weight.shape))
    return reduced(_times_weight(ops.binary_cross_entropy(p, y), weight), how)


def binary_cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """-(y log p + (1 - y) log(1 - p)) for probabilities p, reduced; logarithms are at least -100.

    Args:
        input: probabilities, in [0, 1].
        target: probabilities of the same shape and dtype.
        weight: factors that broadcast to the input.
        size_average, reduce: deprecated, use ``reduction``.
    Raises:
        ValueError: target of another size.
        RuntimeError: an input outside [0, 1], or a target of another dtype.
    Source: torch.nn.functional.binary_cross_entropy.
    """
    how = chosen(reduction, size_average, reduce)
    if target._shape != input._shape:
        raise errors.value(
            "binary_cross_entropy needs a target for each element", input=input._type, target=target._type
        )
    if input._storage.buffer is not None:
        values = input._array()
        if values.size and not bool(((values >= 0) & (values <= 1)).all()):
            raise errors.runtime(
                f"binary_cross_entropy needs probabilities from 0 to 1, but the input goes from {values.min()} to"
                f" {values.max()}",
                input=input._type,
                hint="apply sigmoid first, or use binary_cross_entropy_with_logits",
            )
    return apply(_binary_cross_entropy, (input, target, weight), (how,))


@labelled("BinaryCrossEntropyWithLogitsBackward0")
def _with_logits(x: Node, y: Node, weight: Node | None, positive: Node | None, how: str) -> Node:
    """(1 - y) x + (1 + (positive - 1) y) log(1 + exp(-x))"""
    require("binary_cross_entropy_with_logits", x, FLOATING)
    if not y.dtype.is_inexact:
        raise errors.runtime(
            f"binary_cross_entropy_with_logits: a result of type {x.dtype.name} can't be cast to the target's type"
            f" {y.dtype.name}",
            target=y.type,
            hint="target.float()",
        )
    x, y = promote(x, y)
    softened = softplus(neg(x))
    if positive is not None:
        positive = broadcast_to(convert(positive, y.dtype), shapes.broadcast("pos_weight", y.shape, positive.shape))
        softened = mul(plus(mul(plus(positive, -1), y), 1), softened)
    losses = add(mul(plus(neg(y), 1), x), softened)
    return reduced(_times_weight(losses, weight), how)


def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Any:
    """``binary_cross_entropy(sigmoid(input), target)``, without overflow.

    Args:
        target: probabilities, of the input's shape.
        weight: factors that broadcast to the input.
        size_average, reduce: deprecated, use ``reduction``.
        pos_weight: factors of the part for y = 1, which broadcast to the target.
    Raises:
        ValueError: target of another size.
    Source: torch.nn.functional.binary_cross_entropy_with_logits.
    """
    how = chosen(reduction, size_average, reduce)
    if target._shape != input._shape:
        raise errors.value(
            "binary_cross_entropy_with_logits needs a target for each element of the input",
            input=input._type,
            target=target._type,
            hint="target.view_as(input), if only dimensions of size 1 differ",
        )
    return apply(_with_logits, (input, target, weight, pos_weight), (how,))


def _divergence(x: Node, y: Node, log_target: bool) -> Node:
    x, y = together("kl_div", x, y)
    return mul(exp(y), sub(y, x)) if log_target else sub(xlogy(y, y), mul(y, x))


def _kl_div(x: Node, y: Node, how: Reducing, log_target: bool) -> Node:
    return reduced(_divergence(x, y, log_target), how.how)


@labelled("DivBackward0")
def _kl_div_by_rows(x: Node, y: Node, log_target: bool) -> Node:
    total = reduced(_divergence(x, y, log_target), "sum")
    return div(total, filled(x.shape[0] if x.rank else 1, total.type))


def kl_div(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Any:
    """target * (log(target) - input): the Kullback-Leibler divergence from exp(input) to target, reduced.

    Args:
        input: logarithms of probabilities.
        target: probabilities, or their logarithms.
        size_average, reduce: deprecated, use ``reduction``.
        reduction: "batchmean" (the sum divided by the first size: the divergence's definition), "mean" (over all
            elements), "sum" or "none".
        log_target: the target is given as logarithms.
    Source: torch.nn.functional.kl_div.
    """
    legacy = size_average is not None or reduce is not None
    if reduction == "batchmean" and not legacy:
        return apply(_kl_div_by_rows, (input, target), (bool(log_target),))
    how = chosen(reduction, size_average, reduce)
    if how == "mean" and not legacy:
        warnings.warn(
            "kl_div: reduction 'mean' divides by the number of elements; 'batchmean' divides by the batch size, as"
            " the divergence is defined",
            stacklevel=2,
        )
    return apply(_kl_div, (input, target), (Reducing(how, "SubBackward0"), bool(log_target)))


@labelled("SoftMarginLossBackward0")
def _soft_margin_loss(x: Node, y: Node, how: str) -> Node:
    require("soft_margin_loss", x, FLOATING)
    x, y = together("soft_margin_loss", x, y)
    return reduced(softplus(neg(mul(y, x))), how)


def soft_margin_loss(
    input: Any, target: Any, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
) -> Any:
    """log(1 + exp(-target * input)) for targets 1 and -1, reduced. Source: torch.nn.functional.soft_margin_loss."""
    return apply(_soft_margin_loss, (input, target), (chosen(reduction, size_average, reduce),))


def _multilabel_soft_margin_loss(x: Node, y: Node, weight: Node | None, how: Reducing) -> Node:
    require("multilabel_soft_margin_loss", x, FLOATING)
    x, y = together("multilabel_soft_margin_loss", x, y)
    losses = add(mul(y, softplus(neg(x))), mul(plus(neg(y), 1), softplus(x)))
    losses = _times_weight(losses, weight)
    last = losses.rank - 1
    means = reshape(mean_of(losses, (last,)), shape=losses.shape[:-1])
    return reduced(means, how.how)


def multilabel_soft_margin_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """The mean over the classes (last dimension) of each one's binary cross entropy with logits, reduced.

    Args:
        target: 1 for the classes that hold, else 0.
        weight: factors of the classes.
        size_average, reduce: deprecated, use ``reduction``.
    Source: torch.nn.functional.multilabel_soft_margin_loss.
    """
    how = Reducing(chosen(reduction, size_average, reduce), "DivBackward0")
    return apply(_multilabel_soft_margin_loss, (input, target, weight), (how,))

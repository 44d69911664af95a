"""Losses that want differences of scores or distances to exceed a margin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zerograd import dtypes, errors, shapes
from zerograd.ir.graph import Node
from zerograd.nn.functional.classes import rows, verified
from zerograd.nn.functional.distance import pairwise_distance
from zerograd.nn.functional.reducing import Reducing, chosen, reduced
from zerograd.ops.elementwise import (
    add,
    clamp_min,
    convert,
    div,
    eq,
    kept_where,
    lt,
    minimum,
    mul,
    ne,
    neg,
    plus,
    relu,
    sqrt,
    square,
    sub,
    times,
    where,
    zeroed_where,
)
from zerograd.ops.indexing import gather, index, scatter_add
from zerograd.ops.movement import broadcast_to, expand, reshape
from zerograd.ops.reduction import any as any_of
from zerograd.ops.reduction import argmax, norm
from zerograd.ops.reduction import sum as total_of
from zerograd.ops.source import filled, iota, ones_like, zeros_like
from zerograd.tensor.door import apply, floats, labelled, together
from zerograd.tensor.functions import pointwise, reductions
from zerograd.tensor.functions.refusals import FLOATING, require


def _at_least_zero(x: Node) -> Node:
    return clamp_min(x, zeros_like(x))


def _hinge_embedding_loss(x: Node, y: Node, how: Reducing, margin: float) -> Node:
    """x where y is not -1, plus max(0, margin - x) where y is not 1."""
    x, y = together("hinge_embedding_loss", x, y)
    one = ones_like(y)
    losses = add(kept_where(ne(y, one), _at_least_zero(plus(neg(x), margin))), kept_where(ne(y, neg(one)), x))
    return reduced(losses, how.how)


def hinge_embedding_loss(
    input: Any,
    target: Any,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """The distance x where target is 1, max(0, margin - x) where it is -1, reduced.

    Source: torch.nn.functional.hinge_embedding_loss.
    """
    how = Reducing(chosen(reduction, size_average, reduce), "AddBackward0")
    return apply(_hinge_embedding_loss, (input, target), (how, float(margin)))


def _margin_ranking_loss(x: Node, y: Node, target: Node, how: Reducing, margin: float) -> Node:
    x, y, target = together("margin_ranking_loss", x, y, target)
    return reduced(_at_least_zero(plus(neg(mul(target, sub(x, y))), margin)), how.how)


def margin_ranking_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """max(0, margin - target * (x1 - x2)): target 1 wants x1 to be larger, -1 the other; reduced.

    Raises:
        RuntimeError: different numbers of dimensions.
    Source: torch.nn.functional.margin_ranking_loss.
    """
    how = Reducing(chosen(reduction, size_average, reduce), "ClampMinBackward0")
    if not len(input1._shape) == len(input2._shape) == len(target._shape):
        raise errors.runtime(
            "margin_ranking_loss needs tensors of equally many dimensions",
            input1=input1._type,
            input2=input2._type,
            target=target._type,
        )
    return apply(_margin_ranking_loss, (input1, input2, target), (how, float(margin)))


# --- classes by margins ----------------------------------------------------------------------------------


def _scores(name: str, x: Node) -> Node:
    """[batch, classes], with a batch of one for a vector."""
    require(name, x, FLOATING)
    if x.rank > 2 or (x.rank and x.shape[-1] == 0):
        raise errors.runtime(f"{name}: expected a non-empty vector or matrix", input=x.type)
    return reshape(x, shape=(1, *(x.shape or (1,)))) if x.rank < 2 else x


@labelled("MultiMarginLossBackward0")
def _multi_margin_loss(
    x: Node, target: Node, weight: Node | None, how: str, p: int, margin: float, known: bool
) -> Node:
    name = "multi_margin_loss"
    scores = _scores(name, x)
    batch, classes = scores.shape
    if target.rank > 1 or target.type.count != batch:
        raise errors.runtime(f"{name}: the target should be 1-D, of size {batch}", target=target.type, input=x.type)
    if weight is not None and weight.shape != (classes,):
        raise errors.runtime(f"{name}: inconsistent weight size, expected {classes}", weight=weight.type)
    places = rows(f"{name}: target", target, classes, known)
    column = reshape(places, shape=(batch, 1))
    own = gather(scores, column, axis=1)
    excess = relu(plus(sub(scores, expand(own, shape=scores.shape)), margin))
    losses = square(excess) if p == 2 else excess
    if weight is not None:
        factors = reshape(index(weight, reshape(places, shape=(batch,))), shape=(batch, 1))
        losses = mul(losses, expand(factors, shape=losses.shape))
    line = broadcast_to(iota(size=classes, dtype=dtypes.int64), scores.shape)
    losses = zeroed_where(eq(line, expand(column, shape=scores.shape)), losses)
    means = times(total_of(losses, axes=(1,)), 1 / classes)
    return reduced(reshape(means, shape=(batch,) if target.rank else ()), how)


def multi_margin_loss(
    input: Any,
    target: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """The mean over the other classes of max(0, margin - x[target] + x[i])^p, reduced.

    Args:
        input: scores, (N, C) or (C).
        target: class numbers, (N) or ().
        p: 1 or 2.
        weight: a factor for each target class, (C).
        size_average, reduce: deprecated, use ``reduction``.
    Raises:
        ValueError: another p.
        RuntimeError: sizes that do not fit, or a class number out of range.
    Source: torch.nn.functional.multi_margin_loss.
    """
    how = chosen(reduction, size_average, reduce)
    if p not in (1, 2):
        raise errors.value(f"multi_margin_loss: only p == 1 and p == 2 are supported, got {p}")
    if weight is not None and len(weight._shape) != 1:
        raise errors.value("multi_margin_loss: weight must be one-dimensional", weight=weight._type)
    classes = input._shape[-1] if input._shape else 1
    known = verified("multi_margin_loss: target", target, classes, error=errors.runtime)
    return apply(_multi_margin_loss, (input, target, weight), (how, int(p), float(margin), known))


@labelled("MultilabelMarginLossBackward0")
def _multilabel_margin_loss(x: Node, target: Node, how: str, known: bool) -> Node:
    name = "multilabel_margin_loss"
    if target.shape != x.shape:
        raise errors.runtime(f"{name}: inconsistent target size", target=target.type, input=x.type)
    scores = _scores(name, x)
    batch, classes = scores.shape
    places = reshape(rows(f"{name}: target", target, classes, known, -1), shape=scores.shape)
    ends = eq(places, filled(-1, places.type))
    first = argmax(convert(ends, dtypes.int64), axis=1)
    first = where(any_of(ends, axes=(1,)), first, filled(classes, first.type))
    line = broadcast_to(iota(size=classes, dtype=dtypes.int64), scores.shape)
    named = lt(line, expand(first, shape=scores.shape))
    places = kept_where(named, places)
    marks = convert(named, scores.dtype)
    hits = scatter_add(zeros_like(scores), places, marks, axis=1)
    others = eq(hits, zeros_like(hits))
    cube = (batch, classes, classes)
    own = expand(reshape(gather(scores, places, axis=1), shape=(batch, classes, 1)), shape=cube)
    rest = expand(reshape(scores, shape=(batch, 1, classes)), shape=cube)
    losses = relu(plus(sub(rest, own), 1))
    losses = kept_where(expand(reshape(others, shape=(batch, 1, classes)), shape=cube), losses)
    losses = kept_where(expand(reshape(named, shape=(batch, classes, 1)), shape=cube), losses)
    means = times(total_of(losses, axes=(1, 2)), 1 / classes)
    return reduced(reshape(means, shape=(batch,) if x.rank == 2 else ()), how)


def multilabel_margin_loss(
    input: Any, target: Any, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
) -> Any:
    """The mean of max(0, 1 - x[j] + x[i]) over classes j that hold and i that do not, per class; reduced.

    Args:
        input: scores, (N, C) or (C).
        target: of the same shape: the numbers of the classes that hold, then -1.
        size_average, reduce: deprecated, use ``reduction``.
    Raises:
        RuntimeError: sizes that do not fit, or a class number out of range.
    Source: torch.nn.functional.multilabel_margin_loss.
    """
    how = chosen(reduction, size_average, reduce)
    classes = input._shape[-1] if input._shape else 1
    known = verified("multilabel_margin_loss: target", target, classes, ignored=-1, error=errors.runtime)
    return apply(_multilabel_margin_loss, (input, target), (how, known))


# --- distances by margins --------------------------------------------------------------------------------


def _cosine_embedding_loss(x: Node, y: Node, target: Node, how: Reducing, margin: float) -> Node:
    x, y = together("cosine_embedding_loss", x, y)
    axis = x.rank - 1 if x.rank == 1 else 1
    rest = tuple(n for i, n in enumerate(x.shape) if i != axis)

    def along(product: Node) -> Node:
        return reshape(total_of(product, axes=(axis,)), shape=rest)

    lengths = sqrt(mul(plus(along(square(x)), 1e-12), plus(along(square(y)), 1e-12)))
    cosine = div(along(mul(x, y)), lengths)
    shape = shapes.broadcast("cosine_embedding_loss", cosine.shape, target.shape)
    cosine, target = broadcast_to(cosine, shape), broadcast_to(target, shape)
    one = ones_like(target)
    losses = add(
        kept_where(eq(target, one), plus(neg(cosine), 1)),
        kept_where(eq(target, neg(one)), _at_least_zero(plus(cosine, -margin))),
    )
    return reduced(losses, how.how)


def cosine_embedding_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """1 - cos(x1, x2) where target is 1, max(0, cos(x1, x2) - margin) where it is -1, reduced.

    Args:
        input1, input2: (N, D), or (D) with a target ().
        target: (N) or ().
    Raises:
        RuntimeError: sizes that do not fit.
    Source: torch.nn.functional.cosine_embedding_loss.
    """
    how = Reducing(chosen(reduction, size_average, reduce), "AddBackward0")
    rank = len(target._shape)
    if rank > 1:
        raise errors.runtime(
            "cosine_embedding_loss has one target for each pair: a vector, or a number", target=target._type
        )
    for one in (input1, input2):
        if len(one._shape) != rank + 1:
            raise errors.runtime(
                f"cosine_embedding_loss: a {rank}D target tensor expects {rank + 1}D input tensors",
                input1=input1._type,
                input2=input2._type,
                target=target._type,
            )
    return apply(_cosine_embedding_loss, (input1, input2, target), (how, float(margin)))


def _distance(x: Node, y: Node, p: float, eps: float) -> Node:
    x, y = together("triplet_margin_loss", x, y)
    last = x.rank - 1
    return reshape(norm(plus(floats(sub(x, y)), eps), axes=(last,), p=p), shape=x.shape[:-1])


def _triplet_margin_loss(
    anchor: Node, positive: Node, negative: Node, how: Reducing, margin: float, p: float, eps: float, swap: bool
) -> Node:
    near = _distance(anchor, positive, p, eps)
    far = _distance(anchor, negative, p, eps)
    if swap:
        far = minimum(far, _distance(positive, negative, p, eps))
    return reduced(_at_least_zero(plus(sub(near, far), margin)), how.how)


def _check_triplet(name: str, triplet: tuple[Any, Any, Any], margin: float) -> None:
    if margin <= 0:
        raise errors.value(f"{name}: a margin lies above 0, got {margin}")
    if len({len(one._shape) for one in triplet}) > 1:
        named = dict(zip(("anchor", "positive", "negative"), (one._type for one in triplet), strict=True))
        raise errors.runtime(f"{name} needs tensors of equally many dimensions", **named)


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) with ``p``-norm distances, reduced.

    Args:
        swap: use d(positive, negative) where that is smaller than d(anchor, negative).
    Raises:
        ValueError: margin <= 0.
        RuntimeError: different numbers of dimensions.
    Source: torch.nn.functional.triplet_margin_loss.
    """
    how = Reducing(chosen(reduction, size_average, reduce), "ClampMinBackward0")
    _check_triplet("triplet_margin_loss", (anchor, positive, negative), margin)
    statics = (how, float(margin), float(p), float(eps), bool(swap))
    return apply(_triplet_margin_loss, (anchor, positive, negative), statics)


def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """``triplet_margin_loss`` with any distance, a function of two tensors.

    Source: torch.nn.functional.triplet_margin_with_distance_loss.
    """
    how = chosen(reduction)
    _check_triplet("triplet_margin_with_distance_loss", (anchor, positive, negative), margin)
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = pointwise.minimum(far, distance(positive, negative))
    loss = pointwise.clamp_min(near - far + margin, 0)
    return loss if how == "none" else reductions.sum(loss) if how == "sum" else reductions.mean(loss)

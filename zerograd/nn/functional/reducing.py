"""How losses are reduced to a number: the argument ``reduction`` and its two predecessors."""

from __future__ import annotations

import warnings
from typing import Any

from zerograd.frozen import Frozen
from zerograd.ir.graph import Node
from zerograd.nn import _reduction
from zerograd.ops.elementwise import div, plus
from zerograd.ops.movement import reshape
from zerograd.ops.reduction import mean_of
from zerograd.ops.reduction import sum as total_of


class Reducing(Frozen):
    """A reduction, and what ``grad_fn`` shows after it (the op before it, if there is none)."""

    __slots__ = ("how", "inner")

    def __init__(self, how: str, inner: str) -> None:
        self.how, self.inner = how, inner

    @property
    def label(self) -> str:
        return {"mean": "MeanBackward0", "sum": "SumBackward0"}.get(self.how, self.inner)


def chosen(reduction: str, size_average: bool | None = None, reduce: bool | None = None) -> str:
    """The reduction that is meant, also by the deprecated arguments.

    Raises:
        ValueError: it is neither "none" nor "mean" nor "sum".
    """
    if size_average is not None or reduce is not None:
        return _reduction.legacy_get_string(size_average, reduce)
    return _reduction.known(reduction)


def everything(x: Node) -> Node:
    """The sum over all axes, 0-d."""
    return reshape(total_of(x, axes=tuple(range(x.rank))), shape=())


def reduced(loss: Node, how: str) -> Node:
    """The losses as they are, their mean or their sum. A mean of nothing is NaN."""
    if how == "none":
        return loss
    if how == "sum":
        return everything(loss)
    if not loss.type.count:
        return plus(everything(loss), float("nan"))
    return reshape(mean_of(loss, tuple(range(loss.rank))), shape=())


def weighted_mean(losses: Node, weights: Node) -> Node:
    """The sum of losses that are weighted already, divided by the sum of their weights."""
    return div(everything(losses), everything(weights))


def warn_of_broadcast(name: str, input: Any, target: Any) -> None:
    """A target of another size is broadcast, which is seldom meant."""
    if input._shape != target._shape:
        warnings.warn(
            f"{name}: the target's size {list(target._shape)} is different from the input's {list(input._shape)}:"
            " they are broadcast, which is probably not intended",
            stacklevel=3,
        )

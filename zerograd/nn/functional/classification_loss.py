"""Losses of class scores against class numbers or probabilities."""

from __future__ import annotations

from typing import Any

from zerograd import dtypes, errors
from zerograd.frozen import Frozen
from zerograd.ir.graph import Node, TensorType
from zerograd.nn.functional.classes import rows, verified
from zerograd.nn.functional.geometry import known_again
from zerograd.nn.functional.reducing import chosen, everything, reduced
from zerograd.ops.elementwise import add, convert, div, kept_where, mul, ne, neg, plus, times
from zerograd.ops.indexing import gather, index
from zerograd.ops.movement import broadcast_to, reshape
from zerograd.ops.reduction import sum as total_of
from zerograd.ops.softmax import log_softmax
from zerograd.ops.source import filled, ones_like
from zerograd.tensor.door import apply, reading
from zerograd.tensor.functions.arguments import as_tensor_argument
from zerograd.tensor.functions.products import linear
from zerograd.tensor.functions.refusals import FLOATING, require

TARGETS = (dtypes.int64, dtypes.uint8)


class Classes:
    """How class numbers make a loss.

    Attributes:
        name: the public function.
        reduction: "none", "mean" or "sum".
        ignored: the number that marks places without a class.
        smoothing: the share that is spread evenly over all classes.
        known: the numbers are known to be in range.
        logits: the scores are not yet logarithms of probabilities.
        spatial: there are axes besides the batch and the classes.
    """

    __slots__ = ("ignored", "known", "logits", "name", "reduction", "smoothing", "spatial")

    def __init__(
        self, name: str, reduction: str, ignored: int, smoothing: float, known: bool, logits: bool, spatial: bool
    ) -> None:
        self.name, self.reduction, self.ignored = name, reduction, ignored
        self.smoothing, self.known, self.logits, self.spatial = smoothing, known, logits, spatial

    @property
    def label(self) -> str:
        if self.smoothing > 0:
            return "AddBackward0"
        return "NllLoss2DBackward0" if self.spatial else "NllLossBackward0"


_classes = known_again(Classes)
_fitting: set[tuple[str, TensorType, TensorType]] = set()  # function, input and target that need no checking again
MOST_FITTING = 4096


def _axis(x: TensorType) -> int:
    return 1 if x.rank > 1 else 0


def _check_weight(name: str, weight: Node | None, x: Node) -> None:
    classes = x.shape[_axis(x.type)]
    if weight is None:
        return
    if weight.shape != (classes,):
        raise errors.runtime(
            f"{name}: the weight tensor should be defined for all {classes} classes", weight=weight.type, input=x.type
        )
    if weight.dtype is not x.dtype:
        raise errors.runtime(
            f"{name}: expected scalar type {x.dtype.name} but found {weight.dtype.name}", weight=weight.type
        )


@reading
def _by_numbers(x: Node, target: Node, weight: Node | None, how: Classes) -> Node:
    """-weight[class] * log probability of the class, reduced; its mean is divided by the weights."""
    require(how.name, x, FLOATING)
    _check_weight(how.name, weight, x)
    axis = _axis(x.type)
    if how.logits:
        x = log_softmax(x, axis=axis)
    classes = x.shape[axis]
    single = x.rank == 1 and target.rank == 1
    if single:
        target = reshape(target, shape=())
    places = rows(f"{how.name}: target", target, classes, how.known, how.ignored)
    counted = ne(places, filled(how.ignored, places.type))
    places = kept_where(counted, places)
    column = reshape(places, shape=(*places.shape[:axis], 1, *places.shape[axis:]))
    scores = reshape(gather(x, column, axis=axis), shape=places.shape)
    factors = ones_like(scores) if weight is None else reshape(index(weight, places), shape=places.shape)
    factors = kept_where(counted, factors)
    losses = neg(mul(kept_where(counted, scores), factors))  # what is ignored may be -infinity
    if how.smoothing == 0:
        return _reduced_by_weight(losses, factors, how.reduction)
    spread = x if weight is None else mul(x, broadcast_to(_by_class(weight, x), x.shape))
    smooth = neg(reshape(total_of(spread, axes=(axis,)), shape=places.shape))
    smooth = kept_where(counted, smooth)
    parts = [_reduced_by_weight(one, factors, how.reduction) for one in (losses, smooth)]
    return add(times(parts[0], 1 - how.smoothing), times(parts[1], how.smoothing / classes))


def _by_class(weight: Node, x: Node) -> Node:
    return reshape(weight, shape=(weight.shape[0], *(1,) * (x.rank - 1 - _axis(x.type))))


def _reduced_by_weight(losses: Node, factors: Node, how: str) -> Node:
    return div(everything(losses), everything(factors)) if how == "mean" else reduced(losses, how)


def _check_target(name: str, input: Any, target: Any) -> None:
    """Raises ValueError or RuntimeError unless the target has the input's shape without the classes."""
    shape, given = input._shape, target._shape
    if not shape:
        raise errors.value(f"{name}: expected an input with 1 or more dimensions (got 0)")
    if len(shape) == 1:
        if len(given) > 1:
            raise errors.runtime(
                f"{name}: an input without batch has one target", input=input._type, target=target._type
            )
        if len(given) == 1 and given[0] != 1:
            raise errors.value(f"{name}: an input without batch has one target", input=input._type, target=target._type)
        return
    if len(given) and given[0] != shape[0]:
        raise errors.value(
            f"{name} needs a target for each of the {shape[0]} rows, but got {given[0]}",
            input=input._type,
            target=target._type,
        )
    if given != (shape[0], *shape[2:]):
        hint = None
        if len(shape) == 2 and given == (shape[0], 1):
            hint = "target.squeeze(1) would fit"
        raise errors.runtime(
            f"{name} needs targets of shape {[shape[0], *shape[2:]]}, the input's without the classes",
            input=input._type,
            target=target._type,
            hint=hint,
        )


def _numbered(
    name: str, input: Any, target: Any, weight: Any, reduction: str, ignored: int, smoothing: float, logits: bool
) -> Any:
    kinds = name, input._type, target._type
    if kinds not in _fitting:
        _check_target(name, input, target)
        if target.dtype not in TARGETS:
            raise errors.runtime(
                f"{name} needs class numbers of int64 or uint8 as targets",
                target=target._type,
                hint="class numbers need target.long()",
            )
        if len(_fitting) >= MOST_FITTING:
            _fitting.clear()
        _fitting.add(kinds)
    shape = kinds[1].shape
    known = verified(f"{name}: target", target, shape[1 if len(shape) > 1 else 0], ignored=ignored)
    how = _classes(name, reduction, int(ignored), float(smoothing), known, logits, len(shape) > 2)
    return apply(_by_numbers, (input, target, weight), (how,))


def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """-input[target]: the negative log-likelihood of classes.

    Args:
        input: logarithms of probabilities, (N, C), (C) or (N, C, d1, ...).
        target: class numbers in [0, C), (N), () or (N, d1, ...), int64.
        weight: a factor for each class, (C); the factors of the targets' classes divide the mean.
        size_average, reduce: deprecated, use ``reduction``.
        ignore_index: a class number that does not count.
        reduction: "mean", "sum" or "none".
    Raises:
        IndexError: a class number out of range.
        ValueError, RuntimeError: sizes or dtypes that do not fit.
    Source: torch.nn.functional.nll_loss.
    """
    how = chosen(reduction, size_average, reduce)
    return _numbered("nll_loss", input, target, weight, how, ignore_index, 0.0, False)


class Probabilities(Frozen):
    """How class probabilities make a loss."""

    __slots__ = ("reduction", "smoothing")

    def __init__(self, reduction: str, smoothing: float) -> None:
        self.reduction, self.smoothing = reduction, smoothing

    @property
    def label(self) -> str:
        return "DivBackward1" if self.reduction == "mean" else "NegBackward0"


def _by_probabilities(x: Node, target: Node, weight: Node | None, how: Probabilities) -> Node:
    """-sum over the classes of target * log softmax(x), reduced; its mean is over all other axes."""
    require("cross_entropy", x, FLOATING)
    _check_weight("cross_entropy", weight, x)
    axis = _axis(x.type)
    scores = log_softmax(x, axis=axis)
    target = convert(target, x.dtype)
    if how.smoothing > 0:
        target = plus(times(target, 1 - how.smoothing), how.smoothing / x.shape[axis])
    losses = mul(scores, target)
    if weight is not None:
        losses = mul(losses, broadcast_to(_by_class(weight, x), x.shape))
    if how.reduction == "none":
        rest = tuple(n for i, n in enumerate(x.shape) if i != axis)
        return neg(reshape(total_of(losses, axes=(axis,)), shape=rest))
    total = neg(everything(losses))
    count = x.type.count / x.shape[axis]
    return div(total, filled(count, total.type)) if how.reduction == "mean" else total


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """-log softmax(input)[target], in nats, reduced.

    Args:
        input: logits, (N, C), (C) or (N, C, d1, ...).
        target: class numbers in [0, C), (N), () or (N, d1, ...), int64; or probabilities of the input's shape.
        weight: a factor for each class, (C); with class numbers, the factors of the targets divide the mean.
        size_average, reduce: deprecated, use ``reduction``.
        ignore_index: a class number that does not count.
        reduction: "mean", "sum" or "none".
        label_smoothing: the share of each target that is spread evenly over all classes, in [0, 1].
    Raises:
        IndexError: a class number out of range.
        ValueError, RuntimeError: sizes or dtypes that do not fit.
    Source: torch.nn.functional.cross_entropy.
    """
    how = chosen(reduction, size_average, reduce)
    as_tensor_argument("cross_entropy", "input", input)
    as_tensor_argument("cross_entropy", "target", target)
    if not 0.0 <= label_smoothing <= 1.0:
        raise errors.runtime(f"cross_entropy: label_smoothing is a share from 0 to 1, got {label_smoothing}")
    shape = input._shape
    if target._shape == shape and shape:
        if not target.dtype.is_floating_point:
            raise errors.runtime(
                "cross_entropy: a target of the input's shape has probabilities, which need a floating dtype",
                target=target._type,
            )
        if ignore_index >= 0:
            raise errors.runtime("cross_entropy: ignore_index is not supported for probabilities")
        return apply(_by_probabilities, (input, target, weight), (Probabilities(how, float(label_smoothing)),))
    return _numbered("cross_entropy", input, target, weight, how, ignore_index, label_smoothing, True)


def linear_cross_entropy(
    input: Any,
    linear_weight: Any,
    target: Any,
    *,
    linear_bias: Any = None,
    weight: Any = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Any:
    """``cross_entropy(linear(input, linear_weight, linear_bias), target)``.

    Args:
        input: (N, features) or (features).
        linear_weight: (C, features), or (C, d1, ..., features) for a target (N, d1, ...).
        linear_bias: the weight's shape without the features.
        weight, reduction, label_smoothing: see ``cross_entropy``.
        ignore_index: a class number that does not count, -100 by default.
        options: how to save memory; accepted, without effect on the result.
    Raises:
        RuntimeError: shapes that do not fit.
    Source: torch.nn.functional.linear_cross_entropy.
    """
    shape, table = input._shape, linear_weight._shape
    if len(shape) not in (1, 2) or len(table) < 2 or shape[-1] != table[-1] or (len(table) > 2 and len(shape) == 1):
        raise errors.runtime(
            "linear_cross_entropy: expected an input (N, features) or (features) and a weight (C, ..., features), with"
            " a batch if the weight has more than 2 dimensions",
            input=input._type,
            linear_weight=linear_weight._type,
        )
    if linear_bias is not None and linear_bias._shape != table[:-1]:
        raise errors.runtime(
            f"linear_cross_entropy: expected linear_bias of shape {table[:-1]}", linear_bias=linear_bias._type
        )
    wanted = (*shape[:-1], *table[:-1])
    if target._shape == wanted and ignore_index is not None:
        raise errors.runtime("linear_cross_entropy: ignore_index cannot be specified with probabilities")
    if len(table) > 2:
        linear_weight = linear_weight.reshape(-1, table[-1])
        linear_bias = None if linear_bias is None else linear_bias.reshape(-1)
    logits = linear(input, linear_weight, linear_bias)
    return cross_entropy(
        logits if len(table) == 2 else logits.reshape(wanted),
        target,
        weight=weight,
        reduction=reduction,
        ignore_index=-100 if ignore_index is None else ignore_index,
        label_smoothing=label_smoothing,
    )

"""Connectionist temporal classification: sequences against labels whose places are unknown."""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.ir.graph import Array, Node, TensorType
from zerograd.nn.functional.reducing import Reducing, chosen, reduced
from zerograd.ops import loss as ops
from zerograd.ops.elementwise import convert, div, eq, maximum, zeroed_where
from zerograd.ops.movement import reshape
from zerograd.ops.source import filled, ones_like
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply
from zerograd.tensor.functions.refusals import require

WIDE = (dtypes.float32, dtypes.float64)


def _ctc_loss(
    x: Node,
    targets: Node,
    input_lengths: Node,
    target_lengths: Node,
    how: Reducing,
    blank: int,
    zero_infinity: bool,
    batched: bool,
) -> Node:
    require("ctc_loss", x, WIDE)
    losses = ops.ctc(x, targets, input_lengths, target_lengths, blank=blank)
    if zero_infinity:
        losses = zeroed_where(eq(losses, filled(float("inf"), losses.type)), losses)
    if how.how == "mean":
        lengths = convert(target_lengths, losses.dtype)
        losses = div(losses, maximum(lengths, ones_like(lengths)))
    return reduced(losses if batched else reshape(losses, shape=()), how.how)


def _lengths(name: str, given: Any, batch: int) -> Array:
    """How long each row is, computed at once.

    Raises:
        RuntimeError: not one whole number for each row.
    """
    array = given._array() if isinstance(given, TensorBase) else np.asarray(given)
    if array.dtype.kind not in "iu":
        raise errors.runtime(f"ctc_loss: {name} must be integral", got=array.dtype)
    array = array.reshape(-1).astype(np.int64)
    if len(array) != batch:
        raise errors.runtime(f"ctc_loss: {name} must be of size batch_size, {batch}", got=len(array))
    if array.size and array.min() < 0:
        raise errors.runtime(f"ctc_loss: {name} must not be negative, got {array.min()}")
    return array


def _constant(array: Array) -> Any:
    return TensorBase.of_array(array, TensorType(array.shape, dtypes.int64))


def _check(x: TensorType, targets: Any, lengths: Array, target_lengths: Array, blank: int) -> None:
    times, _, classes = x.shape
    if not 0 <= blank < classes:
        raise errors.runtime(f"ctc_loss: blank must be in the label range [0, {classes - 1}], got {blank}")
    if targets.dtype not in (dtypes.int64, dtypes.int32):
        raise errors.runtime("ctc_loss: targets must be int64 or int32", targets=targets._type)
    if lengths.max(initial=0) > times:
        raise errors.runtime(f"ctc_loss: expected input_lengths of at most {times}, but got {lengths.max()}")
    if len(targets._shape) == 1:
        if target_lengths.sum() != targets._shape[0]:
            raise errors.runtime(
                f"ctc_loss: targets in one line must have as many elements as target_lengths say,"
                f" {target_lengths.sum()}",
                targets=targets._type,
            )
    elif len(targets._shape) != 2 or targets._shape[0] != x.shape[1]:
        raise errors.runtime("ctc_loss: expected targets (batch, longest) or in one line", targets=targets._type)
    elif target_lengths.max(initial=0) > targets._shape[1]:
        raise errors.runtime(
            f"ctc_loss: expected targets to have size at least {target_lengths.max()} at dimension 1",
            targets=targets._type,
        )


def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:
    """-log of the probability of all paths through classes over time that spell the labels, reduced.

    Args:
        log_probs: logarithms of probabilities, (time, N, C) or (time, C), from a ``log_softmax``.
        targets: labels, (N, longest), or all one after the other, (total); without a batch (length).
        input_lengths, target_lengths: how many times and labels of each row count: (N) or sequences; computed at once.
        blank: the class that stands for no label.
        reduction: "mean" (each row divided by its number of labels first), "sum" or "none".
        zero_infinity: labels that do not fit into the time cost 0, not infinity.
    Raises:
        RuntimeError: lengths, labels and sizes that do not fit each other.
    Source: torch.nn.functional.ctc_loss.
    """
    how = Reducing(chosen(reduction), "CtcLossBackward0")
    batched = len(log_probs._shape) == 3
    if not batched:
        if len(log_probs._shape) != 2:
            raise errors.runtime("ctc_loss: expected log_probs (time, batch, classes)", log_probs=log_probs._type)
        log_probs = log_probs.unsqueeze(1)
    batch = log_probs._shape[1]
    lengths = _lengths("input_lengths", input_lengths, batch)
    label_lengths = _lengths("target_lengths", target_lengths, batch)
    _check(log_probs._type, targets, lengths, label_lengths, blank)
    operands = (log_probs, targets, _constant(lengths), _constant(label_lengths))
    return apply(_ctc_loss, operands, (how, int(blank), bool(zero_infinity), batched))

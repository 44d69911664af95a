"""Losses that need a derivative of their own: where composing would lose it at the borders, or would be slow."""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd import errors
from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ops.elementwise import clamp_min, div, in_single, log, mul, neg, same, sub
from zerograd.ops.source import filled, ones_like
from zerograd.ops.transcendental import log1p

# --- probabilities -----------------------------------------------------------------------------------------


def _reference_binary_cross_entropy(p: Array, y: Array) -> Array:
    if p.size and not bool(np.all((p >= 0) & (p <= 1))):
        wrong = p[~((p >= 0) & (p <= 1))].flat[0]
        raise errors.runtime(
            f"binary_cross_entropy needs probabilities from 0 to 1, but the input holds {wrong}",
            hint="apply sigmoid first, or use binary_cross_entropy_with_logits",
        )
    least = p.dtype.type(-100)
    return -(y * np.maximum(np.log(p), least) + (1 - y) * np.maximum(np.log1p(-p), least))


def _by_probability(grad: Node, p: Node, y: Node) -> Node:
    """(p - y) / (p (1 - p)), finite at 0 and 1."""
    spread = mul(p, sub(ones_like(p), p))
    return mul(grad, div(sub(p, y), clamp_min(spread, filled(1e-12, p.type))))


def _by_target(grad: Node, p: Node) -> Node:
    return mul(grad, sub(log1p(neg(p)), log(p)))


binary_cross_entropy = Op(
    "binary_cross_entropy",
    lambda p, y: same("binary_cross_entropy", p, y),
    in_single(_reference_binary_cross_entropy),
    (_by_probability, _by_target),
    domain=(0.1, 0.9),
    elementwise=True,
)
"""-(y log p + (1 - y) log(1 - p)), with logarithms of at least -100."""

# --- alignments --------------------------------------------------------------------------------------------


def _labels(targets: Array, lengths: Array, blank: int) -> tuple[Array, Array]:
    """[batch, 2 * longest + 1]: labels with blanks around them; and where one may come straight after the last label.

    ``targets`` is [batch, longest], or all labels one after the other.
    """
    longest = int(lengths.max(initial=0))
    rows = np.full((len(lengths), longest), blank, np.int64)
    starts = np.cumsum(lengths) - lengths
    for i, n in enumerate(lengths):
        rows[i, :n] = targets[starts[i] : starts[i] + n] if targets.ndim == 1 else targets[i, :n]
    extended = np.full((len(lengths), 2 * longest + 1), blank, np.int64)
    extended[:, 1::2] = rows
    skips = np.zeros(extended.shape, np.bool_)
    skips[:, 3::2] = rows[:, 1:] != rows[:, :-1]
    return extended, skips


def _logaddexp(*terms: Array) -> Array:
    top = np.maximum.reduce(terms)
    safe = np.where(np.isneginf(top), 0, top)
    total = np.zeros_like(top)
    for one in terms:
        total = total + np.exp(one - safe)
    return np.log(total) + safe


def _shifted(x: Array, by: int) -> Array:
    """Rows moved to the right, -infinity before them."""
    out = np.full_like(x, -np.inf)
    out[:, by:] = x[:, : x.shape[1] - by]
    return out


def _forward(emitted: Array, skips: Array, lengths: Array) -> Array:
    """log of the probability of all paths that have reached each extended label at each time: [time, batch, labels].

    After a row's end its last line is repeated.
    """
    alpha = np.full_like(emitted, -np.inf)
    alpha[0, :, :2] = emitted[0, :, :2]
    for t in range(1, len(emitted)):
        last = alpha[t - 1]
        skipped = np.where(skips, _shifted(last, 2), -np.inf)
        step = _logaddexp(last, _shifted(last, 1), skipped) + emitted[t]
        alpha[t] = np.where((t < lengths)[:, None], step, last)
    return alpha


def _emitted(log_probs: Array, extended: Array) -> Array:
    return np.take_along_axis(log_probs, np.broadcast_to(extended, (len(log_probs), *extended.shape)), 2)


def _mask_beyond(alpha: Array, target_lengths: Array) -> Array:
    """Labels beyond a row's own length are out of reach."""
    inside = np.arange(alpha.shape[2]) < 2 * target_lengths[:, None] + 1
    return np.where(inside, alpha, -np.inf)


def _likelihood(alpha: Array, target_lengths: Array) -> Array:
    """log of the probability of all paths: those that end in the last label or the blank behind it."""
    rows = np.arange(alpha.shape[1])
    last = alpha[-1]
    end = last[rows, 2 * target_lengths]
    before = np.where(target_lengths > 0, last[rows, np.maximum(2 * target_lengths - 1, 0)], -np.inf)
    return _logaddexp(end, before)


def _reference_ctc(
    log_probs: Array, targets: Array, input_lengths: Array, target_lengths: Array, *, blank: int
) -> Array:
    extended, skips = _labels(targets, target_lengths, blank)
    if not len(log_probs):
        return np.where(target_lengths == 0, 0, np.inf).astype(log_probs.dtype)
    emitted = _mask_beyond(_emitted(log_probs, extended), target_lengths)
    loss = -_likelihood(_forward(emitted, skips, input_lengths), target_lengths)
    return np.where(input_lengths == 0, np.where(target_lengths == 0, 0, np.inf), loss).astype(log_probs.dtype)


def _infer_ctc(
    log_probs: TensorType, targets: TensorType, input_lengths: TensorType, target_lengths: TensorType, *, blank: int
) -> TensorType:
    return log_probs.with_shape((log_probs.shape[1],))


def _ctc_rule(
    grad: Node, log_probs: Node, targets: Node, input_lengths: Node, target_lengths: Node, out: Node, blank: int
) -> Node:
    return ctc_gradient(grad, log_probs, targets, input_lengths, target_lengths, out, blank=blank)


ctc = Op("ctc", _infer_ctc, _reference_ctc, (_ctc_rule, None, None, None))
"""-log of the probability that a path through [time, batch, classes] spells the labels, for each row of the batch.

A path names a class at each time; repeated classes count once, blanks not at all.
Source: A. Graves et al., Connectionist temporal classification, 2006.
"""


def _backward(emitted: Array, skips: Array, input_lengths: Array, target_lengths: Array) -> Array:
    """Like ``_forward`` from the end: of all paths that go on from each label at each time, itself included."""
    times, batch, labels = emitted.shape
    beta = np.full_like(emitted, -np.inf)
    rows = np.arange(batch)
    ends = np.full((batch, labels), -np.inf, emitted.dtype)
    ends[rows, 2 * target_lengths] = 0
    ends[rows, np.maximum(2 * target_lengths - 1, 0)] = 0
    reaching = np.zeros_like(skips)
    reaching[:, :-2] = skips[:, 2:]
    for t in reversed(range(times)):
        starts = ends + emitted[t]
        if t + 1 < times:
            later = beta[t + 1][:, ::-1]
            after_one, after_two = _shifted(later, 1)[:, ::-1], _shifted(later, 2)[:, ::-1]
            step = _logaddexp(beta[t + 1], after_one, np.where(reaching, after_two, -np.inf)) + emitted[t]
        else:
            step = np.full_like(ends, -np.inf)
        last, inside = np.equal(t, input_lengths - 1)[:, None], (t < input_lengths)[:, None]
        beta[t] = np.where(last, starts, np.where(inside, step, -np.inf))
    return beta


def _reference_ctc_gradient(
    grad: Array,
    log_probs: Array,
    targets: Array,
    input_lengths: Array,
    target_lengths: Array,
    loss: Array,
    *,
    blank: int,
) -> Array:
    extended, skips = _labels(targets, target_lengths, blank)
    if not len(log_probs):
        return np.zeros_like(log_probs)
    emitted = _mask_beyond(_emitted(log_probs, extended), target_lengths)
    through = _forward(emitted, skips, input_lengths) + _backward(emitted, skips, input_lengths, target_lengths)
    shares = np.exp(through + loss[:, None] - emitted)  # of all paths, those through each label at each time
    shares = np.where(np.isneginf(emitted), 0, shares)
    by_class = np.zeros_like(log_probs)
    rows = np.arange(len(loss))
    for label in range(extended.shape[1]):
        places: Any = (slice(None), rows, extended[:, label])  # NumPy's annotation knows no slices here
        np.add.at(by_class, places, shares[:, :, label])
    by_class[:, np.isinf(loss)] = np.nan
    inside = np.arange(len(log_probs))[:, None, None] < input_lengths[:, None]
    counts = inside & (grad != 0)[:, None]  # a loss that does not count may be infinite
    return np.where(counts, (np.exp(log_probs) - by_class) * grad[:, None], 0).astype(log_probs.dtype)


def _no_second_derivative(grad: Node) -> Node:
    raise NotImplementedError("the second derivative of ctc_loss is not implemented, here as in PyTorch")


def _infer_ctc_gradient(
    y: TensorType,
    log_probs: TensorType,
    targets: TensorType,
    input_lengths: TensorType,
    target_lengths: TensorType,
    loss: TensorType,
    *,
    blank: int,
) -> TensorType:
    return log_probs


ctc_gradient = Op("ctc_gradient", _infer_ctc_gradient, _reference_ctc_gradient, _no_second_derivative)
"""The gradient of ``ctc`` for log-probabilities that come from a log_softmax: PyTorch's, which adds exp(log_probs).

That addition changes nothing behind a log_softmax, whose own gradient removes it.
"""

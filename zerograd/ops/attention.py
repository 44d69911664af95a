"""Attention, softmax(q k^T scale + mask) v, as one op, so that an engine need not write the weights to memory.

    P = softmax(scale q k^T + mask)      [N, H, L, S], the weights
    o = P v

q is [N, H, L, E], k [N, H, S, E], v [N, H, S, Ev]. What comes out, and what comes back in as its gradient, has the
heads inside, [N, L, H, Ev], as programs want it next: they join the heads, and that is then a reshape. The gradient
needs of P only its *statistics*, the logarithm of each row's sum, from which and q and k the weights are known again.

The mask is boolean (True takes part) or is added to the scores, [N, H, L, S]; an operand of shape [0] stands for none.
A row in which it leaves nothing gives zeros; its statistic is infinite. ``causal``: row i sees the keys up to i.
What q, k and v hold at pairs that are masked may matter if it is not finite: 0 * NaN.

Half precision is computed in float32 and rounded at the end; its statistics are float32.

Source: T. Dao et al., FlashAttention, 2022, for the gradient from statistics.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ops.contraction import matmul, turn
from zerograd.ops.elementwise import add, cast, eq, is_half, mul, sub, where
from zerograd.ops.movement import expand, permute, reshape, zeros_of
from zerograd.ops.reduction import max as largest
from zerograd.ops.reduction import sum
from zerograd.ops.softmax import softmax
from zerograd.ops.source import filled, triangle, zeros_like

Grads = tuple[Node | None, ...]
INSIDE = (0, 2, 1, 3)  # the order of axes that puts the heads inside, and back

# --- types and NumPy -------------------------------------------------------------------------------------------


def _check(q: TensorType, k: TensorType, v: TensorType, mask: TensorType) -> None:
    same = q.dtype is k.dtype is v.dtype and q.dtype.is_floating_point
    fits = q.rank == k.rank == v.rank == 4 and q.shape[:2] == k.shape[:2] == v.shape[:2]
    if not same or not fits or q.shape[3] != k.shape[3] or k.shape[2] != v.shape[2] or not k.shape[2]:
        raise errors.runtime(
            "attention needs query [N, H, L, E], key [N, H, S, E], value [N, H, S, Ev]", query=q, key=k, value=v
        )
    if mask.shape not in ((0,), (*q.shape[:3], k.shape[2])):
        raise errors.runtime("attention needs a mask [N, H, L, S], or [0] for none", query=q, key=k, mask=mask)


def inside(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with the heads inside."""
    return tuple([shape[axis] for axis in INSIDE])


def _infer_attention(
    q: TensorType, k: TensorType, v: TensorType, mask: TensorType, *, causal: bool, scale: float
) -> tuple[TensorType, ...]:
    _check(q, k, v, mask)
    statistics = dtypes.float32 if q.dtype.itemsize == 2 else q.dtype
    return q.with_shape(inside((*q.shape[:3], v.shape[3]))), TensorType(q.shape[:3], statistics)


def _wide(*arrays: Array) -> list[Array]:
    return [one.astype(np.float32) if is_half(one) else one for one in arrays]


def scores_of(q: Array, k: Array, mask: Array, causal: bool, scale: float) -> Array:
    """Scaled and masked."""
    scores = np.matmul(q, np.swapaxes(k, 2, 3))
    scores *= scale
    if mask.ndim == 4:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask.astype(scores.dtype)
        scores = scores.astype(q.dtype, copy=False)
    if causal:
        scores[..., ~np.tri(*scores.shape[2:], dtype=bool)] = -np.inf
    return scores


def _reference_attention(
    q: Array, k: Array, v: Array, mask: Array, *, causal: bool, scale: float
) -> tuple[Array, Array]:
    kind = q.dtype
    q, k, v = _wide(q, k, v)
    scores = scores_of(q, k, mask, causal, scale)
    most = scores.max(3, keepdims=True)
    if mask.ndim == 4:
        most[most == -np.inf] = 0  # nothing is left
    weights = np.exp(scores - most)
    total = weights.sum(3, keepdims=True)
    nothing = total == 0
    weights /= np.where(nothing, 1, total)
    statistics = np.where(nothing, np.inf, most + np.log(np.where(nothing, 1, total)))
    out = np.ascontiguousarray(np.matmul(weights, v).transpose(INSIDE))
    return out.astype(kind, copy=False), statistics[..., 0].astype(q.dtype, copy=False)


def _infer_gradient(
    from_out: TensorType,
    q: TensorType,
    k: TensorType,
    v: TensorType,
    mask: TensorType,
    attended: TensorType,
    statistics: TensorType,
    *,
    causal: bool,
    scale: float,
) -> tuple[TensorType, ...]:
    types = _infer_attention(q, k, v, mask, causal=causal, scale=scale)
    if (attended, statistics) != types or from_out is not attended:
        raise errors.runtime("the gradient of attention needs its results", result=attended, statistics=statistics)
    return tuple([one.with_shape(inside(one.shape)) for one in (q, k, v)])


def _reference_gradient(
    from_out: Array,
    q: Array,
    k: Array,
    v: Array,
    mask: Array,
    attended: Array,
    statistics: Array,
    *,
    causal: bool,
    scale: float,
) -> tuple[Array, ...]:
    kind = q.dtype
    g, q, k, v, attended = _wide(from_out, q, k, v, attended)
    g, attended = g.transpose(INSIDE), attended.transpose(INSIDE)
    scores = scores_of(q, k, mask, causal, scale)
    weights = np.exp(scores - statistics[..., None])
    slope = np.matmul(g, np.swapaxes(v, 2, 3)) - (g * attended).sum(3, keepdims=True)
    slope *= weights
    slope *= scale
    slope[scores == -np.inf] = 0
    results = np.matmul(slope, k), np.matmul(np.swapaxes(slope, 2, 3), q), np.matmul(np.swapaxes(weights, 2, 3), g)
    return tuple([np.ascontiguousarray(one.transpose(INSIDE)).astype(kind, copy=False) for one in results])


# --- nodes -------------------------------------------------------------------------------------------------------


def _turned(x: Node) -> Node:
    """The heads put inside, or outside again."""
    return permute(x, order=INSIDE)


def _times(x: Node, number: float) -> Node:
    return mul(x, filled(number, x.type))


def _spread(x: Node, like: Node) -> Node:
    return expand(reshape(x, shape=(*x.shape[:3], 1)), shape=like.shape)


def _row_sum(x: Node) -> Node:
    return expand(sum(x, axes=(3,)), shape=x.shape)


def weights_of(q: Node, k: Node, mask: Node, causal: bool, scale: float) -> Node:
    """P, composed of other ops."""
    scores = _times(matmul(q, turn(k)), scale)
    least = filled(-np.inf, scores.type)
    if causal:
        seen = triangle(shape=scores.shape[2:], diagonal=0)
        seen = expand(reshape(seen, shape=(1, 1, *seen.shape)), shape=scores.shape)
        scores = where(seen, scores, least)
    if mask.rank != 4:
        return softmax(scores, axis=3)
    if mask.dtype is dtypes.bool_:
        scores = where(mask, scores, least)
    else:
        scores = add(scores, mask if mask.dtype is scores.dtype else cast(mask, dtype=scores.dtype))
    most = largest(scores, axes=(3,))
    nothing = expand(eq(most, filled(-np.inf, most.type)), shape=scores.shape)
    none = zeros_like(scores)
    return where(nothing, none, softmax(where(nothing, none, scores), axis=3))


def _for_statistics(grad: Node, position: int, q: Node, k: Node, mask: Node, causal: bool, scale: float) -> Node | None:
    """What a gradient of the statistics adds to that of q (position 0) or k (1): their derivative in scores is P."""
    if position > 1:
        return None
    weights = weights_of(q, k, mask, causal, scale)
    incoming = grad if grad.dtype is weights.dtype else cast(grad, dtype=weights.dtype)
    slope = _times(mul(weights, _spread(incoming, weights)), scale)
    return matmul(turn(slope), q) if position else matmul(slope, k)


def _for_operand(position: int) -> Any:
    def rule(
        grad: Grads, q: Node, k: Node, v: Node, mask: Node, outs: tuple[Node, Node], causal: bool, scale: float
    ) -> Node | None:
        found = None
        if grad[0] is not None:
            found = attention_gradient(grad[0], q, k, v, mask, *outs, causal=causal, scale=scale)[position]
            found = _turned(found)
        more = None if grad[1] is None else _for_statistics(grad[1], position, q, k, mask, causal, scale)
        return found if more is None else more if found is None else add(found, more)

    return rule


attention = Op(
    "attention",
    _infer_attention,
    _reference_attention,
    (_for_operand(0), _for_operand(1), _for_operand(2), None),
)
"""The result [N, L, H, Ev] and its statistics [N, H, L]; a mask that is added is taken as a constant."""


# --- the gradient of the gradient ----------------------------------------------------------------------------------


def _second(
    grad: Grads, from_out: Node, q: Node, k: Node, v: Node, mask: Node, causal: bool, scale: float
) -> SimpleNamespace:
    """What the second derivatives are made of.

    With a, b, c what comes in for the gradients of q, k and v, <a, dq> + <b, dk> + <c, dv> = <g, T>, where g comes in
    at the result, and T is the change of the result under the changes a, b, c of q, k and v:

        S' = scale (a k^T + q b^T)        r = rowsum(P S')        P' = P (S' - r)        T = P c + P' v

    The result and the statistics are functions of q, k and v, not operands of their own.
    """
    types = [one.type.with_shape(inside(one.shape)) for one in (q, k, v)]
    a, b, c = (_turned(zeros_of(kind) if one is None else one) for one, kind in zip(grad, types, strict=True))
    g = _turned(from_out)
    p = weights_of(q, k, mask, causal, scale)
    change = _times(add(matmul(a, turn(k)), matmul(q, turn(b))), scale)
    mean = _row_sum(mul(p, change))
    moved = mul(p, sub(change, mean))
    return SimpleNamespace(a=a, b=b, c=c, g=g, p=p, change=change, mean=mean, moved=moved)


def _scores_slope(one: SimpleNamespace, v: Node) -> tuple[Node, Node]:
    """The derivatives of <g, T> in the scores (through P) and in their change S'."""
    incoming = matmul(one.g, turn(v))
    mean = _row_sum(mul(one.p, incoming))
    for_p = sub(matmul(one.g, turn(one.c)), add(mul(one.mean, incoming), mul(mean, one.change)))
    for_p = add(for_p, mul(one.change, incoming))
    return mul(one.p, sub(for_p, _row_sum(mul(one.p, for_p)))), mul(one.p, sub(incoming, mean))


def _second_for_out(
    grad: Grads, from_out: Node, q: Node, k: Node, v: Node, mask: Node, causal: bool, scale: float
) -> Node:
    """T"""
    one = _second(grad, from_out, q, k, v, mask, causal, scale)
    return _turned(add(matmul(one.p, one.c), matmul(one.moved, v)))


def _second_for_q(
    grad: Grads, from_out: Node, q: Node, k: Node, v: Node, mask: Node, causal: bool, scale: float
) -> Node:
    one = _second(grad, from_out, q, k, v, mask, causal, scale)
    scores, change = _scores_slope(one, v)
    return _times(add(matmul(scores, k), matmul(change, one.b)), scale)


def _second_for_k(
    grad: Grads, from_out: Node, q: Node, k: Node, v: Node, mask: Node, causal: bool, scale: float
) -> Node:
    one = _second(grad, from_out, q, k, v, mask, causal, scale)
    scores, change = _scores_slope(one, v)
    return _times(add(matmul(turn(scores), q), matmul(turn(change), one.a)), scale)


def _second_for_v(
    grad: Grads, from_out: Node, q: Node, k: Node, v: Node, mask: Node, causal: bool, scale: float
) -> Node:
    one = _second(grad, from_out, q, k, v, mask, causal, scale)
    return matmul(turn(one.moved), one.g)


attention_gradient = Op(
    "attention_gradient",
    _infer_gradient,
    _reference_gradient,
    (_second_for_out, _second_for_q, _second_for_k, _second_for_v, None, None, None),
)
"""The gradients of q [N, L, H, E], k [N, S, H, E] and v [N, S, H, Ev], from that of the result [N, L, H, Ev]."""

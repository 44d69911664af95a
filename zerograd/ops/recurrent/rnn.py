"""Plain recurrent layer over all steps: the layer, its gradient and its tangent (see ``sequence``).

    h[t] = f(x_gates[t] + h[t - 1] @ w.T)                        f: tanh or relu
    h'[t] = k * (change of x_gates[t] + h'[t - 1] @ w.T)         k: the slope of f, 1 - h^2 or (h > 0)

Source: J. Elman, Finding structure in time, 1990.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ops.contraction import turn
from zerograd.ops.elementwise import add, neg
from zerograd.ops.elementwise import times as scaled
from zerograd.ops.recurrent.sequence import (
    after,
    before,
    check,
    for_weight,
    given,
    like,
    product,
    times,
    walk,
    wide,
)

Grads = tuple[Node | None, ...]

# --- the layer -----------------------------------------------------------------------------------------------


def _infer_rnn(x_gates: TensorType, h0: TensorType, w: TensorType, *, reverse: bool, function: str) -> TensorType:
    return check("rnn", 1, x_gates, w, h0)


def _reference_rnn(x_gates: Array, h0: Array, w: Array, *, reverse: bool, function: str) -> Array:
    kind = x_gates
    x_gates, h, w = wide(x_gates, h0, w)
    hidden = np.empty(x_gates.shape, x_gates.dtype)
    for t in walk(len(x_gates), reverse):
        h = np.matmul(h, w.T, out=hidden[t])
        h += x_gates[t]
        if function == "tanh":
            np.tanh(h, out=h)
        else:
            np.maximum(h, 0, out=h)
    return like(kind, hidden)[0]


def _rnn_for_w(grad: Node, h0: Node, w: Node, out: Node, reverse: bool, function: str) -> Node:
    return for_weight(rnn_gradient(grad, w, out, reverse=reverse, function=function)[0], h0, out, reverse)


rnn = Op(
    "rnn",
    _infer_rnn,
    _reference_rnn,
    (
        lambda grad, w, out, reverse, function: rnn_gradient(grad, w, out, reverse=reverse, function=function)[0],
        lambda grad, w, out, reverse, function: rnn_gradient(grad, w, out, reverse=reverse, function=function)[1],
        _rnn_for_w,
    ),
)
"""x_gates [T, N, H], h0 [N, H], w [H, H] -> the states h [T, N, H] of all steps."""

# --- linear maps ---------------------------------------------------------------------------------------------


def _slope(hidden: Array, function: str) -> Array:
    if function == "relu":
        return (hidden > 0).astype(hidden.dtype)
    k = np.multiply(hidden, hidden)
    return np.subtract(1, k, out=k)


def _infer_gradient(
    grad_hidden: TensorType, w: TensorType, hidden: TensorType, *, reverse: bool, function: str
) -> tuple[TensorType, ...]:
    check("rnn_gradient", 1, hidden, w)
    return hidden, hidden.with_shape(hidden.shape[1:])


def _reference_gradient(
    grad_hidden: Array, w: Array, hidden: Array, *, reverse: bool, function: str
) -> tuple[Array, ...]:
    kind = hidden
    grad_hidden, w, hidden = wide(grad_hidden, w, hidden)
    d = _slope(hidden, function)
    d_h = np.zeros_like(hidden[0])
    for t in walk(len(hidden), not reverse):
        d_h += grad_hidden[t]
        d[t] *= d_h
        np.matmul(d[t], w, out=d_h)
    return like(kind, d, d_h)


def _infer_tangent(
    x_change: TensorType, h_change: TensorType, w: TensorType, hidden: TensorType, *, reverse: bool, function: str
) -> TensorType:
    return check("rnn_tangent", 1, x_change, w, h_change)


def _reference_tangent(
    x_change: Array, h_change: Array, w: Array, hidden: Array, *, reverse: bool, function: str
) -> Array:
    kind = hidden
    x_change, h, w, hidden = wide(x_change, h_change, w, hidden)
    k = _slope(hidden, function)
    changed = np.empty_like(hidden)
    for t in walk(len(hidden), reverse):
        h = np.matmul(h, w.T, out=changed[t])
        h += x_change[t]
        h *= k[t]
    return like(kind, changed)[0]


# --- their derivatives ---------------------------------------------------------------------------------------


def _for_hidden(
    from_hidden: Node,
    d_gates: Node,
    changes: tuple[Node, Node],
    changed: Node,
    kept: tuple[Node, Node],
    reverse: bool,
    function: str,
) -> Node | None:
    """The gradient of hidden in <incoming, tangent(changes)>.

    Args:
        from_hidden: the incoming gradient.
        d_gates: its gradient at the gates.
        changes: of x_gates and h0.
        changed: what becomes of them, at h.
        kept: w, hidden.
    """
    w, hidden = kept
    if function == "relu":
        return None
    p = add(changes[0], times(before(changes[1], changed, reverse), turn(w)))
    d_h = add(from_hidden, after(times(d_gates, w), reverse))
    return neg(product(d_h, p, scaled(hidden, 2)))


def _changes(grad: Grads, hidden: Node) -> tuple[Node, Node]:
    return given(grad[0], hidden.type), given(grad[1], hidden.type.with_shape(hidden.shape[1:]))


def _changed(grad: Grads, w: Node, hidden: Node, reverse: bool, function: str) -> Node:
    return rnn_tangent(*_changes(grad, hidden), w, hidden, reverse=reverse, function=function)


def _gradient_for_w(grad: Grads, w: Node, hidden: Node, outs: tuple[Node, Node], reverse: bool, function: str) -> Node:
    h_change = _changes(grad, hidden)[1]
    return for_weight(outs[0], h_change, _changed(grad, w, hidden, reverse, function), reverse)


def _gradient_for_hidden(
    grad: Grads, grad_hidden: Node, w: Node, hidden: Node, outs: tuple[Node, Node], reverse: bool, function: str
) -> Node | None:
    changed = _changed(grad, w, hidden, reverse, function)
    return _for_hidden(grad_hidden, outs[0], _changes(grad, hidden), changed, (w, hidden), reverse, function)


rnn_gradient = Op(
    "rnn_gradient",
    _infer_gradient,
    _reference_gradient,
    (_changed, _gradient_for_w, _gradient_for_hidden),
)
"""The gradients of x_gates [T, N, H] and h0 [N, H], from those of h [T, N, H]."""


def _tangent_for_changes(index: int) -> Any:
    return lambda grad, w, hidden, reverse, function: rnn_gradient(grad, w, hidden, reverse=reverse, function=function)[
        index
    ]


def _tangent_for_w(grad: Node, h_change: Node, w: Node, hidden: Node, out: Node, reverse: bool, function: str) -> Node:
    d_gates = rnn_gradient(grad, w, hidden, reverse=reverse, function=function)[0]
    return for_weight(d_gates, h_change, out, reverse)


def _tangent_for_hidden(
    grad: Node,
    x_change: Node,
    h_change: Node,
    w: Node,
    hidden: Node,
    out: Node,
    reverse: bool,
    function: str,
) -> Node | None:
    d_gates = rnn_gradient(grad, w, hidden, reverse=reverse, function=function)[0]
    return _for_hidden(grad, d_gates, (x_change, h_change), out, (w, hidden), reverse, function)


rnn_tangent = Op(
    "rnn_tangent",
    _infer_tangent,
    _reference_tangent,
    (_tangent_for_changes(0), _tangent_for_changes(1), _tangent_for_w, _tangent_for_hidden),
)
"""The change of h at all steps that follows from changes of x_gates and h0."""

"""Long short-term memory over all steps: the layer, its gradient and its tangent (see ``sequence``).

    i, f, g, o = sigmoid, sigmoid, tanh, sigmoid of the blocks of  x_gates[t] + h[t - 1] @ w.T
    c[t] = f * c[t - 1] + i * g
    h[t] = o * tanh(c[t])

With p for a change of the gates before their functions (p = change of x_gates[t] + change of h[t - 1] @ w.T), changes
go on as

    c'[t] = f * c'[t - 1] + ki * p_i + kf * p_f + kg * p_g        ki = g i (1 - i)    kf = c[t - 1] f (1 - f)
    h'[t] = s * c'[t] + ko * p_o                                  kg = i (1 - g^2)    ko = tanh(c) o (1 - o)
                                                                  s = o (1 - tanh(c)^2)

Source: S. Hochreiter, J. Schmidhuber, Long short-term memory, 1997; F. Gers et al., Learning to forget, 2000.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ops.contraction import turn
from zerograd.ops.elementwise import add, mul, sub, tanh
from zerograd.ops.elementwise import times as scaled
from zerograd.ops.movement import zeros_of
from zerograd.ops.recurrent.sequence import (
    after,
    array_before,
    before,
    blocks,
    carried_back,
    check,
    for_weight,
    given,
    joined,
    like,
    one_less,
    product,
    sigmoid_of,
    start,
    times,
    total,
    walk,
    wide,
)

Grads = tuple[Node | None, ...]
Kept = tuple[Node, Node, Node, Node]  # w, c0, cells, gates

# --- the layer -----------------------------------------------------------------------------------------------


def _infer_lstm(
    x_gates: TensorType, h0: TensorType, c0: TensorType, w: TensorType, *, reverse: bool
) -> tuple[TensorType, ...]:
    hidden = check("lstm", 4, x_gates, w, h0, c0)
    return hidden, hidden, x_gates


def _reference_lstm(x_gates: Array, h0: Array, c0: Array, w: Array, *, reverse: bool) -> tuple[Array, ...]:
    kind = x_gates
    x_gates, h, c, w = wide(x_gates, h0, c0, w)
    size = w.shape[1]
    gates = np.empty(x_gates.shape, x_gates.dtype)
    hidden = np.empty((*x_gates.shape[:2], size), x_gates.dtype)
    cells, new = np.empty_like(hidden), np.empty_like(hidden[0])
    turned = w.T
    for t in walk(len(x_gates), reverse):
        now = np.matmul(h, turned, out=gates[t])
        now += x_gates[t]
        i, f, g, o = (now[:, k * size : (k + 1) * size] for k in range(4))
        sigmoid_of(now[:, : 2 * size])
        np.tanh(g, out=g)
        sigmoid_of(o)
        c = np.multiply(f, c, out=cells[t])
        c += np.multiply(i, g, out=new)
        h = np.tanh(c, out=hidden[t])
        h *= o
    return like(kind, hidden, cells, gates)


def _slopes(gates: Node) -> Node:
    """The derivatives of the gates' functions: g (1 - g) of a sigmoid, 1 - g^2 of tanh."""
    size = gates.shape[2] // 4
    i, f, g, o = blocks(gates, size)
    return joined(mul(i, one_less(i)), mul(f, one_less(f)), one_less(mul(g, g)), mul(o, one_less(o)))


def _lstm_gradients(grad: Grads, c0: Node, w: Node, outs: tuple[Node, Node, Node], reverse: bool) -> Any:
    """The gradients of x_gates, h0 and c0.

    What comes in at the gates acts on its own step at once; on the steps before, as if it came in at the state.
    """
    hidden, cells, gates = outs
    from_hidden = given(grad[0], hidden.type)
    from_cells = given(grad[1], cells.type.with_shape((0, *cells.shape[1:])))
    if grad[2] is None:
        return lstm_gradient(from_hidden, from_cells, w, c0, cells, gates, reverse=reverse)
    direct = mul(grad[2], _slopes(gates))
    back = times(direct, w)
    from_hidden = add(from_hidden, after(back, reverse))
    d_gates, d_h0, d_c0 = lstm_gradient(from_hidden, from_cells, w, c0, cells, gates, reverse=reverse)
    return add(d_gates, direct), add(d_h0, start(back, reverse)), d_c0


def _lstm_for_w(grad: Grads, h0: Node, c0: Node, w: Node, outs: tuple[Node, Node, Node], reverse: bool) -> Node:
    return for_weight(_lstm_gradients(grad, c0, w, outs, reverse)[0], h0, outs[0], reverse)


lstm = Op(
    "lstm",
    _infer_lstm,
    _reference_lstm,
    (
        lambda grad, c0, w, outs, reverse: _lstm_gradients(grad, c0, w, outs, reverse)[0],
        lambda grad, c0, w, outs, reverse: _lstm_gradients(grad, c0, w, outs, reverse)[1],
        lambda grad, c0, w, outs, reverse: _lstm_gradients(grad, c0, w, outs, reverse)[2],
        _lstm_for_w,
    ),
)
"""x_gates [T, N, 4 H], h0 and c0 [N, H], w [4 H, H] -> the states h and c [T, N, H] and the gates i, f, g, o
[T, N, 4 H] of all steps."""

# --- linear maps ---------------------------------------------------------------------------------------------


def _coefficients(c0: Array, cells: Array, gates: Array, reverse: bool) -> tuple[Array, Array]:
    """(ki, kf, kg, ko) [T, N, 4 H] and s [T, N, H]."""
    size = cells.shape[2]
    i, _, g, o = (gates[..., k * size : (k + 1) * size] for k in range(4))
    k = np.subtract(1, gates)
    k *= gates
    ki, kf, kg, ko = (k[..., n * size : (n + 1) * size] for n in range(4))
    np.multiply(g, g, out=kg)
    np.subtract(1, kg, out=kg)
    ki *= g
    kf *= array_before(c0, cells, reverse)
    kg *= i
    s = np.tanh(cells)
    ko *= s
    s *= s
    np.subtract(1, s, out=s)
    s *= o
    return k, s


def _infer_gradient(
    grad_hidden: TensorType,
    grad_cells: TensorType,
    w: TensorType,
    c0: TensorType,
    cells: TensorType,
    gates: TensorType,
    *,
    reverse: bool,
) -> tuple[TensorType, ...]:
    check("lstm_gradient", 4, gates, w, c0)
    return gates, c0, c0


def _reference_gradient(
    grad_hidden: Array, grad_cells: Array, w: Array, c0: Array, cells: Array, gates: Array, *, reverse: bool
) -> tuple[Array, ...]:
    kind = gates
    grad_hidden, grad_cells, w, c0, cells, gates = wide(grad_hidden, grad_cells, w, c0, cells, gates)
    d, s = _coefficients(c0, cells, gates, reverse)
    steps, batch, size = cells.shape
    d_c = np.zeros_like(cells[0])
    d_h, part = np.zeros_like(d_c), np.empty_like(d_c)
    by_gate = d.reshape(steps, batch, 4, size)
    f = gates[..., size : 2 * size]
    for t in walk(steps, not reverse):
        d_h += grad_hidden[t]
        d_c += np.multiply(d_h, s[t], out=part)
        if len(grad_cells):
            d_c += grad_cells[t]
        by_gate[t, :, :3] *= d_c[:, None]
        by_gate[t, :, 3] *= d_h
        np.matmul(d[t], w, out=d_h)
        d_c *= f[t]
    return like(kind, d, d_h, d_c)


def _infer_tangent(
    x_change: TensorType,
    h_change: TensorType,
    c_change: TensorType,
    w: TensorType,
    c0: TensorType,
    cells: TensorType,
    gates: TensorType,
    *,
    reverse: bool,
) -> tuple[TensorType, ...]:
    hidden = check("lstm_tangent", 4, x_change, w, h_change, c_change)
    return hidden, hidden


def _reference_tangent(
    x_change: Array,
    h_change: Array,
    c_change: Array,
    w: Array,
    c0: Array,
    cells: Array,
    gates: Array,
    *,
    reverse: bool,
) -> tuple[Array, ...]:
    kind = gates
    x_change, h, c, w, c0, cells, gates = wide(x_change, h_change, c_change, w, c0, cells, gates)
    k, s = _coefficients(c0, cells, gates, reverse)
    size = c.shape[1]
    hidden_change, cells_change = np.empty_like(cells), np.empty_like(cells)
    for t in walk(len(cells), reverse):
        p = np.matmul(h, w.T)
        p += x_change[t]
        p *= k[t]
        i, f, g, o = (p[:, n * size : (n + 1) * size] for n in range(4))
        c = np.multiply(gates[t, :, size : 2 * size], c, out=cells_change[t])
        c += i
        c += f
        c += g
        h = np.multiply(s[t], c, out=hidden_change[t])
        h += o
    return like(kind, hidden_change, cells_change)


# --- their derivatives ---------------------------------------------------------------------------------------


def _for_kept(
    from_hidden: Node,
    from_cells: Node,
    d_gates: Node,
    changes: tuple[Node, Node, Node],
    changed: tuple[Node, Node],
    kept: tuple[Node, Node, Node, Node],
    reverse: bool,
) -> tuple[Node, Node, Node]:
    """The gradients of c0, cells and gates in <incoming, tangent(changes)>.

    Args:
        from_hidden, from_cells: the incoming gradients; the latter may have no steps, for zeros.
        d_gates: their gradient at the gates.
        changes: of x_gates, h0 and c0.
        changed: what becomes of them, at h and c.
        kept: w, c0, cells, gates.
    """
    w, c0, cells, gates = kept
    u, h_change, c_change = changes
    i, f, g, o = blocks(gates, cells.shape[2])
    c, t = before(c0, cells, reverse), tanh(cells)
    flat = one_less(mul(t, t))
    slopes = blocks(_slopes(gates), cells.shape[2])
    p = blocks(add(u, times(before(h_change, changed[0], reverse), turn(w))), cells.shape[2])
    d_h = add(from_hidden, after(times(d_gates, w), reverse))
    at_cells = mul(d_h, mul(o, flat))
    if from_cells.shape[0]:
        at_cells = add(at_cells, from_cells)
    d_c = carried_back(f, at_cells, reverse)
    d_s = mul(d_h, changed[1])
    ki, kf, kg, ko = mul(d_c, p[0]), mul(d_c, p[1]), mul(d_c, p[2]), mul(d_h, p[3])
    for_i = add(product(ki, g, one_less(scaled(i, 2))), mul(kg, one_less(mul(g, g))))
    for_f = add(product(kf, c, one_less(scaled(f, 2))), mul(d_c, before(c_change, changed[1], reverse)))
    for_g = sub(mul(ki, slopes[0]), product(kg, i, scaled(g, 2)))
    for_o = add(product(ko, t, one_less(scaled(o, 2))), mul(d_s, flat))
    for_t = sub(mul(ko, slopes[3]), product(d_s, o, scaled(t, 2)))
    for_before = mul(kf, slopes[1])
    for_cells = total(mul(for_t, flat), after(for_before, reverse))
    return start(for_before, reverse), for_cells, joined(for_i, for_f, for_g, for_o)


def _changes(grad: Grads, w: Node, c0: Node, cells: Node, gates: Node) -> tuple[Node, Node, Node]:
    return given(grad[0], gates.type), given(grad[1], c0.type), given(grad[2], c0.type)


def _changed(grad: Grads, w: Node, c0: Node, cells: Node, gates: Node, reverse: bool) -> tuple[Node, Node]:
    return lstm_tangent(*_changes(grad, w, c0, cells, gates), w, c0, cells, gates, reverse=reverse)


def _gradient_for_cells(
    grad: Grads, grad_cells_type: TensorType, w: Node, c0: Node, cells: Node, gates: Node, reverse: bool
) -> Node:
    if not grad_cells_type.shape[0]:
        return zeros_of(grad_cells_type)
    return _changed(grad, w, c0, cells, gates, reverse)[1]


def _gradient_for_w(
    grad: Grads, w: Node, c0: Node, cells: Node, gates: Node, outs: tuple[Node, ...], reverse: bool
) -> Node:
    h_change = given(grad[1], c0.type)
    return for_weight(outs[0], h_change, _changed(grad, w, c0, cells, gates, reverse)[0], reverse)


def _gradient_for_kept(index: int) -> Any:
    def rule(
        grad: Grads,
        grad_hidden: Node,
        grad_cells: Node,
        w: Node,
        c0: Node,
        cells: Node,
        gates: Node,
        outs: tuple[Node, ...],
        reverse: bool,
    ) -> Node:
        kept = (w, c0, cells, gates)
        changes, changed = _changes(grad, *kept), _changed(grad, *kept, reverse)
        return _for_kept(grad_hidden, grad_cells, outs[0], changes, changed, kept, reverse)[index]

    return rule


lstm_gradient = Op(
    "lstm_gradient",
    _infer_gradient,
    _reference_gradient,
    (
        lambda grad, w, c0, cells, gates, reverse: _changed(grad, w, c0, cells, gates, reverse)[0],
        _gradient_for_cells,
        _gradient_for_w,
        _gradient_for_kept(0),
        _gradient_for_kept(1),
        _gradient_for_kept(2),
    ),
)
"""The gradients of x_gates [T, N, 4 H], h0 and c0 [N, H], from those of h and c at all steps [T, N, H].

Of c there may be none: ``grad_cells`` [0, N, H] stands for zeros.
"""


def _incoming(grad: Grads, cells: Node) -> tuple[Node, Node]:
    return given(grad[0], cells.type), given(grad[1], cells.type.with_shape((0, *cells.shape[1:])))


def _tangent_gradients(grad: Grads, w: Node, c0: Node, cells: Node, gates: Node, reverse: bool) -> Any:
    return lstm_gradient(*_incoming(grad, cells), w, c0, cells, gates, reverse=reverse)


def _tangent_for_changes(index: int) -> Any:
    return lambda grad, w, c0, cells, gates, reverse: _tangent_gradients(grad, w, c0, cells, gates, reverse)[index]


def _tangent_for_w(
    grad: Grads, h_change: Node, w: Node, c0: Node, cells: Node, gates: Node, outs: tuple[Node, ...], reverse: bool
) -> Node:
    d_gates = _tangent_gradients(grad, w, c0, cells, gates, reverse)[0]
    return for_weight(d_gates, h_change, outs[0], reverse)


def _tangent_for_kept(index: int) -> Any:
    def rule(
        grad: Grads,
        x_change: Node,
        h_change: Node,
        c_change: Node,
        w: Node,
        c0: Node,
        cells: Node,
        gates: Node,
        outs: tuple[Node, Node],
        reverse: bool,
    ) -> Node:
        kept = (w, c0, cells, gates)
        d_gates = _tangent_gradients(grad, *kept, reverse)[0]
        changes = (x_change, h_change, c_change)
        return _for_kept(*_incoming(grad, cells), d_gates, changes, outs, kept, reverse)[index]

    return rule


lstm_tangent = Op(
    "lstm_tangent",
    _infer_tangent,
    _reference_tangent,
    (
        _tangent_for_changes(0),
        _tangent_for_changes(1),
        _tangent_for_changes(2),
        _tangent_for_w,
        _tangent_for_kept(0),
        _tangent_for_kept(1),
        _tangent_for_kept(2),
    ),
)
"""The changes of h and c at all steps that follow from changes of x_gates, h0 and c0."""

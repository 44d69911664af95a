"""Gated recurrent unit over all steps: the layer, its gradient and its tangent (see ``sequence``).

    r, z = sigmoid of the first two blocks of  x_gates[t] + h[t - 1] @ w.T
    m = h[t - 1] @ w.T + b, the third block
    n = tanh(x_gates[t] + r * m), the third block
    h[t] = n + z * (h[t - 1] - n)

With u for a change of x_gates[t] and v for one of the recurrent product, changes go on as

    h'[t] = z * h'[t - 1] + ar * (u_r + v_r) + az * (u_z + v_z) + an * (u_n + r * v_n)

    an = (1 - z) (1 - n^2)    ar = an m r (1 - r)    az = (h[t - 1] - n) z (1 - z)

Source: K. Cho et al., Learning phrase representations using RNN encoder-decoder, 2014; the reset gate acts on the
product, as in cuDNN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd import errors
from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ops.contraction import turn
from zerograd.ops.elementwise import add, mul, neg, sub
from zerograd.ops.elementwise import times as scaled
from zerograd.ops.movement import reshape
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
    walk,
    wide,
)
from zerograd.ops.reduction import sum

Grads = tuple[Node | None, ...]
Kept = tuple[Node, Node, Node, Node]  # w, h0, hidden, gates

# --- the layer -----------------------------------------------------------------------------------------------


def _infer_gru(
    x_gates: TensorType, h0: TensorType, w: TensorType, b: TensorType, *, reverse: bool
) -> tuple[TensorType, ...]:
    hidden = check("gru", 3, x_gates, w, h0)
    if b is not x_gates.with_shape((w.shape[1],)):
        raise errors.runtime("gru needs a bias [H] in the dtype of the gates", gates=x_gates, bias=b)
    return hidden, hidden.with_shape((*hidden.shape[:2], 4 * w.shape[1]))


def _reference_gru(x_gates: Array, h0: Array, w: Array, b: Array, *, reverse: bool) -> tuple[Array, ...]:
    kind = x_gates
    x_gates, h, w, b = wide(x_gates, h0, w, b)
    steps, batch, size = len(x_gates), *h.shape
    hidden = np.empty((steps, batch, size), x_gates.dtype)
    gates = np.empty((steps, batch, 4 * size), x_gates.dtype)
    back = np.empty((batch, 3 * size), x_gates.dtype)
    for t in walk(steps, reverse):
        np.matmul(h, w.T, out=back)
        r, z, n, m = (gates[t, :, k * size : (k + 1) * size] for k in range(4))
        both = gates[t, :, : 2 * size]
        np.add(back[:, : 2 * size], x_gates[t, :, : 2 * size], out=both)
        sigmoid_of(both)
        np.add(back[:, 2 * size :], b, out=m)
        np.multiply(r, m, out=n)
        n += x_gates[t, :, 2 * size :]
        np.tanh(n, out=n)
        now = np.subtract(h, n, out=hidden[t])
        now *= z
        now += n
        h = now
    return like(kind, hidden, gates)


def _gru_gradients(grad: Grads, h0: Node, w: Node, outs: tuple[Node, Node], reverse: bool) -> Any:
    """The gradients of x_gates, the recurrent product and h0.

    What comes in at the gates acts on its own step at once; on the steps before, as if it came in at the state.
    """
    hidden, gates = outs
    from_hidden = given(grad[0], hidden.type)
    if grad[1] is None:
        return gru_gradient(from_hidden, w, h0, hidden, gates, reverse=reverse)
    for_r, for_z, for_n, for_m = blocks(grad[1], hidden.shape[2])
    r, z, n, m = blocks(gates, hidden.shape[2])
    at_n = mul(for_n, one_less(mul(n, n)))
    at_r = product(add(for_r, mul(at_n, m)), r, one_less(r))
    at_z = product(for_z, z, one_less(z))
    by_x, by_product = joined(at_r, at_z, at_n), joined(at_r, at_z, add(for_m, mul(at_n, r)))
    back = times(by_product, w)
    from_hidden = add(from_hidden, after(back, reverse))
    d_x, d_product, d_h0 = gru_gradient(from_hidden, w, h0, hidden, gates, reverse=reverse)
    return add(d_x, by_x), add(d_product, by_product), add(d_h0, start(back, reverse))


def _gru_for_w(grad: Grads, h0: Node, w: Node, outs: tuple[Node, Node], reverse: bool) -> Node:
    return for_weight(_gru_gradients(grad, h0, w, outs, reverse)[1], h0, outs[0], reverse)


def _gru_for_b(grad: Grads, h0: Node, w: Node, outs: tuple[Node, Node], reverse: bool) -> Node:
    d_product = _gru_gradients(grad, h0, w, outs, reverse)[1]
    of_m = blocks(d_product, w.shape[1])[2]
    return reshape(sum(of_m, axes=(0, 1)), shape=of_m.shape[2:])


gru = Op(
    "gru",
    _infer_gru,
    _reference_gru,
    (
        lambda grad, h0, w, outs, reverse: _gru_gradients(grad, h0, w, outs, reverse)[0],
        lambda grad, h0, w, outs, reverse: _gru_gradients(grad, h0, w, outs, reverse)[2],
        _gru_for_w,
        _gru_for_b,
    ),
)
"""x_gates [T, N, 3 H], h0 [N, H], w [3 H, H], b [H] -> the states h [T, N, H] and r, z, n, m [T, N, 4 H] of all
steps."""

# --- linear maps ---------------------------------------------------------------------------------------------


def _coefficients(h0: Array, hidden: Array, gates: Array, reverse: bool) -> Array:
    """(ar, az, an) [T, N, 3 H]."""
    size = hidden.shape[2]
    r, z, n, m = (gates[..., k * size : (k + 1) * size] for k in range(4))
    k = np.subtract(1, gates[..., : 3 * size])
    kr, kz, kn = (k[..., i * size : (i + 1) * size] for i in range(3))
    np.multiply(n, n, out=kn)
    np.subtract(1, kn, out=kn)
    kn *= kz
    kr *= r
    kr *= m
    kr *= kn
    kz *= z
    kz *= array_before(h0, hidden, reverse) - n
    return k


def _infer_gradient(
    grad_hidden: TensorType, w: TensorType, h0: TensorType, hidden: TensorType, gates: TensorType, *, reverse: bool
) -> tuple[TensorType, ...]:
    d_gates = hidden.with_shape((*hidden.shape[:2], w.shape[0]))
    check("gru_gradient", 3, d_gates, w, h0)
    return d_gates, d_gates, h0


def _reference_gradient(
    grad_hidden: Array, w: Array, h0: Array, hidden: Array, gates: Array, *, reverse: bool
) -> tuple[Array, ...]:
    kind = gates
    grad_hidden, w, h0, hidden, gates = wide(grad_hidden, w, h0, hidden, gates)
    steps, batch, size = hidden.shape
    d_x = _coefficients(h0, hidden, gates, reverse)
    d_product = d_x.copy()
    d_product[..., 2 * size :] *= gates[..., :size]
    by_gate = d_product.reshape(steps, batch, 3, size)
    d_h, back = np.zeros_like(hidden[0]), np.empty_like(hidden[0])
    for t in walk(steps, not reverse):
        d_h += grad_hidden[t]
        by_gate[t] *= d_h[:, None]
        d_x[t, :, 2 * size :] *= d_h
        np.matmul(d_product[t], w, out=back)
        d_h *= gates[t, :, size : 2 * size]
        d_h += back
    d_x[..., : 2 * size] = d_product[..., : 2 * size]
    return like(kind, d_x, d_product, d_h)


def _infer_tangent(
    x_change: TensorType,
    product_change: TensorType,
    h_change: TensorType,
    w: TensorType,
    h0: TensorType,
    hidden: TensorType,
    gates: TensorType,
    *,
    reverse: bool,
) -> TensorType:
    check("gru_tangent", 3, product_change, w, h_change, h0)
    return check("gru_tangent", 3, x_change, w, h_change, h0)


def _reference_tangent(
    x_change: Array,
    product_change: Array,
    h_change: Array,
    w: Array,
    h0: Array,
    hidden: Array,
    gates: Array,
    *,
    reverse: bool,
) -> Array:
    kind = gates
    x_change, product_change, h, w, h0, hidden, gates = wide(x_change, product_change, h_change, w, h0, hidden, gates)
    steps, _, size = hidden.shape
    k = _coefficients(h0, hidden, gates, reverse)
    changed = np.empty_like(hidden)
    for t in walk(steps, reverse):
        p = np.matmul(h, w.T)
        p += product_change[t]
        p[:, 2 * size :] *= gates[t, :, :size]
        p += x_change[t]
        p *= k[t]
        h = np.multiply(gates[t, :, size : 2 * size], h, out=changed[t])
        for part in range(3):
            h += p[:, part * size : (part + 1) * size]
    return like(kind, changed)[0]


# --- their derivatives ---------------------------------------------------------------------------------------


def _for_kept(
    from_hidden: Node,
    d_product: Node,
    changes: tuple[Node, Node, Node],
    changed: Node,
    kept: Kept,
    reverse: bool,
) -> tuple[Node, Node, Node]:
    """The gradients of h0, hidden and gates in <incoming, tangent(changes)>.

    Args:
        from_hidden: the incoming gradient.
        d_product: its gradient at the recurrent product.
        changes: of x_gates, the recurrent product and h0.
        changed: what becomes of them, at h.
    """
    w, h0, hidden, gates = kept
    size = hidden.shape[2]
    r, z, n, m = blocks(gates, size)
    kr, kz, kn = mul(r, one_less(r)), mul(z, one_less(z)), one_less(mul(n, n))
    an = mul(one_less(z), kn)
    h_before, last = before(changes[2], changed, reverse), before(h0, hidden, reverse)
    u = blocks(changes[0], size)
    v = blocks(add(changes[1], times(h_before, turn(w))), size)
    d_h = carried_back(z, add(from_hidden, after(times(d_product, w), reverse)), reverse)
    for_ar, for_az = mul(d_h, add(u[0], v[0])), mul(d_h, add(u[1], v[1]))
    for_an = add(mul(d_h, add(u[2], mul(r, v[2]))), product(for_ar, m, kr))
    for_last = mul(for_az, kz)
    for_m = product(for_ar, an, kr)
    for_r = mul(an, add(product(for_ar, m, one_less(scaled(r, 2))), mul(d_h, v[2])))
    for_n = neg(add(for_last, product(for_an, one_less(z), scaled(n, 2))))
    for_z = sub(
        add(mul(d_h, h_before), product(for_az, sub(last, n), one_less(scaled(z, 2)))),
        mul(for_an, kn),
    )
    return start(for_last, reverse), after(for_last, reverse), joined(for_r, for_z, for_n, for_m)


def _changes(grad: Grads, kept: Kept) -> tuple[Node, Node, Node]:
    w, h0, hidden, _ = kept
    gates = hidden.type.with_shape((*hidden.shape[:2], w.shape[0]))
    return given(grad[0], gates), given(grad[1], gates), given(grad[2], h0.type)


def _changed(grad: Grads, kept: Kept, reverse: bool) -> Node:
    return gru_tangent(*_changes(grad, kept), *kept, reverse=reverse)


def _gradient_for_w(
    grad: Grads, w: Node, h0: Node, hidden: Node, gates: Node, outs: tuple[Node, ...], reverse: bool
) -> Node:
    changed = _changed(grad, (w, h0, hidden, gates), reverse)
    return for_weight(outs[1], given(grad[2], h0.type), changed, reverse)


def _gradient_for_kept(index: int) -> Any:
    def rule(
        grad: Grads,
        grad_hidden: Node,
        w: Node,
        h0: Node,
        hidden: Node,
        gates: Node,
        outs: tuple[Node, ...],
        reverse: bool,
    ) -> Node:
        kept = (w, h0, hidden, gates)
        changed = _changed(grad, kept, reverse)
        return _for_kept(grad_hidden, outs[1], _changes(grad, kept), changed, kept, reverse)[index]

    return rule


gru_gradient = Op(
    "gru_gradient",
    _infer_gradient,
    _reference_gradient,
    (
        lambda grad, w, h0, hidden, gates, reverse: _changed(grad, (w, h0, hidden, gates), reverse),
        _gradient_for_w,
        _gradient_for_kept(0),
        _gradient_for_kept(1),
        _gradient_for_kept(2),
    ),
)
"""The gradients of x_gates and of the recurrent product [T, N, 3 H] and of h0 [N, H], from those of h [T, N, H]."""


def _tangent_for_changes(index: int) -> Any:
    return lambda grad, w, h0, hidden, gates, reverse: gru_gradient(grad, w, h0, hidden, gates, reverse=reverse)[index]


def _tangent_for_w(
    grad: Node, h_change: Node, w: Node, h0: Node, hidden: Node, gates: Node, out: Node, reverse: bool
) -> Node:
    d_product = gru_gradient(grad, w, h0, hidden, gates, reverse=reverse)[1]
    return for_weight(d_product, h_change, out, reverse)


def _tangent_for_kept(index: int) -> Any:
    def rule(
        grad: Node,
        x_change: Node,
        product_change: Node,
        h_change: Node,
        w: Node,
        h0: Node,
        hidden: Node,
        gates: Node,
        out: Node,
        reverse: bool,
    ) -> Node:
        kept = (w, h0, hidden, gates)
        d_product = gru_gradient(grad, *kept, reverse=reverse)[1]
        return _for_kept(grad, d_product, (x_change, product_change, h_change), out, kept, reverse)[index]

    return rule


gru_tangent = Op(
    "gru_tangent",
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
"""The change of h at all steps that follows from changes of x_gates, of the recurrent product and of h0."""

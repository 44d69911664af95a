"""What the recurrent ops share: sequences [steps, batch, features], walked from either end.

Each kind of recurrent layer is three ops, closed under differentiation as the three sides of a convolution are:

    layer      what it computes at all steps, and what of it the others need (its *kept* results)
    gradient   what comes in at the hidden states, carried back through all steps
    tangent    small changes of the inputs, carried forward through all steps

For given kept results gradient and tangent are linear maps, each other's transposes:

    <incoming, tangent(changes)> = <gradient(incoming), changes>

so each is the other's derivative for its linear operands, and their derivatives for the kept results and for the
weight are those of this one number: no rule needs a loop of its own.

*Earlier* and *later* are meant in the order in which the layer walks: from the last step to the first if ``reverse``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zerograd import errors
from zerograd.ir.graph import Array, Node, TensorType
from zerograd.ops.contraction import matmul, turn
from zerograd.ops.elementwise import add, is_half, mul, ones_like, sub
from zerograd.ops.movement import cat, flip, narrow, reshape, zeros_of
from zerograd.ops.scan import recurrence
from zerograd.ops.source import zeros_like

# --- types ---------------------------------------------------------------------------------------------------


def check(name: str, gates: int, x: TensorType, w: TensorType, *states: TensorType) -> TensorType:
    """The type [steps, batch, hidden] of the hidden states, after a check of all operands.

    Raises:
        RuntimeError: there are no steps, or shapes or dtypes do not fit.
    """
    if x.rank != 3 or w.rank != 2 or w.shape[0] != gates * w.shape[1] or x.shape[2] != w.shape[0]:
        raise errors.runtime(f"{name} needs gates [T, N, {gates} H] and a weight [{gates} H, H]", gates=x, weight=w)
    if not x.shape[0]:
        raise errors.runtime("Expected sequence length to be larger than 0 in RNN", gates=x)
    state = x.with_shape((x.shape[1], w.shape[1]))
    if any(one is not state for one in states) or w.dtype is not x.dtype:
        raise errors.runtime(
            f"{name} needs states [N, H] in the dtype of the gates",
            gates=x,
            weight=w,
            states=", ".join(map(str, states)),
        )
    return x.with_shape((x.shape[0], *state.shape))


# --- NumPy ---------------------------------------------------------------------------------------------------


def walk(steps: int, reverse: bool) -> Sequence[int]:
    """The steps in the order in which the layer takes them."""
    return range(steps)[::-1] if reverse else range(steps)


def wide(*arrays: Array) -> list[Array]:
    """Half precision as float32, in which all steps are computed."""
    return [one.astype(np.float32) if is_half(one) else one for one in arrays]


def like(given: Array, *results: Array) -> tuple[Array, ...]:
    """Results in the dtype of ``given``."""
    return tuple([one.astype(given.dtype, copy=False) for one in results])


def sigmoid_of(x: Array) -> None:
    """1 / (1 + exp(-x)) in place."""
    np.negative(x, out=x)
    np.exp(x, out=x)
    x += 1
    np.reciprocal(x, out=x)


def array_before(first: Array, x: Array, reverse: bool) -> Array:
    """The arrays one step earlier; ``first`` before the first one."""
    out = np.empty_like(x)
    if reverse:
        out[-1], out[:-1] = first, x[1:]
    else:
        out[0], out[1:] = first, x[:-1]
    return out


# --- nodes ---------------------------------------------------------------------------------------------------


def given(grad: Node | None, type: TensorType) -> Node:
    """A gradient, or zeros in the place of one that did not come."""
    return zeros_of(type) if grad is None else grad


def blocks(x: Node, size: int) -> tuple[Node, ...]:
    """The gates, side by side in the last axis."""
    last = x.rank - 1
    return tuple(narrow(x, last, start, start + size) for start in range(0, x.shape[last], size))


def joined(*xs: Node) -> Node:
    """Gates put side by side again."""
    return cat(*xs, axis=xs[0].rank - 1)


def total(first: Node, *rest: Node) -> Node:
    for one in rest:
        first = add(first, one)
    return first


def product(first: Node, *rest: Node) -> Node:
    for one in rest:
        first = mul(first, one)
    return first


def one_less(x: Node) -> Node:
    """1 - x"""
    return sub(ones_like(x), x)


def one_step(x: Node, step: int) -> Node:
    """[batch, features] of one step."""
    return reshape(narrow(x, 0, step, step + 1), shape=x.shape[1:])


def start(x: Node, reverse: bool) -> Node:
    """The step that is taken first."""
    return one_step(x, x.shape[0] - 1 if reverse else 0)


def end(x: Node, reverse: bool) -> Node:
    """The step that is taken last."""
    return one_step(x, 0 if reverse else x.shape[0] - 1)


def _but_last_taken(x: Node, reverse: bool) -> Node:
    return narrow(x, 0, 1, x.shape[0]) if reverse else narrow(x, 0, 0, x.shape[0] - 1)


def _but_first_taken(x: Node, reverse: bool) -> Node:
    return _but_last_taken(x, not reverse)


def before(first: Node, x: Node, reverse: bool) -> Node:
    """The values one step earlier; ``first`` before the first one."""
    lead = reshape(first, shape=(1, *x.shape[1:]))
    if x.shape[0] == 1:
        return lead
    rest = _but_last_taken(x, reverse)
    return cat(rest, lead, axis=0) if reverse else cat(lead, rest, axis=0)


def after(x: Node, reverse: bool) -> Node:
    """The values one step later; zeros after the last one."""
    return before(zeros_like(one_step(x, 0)), x, not reverse)


def carried_back(factor: Node, term: Node, reverse: bool) -> Node:
    """d[t] = term[t] + factor[t + 1] * d[t + 1], where t + 1 is one step later."""
    if reverse:
        return recurrence(after(factor, True), term, axis=0)
    turned = recurrence(flip(after(factor, False), axes=(0,)), flip(term, axes=(0,)), axis=0)
    return flip(turned, axes=(0,))


def _rows(x: Node) -> Node:
    return reshape(x, shape=(x.shape[0] * x.shape[1], x.shape[2]))


def times(x: Node, w: Node) -> Node:
    """Each step's rows times a matrix: [steps, batch, n] times [n, m]."""
    return reshape(matmul(_rows(x), w), shape=(*x.shape[:2], w.shape[1]))


def for_weight(d_gates: Node, first: Node, hidden: Node, reverse: bool) -> Node:
    """The gradient [gates H, H] of the recurrent weight: that of the gates times the state before, over all steps.

    Args:
        d_gates: the gradient [T, N, gates H] of what the weight and the state before contribute to the gates.
        first: the state [N, H] before the first step.
        hidden: the states [T, N, H] after each step.
    """
    gradient = matmul(turn(start(d_gates, reverse)), first)
    if hidden.shape[0] == 1:
        return gradient
    later, earlier = _but_first_taken(d_gates, reverse), _but_last_taken(hidden, reverse)
    return add(matmul(turn(_rows(later)), _rows(earlier)), gradient)

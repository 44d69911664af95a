"""What neural networks are made of: layers, losses, optimizers, as productions."""

from __future__ import annotations

import math

import numpy as np

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.engines.checking.building import Builder, MisfitError
from zerograd.engines.checking.productions import production
from zerograd.engines.checking.sequences import GATES
from zerograd.ir.graph import Node, TensorType, registry
from zerograd.ops import elementwise as e
from zerograd.ops import indexing as ix
from zerograd.ops.contraction import matmul, turn
from zerograd.ops.movement import broadcast_to, cat, narrow, permute, reshape
from zerograd.ops.reduction import mean_of, sum
from zerograd.ops.softmax import log_softmax, softmax
from zerograd.ops.source import filled, triangle, zeros_like

FLOATS = (dtypes.float32, dtypes.float64, dtypes.bfloat16, dtypes.float16)


def some_float(b: Builder) -> dtype:
    return b.draw.one(FLOATS, (12, 1, 1, 0.5))


def matrix(b: Builder) -> Node:
    """Rows of features: from the pool, or a leaf."""
    found = [node for node in b.pool if node.rank == 2 and node.dtype.is_floating_point and 0 not in node.shape]
    if found and b.draw.chance(0.5):
        return b.draw.one(found)
    return b.floats(b.draw.size(33) or 1, b.draw.size(65) or 1, kind=some_float(b))


def spread(b: Builder, x: Node, vector: Node) -> Node:
    return broadcast_to(vector, x.shape)


def linear(b: Builder, x: Node, features: int) -> Node:
    """x Wᵀ + b, as nn.Linear records it."""
    w = b.floats(features, x.shape[-1], kind=x.dtype, scale=x.shape[-1] ** -0.5)
    out = matmul(x, turn(w))
    return e.add(out, broadcast_to(b.floats(features, kind=x.dtype), out.shape))


def activation(b: Builder, x: Node) -> Node:
    return b.draw.one((e.relu, e.tanh, e.sigmoid, *(registry[name] for name in ("gelu", "gelu_tanh", "silu"))))(x)


def layer_norm(b: Builder, x: Node) -> Node:
    axes = (x.rank - 1,)
    centred = e.sub(x, broadcast_to(mean_of(x, axes), x.shape))
    variance = mean_of(e.square(centred), axes)
    if b.draw.chance(0.5):
        variance = registry["var"](x, axes=axes, correction=0.0)
    scaled = e.mul(centred, broadcast_to(registry["rsqrt"](e.plus(variance, 1e-5)), x.shape))
    weight, bias = (broadcast_to(b.floats(x.shape[-1], kind=x.dtype), x.shape) for _ in "wb")
    return e.add(e.mul(scaled, weight), bias)


@production(5)
def perceptron(b: Builder) -> None:
    x = matrix(b)
    for _ in range(b.draw.between(1, 3)):
        x = activation(b, linear(b, x, b.draw.size(65) or 1))
    b.offer(x)


@production(0)
def recurrent_layer(b: Builder) -> None:
    """A recurrent layer over the steps of a sequence."""
    draw, kind = b.draw, some_float(b)
    layer = draw.one(tuple(GATES))
    steps, batch, features, hidden = draw.between(1, 7), draw.between(1, 9), draw.size(17) or 1, draw.size(33) or 1
    x = linear(b, b.floats(steps * batch, features, kind=kind), GATES[layer] * hidden)
    states = [b.floats(batch, hidden, kind=kind) for _ in range(2 if layer == "lstm" else 1)]
    w = b.floats(GATES[layer] * hidden, hidden, kind=kind, scale=hidden**-0.5)
    bias = [b.floats(hidden, kind=kind)] if layer == "gru" else []
    function = {"function": draw.one(("tanh", "relu"))} if layer == "rnn" else {}
    x = reshape(x, shape=(steps, batch, GATES[layer] * hidden))
    made = registry[layer](x, *states, w, *bias, reverse=draw.chance(0.3), **function)
    b.offer(*(made[:-1] if isinstance(made, tuple) else (made,)))


@production(3)
def normalized(b: Builder) -> None:
    b.offer(layer_norm(b, matrix(b)))


@production(3)
def cross_entropy(b: Builder) -> None:
    """With class numbers, some of them ignored, as recorded by the public function."""
    x = matrix(b)
    n, classes = x.shape
    target = b.places((n,), classes)
    counted = e.ne(target, filled(b.draw.below(classes), target.type))
    safe = e.where(counted, target, zeros_like(target))
    picked = reshape(ix.gather(log_softmax(x, axis=1), reshape(safe, shape=(n, 1)), axis=1), shape=(n,))
    losses = e.neg(e.where(counted, picked, zeros_like(picked)))
    weights = e.cast(counted, dtype=x.dtype)
    total = sum(weights, axes=(0,))
    b.offer(e.div(sum(losses, axes=(0,)), e.maximum(total, filled(1, total.type))))


@production(2)
def squared_error(b: Builder) -> None:
    x = b.pick_float(rank=1)
    difference = e.sub(x, b.partner(x.type))
    b.offer(mean_of(e.mul(difference, difference), tuple(range(x.rank))))


@production(4)
def attention(b: Builder) -> None:
    """Heads over a sequence, often causal."""
    draw = b.draw
    n, heads, width = draw.one((1, 2, 3)), draw.one((1, 2, 3)), draw.one((1, 3, 4, 8, 16))
    length, kind = draw.size(17) or 1, some_float(b)
    x = b.floats(n, length, heads * width, kind=kind)
    flat = reshape(x, shape=(n * length, heads * width))

    def split() -> Node:
        rows = reshape(linear(b, flat, heads * width), shape=(n, length, heads, width))
        return permute(rows, order=(0, 2, 1, 3))

    q, k, v = split(), split(), split()
    scores = e.times(matmul(q, turn(k)), width**-0.5)
    if draw.chance(0.6):
        mask = broadcast_to(triangle(shape=(length, length), diagonal=0), scores.shape)
        scores = e.where(mask, scores, filled(-math.inf if draw.chance(0.5) else -1e4, scores.type))
    out = matmul(softmax(scores, axis=3), v)
    b.offer(reshape(permute(out, order=(0, 2, 1, 3)), shape=(n, length, heads * width)))


@production(2)
def batch_norm(b: Builder) -> None:
    shape = (b.draw.between(1, 4), b.draw.one((1, 3, 8)), b.draw.between(1, 6), b.draw.between(1, 6))
    x = b.floats(*shape, kind=some_float(b))
    axes = (0, 2, 3)
    mean = mean_of(x, axes)
    centred = e.sub(x, broadcast_to(mean, shape))
    variance = mean_of(e.square(centred), axes)
    out = e.div(centred, broadcast_to(e.sqrt(e.plus(variance, 1e-5)), shape))
    weight, bias = (broadcast_to(b.floats(1, shape[1], 1, 1, kind=x.dtype), shape) for _ in "wb")
    running = e.lerp(b.floats(*mean.shape, kind=x.dtype), mean, b.scalar(0.1, mean.type))
    b.offer(e.relu(e.add(e.mul(out, weight), bias)), running)


@production(2)
def embedding(b: Builder) -> None:
    rows, width = b.draw.size(33) or 1, b.draw.size(33) or 1
    places = b.places((b.draw.between(1, 4), b.draw.size(17)), rows)
    b.offer(ix.index(b.floats(rows, width, kind=some_float(b)), places))


@production(2)
def dropout(b: Builder) -> None:
    x = b.pick_float()
    mask = e.cast(b.leaf(x.type.with_dtype(dtypes.bool_)), dtype=x.dtype)
    b.offer(e.mul(x, e.div(mask, b.scalar(0.9, x.type))))


@production(3)
def recurrent(b: Builder) -> None:
    """A cell unrolled over time, its states gathered by writes into one tensor or by cat."""
    draw = b.draw
    n, steps, width, kind = draw.between(1, 4), draw.between(1, 5), draw.size(17) or 1, some_float(b)
    x = b.floats(n, steps, width, kind=kind)
    inner, outer = (b.floats(width, 4 * width, kind=kind, scale=0.3) for _ in "io")
    h = c = filled(0, TensorType((n, width), kind))
    states: list[Node] = []
    for t in range(steps):
        now = reshape(narrow(x, 1, t, t + 1), shape=(n, width))
        gates = e.add(matmul(now, inner), matmul(h, outer))
        i, f, g, o = (narrow(gates, 1, j * width, (j + 1) * width) for j in range(4))
        c = e.add(e.mul(e.sigmoid(f), c), e.mul(e.sigmoid(i), e.tanh(g)))
        h = e.mul(e.sigmoid(o), e.tanh(c))
        states.append(reshape(h, shape=(n, 1, width)))
    b.offer(cat(*states, axis=1) if len(states) > 1 else states[0], c)


@production(2)
def adam(b: Builder) -> None:
    """The update of one parameter, with numbers that change from step to step."""
    p = b.pick_float()
    g, m = b.partner(p.type), b.floats(*p.shape, kind=p.dtype)
    v = b.leaf(p.type, np.asarray(b.draw.random.random(p.shape) + 0.01).astype(p.dtype.numpy))
    number = lambda value: b.scalar(value, p.type)  # noqa: E731
    new_m = e.add(m, e.mul(number(0.1), e.sub(g, m)))
    new_v = e.add(e.mul(number(0.999), v), e.mul(e.mul(number(0.001), g), g))
    scale = e.add(e.div(e.sqrt(new_v), number(0.9)), number(1e-8))
    b.offer(new_m, new_v, e.sub(p, e.div(e.mul(number(0.01), new_m), scale)))


@production(2)
def momentum(b: Builder) -> None:
    """SGD with momentum and weight decay."""
    p = b.pick_float()
    g = e.add(b.partner(p.type), e.mul(p, b.scalar(0.01, p.type)))
    buffer = e.add(e.mul(b.floats(*p.shape, kind=p.dtype), b.scalar(0.9, p.type)), g)
    b.offer(buffer, e.sub(p, e.mul(b.scalar(0.1, p.type), buffer)))


@production(1.5)
def clipping(b: Builder) -> None:
    """All values scaled so that their common norm is at most 1."""
    x = [b.pick_float() for _ in range(b.draw.between(1, 3))]
    x = [e.convert(one, dtypes.float32) for one in x]
    squares = [reshape(sum(e.square(one), axes=tuple(range(one.rank))), shape=()) for one in x]
    total = squares[0]
    for one in squares[1:]:
        total = e.add(total, one)
    scale = e.minimum(e.div(filled(1, total.type), e.plus(e.sqrt(total), 1e-6)), filled(1, total.type))
    b.offer(*[e.mul(one, broadcast_to(scale, one.shape)) for one in x])


@production(1.5)
def mixed_precision(b: Builder) -> None:
    """A product in bfloat16 within float32."""
    x = matrix(b)
    if x.dtype is not dtypes.float32:
        raise MisfitError
    w = b.floats(x.shape[1], b.draw.size(33) or 1, scale=x.shape[1] ** -0.5)
    low = matmul(e.cast(x, dtype=dtypes.bfloat16), e.cast(w, dtype=dtypes.bfloat16))
    b.offer(activation(b, e.cast(low, dtype=dtypes.float32)))

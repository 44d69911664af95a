"""Composite ops become the primitives that kernels are made of: elementwise ops, sums and extremes.

Each rule repeats the formula of the op's reference, so that NaN, infinities and rounding come out alike. Half
precision is computed in float32 and rounded once, as there.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from zerograd import dtypes
from zerograd.ir.graph import Node
from zerograd.ops import reduction
from zerograd.ops.elementwise import abs as abs_
from zerograd.ops.elementwise import (
    add,
    clamp,
    clamp_max,
    clamp_min,
    div,
    exp,
    lerp,
    log,
    lt,
    maximum,
    minimum,
    mul,
    ne,
    sqrt,
    square,
    sub,
    where,
)
from zerograd.ops.elementwise import pow as power
from zerograd.ops.movement import expand
from zerograd.ops.normalization import standardized
from zerograd.ops.reduction import logsumexp, norm, var
from zerograd.ops.softmax import log_softmax, softmax
from zerograd.ops.transcendental import logit, root
from zerograd.passes.rewrite import Graph, Rule, Rules
from zerograd.shapes import Shape, count

rules = Rules()
_HALF = (dtypes.float16, dtypes.bfloat16)


def real_numbers(rule: Rule) -> Rule:
    """The rule for real numbers, if there are any; half precision is computed in float32."""

    @functools.wraps(rule)
    def wide(graph: Graph, node: Node) -> Node | None:
        first = node.inputs[0].type
        if first.weak or not first.dtype.is_floating_point or not first.count:
            return None
        if first.dtype not in _HALF:
            return rule(graph, node)
        inputs = tuple([graph.cast(one, dtypes.float32) for one in node.inputs])
        return graph.cast(graph.node(node.op, inputs, node.attributes), node.dtype)

    return wide


def constant(graph: Graph, number: float, like: Node) -> Node:
    return graph.full(number, like.type)


# --- elementwise -------------------------------------------------------------------------------------------


@rules.on(square)
def square_is_product(graph: Graph, node: Node) -> Node | None:
    """square(x) = x * x"""
    (x,) = node.inputs
    return graph.make(mul, x, x)


@rules.on(root)
def root_is_sqrt(graph: Graph, node: Node) -> Node | None:
    """root(x) = sqrt(x); they have different gradients"""
    return graph.make(sqrt, *node.inputs)


@rules.on(clamp)
def clamp_is_two_choices(graph: Graph, node: Node) -> Node | None:
    """clamp(x, low, high) = minimum(maximum(x, low), high)"""
    x, low, high = node.inputs
    return graph.make(minimum, graph.make(maximum, x, low), high)


@rules.on(clamp_min, clamp_max)
def clamp_is_choice(graph: Graph, node: Node) -> Node | None:
    """clamp_min(x, y) = maximum(x, y); clamp_max(x, y) = minimum(x, y)"""
    return graph.make(maximum if node.op is clamp_min else minimum, *node.inputs)


@rules.on(logit)
@real_numbers
def logit_is_composed(graph: Graph, node: Node) -> Node | None:
    """logit(x) = log(x / (1 - x))"""
    (x,) = node.inputs
    return graph.make(log, graph.make(div, x, graph.make(sub, constant(graph, 1, x), x)))


@rules.on(lerp)
@real_numbers
def lerp_is_composed(graph: Graph, node: Node) -> Node | None:
    """lerp(x, y, w) = where(|w| < ½, x + w * (y - x), y - (y - x) * (1 - w))"""
    x, y, weight = node.inputs
    distance = graph.make(sub, y, x)
    near = graph.make(add, x, graph.make(mul, weight, distance))
    far = graph.make(sub, y, graph.make(mul, distance, graph.make(sub, constant(graph, 1, x), weight)))
    small = graph.make(lt, graph.make(abs_, weight), constant(graph, 0.5, x))
    return graph.make(where, small, near, far)


# --- along axes ----------------------------------------------------------------------------------------------


def _spread(graph: Graph, reduced: Node, shape: Shape) -> Node:
    return graph.expand(reduced, shape)


def _sum(graph: Graph, x: Node, axes: Shape) -> Node:
    return graph.make(reduction.sum, x, axes=axes)


def _centred(graph: Graph, x: Node, axis: int) -> Node:
    return graph.make(sub, x, graph.expand(graph.make(reduction.max, x, axes=(axis,)), x.shape))


@rules.on(softmax)
@real_numbers
def softmax_is_composed(graph: Graph, node: Node) -> Node | None:
    """softmax(x) = e / sum(e), where e = exp(x - max(x))"""
    (x,), axis = node.inputs, node.attributes["axis"]
    powers = graph.make(exp, _centred(graph, x, axis))
    return graph.make(div, powers, graph.expand(_sum(graph, powers, (axis,)), x.shape))


@rules.on(log_softmax)
@real_numbers
def log_softmax_is_composed(graph: Graph, node: Node) -> Node | None:
    """log_softmax(x) = z - log(sum(exp(z))), where z = x - max(x)"""
    (x,), axis = node.inputs, node.attributes["axis"]
    centred = _centred(graph, x, axis)
    total = graph.make(log, _sum(graph, graph.make(exp, centred), (axis,)))
    return graph.make(sub, centred, graph.expand(total, x.shape))


@rules.on(exp, of=sub)
def exp_of_log_softmax(graph: Graph, node: Node) -> Node | None:
    """exp(z - log(sum(exp(z)))) = exp(z) / sum(exp(z)), where exp(z) is known"""
    (x,) = node.inputs
    if x.op is not sub or x.inputs[1].op is not expand:
        return None
    z, total = x.inputs[0], x.inputs[1].inputs[0]
    if total.op is not log or total.inputs[0].op is not reduction.sum:
        return None
    (powers,) = total.inputs[0].inputs
    if powers.op is not exp or powers.inputs[0] is not z:
        return None
    return graph.make(div, powers, graph.expand(total.inputs[0], node.shape))


@rules.on(logsumexp)
@real_numbers
def logsumexp_is_composed(graph: Graph, node: Node) -> Node | None:
    """logsumexp(x) = log(sum(exp(x - m))) + m, where m is max(x), or 0 where that is not finite"""
    (x,), axes = node.inputs, node.attributes["axes"]
    largest = graph.make(reduction.max, x, axes=axes)
    finite = graph.make(lt, graph.make(abs_, largest), constant(graph, math.inf, largest))
    largest = graph.make(where, finite, largest, constant(graph, 0, largest))
    powers = graph.make(exp, graph.make(sub, x, graph.expand(largest, x.shape)))
    return graph.make(add, graph.make(log, _sum(graph, powers, axes)), largest)


@rules.on(var)
@real_numbers
def var_is_composed(graph: Graph, node: Node) -> Node | None:
    """var(x) = sum((x - mean(x))²) / (n - correction)"""
    (x,), axes = node.inputs, node.attributes["axes"]
    number = count([x.shape[axis] for axis in axes])
    total = _sum(graph, x, axes)
    mean = graph.make(div, total, constant(graph, number, total))
    deviation = graph.make(sub, x, graph.expand(mean, x.shape))
    degrees = max(number - node.attributes["correction"], 0)
    return graph.make(div, _sum(graph, graph.make(mul, deviation, deviation), axes), constant(graph, degrees, total))


@rules.on(standardized)
def standardized_is_composed(graph: Graph, node: Node) -> Node | None:
    """standardized(x, mean, factor) = (x - mean) * factor"""
    x, mean, factor = [graph.expand(one, node.shape) for one in node.inputs]
    return graph.make(mul, graph.make(sub, x, mean), factor)


Norm = Callable[[Graph, Node, Shape], Node]
_NORMS: dict[float, Norm] = {
    0: lambda graph, size, axes: _sum(
        graph, graph.cast(graph.make(ne, size, constant(graph, 0, size)), size.dtype), axes
    ),
    1: _sum,
    2: lambda graph, size, axes: graph.make(sqrt, _sum(graph, graph.make(mul, size, size), axes)),
    math.inf: lambda graph, size, axes: graph.make(reduction.max, size, axes=axes),
    -math.inf: lambda graph, size, axes: graph.make(reduction.min, size, axes=axes),
}


@rules.on(norm)
@real_numbers
def norm_is_composed(graph: Graph, node: Node) -> Node | None:
    """norm(x) = sum(|x|ᵖ)^(1/p); the number of x ≠ 0 for p = 0, max(|x|) for p = ∞, min(|x|) for p = -∞"""
    (x,), axes, p = node.inputs, node.attributes["axes"], node.attributes["p"]
    size = graph.make(abs_, x)
    if p in _NORMS:
        known = _NORMS[p]
        return known(graph, x if p in (0, 2) else size, axes)
    total = _sum(graph, graph.make(power, size, constant(graph, p, size)), axes)
    return graph.make(power, total, constant(graph, 1 / p, total))

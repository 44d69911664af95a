"""Activations and their slopes become the primitives that kernels are made of, by the formulas of their references.

An activation and its slope share their parts then, and a kernel that computes the one gives the other almost for free.
"""

from __future__ import annotations

from zerograd.ir.graph import Node
from zerograd.ops.activation import (
    CUBE,
    DENSITY_AT_0,
    ROOT_HALF,
    ROOT_TWO_OVER_PI,
    gelu,
    gelu_slope,
    gelu_tanh,
    gelu_tanh_slope,
    silu,
    silu_slope,
)
from zerograd.ops.elementwise import add, exp, mul, sigmoid, sub, tanh
from zerograd.ops.special_functions import erf
from zerograd.passes.decompose import constant, real_numbers
from zerograd.passes.rewrite import Graph, Rules

rules = Rules()


def _times(graph: Graph, x: Node, number: float) -> Node:
    return graph.make(mul, x, constant(graph, number, x))


def _plus(graph: Graph, x: Node, number: float) -> Node:
    return graph.make(add, x, constant(graph, number, x))


def _twice_share(graph: Graph, x: Node) -> Node:
    """1 + erf(x / √2)"""
    return _plus(graph, graph.make(erf, _times(graph, x, ROOT_HALF)), 1)


@rules.on(gelu)
@real_numbers
def gelu_is_composed(graph: Graph, node: Node) -> Node | None:
    """gelu(x) = x / 2 * (1 + erf(x / √2))"""
    (x,) = node.inputs
    return graph.make(mul, _times(graph, x, 0.5), _twice_share(graph, x))


@rules.on(gelu_slope)
@real_numbers
def gelu_slope_is_composed(graph: Graph, node: Node) -> Node | None:
    """gelu'(x) = (1 + erf(x / √2)) / 2 + x exp(-x² / 2) / √(2π)"""
    (x,) = node.inputs
    density = graph.make(exp, _times(graph, graph.make(mul, x, x), -0.5))
    share = _times(graph, _twice_share(graph, x), 0.5)
    return graph.make(add, share, graph.make(mul, _times(graph, x, DENSITY_AT_0), density))


def _tanh_of_cubic(graph: Graph, x: Node, square: Node) -> Node:
    """tanh(√(2/π) (x + 0.044715 x³))"""
    cubic = graph.make(add, x, _times(graph, graph.make(mul, x, square), CUBE))
    return graph.make(tanh, _times(graph, cubic, ROOT_TWO_OVER_PI))


@rules.on(gelu_tanh)
@real_numbers
def gelu_tanh_is_composed(graph: Graph, node: Node) -> Node | None:
    """gelu_tanh(x) = x / 2 * (1 + tanh(√(2/π) (x + 0.044715 x³)))"""
    (x,) = node.inputs
    step = _tanh_of_cubic(graph, x, graph.make(mul, x, x))
    return graph.make(mul, _times(graph, x, 0.5), _plus(graph, step, 1))


@rules.on(gelu_tanh_slope)
@real_numbers
def gelu_tanh_slope_is_composed(graph: Graph, node: Node) -> Node | None:
    """gelu_tanh'(x) = (1 + t) / 2 + x / 2 * (1 - t²) * u' with t = tanh(u), u = √(2/π) (x + 0.044715 x³)"""
    (x,) = node.inputs
    square = graph.make(mul, x, x)
    step = _tanh_of_cubic(graph, x, square)
    inner = _plus(graph, _times(graph, square, 3 * CUBE * ROOT_TWO_OVER_PI), ROOT_TWO_OVER_PI)
    rest = graph.make(sub, constant(graph, 1, x), graph.make(mul, step, step))
    steep = graph.make(mul, graph.make(mul, _times(graph, x, 0.5), rest), inner)
    return graph.make(add, _times(graph, _plus(graph, step, 1), 0.5), steep)


@rules.on(silu)
@real_numbers
def silu_is_composed(graph: Graph, node: Node) -> Node | None:
    """silu(x) = x * sigmoid(x)"""
    (x,) = node.inputs
    return graph.make(mul, x, graph.make(sigmoid, x))


@rules.on(silu_slope)
@real_numbers
def silu_slope_is_composed(graph: Graph, node: Node) -> Node | None:
    """silu'(x) = s * (1 + x * (1 - s)) with s = sigmoid(x)"""
    (x,) = node.inputs
    share = graph.make(sigmoid, x)
    rest = graph.make(sub, constant(graph, 1, x), share)
    return graph.make(mul, share, _plus(graph, graph.make(mul, x, rest), 1))

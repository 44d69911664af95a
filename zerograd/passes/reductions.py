"""Rules of sums, extremes and other reductions. Reduced axes stay, with size 1."""

from __future__ import annotations

from zerograd import dtypes
from zerograd.ir.graph import Node
from zerograd.ops import reduction
from zerograd.ops.elementwise import mul, neg
from zerograd.ops.movement import expand, permute, reshape
from zerograd.ops.scan import cumprod, cumsum
from zerograd.ops.source import full
from zerograd.passes.axes import axes_carried
from zerograd.passes.rewrite import Graph, Rules
from zerograd.shapes import Shape, count

rules = Rules()
EXTREMES = (reduction.max, reduction.min, reduction.any, reduction.all)
FOLDS = (reduction.sum, *EXTREMES)
_MULTIPLE = (dtypes.int64, dtypes.float32, dtypes.float64, dtypes.complex64, dtypes.complex128)


def axes_of(node: Node) -> Shape:
    """The reduced axes."""
    at = node.attributes
    return at["axes"] if "axes" in at else (at["axis"],)


@rules.on(*FOLDS)
def reduction_of_single_axes(graph: Graph, node: Node) -> Node | None:
    """Axes of size 1 need no reduction: sum(x, axes=(0, 1)) = sum(x, axes=(1,)) for x[1, n]"""
    (x,) = node.inputs
    axes = axes_of(node)
    kept = tuple([axis for axis in axes if x.shape[axis] != 1])
    if not kept:
        return x
    return None if len(kept) == len(axes) else graph.make(node.op, x, axes=kept)


_OF_NOTHING = {reduction.sum: 0, reduction.prod: 1, reduction.any: False, reduction.all: True}


@rules.on(*_OF_NOTHING)
def reduction_of_nothing(graph: Graph, node: Node) -> Node | None:
    """The sum of no elements is 0, their product 1."""
    nothing = node.type.count and not node.inputs[0].type.count
    return graph.full(_OF_NOTHING[node.op], node.type) if nothing else None


@rules.on(*FOLDS)
def reduction_in_order(graph: Graph, node: Node) -> Node | None:
    """The order of the axes does not matter."""
    axes = axes_of(node)
    ascending = tuple(sorted(axes))
    return None if ascending == axes else graph.make(node.op, *node.inputs, axes=ascending)


@rules.on(reduction.prod, cumsum, cumprod)
def scan_of_single_axis(graph: Graph, node: Node) -> Node | None:
    """The product, or the running sum, along an axis of size 1 is x."""
    (x,) = node.inputs
    return x if x.shape[node.attributes["axis"]] == 1 else None


@rules.on(reduction.argmax, reduction.argmin)
def place_on_single_axis(graph: Graph, node: Node) -> Node | None:
    """The place of the largest of one element is 0."""
    (x,) = node.inputs
    return graph.full(0, node.type) if x.shape[node.attributes["axis"]] == 1 else None


@rules.on(*FOLDS)
def reduction_twice(graph: Graph, node: Node) -> Node | None:
    """sum(sum(x, axes=(1,)), axes=(0,)) = sum(x, axes=(0, 1))"""
    (x,) = node.inputs
    if x.op is not node.op:
        return None
    return graph.make(node.op, x.inputs[0], axes=tuple(sorted({*axes_of(node), *axes_of(x)})))


@rules.on(*EXTREMES, of=full)
def extreme_of_constant(graph: Graph, node: Node) -> Node | None:
    """max(full(c)) = c"""
    (x,) = node.inputs
    return graph.full(x.attributes["fill"], node.type) if x.op is full and x.type.count else None


@rules.on(reduction.sum, of=full)
def sum_of_constant(graph: Graph, node: Node) -> Node | None:
    """sum(full(c)) = n * c"""
    (x,) = node.inputs
    number = count([x.shape[axis] for axis in axes_of(node)])
    if x.op is not full or not number or node.dtype not in _MULTIPLE:
        return None
    return graph.make(mul, graph.full(x.attributes["fill"], node.type), graph.full(number, node.type))


@rules.on(*FOLDS, of=expand)
def reduction_of_expand(graph: Graph, node: Node) -> Node | None:
    """sum(expand(x)) = n * sum(x); max(expand(x)) = max(x); along other axes the expansion comes later"""
    (x,) = node.inputs
    if x.op is not expand or not x.type.count:
        return None
    (source,) = x.inputs
    axes = axes_of(node)
    grown = [axis for axis in axes if source.shape[axis] != x.shape[axis]]
    if grown and node.op is reduction.sum and node.dtype not in _MULTIPLE:
        return None
    rest = tuple([axis for axis in axes if axis not in grown])
    small = graph.make(node.op, source, axes=rest) if rest else source
    if grown and node.op is reduction.sum:
        small = graph.make(mul, small, graph.full(count([x.shape[axis] for axis in grown]), small.type))
    return graph.expand(small, node.shape)


@rules.on(reduction.sum, of=neg)
def sum_of_neg(graph: Graph, node: Node) -> Node | None:
    """sum(-x) = -sum(x)"""
    (x,) = node.inputs
    return graph.make(neg, graph.make(reduction.sum, x.inputs[0], axes=axes_of(node))) if x.op is neg else None


@rules.on(*FOLDS, of=permute)
def reduction_of_permute(graph: Graph, node: Node) -> Node | None:
    """sum(permute(x)) = permute(sum(x)): the sum has fewer elements to move"""
    (x,) = node.inputs
    if x.op is not permute:
        return None
    order = x.attributes["order"]
    axes = tuple(sorted([order[axis] for axis in axes_of(node)]))
    return graph.permute(graph.make(node.op, x.inputs[0], axes=axes), order)


@rules.on(*FOLDS, of=reshape)
def reduction_of_reshape(graph: Graph, node: Node) -> Node | None:
    """sum(reshape(x)) = reshape(sum(x)), if whole axes of x are reduced"""
    (x,) = node.inputs
    if x.op is not reshape:
        return None
    (source,) = x.inputs
    axes = axes_carried(axes_of(node), x.shape, source.shape)
    return graph.reshape(graph.make(node.op, source, axes=axes), node.shape) if axes else None

"""Reading and writing one element in each row, as ``nll_loss`` and its gradient do.

Comparing places with the running index joins the kernels around it; nothing is looked up.
"""

from __future__ import annotations

import math

from zerograd import dtypes
from zerograd.ir.graph import Node, leaf
from zerograd.ops import reduction
from zerograd.ops.convolution import fold
from zerograd.ops.elementwise import add, eq, where
from zerograd.ops.indexing import gather, index_write, scatter, scatter_add, scatter_fold, wrap
from zerograd.ops.movement import expand, reshape, slice_, slice_write
from zerograd.ops.source import full, iota
from zerograd.passes.choice import counts_from_front
from zerograd.passes.rewrite import Graph, Rules, is_full

rules = Rules()


def _one_in_each_row(node: Node) -> bool:
    """Whether there is one place along the axis, and a place for every row."""
    x, places, axis = node.inputs[0], node.inputs[1], node.attributes["axis"]
    return bool(x.type.count) and places.shape == (*x.shape[:axis], 1, *x.shape[axis + 1 :])


def _chosen(graph: Graph, x: Node, places: Node, axis: int) -> Node:
    """Where the places are, for the shape of ``x``; a wrong place is an IndexError."""
    size = x.shape[axis]
    if not counts_from_front(places, size):
        places = graph.make(wrap, places, size=size)
    line = graph.make(iota, size=size, dtype=dtypes.int64)
    line = graph.reshape(line, tuple(size if i == axis else 1 for i in range(x.rank)))
    return graph.make(eq, graph.expand(places, x.shape), graph.expand(line, x.shape))


@rules.on(gather)
def gather_in_arithmetic(graph: Graph, node: Node) -> Node | None:
    """gather(x - expand(y)) = gather(x) - y: one element of each row instead of all"""
    x, places = node.inputs
    if not _one_in_each_row(node) or not x.op.elementwise:
        return None
    axis = node.attributes["axis"]
    along = [_is_expanded(one, axis) for one in x.inputs]
    if not any(along) or along.count(False) > 1:
        return None
    inputs: list[Node] = []
    for one, constant in zip(x.inputs, along, strict=True):
        if one.op is full:
            inputs.append(graph.full(one.attributes["fill"], one.type.with_shape(places.shape)))
        elif constant:
            inputs.append(graph.expand(one.inputs[0], places.shape))
        else:
            inputs.append(graph.make(gather, one, places, axis=axis))
    return graph.node(x.op, tuple(inputs), x.attributes)


@rules.on(scatter, scatter_add, scatter_fold, index_write)
def nothing_written(graph: Graph, node: Node) -> Node | None:
    """scatter(x, places, values) = x for no values"""
    x, values = node.inputs[0], node.inputs[2 if node.op is not index_write else 1]
    return x if x.type.count and not values.type.count else None


@rules.on(gather, scatter, scatter_add, scatter_fold)
def places_in_part(graph: Graph, node: Node) -> Node | None:
    """gather(x, places) = gather(x[:m], places), and scatter writes x[:m] only, where places are for m of the rows"""
    x, places, axis = node.inputs[0], node.inputs[1], node.attributes["axis"]
    shape = tuple([m if i == axis else n for i, (m, n) in enumerate(zip(x.shape, places.shape, strict=True))])
    if shape == x.shape:
        return None
    box = {"starts": (0,) * x.rank, "steps": (1,) * x.rank}
    part = graph.make(slice_, x, stops=shape, **box)
    found = graph.node(node.op, (part, *node.inputs[1:]), node.attributes)
    return found if node.op is gather else graph.make(slice_write, x, found, stops=shape, **box)


@rules.on(scatter_add, scatter_fold, index_write, fold)
def halves_meet_in_single(graph: Graph, node: Node) -> Node | None:
    """Values of half precision are added, or multiplied, in float32 and rounded once."""
    x, *others = node.inputs
    adds = node.attributes.get("accumulate", True)
    if x.dtype not in (dtypes.float16, dtypes.bfloat16) or not adds:
        return None
    wide = [graph.cast(one, dtypes.float32) if one.dtype is x.dtype else one for one in (x, *others)]
    return graph.cast(graph.node(node.op, tuple(wide), node.attributes), x.dtype)


def _is_expanded(x: Node, axis: int) -> bool:
    return x.op is full or (x.op is expand and x.inputs[0].shape[axis] == 1 != x.shape[axis])


@rules.on(gather)
def gather_is_choice(graph: Graph, node: Node) -> Node | None:
    """gather(x, places) = max(where(places = iota, x, -inf)), with one place in each row of a computed x

    The greatest element keeps the sign of a zero, which a sum would lose.
    """
    x, places = node.inputs
    if not _one_in_each_row(node) or x.op is leaf or not x.dtype.is_floating_point:
        return None
    axis = node.attributes["axis"]
    chosen = graph.make(where, _chosen(graph, x, places, axis), x, graph.full(-math.inf, x.type))
    return graph.make(reduction.max, chosen, axes=(axis,))


@rules.on(scatter, scatter_add)
def scatter_is_choice(graph: Graph, node: Node) -> Node | None:
    """scatter(x, places, y) = where(places = iota, expand(y), x), with one place in each row"""
    x, places, values = node.inputs
    if not _one_in_each_row(node):
        return None
    chosen = _chosen(graph, x, places, node.attributes["axis"])
    values = graph.expand(values, x.shape)
    if node.op is scatter or is_full(x, 0):
        return graph.make(where, chosen, values, x)
    return graph.make(add, x, graph.make(where, chosen, values, graph.full(0, x.type)))


@rules.on(reduction.sum, of=where)
def sum_of_written(graph: Graph, node: Node) -> Node | None:
    """sum(where(places = iota, expand(y), 0)) = y, with one place in each row"""
    (x,) = node.inputs
    if x.op is not where or len(node.attributes["axes"]) != 1:
        return None
    condition, values, base = x.inputs
    (axis,) = node.attributes["axes"]
    if not is_full(base, 0) or condition.op is not eq or not _compares_places(condition, axis):
        return None
    if not _is_expanded(values, axis):
        return None
    return (
        graph.full(values.attributes["fill"], node.type)
        if values.op is full
        else graph.expand(values.inputs[0], node.shape)
    )


def _compares_places(condition: Node, axis: int) -> bool:
    """Whether exactly one place along the axis meets the condition, in every row."""
    places, line = condition.inputs
    if places.op is not expand or places.inputs[0].shape[axis] != 1 or line.op is not expand:
        return False
    line = line.inputs[0]
    size = line.shape[axis]
    if line.type.count != size or condition.shape[axis] != size:
        return False
    line = line.inputs[0] if line.op is reshape else line
    places = places.inputs[0].inputs[0] if places.inputs[0].op is reshape else places.inputs[0]
    return line.op is iota and counts_from_front(places, size)

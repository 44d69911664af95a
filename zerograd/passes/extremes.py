"""Places of extremes, put together from folds: the first place that holds the extreme, or a NaN."""

from __future__ import annotations

from zerograd import dtypes
from zerograd.ir.graph import Node, output
from zerograd.ops import reduction
from zerograd.ops.bitwise import bit_or
from zerograd.ops.elementwise import eq, ne, where
from zerograd.ops.source import iota
from zerograd.passes.rewrite import Graph, Rules

rules = Rules()
_EXTREME = {reduction.argmax: reduction.max, reduction.argmin: reduction.min}
_PLACE = {reduction.max_at: reduction.argmax, reduction.min_at: reduction.argmin}


@rules.on(reduction.argmax, reduction.argmin)
def place_is_least_index(graph: Graph, node: Node) -> Node | None:
    """argmax(x) = min(where(x = max(x) or x ≠ x, iota, n)), with n elements"""
    (x,), axis = node.inputs, node.attributes["axis"]
    if x.dtype.is_complex or x.type.weak or not x.type.count:
        return None
    if x.dtype is dtypes.bool_:
        x = graph.cast(x, dtypes.uint8)
    size = x.shape[axis]
    extreme = graph.make(_EXTREME[node.op], x, axes=(axis,))
    chosen = graph.make(eq, x, graph.expand(extreme, x.shape))
    if x.dtype.is_floating_point:
        chosen = graph.make(bit_or, chosen, graph.make(ne, x, x))
    kind = dtypes.int32 if size < 1 << 31 else dtypes.int64
    line = graph.make(iota, size=size, dtype=kind)
    line = graph.reshape(line, tuple(size if i == axis else 1 for i in range(x.rank)))
    places = graph.expand(line, x.shape)
    chosen = graph.make(where, chosen, places, graph.full(size, places.type))
    return graph.cast(graph.make(reduction.min, chosen, axes=(axis,)), dtypes.int64)


@rules.on(output, of=(reduction.max_at, reduction.min_at))
def extreme_and_its_place(graph: Graph, node: Node) -> Node | None:
    """max_at(x) = max(x), argmax(x)"""
    (both,) = node.inputs
    if both.op not in _PLACE:
        return None
    (x,), axis, place = both.inputs, both.attributes["axis"], _PLACE[both.op]
    if node.attributes["index"]:
        return graph.make(place, x, axis=axis)
    return graph.make(_EXTREME[place], x, axes=(axis,))


@rules.on(reduction.max, reduction.min)
def extreme_of_truth(graph: Graph, node: Node) -> Node | None:
    """max(x) = any(x) and min(x) = all(x), where x is True or False"""
    (x,), axes = node.inputs, node.attributes["axes"]
    if x.dtype is not dtypes.bool_:
        return None
    return graph.make(reduction.any if node.op is reduction.max else reduction.all, x, axes=axes)

"""Expansions and reshapes move towards the results.

Then work is done on the small tensor instead of the expanded one, and what stands between two reshapes is computed in
one shape, in which kernels can join it.
"""

from __future__ import annotations

from zerograd.ir.graph import Node, TensorType, leaf
from zerograd.ops.movement import cat, expand, reshape, slice_
from zerograd.ops.source import full
from zerograd.passes.axes import carried, groups
from zerograd.passes.pieces import box
from zerograd.passes.rewrite import Graph, Rules
from zerograd.shapes import Shape, count

rules = Rules()


def _is_reshaped(node: Node) -> bool:
    """Whether it is a computed value seen under another shape of not fewer axes."""
    return node.op is reshape and node.inputs[0].op is not leaf and node.inputs[0].rank <= node.rank


# --- expansions --------------------------------------------------------------------------------------------


@rules.on_elementwise(of=expand)
def expand_after_elementwise(graph: Graph, node: Node) -> Node | None:
    """f(expand(x), expand(y)) = expand(f(x, y)), as far as both are expanded"""
    inputs = node.inputs
    shapes: list[Shape] = []
    for one in inputs:
        if one.op is expand:
            shapes.append(one.inputs[0].type.shape)
        elif one.op is not full:
            return None
    shape = node.type.shape
    if not shapes or not node.type.count:
        return None
    small = tuple([max(sizes) for sizes in zip(*shapes, strict=True)])
    if small == shape:
        return None
    made = graph.node(node.op, tuple([_shrunk(graph, one, small) for one in inputs]), node.attributes)
    return graph.expand(made, shape)


def _shrunk(graph: Graph, x: Node, shape: Shape) -> Node:
    """An expansion or a constant, expanded to a smaller shape."""
    if x.op is full:
        return graph.full(x.attributes["fill"], TensorType(shape, x.dtype, x.type.weak))
    return graph.expand(x.inputs[0], shape)


# --- reshapes ------------------------------------------------------------------------------------------------


@rules.on_elementwise(of=reshape)
def reshape_after_elementwise(graph: Graph, node: Node) -> Node | None:
    """f(reshape(x), reshape(y)) = reshape(f(x, y)), in the shape with fewer axes"""
    inputs = node.inputs
    for one in inputs:
        if one.op is reshape and _is_reshaped(one):
            shape = one.inputs[0].type.shape
            break
    else:
        return None
    seen = [_seen_as(graph, one, shape) for one in inputs]
    if any([one is None for one in seen]):  # noqa: C419  faster
        return None
    return graph.reshape(graph.node(node.op, tuple(seen), node.attributes), node.shape)  # pyright: ignore[reportArgumentType]


def _seen_as(graph: Graph, x: Node, shape: Shape) -> Node | None:
    """``x`` under another shape, if it is seen under more axes than it has, or if that costs nothing."""
    if x.op is reshape and x.inputs[0].shape == shape:
        return x.inputs[0]
    if x.op is full:
        return graph.full(x.attributes["fill"], TensorType(shape, x.dtype, x.type.weak))
    if x.op is expand:
        small = carried(x.inputs[0].shape, x.shape, shape)
        return None if small is None else graph.expand(graph.reshape(x.inputs[0], small), shape)
    if x.op is leaf or len(shape) < x.rank:
        return graph.reshape(x, shape)
    return None


@rules.on(slice_, of=reshape)
def reshape_after_slice(graph: Graph, node: Node) -> Node | None:
    """slice(reshape(x)) = reshape(slice(x)), if merged and divided axes are taken whole"""
    (x,) = node.inputs
    if x.op is not reshape:
        return None
    (source,) = x.inputs
    runs = groups(x.shape, source.shape)
    if runs is None or not node.type.count:
        return None
    starts, stops, steps = [0] * source.rank, list(source.shape), [1] * source.rank
    wanted = box(node)
    for mine, theirs in runs:
        if len(mine) == 1 and len(theirs) == 1:
            part = wanted[mine[0]]
        elif all([node.shape[i] == x.shape[i] for i in mine]):  # noqa: C419  faster
            continue
        elif len(theirs) == 1:
            part = _run(wanted, x.shape, mine)
        else:
            return None
        if part is None:
            return None
        starts[theirs[0]], stops[theirs[0]], steps[theirs[0]] = part.start, part.stop, part.step
    return graph.reshape(graph.slice(source, tuple(starts), tuple(stops), tuple(steps)), node.shape)


def _run(wanted: tuple[range, ...], shape: Shape, axes: Shape) -> range | None:
    """The places in the axis that is divided into ``axes``, if what is wanted of these lies in a row there.

    So it is if one index is wanted of each axis up to one, and everything of those after it.
    """
    start, size = 0, 1
    for axis in axes:
        n, part = shape[axis], wanted[axis]
        whole = part == range(n)
        if part.step != 1 or (size > 1 and not whole):
            return None
        start, size = start * n + part.start, size * len(part)
    return range(start, start + size)


@rules.on(cat, of=reshape)
def reshape_after_cat(graph: Graph, node: Node) -> Node | None:
    """cat(reshape(x), reshape(y)) = reshape(cat(x, y)), if the axis stands alone in both shapes"""
    axis, first = node.attributes["axis"], node.inputs[0]
    if not _is_reshaped(first):
        return None
    runs = groups(first.shape, first.inputs[0].shape) or ()
    place = next((theirs[0] for mine, theirs in runs if mine == (axis,) and len(theirs) == 1), None)
    if place is None:
        return None
    parts: list[Node] = []
    shape = first.inputs[0].shape
    for one in node.inputs:
        wanted = (*shape[:place], one.shape[axis], *shape[place + 1 :])
        part = one.inputs[0] if one.op is reshape and one.inputs[0].shape == wanted else None
        if one.op is full:
            part = graph.reshape(one, wanted)
        if part is None:
            return None
        parts.append(part)
    return graph.reshape(graph.cat(parts, place), node.shape)


@rules.on(cat, of=reshape)
def cat_of_reshaped(graph: Graph, node: Node) -> Node | None:
    """Of parts that are seen under a shape anyway, the axes before the one along which they lie are merged."""
    axis, shape = node.attributes["axis"], node.shape
    before = count(shape[:axis])
    lead = (before,) if before != 1 else ()
    if len(lead) == axis or any([one.op not in (reshape, full) for one in node.inputs]):  # noqa: C419  faster
        return None
    parts = [graph.reshape(one, (*lead, *one.shape[axis:])) for one in node.inputs]
    return graph.reshape(graph.cat(parts, len(lead)), shape)

"""Rules of ops that move elements. Of compositions, ``expand`` comes last and ``reshape`` before it."""

from __future__ import annotations

from zerograd.ir.graph import Node
from zerograd.ops.movement import bitcast, cat, expand, flip, inverse, permute, reshape, slice_
from zerograd.ops.source import full
from zerograd.passes.axes import carried, groups
from zerograd.passes.rewrite import Graph, Rules
from zerograd.shapes import Shape

rules = Rules()


@rules.on(reshape, permute, expand, slice_, flip, of=full)
def moved_constant(graph: Graph, node: Node) -> Node | None:
    """A constant moved is a constant of the new shape."""
    (x,) = node.inputs
    return graph.full(x.attributes["fill"], node.type) if x.op is full and not x.type.weak else None


@rules.on(reshape, permute, expand, slice_, flip, bitcast)
def nothing_moves(graph: Graph, node: Node) -> Node | None:
    """A reshape to the same shape, a permutation in the same order, a whole slice, a flip of single elements: x"""
    (x,) = node.inputs
    if x.type is not node.type:
        return None
    if node.op is permute:
        return x if node.attributes["order"] == tuple(range(x.rank)) else None
    if node.op is flip:
        return x if all(x.shape[axis] == 1 for axis in node.attributes["axes"]) else None
    return x


@rules.on(reshape, expand, bitcast)
def last_shape_counts(graph: Graph, node: Node) -> Node | None:
    """reshape(reshape(x)) = reshape(x); expand(expand(x)) = expand(x)"""
    (x,) = node.inputs
    if x.op is not node.op or (node.op is bitcast and node.type.count != x.inputs[0].type.count):
        return None
    return graph.node(node.op, x.inputs, node.attributes)


@rules.on(flip, of=flip)
def flip_flip(graph: Graph, node: Node) -> Node | None:
    """flip(flip(x)) = x"""
    (x,) = node.inputs
    return x.inputs[0] if x.op is flip and set(x.attributes["axes"]) == set(node.attributes["axes"]) else None


# --- permutations ----------------------------------------------------------------------------------------


@rules.on(permute, of=permute)
def permute_permute(graph: Graph, node: Node) -> Node | None:
    """Two permutations are one."""
    (x,) = node.inputs
    if x.op is not permute:
        return None
    first = x.attributes["order"]
    return graph.permute(x.inputs[0], tuple([first[axis] for axis in node.attributes["order"]]))


@rules.on(permute)
def permute_of_single_axes(graph: Graph, node: Node) -> Node | None:
    """A permutation that keeps the order of all axes but those of size 1 is a reshape."""
    (x,) = node.inputs
    shape = x.shape
    large = [axis for axis in node.attributes["order"] if shape[axis] != 1]
    return graph.reshape(x, node.shape) if large == sorted(large) else None


@rules.on(permute, of=reshape)
def permute_of_single_axes_added(graph: Graph, node: Node) -> Node | None:
    """permute(reshape(x)) = reshape(permute(x)), if the reshape only adds and drops axes of size 1"""
    (x,) = node.inputs
    if x.op is not reshape:
        return None
    (source,) = x.inputs
    runs = groups(x.shape, source.shape)
    if runs is None or any(len(mine) > 1 or len(theirs) > 1 for mine, theirs in runs):
        return None
    place = {mine[0]: theirs[0] for mine, theirs in runs if mine and theirs}
    large = tuple(place[axis] for axis in node.attributes["order"] if axis in place)
    single = tuple(axis for axis in range(source.rank) if axis not in large)
    return graph.reshape(graph.permute(source, single + large), node.shape)


# --- expansions --------------------------------------------------------------------------------------------


@rules.on(permute, of=expand)
def permute_expand(graph: Graph, node: Node) -> Node | None:
    """permute(expand(x)) = expand(permute(x))"""
    (x,) = node.inputs
    return graph.expand(graph.permute(x.inputs[0], node.attributes["order"]), node.shape) if x.op is expand else None


@rules.on(reshape, of=expand)
def reshape_expand(graph: Graph, node: Node) -> Node | None:
    """reshape(expand(x)) = expand(reshape(x)), if expanded axes are not merged with others"""
    (x,) = node.inputs
    if x.op is not expand:
        return None
    shape = carried(x.inputs[0].shape, x.shape, node.shape)
    return None if shape is None else graph.expand(graph.reshape(x.inputs[0], shape), node.shape)


@rules.on(flip, of=expand)
def flip_expand(graph: Graph, node: Node) -> Node | None:
    """flip(expand(x)) = expand(flip(x))"""
    (x,) = node.inputs
    if x.op is not expand:
        return None
    return graph.expand(graph.make(flip, x.inputs[0], axes=node.attributes["axes"]), node.shape)


@rules.on(cat, of=expand)
def cat_expand(graph: Graph, node: Node) -> Node | None:
    """cat(expand(x), expand(y)) = expand(cat(x, y)), if they are expanded along other axes"""
    axis = node.attributes["axis"]
    parts = node.inputs
    if any([one.op is not expand for one in parts]):  # noqa: C419  faster
        return None
    shapes = [_without(one.inputs[0].shape, axis) for one in parts]
    whole = [one.inputs[0].shape[axis] == one.shape[axis] for one in parts]
    if len(set(shapes)) > 1 or not all(whole):
        return None
    return graph.expand(graph.cat([one.inputs[0] for one in parts], axis), node.shape)


def _without(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])


@rules.on(cat, of=permute)
def cat_permute(graph: Graph, node: Node) -> Node | None:
    """cat(permute(x), permute(y)) = permute(cat(x, y))"""
    first = node.inputs[0]
    if first.op is not permute:
        return None
    order = first.attributes["order"]
    if any([one.op is not permute and one.op is not full for one in node.inputs]):  # noqa: C419  faster
        return None
    if any(one.op is permute and one.attributes["order"] != order for one in node.inputs):
        return None
    back = inverse(order)
    parts = [one.inputs[0] if one.op is permute else graph.permute(one, back) for one in node.inputs]
    return graph.permute(graph.cat(parts, order[node.attributes["axis"]]), order)

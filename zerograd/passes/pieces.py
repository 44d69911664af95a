"""Rules of parts of tensors: slices, what is written into slices, and parts put side by side.

The gradient of ``split``, ``chunk``, ``unbind`` and ``stack`` is a sum of zeros with one part written in each. Here
it becomes the parts side by side.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from zerograd.ir.graph import Node
from zerograd.ops.elementwise import add
from zerograd.ops.movement import cat, expand, permute, reshape, slice_, slice_write
from zerograd.ops.source import full
from zerograd.passes.rewrite import Graph, Rules, is_full
from zerograd.shapes import Shape

rules = Rules()
_DEPTH = 64  # writes to look through


Ranges = tuple[range, ...]


def box(node: Node) -> Ranges:
    """The places that a slice reads or that are written."""
    at = node.attributes
    return _box(at["starts"], at["stops"], at["steps"])


@lru_cache(4096)
def _box(starts: Shape, stops: Shape, steps: Shape) -> Ranges:
    return tuple([range(*one) for one in zip(starts, stops, steps, strict=True)])


def apart(a: Ranges, b: Ranges) -> bool:
    """Whether two boxes have no place in common; ``False`` if that is not plain to see."""
    return any([not m or not n or m[-1] < n[0] or n[-1] < m[0] for m, n in zip(a, b, strict=True)])  # noqa: C419  faster


@lru_cache(4096)
def only_axis(box: Ranges, shape: Shape) -> int | None:
    """The only axis along which a box is not everything, if there it is a run without gaps."""
    axes = [i for i, (one, n) in enumerate(zip(box, shape, strict=True)) if one != range(n)]
    return axes[0] if len(axes) == 1 and box[axes[0]].step == 1 else None


# --- slices ----------------------------------------------------------------------------------------------


@rules.on(slice_, of=slice_)
def slice_slice(graph: Graph, node: Node) -> Node | None:
    """A slice of a slice is a slice."""
    (x,) = node.inputs
    if x.op is not slice_:
        return None
    (source,) = x.inputs
    ranges = [outer[inner.start : inner.stop : inner.step] for outer, inner in zip(
        box(x), box(node), strict=True)]  # fmt: skip
    starts, stops = tuple(one.start for one in ranges), tuple(one.stop for one in ranges)
    return graph.slice(source, starts, stops, tuple(one.step for one in ranges))


@rules.on(slice_, of=expand)
def slice_expand(graph: Graph, node: Node) -> Node | None:
    """slice(expand(x)) = expand(slice(x))"""
    (x,) = node.inputs
    if x.op is not expand or not node.type.count:
        return None
    (source,) = x.inputs
    starts, stops, steps = list(node.attributes["starts"]), list(node.attributes["stops"]), [*node.attributes["steps"]]
    for axis, (m, n) in enumerate(zip(source.shape, x.shape, strict=True)):
        if m != n:
            starts[axis], stops[axis], steps[axis] = 0, 1, 1
    return graph.expand(graph.slice(source, tuple(starts), tuple(stops), tuple(steps)), node.shape)


@rules.on(slice_, of=permute)
def slice_permute(graph: Graph, node: Node) -> Node | None:
    """slice(permute(x)) = permute(slice(x))"""
    (x,) = node.inputs
    if x.op is not permute:
        return None
    order = x.attributes["order"]
    back = {name: [0] * x.rank for name in ("starts", "stops", "steps")}
    for name, values in back.items():
        for axis, value in zip(order, node.attributes[name], strict=True):
            values[axis] = value
    part = graph.slice(x.inputs[0], tuple(back["starts"]), tuple(back["stops"]), tuple(back["steps"]))
    return graph.permute(part, order)


@rules.on(slice_, of=cat)
def slice_cat(graph: Graph, node: Node) -> Node | None:
    """A slice of parts side by side is a slice of one part, if it does not reach into another."""
    (x,) = node.inputs
    if x.op is not cat or not node.type.count:
        return None
    axis = x.attributes["axis"]
    start, stop = node.attributes["starts"][axis], box(node)[axis][-1] + 1
    at = 0
    for part in x.inputs:
        size = part.shape[axis]
        if at <= start and stop <= at + size:
            starts = _with(node.attributes["starts"], axis, start - at)
            stops = _with(node.attributes["stops"], axis, stop - at)
            return graph.slice(part, starts, stops, node.attributes["steps"])
        at += size
        if at >= stop:
            return None
    return None


@rules.on(slice_, of=slice_write)
def slice_of_write(graph: Graph, node: Node) -> Node | None:
    """A slice of what was just written there is that; a slice beside it is a slice of what was there before."""
    (x,) = node.inputs
    if x.op is not slice_write:
        return None
    wanted = box(node)
    source = x
    while source.op is slice_write and apart(wanted, box(source)):
        source = source.inputs[0]
    if source.op is slice_write and wanted == box(source):
        return source.inputs[1]
    return None if source is x else graph.node(slice_, (source,), node.attributes)


def _with(values: Shape, axis: int, value: int) -> Shape:
    return (*values[:axis], value, *values[axis + 1 :])


# --- what is written into slices -------------------------------------------------------------------------


@rules.on(slice_write)
def write_of_everything(graph: Graph, node: Node) -> Node | None:
    """Written everywhere, the part is all; a part without elements changes nothing."""
    base, part = node.inputs
    if not part.type.count:
        return base
    return part if box(node) == tuple(map(range, base.shape)) else None


@rules.on(slice_write, of=slice_write)
def write_over_write(graph: Graph, node: Node) -> Node | None:
    """What is written to the same place later is what counts."""
    base, part = node.inputs
    if base.op is slice_write and box(base) == box(node):
        return graph.write(base.inputs[0], part, node.attributes)
    return None


@rules.on(slice_write, of=slice_)
def write_what_was_read(graph: Graph, node: Node) -> Node | None:
    """Writing a slice of x back to its place in x changes nothing."""
    base, part = node.inputs
    if part.op is slice_ and part.inputs[0] is base and box(part) == box(node):
        return base
    return None


@rules.on(slice_write, of=full)
def write_constant(graph: Graph, node: Node) -> Node | None:
    """Zeros written into zeros are zeros."""
    base, part = node.inputs
    if part.op is full and base.op is full and str(part.attributes["fill"]) == str(base.attributes["fill"]):
        return base
    return None


class Written(NamedTuple):
    """What writes along one axis have covered so far."""

    axis: int
    places: int  # a bit for each
    bottom: Node  # what they are written into


def _written(graph: Graph, node: Node) -> Written | None:
    """What a chain of writes covers; ``None`` if it is not along one axis, or writes somewhere twice."""
    if node in graph.facts:
        return graph.facts[node]
    graph.facts[node] = found = _with_its_own(graph, node)
    return found


def _with_its_own(graph: Graph, node: Node) -> Written | None:
    base, part = node.inputs
    axis = only_axis(box(node), node.shape)
    if axis is None:
        return None
    places = ((1 << part.shape[axis]) - 1) << node.attributes["starts"][axis]
    if base.op is not slice_write:
        return Written(axis, places, base)
    below = _written(graph, base)
    if below is None or below.axis != axis or below.places & places:
        return None
    return Written(axis, below.places | places, below.bottom)


@rules.on(slice_write)
def writes_tile(graph: Graph, node: Node) -> Node | None:
    """write(write(z, x, first half), y, second half) = cat(x, y)"""
    found = _written(graph, node)
    if found is None or found.places != (1 << node.shape[found.axis]) - 1:
        return None
    parts: dict[int, Node] = {}
    while node is not found.bottom:
        parts[node.attributes["starts"][found.axis]] = node.inputs[1]
        node = node.inputs[0]
    return graph.cat([parts[start] for start in sorted(parts)], found.axis)


@rules.on(add, of=slice_write)
def add_of_parts(graph: Graph, node: Node) -> Node | None:
    """write(0, x, here) + write(y, z, there) = write(write(y, z, there), x, here)

    Where "here" is zero in what is added to.
    """
    x, y = node.inputs
    if x.op is slice_write and y.op is slice_write:
        return _added(graph, y, x) or _added(graph, x, y)
    return None


@rules.on(add, of=slice_write)
def add_in_one_place(graph: Graph, node: Node) -> Node | None:
    """write(0, x, here) + write(y, z, here) = write(y, x + z, here)"""
    x, y = node.inputs
    if x.op is not slice_write or y.op is not slice_write or box(x) != box(y):
        return None
    for one, other in ((x, y), (y, x)):
        if is_full(one.inputs[0], 0):
            return graph.write(other.inputs[0], graph.make(add, x.inputs[1], y.inputs[1]), x.attributes)
    return None


def _added(graph: Graph, one: Node, rest: Node) -> Node | None:
    """What is written into the zeros of ``one``, written into ``rest``; ``None`` if it has something there."""
    base, part = one.inputs
    if not is_full(base, 0):
        return None
    mine, below = _written(graph, one), _written(graph, rest)
    if mine is not None and below is not None and mine.axis == below.axis:
        free = not mine.places & below.places and is_full(below.bottom, 0)
    else:
        free = _is_free(box(one), rest)
    return graph.write(rest, part, one.attributes) if free else None


def _is_free(wanted: Ranges, rest: Node) -> bool:
    """Whether writes into zeros have left a box alone."""
    for _ in range(_DEPTH):
        if rest.op is not slice_write:
            return is_full(rest, 0)
        if not apart(wanted, box(rest)):
            return False
        rest = rest.inputs[0]
    return False


# --- side by side ------------------------------------------------------------------------------------------


@rules.on(cat)
def cat_of_one(graph: Graph, node: Node) -> Node | None:
    """cat(x) = x; parts without elements do not count"""
    axis = node.attributes["axis"]
    parts = [one for one in node.inputs if one.shape[axis]]
    if len(parts) == len(node.inputs) > 1:
        return None
    return graph.cat(parts, axis) if len(parts) > 1 else (parts or node.inputs)[0]


@rules.on(cat, of=cat)
def cat_cat(graph: Graph, node: Node) -> Node | None:
    """cat(cat(x, y), z) = cat(x, y, z)"""
    axis = node.attributes["axis"]
    inner = [one.op is cat and one.attributes["axis"] == axis for one in node.inputs]
    if not any(inner):
        return None
    parts: list[Node] = []
    for one, is_cat in zip(node.inputs, inner, strict=True):
        parts += one.inputs if is_cat else (one,)
    return graph.cat(parts, axis)


@rules.on(cat)
def cat_of_neighbours(graph: Graph, node: Node) -> Node | None:
    """cat(x[:2], x[2:5]) = x[:5]; and constants beside equal ones are one"""
    axis = node.attributes["axis"]
    parts: list[Node] = []
    for one in node.inputs:
        joined = _joined(graph, parts[-1], one, axis) if parts else None
        if joined is None:
            parts.append(one)
        else:
            parts[-1] = joined
    return None if len(parts) == len(node.inputs) else graph.cat(parts, axis)


def _joined(graph: Graph, x: Node, y: Node, axis: int) -> Node | None:
    """The two side by side, if they lie so already."""
    if x.op is not y.op:
        return None
    if x.op is full and str(x.attributes["fill"]) == str(y.attributes["fill"]):
        shape = _with(x.shape, axis, x.shape[axis] + y.shape[axis])
        return graph.full(x.attributes["fill"], x.type.with_shape(shape))
    if x.op is not slice_ or x.inputs != y.inputs:
        return None
    first, second = box(x), box(y)
    if first[axis].step != second[axis].step or first[axis][-1] + first[axis].step != second[axis][0]:
        return None
    if any(a != b for i, (a, b) in enumerate(zip(first, second, strict=True)) if i != axis):
        return None
    stops = _with(x.attributes["stops"], axis, y.attributes["stops"][axis])
    return graph.slice(x.inputs[0], x.attributes["starts"], stops, x.attributes["steps"])


@rules.on(cat, of=reshape)
def cat_of_rows(graph: Graph, node: Node) -> Node | None:
    """stack(x, y) = reshape(cat(x, y)): parts that have got an axis of size 1, side by side along it"""
    axis, shape = node.attributes["axis"], node.shape
    first = node.inputs[0]
    if first.op is not reshape or axis + 1 >= len(shape) or first.shape[axis] != 1:
        return None
    bare = (*first.shape[:axis], *first.shape[axis + 1 :])
    parts: list[Node] = []
    for one in node.inputs:
        if one.shape[axis] != 1 or (one.op is not full and (one.op is not reshape or not _adds(one, bare))):
            return None
        parts.append(graph.reshape(one, bare))
    return graph.reshape(graph.cat(parts, axis), shape)


def _adds(node: Node, bare: Shape) -> bool:
    """Whether a reshape comes from this shape, or from one that differs in axes of size 1."""
    source = node.inputs[0].shape
    return source == bare or [n for n in source if n != 1] == [n for n in bare if n != 1]

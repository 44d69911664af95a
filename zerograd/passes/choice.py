"""Rules of conditions and of choices by them."""

from __future__ import annotations

from zerograd import dtypes
from zerograd.ir.graph import Node
from zerograd.ops.bitwise import bit_and, bit_not, bit_or
from zerograd.ops.elementwise import add, eq, ne, where
from zerograd.ops.indexing import wrap
from zerograd.ops.movement import expand
from zerograd.ops.source import full
from zerograd.passes.rewrite import Graph, Rules, is_full

rules = Rules()
_OPPOSITE = {eq: ne, ne: eq}  # not so lt and ge: with NaN both are False


@rules.on(where, of=full)
def where_decided(graph: Graph, node: Node) -> Node | None:
    """where(True, x, y) = x; where(False, x, y) = y"""
    condition, x, y = node.inputs
    return (x if condition.attributes["fill"] else y) if condition.op is full else None


@rules.on(where)
def where_equal(graph: Graph, node: Node) -> Node | None:
    """where(c, x, x) = x"""
    _, x, y = node.inputs
    return x if x is y else None


@rules.on(where, of=(bit_not, expand))
def where_not(graph: Graph, node: Node) -> Node | None:
    """where(not c, x, y) = where(c, y, x)"""
    condition, x, y = node.inputs
    if condition.op is bit_not:
        return graph.make(where, condition.inputs[0], y, x)
    if condition.op is expand and condition.inputs[0].op is bit_not:
        return graph.make(where, graph.expand(condition.inputs[0].inputs[0], node.shape), y, x)
    return None


@rules.on(where)
def where_of_truth(graph: Graph, node: Node) -> Node | None:
    """where(c, True, False) = c; where(c, c, y) = c or y; where(c, x, False) = c and x; and their opposites"""
    condition, x, y = node.inputs
    if node.dtype is not dtypes.bool_:
        return None
    if x is condition or is_full(x, True):
        return condition if is_full(y, False) else graph.make(bit_or, condition, y)
    if y is condition or is_full(y, False):
        return graph.make(bit_and, condition, x)
    return graph.make(bit_not, condition) if is_full(x, False) and is_full(y, True) else None


@rules.on(bit_and, bit_or)
def truth_twice(graph: Graph, node: Node) -> Node | None:
    """c and c = c or c = c; c and True = c or False = c"""
    x, y = node.inputs
    if x is y:
        return x
    if node.dtype is not dtypes.bool_:
        return None
    neutral = node.op is bit_and
    return x if is_full(y, neutral) else y if is_full(x, neutral) else None


@rules.on(bit_not)
def not_not(graph: Graph, node: Node) -> Node | None:
    """not not c = c; not x = y is x ≠ y"""
    (x,) = node.inputs
    if x.op is bit_not:
        return x.inputs[0]
    opposite = _OPPOSITE.get(x.op)
    return graph.make(opposite, *x.inputs) if opposite else None


@rules.on(add, of=where)
def choices_meet(graph: Graph, node: Node) -> Node | None:
    """where(c, x, 0) + where(c, 0, y) = where(c, x, y); where(c, x, 0) + where(c, y, 0) = where(c, x + y, 0)"""
    a, b = node.inputs
    if a.op is not where or b.op is not where or a.inputs[0] is not b.inputs[0]:
        return None
    (condition, x, y), (_, z, w) = a.inputs, b.inputs
    if not any([is_full(one, 0) for one in (x, y, z, w)]):  # noqa: C419  faster
        return None
    return graph.make(where, condition, graph.make(add, x, z), graph.make(add, y, w))


@rules.on(where)
def where_inside_where(graph: Graph, node: Node) -> Node | None:
    """where(c, f(where(c, x, y)), z) = where(c, f(x), z): inside a branch the condition is known"""
    condition, x, y = node.inputs
    known_x, known_y = _knowing(graph, x, condition, 1), _knowing(graph, y, condition, 2)
    if known_x is x and known_y is y:
        return None
    return graph.make(where, condition, known_x, known_y)


def _knowing(graph: Graph, x: Node, condition: Node, branch: int) -> Node:
    """``x`` where a condition is known to hold (branch 1) or not (branch 2), elsewhere anything."""
    if x.op is where:
        return x.inputs[branch] if x.inputs[0] is condition else x
    if not x.op.elementwise or all([one.op is not where or one.inputs[0] is not condition for one in x.inputs]):  # noqa: C419
        return x
    inputs = [_knowing(graph, one, condition, branch) if one.op is where else one for one in x.inputs]
    return graph.node(x.op, tuple(inputs), x.attributes)


@rules.on(wrap)
def wrap_wrap(graph: Graph, node: Node) -> Node | None:
    """Places that count from the front already, in an axis not larger, stay."""
    (places,) = node.inputs
    return places if counts_from_front(places, node.attributes["size"]) else None


def counts_from_front(places: Node, size: int) -> bool:
    """Whether places are known to lie in [0, size)."""
    if places.op is full:
        return bool(0 <= places.attributes["fill"] < size)
    if places.op is wrap:
        return bool(places.attributes["size"] <= size)
    return False

"""Rules of elementwise arithmetic.

They hold for NaN and the infinities (x * 0 stays: it may be NaN) and up to the sign of a zero. What rounds stays as
it is; a factor moves only if it is a power of two, so that nothing rounds (but numbers that underflow).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.ir.graph import Node, TensorType
from zerograd.ops.elementwise import abs as abs_
from zerograd.ops.elementwise import add, cast, conjugate, div, mul, neg, square, sub
from zerograd.ops.elementwise import pow as power
from zerograd.ops.movement import expand, reshape
from zerograd.ops.source import full
from zerograd.passes.rewrite import Graph, Rules, is_full

rules = Rules()
_EXPONENTS = {2: 10}  # by the size of an element: powers of two up to here are far from overflow
_EXPONENT = 100


def power_of_two(node: Node) -> float | None:
    """The constant, if it is one and multiplying by it and dividing by it are exact."""
    if node.op is not full or not node.dtype.is_floating_point:
        return None
    factor = float(node.attributes["fill"])
    if not math.isfinite(factor) or factor == 0:
        return None
    fraction, exponent = math.frexp(factor)
    fits = abs(exponent) <= _EXPONENTS.get(node.dtype.itemsize, _EXPONENT)
    return factor if fits and abs(fraction) == 0.5 else None


def _moves(node: Node) -> bool:
    """Whether the constant may move to another factor: not in float16, whose small numbers lose digits early."""
    return node.dtype is not dtypes.float16 and power_of_two(node) is not None


def _positive(graph: Graph, x: Node) -> Node | None:
    """y, where x = -y."""
    if x.op is neg:
        return x.inputs[0]
    if x.op in (expand, reshape) and x.inputs[0].op is neg:
        return graph.node(x.op, x.inputs[0].inputs, x.attributes)
    return None


# --- constants -----------------------------------------------------------------------------------------


def constant_value(node: Node) -> Any:
    """The array of one element that a constant consists of."""
    type = node.type
    return full.reference(fill=node.attributes["fill"], type=type if type.weak else type.with_shape(()))


@rules.on_elementwise(of=full)
def constants_fold(graph: Graph, node: Node) -> Node | None:
    """f(1, 2) = 3: a function of constants, each the same number everywhere, is a constant"""
    if not node.inputs or any([one.op is not full for one in node.inputs]):  # noqa: C419  faster
        return None
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(node.op.reference(*map(constant_value, node.inputs), **node.attributes))
    except Exception:  # an error that the values make belongs to the run
        return None
    if value.shape:
        return None
    kind = node.type.dtype
    number = value.astype(np.float64).item() if kind.is_floating_point and kind.itemsize == 2 else value.item()
    return graph.full(number, node.type)


# --- sums ----------------------------------------------------------------------------------------------


@rules.on(add, of=full)
def add_zero(graph: Graph, node: Node) -> Node | None:
    """x + 0 = 0 + x = x"""
    x, y = node.inputs
    return x if is_full(y, 0) else y if is_full(x, 0) else None


@rules.on(add, of=(neg, expand, reshape))
def add_neg(graph: Graph, node: Node) -> Node | None:
    """x + -y = x - y; -x + y = y - x"""
    x, y = node.inputs
    if (positive := _positive(graph, y)) is not None:
        return graph.make(sub, x, positive)
    if (positive := _positive(graph, x)) is not None:
        return graph.make(sub, y, positive)
    return None


@rules.on(sub, of=full)
def sub_zero(graph: Graph, node: Node) -> Node | None:
    """x - 0 = x"""
    x, y = node.inputs
    return x if is_full(y, 0) else None


@rules.on(sub, of=(neg, expand, reshape))
def sub_neg(graph: Graph, node: Node) -> Node | None:
    """x - -y = x + y"""
    x, y = node.inputs
    positive = _positive(graph, y)
    return None if positive is None else graph.make(add, x, positive)


# --- signs ---------------------------------------------------------------------------------------------


@rules.on(neg, of=neg)
def neg_neg(graph: Graph, node: Node) -> Node | None:
    """-(-x) = x"""
    (x,) = node.inputs
    return x.inputs[0]


@rules.on(neg, of=mul)
def neg_of_multiple(graph: Graph, node: Node) -> Node | None:
    """-(x * c) = x * -c"""
    (x,) = node.inputs
    if x.op is not mul or x.inputs[1].op is not full or not x.dtype.is_inexact:
        return None
    return graph.make(mul, x.inputs[0], graph.make(neg, x.inputs[1]))


@rules.on(mul, of=neg)
def mul_neg(graph: Graph, node: Node) -> Node | None:
    """-x * y = x * -y = -(x * y), so that signs meet"""
    x, y = node.inputs
    if x.op is neg:
        return graph.make(neg, graph.make(mul, x.inputs[0], y))
    return graph.make(neg, graph.make(mul, x, y.inputs[0])) if y.op is neg else None


@rules.on(div, of=neg)
def div_neg(graph: Graph, node: Node) -> Node | None:
    """-x / y = x / -y = -(x / y)"""
    x, y = node.inputs
    if not x.dtype.is_inexact:
        return None
    if x.op is neg:
        return graph.make(neg, graph.make(div, x.inputs[0], y))
    return graph.make(neg, graph.make(div, x, y.inputs[0])) if y.op is neg else None


@rules.on(mul, of=full)
def mul_minus_one(graph: Graph, node: Node) -> Node | None:
    """x * -1 = -x"""
    x, y = node.inputs
    return graph.make(neg, x) if is_full(y, -1) and x.dtype.is_inexact else None


@rules.on(abs_, square, of=(neg, abs_))
def even_of_neg(graph: Graph, node: Node) -> Node | None:
    """|-x| = |x|; (-x)² = x²; and the same of |x|"""
    (x,) = node.inputs
    if x.op in (neg, abs_) and x.inputs[0].type is x.type and x.dtype.is_inexact:
        return graph.make(node.op, x.inputs[0])
    return None


@rules.on(conjugate, of=conjugate)
def conjugate_conjugate(graph: Graph, node: Node) -> Node | None:
    """The conjugate of the conjugate is x."""
    (x,) = node.inputs
    return x.inputs[0] if x.op is conjugate else None


# --- products --------------------------------------------------------------------------------------------


@rules.on(mul, of=full)
def mul_one(graph: Graph, node: Node) -> Node | None:
    """x * 1 = 1 * x = x"""
    x, y = node.inputs
    return x if is_full(y, 1) else y if is_full(x, 1) else None


@rules.on(mul, add, of=full)
def constant_second(graph: Graph, node: Node) -> Node | None:
    """c * x = x * c; c + x = x + c"""
    x, y = node.inputs
    return graph.make(node.op, y, x) if x.op is full and y.op is not full else None


@rules.on(div, of=full)
def div_one(graph: Graph, node: Node) -> Node | None:
    """x / 1 = x"""
    x, y = node.inputs
    return x if is_full(y, 1) and x.type is node.type else None


@rules.on(div, of=full)
def div_power_of_two(graph: Graph, node: Node) -> Node | None:
    """x / 2ⁿ = x * 2⁻ⁿ"""
    x, y = node.inputs
    factor = power_of_two(y)
    return None if factor is None else graph.make(mul, x, graph.full(1 / factor, y.type))


def _multiple(x: Node) -> tuple[Node, Node] | None:
    """y and c, where x = y * c with a constant c."""
    return (x.inputs[0], x.inputs[1]) if x.op is mul and x.inputs[1].op is full else None


@rules.on(mul, of=full)
def mul_constants(graph: Graph, node: Node) -> Node | None:
    """(x * c) * d = x * (c * d), if c or d is a power of two"""
    found = _multiple(node.inputs[0])
    if found is None or node.inputs[1].op is not full:
        return None
    (x, c), d = found, node.inputs[1]
    if not _moves(c) and not _moves(d):
        return None
    return graph.make(mul, x, graph.make(mul, c, d))


@rules.on(mul, of=mul)
def constants_leave_products(graph: Graph, node: Node) -> Node | None:
    """x * (y * c) = (x * c) * y = (x * y) * c, if c is a power of two"""
    x, y = node.inputs
    if y.op is full:
        return None
    if (found := _multiple(x)) and _moves(found[1]):
        return graph.make(mul, graph.make(mul, found[0], y), found[1])
    if (found := _multiple(y)) and _moves(found[1]):
        return graph.make(mul, graph.make(mul, x, found[0]), found[1])
    return None


@rules.on(mul, of=full)
def constants_go_to_the_smaller(graph: Graph, node: Node) -> Node | None:
    """(x * expand(y)) * c = x * expand(y * c), if c is a power of two: fewer products"""
    x, c = node.inputs
    if x.op is not mul or not _moves(c):
        return None
    for one, other in (x.inputs, x.inputs[::-1]):
        if other.op is expand:
            small = other.inputs[0]
            factor = graph.make(mul, small, graph.full(c.attributes["fill"], small.type))
            return graph.make(mul, one, graph.expand(factor, node.shape))
    return None


@rules.on(power, of=full)
def small_powers(graph: Graph, node: Node) -> Node | None:
    """x¹ = x; x² = x * x"""
    x, y = node.inputs
    if is_full(y, 1):
        return x
    return graph.make(mul, x, x) if is_full(y, 2) else None


# --- casts -----------------------------------------------------------------------------------------------


@rules.on(cast, of=(reshape, expand))
def cast_of_moved_number(graph: Graph, node: Node) -> Node | None:
    """cast(expand(x)) = expand(cast(x)) for a Python number x, which has its full precision until then"""
    moves: list[Node] = []
    (x,) = node.inputs
    while x.op in (reshape, expand):
        moves.append(x)
        (x,) = x.inputs
    if not moves or not x.type.weak:
        return None
    made = graph.cast(x, node.dtype)
    for one in reversed(moves):
        made = graph.node(one.op, (made,), one.attributes)
    return made


@rules.on(cast)
def cast_to_itself(graph: Graph, node: Node) -> Node | None:
    """cast(x) = x, if x has the type already"""
    (x,) = node.inputs
    return x if x.type is node.type else None


def _holds(wide: TensorType, narrow: TensorType) -> bool:
    """Whether every number of one type is a number of the other."""
    if wide.weak or narrow.weak or wide.dtype.is_complex != narrow.dtype.is_complex:
        return False
    if narrow.dtype.category == dtypes.INTEGER and narrow.dtype.itemsize == 8 and wide.dtype.is_inexact:
        return False  # NumPy calls this safe
    return bool(np.can_cast(narrow.dtype.numpy, wide.dtype.numpy, "safe"))


@rules.on(cast, of=cast)
def cast_of_wider(graph: Graph, node: Node) -> Node | None:
    """cast(cast(x)) = cast(x), if the type between holds all numbers of x's"""
    (between,) = node.inputs
    if between.op is not cast:
        return None
    x = between.inputs[0]
    return graph.cast(x, node.dtype) if _holds(between.type, x.type) else None

"""What a graph says about the sign of its values, by simple rules of which none needs to see a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from zerograd.engines.native.windows import MOVES
from zerograd.ir.graph import Node

DEPTH: Final = 6  # how far a rule looks back
_NEVER_NEGATIVE: Final = frozenset(
    ("abs", "exp", "exp2", "relu", "sigmoid", "softplus", "sqrt", "root", "rsqrt", "square")
)
_KEEPING: Final = frozenset(("cast", "copy", "max", "min", "sum", "where"))  # the sign that all operands have


def never_negative(x: Node, depth: int = DEPTH) -> bool:
    """Whether every element is at least 0, or NaN."""
    name = x.op.name
    if not x.dtype.is_floating_point:  # integers overflow
        return False
    if name in _NEVER_NEGATIVE or (name == "mul" and x.inputs[0] is x.inputs[1]):
        return True
    if name in ("mul", "div", "add", "maximum", "minimum"):
        return depth > 0 and _all(x, never_negative, depth)
    return _inherited(x, never_negative, 1, depth)


def never_positive(x: Node, depth: int = DEPTH) -> bool:
    """Whether every element is at most 0, or NaN."""
    match x.op.name:
        case "neg":
            return never_negative(x.inputs[0], depth)
        case "sub":
            return _from_largest(x) or (
                never_positive(x.inputs[0], depth - 1) and never_negative(x.inputs[1], depth - 1)
            )
        case "mul" | "div" if depth > 0:
            signs = never_negative, never_positive
            return any(_each(x, (one, other), depth) for one, other in (signs, signs[::-1]))
        case "add" | "maximum" | "minimum":
            return depth > 0 and _all(x, never_positive, depth)
        case _:
            return _inherited(x, never_positive, -1, depth)


Rule = Callable[[Node, int], bool]


def _each(x: Node, rules: tuple[Rule, ...], depth: int) -> bool:
    return all(rule(one, depth - 1) for rule, one in zip(rules, x.inputs, strict=True))


def _all(x: Node, rule: Rule, depth: int) -> bool:
    return _each(x, (rule,) * len(x.inputs), depth)


def _inherited(x: Node, rule: Rule, sign: int, depth: int) -> bool:
    """By constants, movements, and what gives elements of its operands or their sums."""
    if x.op.name == "full":
        return sign * x.attributes["fill"] >= 0
    if depth <= 0 or not x.inputs:
        return False
    if x.op.name in MOVES or x.op.name in _KEEPING:
        return all(rule(one, depth - 1) for one in (x.inputs[1:] if x.op.name == "where" else x.inputs))
    return False


def _from_largest(x: Node) -> bool:
    """Whether a difference is that of elements and the largest of them: x - max(x)."""
    elements, largest = x.inputs
    while largest.op.name == "expand":
        largest = largest.inputs[0]
    return largest.op.name == "max" and largest.inputs[0] is elements


__all__ = ["never_negative", "never_positive"]

"""Sums, products and their kin of two operands."""

from __future__ import annotations

from typing import Any

from zerograd import errors
from zerograd.dtypes import bool_
from zerograd.ir.graph import Node
from zerograd.ops import elementwise as ops
from zerograd.tensor.door import accepts_out, binary, together, unary


def _add(x: Node, y: Node) -> Node:
    x, y = together("add", x, y)
    return ops.add(x, y)


def _sub(x: Node, y: Node) -> Node:
    x, y = together("sub", x, y)
    if x.dtype is bool_:
        raise errors.runtime(
            "subtraction of two bool tensors is not supported",
            hint="use `^` (logical_xor) for a difference, or `~` (logical_not) for a complement",
        )
    return ops.sub(x, y)


def _mul(x: Node, y: Node) -> Node:
    return ops.mul(*together("mul", x, y))


def _div(x: Node, y: Node) -> Node:
    return ops.div(*together("div", x, y, inexact=True))


def _neg(x: Node) -> Node:
    if x.dtype is bool_:
        raise errors.runtime(
            "negation of a bool tensor is not supported", hint="use `~` (logical_not) for the complement"
        )
    return ops.neg(x)


_add_two, _sub_two = binary(_add), binary(_sub)


@accepts_out
def add(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """``input + alpha * other``. Source: torch.add."""
    return _add_two(input, other if alpha == 1 else mul(other, alpha))


@accepts_out
def sub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """``input - alpha * other``. Source: torch.sub."""
    return _sub_two(input, other if alpha == 1 else mul(other, alpha))


mul = binary(_mul)
true_divide = binary(_div)
neg = unary(_neg)


def rsub(input: Any, other: Any) -> Any:
    """``other - input``."""
    return _sub_two(other, input)


METHODS = {
    "add": add, "sub": sub, "mul": mul, "true_divide": true_divide, "neg": neg,
    "__add__": _add_two, "__radd__": _add_two, "__sub__": _sub_two, "__rsub__": rsub, "__mul__": mul,
    "__rmul__": mul, "__truediv__": true_divide, "__neg__": neg,
}  # fmt: skip
IN_PLACE = ("add", "sub", "mul", "true_divide", "neg")
OPERATORS_IN_PLACE = {"__iadd__": "add_", "__isub__": "sub_", "__imul__": "mul_", "__itruediv__": "true_divide_"}


"""Comparisons, tests of single numbers, logic, and choice by a condition."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from zerograd import errors
from zerograd.dtypes import bool_, float64, from_numpy
from zerograd.ir.graph import Node, Op, TensorType
from zerograd.ops import bitwise, parts, rounding
from zerograd.ops import elementwise as ops
from zerograd.ops.elementwise import convert
from zerograd.ops.movement import broadcast_to
from zerograd.ops.source import filled, zeros_like
from zerograd.shapes import broadcast
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import Body, apply, binary, promote, together, unary, write_out
from zerograd.tensor.functions.arguments import as_tensor_argument
from zerograd.tensor.functions.refusals import ORDERED, require

# --- comparisons of two -------------------------------------------------------------------------------


def _comparing(op: Op, text: str, ordered: bool) -> Body:
    def body(x: Node, y: Node) -> Node:
        x, y = together(op.name, x, y)
        if ordered:
            require(op.name, x, ORDERED, "complex numbers have no order; compare their abs()")
        return op(x, y)

    body.__name__ = op.name
    body.__doc__ = f"``input {text} other``, element by element. Source: torch.{op.name}."
    return body


_BODIES = {
    op.name: _comparing(op, text, op.name not in ("eq", "ne"))
    for op, text in (
        (ops.eq, "=="),
        (ops.ne, "!="),
        (ops.lt, "<"),
        (ops.le, "<="),
        (ops.gt, ">"),
        (ops.ge, ">="),
    )
}
eq, ne, lt, le, gt, ge = (binary(body, left=False) for body in _BODIES.values())


def _equality(body: Body) -> Callable[[Any, Any], Any]:
    """The method behind ``==`` or ``!=``: an array is compared element by element, as by PyTorch."""
    compare = binary(body, operator=True)

    def method(self: Any, other: Any) -> Any:
        result = compare(self, other)
        if result is NotImplemented and isinstance(other, np.ndarray):
            type = TensorType(other.shape, from_numpy(other.dtype))
            result = compare(self, TensorBase.of_array(np.array(other), type))
        return result

    return method


# --- tests of one -------------------------------------------------------------------------------------


def truth(x: Node) -> Node:
    """Whether each element is not zero."""
    return x if x.dtype is bool_ else ops.ne(x, zeros_like(x))


def is_nan(x: Node) -> Node:
    return ops.ne(x, x)


def _everywhere(value: bool, x: Node) -> Node:
    return ops.copy(filled(value, x.type.with_dtype(bool_)))


def _isnan(x: Node) -> Node:
    """Whether each element is not a number. Source: torch.isnan."""
    return is_nan(x)


def _isinf(x: Node) -> Node:
    """Whether each element is infinite. Source: torch.isinf."""
    if not x.dtype.is_inexact:
        return _everywhere(False, x)
    if x.dtype.is_complex:
        return bitwise.bit_or(_isinf(parts.real(x)), _isinf(parts.imag(x)))
    return ops.eq(ops.abs(x), filled(math.inf, x.type))


def _isfinite(x: Node) -> Node:
    """Whether each element is a number that is not infinite. Source: torch.isfinite."""
    if not x.dtype.is_inexact:
        return _everywhere(True, x)
    if x.dtype.is_complex:
        return bitwise.bit_and(_isfinite(parts.real(x)), _isfinite(parts.imag(x)))
    return ops.lt(ops.abs(x), filled(math.inf, x.type))


def _isposinf(x: Node) -> Node:
    """Whether each element is positive infinity. Source: torch.isposinf."""
    return _is_infinity(x, math.inf)


def _isneginf(x: Node) -> Node:
    """Whether each element is negative infinity. Source: torch.isneginf."""
    return _is_infinity(x, -math.inf)


def _is_infinity(x: Node, which: float) -> Node:
    if x.dtype.is_complex:
        raise errors.runtime("isposinf and isneginf are not defined for complex numbers", input=x.type)
    return ops.eq(x, filled(which, x.type)) if x.dtype.is_inexact else _everywhere(False, x)


def _isreal(x: Node) -> Node:
    """Whether each element has no imaginary part. Source: torch.isreal."""
    if x.dtype.is_complex:
        imag = parts.imag(x)
        return ops.eq(imag, zeros_like(imag))
    return _everywhere(True, x)


def _signbit(x: Node) -> Node:
    """Whether each element has a minus sign; -0.0 has one. Source: torch.signbit."""
    require("signbit", x, ORDERED)
    return rounding.signbit(x)


isnan, isinf, isfinite, isposinf, isneginf, isreal, signbit = map(
    unary, (_isnan, _isinf, _isfinite, _isposinf, _isneginf, _isreal, _signbit)
)

# --- nearly equal --------------------------------------------------------------------------------------


def _isclose(x: Node, y: Node, rtol: Node, atol: Node, equal_nan: bool) -> Node:
    if x.dtype is not y.dtype:
        raise errors.runtime(f"isclose: dtypes {x.dtype.name} and {y.dtype.name} differ", input=x.type, other=y.type)
    x, y = together("isclose", x, y)
    close = ops.eq(x, y)
    if not x.dtype.is_inexact:
        x, y = ops.cast(x, dtype=float64), ops.cast(y, dtype=float64)
    elif equal_nan:
        close = bitwise.bit_or(close, bitwise.bit_and(is_nan(x), is_nan(y)))
    difference = ops.abs(ops.sub(x, y))
    allowed = ops.add(_like(atol, difference), ops.mul(_like(rtol, difference), ops.abs(y)))
    near = bitwise.bit_and(_isfinite(difference), ops.le(difference, allowed))
    return bitwise.bit_or(close, near)


def _like(number: Node, x: Node) -> Node:
    return broadcast_to(convert(number, x.dtype), x.shape)


def isclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Whether ``|input - other| <= atol + rtol * |other|``, element by element. Source: torch.isclose.

    Raises:
        RuntimeError: a negative tolerance, or different dtypes.
    """
    as_tensor_argument("isclose", "input", input)
    as_tensor_argument("isclose", "other", other)
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if tolerance < 0:
            raise errors.runtime(f"isclose: {name} must not be negative, got {tolerance}")
    return apply(_isclose, (input, other, float(rtol), float(atol)), (equal_nan,))


def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether ``isclose`` holds everywhere. Source: torch.allclose."""
    return bool(np.all(isclose(input, other, rtol, atol, equal_nan)._array()))


def equal(input: TensorBase, other: TensorBase) -> bool:
    """Whether two tensors have equal shapes and elements; NaN equals nothing. Source: torch.equal.

    Raises:
        RuntimeError: the dtypes differ.
    """
    as_tensor_argument("equal", "input", input)
    as_tensor_argument("equal", "other", other)
    if input._shape != other._shape:
        return False
    return bool(np.all(eq(input, other)._array()))


def is_nonzero(input: TensorBase) -> bool:
    """Whether the one element is not zero. Source: torch.is_nonzero."""
    return bool(input)


def _contains(self: TensorBase, element: Any) -> bool:
    """``element in tensor``: whether an element equals it."""
    if not isinstance(element, TensorBase | int | float | complex):
        raise errors.runtime(f"`element in tensor` asks for a number or a tensor, not a {type(element).__name__}")
    return bool(np.any(eq(self, element)._array()))


# --- logic ---------------------------------------------------------------------------------------------


def _logical(op: Op, name: str) -> Body:
    def body(x: Node, y: Node) -> Node:
        shape = broadcast(name, x.shape, y.shape)
        return op(broadcast_to(truth(x), shape), broadcast_to(truth(y), shape))

    body.__name__ = name
    body.__doc__ = f"{name.replace('_', ' ')} of what is not zero. Source: torch.{name}."
    return body


def _logical_not(x: Node) -> Node:
    """Whether each element is zero. Source: torch.logical_not."""
    return bitwise.bit_not(x) if x.dtype is bool_ else ops.eq(x, zeros_like(x))


logical_and, logical_or, logical_xor = (
    binary(_logical(op, name), left=False, right=False)
    for op, name in (
        (bitwise.bit_and, "logical_and"),
        (bitwise.bit_or, "logical_or"),
        (bitwise.bit_xor, "logical_xor"),
    )
)
logical_not = unary(_logical_not)

# --- choice --------------------------------------------------------------------------------------------


def _where(condition: Node, x: Node, y: Node) -> Node:
    if condition.dtype is not bool_:
        raise errors.runtime(
            "where chooses by bools",
            condition=condition.type,
            hint="compare it first, e.g. condition != 0",
        )
    shape = broadcast("where", condition.shape, x.shape, y.shape)
    x, y = promote(x, y)
    return ops.where(broadcast_to(condition, shape), broadcast_to(x, shape), broadcast_to(y, shape))


def where(condition: Any, input: Any = None, other: Any = None, *, out: Any = None) -> Any:
    """``input`` where the condition holds, else ``other``; alone: the indices where it holds. Source: torch.where."""
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    as_tensor_argument("where", "condition", condition)
    if input is None or other is None:
        raise errors.type_("where() takes a condition alone, or with both input and other", input=input, other=other)
    result = apply(_where, (condition, input, other))
    return result if out is None else write_out("where", result, out)


def _method_where(self: Any, condition: Any, other: Any) -> Any:
    """``self`` where the condition holds, else ``other``. Source: torch.Tensor.where."""
    return where(condition, self, other)


greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
METHODS = {
    "eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge, "greater": gt, "greater_equal": ge, "less": lt,
    "less_equal": le, "not_equal": ne, "logical_and": logical_and, "logical_or": logical_or,
    "logical_xor": logical_xor, "logical_not": logical_not,
}  # fmt: skip
IN_PLACE = tuple(METHODS)
METHODS |= {
    "isnan": isnan, "isinf": isinf, "isfinite": isfinite, "isposinf": isposinf, "isneginf": isneginf,
    "isreal": isreal, "signbit": signbit, "isclose": isclose, "allclose": allclose, "equal": equal,
    "is_nonzero": is_nonzero, "where": _method_where,
    "__contains__": _contains,
}  # fmt: skip
METHODS |= {f"__{name}__": binary(_BODIES[name], operator=True) for name in ("lt", "le", "gt", "ge")}
METHODS |= {f"__{name}__": _equality(_BODIES[name]) for name in ("eq", "ne")}

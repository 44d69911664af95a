"""Sums, products, quotients and powers of two operands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.dtypes import bool_
from zerograd.ir.graph import Node
from zerograd.ir.record import recorder
from zerograd.ops import elementwise as ops
from zerograd.ops import rounding
from zerograd.ops.elementwise import convert
from zerograd.ops.movement import broadcast_to
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import Body, apply, binary, common_dtype, floats, labelled, together, unary, write_out
from zerograd.tensor.functions.arguments import as_tensor_argument
from zerograd.tensor.functions.refusals import NUMBERS, REAL, require


def two_kinds(body: Body, *, number: str = "", tensor: str = "", **options: bool) -> Callable[..., Any]:
    """The public function of two operands whose ``grad_fn`` tells a number from a tensor, as PyTorch's does.

    Args:
        number, tensor: the names in ``grad_fn``; by default the body's with 0 and 1.
        options: those of ``binary``; ``left`` is False unless given.
    """
    name = "".join(word.title() for word in body.__name__.split("_"))
    labels = (number or f"{name}Backward0", tensor or f"{name}Backward1")
    with_number, with_tensor = (binary(_relabelled(body, one), **{"left": False, **options}) for one in labels)

    def function(input: Any, other: Any, *, out: Any = None) -> Any:
        return (with_tensor if isinstance(other, TensorBase) else with_number)(input, other, out=out)

    function.__name__ = function.__qualname__ = with_tensor.__name__
    function.__doc__ = body.__doc__
    return function


def _relabelled(body: Body, label: str) -> Body:
    def same(x: Node, y: Node) -> Node:
        return body(x, y)

    same.__name__, same.__doc__ = body.__name__, body.__doc__
    return labelled(label)(same)


# --- sums and differences ------------------------------------------------------------------------------


def _add(x: Node, y: Node) -> Node:
    """``input + other``. Source: torch.add."""
    x, y = together("add", x, y)
    return ops.add(x, y)


def _sub(x: Node, y: Node) -> Node:
    """``input - other``. Source: torch.sub."""
    if x.dtype is bool_ or y.dtype is bool_:
        raise errors.runtime(
            "bools cannot be subtracted",
            hint="use `^` (logical_xor) for a difference, or `~` (logical_not) for a complement",
        )
    x, y = together("sub", x, y)
    return ops.sub(x, y)


@labelled("RsubBackward1")
def _rsub(x: Node, y: Node) -> Node:
    """``other - input``. Source: torch.rsub."""
    return _sub(y, x)


def _scaled(x: Node, y: Node, alpha: Node) -> tuple[Node, Node]:
    """``x`` and ``alpha * y``.

    Raises:
        RuntimeError: alpha is of a higher category than the operands.
    """
    kind = common_dtype(x, y)
    if alpha.dtype.category > max(kind.category, dtypes.INTEGER):
        raise errors.runtime(
            f"alpha is a {alpha.dtype.name} number, which {kind.name} operands cannot be multiplied by",
            input=x.type,
            other=y.type,
        )
    scaled = ops.mul(convert(y, kind), broadcast_to(convert(alpha, kind), y.shape))
    return convert(x, kind), scaled


@labelled("AddBackward0")
def _add_scaled(x: Node, y: Node, alpha: Node) -> Node:
    return _add(*_scaled(x, y, alpha))


@labelled("SubBackward0")
def _sub_scaled(x: Node, y: Node, alpha: Node) -> Node:
    return _sub(*_scaled(x, y, alpha))


@labelled("RsubBackward1")
def _rsub_scaled(x: Node, y: Node, alpha: Node) -> Node:
    x, y = _scaled(y, x, alpha)
    return _sub(x, y)


_add_two, _sub_two = binary(_add), binary(_sub)


_rsub_two = two_kinds(_rsub, number="RsubBackward1", tensor="RsubBackward0")


def add(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """``input + alpha * other``. Source: torch.add."""
    if alpha == 1:
        return _add_two(input, other, out=out)
    return written("add", apply(_add_scaled, (input, other, alpha)), out)


def sub(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """``input - alpha * other``. Source: torch.sub."""
    if alpha == 1:
        return _sub_two(input, other, out=out)
    return written("sub", apply(_sub_scaled, (input, other, alpha)), out)


def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """``other - alpha * input``. Source: torch.rsub."""
    return _rsub_two(input, other) if alpha == 1 else apply(_rsub_scaled, (input, other, alpha))


def written(name: str, result: TensorBase, out: Any) -> Any:
    """The result, put into ``out`` if that is given."""
    return result if out is None else write_out(name, result, out)


# --- products and quotients ------------------------------------------------------------------------------


def _mul(x: Node, y: Node) -> Node:
    """``input * other``. Source: torch.mul."""
    return ops.mul(*together("mul", x, y))


def _div(x: Node, y: Node) -> Node:
    """``input / other``; integers give floats. Source: torch.div."""
    return ops.div(*together("div", x, y, inexact=True))


@labelled("MulBackward0")
def _rdiv(x: Node, y: Node) -> Node:
    """``other / input`` as PyTorch rounds it: other times the reciprocal."""
    return _mul(_reciprocal(x), y)


@labelled("DivBackward2")
def _div_floor(x: Node, y: Node) -> Node:
    x, y = together("div", x, y)
    require("div_floor", x, REAL)
    return rounding.div_floor(x, y)


@labelled("DivBackward2")
def _div_trunc(x: Node, y: Node) -> Node:
    x, y = together("div", x, y)
    require("div_trunc", x, REAL)
    return rounding.div_trunc(x, y)


@labelled("NotImplemented")
def _floor_divide(x: Node, y: Node) -> Node:
    return ops.dead_end(_div_floor(x, y), name="floor_divide")


@labelled("NotImplemented")
def _rfloor_divide(x: Node, y: Node) -> Node:
    return _floor_divide(y, x)


def _remainder(x: Node, y: Node) -> Node:
    x, y = together("remainder", x, y)
    require("remainder", x, REAL)
    return rounding.remainder(x, y)


@labelled("RemainderBackward1")
def _rremainder(x: Node, y: Node) -> Node:
    out = _remainder(y, x)
    return ops.dead_end(out, name="remainder of a number by a tensor") if y.type.weak else out


def _fmod(x: Node, y: Node) -> Node:
    x, y = together("fmod", x, y)
    require("fmod", x, REAL)
    return rounding.fmod(x, y)


def check_divisor(x: Any, y: Any) -> None:
    """Refuse to divide whole numbers by zero, at the user's line.

    Raises:
        RuntimeError: both operands are whole numbers and the second has a zero.
    """
    if _is_whole(x) and _is_whole(y) and _has_zero(y):
        raise errors.runtime(
            "ZeroDivisionError: integers cannot be divided by zero",
            hint="float operands give inf or nan instead",
        )


def _has_zero(x: Any) -> bool:
    if isinstance(x, TensorBase):
        return not recorder.own.depth and not np.all(x._array())
    return not x


def _is_whole(x: Any) -> bool:
    return not x.dtype.is_inexact if isinstance(x, TensorBase) else isinstance(x, int)


_ROUNDED = {"floor": binary(_div_floor), "trunc": binary(_div_trunc)}
mul = binary(_mul)
true_divide = binary(_div)
_floor_divide_two, _remainder_two, _fmod_two = (
    binary(_floor_divide),
    binary(_remainder),
    two_kinds(_fmod),
)


def div(input: Any, other: Any, *, rounding_mode: str | None = None, out: Any = None) -> Any:
    """``input / other``, or the quotient rounded down ("floor") or towards zero ("trunc"). Source: torch.div."""
    if rounding_mode is None:
        return true_divide(input, other, out=out)
    rounded = _ROUNDED.get(rounding_mode)
    if rounded is None:
        raise errors.runtime(
            f'div rounds with rounding_mode "trunc" (towards 0) or "floor" (down), not {rounding_mode!r}'
        )
    check_divisor(input, other)
    return rounded(input, other, out=out)


def floor_divide(input: Any, other: Any, *, out: Any = None) -> Any:
    """The quotient rounded down. Source: torch.floor_divide."""
    check_divisor(input, other)
    return _floor_divide_two(input, other, out=out)


def remainder(input: Any, other: Any, *, out: Any = None) -> Any:
    """``input - other * floor(input / other)``, of ``other``'s sign. Source: torch.remainder."""
    check_divisor(input, other)
    return _remainder_two(input, other, out=out)


def fmod(input: Any, other: Any, *, out: Any = None) -> Any:
    """``input - other * trunc(input / other)``, of ``input``'s sign. Source: torch.fmod."""
    check_divisor(input, other)
    return _fmod_two(input, other, out=out)


# --- one operand -----------------------------------------------------------------------------------------


def _neg(x: Node) -> Node:
    """``-input``. Source: torch.neg."""
    if x.dtype is bool_:
        raise errors.runtime("-input has no meaning for bools", hint="use `~` (logical_not) for the complement")
    return ops.neg(x)


def _reciprocal(x: Node) -> Node:
    """``1 / input``. Source: torch.reciprocal."""
    return ops.reciprocal(floats(x))


@labelled("PowBackward0")
def _square(x: Node) -> Node:
    """``input * input``. Source: torch.square."""
    return ops.square(convert(x, dtypes.int64) if x.dtype is bool_ else x)


def _abs(x: Node) -> Node:
    """The absolute value, real for complex numbers. Source: torch.abs."""
    require("abs", x, NUMBERS)
    return ops.abs(x)


def _sign(x: Node) -> Node:
    """-1, 0 or 1. Source: torch.sign."""
    require("sign", x, dtypes.ALL[:10], "torch.sgn divides complex numbers by their absolute value")
    return ops.sign(x)


def _sgn(x: Node) -> Node:
    """-1, 0 or 1; for complex numbers input / |input|. Source: torch.sgn."""
    return ops.sign(x)


neg, reciprocal, square, abs, sign, sgn = map(unary, (_neg, _reciprocal, _square, _abs, _sign, _sgn))


def positive(input: TensorBase) -> TensorBase:
    """``+input``: the tensor itself. Source: torch.positive."""
    if input.dtype is bool_:
        raise errors.runtime("+input has no meaning for bools", input=input._type)
    return input


# --- three operands --------------------------------------------------------------------------------------


@labelled("LerpBackward1")
def _lerp(x: Node, y: Node, weight: Node) -> Node:
    for name, one in (("end", y), ("weight", weight)):
        if one.dtype is not x.dtype and not one.type.weak:
            raise errors.runtime(f"lerp: expected dtype {x.dtype.name} for `{name}` but got dtype {one.dtype.name}")
    require("lerp", x, dtypes.ALL[6:])
    return ops.lerp(*together("lerp", x, y, weight))


@labelled("LerpBackward0")
def _lerp_number(x: Node, y: Node, weight: Node) -> Node:
    return _lerp(x, y, weight)


def lerp(input: Any, end: Any, weight: Any, *, out: Any = None) -> Any:
    """``input + weight * (end - input)``, exact at weights 0 and 1. Source: torch.lerp."""
    _tensors("lerp", input=input, end=end)
    return written("lerp", apply(_lerp if isinstance(weight, TensorBase) else _lerp_number, (input, end, weight)), out)


def _tensors(name: str, **given: Any) -> None:
    for argument, one in given.items():
        as_tensor_argument(name, argument, one)


def _times_value(x: Node, product: Node, value: Node | None) -> Node:
    if value is None:
        return product
    return ops.mul(product, broadcast_to(convert(value, product.dtype), product.shape))


def _addcmul(x: Node, y: Node, z: Node, value: Node | None) -> Node:
    x, y, z = together("addcmul", x, y, z)
    require("addcmul", x, NUMBERS)
    return ops.add(x, ops.mul(_times_value(x, y, value), z))


def _addcdiv(x: Node, y: Node, z: Node, value: Node | None) -> Node:
    if not y.dtype.is_inexact and not z.dtype.is_inexact:
        raise errors.runtime(
            "addcdiv of integers: say how to round",
            tensor1=y.type,
            tensor2=z.type,
            hint='input + value * torch.div(tensor1, tensor2, rounding_mode="trunc")',
        )
    x, y, z = together("addcdiv", x, y, z)
    return ops.add(x, ops.div(_times_value(x, y, value), z))


def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1, out: Any = None) -> Any:
    """``input + value * tensor1 * tensor2``. Source: torch.addcmul."""
    _tensors("addcmul", input=input, tensor1=tensor1, tensor2=tensor2)
    operands = (input, tensor1, tensor2, None if value == 1 else value)
    return written("addcmul", apply(_addcmul, operands), out)


def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1, out: Any = None) -> Any:
    """``input + value * tensor1 / tensor2``. Source: torch.addcdiv."""
    _tensors("addcdiv", input=input, tensor1=tensor1, tensor2=tensor2)
    operands = (input, tensor1, tensor2, None if value == 1 else value)
    return written("addcdiv", apply(_addcdiv, operands), out)


# --- the methods behind operators --------------------------------------------------------------------------


def _floor_divide_operator(self: Any, other: Any) -> Any:
    check_divisor(self, other)
    return _floor_divide_method(self, other)


def _remainder_operator(self: Any, other: Any) -> Any:
    check_divisor(self, other)
    return _remainder_method(self, other)


def _reversed_floor_divide(self: Any, other: Any) -> Any:
    check_divisor(other, self)
    return _rfloor_divide_method(self, other)


def _reversed_remainder(self: Any, other: Any) -> Any:
    check_divisor(other, self)
    return _rremainder_method(self, other)


_floor_divide_method, _rfloor_divide_method = (
    binary(_floor_divide, operator=True),
    binary(_rfloor_divide, operator=True),
)
_remainder_method = two_kinds(_remainder, operator=True)
_rremainder_method = binary(_rremainder, operator=True)
_add_method, _mul_method = binary(_add, operator=True), binary(_mul, operator=True)
_div_method, _rdiv_method = binary(_div, operator=True), binary(_rdiv, operator=True)
absolute, negative, subtract, multiply, divide = abs, neg, sub, mul, div

METHODS = {
    "abs": abs, "absolute": abs, "add": add, "addcdiv": addcdiv, "addcmul": addcmul, "div": div, "divide": div,
    "floor_divide": floor_divide, "fmod": fmod, "lerp": lerp, "mul": mul, "multiply": mul,
    "neg": neg, "negative": neg, "positive": positive, "reciprocal": reciprocal, "remainder": remainder,
    "sgn": sgn, "sign": sign, "square": square, "sub": sub, "subtract": sub, "true_divide": true_divide,
    "__abs__": abs, "__neg__": neg, "__pos__": positive,
    "__add__": _add_method, "__radd__": _add_method,
    "__sub__": binary(_sub, operator=True), "__rsub__": binary(_rsub, operator=True),
    "__mul__": _mul_method, "__rmul__": _mul_method,
    "__truediv__": _div_method, "__rtruediv__": _rdiv_method, "__div__": _div_method, "__rdiv__": _rdiv_method,
    "__floordiv__": _floor_divide_operator, "__rfloordiv__": _reversed_floor_divide,
    "__mod__": _remainder_operator, "__rmod__": _reversed_remainder,
}  # fmt: skip
IN_PLACE = (
    "abs", "absolute", "add", "addcdiv", "addcmul", "div", "divide", "floor_divide", "fmod", "lerp",
    "mul", "multiply", "neg", "negative", "reciprocal", "remainder", "sgn", "sign", "square", "sub", "subtract",
    "true_divide",
)  # fmt: skip
OPERATORS_IN_PLACE = {
    "__iadd__": "add_", "__isub__": "sub_", "__imul__": "mul_", "__itruediv__": "true_divide_",
    "__idiv__": "true_divide_", "__ifloordiv__": "floor_divide_", "__imod__": "remainder_",
}  # fmt: skip

"""Powers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.dtypes import bool_
from zerograd.ir.graph import Node
from zerograd.ops import elementwise as ops
from zerograd.ops import transcendental
from zerograd.ops.elementwise import convert
from zerograd.ops.movement import broadcast_to
from zerograd.shapes import broadcast
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import binary, common_dtype, floats, labelled, together, unary
from zerograd.tensor.functions.arithmetic import two_kinds
from zerograd.tensor.functions.refusals import NUMBERS, require


def _power(exponent: float, kind: type) -> Callable[..., Any]:
    """The function for an exponent that is part of the structure."""

    @labelled("PowBackward0")
    def pow(x: Node) -> Node:
        if kind is float or exponent < 0:
            x = floats(x)
        elif x.dtype is bool_:
            x = convert(x, dtypes.int64)
        return _SMALL_POWERS[exponent](x)

    return unary(pow)


_SMALL_POWERS: dict[float, Callable[[Node], Node]] = {
    1: ops.copy,
    2: ops.square,
    3: lambda x: ops.mul(ops.square(x), x),
    -1: ops.reciprocal,
    0.5: ops.sqrt,
    -0.5: transcendental.rsqrt,
}
_KNOWN_POWERS = {(kind, n): _power(n, kind) for n in _SMALL_POWERS for kind in (int, float) if kind(n) == n}


def _pow(x: Node, y: Node) -> Node:
    x, y = together("pow", x, y)
    require("pow", x, NUMBERS)
    return ops.pow(x, y)


@labelled("PowBackward0")
def _pow_number(x: Node, y: Node) -> Node:
    return _pow(x, y)


@labelled("PowBackward1")
def _pow_tensors(x: Node, y: Node) -> Node:
    return _pow(x, y)


@labelled("PowBackward2")
def _pow_of_number(x: Node, y: Node) -> Node:
    return _pow(x, y)


_pow_kinds = {
    (True, False): binary(_pow_number), (True, True): binary(_pow_tensors), (False, True): binary(_pow_of_number),
    (False, False): binary(_pow_number, left=False),
}  # fmt: skip


def pow(input: Any, exponent: Any, *, out: Any = None) -> Any:
    """``input ** exponent``. Source: torch.pow.

    Raises:
        RuntimeError: a negative whole power of whole numbers, which would be a fraction.
    """
    of_tensor, kind = isinstance(input, TensorBase), type(exponent)
    if of_tensor and (kind is int or kind is float):
        if kind is int and exponent < 0 and not input.dtype.is_inexact:
            raise errors.runtime(
                "a negative power of integers is a fraction, which their dtype cannot hold",
                input=input._type,
                exponent=exponent,
                hint="input.float() ** exponent",
            )
        known = _KNOWN_POWERS.get((kind, exponent))
        if known is not None:
            return known(input, out=out)
    return _pow_kinds[of_tensor, isinstance(exponent, TensorBase)](input, exponent, out=out)


def _float_power(x: Node, y: Node) -> Node:
    """``input ** exponent`` computed in float64 (or complex128). Source: torch.float_power."""
    kind = dtypes.complex128 if common_dtype(x, y).is_complex else dtypes.float64
    shape = broadcast("float_power", x.shape, y.shape)
    return ops.pow(broadcast_to(convert(x, kind), shape), broadcast_to(convert(y, kind), shape))


float_power = two_kinds(_float_power, number="PowBackward0", tensor="PowBackward1", left=True)


def _power_operator(self: Any, other: Any) -> Any:
    if isinstance(other, TensorBase | int | float | complex | np.generic):
        return pow(self, other)
    return NotImplemented


def _reversed_power(self: Any, other: Any) -> Any:
    if isinstance(other, TensorBase | int | float | complex | np.generic):
        return pow(other, self)
    return NotImplemented


def float_power_(self: TensorBase, exponent: Any) -> TensorBase:
    """In place: ``self ** exponent`` in float64. Source: torch.Tensor.float_power_.

    Raises:
        RuntimeError: the tensor is not of the result's dtype.
    """
    result = float_power(self, exponent)
    if result.dtype is not self.dtype:
        raise errors.runtime(
            f"float_power_: the result is {result.dtype.name}, which {self.dtype.name} cannot hold", base=self._type
        )
    return self._assign(result._node())


METHODS = {"pow": pow}
IN_PLACE = tuple(METHODS)
METHODS |= {
    "float_power": float_power,
    "float_power_": float_power_,
    "__pow__": _power_operator,
    "__rpow__": _reversed_power,
}
OPERATORS_IN_PLACE = {"__ipow__": "pow_"}

"""Operations on the bits of integers and on bools."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from zerograd import errors
from zerograd.dtypes import bool_, dtype
from zerograd.ir.graph import Node, Op
from zerograd.ops import bitwise as ops
from zerograd.tensor.door import Body, binary, together, unary
from zerograd.tensor.functions.refusals import INTEGRAL, require

WHOLE = INTEGRAL - {bool_}


def _on_bits(op: Op, name: str, allowed: Container[dtype], reflected: bool = False) -> Body:
    def body(x: Node, y: Node) -> Node:
        x, y = together(name, *((y, x) if reflected else (x, y)))
        require(name, x, allowed)
        return op(x, y)

    body.__name__ = name
    body.__doc__ = f"{name} of two tensors of integers. Source: torch.{name}."
    return body


def _bitwise_not(x: Node) -> Node:
    """The complement of each bit; of bools, logical not. Source: torch.bitwise_not."""
    require("bitwise_not", x, INTEGRAL)
    return ops.bit_not(x)


bitwise_not = unary(_bitwise_not)
_KINDS = {
    "and": (ops.bit_and, "bitwise_and", INTEGRAL),
    "or": (ops.bit_or, "bitwise_or", INTEGRAL),
    "xor": (ops.bit_xor, "bitwise_xor", INTEGRAL),
    "lshift": (ops.shift_left, "bitwise_left_shift", WHOLE),
    "rshift": (ops.shift_right, "bitwise_right_shift", WHOLE),
}
bitwise_and, bitwise_or, bitwise_xor, bitwise_left_shift, bitwise_right_shift = (
    binary(_on_bits(*kind)) for kind in _KINDS.values()
)
gcd = binary(_on_bits(ops.gcd, "gcd", WHOLE), left=False, right=False)
lcm = binary(_on_bits(ops.lcm, "lcm", WHOLE), left=False, right=False)


def _invert(self: Any) -> Any:
    """``~input``: the complement of each bit; of bools, logical not."""
    if self.dtype.is_inexact:
        raise errors.type_(
            "~tensor complements bits, so it needs integers or bools", input=self._type, hint="-tensor negates"
        )
    return bitwise_not(self)


METHODS = {
    "bitwise_not": bitwise_not, "bitwise_and": bitwise_and, "bitwise_or": bitwise_or, "bitwise_xor": bitwise_xor,
    "bitwise_left_shift": bitwise_left_shift, "bitwise_right_shift": bitwise_right_shift, "gcd": gcd, "lcm": lcm,
}  # fmt: skip
IN_PLACE = tuple(METHODS)
METHODS |= {"__invert__": _invert}
METHODS |= {f"__{name}__": binary(_on_bits(*kind), operator=True) for name, kind in _KINDS.items()}
METHODS |= {f"__r{name}__": binary(_on_bits(*kind, reflected=True), operator=True) for name, kind in _KINDS.items()}
OPERATORS_IN_PLACE = {
    "__iand__": "bitwise_and_", "__ior__": "bitwise_or_", "__ixor__": "bitwise_xor_",
    "__ilshift__": "bitwise_left_shift_", "__irshift__": "bitwise_right_shift_",
}  # fmt: skip

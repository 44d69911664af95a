"""Complex numbers: their parts, as views where PyTorch has views, and how they are made from real numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd import errors
from zerograd.dtypes import dtype, float16, float32, float64
from zerograd.ir.graph import Array, Node
from zerograd.ops import elementwise, parts
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import binary, floats, together, unary
from zerograd.tensor.view import Layout, Step, side_by_side

# --- views -----------------------------------------------------------------------------------------------


class Part(Step):
    """The real (index 0) or imaginary (index 1) parts."""

    __slots__ = ("dtype", "index", "label")

    def __init__(self, dtype: dtype, index: int, label: str = "SelectBackward0") -> None:
        self.dtype, self.index, self.label = dtype, index, label

    def read(self, base: Node) -> Node:
        return parts.imag(base) if self.index else parts.real(base)

    def write(self, base: Node, part: Node) -> Node:
        return parts.complex_(parts.real(base), part) if self.index else parts.complex_(part, parts.imag(base))

    def look(self, base: Array) -> Array:
        return np.imag(base) if self.index else np.real(base)

    def layout(self, base: Layout, kind: dtype) -> Layout:
        return Layout(base.shape, tuple(2 * one for one in base.strides), 2 * base.offset + self.index)


class Pairs(Step):
    """Real and imaginary parts side by side in a new last dimension."""

    __slots__ = ("dtype", "label")

    def __init__(self, dtype: dtype, label: str = "ViewAsRealBackward0") -> None:
        self.dtype, self.label = dtype, label

    def read(self, base: Node) -> Node:
        return parts.pairs(base)

    def write(self, base: Node, part: Node) -> Node:
        return parts.unpairs(part)

    def look(self, base: Array) -> Array:
        half = np.real(base)
        return np.lib.stride_tricks.as_strided(half, (*half.shape, 2), (*half.strides, half.dtype.itemsize))

    def layout(self, base: Layout, kind: dtype) -> Layout:
        return Layout((*base.shape, 2), (*[2 * one for one in base.strides], 1), 2 * base.offset)


class Unpairs(Step):
    """A last dimension of size 2 as complex numbers."""

    __slots__ = ("dtype", "label")

    def __init__(self, dtype: dtype, label: str = "ViewAsComplexBackward0") -> None:
        self.dtype, self.label = dtype, label

    def read(self, base: Node) -> Node:
        return parts.unpairs(base)

    def write(self, base: Node, part: Node) -> Node:
        return parts.pairs(part)

    def look(self, base: Array) -> Array:
        return side_by_side(base).view(self.dtype.numpy)[..., 0]

    def layout(self, base: Layout, kind: dtype) -> Layout:
        if base.strides[-1] != 1 or any(one % 2 for one in (*base.strides[:-1], base.offset)):
            raise errors.runtime(
                "view_as_complex: pairs must lie side by side: the last dimension must have stride 1, the others and"
                " the storage offset must be divisible by 2",
                strides=list(base.strides),
                offset=base.offset,
                hint="call .contiguous() first",
            )
        return Layout(base.shape[:-1], tuple(one // 2 for one in base.strides[:-1]), base.offset // 2)


def real(input: TensorBase) -> Any:
    """The real parts, a view; a real tensor itself. Source: torch.real."""
    return input._see(Part(input.dtype.to_real(), 0)) if input.dtype.is_complex else input


def imag(input: TensorBase) -> Any:
    """The imaginary parts, a view. Source: torch.imag.

    Raises:
        RuntimeError: the tensor is real.
    """
    if not input.dtype.is_complex:
        raise errors.runtime("imag is the part of a complex tensor, and this one is real", input=input._type)
    return input._see(Part(input.dtype.to_real(), 1))


def view_as_real(input: TensorBase) -> Any:
    """A view of shape (..., 2) with real and imaginary parts. Source: torch.view_as_real."""
    if not input.dtype.is_complex:
        raise errors.runtime("view_as_real shows the parts of complex numbers, and these are real", input=input._type)
    return input._see(Pairs(input.dtype.to_real()))


def view_as_complex(input: TensorBase) -> Any:
    """A view of pairs (..., 2) as complex numbers. Source: torch.view_as_complex."""
    if input.dtype not in (float32, float64):
        raise errors.runtime("view_as_complex is only supported for float32 and float64 tensors", input=input._type)
    if not input._shape or input._shape[-1] != 2:
        raise errors.runtime("view_as_complex: the last dimension must have size 2", input=input._type)
    return input._see(Unpairs(input.dtype.to_complex()))


# --- values ----------------------------------------------------------------------------------------------


def _conj(x: Node) -> Node:
    return elementwise.conjugate(x)


def _conj_physical(x: Node) -> Node:
    """The complex conjugate. Source: torch.conj_physical."""
    return elementwise.conjugate(x) if x.dtype.is_complex else elementwise.copy(x)


_conjugated, _physical = unary(_conj), unary(_conj_physical)


def conj(input: TensorBase) -> Any:
    """The complex conjugate; a real tensor itself. Source: torch.conj."""
    return _conjugated(input) if input.dtype.is_complex else input


def conj_physical(input: TensorBase, *, out: Any = None) -> Any:
    """The complex conjugate; a real tensor itself. Source: torch.conj_physical."""
    return _physical(input, out=out) if input.dtype.is_complex or out is not None else input


def resolve_conj(input: TensorBase) -> TensorBase:
    """The tensor itself: conjugates are never kept as a mark. Source: torch.resolve_conj."""
    return input


def resolve_neg(input: TensorBase) -> TensorBase:
    """The tensor itself: negation is never kept as a mark. Source: torch.resolve_neg."""
    return input


def is_conj(input: TensorBase) -> bool:
    """Whether the tensor is marked as conjugate: never. Source: torch.is_conj."""
    return False


def is_neg(input: TensorBase) -> bool:
    """Whether the tensor is marked as negated: never. Source: torch.is_neg."""
    return False


def _angle(x: Node) -> Node:
    """The angle with the positive real axis, in radians. Source: torch.angle."""
    return parts.angle(floats(x))


angle = unary(_angle)


def _two_floats(name: str, x: Node, y: Node) -> tuple[Node, Node]:
    if x.dtype not in (float16, float32, float64):
        raise errors.runtime(f"{name}: expected both inputs to be float32 or float64 tensors", input=x.type)
    if x.dtype is not y.dtype:
        raise errors.runtime(f"{name}: expected both inputs to have dtype {x.dtype.name}, got {y.dtype.name}")
    x, y = together(name, x, y)
    return x, y


def _complex(x: Node, y: Node) -> Node:
    """``real + 1j * imag``. Source: torch.complex."""
    return parts.complex_(*_two_floats("complex", x, y))


def _polar(x: Node, y: Node) -> Node:
    """The complex number of absolute value ``abs`` at the angle ``angle``. Source: torch.polar."""
    x, y = _two_floats("polar", x, y)
    return parts.complex_(elementwise.mul(x, elementwise.cos(y)), elementwise.mul(x, elementwise.sin(y)))


_complex_two, _polar_two = binary(_complex, left=False, right=False), binary(_polar, left=False, right=False)


def complex(real: Any, imag: Any, *, out: Any = None) -> Any:
    """``real + 1j * imag``. Source: torch.complex."""
    return _complex_two(real, imag, out=out)


def polar(abs: Any, angle: Any, *, out: Any = None) -> Any:
    """The complex number of absolute value ``abs`` at the angle ``angle``. Source: torch.polar."""
    return _polar_two(abs, angle, out=out)


def _set_real(self: Any, values: Any) -> None:
    real(self).copy_(values)


def _set_imag(self: Any, values: Any) -> None:
    imag(self).copy_(values)


METHODS = {
    "angle": angle, "conj": conj, "conj_physical": conj_physical, "is_conj": is_conj, "is_neg": is_neg,
    "resolve_conj": resolve_conj, "resolve_neg": resolve_neg, "real": property(real, _set_real),
    "imag": property(imag, _set_imag),
}  # fmt: skip
IN_PLACE = ("conj_physical",)

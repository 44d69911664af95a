"""Other dtypes, copies, devices."""

from __future__ import annotations

from typing import Any

from zerograd import dtypes, errors
from zerograd.dtypes import dtype
from zerograd.ir.graph import Node
from zerograd.ir.record import call, laid
from zerograd.ops.elementwise import cast
from zerograd.ops.movement import broadcast_to, overwrite, reshape
from zerograd.ops.source import filled
from zerograd.runtime import devices
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import NUMBERS, apply, labelled
from zerograd.tensor.formats import contiguous_format, preserve_format
from zerograd.tensor.functions.arguments import as_dtype_argument, as_tensor_argument
from zerograd.tensor.orders import strides_in


@labelled("ToCopyBackward0")
def _converted(x: Node, kind: dtype) -> Node:
    return cast(x, dtype=kind)


@labelled("ToCopyBackward0")
def _converted_in_order(x: Node, kind: dtype, strides: Any) -> Node:
    return laid(cast(x, dtype=kind), strides)


@labelled("CloneBackward0")
def _clone(x: Node) -> Node:
    return cast(x, dtype=x.dtype)


@labelled("CloneBackward0")
def _clone_in_order(x: Node, strides: Any) -> Node:
    return laid(cast(x, dtype=x.dtype), strides)


def _strides(input: TensorBase, memory_format: Any) -> Any:
    layout = input._laid_out()
    return strides_in(memory_format, layout.shape, layout.strides)


def convert(input: Any, kind: dtype) -> Any:
    """``input`` in a dtype; itself if it has it."""
    return input if input.dtype is kind else apply(_converted, (input,), (kind,))


def clone(input: Any, *, memory_format: Any = None) -> Any:
    """A copy through which gradients flow. Source: torch.clone."""
    as_tensor_argument("clone", "input", input)
    if memory_format in (None, preserve_format):
        return apply(_clone, (input,))
    return apply(_clone_in_order, (input,), (_strides(input, memory_format),))


def contiguous(input: TensorBase, memory_format: Any = contiguous_format) -> Any:
    """The tensor itself if its elements lie in row-major order, else a copy. Source: torch.Tensor.contiguous."""
    if memory_format is preserve_format:
        raise errors.runtime(
            "contiguous() has to know the order of elements", got=memory_format, hint="torch.contiguous_format"
        )
    if input.is_contiguous(memory_format):
        return input
    return apply(_clone_in_order, (input,), (_strides(input, memory_format),))


def to(input: TensorBase, *args: Any, **kwargs: Any) -> Any:
    """``input`` with a dtype and on a device; itself if nothing changes and ``copy`` is not asked for.

    Forms: to(dtype), to(device, dtype), to(other).
    Raises:
        AssertionError, RuntimeError: the device is not the CPU.
    Source: torch.Tensor.to.
    """
    kind, copy = to_arguments(input.dtype, args, kwargs)
    memory_format = kwargs.get("memory_format")
    if memory_format not in (None, preserve_format):
        if kind is input.dtype and not copy and input.is_contiguous(memory_format):
            return input
        return apply(_converted_in_order, (input,), (kind, _strides(input, memory_format)))
    if kind is not input.dtype:
        return apply(_converted, (input,), (kind,))
    return apply(_clone, (input,)) if copy else input


def to_arguments(kind: dtype, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[dtype, bool]:
    """The dtype and whether to copy."""
    if unknown := kwargs.keys() - {"dtype", "device", "other", "non_blocking", "copy", "memory_format"}:
        raise errors.type_(f"to() has no argument '{min(unknown)}'")
    if not args and not kwargs:
        raise errors.type_("to() has to be told what to: a dtype, a device or a tensor")
    rest = list(args)
    first = rest.pop(0) if rest else kwargs.get("other")
    if isinstance(first, TensorBase):
        kind = first.dtype
    elif isinstance(first, dtype) or (isinstance(first, type) and first in (float, int, bool, complex)):
        kind = as_dtype_argument(first) or kind
    elif first is not None:
        if not isinstance(first, devices.device | str | int) or isinstance(first, bool):
            raise errors.type_(
                f"to() expects a dtype, a device or a tensor, not {type(first).__name__}", given=repr(first)
            )
        devices.check(first)
    if rest and not isinstance(first, dtype | TensorBase) and (isinstance(rest[0], dtype | type) or rest[0] is None):
        kind = as_dtype_argument(rest.pop(0)) or kind
    copy = kwargs.get("copy", rest[1] if len(rest) > 1 else False)
    if kwargs.get("device") is not None:
        devices.check(kwargs["device"])
    return as_dtype_argument(kwargs.get("dtype"), "to") or kind, copy


def _method(name: str, kind: dtype) -> Any:
    def method(input: TensorBase, memory_format: Any = None) -> Any:
        if memory_format in (None, preserve_format):
            return convert(input, kind)
        return to(input, kind, memory_format=memory_format)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"The tensor as {kind}. Source: torch.Tensor.{name}."
    return method


_KINDS = {
    "float": dtypes.float32, "double": dtypes.float64, "half": dtypes.float16, "bfloat16": dtypes.bfloat16,
    "long": dtypes.int64, "int": dtypes.int32, "short": dtypes.int16, "char": dtypes.int8, "byte": dtypes.uint8,
    "bool": dtypes.bool_, "cfloat": dtypes.complex64, "cdouble": dtypes.complex128,
}  # fmt: skip


def type_as(input: TensorBase, other: TensorBase) -> Any:
    """``input`` in the dtype of ``other``. Source: torch.Tensor.type_as."""
    return convert(input, as_tensor_argument("type_as", "other", other).dtype)


def cpu(input: TensorBase, memory_format: Any = None) -> Any:
    """The tensor itself: it is on the CPU. Source: torch.Tensor.cpu."""
    return input


def cuda(input: TensorBase, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Any:
    """An error, as on PyTorch without CUDA. Source: torch.Tensor.cuda."""
    devices.check("cuda")
    return input


@labelled("CopyBackwards")
def _copy(x: Node, to: Any) -> Node:
    shape, kind = to
    if x.shape != shape:
        extra = len(x.shape) - len(shape)
        if extra > 0 and all(n == 1 for n in x.shape[:extra]):
            x = reshape(x, shape=x.shape[extra:])
        fits = len(x.shape) <= len(shape) and all(
            m in (1, n) for m, n in zip(reversed(x.shape), reversed(shape), strict=False)
        )
        if not fits:
            raise errors.runtime(
                f"a value of shape {list(x.shape)} does not fit into shape {list(shape)}",
                hint="sizes must be equal or 1, counted from the last dimension",
            )
        x = broadcast_to(x, shape)
    return cast(x, dtype=kind)


def copy_(input: TensorBase, src: Any, non_blocking: bool = False) -> Any:
    """Put the elements of ``src``, broadcast and converted, into this tensor. Source: torch.Tensor.copy_."""
    if not isinstance(src, (TensorBase, *NUMBERS)):
        raise errors.type_(f"copy_(): argument 'other' must be Tensor, not {type(src).__name__}")
    input._check_writable()
    if src is input:
        return input
    node = apply(_copy, (src,), ((input._shape, input.dtype),))._node()
    if node.tracked and not input._steps and input.requires_grad:
        node = call(_overwritten, (input._node(), node))
    return input._assign(node)


@labelled("CopyBackwards")
def _overwritten(x: Node, new: Node) -> Node:
    return overwrite(x, new)


def fill_(input: TensorBase, value: Any) -> Any:
    """``value`` everywhere. Source: torch.Tensor.fill_."""
    if isinstance(value, TensorBase) and value._shape:
        raise errors.runtime(
            "fill_ writes one number everywhere, so a tensor given must be without dimensions",
            value=value._type,
            hint="use copy_",
        )
    return copy_(input, value)


def fill(input: TensorBase, value: Any) -> Any:
    """``value`` everywhere, in a new tensor. Source: torch.fill."""
    return fill_(clone(input), value)


def zero_(input: TensorBase) -> Any:
    """Zeros everywhere. Source: torch.Tensor.zero_."""
    input._check_writable()
    return input._assign(filled(0, input._type))


METHODS = {
    "clone": clone, "contiguous": contiguous, "to": to, "type_as": type_as, "cpu": cpu, "cuda": cuda, "copy_": copy_,
    "fill_": fill_, "zero_": zero_, **{name: _method(name, kind) for name, kind in _KINDS.items()},
}  # fmt: skip
IN_PLACE = ()

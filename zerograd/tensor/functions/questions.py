"""Questions about tensors and dtypes that need no values."""

from __future__ import annotations

from typing import Any

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.tensor.base import TensorBase
from zerograd.tensor.functions.arguments import as_tensor_argument


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether an in-place result of one dtype may go into a tensor of another. Source: torch.can_cast."""
    return dtypes.can_cast(from_, to)


def _ranked(x: Any) -> tuple[dtype, int]:
    if isinstance(x, TensorBase):
        return x.dtype, 0 if x._shape else 1
    return dtypes.of_scalar(x), 2


def result_type(tensor1: Any, tensor2: Any) -> dtype:
    """The dtype of an operation on two tensors or numbers. Source: torch.result_type."""
    return dtypes.result_type([_ranked(tensor1), _ranked(tensor2)])


def is_tensor(obj: Any) -> bool:
    """Whether ``obj`` is a tensor. Source: torch.is_tensor."""
    return isinstance(obj, TensorBase)


def is_floating_point(input: Any) -> bool:
    """Whether the dtype is one of real floats. Source: torch.is_floating_point."""
    return as_tensor_argument("is_floating_point", "input", input).dtype.is_floating_point


def is_complex(input: Any) -> bool:
    """Whether the dtype is complex. Source: torch.is_complex."""
    return as_tensor_argument("is_complex", "input", input).dtype.is_complex


def is_signed(input: Any) -> bool:
    """Whether the dtype has negative numbers. Source: torch.is_signed."""
    return as_tensor_argument("is_signed", "input", input).dtype.is_signed


def is_same_size(input: Any, other: Any) -> bool:
    """Whether two tensors have one shape. Source: torch.is_same_size."""
    return as_tensor_argument("is_same_size", "input", input)._shape == other._shape


def numel(input: Any) -> int:
    """The number of elements. Source: torch.numel."""
    return as_tensor_argument("numel", "input", input)._type.count


METHODS: dict[str, Any] = {}
IN_PLACE = ()

"""Reading a tensor's value out: to Python, to NumPy, to text."""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd import errors
from zerograd.dtypes import bfloat16
from zerograd.tensor.base import TensorBase
from zerograd.tensor.printing import format_scalar, format_tensor, refuse_format_spec


class ReadingMethods(TensorBase):
    """The part of Tensor that computes values and hands them out."""

    def item(self) -> Any:
        """The one element as a Python number.

        Raises:
            RuntimeError: there is not exactly one.
        """
        if self._type.count != 1:
            raise errors.runtime(
                f"a Tensor with {self._type.count} elements cannot be converted to Scalar",
                tensor=self._type,
                hint="use .tolist() for all of them, or reduce it first",
            )
        return self._array().item()

    def tolist(self) -> Any:
        """The elements as (nested) lists of Python numbers."""
        array = self._array()
        return (array.astype(np.float32) if self.dtype is bfloat16 else array).tolist()

    def numpy(self, *, force: bool = False) -> Any:
        """A NumPy array over the same memory: writes on either side are seen on the other.

        Args:
            force: detach first.
        Raises:
            RuntimeError: the tensor requires gradients.
            TypeError: bfloat16, which NumPy lacks.
        """
        if self.requires_grad and not force:
            raise errors.runtime(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.",
                hint="gradients don't flow through NumPy",
            )
        if self.dtype is bfloat16:
            raise errors.type_("Got unsupported ScalarType BFloat16", hint="use .float().numpy()")
        array = self._storage.share().export()
        for step in self._steps:
            array = step.look(array)
        return array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = self.numpy()
        return array if dtype is None else array.astype(dtype, copy=bool(copy))

    def __bool__(self) -> bool:
        if self._type.count != 1:
            amount = "more than one value" if self._type.count else "no values"
            raise errors.runtime(
                f"Boolean value of Tensor with {amount} is ambiguous",
                tensor=self._type,
                hint="use .any() or .all()",
            )
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if self._type.count != 1 or self.dtype.is_inexact:
            raise errors.type_(
                "only integer tensors of a single element can be converted to an index", tensor=self._type
            )
        return int(self.item())

    def __len__(self) -> int:
        if not self._shape:
            raise errors.type_("len() of a 0-d tensor")
        return self._shape[0]

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        grad_fn = self.grad_fn
        return format_tensor(
            self._array(),
            dtype=self.dtype,
            requires_grad=self.requires_grad,
            grad_fn_name=None if grad_fn is None else grad_fn.name(),
            class_name=type(self).__dict__.get("_printed_as", type(self).__name__),
            contents=tensor_contents,
        )

    def __format__(self, format_spec: str) -> str:
        if type(self) is TensorBase.result_class and not self._shape:
            return format_scalar(self._array(), self.dtype, format_spec)
        if format_spec:
            raise refuse_format_spec(self._shape, format_spec, type(self).__name__)
        return str(self)

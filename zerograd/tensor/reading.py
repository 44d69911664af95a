"""Reading a tensor's value out: to Python, to NumPy, to text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from zerograd import errors
from zerograd.dtypes import bfloat16
from zerograd.tensor.base import TensorBase
from zerograd.tensor.functions.data import from_numpy


class ReadingMethods(TensorBase):
    """The part of Tensor that computes values and hands them out."""

    def item(self) -> Any:
        """The one element as a Python number.

        Raises:
            RuntimeError: there is not exactly one.
        """
        if self._type.count != 1:
            raise errors.runtime(
                "item() is the one number of a tensor, and this one has "
                + (f"{self._type.count}" if self._type.count else "none"),
                tensor=self._type,
                hint="use .tolist() for all of them, or reduce it first",
            )
        return self._array().item()

    def _only(self, type: str) -> Any:
        """The one element, for the conversion to a Python type."""
        if self._type.count != 1:
            raise errors.value(
                f"{type}(tensor) needs a tensor of one element",
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
                "numpy() of a tensor that needs gradients: they would end there unseen",
                tensor=self._type,
                hint="tensor.detach().numpy() says that they shall end",
            )
        if self.dtype is bfloat16:
            raise errors.type_("Got unsupported ScalarType BFloat16", hint="use .float().numpy()")
        array = self._storage.share().export()
        for step in self._steps:
            array = step.look(array)
        return array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise errors.value(f"a NumPy array of {dtype} cannot share the memory of {self._type}")
            return array.astype(dtype)
        return array.copy() if copy else array

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """What NumPy's functions give for tensors: tensors."""
        if array.dtype == np.bool_:
            array = array.astype(np.uint8)
        return from_numpy(np.asarray(array))

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: Any = None
    ) -> Any:
        """The memory as a DLPack capsule, shared with whoever takes it."""
        if self.requires_grad:
            raise BufferError(
                errors.message(
                    "other libraries cannot follow the gradients of this tensor",
                    tensor=self._type,
                    hint="tensor.detach()",
                )
            )
        if self.dtype is bfloat16:
            raise BufferError("NumPy, through which zerograd exports memory, has no bfloat16")
        self._storage.share().pin()
        return self.numpy().__dlpack__(max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)  # kDLCPU

    def __iter__(self) -> Iterator[Any]:
        if not self._shape:
            raise errors.type_("iteration over a 0-d tensor")
        return iter(self.unbind(0))

    def __reversed__(self) -> Any:
        return self.flip(0) if self._shape else self

    def __dir__(self) -> list[str]:
        return sorted(name for name in super().__dir__() if name not in ("_storage", "_steps"))

    def __bool__(self) -> bool:
        if self._type.count != 1:
            raise errors.runtime(
                f"a tensor of {self._type.count} elements is neither true nor false",
                tensor=self._type,
                hint="use .any() or .all()",
            )
        return bool(self.item())

    def __float__(self) -> float:
        return float(self._only("float"))

    def __int__(self) -> int:
        return int(self._only("int"))

    __long__ = __int__
    __nonzero__ = __bool__

    def __complex__(self) -> complex:
        return complex(self._only("complex"))

    def __index__(self) -> int:
        if self._type.count != 1 or self.dtype.is_inexact:
            raise errors.type_("an index must be a tensor of one element and of an integer dtype", tensor=self._type)
        return int(self.item())

    def __len__(self) -> int:
        if not self._shape:
            raise errors.type_("len() of a 0-d tensor")
        return self._shape[0]

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        from zerograd.tensor.printing import format_tensor  # loaded when the first tensor is printed

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
        from zerograd.tensor.printing import format_scalar, refuse_format_spec

        if type(self) is TensorBase.result_class and not self._shape:
            return format_scalar(self._array(), self.dtype, format_spec)
        if format_spec:
            raise refuse_format_spec(self._shape, format_spec, type(self).__name__)
        return str(self)

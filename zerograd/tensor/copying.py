"""Copies of tensors as Python makes them: ``copy``, ``deepcopy``, ``pickle``, and windows of another class."""

from __future__ import annotations

import copy
from typing import Any

from zerograd import errors
from zerograd.shapes import Shape
from zerograd.tensor.base import TensorBase
from zerograd.tensor.memory import copied
from zerograd.tensor.storage import Storage
from zerograd.tensor.strided import as_strided_step
from zerograd.tensor.view import alias

_OWN = frozenset(
    {
        "_storage", "_base", "_steps", "_layout", "_view_type", "_detached", "_leaf", "_own", "_plain", "_cache",
        "_point", "_grad", "_retained", "_at", "_serial",
    }
)  # fmt: skip


def attributes_of(tensor: TensorBase) -> dict[str, Any]:
    """What the program has set on a tensor."""
    return {name: value for name, value in tensor.__dict__.items() if name not in _OWN}


class CopyingMethods(TensorBase):
    """The part of Tensor that copies it."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """A copy with its own storage and gradient; tensors that share a storage do so in the copy too."""
        known = memo.get(id(self))
        if known is not None:
            return known
        if not self.is_leaf:
            raise errors.runtime(
                "a deep copy of a result with history would have to copy the history; only leaves can be copied",
                tensor=self._type,
                hint="copy tensor.detach(), or take the tensor out of the object that is copied",
            )
        key = id(self._storage)
        storage = memo.get(key)
        if storage is None:
            storage = memo[key] = copied(self._storage)
        other = object.__new__(type(self))
        window_onto(other, storage, self)
        memo[id(self)] = other
        if self.requires_grad:
            other.requires_grad_()
        if self._grad is not None:
            other._grad = copy.deepcopy(self.grad, memo)
        for name, value in attributes_of(self).items():
            setattr(other, name, copy.deepcopy(value, memo))
        return other

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickled as its storage and its window onto it; hooks and gradients are left out."""
        layout = self._laid_out()
        kind = self.dtype
        storage = self._storage
        if kind is not storage.type.dtype:  # a view of the bytes as another type: pickled as a copy
            plain = self.detach().clone()
            return self._reduced(plain._storage, 0, layout.shape, plain.stride())
        return self._reduced(storage, layout.offset, layout.shape, layout.strides)

    def _reduced(self, storage: Storage, offset: int, shape: Shape, strides: Shape) -> Any:
        parts = (storage, offset, shape, strides, self.requires_grad, type(self))
        state = attributes_of(self)
        return (rebuild, parts, state) if state else (rebuild, parts)

    def __setstate__(self, state: Any) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def as_subclass(self, cls: Any) -> Any:
        """This tensor's storage and history in an object of class ``cls``. Source: torch.Tensor.as_subclass."""
        other = object.__new__(cls)
        seen = self._see(alias(len(self._shape))) if self.requires_grad else self._alias()
        for name, value in vars(seen).items():
            setattr(other, name, value)
        return other

    @staticmethod
    def _make_subclass(kind: Any, data: TensorBase, require_grad: bool = False, **_: Any) -> Any:
        """A leaf of class ``kind`` over the storage of ``data``."""
        other = object.__new__(kind)
        for name, value in vars(data._alias()).items():
            setattr(other, name, value)
        return other.requires_grad_() if require_grad else other

    @staticmethod
    def _make_wrapper_subclass(*_: Any, **__: Any) -> Any:
        raise NotImplementedError("zerograd has no tensors without storage (Tensor._make_wrapper_subclass)")


def window_onto(other: Any, storage: Storage, like: TensorBase) -> None:
    """Make ``other`` look at ``storage`` as ``like`` looks at its own."""
    other._storage = storage
    if like._steps:
        other._steps, other._layout, other._view_type = like._steps, like._layout, like._view_type
        other._plain = False


def rebuild(storage: Storage, offset: int, shape: Shape, strides: Shape, requires_grad: bool, kind: type[Any]) -> Any:
    """A tensor from its pickle."""
    whole = TensorBase.of_storage(storage)
    layout = whole._laid_out()
    if (offset, shape, strides) != (0, layout.shape, layout.strides):
        step = as_strided_step(layout, shape, strides, offset)
        seen = whole._see(step)
        whole = object.__new__(TensorBase.result_class)
        window_onto(whole, storage, seen)
    if kind is not TensorBase.result_class:
        whole = whole.as_subclass(kind)
    return whole.requires_grad_() if requires_grad else whole

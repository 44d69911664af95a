"""Writes pickles that PyTorch reads: classes under PyTorch's names, tensors as references to storages."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from types import FunctionType
from typing import IO, Any

from zerograd import errors
from zerograd.dtypes import dtype
from zerograd.nn.modules.registry import Registry
from zerograd.nn.parameter import Parameter
from zerograd.serialization import names
from zerograd.serialization.memory import STORAGE_NAMES, Memories, StorageType
from zerograd.tensor.copying import attributes_of
from zerograd.tensor.tensor import Tensor


class _StorageOf:
    """Stands for a tensor's storage until the writer turns it into a reference."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


_Pickler: Any = pickle._Pickler  # the one in C cannot write names that are not importable here


class Writer(_Pickler):
    """Pickles an object with its tensors; their values are collected in `memories`.

    Args:
        old_form: references as in files before the zip format.
    """

    dispatch = {**_Pickler.dispatch, Registry: _Pickler.save_dict}

    def __init__(self, file: IO[bytes], protocol: int, memories: Memories, *, old_form: bool = False) -> None:
        super().__init__(file, protocol)
        self._memories = memories
        self._old_form = old_form

    def persistent_id(self, obj: Any) -> tuple[Any, ...] | None:
        """PyTorch's reference to a storage."""
        if not isinstance(obj, _StorageOf):
            return None
        number, count = self._memories.add(obj.tensor)
        kind = StorageType(STORAGE_NAMES[obj.tensor.dtype])
        reference = ("storage", kind, str(number), "cpu", count)
        return (*reference, None) if self._old_form else reference

    def reducer_override(self, obj: Any) -> Any:
        """How tensors, dtypes and storages are taken apart."""
        if isinstance(obj, Tensor):
            return _reduced(obj)
        if isinstance(obj, dtype | StorageType):
            return obj.name  # as the name of something global
        return NotImplemented

    def save_global(self, obj: Any, name: str | None = None) -> None:
        """A class or function by its name, zerograd's by PyTorch's."""
        known = ("torch", name) if isinstance(obj, dtype | StorageType) else names.name_in_torch(obj)
        if known is None:
            super().save_global(obj, name)
            return
        module, name = known
        if self.proto >= 4:
            self.save(module)
            self.save(name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
        self.memoize(obj)

    dispatch[FunctionType] = save_global


def _reduced(tensor: Tensor) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The function that makes the tensor anew, and its arguments."""
    attributes = attributes_of(tensor)
    hooks: OrderedDict[Any, Any] = OrderedDict()  # PyTorch writes its hooks here, which cannot be saved
    if isinstance(tensor, Parameter):
        args = (tensor.detach(), tensor.requires_grad, hooks)
        if attributes:
            return names.rebuild_parameter_with_state, (*args, attributes)
        return names.rebuild_parameter, args
    if type(tensor) is not Tensor and type(tensor).__module__.partition(".")[0] != "zerograd":
        raise errors.type_(
            "a tensor of a class of its own cannot be saved",
            type=type(tensor).__name__,
            hint="save tensor.as_subclass(torch.Tensor)",
        )
    size, stride = tuple(tensor.shape), tensor.stride()
    args = (_StorageOf(tensor), tensor.storage_offset(), size, stride, tensor.requires_grad, hooks)
    if attributes:
        return names.rebuild_from_type, (names.rebuild_tensor_v2, Tensor, args, attributes)
    return names.rebuild_tensor_v2, args

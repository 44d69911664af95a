"""The memory of tensors in a file, and tensors over it, which share it again as they did when saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.ir.graph import TensorType
from zerograd.runtime.devices import device
from zerograd.runtime.realize import array_of
from zerograd.shapes import Shape, contiguous_strides, count
from zerograd.tensor.copying import rebuild
from zerograd.tensor.storage import Storage
from zerograd.tensor.tensor import Tensor

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

# PyTorch's class per element type. What stands behind a name in a file is only the dtype.
STORAGE_DTYPES = {
    "DoubleStorage": dtypes.float64,
    "FloatStorage": dtypes.float32,
    "HalfStorage": dtypes.float16,
    "BFloat16Storage": dtypes.bfloat16,
    "LongStorage": dtypes.int64,
    "IntStorage": dtypes.int32,
    "ShortStorage": dtypes.int16,
    "CharStorage": dtypes.int8,
    "ByteStorage": dtypes.uint8,
    "BoolStorage": dtypes.bool_,
    "ComplexFloatStorage": dtypes.complex64,
    "ComplexDoubleStorage": dtypes.complex128,
    "UntypedStorage": dtypes.uint8,
}
STORAGE_NAMES = {dtype: name for name, dtype in STORAGE_DTYPES.items() if name != "UntypedStorage"}


class StorageType:
    """A class of PyTorch's storages, as a name in a file."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dtype = STORAGE_DTYPES[name]


class Memory:
    """A storage in a file that is being read.

    Args:
        dtype: of the elements.
        values: its elements, shape (n,). They may be filled in until the file has been read.
    """

    def __init__(self, dtype: dtypes.dtype, values: np.ndarray[Any, Any]) -> None:
        self.dtype = dtype
        self.values = values
        self._storages: dict[dtypes.dtype, Storage] = {}

    def tensor(self, dtype: dtypes.dtype, offset: int, size: Sequence[int], stride: Sequence[int]) -> Tensor:
        """A tensor over this memory.

        Raises:
            RuntimeError: it would reach beyond the end.
        """
        values = self.values if dtype is self.dtype else self.values.view(np.uint8).view(dtype.numpy)
        shape, strides = tuple(size), tuple(stride)
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        if offset < 0 or min((*shape, *strides), default=0) < 0 or (0 not in shape and last >= len(values)):
            raise errors.runtime(
                "the file is damaged: a tensor reaches beyond its storage",
                size=list(shape),
                stride=list(strides),
                offset=offset,
                storage=len(values),
            )
        storage = self._storages.get(dtype)
        if storage is None:
            whole = offset == 0 and count(shape) == len(values)
            storage = self._storages[dtype] = _storage(values, dtype, shape, strides, whole=whole)
        return rebuild(storage, offset, shape, strides, False, Tensor)


def _storage(
    values: np.ndarray[Any, Any], dtype: dtypes.dtype, shape: Shape, strides: Shape, *, whole: bool
) -> Storage:
    """A storage of a tensor's shape, if the tensor is all of it, so that it is no view; else a vector."""
    if whole and strides == contiguous_strides(shape):
        values = values.reshape(shape)
    return Storage.of_array(values, TensorType(values.shape, dtype))


class Memories:
    """The storages of tensors that are being saved, numbered as they come."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self.values: list[Bytes] = []
        self._dtypes: list[dtypes.dtype] = []
        self._kept: list[Any] = []  # so that no id is used twice

    def add(self, tensor: Tensor) -> tuple[int, int]:
        """The number of the tensor's storage, and how many elements it has.

        Raises:
            RuntimeError: a tensor of another dtype has the same storage.
        """
        storage = tensor._storage
        number = self._numbers.get(id(storage))
        if number is None:
            number = self._numbers[id(storage)] = len(self.values)
            self.values.append(_in_memory_order(storage).view(np.uint8))
            self._dtypes.append(tensor.dtype)
            self._kept.append(storage)
        if self._dtypes[number] is not tensor.dtype:
            raise errors.runtime(
                "tensors that see one storage as different dtypes cannot be saved together",
                dtypes=f"{self._dtypes[number]}, {tensor.dtype}",
                hint="clone() one of them",
            )
        return number, self.values[number].nbytes // tensor.dtype.itemsize

    @property
    def itemsizes(self) -> list[int]:
        """Bytes per element of each storage."""
        return [dtype.itemsize for dtype in self._dtypes]


def _in_memory_order(storage: Storage) -> np.ndarray[Any, Any]:
    """The elements, shape (n,), as PyTorch would have them in memory."""
    array = array_of(storage)
    if storage.strides is not None:
        strides = storage.strides
        array = array.transpose(sorted(range(array.ndim), key=lambda axis: -strides[axis]))
    return np.ascontiguousarray(array).reshape(-1)


Restore = Callable[[Memory, str], Memory]


def restore_by(map_location: Any) -> Restore:
    """What decides where a storage goes: all go to the CPU, so this checks that they may.

    Args:
        map_location: None, a device, a dictionary of device names, or a function (storage, location).
    Raises:
        RuntimeError: (the result, when called) a storage is to go to a device that is not there.
    """

    def restore(memory: Memory, location: str) -> Memory:
        target: Any = map_location
        if isinstance(map_location, dict):
            target = map_location.get(location, location)
        elif callable(map_location) and not isinstance(map_location, device):
            placed = map_location(memory, location)
            if placed is not None:
                return memory
            target = location
        if target is None:
            target = location
        name = target.decode() if isinstance(target, bytes) else str(target)
        if name.partition(":")[0] != "cpu":
            raise errors.runtime(
                f"a tensor in the file is to go to the device {name!r}, which is not available",
                hint="map_location='cpu' puts all tensors on the CPU",
            )
        return memory

    return restore

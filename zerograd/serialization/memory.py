"""The memory of tensors in a file, and tensors over it, which share it again as they did when saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.ir.graph import TensorType
from zerograd.runtime.realize import array_of
from zerograd.shapes import contiguous_strides, count
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
        self._owner: Tensor | None = None

    def tensor(self, dtype: dtypes.dtype, offset: int, size: Sequence[int], stride: Sequence[int]) -> Tensor:
        """A tensor over this memory.

        Raises:
            RuntimeError: it would reach beyond the end.
        """
        values = self.values if dtype is self.dtype else self.values.view(np.uint8).view(dtype.numpy)
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if offset < 0 or min((*size, *stride), default=0) < 0 or (0 not in size and last >= len(values)):
            raise errors.runtime(
                "the file is damaged: a tensor reaches beyond its storage",
                size=list(size),
                stride=list(stride),
                offset=offset,
                storage=len(values),
            )
        shape = tuple(size)
        whole = offset == 0 and count(shape) == len(values) and tuple(stride) == contiguous_strides(shape)
        if self._owner is None:
            self._owner = _over(values.reshape(shape) if whole else values, dtype)
            if whole:
                return self._owner
        owner = self._owner if self._owner.dtype is dtype else self._owner.view(dtype)
        return window(owner.view(-1), shape, tuple(stride), offset)


def _over(array: np.ndarray[Any, Any], dtype: dtypes.dtype) -> Tensor:
    return Tensor.of_array(array, TensorType(array.shape, dtype))


def window(flat: Tensor, size: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Tensor:
    """A view of a vector with the given size, strides and offset.

    Where no chain of slices and transpositions gives that view, a copy of its elements.
    """
    if 0 in size:
        return flat[:0].view(size)
    wide = [n if step else 1 for n, step in zip(size, stride, strict=True)]  # stride 0: one element, repeated
    order = sorted((i for i, n in enumerate(wide) if n > 1), key=lambda i: -stride[i])
    view = _nested(flat, [(wide[i], stride[i]) for i in order], offset)
    if view is None:
        return flat[_places(size, stride, offset).reshape(-1)].view(size)
    view = view.permute(sorted(range(len(order)), key=order.__getitem__)) if order else view
    return view.view(wide).expand(size)


def _nested(flat: Tensor, dims: list[tuple[int, int]], offset: int) -> Tensor | None:
    """The view with these sizes and falling strides; None if rows do not fit into each other."""
    ranges = []
    length = flat.shape[0]
    grid: list[int] = []
    for position, (n, step) in enumerate(dims):
        start, inside = divmod(offset, step)
        if position == len(dims) - 1:
            ranges.append(slice(offset, offset + (n - 1) * step + 1, step))
            grid.append(length)
            break
        if length % step or start + n > length // step:
            return None
        ranges.append(slice(start, start + n))
        grid.append(length // step)
        length, offset = step, inside
    if not dims:
        return flat[offset : offset + 1].view(())
    return flat.view(grid)[tuple(ranges)]


def _places(size: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Any:
    places = np.full(size, offset)
    for axis, step in enumerate(stride):
        shape = [-1 if i == axis else 1 for i in range(len(size))]
        places = places + step * np.arange(size[axis]).reshape(shape)
    return places


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
            self.values.append(np.ascontiguousarray(array_of(storage)).reshape(-1).view(np.uint8))
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
        elif callable(map_location):
            placed = map_location(memory, location)
            if placed is not None:
                return memory
            target = location
        if target is None:
            target = location
        device = target.decode() if isinstance(target, bytes) else str(target)
        if device.partition(":")[0] != "cpu":
            raise errors.runtime(
                f"a tensor in the file is to go to the device {device!r}, which is not available",
                hint="map_location='cpu' puts all tensors on the CPU",
            )
        return memory

    return restore

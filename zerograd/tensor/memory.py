"""The memory behind tensors, as programs see it: strides, addresses, storages, sizes changed in place."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np

from zerograd import errors, shapes
from zerograd.dtypes import dtype
from zerograd.ir.graph import TensorType
from zerograd.ops.source import filled
from zerograd.shapes import Shape, contiguous_strides, count
from zerograd.tensor.base import TensorBase
from zerograd.tensor.formats import contiguous_format, preserve_format, strided
from zerograd.tensor.orders import is_in_format
from zerograd.tensor.storage import Storage
from zerograd.tensor.strided import as_strided_step


class UntypedStorage:
    """The bytes that tensors share. Source: torch.UntypedStorage.

    Two of them are equal when they are of the same memory.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    @property
    def _cdata(self) -> int:
        return id(self._storage)

    def _bytes(self) -> Any:
        array = self._storage.share().array
        order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
        return array.transpose(order).reshape(-1).view(np.uint8)

    def data_ptr(self) -> int:
        """The address of the first byte; 0 if there is none."""
        return address(self._storage)

    def nbytes(self) -> int:
        return self._storage.type.nbytes

    size = __len__ = nbytes

    def element_size(self) -> int:
        return 1

    @property
    def device(self) -> Any:
        from zerograd.runtime.devices import CPU

        return CPU

    is_cuda = is_hpu = is_sparse = False

    def __getitem__(self, index: Any) -> Any:
        return self._bytes()[index].tolist()

    def tolist(self) -> list[int]:
        """The bytes as numbers."""
        return self._bytes().tolist()

    def clone(self) -> UntypedStorage:
        """A copy."""
        return UntypedStorage(copied(self._storage))

    def cpu(self) -> UntypedStorage:
        return self

    def is_shared(self) -> bool:
        """Whether other processes, forked later, share the memory."""
        return self._storage.is_between_processes()

    def share_memory_(self) -> UntypedStorage:
        """Move to memory that forked processes share."""
        self._storage.share_between_processes()
        return self

    def is_pinned(self, device: Any = None) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and self._storage is other._storage

    def __hash__(self) -> int:
        return hash(id(self._storage))

    def __repr__(self) -> str:
        rows = "".join(f" {byte}\n" for byte in self.tolist())
        return f"{rows}[torch.storage.UntypedStorage(device=cpu) of size {len(self)}]"


class TypedStorage:
    """The elements that tensors share. Source: torch.TypedStorage."""

    def __init__(self, storage: Storage, kind: dtype) -> None:
        self._storage = storage
        self.dtype = kind

    def _elements(self) -> Any:
        return UntypedStorage(self._storage)._bytes().view(self.dtype.numpy)

    def data_ptr(self) -> int:
        """The address of the first element; 0 if there is none."""
        return address(self._storage)

    def nbytes(self) -> int:
        return self._storage.type.nbytes

    def size(self) -> int:
        """The number of elements."""
        return self.nbytes() // self.dtype.itemsize

    __len__ = size

    def element_size(self) -> int:
        return self.dtype.itemsize

    def untyped(self) -> UntypedStorage:
        return UntypedStorage(self._storage)

    def __getitem__(self, index: int) -> Any:
        return self._elements()[index].item()

    def tolist(self) -> list[Any]:
        return self._elements().tolist()

    def is_shared(self) -> bool:
        return self.untyped().is_shared()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypedStorage) and self._storage is other._storage

    def __hash__(self) -> int:
        return hash(id(self._storage))

    def __repr__(self) -> str:
        rows = "".join(f" {one}\n" for one in self.tolist())
        return f"{rows}[torch.storage.TypedStorage(dtype={self.dtype}, device=cpu) of size {len(self)}]"


def address(storage: Storage) -> int:
    """Where the first element is; from now on it stays there."""
    if not storage.type.count:
        return 0
    shared = storage.share()
    shared.pin()
    return shared.array.__array_interface__["data"][0]


def copied(storage: Storage) -> Storage:
    """Another storage with the same value, which costs nothing: values never change."""
    if storage.shared is None and storage.buffer is None:
        return Storage.pending(storage.read())
    shared = storage.shared is not None and storage.shared.is_shared()
    array = storage.array()
    other = Storage.of_array(np.array(array) if shared else array, storage.type)
    other.own_strides = storage.strides
    return other


class MemoryMethods(TensorBase):
    """The part of Tensor that is about memory."""

    layout = strided

    # --- where elements lie ----------------------------------------------------------------------

    def stride(self, dim: int | None = None) -> Any:
        """Steps between neighbours along each dimension (or along ``dim``), in elements."""
        strides = self._laid_out().strides
        return strides if dim is None else strides[shapes.axis(dim, len(strides))]

    def is_contiguous(self, memory_format: Any = contiguous_format) -> bool:
        """Whether the elements lie in row-major order (or in a memory format) without gaps."""
        if memory_format is contiguous_format:
            return TensorBase.is_contiguous(self)
        layout = self._laid_out()
        return is_in_format(memory_format, layout.shape, layout.strides)

    def dim_order(self) -> Shape:
        """The dimensions from the outermost to the innermost in memory."""
        strides = self._laid_out().strides
        return tuple(sorted(range(len(strides)), key=lambda axis: -strides[axis]))

    def data_ptr(self) -> int:
        """The address of the first element; 0 if there is none."""
        if not self._type.count:
            return 0
        return address(self._storage) + self.storage_offset() * self.dtype.itemsize

    const_data_ptr = data_ptr

    @property
    def _cdata(self) -> int:
        return id(self)

    def untyped_storage(self) -> UntypedStorage:
        """The bytes that this tensor shares with its views."""
        return UntypedStorage(self._storage)

    def storage(self) -> TypedStorage:
        """The elements that this tensor shares with its views."""
        warnings.warn(
            "storage() gives an old kind of storage: write untyped_storage()",
            UserWarning,
            stacklevel=2,
        )
        return TypedStorage(self._storage, self.dtype)

    def _typed_storage(self) -> TypedStorage:
        return TypedStorage(self._storage, self.dtype)

    def storage_type(self) -> type:
        return TypedStorage

    def is_set_to(self, tensor: TensorBase) -> bool:
        """Whether both are the same window onto the same storage."""
        return self._storage is tensor._storage and self._laid_out() == tensor._laid_out()

    def _is_view(self) -> bool:
        return self._base is not None

    # --- other windows ---------------------------------------------------------------------------

    def _look_at(self, storage: Storage, shape: Shape, strides: Shape, offset: int, kind: dtype) -> Self:
        """Become a window onto a storage."""
        whole = TensorBase.of_storage(storage)
        if kind is not storage.type.dtype:
            if shapes.is_contiguous(shape, strides) and not offset:
                elements = storage.type.nbytes // kind.itemsize
                whole = whole.reshape(-1).view(kind)
                if elements != count(shape):
                    whole = whole[: count(shape)]
                seen = whole.view(shape)
            else:
                raise errors.runtime("a storage can be seen as another dtype only as a whole", dtype=kind)
        elif (shape, strides, offset) == (whole._shape, whole._laid_out().strides, 0):
            seen = whole
        else:
            seen = whole._see(as_strided_step(whole._laid_out(), shape, strides, offset))
        self._move_to(storage)
        self._base = None
        self._steps, self._layout, self._view_type = seen._steps, seen._layout, seen._view_type
        self._plain = not self._steps and not self._detached and self._leaf is None
        return self

    def set_(self, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None) -> Self:
        """Look at the storage of another tensor, or at a part of a storage, from now on. Source: torch.Tensor.set_.

        Raises:
            RuntimeError: another dtype, or a part outside the storage.
        """
        if source is None:
            return self._look_at(Storage.of_array(np.empty(0, self.dtype.numpy), TensorType((0,), self.dtype)),
                                 (0,), (1,), 0, self.dtype)  # fmt: skip
        if isinstance(source, TensorBase):
            if source.dtype is not self.dtype:
                raise errors.runtime("set_: the source must have the same dtype", self=self._type, source=source._type)
            if size is None:
                self._move_to(source._storage)
                self._base = source._base
                self._steps, self._layout, self._view_type = source._steps, source._layout, source._view_type
                self._plain = not self._steps and not self._detached and self._leaf is None
                return self
            source = source.untyped_storage()
        if not isinstance(source, UntypedStorage | TypedStorage):
            raise errors.type_(f"set_(): expected a tensor or a storage, got {type(source).__name__}")
        storage = source._storage
        if size is None:
            size = (storage.type.nbytes // self.dtype.itemsize - storage_offset,)
        shape = (size,) if isinstance(size, int) else tuple(size)
        strides = (
            contiguous_strides(shape) if stride is None else (stride,) if isinstance(stride, int) else tuple(stride)
        )
        return self._look_at(storage, shape, strides, storage_offset, self.dtype)

    def resize_(self, *size: Any, memory_format: Any = contiguous_format) -> Self:
        """Other sizes, row-major, over the same storage, which grows if it is too small. Source: torch.Tensor.resize_.

        New elements are undefined. When the storage has to grow, this tensor gets a new one, and tensors that shared
        the old one keep it.

        Raises:
            RuntimeError: the tensor requires gradients.
        """
        from zerograd.tensor.functions.arguments import shape_of

        shape = shape_of("resize_", size)
        if self.requires_grad:
            raise errors.runtime("a tensor that needs gradients cannot get another size", tensor=self._type)
        if shape == self._shape and memory_format in (contiguous_format, preserve_format):
            return self
        offset = self.storage_offset()
        available = self._storage.type.nbytes // self.dtype.itemsize
        if count(shape) + offset <= available:
            return self._look_at(self._storage, shape, contiguous_strides(shape), offset, self.dtype)
        kind = TensorType(shape, self.dtype)
        if not available:
            storage = Storage.pending(filled(0, kind))
        else:
            grown = np.zeros(count(shape), self.dtype.numpy)
            kept = UntypedStorage(self._storage)._bytes().view(self.dtype.numpy)[offset:]
            grown[: len(kept)] = kept
            storage = Storage.of_array(grown.reshape(shape), kind)
        storage.version = self._storage.version
        return self._look_at(storage, shape, contiguous_strides(shape), 0, self.dtype)

    def resize_as_(self, other: TensorBase, memory_format: Any = contiguous_format) -> Self:
        """The sizes of ``other``. Source: torch.Tensor.resize_as_."""
        return self.resize_(other._shape, memory_format=memory_format)

    def resize(self, *size: Any) -> Any:
        """Other sizes of the same number of elements. Source: torch.Tensor.resize."""
        warnings.warn("non-inplace resize is deprecated", UserWarning, stacklevel=2)
        return self.reshape(*size)

    def resize_as(self, tensor: TensorBase) -> Any:
        """The shape of ``tensor``. Source: torch.Tensor.resize_as."""
        return self.resize(tensor._shape)

    # --- between processes -----------------------------------------------------------------------

    def share_memory_(self) -> Self:
        """Move the storage to memory that processes forked from now on share. Source: torch.Tensor.share_memory_."""
        self._storage.share_between_processes()
        return self

    def is_shared(self) -> bool:
        """Whether forked processes share the memory."""
        return self._storage.is_between_processes()

    def is_pinned(self, device: Any = None) -> bool:
        """Whether the memory is pinned for copies to an accelerator: never."""
        return False

    def pin_memory(self, device: Any = None) -> Self:
        """An error, as on PyTorch without an accelerator. Source: torch.Tensor.pin_memory."""
        raise errors.runtime(
            "memory is pinned to be copied to an accelerator, and there is none",
            hint="leave out pin_memory",
        )

    def record_stream(self, stream: Any) -> None:
        """Nothing: there are no streams on the CPU."""


def is_storage(obj: Any) -> bool:
    """Whether ``obj`` is a storage. Source: torch.is_storage."""
    return isinstance(obj, UntypedStorage | TypedStorage)


def resize_as_(input: Any, the_template: Any, *, memory_format: Any = contiguous_format) -> Any:
    """Other sizes in place. Source: torch.resize_as_."""
    return input.resize_as_(the_template, memory_format=memory_format)

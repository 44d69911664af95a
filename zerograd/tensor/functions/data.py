"""Tensors from Python's numbers and sequences, and from NumPy's arrays."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.ir.graph import Array, TensorType
from zerograd.tensor.base import TensorBase
from zerograd.tensor.functions.arguments import as_dtype_argument, check_options
from zerograd.tensor.storage import Storage

_NUMBERS = (bool, int, float, complex, np.generic)


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Any:
    """A new tensor with a copy of ``data``: numbers, nested sequences of numbers, an array, or a tensor.

    The dtype is ``data``'s; Python floats have the default dtype, integers int64.

    Raises:
        ValueError: sequences of different lengths.
        TypeError, RuntimeError: elements that are no numbers.
    Source: torch.tensor.
    """
    check_options(device)
    if isinstance(data, TensorBase):
        warnings.warn(
            "torch.tensor(tensor) makes a copy without history: source.detach().clone() says so, with"
            " .requires_grad_() if the copy needs gradients",
            UserWarning,
            stacklevel=2,
        )
    made = made_of(data, as_dtype_argument(dtype, "tensor"))
    return made.requires_grad_() if requires_grad else made


def made_of(data: Any, dtype: dtypes.dtype | None) -> Any:
    """A new tensor with a copy of ``data``."""
    if isinstance(data, TensorBase):
        return data.detach().to(dtype or data.dtype, copy=True)
    array, dtype = array_of_data(data, dtype)
    return TensorBase.of_array(array, TensorType(array.shape, dtype))


def array_of_data(data: Any, dtype: dtypes.dtype | None = None) -> tuple[Array, dtypes.dtype]:
    """A new array with the numbers of ``data``, and its element type."""
    if isinstance(data, np.ndarray | np.generic):
        dtype = dtype or dtypes.from_numpy(data.dtype)
        return converted(np.asarray(data), dtype, copy=True), dtype
    if not isinstance(data, _NUMBERS) and hasattr(data, "__array__") and not isinstance(data, list | tuple):
        return array_of_data(np.asarray(data), dtype)
    if isinstance(data, str | bytes) or type(data) is object:
        raise errors.type_(f"a tensor is made of numbers, not of {type(data).__name__}")
    numbers = _resolved(data)
    try:
        array = np.array(numbers)
    except (ValueError, OverflowError) as error:
        raise _ragged(numbers, error) from None
    if array.dtype.kind not in "biufc":
        raise _no_number(numbers, array)
    if dtype is None:
        dtype = _type_of(numbers, array)
    elif dtype.category < dtypes.COMPLEX and array.dtype.kind == "c":
        raise errors.type_(f"must be real number, not complex, for a tensor of {dtype}")
    if array.dtype.kind == "u" and array.dtype == np.uint64:
        raise errors.value("a number does not fit in int64, the widest integers there are")
    _check_range(array, dtype)
    return converted(array, dtype), dtype


def _type_of(numbers: Any, array: Array) -> dtypes.dtype:
    """The element type of a tensor made of ``numbers``, which NumPy made ``array`` of."""
    kind = array.dtype.kind
    if kind == "f" and not array.size:
        return dtypes.get_default_dtype()
    if kind == "f" and array.dtype == np.float64:
        return _float_type(numbers)
    if kind == "c":
        return dtypes.get_default_dtype().to_complex()
    return _integer_type(numbers) if kind in "iu" else dtypes.from_numpy(array.dtype)


def _float_type(numbers: Any) -> dtypes.dtype:
    """float64 where NumPy's float64 numbers or arrays were given, else the default type."""
    first = numbers
    while isinstance(first, list | tuple) and len(first):
        first = first[0]
    return dtypes.float64 if isinstance(first, np.float64 | np.ndarray) else dtypes.get_default_dtype()


def _integer_type(numbers: Any) -> dtypes.dtype:
    first = numbers
    while isinstance(first, list | tuple) and len(first):
        first = first[0]
    return dtypes.from_numpy(first.dtype) if isinstance(first, np.ndarray | np.generic) else dtypes.int64


def _check_range(array: Array, dtype: dtypes.dtype) -> None:
    """That numbers fit into an integer type; those of uint8 may be negative, and wrap around."""
    if dtype.category != dtypes.INTEGER or not array.size or array.dtype.kind == "b":
        return
    info = np.iinfo(dtype.numpy)
    least = -info.max if dtype is dtypes.uint8 else info.min
    fits = (array >= least) & (array <= info.max)
    if not fits.all():
        raise errors.runtime(
            f"a number does not fit into {dtype.name}, which reaches from {least} to {info.max}",
            number=array[~fits].flat[0].item(),
        )


def converted(array: Array, dtype: dtypes.dtype, *, copy: bool = False) -> Array:
    """``array`` in the element type, C's way for numbers that do not fit."""
    if array.dtype == dtype.numpy:
        return np.array(array, order="C") if copy or not array.flags.c_contiguous else array
    if array.dtype.kind == "c" and dtype.category < dtypes.COMPLEX:
        array = np.real(array)
    with np.errstate(all="ignore"):
        return np.array(array, dtype.numpy, order="C") if array.dtype.kind in "biufc" else array.astype(dtype.numpy)


_NO_SEQUENCES: tuple[Any, ...] = (dict, set, frozenset)


def _resolved(data: Any) -> Any:
    """``data`` with tensors inside replaced by numbers, and other sequences by lists."""
    if isinstance(data, _NUMBERS):
        return data
    if isinstance(data, TensorBase):
        if data._type.count != 1:
            raise errors.value(
                "a tensor among the data must hold one number",
                tensor=data._type,
                hint="torch.stack(tensors) joins tensors",
            )
        return data.item()
    if isinstance(data, list | tuple):
        plain = all([type(one) in (int, float, bool) for one in data])  # noqa: C419  faster than without a list
        return data if plain else [_resolved(one) for one in data]
    if isinstance(data, np.ndarray | str | bytes) or data is None:
        return data
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(data, _NO_SEQUENCES):
        return [_resolved(data[i]) for i in range(len(data))]
    if hasattr(data, "__index__") or hasattr(data, "__float__"):
        return data.__index__() if hasattr(data, "__index__") else float(data)
    raise errors.runtime(f"there are no numbers in a {type(data).__name__} to make a tensor of")


def _ragged(numbers: Any, error: Exception, depth: int = 0) -> Exception:
    if isinstance(numbers, list | tuple):
        for level in range(8):
            lengths, rows = set(), [numbers]
            for _ in range(level + 1):
                rows = [one for row in rows if isinstance(row, list | tuple | np.ndarray) for one in row]
            lengths = [len(row) if isinstance(row, list | tuple | np.ndarray) else None for row in rows]
            if len(set(lengths)) > 1:
                wanted = lengths[0]
                found = next(one for one in lengths if one != wanted)
                if wanted is None:
                    return errors.type_("a sequence holds numbers and sequences at the same depth")
                if found is None:
                    return errors.type_("a sequence holds sequences and numbers at the same depth")
                return errors.value(
                    f"the sequences at depth {level + 1} have different lengths, {wanted} and {found}",
                    hint="a tensor has no ragged rows; pad them (torch.nn.utils.rnn.pad_sequence)",
                )
    return errors.value(f"the data do not form a tensor: {error}")


def _no_number(numbers: Any, array: Array) -> Exception:
    first = numbers
    while isinstance(first, list | tuple) and len(first):
        first = first[0]
    if isinstance(first, str | bytes):
        return errors.value(f"too many dimensions '{type(first).__name__}': the elements must be numbers")
    for one in array.ravel().tolist() if array.dtype == object else ():
        if isinstance(one, int):
            return errors.value("Overflow when unpacking long long: a number does not fit in int64", number=one)
        if isinstance(one, list | tuple):
            return _ragged(numbers, ValueError("ragged"))
        return errors.runtime(f"there are no numbers in a {type(one).__name__} to make a tensor of")
    return errors.type_(f"can't convert data of type {array.dtype}")


def from_numpy(ndarray: Any) -> Any:
    """A tensor over the memory of a NumPy array: changes on either side are seen on the other.

    Raises:
        TypeError: not an array, or of a dtype without counterpart.
        ValueError: the array has negative strides.
    Source: torch.from_numpy.
    """
    if not isinstance(ndarray, np.ndarray):
        raise errors.type_(f"expected np.ndarray (got {type(ndarray).__name__})")
    kind = dtypes.from_numpy(ndarray.dtype)
    if ndarray.dtype != kind.numpy:
        raise errors.value(
            "from_numpy shares memory, but the array's bytes are in another order than this machine's",
            dtype=ndarray.dtype,
            hint='array.astype(array.dtype.newbyteorder("=")) makes a copy in its order',
        )
    if any(stride < 0 for stride in ndarray.strides):
        raise errors.value(
            "the array is walked backwards in memory (a stride is negative), which a tensor cannot do",
            strides=ndarray.strides,
            hint="from_numpy(array.copy()) makes a positive one",
        )
    if any(stride % ndarray.itemsize for stride in ndarray.strides):
        raise errors.value(
            f"the array's strides must be whole elements of {ndarray.itemsize} bytes",
            strides=ndarray.strides,
            hint="from_numpy(array.copy())",
        )
    if not ndarray.flags.writeable:
        warnings.warn(
            "the array is read-only, but the tensor that shares its memory could write to it; from_numpy(array.copy())"
            " is safe",
            UserWarning,
            stacklevel=2,
        )
    return over_memory(ndarray, kind)


def over_memory(array: Array, kind: dtypes.dtype) -> Any:
    """A tensor over memory that others may write to."""
    storage = Storage.of_array(array, TensorType(array.shape, kind))
    storage.adopt(array)
    return TensorBase.of_storage(storage)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Any:
    """``data`` as a tensor, sharing memory with a tensor or a NumPy array of the wanted dtype.

    Source: torch.as_tensor.
    """
    check_options(device)
    dtype = as_dtype_argument(dtype, "as_tensor")
    if isinstance(data, TensorBase):
        return data.to(dtype or data.dtype)
    if isinstance(data, np.ndarray):
        shared = from_numpy(data)
        return shared if dtype is None else shared.to(dtype)
    return made_of(data, dtype)


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False
) -> Any:
    """``obj`` as a tensor; ``copy`` demands (True) or forbids (False) a copy. Source: torch.asarray."""
    check_options(device)
    dtype = as_dtype_argument(dtype, "asarray")
    if isinstance(obj, TensorBase):
        shared = obj if obj.requires_grad and requires_grad else obj.detach()
    elif isinstance(obj, np.ndarray):
        shared = from_numpy(obj)
    elif hasattr(obj, "__dlpack__"):
        shared = from_numpy(np.from_dlpack(obj))
    elif isinstance(obj, bytes | bytearray | memoryview):
        shared = frombuffer(obj, dtype=dtype or dtypes.get_default_dtype())
    else:
        if copy is False:
            raise errors.value("asarray with copy=False: a sequence becomes a tensor only in a copy")
        shared = made_of(obj, dtype)
    if dtype is not None and shared.dtype is not dtype:
        if copy is False:
            raise errors.value(f"asarray with copy=False: {shared.dtype} becomes {dtype} only in a copy")
        shared = shared.to(dtype)
    elif copy:
        shared = shared.clone()
    return shared.requires_grad_() if requires_grad and not shared.requires_grad else shared


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Any:
    """A 1-d tensor over the memory of a Python buffer.

    Raises:
        ValueError: the buffer is empty, too short, or no multiple of the element size.
    Source: torch.frombuffer.
    """
    dtype = as_dtype_argument(dtype, "frombuffer")
    assert dtype is not None
    memory = memoryview(buffer)
    length = memory.nbytes
    if not length or not count:
        raise errors.value("frombuffer makes no empty tensor", buffer=f"{length} bytes", count=count)
    if not 0 <= offset < length:
        raise errors.value(f"frombuffer: the buffer has {length} bytes, so it cannot be read from byte {offset} on")
    if count < 0:
        if (length - offset) % dtype.itemsize:
            raise errors.value(
                f"frombuffer: {length - offset} bytes are not a whole number of elements of {dtype.itemsize} bytes",
                dtype=dtype,
                offset=offset,
                hint="give count=, the number of elements",
            )
        count = (length - offset) // dtype.itemsize
    if offset + count * dtype.itemsize > length:
        raise errors.value(
            f"frombuffer: {count} elements of {dtype.itemsize} bytes from byte {offset} on end at byte"
            f" {offset + count * dtype.itemsize}, but the buffer has {length}"
        )
    if memory.readonly:
        warnings.warn(
            "the buffer is read-only, but the tensor that shares its memory could write to it",
            UserWarning,
            stacklevel=2,
        )
    array = np.frombuffer(buffer, dtype.numpy, count, offset)
    made = over_memory(array, dtype)
    return made.requires_grad_() if requires_grad else made


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Any:
    """A tensor over the memory of an object that speaks DLPack. Source: torch.from_dlpack."""
    check_options(device)
    if isinstance(ext_tensor, TensorBase):
        return ext_tensor.detach().clone() if copy else ext_tensor.detach()
    if not hasattr(ext_tensor, "__dlpack__"):
        if type(ext_tensor).__name__ != "PyCapsule":
            raise errors.type_(f"from_dlpack: {type(ext_tensor).__name__} has no __dlpack__")
        ext_tensor = _Capsule(ext_tensor)
    array = np.from_dlpack(ext_tensor)
    return made_of(array, None) if copy else from_numpy(array)


class _Capsule:
    """An object around a bare DLPack capsule, which NumPy wants."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


def to_dlpack(tensor: TensorBase) -> Any:
    """A DLPack capsule over a tensor's memory. Source: torch.utils.dlpack.to_dlpack."""
    return tensor.__dlpack__()


METHODS: dict[str, Any] = {}
IN_PLACE = ()

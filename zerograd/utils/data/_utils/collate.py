"""From a list of samples to a batch.

Tensors of data have no history and nothing pending, so they are put together in NumPy at once: recording a
stack of 64 rows, another 64 in each batch, would remember structures that never come again.

Source: torch.utils.data._utils.collate.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.ir.graph import TensorType
from zerograd.tensor.functions.data import as_tensor, tensor
from zerograd.tensor.functions.joining import stack
from zerograd.tensor.tensor import Tensor

Collate = Callable[..., Any]
CollateMap = Mapping[type | tuple[type, ...], Collate]


def _is_text(kind: np.dtype[Any]) -> bool:
    """Strings and objects, which have no tensor."""
    return kind.kind in "SUO"


def default_convert(data: Any) -> Any:
    """NumPy arrays and numbers as tensors, inside containers too; everything else as it is.

    Source: torch.utils.data.default_convert.
    """
    if isinstance(data, Tensor):
        return data
    if isinstance(data, np.ndarray | np.generic):
        return data if _is_text(data.dtype) else as_tensor(data)
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, tuple):
        items = [default_convert(item) for item in data]
        return type(data)(*items) if hasattr(data, "_fields") else items
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _like_sequence(data, [default_convert(item) for item in data])
    return data


def _like_mapping(original: Mapping[Any, Any], items: dict[Any, Any]) -> Any:
    """The items in a mapping of the original's type, if it can be made."""
    try:
        if isinstance(original, MutableMapping):
            clone = copy.copy(original)  # keeps what the type holds besides, as a defaultdict its factory
            clone.update(items)
            return clone
        return type(original)(items)  # pyright: ignore[reportCallIssue]
    except TypeError:
        return items


def _like_sequence(original: Sequence[Any], items: list[Any]) -> Any:
    """The items in a sequence of the original's type, if it can be made."""
    try:
        if isinstance(original, MutableSequence):
            clone = copy.copy(original)
            for index, item in enumerate(items):
                clone[index] = item
            return clone
        return type(original)(items)  # pyright: ignore[reportCallIssue]
    except TypeError:
        return items


def collate(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    """A batch from samples: samples in containers give containers of batches.

    Args:
        collate_fn_map: per type a function `(batch, *, collate_fn_map)`; it goes before what is done here.
    Raises:
        TypeError: samples of a type that is neither in the map nor a container.
        RuntimeError: sequences of different lengths.
    Source: torch.utils.data._utils.collate.collate.
    """
    first = batch[0]
    for kinds, function in (collate_fn_map or {}).items():
        if type(first) is kinds:
            return function(batch, collate_fn_map=collate_fn_map)
    for kinds, function in (collate_fn_map or {}).items():
        if isinstance(first, kinds):
            return function(batch, collate_fn_map=collate_fn_map)

    def inside(samples: Sequence[Any]) -> Any:
        return collate(samples, collate_fn_map=collate_fn_map)

    if isinstance(first, Mapping):
        return _like_mapping(first, {key: inside([sample[key] for sample in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(inside(samples) for samples in zip(*batch, strict=False)))
    if isinstance(first, Sequence):
        lengths = {len(sample) for sample in batch}
        if len(lengths) > 1:
            raise errors.runtime(
                "the samples of a batch are sequences of different lengths",
                lengths=sorted(lengths),
                hint="give the DataLoader a collate_fn that pads them",
            )
        columns = [inside(samples) for samples in zip(*batch, strict=True)]
        return columns if isinstance(first, tuple) else _like_sequence(first, columns)
    raise _cannot_collate(type(first).__name__)


def _cannot_collate(what: str) -> TypeError:
    return errors.type_(
        "a batch is made of tensors, NumPy arrays, numbers, strings, dictionaries or sequences of them",
        sample=what,
        hint="give the DataLoader a collate_fn",
    )


def collate_tensor_fn(batch: Sequence[Tensor], *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """The tensors stacked along a new first dimension.

    Raises:
        RuntimeError: different shapes, or sparse tensors.
    """
    first = batch[0]
    if first.is_sparse:
        raise errors.runtime("sparse tensors cannot be stacked", hint="give the DataLoader a collate_fn")
    if any(sample.requires_grad or sample.dtype is not first.dtype for sample in batch):
        return stack(list(batch))
    return _stacked([sample._array() for sample in batch], first.dtype)


def _stacked(arrays: Sequence[np.ndarray[Any, Any]], dtype: dtypes.dtype) -> Tensor:
    if any(array.shape != arrays[0].shape for array in arrays):
        shapes = dict.fromkeys(array.shape for array in arrays)
        raise errors.runtime(
            "the samples of a batch have different shapes and cannot be stacked",
            shapes=", ".join(str(list(shape)) for shape in shapes),
            hint="give the DataLoader a collate_fn that pads them",
        )
    array = np.stack(arrays)
    return Tensor.of_array(array, TensorType(array.shape, dtype))


def collate_numpy_array_fn(batch: Sequence[np.ndarray[Any, Any]], *, collate_fn_map: CollateMap | None = None) -> Any:
    """The arrays stacked along a new first dimension, as a tensor.

    Raises:
        TypeError: arrays of strings or objects.
        RuntimeError: different shapes.
    """
    if _is_text(batch[0].dtype):
        raise _cannot_collate(f"array of {batch[0].dtype}")
    if any(array.dtype != batch[0].dtype for array in batch):
        return collate([as_tensor(array) for array in batch], collate_fn_map=collate_fn_map)
    return _stacked(batch, dtypes.from_numpy(batch[0].dtype))


def collate_numpy_scalar_fn(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """A vector of the numbers."""
    return as_tensor(batch)


def collate_float_fn(batch: Sequence[float], *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """A vector of the numbers, float64."""
    return tensor(batch, dtype=dtypes.float64)


def collate_int_fn(batch: Sequence[int], *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """A vector of the numbers, int64 or bool."""
    return tensor(batch)


def collate_str_fn(batch: Iterable[Any], *, collate_fn_map: CollateMap | None = None) -> Iterable[Any]:
    """Strings and bytes stay as they are."""
    return batch


default_collate_fn_map: dict[type | tuple[type, ...], Collate] = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def default_collate(batch: Sequence[Any]) -> Any:
    """A batch from samples that are tensors, NumPy arrays, numbers, strings or containers of them.

    Tensors and arrays are stacked along a new first dimension, numbers become vectors (floats float64),
    strings stay a list; a list of tuples becomes a list of batches, one of dictionaries a dictionary.

    Raises:
        TypeError: samples of another type.
        RuntimeError: samples of different shapes or lengths.
    Source: torch.utils.data.default_collate.
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)

"""Collections of samples, by index (Dataset) or in a stream (IterableDataset), and how to combine them.

Source: torch.utils.data.dataset.
"""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

from zerograd import errors
from zerograd.runtime.random import permutation
from zerograd.tensor.generator import Generator, default_generator, stream_of
from zerograd.tensor.tensor import Tensor

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Samples by index: a subclass gives `__getitem__`, and `__len__` for samplers.

    `__getitems__(indices)`, if there, fetches a whole batch at once, as a list.

    Source: torch.utils.data.Dataset.
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError(f"{type(self).__name__} needs a method __getitem__(index)")

    def __add__(self, other: Dataset[Any]) -> Dataset[Any]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co], Iterable[T_co]):
    """Samples one after the other: a subclass gives `__iter__`.

    With several workers each iterates its own copy; `get_worker_info()` tells it which part is its own.

    Source: torch.utils.data.IterableDataset.
    """

    def __add__(self, other: Dataset[Any]) -> Dataset[Any]:
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Sample i is the tuple of row i of each tensor.

    Raises:
        AssertionError: the tensors have different lengths.
    Source: torch.utils.data.TensorDataset.
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        lengths = [tensor.size(0) for tensor in tensors]
        if len(set(lengths)) > 1:
            raise AssertionError(f"the tensors of a TensorDataset need equal lengths, but have {lengths}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return self.tensors[0].size(0)


class StackDataset(Dataset[Any]):
    """Sample i is the tuple (datasets by position) or dictionary (by name) of sample i of each dataset.

    Raises:
        ValueError: no dataset, both kinds, or datasets of different lengths.
    Source: torch.utils.data.StackDataset.
    """

    datasets: tuple[Any, ...] | dict[str, Any]

    def __init__(self, *args: Dataset[Any], **kwargs: Dataset[Any]) -> None:
        if bool(args) == bool(kwargs):
            raise errors.value(
                "StackDataset takes datasets by position (samples are tuples) or by name (dictionaries)",
                by_position=len(args),
                by_name=len(kwargs),
            )
        self.datasets = args or kwargs
        lengths = [len(dataset) for dataset in self._parts()]
        if len(set(lengths)) > 1:
            raise errors.value("stacked datasets need equal lengths", lengths=lengths)
        self._length = lengths[0]

    def _parts(self) -> list[Any]:
        return list(self.datasets.values() if isinstance(self.datasets, dict) else self.datasets)

    def _sample(self, items: Iterable[Any]) -> Any:
        if isinstance(self.datasets, dict):
            return dict(zip(self.datasets, items, strict=True))
        return tuple(items)

    def __getitem__(self, index: Any) -> Any:
        return self._sample([dataset[index] for dataset in self._parts()])

    def __getitems__(self, indices: list[int]) -> list[Any]:
        columns = [_fetch_all(dataset, indices) for dataset in self._parts()]
        for column in columns:
            if len(column) != len(indices):
                raise errors.value(
                    "__getitems__ of a stacked dataset returned another number of samples",
                    asked=len(indices),
                    returned=len(column),
                )
        return [self._sample(items) for items in zip(*columns, strict=True)]

    def __len__(self) -> int:
        return self._length


def _fetch_all(dataset: Any, indices: Sequence[Any]) -> list[Any]:
    """The samples at these indices, at once where the dataset can."""
    if callable(getattr(dataset, "__getitems__", None)):
        return dataset.__getitems__(list(indices))
    return [dataset[index] for index in indices]


class ConcatDataset(Dataset[T_co]):
    """The samples of several datasets, one dataset after the other.

    Raises:
        AssertionError: no dataset, or an IterableDataset.
    Source: torch.utils.data.ConcatDataset.
    """

    datasets: list[Any]
    cumulative_sizes: list[int]

    @staticmethod
    def cumsum(sequence: Iterable[Sized]) -> list[int]:
        """Where each dataset ends."""
        return list(itertools.accumulate(len(dataset) for dataset in sequence))

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("ConcatDataset needs at least one dataset")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError("ConcatDataset needs datasets with an index; ChainDataset takes an IterableDataset")
        self.cumulative_sizes = self.cumsum(self.datasets)

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx: int) -> T_co:
        if idx < 0:
            if -idx > len(self):
                raise errors.value("the index lies before the first sample", index=idx, length=len(self))
            idx += len(self)
        which = bisect.bisect_right(self.cumulative_sizes, idx)
        return self.datasets[which][idx - (self.cumulative_sizes[which - 1] if which else 0)]


class ChainDataset(IterableDataset[Any]):
    """The samples of several IterableDatasets, one dataset after the other.

    Raises:
        AssertionError: another kind of dataset, when it is reached.
    Source: torch.utils.data.ChainDataset.
    """

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        self.datasets = datasets

    def _checked(self) -> Iterator[Any]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError(f"ChainDataset takes IterableDatasets, but got a {type(dataset).__name__}")
            yield dataset

    def __iter__(self) -> Iterator[Any]:
        for dataset in self._checked():
            yield from dataset

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self._checked())


class Subset(Dataset[T_co]):
    """The samples at the given indices.

    Raises:
        NotImplementedError: a subclass changes `__getitem__` but not `__getitems__`, which loaders call.
    Source: torch.utils.data.Subset.
    """

    dataset: Any
    indices: Sequence[int]

    def __init__(self, dataset: Dataset[T_co], indices: Sequence[int]) -> None:
        own_item = type(self).__getitem__ is not Subset.__getitem__
        if own_item and type(self).__getitems__ is Subset.__getitems__:
            raise NotImplementedError(
                f"{type(self).__name__} defines __getitem__, but a DataLoader fetches batches from a Subset "
                "by __getitems__; define it too:\n\n"
                "    def __getitems__(self, indices):\n        return [self[index] for index in indices]"
            )
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, list):
            return self.dataset[[self.indices[i] for i in idx]]
        return self.dataset[self.indices[idx]]

    def __getitems__(self, indices: list[int]) -> list[T_co]:
        return _fetch_all(self.dataset, [self.indices[index] for index in indices])

    def __len__(self) -> int:
        return len(self.indices)


def random_split(
    dataset: Dataset[T], lengths: Sequence[int | float], generator: Generator | None = default_generator
) -> list[Subset[T]]:
    """Non-overlapping random subsets of the given lengths.

    Args:
        lengths: numbers of samples, or fractions that sum to 1; what rounding leaves is dealt out in turn.
    Raises:
        ValueError: the lengths do not sum to the length of the dataset, or a fraction lies outside [0, 1].
    Source: torch.utils.data.random_split.
    """
    size = len(dataset)  # pyright: ignore[reportArgumentType]  # a dataset to split has a length
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        lengths = _whole_lengths(lengths, size)
    if sum(lengths) != size:
        raise errors.value(
            "the lengths of a split must sum to that of the dataset", lengths=list(lengths), dataset=size
        )
    indices = permutation(stream_of(generator), size).tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, indices[end - length : end]) for end, length in zip(ends, lengths, strict=True)]


def _whole_lengths(fractions: Sequence[float], size: int) -> list[int]:
    for index, fraction in enumerate(fractions):
        if not 0 <= fraction <= 1:
            raise errors.value(f"fraction {index} of a split lies outside [0, 1]", fractions=list(fractions))
    lengths = [math.floor(size * fraction) for fraction in fractions]
    for index in range(size - sum(lengths)):
        lengths[index % len(lengths)] += 1
    for index, length in enumerate(lengths):
        if length == 0:
            warnings.warn(f"subset {index} of the split is empty", stacklevel=3)
    return lengths

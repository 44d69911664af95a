"""From an index, or a list of them, to what the loop receives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zerograd.ir.graph import TensorType
from zerograd.tensor.tensor import Tensor
from zerograd.utils.data._utils.collate import default_collate
from zerograd.utils.data.dataset import IterableDataset, Subset, TensorDataset


class MapFetcher:
    """Fetches by index.

    Args:
        batched: an index is a list of indices, for one batch.
    """

    def __init__(self, dataset: Any, *, batched: bool, collate: Callable[[Any], Any]) -> None:
        self._dataset = dataset
        self._batched = batched
        self._collate = collate

    def fetch(self, index: Any) -> Any:
        """The batch, or sample, at an index."""
        if not self._batched:
            return self._collate(self._dataset[index])
        if self._collate is default_collate:
            rows = _rows(self._dataset, index)
            if rows is not None:
                return rows
        at_once = getattr(self._dataset, "__getitems__", None)
        return self._collate(at_once(index) if at_once else [self._dataset[i] for i in index])


def _rows(dataset: Any, indices: Any) -> list[Tensor] | None:
    """The batch that default_collate would make of rows of tensors, in one indexing per tensor.

    None where the dataset is another one, has gradients, or the indices need a closer look.
    """
    while type(dataset) is Subset:
        if not all(type(index) is int and -len(dataset) <= index < len(dataset) for index in indices):
            return None
        indices, dataset = [dataset.indices[index] for index in indices], dataset.dataset
    if type(dataset) is not TensorDataset or not all(type(index) is int for index in indices):
        return None
    size = len(dataset)
    if any(tensor.requires_grad for tensor in dataset.tensors) or not all(-size <= i < size for i in indices):
        return None
    batches = []
    for tensor in dataset.tensors:
        array = tensor._array()[indices]
        batches.append(Tensor.of_array(array, TensorType(array.shape, tensor.dtype)))
    return batches


class IterableFetcher:
    """Fetches what comes next; of an index only its length counts.

    Args:
        drop_last: leave out a last batch that is shorter.
    """

    def __init__(self, dataset: Any, *, batched: bool, collate: Callable[[Any], Any], drop_last: bool) -> None:
        self._samples = iter(dataset)
        self._batched = batched
        self._collate = collate
        self._drop_last = drop_last
        self._ended = False

    def fetch(self, index: Any) -> Any:
        """The next batch, or sample.

        Raises:
            StopIteration: there is none.
        """
        if self._ended:
            raise StopIteration
        if not self._batched:
            return self._collate(next(self._samples))
        samples = []
        for _ in index:
            try:
                samples.append(next(self._samples))
            except StopIteration:
                self._ended = True
                break
        if not samples or (self._drop_last and len(samples) < len(index)):
            raise StopIteration
        return self._collate(samples)


Fetcher = MapFetcher | IterableFetcher


def fetcher_for(dataset: Any, *, batched: bool, collate: Callable[[Any], Any], drop_last: bool) -> Fetcher:
    """The fetcher for a kind of dataset."""
    if isinstance(dataset, IterableDataset):
        return IterableFetcher(dataset, batched=batched, collate=collate, drop_last=drop_last)
    return MapFetcher(dataset, batched=batched, collate=collate)

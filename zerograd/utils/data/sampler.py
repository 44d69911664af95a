"""The order in which samples are taken.

Orders are drawn from the random stream as PyTorch draws them, so equal seeds give equal orders.

Source: torch.utils.data.sampler.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from zerograd import dtypes, errors
from zerograd.runtime import random
from zerograd.tensor.functions.data import as_tensor
from zerograd.tensor.generator import Generator, stream_of
from zerograd.tensor.tensor import Tensor

T_co = TypeVar("T_co", covariant=True)

_DRAWN_AT_ONCE = 32  # indices with replacement; the stream depends on it


def draw_seed(generator: Generator | None = None) -> int:
    """A whole number in [0, 2**63) from the stream."""
    return int(random.integers_of_dtype(stream_of(generator), (), dtypes.int64))


class Sampler(Generic[T_co]):
    """An order of indices, or of lists of them: a subclass gives `__iter__`, and `__len__` if it is known.

    Source: torch.utils.data.Sampler.
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} needs a method __iter__()")


class SequentialSampler(Sampler[int]):
    """0, 1, 2 ...

    Source: torch.utils.data.SequentialSampler.
    """

    data_source: Sized

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """A random order, or random draws with replacement.

    Args:
        num_samples: default the length of `data_source`; more than that starts further orders.
        generator: default a new one with a seed from the global stream, in each pass.
    Raises:
        TypeError: replacement is no bool.
        ValueError: num_samples is no positive integer.
    Source: torch.utils.data.RandomSampler.
    """

    data_source: Sized
    replacement: bool

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise errors.type_("replacement must be a bool", replacement=repr(replacement))
        _check_positive("num_samples", self.num_samples, bool_allowed=True)

    @property
    def num_samples(self) -> int:
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        own = self.generator is None
        stream = random.Generator().manual_seed(draw_seed()) if own else stream_of(self.generator)
        n, wanted = len(self.data_source), self.num_samples
        if self.replacement:
            for start in range(0, wanted + 1, _DRAWN_AT_ONCE):
                count = min(_DRAWN_AT_ONCE, wanted - start)
                yield from random.integers(stream, (count,), dtypes.int64, 0, n).tolist()
        else:
            for _ in range(wanted // n):
                yield from random.permutation(stream, n).tolist()
            yield from random.permutation(stream, n).tolist()[: wanted % n]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in a random order.

    Source: torch.utils.data.SubsetRandomSampler.
    """

    indices: Sequence[int]

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for place in random.permutation(stream_of(self.generator), len(self.indices)).tolist():
            yield self.indices[place]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Indices drawn in proportion to their weights.

    Args:
        weights: one per index, not negative; they need not sum to 1.
    Raises:
        ValueError: num_samples is no positive integer, replacement no bool, or weights are no vector.
    Source: torch.utils.data.WeightedRandomSampler.
    """

    weights: Tensor
    num_samples: int
    replacement: bool

    def __init__(
        self,
        weights: Sequence[float] | Tensor,
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        _check_positive("num_samples", num_samples)
        if not isinstance(replacement, bool):
            raise errors.value("replacement must be a bool", replacement=repr(replacement))
        self.weights = as_tensor(weights, dtype=dtypes.float64)
        if self.weights.dim() != 1:
            raise errors.value("weights must have one dimension", weights=list(self.weights.shape))
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        weights = np.asarray(self.weights)
        stream = stream_of(self.generator)
        yield from random.multinomial(stream, weights, self.num_samples, self.replacement).tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of `batch_size` indices from another sampler.

    Args:
        drop_last: leave out a last list that is shorter.
    Raises:
        ValueError: batch_size is no positive integer, or drop_last no bool.
    Source: torch.utils.data.BatchSampler.
    """

    def __init__(self, sampler: Sampler[int] | Iterable[int], batch_size: int, drop_last: bool) -> None:
        _check_positive("batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise errors.value("drop_last must be a bool", drop_last=repr(drop_last))
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield batch

    def __len__(self) -> int:
        size = len(self.sampler)  # pyright: ignore[reportArgumentType]
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)


def _check_positive(name: str, value: Any, *, bool_allowed: bool = False) -> None:
    if not isinstance(value, int) or (isinstance(value, bool) and not bool_allowed) or value <= 0:
        raise errors.value(f"{name} must be a positive integer, but is {value!r}")

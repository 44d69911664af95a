"""The DataLoader: batches of a dataset, in this process or from worker processes.

Source: torch.utils.data.dataloader.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from zerograd import errors
from zerograd.settings import cores
from zerograd.tensor.generator import Generator
from zerograd.utils.data import _utils
from zerograd.utils.data._utils.collate import default_collate, default_convert
from zerograd.utils.data._utils.exceptions import ExceptionWrapper
from zerograd.utils.data._utils.fetch import fetcher_for
from zerograd.utils.data._utils.worker_info import get_worker_info as get_worker_info
from zerograd.utils.data.dataset import Dataset, IterableDataset
from zerograd.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, draw_seed

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

T_co = TypeVar("T_co", covariant=True)
_collate_fn_t = Callable[[Any], Any]
_worker_init_fn_t = Callable[[int], Any]


class _DatasetKind:
    """How a dataset is read. Source: torch.utils.data._DatasetKind."""

    Map = 0
    Iterable = 1


class _InfiniteConstantSampler(Sampler[None]):
    """The indices of an IterableDataset, which has none."""

    def __iter__(self) -> Iterator[None]:
        return itertools.repeat(None)


class DataLoader(Generic[T_co]):
    """Iterates over batches of a dataset.

    The order of samples, and the random numbers in workers, are PyTorch's for the same seed.

    Args:
        batch_size: samples per batch; None hands out samples as they are.
        shuffle: take samples in a new random order in each pass.
        sampler: the order of indices; instead of `shuffle`.
        batch_sampler: lists of indices; instead of batch_size, shuffle, sampler and drop_last.
        num_workers: processes that fetch ahead; 0: this process fetches when asked.
        collate_fn: makes a batch of a list of samples; `default_collate` by default.
        pin_memory: accepted; there is no memory to pin without an accelerator.
        drop_last: leave out a last batch that is shorter.
        timeout: seconds to wait for a worker; 0 waits as long as it lives.
        worker_init_fn: called with the worker's number in each worker, after seeding.
        multiprocessing_context: how workers are started ("fork", "spawn", "forkserver", or a context).
        generator: of the random order and of the workers' seeds; None: the global one.
        prefetch_factor: batches fetched ahead per worker; 2 by default.
        persistent_workers: keep the workers, and their copies of the dataset, after a pass.
        in_order: hand batches out in the order of the sampler; otherwise as they become ready.
    Raises:
        ValueError: arguments that exclude each other, or a negative number.
        RuntimeError: (iterating) a worker died, or the timeout is over. Errors of the dataset are raised
            again with their own type and the worker's trace.
    Source: torch.utils.data.DataLoader.
    """

    dataset: Dataset[T_co]
    batch_size: int | None
    num_workers: int
    drop_last: bool
    sampler: Any
    batch_sampler: Any
    prefetch_factor: int | None
    _initialized = False
    _fixed = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")

    def __init__(
        self,
        dataset: Dataset[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[Any] | Iterable[Any] | None = None,
        batch_sampler: Sampler[list[Any]] | Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: _collate_fn_t | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: _worker_init_fn_t | None = None,
        multiprocessing_context: str | BaseContext | None = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers=persistent_workers)
        iterable = isinstance(dataset, IterableDataset)
        if iterable:
            _check_iterable(shuffle, sampler, batch_sampler)
        if sampler is not None and shuffle:
            raise errors.value("sampler and shuffle exclude each other: the sampler gives the order")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise errors.value("batch_sampler takes the place of batch_size, shuffle, sampler and drop_last")
        if batch_size is None and drop_last and batch_sampler is None:
            raise errors.value("without batches (batch_size=None) there is no last one to drop")
        if sampler is None:
            sampler = _default_sampler(dataset, generator, shuffle=bool(shuffle))
        if batch_sampler is not None:
            batch_size = None
        elif batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers > 0 and prefetch_factor is None else prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.in_order = in_order
        self._dataset_kind = _DatasetKind.Iterable if iterable else _DatasetKind.Map
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.generator = generator
        self.collate_fn = collate_fn or (default_collate if self._auto_collation else default_convert)
        self.persistent_workers = persistent_workers
        self._IterableDataset_len_called: int | None = None
        self._iterator: _BaseDataLoaderIter | None = None
        self._initialized = True
        self.check_worker_number_rationality()

    def __setattr__(self, name: str, value: Any) -> None:
        if self._initialized and name in self._fixed:
            raise errors.value(f"{name} cannot be changed once the DataLoader is made")
        super().__setattr__(name, value)

    @property
    def multiprocessing_context(self) -> BaseContext | None:
        """How workers are started; None: the system's way."""
        return self._multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context: str | BaseContext | None) -> None:
        if context is not None and self.num_workers <= 0:
            raise errors.value("multiprocessing_context needs num_workers > 0", num_workers=self.num_workers)
        self._multiprocessing_context = None if context is None else _context(context)

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self) -> Any:
        return self.batch_sampler if self._auto_collation else self.sampler

    def __iter__(self) -> _BaseDataLoaderIter:
        if not self.persistent_workers:
            return self._get_iterator()
        if self._iterator is None:
            self._iterator = self._get_iterator()
        else:
            self._iterator._reset(self)
        return self._iterator

    def _get_iterator(self) -> _BaseDataLoaderIter:
        if self.num_workers == 0:
            return _SingleProcessDataLoaderIter(self)
        return _MultiProcessingDataLoaderIter(self)

    def __len__(self) -> int:
        if self._dataset_kind == _DatasetKind.Map:
            return len(self._index_sampler)
        size = len(self.dataset)  # pyright: ignore[reportArgumentType]
        self._IterableDataset_len_called = size
        if self.batch_size is None:
            return size
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)

    def check_worker_number_rationality(self) -> None:
        """Warns if there are more workers than processors.

        Source: torch.utils.data.DataLoader.check_worker_number_rationality.
        """
        processors = cores()
        if self.num_workers > processors:
            warnings.warn(
                f"this DataLoader starts {self.num_workers} workers on {processors} processors, which may be "
                "slower than fewer workers",
                stacklevel=3,
            )


def _check_workers(num_workers: int, timeout: float, prefetch_factor: int | None, *, persistent_workers: bool) -> None:
    if num_workers < 0:
        raise errors.value("num_workers is not negative; 0 fetches in this process", num_workers=num_workers)
    if timeout < 0:
        raise errors.value("timeout is not negative; 0 waits as long as a worker lives", timeout=timeout)
    if num_workers == 0 and prefetch_factor is not None:
        raise errors.value("prefetch_factor needs num_workers > 0", prefetch_factor=prefetch_factor)
    if prefetch_factor is not None and prefetch_factor < 0:
        raise errors.value("prefetch_factor is not negative", prefetch_factor=prefetch_factor)
    if persistent_workers and num_workers == 0:
        raise errors.value("persistent_workers needs num_workers > 0")


def _check_iterable(shuffle: bool | None, sampler: Any, batch_sampler: Any) -> None:
    given = {"shuffle": shuffle or None, "sampler": sampler, "batch_sampler": batch_sampler}
    for name, value in given.items():
        if value is not None:
            raise errors.value(
                f"an IterableDataset has an order of its own, so {name} cannot be given", **{name: value}
            )


def _context(given: Any) -> BaseContext:
    """A way to start processes, from its name or as it is."""
    import multiprocessing
    from multiprocessing.context import BaseContext

    if isinstance(given, str):
        methods = multiprocessing.get_all_start_methods()
        if given not in methods:
            raise errors.value(f"processes are started by one of {methods}", multiprocessing_context=repr(given))
        return multiprocessing.get_context(given)
    if not isinstance(given, BaseContext):
        raise errors.type_(
            "multiprocessing_context is a start method or a context of multiprocessing",
            multiprocessing_context=repr(given),
        )
    return given


def _default_sampler(dataset: Any, generator: Generator | None, *, shuffle: bool) -> Sampler[Any]:
    if isinstance(dataset, IterableDataset):
        return _InfiniteConstantSampler()
    return RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)


class _BaseDataLoaderIter:
    """One pass over a DataLoader."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self._dataset = loader.dataset
        self._dataset_kind = loader._dataset_kind
        self._index_sampler = loader._index_sampler
        self._num_workers = loader.num_workers
        self._timeout = loader.timeout
        if loader.pin_memory:
            warnings.warn("pin_memory=True has no effect: there is no accelerator", stacklevel=4)
        self._reset(loader)
        self._base_seed = draw_seed(loader.generator)

    def _reset(self, loader: DataLoader[Any]) -> None:
        """Begins a pass."""
        self._sampler_iter = iter(self._index_sampler)
        self._num_yielded = 0
        self._IterableDataset_len_called = loader._IterableDataset_len_called

    def __iter__(self) -> Self:
        return self

    def _next_data(self) -> Any:
        raise NotImplementedError

    def __next__(self) -> Any:
        data = self._next_data()
        self._num_yielded += 1
        self._check_length()
        return data

    def _check_length(self) -> None:
        expected = self._IterableDataset_len_called
        if self._dataset_kind == _DatasetKind.Map or expected is None or self._num_yielded <= expected:
            return
        own_part = "; with several workers each has to take its own part, see get_worker_info()"
        warnings.warn(
            f"an IterableDataset says that its length is {expected}, but {self._num_yielded} samples have "
            f"been fetched{own_part if self._num_workers else ''}",
            stacklevel=3,
        )

    def __len__(self) -> int:
        return len(self._index_sampler)

    def __getstate__(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} cannot be pickled; pickle the DataLoader")


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    """Fetches in this process."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        super().__init__(loader)
        if self._timeout != 0:
            raise AssertionError("a timeout needs num_workers > 0")
        self._fetcher = fetcher_for(
            loader.dataset,
            batched=loader._auto_collation,
            collate=loader.collate_fn,
            drop_last=loader.drop_last,
        )

    def _next_data(self) -> Any:
        return self._fetcher.fetch(next(self._sampler_iter))


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Hands indices to the workers in turn, ahead of time, and gives their batches out in that order."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self._in_order = loader.in_order
        self._persistent = loader.persistent_workers
        self._ahead = max(1, loader.prefetch_factor or 0)  # per worker
        self._pool: _utils.Pool | None = None
        super().__init__(loader)
        tasks = [
            _utils.Task(
                dataset=loader.dataset,
                batched=loader._auto_collation,
                collate=loader.collate_fn,
                drop_last=loader.drop_last,
                base_seed=self._base_seed,
                init=loader.worker_init_fn,
                id=number,
                num_workers=loader.num_workers,
            )
            for number in range(loader.num_workers)
        ]
        self._pool = _utils.Pool(tasks, loader.multiprocessing_context)
        self._prefetch()

    def _reset(self, loader: DataLoader[Any]) -> None:
        super()._reset(loader)
        self._next_to_send = 0
        self._next_to_give = 0
        self._owners: dict[int, int] = {}  # of batches that have been asked for and not given out, by number
        self._ready: dict[int, Any] = {}  # batches that came before their turn
        self._working = [True] * self._num_workers
        self._turns = itertools.cycle(range(self._num_workers))
        if self._pool is not None:
            self._pool.resume()
            self._prefetch()

    def _prefetch(self) -> None:
        for _ in range(self._ahead * self._num_workers):
            self._ask_for_next()

    def _ask_for_next(self) -> None:
        """Hands the next index, if there is one, to the worker whose turn it is."""
        try:
            index = next(self._sampler_iter)
        except StopIteration:
            return
        worker = self._next_worker()
        if worker is None or self._pool is None:
            return
        self._owners[self._next_to_send] = worker
        self._pool.send(worker, (self._next_to_send, index))
        self._next_to_send += 1

    def _next_worker(self) -> int | None:
        busy = list(self._owners.values())
        for worker in itertools.islice(self._turns, self._num_workers):
            if self._working[worker] and (self._in_order or busy.count(worker) < self._share()):
                return worker
        return None

    def _share(self) -> int:
        """Batches that each worker may be asked for ahead, where the order is free."""
        return max(1, self._ahead * self._num_workers // sum(self._working))

    def _next_data(self) -> Any:
        pool = self._pool
        while pool is not None and pool.stop.alive and (self._owners or self._ready):
            if self._next_to_give in self._ready:
                return self._give(self._ready.pop(self._next_to_give))
            if self._next_to_give not in self._owners:  # its worker had no more samples
                self._next_to_give += 1
                continue
            worker, (number, data) = pool.receive(self._timeout or None)
            del self._owners[number]
            if isinstance(data, _utils.Ended):
                self._retire(worker)
            elif number == self._next_to_give or not self._in_order:
                return self._give(data, in_turn=number == self._next_to_give)
            else:
                self._ready[number] = data
        if pool is not None and not self._persistent:
            pool.stop()
        raise StopIteration

    def _retire(self, worker: int) -> None:
        """A worker's IterableDataset has ended; what it was asked for besides does not come."""
        if self._working[worker]:
            self._working[worker] = False
            self._ask_for_next()

    def _give(self, data: Any, *, in_turn: bool = True) -> Any:
        if in_turn:
            self._next_to_give += 1
        self._ask_for_next()
        if isinstance(data, ExceptionWrapper):
            data.reraise()
        return data

    def _shutdown_workers(self) -> None:
        """Ends the workers. Source: torch.utils.data.dataloader._MultiProcessingDataLoaderIter."""
        if self._pool is not None:
            self._pool.stop()

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from nn.scenarios import agree

import zerograd

Make = Callable[[Any, Any], Any]


def rows(library: Any, n: int = 11) -> Any:
    x = library.arange(2 * n).reshape(n, 2).float()
    return library.utils.data.TensorDataset(x, library.arange(n))


def numbers(library: Any, n: int = 11) -> Any:
    class Numbers(library.utils.data.Dataset):
        def __getitem__(self, index: int) -> Any:
            return {"x": library.full((2,), float(index)), "n": index, "name": str(index)}

        def __len__(self) -> int:
            return n

    return Numbers()


def stream(library: Any, n: int = 11, length: int | None = None) -> Any:
    class Stream(library.utils.data.IterableDataset):
        def __iter__(self) -> Any:
            info = library.utils.data.get_worker_info()
            first, step = (info.id, info.num_workers) if info else (0, 1)
            return iter(range(first, n, step))

        def __len__(self) -> int:
            return n if length is None else length

    return Stream()


def passes(make: Make) -> Callable[[Any], Any]:
    """Two passes, the length, and what the global stream gives afterwards."""

    def scenario(library: Any) -> Any:
        loader = make(library.utils.data.DataLoader, library)
        batches = [list(loader), list(loader)]
        return batches, len(loader), library.rand(2)

    return scenario


LOADERS: dict[str, Make] = {
    "one by one": lambda new, lib: new(rows(lib)),
    "batches": lambda new, lib: new(rows(lib), 4),
    "whole batches": lambda new, lib: new(numbers(lib), batch_size=4, drop_last=True),
    "shuffled": lambda new, lib: new(rows(lib), 4, shuffle=True),
    "shuffled numbers": lambda new, lib: new(numbers(lib), 4, True),
    "shuffled with a generator": lambda new, lib: new(rows(lib), 4, True, generator=lib.Generator().manual_seed(7)),
    "a sampler": lambda new, lib: new(rows(lib), 4, sampler=[5, 3, 3, 8, -1]),
    "a weighted sampler": lambda new, lib: new(
        rows(lib), 4, sampler=lib.utils.data.WeightedRandomSampler([1.0] * 11, 6)
    ),
    "a batch sampler": lambda new, lib: new(rows(lib), batch_sampler=[[1, 2], [3], [4, 5, 6]]),
    "no batches": lambda new, lib: new(numbers(lib), batch_size=None),
    "no batches of tensors": lambda new, lib: new(rows(lib), batch_size=None, shuffle=True),
    "lists of indices": lambda new, lib: new(
        rows(lib), batch_size=None, sampler=lib.utils.data.BatchSampler(range(11), 4, False)
    ),
    "a collate function": lambda new, lib: new(rows(lib), 4, collate_fn=len),
    "a subset": lambda new, lib: new(lib.utils.data.Subset(rows(lib), [9, 1, 4]), 2),
    "a subset of a subset": lambda new, lib: new(
        lib.utils.data.Subset(lib.utils.data.Subset(rows(lib), range(2, 9)), [-1, 0, 3]), 2
    ),
    "a list": lambda new, lib: new([(i, str(i)) for i in range(5)], 2),
    "a tensor": lambda new, lib: new(lib.arange(7), 3, shuffle=True),
    "a stream": lambda new, lib: new(stream(lib), 4),
    "whole batches of a stream": lambda new, lib: new(stream(lib), 4, drop_last=True),
    "a stream without batches": lambda new, lib: new(stream(lib), batch_size=None),
}


@pytest.mark.parametrize("make", LOADERS.values(), ids=LOADERS)
def test_batches_their_order_and_the_random_stream_are_torchs(make: Make) -> None:
    agree(passes(make))


@pytest.mark.parametrize("name", ["shuffled numbers", "shuffled with a generator", "a stream", "no batches of tensors"])
def test_workers_give_the_same_batches_as_torchs_workers(name: str) -> None:
    agree(passes(lambda new, lib: LOADERS[name](lambda *args, **given: new(*args, num_workers=2, **given), lib)))


WRONG: dict[str, Make] = {
    "negative workers": lambda new, lib: new(rows(lib), num_workers=-1),
    "negative timeout": lambda new, lib: new(rows(lib), timeout=-1),
    "timeout without workers": lambda new, lib: list(new(rows(lib), timeout=1)),
    "prefetch without workers": lambda new, lib: new(rows(lib), prefetch_factor=2),
    "negative prefetch": lambda new, lib: new(rows(lib), prefetch_factor=-2, num_workers=1),
    "persistent without workers": lambda new, lib: new(rows(lib), persistent_workers=True),
    "context without workers": lambda new, lib: new(rows(lib), multiprocessing_context="fork"),
    "an unknown context": lambda new, lib: new(rows(lib), num_workers=1, multiprocessing_context="thread"),
    "a context of another type": lambda new, lib: new(rows(lib), num_workers=1, multiprocessing_context=3),
    "sampler and shuffle": lambda new, lib: new(rows(lib), sampler=[1], shuffle=True),
    "batch sampler and batch size": lambda new, lib: new(rows(lib), 2, batch_sampler=[[1]]),
    "batch sampler and drop_last": lambda new, lib: new(rows(lib), batch_sampler=[[1]], drop_last=True),
    "dropping without batches": lambda new, lib: new(rows(lib), batch_size=None, drop_last=True),
    "batch size 0": lambda new, lib: new(rows(lib), 0),
    "batch size of another type": lambda new, lib: new(rows(lib), 2.5),
    "a shuffled stream": lambda new, lib: new(stream(lib), shuffle=True),
    "a stream with a sampler": lambda new, lib: new(stream(lib), sampler=[1]),
    "a stream with a batch sampler": lambda new, lib: new(stream(lib), batch_sampler=[[1]]),
    "an empty dataset, shuffled": lambda new, lib: new([], shuffle=True),
    "a changed batch size": lambda new, lib: setattr(new(rows(lib)), "batch_size", 3),
    "a changed dataset": lambda new, lib: setattr(new(rows(lib)), "dataset", [1]),
    "an index outside": lambda new, lib: list(new(rows(lib), 2, sampler=[50])),
    "a pickled pass": lambda new, lib: __import__("pickle").dumps(iter(new(rows(lib)))),
}


@pytest.mark.parametrize("use", WRONG.values(), ids=WRONG)
def test_wrong_uses_raise_the_type_that_torch_raises(use: Make) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011  torch says which
        use(torch.utils.data.DataLoader, torch)
    with pytest.raises(theirs.type):
        use(zerograd.utils.data.DataLoader, zerograd)


def test_a_stream_longer_than_it_says_warns() -> None:
    for library in (torch, zerograd):
        loader = library.utils.data.DataLoader(stream(library, 5, length=2))
        assert len(loader) == 2
        with pytest.warns(UserWarning, match="length|Length"):
            list(loader)


def test_more_workers_than_processors_warn() -> None:
    for library in (torch, zerograd):
        with pytest.warns(UserWarning, match="worker"):
            library.utils.data.DataLoader(rows(library), num_workers=1000)


def test_memory_that_cannot_be_pinned_warns() -> None:
    for library in (torch, zerograd):
        with pytest.warns(UserWarning, match="pin_memory"):
            next(iter(library.utils.data.DataLoader(rows(library), pin_memory=True)))


def test_two_passes_at_once_do_not_disturb_each_other() -> None:
    def scenario(library: Any) -> Any:
        loader = library.utils.data.DataLoader(range(6), 2)
        return list(zip(loader, loader, strict=True))

    agree(scenario)


def test_a_dataset_that_is_not_computed_yet_is_no_different() -> None:
    def scenario(library: Any) -> Any:
        x = library.arange(12).float().reshape(6, 2) / 10
        return list(library.utils.data.DataLoader(library.utils.data.TensorDataset(x, x.sum(1)), 4))

    agree(scenario)


def test_torchs_other_names_are_there() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in ("dataset", "sampler", "dataloader", "distributed"):
            theirs = __import__(f"torch.utils.data.{module}", fromlist=["x"])
            ours = __import__(f"zerograd.utils.data.{module}", fromlist=["x"])
            public = [
                name for name in getattr(theirs, "__all__", dir(theirs)) if isinstance(getattr(theirs, name), type)
            ]
            own = [name for name in public if getattr(theirs, name).__module__.startswith("torch.utils.data")]
            left_out = {"IterDataPipe", "MapDataPipe", "DFIterDataPipe", "DataChunk", "_SequenceWrapper"}
            missing = [name for name in own if not hasattr(ours, name) and name not in left_out and name[0] != "_"]
            assert not missing, (module, missing)

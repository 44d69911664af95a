from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from nn.scenarios import agree

import zerograd
from zerograd.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, get_worker_info


class Calling(Dataset[Any]):
    """Sample i is what a function says of i."""

    def __init__(self, function: Callable[[int], Any], n: int = 6) -> None:
        self.function = function
        self.n = n

    def __getitem__(self, index: int) -> Any:
        return self.function(index)

    def __len__(self) -> int:
        return self.n


def as_it_is(samples: Any) -> Any:
    return samples


def test_batches_come_in_order_however_long_they_take() -> None:
    def slow_first(index: int) -> int:
        time.sleep(0.2 if index == 0 else 0)
        return index

    loader = DataLoader(Calling(slow_first), num_workers=2, collate_fn=as_it_is)
    assert list(loader) == [[i] for i in range(6)]


def test_without_order_the_first_that_is_ready_comes_first() -> None:
    def slow_first(index: int) -> int:
        time.sleep(0.5 if index == 0 else 0)
        return index

    loader = DataLoader(Calling(slow_first), num_workers=2, collate_fn=as_it_is, in_order=False)
    batches = list(loader)
    assert sorted(batches) == [[i] for i in range(6)]
    assert batches[0] != [0]


@pytest.mark.parametrize("error", [ValueError, KeyError, IndexError, RuntimeError, ZeroDivisionError])
def test_an_error_in_a_worker_is_raised_with_its_trace(error: type[Exception]) -> None:
    def failing(index: int) -> int:
        if index == 2:
            raise error("sample two is bad")
        return index

    loader = DataLoader(Calling(failing), num_workers=2)
    received = []
    with pytest.raises(error) as caught:
        received.extend(loader)
    text = str(caught.value)
    assert f"Caught {error.__name__} in DataLoader worker process 0." in text
    assert "sample two is bad" in text
    assert "in failing" in text
    assert "\n" in text
    assert len(received) == 2


class NeedsTwoError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(one, two)


def test_an_error_that_cannot_be_made_from_a_text_becomes_a_runtime_error() -> None:
    def failing(index: int) -> int:
        raise NeedsTwoError(1, 2)

    with pytest.raises(RuntimeError, match="Caught NeedsTwoError"):
        list(DataLoader(Calling(failing), num_workers=1))


def test_what_cannot_be_sent_is_an_error_and_no_hang() -> None:
    with pytest.raises(Exception, match="pickle"):
        list(DataLoader(Calling(lambda index: lambda: index), num_workers=1, collate_fn=as_it_is))

    class LocalError(Exception):
        pass

    def failing(index: int) -> int:
        raise LocalError("only there")

    with pytest.raises(RuntimeError, match="only there"):
        list(DataLoader(Calling(failing), num_workers=1))


def test_the_pass_goes_on_after_an_error() -> None:
    def failing(index: int) -> int:
        if index == 1:
            raise ValueError(index)
        return index

    iterator = iter(DataLoader(Calling(failing), num_workers=2, collate_fn=as_it_is))
    assert next(iterator) == [0]
    with pytest.raises(ValueError, match="1"):
        next(iterator)
    assert list(iterator) == [[2], [3], [4], [5]]


def test_a_worker_that_exits_is_an_error_with_its_code() -> None:
    with pytest.raises(RuntimeError, match=r"worker 0 .*exit code 17"):
        list(DataLoader(Calling(lambda index: os._exit(17)), num_workers=1))


def test_a_worker_that_is_killed_is_an_error_with_the_signal() -> None:
    def killed(index: int) -> int:
        if index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return index

    with pytest.raises(RuntimeError, match="SIGKILL"):
        list(DataLoader(Calling(killed), num_workers=2))


def test_a_worker_that_takes_too_long_is_an_error() -> None:
    iterator = iter(DataLoader(Calling(lambda index: time.sleep(2)), num_workers=1, timeout=0.2))
    begin = time.monotonic()
    with pytest.raises(RuntimeError, match="timed out after"):
        next(iterator)
    assert time.monotonic() - begin < 1.5


def test_workers_end_with_the_pass() -> None:
    loader = DataLoader(Calling(lambda index: os.getpid()), num_workers=2, collate_fn=as_it_is)
    pids = {pid for batch in loader for pid in batch}
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert not any(alive(pid) for pid in pids)


def test_workers_end_when_the_pass_is_given_up() -> None:
    iterator = iter(DataLoader(Calling(lambda index: os.getpid(), 1000), num_workers=2, collate_fn=as_it_is))
    pids = {next(iterator)[0] for _ in range(4)}
    del iterator
    assert not any(alive(pid) for pid in pids)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_persistent_workers_stay_the_same_through_passes() -> None:
    loader = DataLoader(Calling(lambda index: os.getpid()), num_workers=2, persistent_workers=True, collate_fn=as_it_is)
    first = {pid for batch in loader for pid in batch}
    half = next(iter(loader))  # a pass that is not finished
    second = {pid for batch in loader for pid in batch}
    assert first == second
    assert half[0] in first


class Parts(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        info = get_worker_info()
        assert info is not None
        return iter(range(info.id, 9, info.num_workers))


def test_streams_end_at_different_times() -> None:
    for persistent in (False, True):
        loader = DataLoader(Parts(), 2, num_workers=2, persistent_workers=persistent)
        for _ in range(2):
            batches = [batch.tolist() for batch in loader]
            assert batches == [[0, 2], [1, 3], [4, 6], [5, 7], [8]]


def test_workers_know_themselves_and_are_seeded_as_torchs() -> None:
    def scenario(library: Any) -> Any:
        class Own(library.utils.data.Dataset):
            def __getitem__(self, index: int) -> Any:
                info = library.utils.data.get_worker_info()
                return (info.id, info.num_workers, info.seed, len(info.dataset)), (
                    random.random(),
                    np.random.rand(),
                    library.rand(2),
                )

            def __len__(self) -> int:
                return 4

        loader = library.utils.data.DataLoader(Own(), num_workers=2, collate_fn=as_it_is)
        return [list(loader), list(loader), library.utils.data.get_worker_info() is None]

    agree(scenario)


def test_the_init_function_runs_once_in_each_worker() -> None:
    def begin(worker: int) -> None:
        get_worker_info().dataset.n = 100 + worker  # pyright: ignore[reportOptionalMemberAccess]

    dataset = Calling(lambda index: get_worker_info().dataset.n)  # pyright: ignore[reportOptionalMemberAccess]
    loader = DataLoader(dataset, num_workers=2, worker_init_fn=begin, collate_fn=as_it_is)
    assert [batch[0] for batch in loader] == [100, 101] * 3


def test_an_error_in_the_init_function_is_raised() -> None:
    def begin(worker: int) -> None:
        raise ValueError(f"no licence for worker {worker}")

    with pytest.raises(ValueError, match="no licence for worker 0"):
        list(DataLoader(Calling(int), num_workers=1, worker_init_fn=begin))


@pytest.mark.parametrize("size", [1, 100_000])
def test_data_of_every_kind_arrives_as_it_was(size: int) -> None:
    def sample(index: int) -> Any:
        return {
            "tensor": zerograd.full((size,), float(index)),
            "half": zerograd.ones(size, dtype=zerograd.bfloat16),
            "number": zerograd.tensor(index),
            "parameter": zerograd.nn.Parameter(zerograd.ones(size)),
            "leaf": zerograd.ones(size, requires_grad=True),
            "view": zerograd.arange(2 * size).reshape(2, size).T,
            "array": np.arange(size),
            "text": "x" * size,
            "list": [index, None, 1.5],
        }

    (batch,) = next(iter(DataLoader(Calling(sample), num_workers=1, collate_fn=as_it_is)))
    expected = sample(0)
    assert list(batch) == list(expected)
    for name, value in expected.items():
        if isinstance(value, zerograd.Tensor):
            assert type(batch[name]) is type(value)
            assert batch[name].dtype is value.dtype
            assert batch[name].requires_grad == value.requires_grad
            assert batch[name].tolist() == value.tolist()
        elif isinstance(value, np.ndarray):
            assert (batch[name] == value).all()
            batch[name][0] = 5  # it may be written to
        else:
            assert batch[name] == value


def test_a_batch_can_be_changed_and_trained_on() -> None:
    loader = DataLoader(TensorDataset(zerograd.ones(64, 1000)), 32, num_workers=1)
    weight = zerograd.zeros(1000, requires_grad=True)
    for (x,) in loader:
        x.mul_(2)
        (x @ weight).sum().backward()
    assert weight.grad.tolist() == [128.0] * 1000


def test_a_tensor_with_history_cannot_be_sent() -> None:
    def sample(index: int) -> Any:
        return zerograd.ones(2, requires_grad=True) * 2

    with pytest.raises(RuntimeError, match="history"):
        list(DataLoader(Calling(sample), num_workers=1, collate_fn=as_it_is))


def test_large_index_lists_and_small_connections_do_not_block() -> None:
    loader = DataLoader(TensorDataset(zerograd.arange(100_000)), 50_000, shuffle=True, num_workers=1, prefetch_factor=2)
    (first,), (second,) = loader
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(100_000))
    many = DataLoader(Calling(lambda index: index, 500), num_workers=1, prefetch_factor=300)
    assert [batch.item() for batch in many] == list(range(500))


def test_two_loaders_with_workers_at_once() -> None:
    one = DataLoader(Calling(lambda index: index), num_workers=1, persistent_workers=True)
    other = DataLoader(Calling(lambda index: -index), num_workers=1)
    pairs = [(a.item(), b.item()) for a, b in zip(one, other, strict=True)]
    assert pairs == [(i, -i) for i in range(6)]
    del one
    assert [batch.item() for batch in other] == [-i for i in range(6)]


def test_workers_can_be_spawned() -> None:
    loader = DataLoader(list(range(5)), 2, num_workers=1, multiprocessing_context="spawn")
    assert [batch.tolist() for batch in loader] == [[0, 1], [2, 3], [4]]


def test_nothing_is_left_behind_when_the_main_process_is_killed(tmp_path: Any) -> None:
    script = tmp_path / "killed.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, signal
            import zerograd as torch

            class Own(torch.utils.data.Dataset):
                def __getitem__(self, index):
                    return torch.zeros(100_000) + os.getpid()
                def __len__(self):
                    return 100

            iterator = iter(torch.utils.data.DataLoader(Own(), num_workers=2))
            print(*[int(next(iterator).flatten()[0]) for _ in range(4)], flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
            """
        )
    )
    before = set(os.listdir("/dev/shm")) if os.path.isdir("/dev/shm") else set()
    home = os.path.dirname(os.path.dirname(zerograd.__file__))
    done = subprocess.run(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": home},
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    pids = {int(pid) for pid in done.stdout.split()}
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in pids)
    assert (set(os.listdir("/dev/shm")) if os.path.isdir("/dev/shm") else set()) <= before


def test_numpys_seed_in_a_worker_is_torchs() -> None:
    from zerograd.utils.data._utils.worker import numpy_seed

    for base, worker in ((0, 0), (1, 3), (2**62 + 12345, 7), (9876543210, 1)):
        assert numpy_seed(base, worker) == torch.utils.data._utils.worker._generate_state(base, worker)

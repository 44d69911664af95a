"""A worker process: fetches the batches whose indices it receives, until it is told to stop.

Source: torch.utils.data._utils.worker.
"""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from zerograd import errors
from zerograd.runtime.random import default_generator
from zerograd.utils.data._utils import transport, worker_info
from zerograd.utils.data._utils.exceptions import ExceptionWrapper
from zerograd.utils.data._utils.fetch import Fetcher, fetcher_for
from zerograd.utils.data._utils.worker_info import get_worker_info as get_worker_info
from zerograd.utils.data.dataset import IterableDataset

PARENT_CHECK = 5.0  # seconds between looks whether the main process is still there


@dataclass(frozen=True)
class Task:
    """What a worker needs besides its connection. It is sent to the process when that starts."""

    dataset: Any
    batched: bool
    collate: Callable[[Any], Any]
    drop_last: bool
    base_seed: int
    init: Callable[[int], Any] | None
    id: int
    num_workers: int


@dataclass(frozen=True)
class Resume:
    """Tells a worker to begin the dataset anew, and that it has."""


@dataclass(frozen=True)
class Ended:
    """Says that a worker's IterableDataset has no more samples."""


def numpy_seed(base_seed: int, worker_id: int) -> list[int]:
    """Four words for numpy.random.seed, different in each worker; PyTorch's."""
    low, high = base_seed & 0xFFFFFFFF, base_seed >> 32
    return np.random.SeedSequence([worker_id, low, high, 0]).generate_state(4).tolist()


def run(task: Task, connection: Connection, inherited: list[Connection]) -> None:
    """The life of a worker.

    Args:
        inherited: ends of other workers' connections that a forked process has and must close, since a
            connection ends only when nobody holds its other end.
    """
    try:
        for other in inherited:
            other.close()
        _seed(task)
        _serve(task, connection)
    except (KeyboardInterrupt, EOFError, OSError):
        pass  # the main process reports an interrupt itself; without it there is nobody to report to


def _seed(task: Task) -> None:
    seed = task.base_seed + task.id
    random.seed(seed)
    default_generator.manual_seed(seed)
    np.random.seed(numpy_seed(task.base_seed, task.id))
    worker_info.own = worker_info.WorkerInfo(id=task.id, num_workers=task.num_workers, seed=seed, dataset=task.dataset)


def _serve(task: Task, connection: Connection) -> None:
    fetcher: Fetcher | ExceptionWrapper = _begin(task, first=True)
    ended = False
    while (message := _next_message(connection)) is not None:
        if isinstance(message, Resume):
            fetcher, ended = _begin(task, first=False), False
            transport.send(connection, transport.packed(message))
            continue
        number, index = message
        answer: Any
        if ended:
            answer = Ended()
        elif isinstance(fetcher, ExceptionWrapper):
            answer = fetcher
        else:
            answer = _fetch(task, fetcher, index)
            ended = isinstance(answer, Ended)
        transport.send(connection, _packed(task, number, answer))


def _next_message(connection: Connection) -> Any:
    """What the main process says; None if it says stop, or is gone."""
    parent = multiprocessing.parent_process()
    while not connection.poll(PARENT_CHECK):
        if parent is not None and not parent.is_alive():
            return None
    return transport.unpacked(transport.receive(connection))


def _begin(task: Task, *, first: bool) -> Fetcher | ExceptionWrapper:
    try:
        if first and task.init is not None:
            task.init(task.id)
        return fetcher_for(task.dataset, batched=task.batched, collate=task.collate, drop_last=task.drop_last)
    except Exception as error:
        return _wrapped(task, error)


def _fetch(task: Task, fetcher: Fetcher, index: Any) -> Any:
    try:
        return fetcher.fetch(index)
    except Exception as error:
        if isinstance(error, StopIteration) and isinstance(task.dataset, IterableDataset):
            return Ended()
        return _wrapped(task, error)


def _wrapped(task: Task, error: BaseException) -> ExceptionWrapper:
    return ExceptionWrapper(error, f"in DataLoader worker process {task.id}")


def _packed(task: Task, number: int, answer: Any) -> list[memoryview]:
    """The answer as bytes; if it cannot be sent, the reason."""
    try:
        return transport.packed((number, answer))
    except Exception as error:
        reason = error
        if isinstance(answer, ExceptionWrapper):  # its type exists in this process only
            reason = errors.runtime(f"{answer.exc_type.__name__}: {answer.exc_msg}")
        return transport.packed((number, _wrapped(task, reason)))

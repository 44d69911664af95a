"""The worker processes of one pass, or of several, and the talk with them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
import weakref
from collections import deque
from multiprocessing.connection import Connection, wait
from typing import Any

from zerograd import errors
from zerograd.runtime.realize import launch
from zerograd.utils.data._utils import transport
from zerograd.utils.data._utils.worker import Resume, Task, run

IN_FLIGHT = 64  # messages to a worker that it has not answered: so many fit the connection without anybody reading
PATIENCE = 5.0  # seconds that a worker gets to end

_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


class Pool:
    """Workers, numbered from 0, each with a connection.

    Args:
        tasks: one per worker.
        context: how processes are started; None: the system's way.
    """

    def __init__(self, tasks: list[Task], context: Any) -> None:
        context = context or multiprocessing.get_context()
        self._connections: list[Connection] = []
        self._processes: list[Any] = []
        self._waiting: list[deque[list[memoryview]]] = []
        self._in_flight = [0] * len(tasks)
        # Ends the workers also when the pool is dropped, or Python exits, without `stop`.
        self.stop = weakref.finalize(self, _stop, os.getpid(), self._connections, self._processes)
        _pools.add(self)
        launch()  # a dataset that is still to be computed is computed once, not in each worker
        for task in tasks:
            ours, theirs = context.Pipe()
            inherited = []
            if context.get_start_method() == "fork":
                inherited = [ours, *(connection for pool in _pools for connection in pool._connections)]
            process = context.Process(target=run, args=(task, theirs, inherited), daemon=True)
            process.start()
            theirs.close()
            self._connections.append(ours)
            self._processes.append(process)
            self._waiting.append(deque())

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    def send(self, worker: int, message: Any) -> None:
        """Sends a message, now or when the worker has answered others."""
        self._waiting[worker].append(transport.packed(message))
        self._flush(worker)

    def _flush(self, worker: int) -> None:
        waiting = self._waiting[worker]
        while waiting and self._in_flight[worker] < IN_FLIGHT:
            try:
                transport.send(self._connections[worker], waiting.popleft())
            except OSError:
                raise self._died(worker) from None
            self._in_flight[worker] += 1

    def receive(self, timeout: float | None) -> tuple[int, Any]:
        """The next answer of any worker that has one to give, and whose it is.

        Args:
            timeout: in seconds; None waits for ever.
        Raises:
            RuntimeError: a worker has died, or the time is over.
        """
        ready = wait([c for c, count in zip(self._connections, self._in_flight, strict=True) if count], timeout)
        if not ready:
            raise errors.runtime(f"DataLoader timed out after {timeout} seconds")
        worker = self._connections.index(ready[0])  # pyright: ignore[reportArgumentType]
        try:
            parts = transport.receive(self._connections[worker])
        except (EOFError, OSError):
            raise self._died(worker) from None
        self._in_flight[worker] -= 1
        self._flush(worker)
        return worker, transport.unpacked(parts)

    def _died(self, worker: int) -> RuntimeError:
        process = self._processes[worker]
        process.join(PATIENCE)
        code = process.exitcode
        if code is None:
            how = "closed its connection"
        elif code < 0:
            how = f"was killed by signal {signal.Signals(-code).name}"
        else:
            how = f"exited unexpectedly with exit code {code}"
        return errors.runtime(
            f"DataLoader worker {worker} (pid {process.pid}) {how}",
            hint="num_workers=0 runs the dataset in this process, where its own error is seen",
        )

    def resume(self) -> None:
        """Makes every worker begin its dataset anew; answers to earlier messages are thrown away."""
        for worker in range(len(self._processes)):
            self._waiting[worker].clear()
            self.send(worker, Resume())
        missing = len(self._processes)
        while missing:
            missing -= isinstance(self.receive(None)[1], Resume)


def _stop(owner: int, connections: list[Connection], processes: list[Any]) -> None:
    """Ends the workers: those that wait end at once, others when they have fetched, or by force."""
    if os.getpid() != owner:
        return  # a forked process has the pool too, but the workers are not its children
    for connection in connections:
        with contextlib.suppress(OSError):
            transport.send(connection, transport.packed(None))
        connection.close()
    deadline = time.monotonic() + PATIENCE
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
    for process in processes:
        if process.is_alive():
            process.terminate()
            process.join(PATIENCE)
            if process.is_alive():
                process.kill()
                process.join()

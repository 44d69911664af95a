"""Starting several processes that run the same function: ``spawn``."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any


class ProcessException(Exception):  # noqa: N818  PyTorch's own name
    """A started process has failed.

    Attributes:
        error_index: which one. error_pid: its process id. msg: what is known.
    """

    def __init__(self, msg: str, error_index: int, pid: int) -> None:
        super().__init__(msg)
        self.msg = msg
        self.error_index = error_index
        self.pid = self.error_pid = pid


class ProcessRaisedException(ProcessException):
    """A started process has raised an exception."""

    def __init__(self, msg: str, error_index: int, error_pid: int) -> None:
        super().__init__(msg, error_index, error_pid)


class ProcessExitedException(ProcessException):
    """A started process has ended with an exit code, or by a signal."""

    def __init__(
        self, msg: str, error_index: int, error_pid: int, exit_code: int, signal_name: str | None = None
    ) -> None:
        super().__init__(msg, error_index, error_pid)
        self.exit_code = exit_code
        self.signal_name = signal_name


def _run(fn: Callable[..., None], rank: int, args: tuple[Any, ...], failed: Any) -> None:
    """What a started process does: the function, then a report if it fails."""
    try:
        fn(rank, *args)
    except KeyboardInterrupt:
        pass  # the parent is interrupted, too
    except Exception:
        failed.send(traceback.format_exc())
        sys.exit(1)


class ProcessContext:
    """Started processes.

    Attributes:
        processes: in the order of their numbers.
    """

    def __init__(self, processes: list[Any], reports: list[Any]) -> None:
        self.processes = processes
        self.reports = reports
        self.sentinels = {process.sentinel: number for number, process in enumerate(processes)}

    def pids(self) -> list[int]:
        """Their process ids."""
        return [int(process.pid) for process in self.processes]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Wait until one of them ends; True when all have. If one fails, the others are ended.

        Args:
            timeout: seconds to wait. grace_period: seconds that the others have to end after a failure.
        Raises:
            ProcessRaisedException: one has raised an exception; its traceback is in the message.
            ProcessExitedException: one has ended otherwise.
        """
        if not self.sentinels:
            return True
        failed = None
        for sentinel in multiprocessing.connection.wait(self.sentinels.keys(), timeout=timeout):
            number = self.sentinels.pop(sentinel)
            process = self.processes[number]
            process.join()
            if process.exitcode != 0:
                failed = number
                break
        if failed is None:
            return not self.sentinels
        self._end_others(grace_period)
        raise self._failure(failed)

    def _end_others(self, grace_period: float | None) -> None:
        limit = time.monotonic() + (grace_period or 0)
        while time.monotonic() < limit and any(one.is_alive() for one in self.processes):
            time.sleep(0.05)
        for process in self.processes:
            if process.is_alive():
                process.terminate()
        for process in self.processes:
            process.join(30)
            if process.is_alive():
                process.kill()
                process.join()

    def _failure(self, number: int) -> ProcessException:
        process, report = self.processes[number], self.reports[number]
        if report.poll():
            text = report.recv()
            return ProcessRaisedException(f"process {number} has raised:\n\n{text}", number, process.pid)
        code = process.exitcode
        if code < 0:
            name = signal.Signals(-code).name
            text = f"process {number} was ended by signal {name}"
            return ProcessExitedException(text, number, process.pid, code, name)
        return ProcessExitedException(f"process {number} ended with exit code {code}", number, process.pid, code)


SpawnContext = ProcessContext


def start_processes(
    fn: Callable[..., None],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """Start processes that run ``fn(number, *args)``, and wait for them if ``join``.

    Source: torch.multiprocessing.start_processes.
    """
    context: Any = multiprocessing.get_context(start_method)
    processes, reports = [], []
    for number in range(nprocs):
        report, failed = context.Pipe(duplex=False)
        process = context.Process(target=_run, args=(fn, number, args, failed), daemon=daemon)
        process.start()
        failed.close()
        processes.append(process)
        reports.append(report)
    started = ProcessContext(processes, reports)
    if not join:
        return started
    while not started.join():
        pass
    return None


def spawn(
    fn: Callable[..., None],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """Start fresh processes that run ``fn(number, *args)``; ``fn`` must be importable in them.

    Raises:
        ProcessRaisedException, ProcessExitedException: one of them has failed; the others are ended.
    Source: torch.multiprocessing.spawn.
    """
    return start_processes(fn, args, nprocs, join, daemon, start_method)

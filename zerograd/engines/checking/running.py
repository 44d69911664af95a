"""Many trials in processes of their own, with a line or a bar of progress."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any
from zlib import crc32

from zerograd import dtypes
from zerograd.engines.checking import cases, programs, shrinking
from zerograd.engines.checking.bounds import bounds_of
from zerograd.engines.checking.capture import of_script
from zerograd.engines.checking.comparing import Coverage, Expectation, expected
from zerograd.engines.checking.tolerances import STRICT, Freedoms
from zerograd.engines.checking.trial import stages
from zerograd.engines.checking.trying import Engine, engine, faults_of

CHUNK = 50  # random programs in one job
JUDGED = 0.9  # a script's graph of which a smaller share can be judged is tried in stages too


@dataclass(frozen=True)
class Task:
    """How trials are made; see the command line."""

    engine: str = "native"
    threads: tuple[int, ...] = (1,)
    only: tuple[str, ...] = ()
    minimise: bool = False
    freedoms: Freedoms = STRICT
    timeout: float = 120.0


@dataclass(frozen=True)
class Job:
    """A run of trials: random programs of some seeds, an op with every type, or a script.

    Attributes:
        kind: ``program``, ``op`` or ``script``.
        name: of the op or script.
        start, stop: seeds.
    """

    kind: str
    name: str
    start: int
    stop: int

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()


@dataclass
class Report:
    """What one trial gave."""

    name: str
    faults: list[str]
    coverage: Coverage
    graph: str = ""


@dataclass
class Total:
    """What all trials gave."""

    trials: int = 0
    coverage: Coverage = field(default_factory=Coverage)
    failures: list[Report] = field(default_factory=list)

    def add(self, report: Report) -> None:
        self.trials += 1
        self.coverage.merge(report.coverage)
        if report.faults:
            self.failures.append(report)

    def summary(self, seconds: float) -> str:
        return (
            f"{self.trials} trials in {seconds:.0f} s, {len(self.failures)} with differences; "
            f"{self.coverage.elements} elements: {self.coverage}"
        )


def jobs(programs: int, seed: int, ops: int, scripts: Sequence[str]) -> list[Job]:
    """The jobs that a command line asks for."""
    end = seed + programs
    found = [Job("program", "", start, min(start + CHUNK, end)) for start in range(seed, end, CHUNK)]
    if ops:
        found += [Job("op", op.name, 0, ops) for op in cases.OPS if op.name not in cases.LEFT_OUT]
    return found + [Job("script", path, 0, 1) for path in scripts]


# --- in the worker -----------------------------------------------------------------------------------------


def trials_of(job: Job, task: Task) -> Iterator[tuple[str, Callable[[], Expectation | None]]]:
    """Each trial's name, and how to make it."""
    if job.kind == "program":
        for seed in range(job.start, job.stop):
            yield f"seed {seed}", lambda seed=seed: programs.program(seed, task.only)
    elif job.kind == "op":
        op = cases.registry[job.name]
        for kind in dtypes.ALL:
            for seed in range(job.start, job.stop):
                name = f"op {job.name} of {kind.name}, seed {seed}"
                yield name, lambda kind=kind, seed=seed: cases.case(op, kind, seed)
    else:
        for trial in of_script(job.name):
            whole = expected(trial, task.freedoms)
            yield trial.name, lambda whole=whole: whole
            if whole.coverage().decided < JUDGED * whole.coverage().elements:
                for part in stages(trial, whole.values):
                    yield part.name, lambda part=part: expected(part, task.freedoms)


def tried(name: str, make: Callable[[], Expectation | None], task: Task, under: Engine) -> Report | None:
    """One trial; ``None`` if there is nothing to try."""
    try:
        expectation = make()
    except Exception as error:
        return Report(name, [f"the reference or its bounds failed: {type(error).__name__}: {error}"], Coverage())
    if expectation is None:
        return None
    if task.freedoms != STRICT:
        trial = expectation.trial
        expectation.bounds = bounds_of(trial.outputs, expectation.values, task.freedoms)
    relaid = crc32(name.encode()) % 1000 if expectation.trial.size < 200 else None
    find = lambda one: faults_of(one, under, task.threads, relaid)  # noqa: E731
    faults = find(expectation)
    graph = ""
    if faults and task.minimise:
        smallest = shrinking.shrunk(expectation, find, task.freedoms)
        graph = shrinking.described(smallest.trial)
        faults = faults + [f"in its smallest part: {one}" for one in find(smallest)]
    elif faults:
        graph = shrinking.described(expectation.trial) if expectation.trial.size < 60 else ""
    return Report(name, faults, expectation.coverage(), graph)


def _work(pipe: Connection, task: Task) -> None:
    """Jobs in, reports out; before every trial its name, so that the parent knows what was going on."""
    under = engine(task.engine)
    while True:
        job, skip = pipe.recv()
        for place, (name, make) in enumerate(trials_of(job, task)):
            if place >= skip:
                pipe.send(("begins", name, place))
                pipe.send(("report", tried(name, make, task, under), place))
        pipe.send(("done", None, 0))


# --- in the parent -----------------------------------------------------------------------------------------


class _Worker:
    """A process, the job that it has, the trial that it is at, and when it was heard of last."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.job: Job | None = None
        self.at, self.name = 0, "start"
        self.since = time.monotonic()
        self.begin()

    def begin(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, far = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_work, args=(far, self.task), daemon=True)
        self.process.start()
        far.close()
        self.since = time.monotonic()

    def give(self, job: Job, skip: int = 0) -> None:
        self.job, self.at = job, skip
        self.pipe.send((job, skip))

    def killed(self, why: str) -> Report:
        """Report the trial that it was at, and go on behind it in a new process."""
        self.process.kill()
        self.process.join()
        code = self.process.exitcode
        report = Report(self.name, [f"{why} (exit code {code})"], Coverage())
        self.begin()
        return report


def run(task: Task, work: Sequence[Job], processes: int = 1, most: int = 20) -> Total:
    """All jobs in worker processes.

    Args:
        processes: how many at a time.
        most: stop after so many differences; 0: never.
    """
    if engine_problem := _problem(task.engine):
        return Total(1, Coverage(), [Report("start", [engine_problem], Coverage())])
    left, total = deque(work), Total()
    advance = progress(len(work))
    workers = [_Worker(task) for _ in range(min(processes, len(work)))]
    for worker in workers:
        worker.give(left.popleft())
    while any(one.job for one in workers) and not (most and len(total.failures) >= most):
        busy = [one for one in workers if one.job]
        ready = wait([one.pipe for one in busy], 1.0)
        for worker in busy:
            late = time.monotonic() - worker.since > task.timeout
            if worker.pipe in ready or late:
                _attend(worker, left, total, advance, worker.pipe in ready)
    for worker in workers:
        worker.process.kill()
    advance(0)
    return total


def _attend(worker: _Worker, left: deque[Job], total: Total, advance: Callable[[int], None], ready: bool) -> None:
    """Take one message of a worker, or replace it."""
    try:
        if not ready:
            raise TimeoutError
        kind, what, at = worker.pipe.recv()
        worker.since = time.monotonic()
    except (EOFError, ConnectionError, TimeoutError) as error:
        why = "no end was seen" if isinstance(error, TimeoutError) else "the process died"
        _tell(worker.killed(why), total)
        if worker.job:
            worker.give(worker.job, worker.at + 1)
        return
    if kind == "begins":
        worker.name, worker.at = what, at
    elif kind == "report" and what is not None:
        _tell(what, total)
    elif kind == "done":
        advance(1)
        worker.job = None
        if left:
            worker.give(left.popleft())


def _tell(report: Report, total: Total) -> None:
    total.add(report)
    if report.faults:
        lines = [f"\n=== {report.name}", *report.faults]
        print("\n".join(lines + ([report.graph] if report.graph else [])), flush=True)


def _problem(name: str) -> str | None:
    try:
        engine(name)
    except (ImportError, AttributeError, ValueError) as error:
        print(f"the engine {name!r} cannot be used: {error}")
        return str(error)
    return None


def progress(steps: int) -> Callable[[int], None]:
    """A function to tell of finished steps: a bar where tqdm is installed and someone looks on, else some lines."""
    if os.isatty(1):
        try:
            bar: Any = importlib.import_module("tqdm").tqdm(total=steps, unit="job")
        except ImportError:
            pass
        else:
            return lambda n: bar.update(n) if n else bar.close()
    done = 0

    def advance(n: int) -> None:
        nonlocal done
        done += n
        if n and (done % max(steps // 20, 1) == 0 or done == steps):
            print(f"{done} of {steps} jobs done", flush=True)

    return advance

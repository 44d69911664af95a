"""The driver: phases in order, whatever the number of threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from engines.native.tiny import Mixing, address, python, scratch_kernel

from zerograd.engines.native import threads as team
from zerograd.engines.native.driver import TASK, Schedule, driver
from zerograd.engines.native.threads import Word

THREADS = (1, 2, 4, 16)


@pytest.fixture
def sleepy() -> Iterator[None]:
    """Threads that sleep at once, so that every wait is a sleep."""
    driver()
    words = team.words.words
    kept, spins = team.patience, (words[Word.SPIN], words[Word.IDLE_SPIN])
    team.patience = team.Patience(1e9)
    yield
    team.patience = kept
    words[Word.SPIN], words[Word.IDLE_SPIN] = spins


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize(("phases", "tasks"), [(1, 1), (1, 5), (7, 1), (40, 2), (40, 5), (12, 12)])
def test_each_phase_finds_all_results_of_the_phase_before(phases: int, tasks: int, threads: int) -> None:
    program = Mixing(phases, tasks, waits=(0, 3000, 200))
    assert all(program.right(threads) for _ in range(5))


@pytest.mark.parametrize("threads", [2, 4])
def test_a_driver_without_barriers_would_be_caught(threads: int) -> None:
    program = Mixing(20, 2, waits=(0, 1_000_000))
    assert program.right(threads)
    _, tasks, head = program.schedule._data
    head[3] = len(tasks)  # the fault: all tasks may start at once
    tasks.reshape(-1, TASK)[:, 2] = 0
    assert not all(program.right(threads) for _ in range(10))


@pytest.mark.parametrize("threads", [2, 4])
@pytest.mark.usefixtures("sleepy")
def test_threads_that_sleep_are_woken(threads: int) -> None:
    program = Mixing(60, 3, waits=(0, 20_000, 100))
    assert all(program.right(threads) for _ in range(20))


def test_phases_and_tasks_without_calls_change_nothing() -> None:
    for phases in ([], [[]], [[[]], [], [[], []]]):
        for threads in THREADS:
            Schedule(phases, 64).run(0, threads)


@pytest.mark.parametrize("threads", THREADS)
def test_scratch_memory_belongs_to_one_thread_and_grows_on_demand(threads: int) -> None:
    units = 12
    for size in (64, 8, 100_000, 1000):
        target = np.full(2 * units, -1, np.int64)
        numbers = np.array([0, 0, size // 8, 2000], np.int64)
        kernel = address(scratch_kernel)
        phases = [[[(kernel, numbers.ctypes.data, u, u + 1)] for u in range(units)]]
        table = np.array([target.ctypes.data], np.int64)
        Schedule(phases, size).run(table.ctypes.data, threads)
        assert (target[::2] == 0).all()
        assert (target[1::2] % 64 == 0).all()


def test_thousands_of_tiny_launches_with_a_changing_number_of_threads() -> None:
    program = Mixing(3, 4)
    assert all(program.right(1 + n % 4) for n in range(4000))


def test_several_python_threads_may_run_programs_at_once() -> None:
    programs = [Mixing(10, 3, waits=(0, 500 * n)) for n in range(3)]
    shared = Mixing(6, 4)
    wrong: list[str] = []

    def work(n: int) -> None:
        for i in range(300):
            program = shared if (i + n) % 2 else programs[n % 3]
            if not program.right(1 + (i + n) % 3):
                wrong.append(f"thread {n}, launch {i}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(120)
    assert not wrong
    assert not any(one.is_alive() for one in threads)
    assert team.words.words[Word.BUSY] == 0
    assert team.words.words[Word.STATE] == 0


@pytest.mark.parametrize("wait", ["POLL", "WAITS.get((sys.platform, platform.machine().lower()), POLL)"])
def test_every_way_to_sleep_that_runs_here_wakes_up(wait: str) -> None:
    script = f"""
import platform, sys
from zerograd.engines.native import concurrent, driver
from zerograd.engines.native.concurrent import POLL, WAITS
driver.wait = lambda: {wait}
from tiny import Mixing
from zerograd.engines.native import threads as team
program = Mixing(30, 3, waits=(0, 20_000))
driver.driver()
team.patience = team.Patience(1e9)
print(all(program.right(3) for _ in range(20)))
"""
    assert python(script) == "True\n"


@pytest.mark.parametrize("place", ["darwin arm64", "win32 amd64", "linux aarch64"])
def test_the_text_for_other_systems_is_valid(place: str) -> None:
    import llvmlite.binding as binding

    from zerograd.engines.native.concurrent import WAITS
    from zerograd.engines.native.driver import participate_text, run_text

    system, machine = place.split()
    how = WAITS[system, machine]
    for text in (participate_text("participate", how), run_text("run", how, "serial", "participate")):
        binding.parse_assembly(text, binding.create_context()).verify()


# --- programs that are left to the workers ----------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [2, 4])
@pytest.mark.parametrize(("phases", "tasks"), [(1, 1), (7, 1), (1, 5), (40, 5)])
def test_a_program_is_started_and_finished(phases: int, tasks: int, threads: int) -> None:
    program = Mixing(phases, tasks, waits=(0, 20_000, 200))
    for _ in range(20):
        buffers, table = program.memory()
        assert program.schedule.start(table.ctypes.data, threads)
        program.schedule.finish()
        program.schedule.finish()  # nothing is left to do
        assert (buffers[program.last] == program.expected).all()
    assert program.right(threads)


@pytest.mark.usefixtures("sleepy")
def test_workers_come_to_the_end_by_themselves() -> None:
    program = Mixing(30, 3, waits=(0, 20_000, 100))
    for threads in (2, 3, 5):
        buffers, table = program.memory()
        assert program.schedule.start(table.ctypes.data, threads)
        end = time.monotonic() + 60
        while not (buffers[program.last] == program.expected).all():
            assert time.monotonic() < end
        program.schedule.finish()


def test_another_program_runs_alone_while_one_is_in_flight() -> None:
    program, other = Mixing(6, 3, waits=(0, 300_000)), Mixing(9, 4)
    buffers, table = program.memory()
    assert program.schedule.start(table.ctypes.data, 3)
    _, own = other.memory()
    assert not other.schedule.start(own.ctypes.data, 3)
    assert other.right(3)
    program.schedule.finish()
    assert (buffers[program.last] == program.expected).all()
    assert other.schedule.start(own.ctypes.data, 3)
    other.schedule.finish()


def test_without_workers_nothing_is_started() -> None:
    program = Mixing(6, 3)
    buffers, table = program.memory()
    assert not program.schedule.start(table.ctypes.data, 1)
    program.schedule.finish()
    assert (buffers[0] == program.first).all()


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("left", [False, True])
def test_a_guard_keeps_what_comes_behind_it_from_being_done(threads: int, left: bool) -> None:
    program = Mixing(4, 3)
    phases = [[program.calls(phase, task) for task in range(3)] for phase in range(4)]
    for wrong in (True, False):
        buffers, table = program.memory()
        word = buffers[1] if wrong else np.zeros(1, np.int64)  # the first phase writes to buffer 1
        schedule = Schedule(phases, 0, (word.ctypes.data, 3))
        if not left or not schedule.start(table.ctypes.data, threads):
            schedule.run(table.ctypes.data, threads)
        schedule.finish()
        after_one = program.first.sum(keepdims=True) * 3 + np.arange(len(program.first))
        assert (buffers[1] == after_one).all() == wrong
        assert (buffers[0] == (program.first if wrong else program.expected)).all()

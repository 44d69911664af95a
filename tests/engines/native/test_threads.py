"""The team: workers come and go with processes, forks, signals and the end of the interpreter, and nobody notices."""

from __future__ import annotations

import _thread
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from engines.native.processes import forks, in_child
from engines.native.tiny import Mixing, python

import zerograd as torch
from zerograd.engines.native import threads as team
from zerograd.engines.native.threads import Word, threads_for
from zerograd.settings import settings

BEGIN = """
import os, signal, sys, threading, time
from tiny import Mixing
from zerograd.engines.native import threads as team
program = Mixing(20, 3, waits=(0, 2000))
"""
LONG = "long = Mixing(100, 2, waits=(300_000,))\n"  # about half a second


def test_set_num_threads_acts_on_the_next_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "threads", 2)
    for count in (1, 3, 2, 8):
        torch.set_num_threads(count)
        assert torch.get_num_threads() == count
        assert threads_for(1e9) == count
        assert Mixing(5, 4).right(threads_for(1e9))
    assert team.words.words[Word.THREADS] == 8


def test_small_programs_run_alone_and_larger_ones_with_as_many_threads_as_they_are_worth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "threads", 64)
    found = [threads_for(cost) for cost in (0.0, 1e3, 5e4, 1e5, 1e6, 1e8)]
    assert found[:3] == [1, 1, 1]
    assert found[3] == 2
    assert found == sorted(found)
    assert found[-1] == 64


def test_the_environment_says_how_many_threads_there_are_at_the_start() -> None:
    script = """
import zerograd as torch
from zerograd.engines.native.threads import threads_for
print(torch.get_num_threads(), threads_for(1e12))
"""
    assert python(script, OMP_NUM_THREADS="3") == "3 3\n"
    assert python(script, OMP_NUM_THREADS="1") == "1 1\n"


def test_one_thread_starts_no_workers() -> None:
    script = BEGIN + "print(program.right(1), team._workers, program.right(3), team._workers, threading.active_count())"
    assert python(script) == "True 0 True 2 1\n"


def test_where_no_threads_are_to_be_had_programs_run_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    monkeypatch.setattr(team, "_workers", 0)
    monkeypatch.setattr(team, "_limit", team.MOST)
    assert Mixing(6, 4).right(4)
    assert team._limit == 1


def test_idle_workers_use_no_time() -> None:
    assert Mixing(10, 4, waits=(0, 20_000)).right(4)
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.02


@forks
def test_a_fork_after_use_starts_afresh() -> None:
    program = Mixing(10, 4)
    assert program.right(3)

    def work() -> bool:
        return team._workers == 0 and all(program.right(3) for _ in range(50)) and team._workers == 2

    assert in_child(work) == 0
    assert program.right(3)


@forks
@pytest.mark.parametrize("threads", [1, 3])
def test_a_fork_while_another_thread_runs_programs(threads: int) -> None:
    import threading

    program, other = Mixing(20, 3, waits=(0, 3000)), Mixing(9, 4)
    wrong: list[int] = []
    stop = threading.Event()

    def keep_on() -> None:
        while not stop.is_set():
            if not program.right(threads):
                wrong.append(1)

    thread = threading.Thread(target=keep_on)
    thread.start()
    try:
        assert [in_child(lambda: all(other.right(3) for _ in range(20))) for _ in range(10)] == [0] * 10
    finally:
        stop.set()
        thread.join(60)
    assert not wrong
    assert other.right(3)


@forks
def test_a_fork_while_another_thread_compiles() -> None:
    import threading

    from zerograd.engines.native import jit
    from zerograd.engines.native.kernel import Kernel, KernelFunction

    def compiled(number: int) -> bool:
        f = KernelFunction()
        f.store(f.const(number, "i64"), f.place(0))
        kernel = Kernel("constant", f.finish())
        return bool(jit.load({kernel.symbol: kernel.text}))

    stop = threading.Event()

    def keep_on() -> None:
        n = int(time.time() * 1e6)
        while not stop.is_set():
            n += 1
            compiled(n)

    thread = threading.Thread(target=keep_on)
    thread.start()
    try:
        assert [in_child(lambda n=n: compiled(-n - int(time.time() * 1e6))) for n in range(10)] == [0] * 10
    finally:
        stop.set()
        thread.join(60)


class _Items(torch.utils.data.Dataset[Any]):
    def __init__(self) -> None:
        self.program = Mixing(10, 4)

    def __len__(self) -> int:
        return 12

    def __getitem__(self, i: int) -> int:
        return int(self.program.right(1 + i % 3))


@forks
@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_workers_of_a_data_loader_have_workers_of_their_own(context: str) -> None:
    assert Mixing(10, 4).right(3)
    items = _Items() if context == "fork" else _Later()
    loader = torch.utils.data.DataLoader(items, batch_size=3, num_workers=2, multiprocessing_context=context)
    assert [batch.tolist() for batch in loader] == [[1, 1, 1]] * 4


class _Later(_Items):
    """Makes its program in the process that uses it."""

    def __init__(self) -> None:
        pass

    def __getitem__(self, i: int) -> int:
        self.program = Mixing(10, 4)
        return super().__getitem__(i)


ENDS = {
    "workers still awake": "print(program.right(4))",
    "workers asleep": "print(program.right(4)); time.sleep(0.05)",
    "a daemon thread in the midst of programs": """
def keep_on():
    while True:
        program.right(3)
threading.Thread(target=keep_on, daemon=True).start()
time.sleep(0.1); print(True)
""",
    "a daemon thread in the midst of a long program": LONG
    + """
threading.Thread(target=long.right, args=(2,), daemon=True).start()
time.sleep(0.05); print(True)
""",
    "a program run by an exit handler": """
import atexit
atexit.register(lambda: print(program.right(4)))
""",
    "sys.exit in a thread that waits": "print(program.right(4)); threading.Thread(target=sys.exit).start()",
    "os._exit": "print(program.right(4), flush=True); os._exit(0)",
}


@pytest.mark.parametrize("end", ENDS)
def test_the_interpreter_ends_in_peace(end: str) -> None:
    for _ in range(3):
        assert python(BEGIN + ENDS[end], timeout=60) == "True\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot interrupt itself alone")
def test_an_interrupt_comes_when_the_program_has_ended() -> None:
    script = (
        BEGIN
        + LONG
        + """
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
buffers, table = long.memory()
for threads in (1, 2):
    buffers[0][:], buffers[1][:] = long.first, 0
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        long.schedule.run(table.ctypes.data, threads)
        time.sleep(5)
        print("not interrupted")
    except KeyboardInterrupt:
        print((buffers[long.last] == long.expected).all(), program.right(threads), program.right(3))
print(team.words.words[team.Word.BUSY])
"""
    )
    assert python(script) == "True True True\nTrue True True\n0\n"


def test_workers_beyond_those_wanted_do_not_take_part() -> None:
    """With one thread wanted out of many, only the caller's scratch memory is used."""
    script = (
        BEGIN
        + """
import numpy as np
from tiny import address, scratch_kernel
from zerograd.engines.native.driver import Schedule
print(program.right(5))
def places(threads):
    target, numbers = np.zeros(80, np.int64), np.array([0, 0, 8, 30_000], np.int64)
    table = np.array([target.ctypes.data])
    phases = [[[(address(scratch_kernel), numbers.ctypes.data, u, u + 1)] for u in range(40)]]
    Schedule(phases, 64).run(table.ctypes.data, threads)
    return len(set(target[1::2]))
print(all(places(n) <= n for n in (1, 2, 3) for _ in range(20)))
"""
    )
    assert python(script) == "True\nTrue\n"


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float, int], int]]:
    """Lets so many seconds pass with so many interruptions each, then looks; gives the pauses of a wait."""
    words = team.words.words
    kept = words[Word.SPIN], words[Word.IDLE_SPIN]
    clock, interrupted = [1000.0], [0.0]
    monkeypatch.setattr(team.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(team, "_interrupted", lambda: interrupted[0])
    patience = team.Patience(10.0)

    def pass_time(seconds: float, rate: int) -> int:
        clock[0] += seconds
        interrupted[0] += seconds * rate
        patience.look(2)
        return int(words[Word.SPIN])

    yield pass_time
    words[Word.SPIN], words[Word.IDLE_SPIN] = kept


def test_threads_wait_awake_unless_others_want_the_processors(looks: Callable[[float, int], int]) -> None:
    brief, long = 5_000, 100_000
    assert looks(0.0, 0) == long
    assert looks(0.3, 30) == long
    assert looks(0.1, 1000) == long  # too early to look
    assert looks(0.3, 300) == brief
    assert looks(0.3, 200) == brief
    assert looks(9.0, 5) == brief  # it has not been computing all the time
    assert looks(0.3, 20) == long


def test_threads_wait_briefly_where_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    words = team.words.words
    kept = words[Word.SPIN], words[Word.IDLE_SPIN]
    monkeypatch.setattr(team, "_interrupted", None)
    patience = team.Patience(10.0)
    patience.look(2)
    assert words[Word.SPIN] == 5_000
    words[Word.SPIN], words[Word.IDLE_SPIN] = kept

"""Programs in flight while processes fork and end, and threads compute."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from engines.native.flights import HOW, Flights, Training, flying, in_flight, started, synchronous
from engines.native.processes import forks, in_child
from engines.native.tiny import python

import zerograd as torch
from zerograd.ir.record import recorder
from zerograd.runtime.realize import launch
from zerograd.settings import settings

F = torch.nn.functional


@pytest.fixture(params=HOW, autouse=True)
def flights(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flights]:
    with flying(monkeypatch, request.param) as found:
        yield found


@forks
def test_a_fork_in_flight() -> None:
    x = torch.ones(100, 100)
    for i in range(6):
        y = started(x @ x + i)

        def work(y: Any = y, i: int = i) -> bool:
            assert not in_flight()
            right = float(y[3, 3]) == 100 + i
            return right and all(float(started(x @ x + j)[1, 1]) == 100 + j for j in range(5))

        assert in_child(work) == 0
        assert float(y[5, 5]) == 100 + i


@forks
def test_forks_while_another_thread_launches() -> None:
    stop, wrong = threading.Event(), []
    x = torch.ones(50, 50)
    float(x.sum())

    def keep_on() -> None:
        mine = torch.ones(50, 50)
        while not stop.is_set():
            y = mine @ mine
            launch()
            if float(y[0, 0]) != 50:
                wrong.append(1)

    thread = threading.Thread(target=keep_on)
    thread.start()
    try:
        assert [in_child(lambda: float(started(x @ x)[0, 0]) == 50) for _ in range(8)] == [0] * 8
    finally:
        stop.set()
        thread.join(60)
    assert not wrong


BEGIN = """
import zerograd as torch
from zerograd.engines import flight
from zerograd.engines.native import program, schedule, threads
from zerograd.runtime.realize import launch
from zerograd.settings import settings
settings.engine, settings.threads = "native", 3
program.WORTH = threads.ALONE = schedule.ALONE = 0
threads.SHARE = 1e-9
"""


def test_the_interpreter_may_end_in_flight() -> None:
    script = """
x = torch.ones(700, 700)
for _ in range(3):
    y = (x @ x @ x).sum(0)
    launch()
print(flight.running is not None)
"""
    assert python(BEGIN + script) == "True\n"


def test_the_interpreter_may_end_with_an_error_in_flight() -> None:
    script = """
rows = torch.nn.functional.embedding(torch.arange(6) + 100, torch.zeros(20, 3))
other = torch.ones(20) * 2  # another task
launch()
print(flight.running is not None)
"""
    assert python(BEGIN + script) == "True\n"


def test_nothing_is_in_flight_once_the_interpreter_ends() -> None:
    script = """
import atexit
def last():
    y = torch.ones(50, 50) @ torch.ones(50, 50)
    launch()
    print(flight.running is None, float(y[0, 0]))
atexit.register(last)
x = torch.ones(50, 50) * 2
launch()
atexit.unregister(flight._end)
atexit.register(flight._end)
"""
    assert python(BEGIN + script) == "True 50.0\n"


def test_the_environment_turns_it_off() -> None:
    script = """
x = torch.ones(50, 50) * 2
launch()
print(flight.running is None, settings.asynchronous)
"""
    assert python(BEGIN + script, ZEROGRAD_ASYNC="0") == "True False\n"
    assert python(BEGIN + script, ZEROGRAD_ASYNC="1") == "False True\n"


def test_one_thread_computes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "threads", 1)
    x = torch.ones(50, 50) * 2
    launch()
    assert not in_flight()
    assert float(x[0, 0]) == 2


def test_programs_that_are_not_worth_it_compute_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(settings, "engine", "native")
    monkeypatch.setattr(settings, "threads", 3)
    x = torch.ones(50, 50) * 2
    launch()
    assert not in_flight()
    assert float(x[0, 0]) == 2


def test_many_threads_compute_at_once() -> None:
    expected = synchronous(lambda: [_trained(seed) for seed in range(4)])
    found: dict[int, Any] = {}
    errors: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            found[seed] = _trained(seed)
        except BaseException as error:
            errors.append(error)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join(120)
    assert not errors
    assert [found[seed] for seed in range(4)] == expected


_seeding = threading.Lock()


def _trained(seed: int) -> Any:
    with _seeding:  # the generator belongs to all threads
        training = Training(seed=seed)
        float(training.x.sum() + training.y.sum() + sum(one.sum() for one in training.model.parameters()))
    losses = [training.step() for _ in range(8)]
    return [float(loss) for loss in losses], training.state()


def test_another_thread_reads_what_this_one_has_launched() -> None:
    for i in range(10):
        x = torch.full((60, 60), float(i))
        y = started(x @ x)
        found: list[float] = []
        readers = [threading.Thread(target=lambda y=y, found=found: found.append(float(y[7, 7]))) for _ in range(4)]
        for one in readers:
            one.start()
        for one in readers:
            one.join(60)
        assert found == [60.0 * i * i] * 4


def test_the_number_of_threads_may_change_at_any_time() -> None:
    def train(counts: list[int]) -> Any:
        training = Training()
        losses = []
        for count in counts:
            settings.threads = count
            losses.append(training.step())
        return [float(loss) for loss in losses], training.state()

    expected = synchronous(lambda: train([1] * 14))
    assert train([3, 1, 5, 2, 2, 1, 1, 4, 3, 9, 2, 1, 3, 2]) == expected


def test_programs_called_directly_wait_for_what_is_in_flight() -> None:
    from zerograd.engines import native
    from zerograd.ops.elementwise import add

    x = torch.ones(30, 30)
    nodes: list[Any] = []
    trace = recorder.own.trace
    y = x + x
    nodes.append(y._at if hasattr(y, "_at") else y._node())
    leaves = list(trace.leaves)
    compiled = native.compile((add(nodes[0], nodes[0]),))
    z = started(y @ y)
    assert compiled(leaves)[0].tolist() == [[4.0] * 30] * 30
    assert not in_flight()
    assert float(z[0, 0]) == 120

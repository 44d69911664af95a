"""Replays of small steps whose programs are left to a worker: the same bits, whatever happens between."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from engines.native.flights import Training, in_flight, synchronous
from engines.native.processes import forks, in_child
from engines.native.tiny import python

import zerograd as torch
from zerograd.engines import flight
from zerograd.engines.native import aside
from zerograd.engines.native.quick import RECORD
from zerograd.ir.record import recorder
from zerograd.runtime.realize import launch
from zerograd.settings import settings


@pytest.fixture(autouse=True)
def begun(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """All programs that have been left to a worker."""
    launch()
    recorder.own.forget()
    monkeypatch.setattr(settings, "engine", "native")
    monkeypatch.setattr(settings, "threads", 2)
    monkeypatch.setattr(settings, "asynchronous", True)
    found: list[Any] = []
    begin = aside.Aside.begin

    def noted(self: aside.Aside, *given: Any) -> bool:
        self.record[[RECORD.index("misses"), RECORD.index("alone")]] = 0  # a busy machine is to be no excuse
        done = begin(self, *given)
        found.extend([self] * done)
        return done

    monkeypatch.setattr(aside.Aside, "begin", noted)
    yield found
    launch()
    flight.finish()
    recorder.own.forget()


class Loop(Training):
    """Steps that are replayed."""

    def __init__(self, kind: str = "Adam", seed: int = 0) -> None:
        super().__init__(kind, seed)
        self.step = torch.compile(self.plain)

    def run(self, steps: int, every: int = 0) -> list[float]:
        """The losses that are read: of every so many steps, and of the last."""
        losses = []
        for i in range(steps):
            loss = self.step()
            if i == steps - 1 or (every and i % every == 0):
                losses.append(float(loss))
        return losses


def trained(kind: str, steps: int, every: int) -> tuple[Any, ...]:
    loop = Loop(kind)
    return (*loop.run(steps, every), *loop.state())


@pytest.mark.parametrize("every", [0, 7])
@pytest.mark.parametrize("kind", ["Adam", "SGD"])
def test_a_loop_leaves_its_steps_to_a_worker(kind: str, every: int, begun: list[Any]) -> None:
    expected = synchronous(lambda: trained(kind, 300, every))
    assert not begun
    assert trained(kind, 300, every) == expected
    assert len(begun) > 150


def test_so_does_a_plain_loop_unless_it_reads_every_loss(begun: list[Any]) -> None:
    def train(every: int) -> tuple[Any, ...]:
        training = Training()
        losses = []
        for i in range(100):
            loss = training.plain()
            if i % every == 0:
                losses.append(float(loss))
        return (*losses, *training.state())

    expected = synchronous(lambda: (train(10), train(1)))
    assert train(10) == expected[0]
    assert len(begun) > 50
    begun.clear()
    assert train(1) == expected[1]
    assert not begun


def test_one_thread_means_one(begun: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "threads", 1)
    Loop().run(30)
    assert not begun


def test_what_others_compute_between_waits(begun: list[Any]) -> None:
    def both() -> tuple[Any, ...]:
        first, second = Loop("Adam", 1), Loop("SGD", 2)
        seen = []
        for i in range(120):
            first.step()
            second.step()
            if i % 11 == 0:
                seen.append(float((first.x * i).sum()))
            if i % 31 == 0:
                seen.append(float(next(first.model.parameters()).sum()))
        return (*seen, *first.state(), *second.state())

    expected = synchronous(both)
    assert both() == expected
    assert len({id(one) for one in begun}) > 1


def test_arguments_may_go_once_they_are_given(begun: list[Any]) -> None:
    """The arrays that a program reads live until it has ended, although nobody else has them any more."""

    def train() -> list[bytes]:
        loop = Loop()

        @torch.compile
        def step(x: Any, y: Any) -> Any:
            loop.optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(loop.model(x), y)
            loss.backward()
            loop.optimizer.step()
            return loss

        torch.manual_seed(3)
        batches = [(torch.randn(40, 17), torch.randint(0, 7, (40,))) for _ in range(200)]
        float(batches[-1][0].sum())
        while batches:
            step(*batches.pop())
        return loop.state()

    expected = synchronous(train)
    assert train() == expected
    assert begun


@pytest.mark.parametrize("later", [0, 1, 5])
def test_a_wrong_index_is_told(later: int, begun: list[Any]) -> None:
    loop = Loop()
    loop.run(40)
    loop.y[5] = 7
    with pytest.raises(IndexError, match="7 is out of bounds"):
        loop.run(1 + later)
    assert begun
    assert Loop().run(40) == synchronous(lambda: Loop().run(40))


def in_the_air(loop: Loop) -> int:
    """Have a program of the loop in flight; how many steps that took."""
    loop.run(20)
    for i in range(21, 40):
        loop.step()
        if in_flight():
            return i
    raise AssertionError("nothing is left to a worker")


@forks
def test_a_fork_in_flight() -> None:
    expected = synchronous(lambda: trained("Adam", 60, 0))
    loop = Loop()
    done = in_the_air(loop)

    def on() -> bool:
        return (*loop.run(60 - done), *loop.state()) == expected

    assert in_child(on) == 0
    assert on()


def test_several_threads(begun: list[Any]) -> None:
    expected = synchronous(lambda: [trained(kind, 150, 13) for kind in ("Adam", "SGD")])
    found: dict[str, Any] = {}

    def train(kind: str) -> None:
        loop = loops[kind]
        found[kind] = (*loop.run(150, 13), *loop.state())

    loops = {kind: Loop(kind) for kind in ("Adam", "SGD")}
    workers = [threading.Thread(target=train, args=(kind,)) for kind in loops]
    for one in workers:
        one.start()
    for one in workers:
        one.join(60)
    assert [found[kind] for kind in ("Adam", "SGD")] == expected


SCRIPT = """
import json
import zerograd as torch
from zerograd.engines.native import aside, threads
from zerograd.engines.native.quick import RECORD
from zerograd.settings import settings
settings.engine, settings.threads = "native", 2
made = []
begin = aside.Aside.begin
def noted(self, *given):
    if self not in made:
        made.append(self)
    return begin(self, *given)
aside.Aside.begin = noted
torch.manual_seed(0)
model = torch.nn.Linear(50, 50)
optimizer = torch.optim.Adam(model.parameters())
x = torch.randn(64, 50)
@torch.compile
def step():
    optimizer.zero_grad()
    loss = model(x).square().mean()
    loss.backward()
    optimizer.step()
    return loss
"""


def test_where_no_worker_comes_the_caller_does_it_and_soon_alone() -> None:
    script = SCRIPT + """
threads.gather = lambda *_: 2  # the system has promised one, but it never runs
pauses = []
for _ in range(4000):
    loss = step()
    alone = int(made[-1].record[RECORD.index("alone")]) if made else 0
    if alone and (not pauses or alone > pauses[-1]):
        pauses.append(alone)
print(json.dumps([float(loss), pauses]))
"""  # fmt: skip
    loss, pauses = json.loads(python(script))
    calm = json.loads(python(SCRIPT + "for _ in range(4000): loss = step()\nprint(float(loss))", ZEROGRAD_ASYNC="0"))
    assert loss == calm
    assert pauses[:2] == [aside.LEAST_ALONE - 1, 2 * aside.LEAST_ALONE - 1]


def test_the_interpreter_may_end_in_flight() -> None:
    script = SCRIPT + """
from zerograd.engines import flight
for _ in range(100):
    step()
    if flight.running is not None:
        print("in flight")
        break
"""  # fmt: skip
    assert python(script).strip() == "in flight"

"""Programs that are left to the workers, also small ones, and others that do nothing until somebody waits for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import zerograd as torch
from zerograd.engines import flight
from zerograd.engines.native import program, schedule, threads
from zerograd.ir.record import recorder
from zerograd.runtime.realize import launch
from zerograd.settings import settings

HOW = ("workers", "late")


class Late(program.Launched):
    """A program that begins when it is waited for."""

    __slots__ = ("waits",)

    def start(self) -> bool:
        self.waits = True
        dead = {id(one) for one in self.leaves}
        for array in self.arrays:
            if id(array) not in dead:
                array.reshape(-1).view(np.uint8)[...] = 0xAB
        return True

    def finish(self) -> None:
        if self.waits:
            self.waits = False
            self.schedule.run(self.program.table_at, 1)
        super().finish()


class Flights:
    """How many programs have been left to others."""

    def __init__(self) -> None:
        self.count = 0


@contextmanager
def flying(monkeypatch: pytest.MonkeyPatch, how: str) -> Iterator[Flights]:
    """Every program that can be is left to others: to the "workers", or to whoever waits ("late")."""
    launch()
    flight.finish()
    recorder.own.forget()
    monkeypatch.setattr(settings, "engine", "native")
    monkeypatch.setattr(settings, "threads", 3)
    monkeypatch.setattr(settings, "asynchronous", True)
    monkeypatch.setattr(program, "WORTH", 0)
    monkeypatch.setattr(threads, "ALONE", 0)
    monkeypatch.setattr(schedule, "ALONE", 0)
    monkeypatch.setattr(threads, "SHARE", 1e-9)
    monkeypatch.setattr(program, "recall", lambda _: None)  # programs made otherwise do not belong on the disk
    monkeypatch.setattr(program, "keep", lambda *_: None)
    if how == "late":
        monkeypatch.setattr(program, "Launched", Late)
    counted, take_off = Flights(), flight.take_off

    def counting(one: flight.Flight) -> bool:
        counted.count += 1
        return take_off(one)

    monkeypatch.setattr(flight, "take_off", counting)
    yield counted
    launch()
    flight.finish()
    recorder.own.forget()


def in_flight() -> bool:
    return flight.running is not None


def started(x: Any) -> Any:
    """Launch what is pending; the value is in flight now."""
    launch()
    assert in_flight()
    return x


class Training:
    """A small model, its data and its optimizer."""

    def __init__(self, kind: str = "Adam", seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.model = torch.nn.Sequential(torch.nn.Linear(17, 24), torch.nn.Tanh(), torch.nn.Linear(24, 7))
        options = {"lr": 0.05, "momentum": 0.9} if kind == "SGD" else {"lr": 0.02}
        self.optimizer = getattr(torch.optim, kind)(self.model.parameters(), **options)
        self.x, self.y = torch.randn(40, 17), torch.randint(0, 7, (40,))
        self.step: Callable[[], Any] = self.plain

    def plain(self) -> Any:
        self.optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(self.model(self.x), self.y)
        loss.backward()
        self.optimizer.step()
        return loss

    def state(self) -> list[bytes]:
        moments = [value for one in self.optimizer.state.values() for value in one.values()]
        held = [*self.model.parameters(), *(one for one in moments if isinstance(one, torch.Tensor))]
        return [one.detach().numpy().tobytes() for one in held]


def synchronous(work: Callable[[], Any]) -> Any:
    settings.asynchronous = False
    try:
        return work()
    finally:
        settings.asynchronous = True

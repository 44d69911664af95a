"""Profiles of native programs: the same results, every call measured, nothing left behind when it is off."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

import zerograd as torch
from zerograd.engines import profiling
from zerograd.engines.native import compile, timed
from zerograd.engines.native.driver import Schedule
from zerograd.engines.native.program import Program
from zerograd.ir.graph import Node
from zerograd.ir.origins import origins
from zerograd.ir.record import recorder
from zerograd.settings import settings


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(settings, "engine", "native")
    recorder.own.forget()
    yield
    recorder.own.forget()


def steps(count: int) -> list[np.ndarray]:
    """Some steps of training; the losses and the weights."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(300, 200), torch.nn.GELU(), torch.nn.Linear(200, 7))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    x, target = torch.randn(256, 300), torch.randint(0, 7, (256,))
    losses = []
    for _ in range(count):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.numpy(force=True))
    return [*losses, *(p.numpy(force=True) for p in model.parameters())]


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_profile_changes_no_bit(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "threads", threads)
    plain = steps(3)
    profile = profiling.begin()
    try:
        measured = steps(3)
    finally:
        profiling.end()
    assert profile.programs
    assert all(np.array_equal(a, b) for a, b in zip(plain, measured, strict=True))


@pytest.mark.usefixtures("native")
def test_every_instruction_is_counted_once_a_run() -> None:
    profile = profiling.begin()
    try:
        steps(4)
    finally:
        profiling.end()
    expected = sum(one.runs * len(one.works) for one in profile.programs)
    counted = sum(work.calls for work in profile.works.values() if not work.kind.startswith("numpy"))
    assert counted == expected > 0
    runs = sum(one.seconds for one in profile.programs)
    work = sum(one.seconds for one in profile.works.values() if not one.kind.startswith("numpy"))
    assert 0 < work < 1.01 * runs * (settings.threads or 64)


@pytest.mark.usefixtures("native")
def test_flops_and_bytes_of_a_product() -> None:
    profile = profiling.begin()
    try:
        a, b = torch.randn(64, 300), torch.randn(300, 200)
        (a @ b).numpy()
    finally:
        profiling.end()
    (product,) = [work for work in profile.works.values() if work.kind == "product"]
    assert product.title == "matmul [64, 300] @ [300, 200]"
    assert product.flops == 2 * 64 * 300 * 200
    packed = 4 * (64 * 300 + 64 * 200 + 300 * 200)
    assert packed <= product.nbytes <= 1.2 * packed
    assert product.origin is not None
    assert product.origin.line.startswith(__file__)


@pytest.mark.usefixtures("native")
def test_without_a_profile_there_is_no_trace_of_it() -> None:
    assert profiling.current is None
    assert not origins.on
    made: list[Node] = []
    x = torch.randn(8, 8)
    y = x @ x + 1.0
    made.append(y._node())
    program = compile(tuple(made))
    assert type(program) is Program
    assert "__call__" in vars(Program)
    for function in (Program.__call__, Program._refer, Schedule.run):
        names = set(function.__code__.co_names)
        assert names.isdisjoint({"profiling", "current", "origins", "perf_counter_ns", "perf_counter"}), function
    assert origins.of == {}


@pytest.mark.usefixtures("native")
def test_after_a_profile_programs_are_plain_again() -> None:
    profiling.begin()
    steps(1)
    profiling.end()
    kinds = {type(plan.program) for plan in recorder.own.plans.values() if hasattr(plan, "program")}
    assert kinds == set()
    steps(1)
    kinds = {type(plan.program) for plan in recorder.own.plans.values() if hasattr(plan, "program")}
    assert kinds == {Program}


@pytest.mark.parametrize(
    "clock", [timed.CLOCKS.get(sys.platform, timed.PYTHON), timed.PYTHON], ids=["system", "python"]
)
@pytest.mark.usefixtures("native")
def test_every_clock_tells_pythons_time(clock: timed.Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    address = timed.timed_kernel(clock)
    monkeypatch.setattr(timed, "timed_kernel", lambda: address)
    profile = profiling.begin()
    try:
        before = time.perf_counter_ns()
        (torch.randn(32, 32) @ torch.randn(32, 32)).numpy()
        after = time.perf_counter_ns()
    finally:
        profiling.end()
    events = [one for one in profile.events if one.kind == "product"]
    assert events
    assert all(before <= one.start <= one.end <= after for one in events)
    assert {one.thread for one in events} == {threading.get_ident()}

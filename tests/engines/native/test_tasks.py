"""Into how many tasks the chains of a phase are divided."""

from __future__ import annotations

import pytest

from zerograd.engines.native.kernel import Access, Instruction, Kernel
from zerograd.engines.native.schedule import Phases
from zerograd.settings import settings

KERNEL = Kernel("idle", "define void @kernel() { ret void }")


def made(number: int, grain: int, cost: float) -> Instruction:
    """128 units that write a buffer of their own, and are slow when fewer than ``grain`` are done at once."""
    one = Instruction(KERNEL, [], [Access(number, 128)], [], 128, cost, 0)
    one.grain = grain
    return one


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "threads", 2)


def test_work_that_suffers_from_division_stays_whole_beside_enough_other_work() -> None:
    phases = Phases([made(i, 128, 10_000) for i in range(8)])
    assert [chain.parts for chain in phases.chains] == [1] * 8


def test_it_is_divided_where_a_thread_would_wait() -> None:
    (chain,) = Phases([made(0, 128, 10_000)]).chains
    assert chain.parts == 2
    large = Phases([made(0, 128, 10_000), *(made(i, 128, 1_000) for i in range(1, 8))]).chains
    assert [chain.parts for chain in large] == [2] + [1] * 7


def test_other_work_is_divided_whatever_lies_beside_it() -> None:
    phases = Phases([made(i, 1, 10_000) for i in range(8)])
    assert all(chain.parts > 4 for chain in phases.chains)

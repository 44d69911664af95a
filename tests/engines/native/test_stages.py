"""Plans of memory: nothing overlaps, and large chains stop for the sums over what they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from engines.native.lowered import leaves

from zerograd.engines.native import codestore, making, recipe, stages
from zerograd.engines.native.buffers import TEMPORARY, Buffer, Lifetime, place
from zerograd.engines.native.codestore import Store
from zerograd.engines.native.kernel import Access, Instruction, Kernel
from zerograd.engines.native.making import Making
from zerograd.engines.native.pages import LINE
from zerograd.engines.native.program import Program, compile
from zerograd.engines.native.schedule import early
from zerograd.ir.graph import Node
from zerograd.ops.contraction import matmul
from zerograd.ops.elementwise import add, mul
from zerograd.ops.movement import permute
from zerograd.settings import settings

ROWS, WIDTH = 2048, 800

Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def little_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "WORTH", 1 << 20)


def arrays() -> list[Array]:
    rng = np.random.default_rng(0)
    shapes = (ROWS, WIDTH), (ROWS, WIDTH), (WIDTH, WIDTH)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def gradient() -> tuple[Node, ...]:
    """A sum over many rows of products of what is made row by row, and what becomes of it."""
    x, y, w = leaves(*arrays())
    square = mul(x, x)
    return (mul(add(matmul(permute(square, order=(1, 0)), add(square, y)), w), w),)


def expected() -> Array:
    x, y, w = (one.astype(np.float64) for one in arrays())
    return (((x * x).T @ (x * x + y)) + w) * w


@pytest.mark.parametrize("seed", range(20))
def test_temporaries_of_one_moment_do_not_overlap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lifetimes: list[Lifetime] = []
    for i in range(60):
        first = int(rng.integers(0, 20))
        buffer = Buffer(i, int(rng.integers(0, 5000)), TEMPORARY)
        lifetimes.append(Lifetime(buffer, first, first + int(rng.integers(0, 8)), int(rng.integers(1, 4))))
    size = place(lifetimes)
    for one in lifetimes:
        start, end = one.buffer.offset, one.buffer.offset + one.nbytes
        assert start % LINE == 0
        assert 0 <= start <= end <= size
        for other in lifetimes:
            if other is not one and other.first <= one.last and one.first <= other.last:
                low, high = other.buffer.offset, other.buffer.offset + other.nbytes
                assert high <= start or end <= low


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_quarter_of_what_a_sum_needs_is_there_at_once(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "threads", threads)
    staged = Making(gradient())
    (only,) = staged.stages
    assert only.count == 4
    monkeypatch.setattr(making, "divide", lambda parts, buffers: [])
    whole = Making(gradient())
    assert whole.arena >= 2 * 4 * ROWS * WIDTH
    assert staged.arena <= whole.arena / 4 + 4 * WIDTH * WIDTH + 1000  # and the sums


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_stages_change_no_bit(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(settings, "threads", 1)
        patch.setattr(making, "divide", lambda parts, buffers: [])
        (whole,) = Program(gradient(), Making(gradient()).recipe())(arrays())
    np.testing.assert_allclose(whole, expected(), rtol=1e-3, atol=1e-2)
    monkeypatch.setattr(settings, "threads", threads)
    (found,) = Program(gradient(), Making(gradient()).recipe())(arrays())
    assert found.tobytes() == whole.tobytes()


def test_the_disk_keeps_stages(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(settings, "threads", 2)
    monkeypatch.setattr(codestore, "store", Store(str(tmp_path), 1 << 26))
    monkeypatch.setattr(recipe, "LEAST", 1)
    first = compile(gradient())
    monkeypatch.setattr(making, "Making", None)
    second = compile(gradient())
    assert second.arena_size == first.arena_size
    assert second(arrays())[0].tobytes() == first(arrays())[0].tobytes()


def test_sums_larger_than_what_they_are_made_of_wait_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "threads", 2)
    monkeypatch.setattr(stages, "WORTH", 6 * ROWS * WIDTH - 4 * WIDTH * WIDTH + 1)
    assert not Making(gradient()).stages
    monkeypatch.setattr(stages, "WORTH", 6 * ROWS * WIDTH - 4 * WIDTH * WIDTH)
    assert Making(gradient()).stages


def instruction(reads: Sequence[int], writes: Sequence[int]) -> Instruction:
    return Instruction(
        Kernel("nothing", "define void @kernel() {}"), [*map(Access, reads)], [*map(Access, writes)], [], 1, 1.0
    )


def test_what_nobody_waits_for_comes_early() -> None:
    first, second, third = instruction([0], [1]), instruction([1], [2]), instruction([2], [3])
    last = instruction([3, 2], [4])
    sum_of_first, sum_of_third, of_nothing = instruction([1], [5]), instruction([3, 1], [6]), instruction([0], [7])
    order = early([first, second, third, last, sum_of_third, sum_of_first, of_nothing])
    assert order == [of_nothing, first, sum_of_first, second, third, last, sum_of_third] or order == [
        of_nothing, first, sum_of_first, second, third, sum_of_third, last,
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_everything_comes_behind_what_it_reads(seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = [instruction(rng.integers(0, 10 + i, 2).tolist(), [10 + i]) for i in range(30)]
    order = early(made)
    assert set(order) == set(made)
    written = set(range(10))
    for one in order:
        assert all(access.buffer in written for access in one.reads)
        written.update(access.buffer for access in one.writes)

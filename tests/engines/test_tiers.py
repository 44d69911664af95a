"""NumPy at first, native code for what comes back: by count, with a bound where sizes never end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from engines.native.lowered import leaves

import zerograd as torch
from zerograd.engines import native, tiers
from zerograd.engines.tiers import PATIENCE, Tiered
from zerograd.ir.graph import Node, Op
from zerograd.ops.elementwise import exp, mul, sin
from zerograd.settings import settings


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Node, ...]]]:
    """The graphs of which native programs were made."""
    graphs: list[tuple[Node, ...]] = []
    compile = native.compile

    def noted(outputs: tuple[Node, ...]) -> Any:
        graphs.append(outputs)
        return compile(outputs)

    monkeypatch.setattr(native, "compile", noted)
    monkeypatch.setattr(settings, "engine", "auto")
    tiers._made.clear()
    yield graphs
    tiers._made.clear()


def graph(size: int, op: Op = exp) -> tuple[Node, ...]:
    (x,) = leaves(np.empty(size, np.float32))
    return (op(mul(x, x)),)


def run(program: Tiered, size: int) -> np.ndarray[Any, Any]:
    return program([np.ones(size, np.float32)])[0]


def test_what_comes_back_is_compiled(made: list[tuple[Node, ...]]) -> None:
    program = Tiered(graph(5))
    first = run(program, 5)
    assert not made
    second = run(program, 5)
    assert made == [program.outputs]
    np.testing.assert_allclose(first, second, rtol=1e-6)
    run(program, 5)
    assert len(made) == 1


def test_what_is_large_is_compiled_at_once(made: list[tuple[Node, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "LARGE", 10)
    run(Tiered(graph(5)), 5)
    assert len(made) == 1


def test_the_more_sizes_the_more_often_one_must_come_back(made: list[tuple[Node, ...]]) -> None:
    needed = []
    for size in range(1, 3 * PATIENCE + 1):
        program = Tiered(graph(size))
        before = len(made)
        runs = 0
        while len(made) == before:
            run(program, size)
            runs += 1
        needed.append(runs)
    assert needed == [2] * PATIENCE + [3] * PATIENCE + [4] * PATIENCE


def test_other_structures_do_not_wait(made: list[tuple[Node, ...]]) -> None:
    for size in range(1, 2 * PATIENCE):
        program = Tiered(graph(size))
        for _ in range(4):
            run(program, size)
    other = Tiered(graph(3, sin))
    before = len(made)
    run(other, 3)
    run(other, 3)
    assert len(made) == before + 1


def test_ever_new_sizes_are_never_compiled(made: list[tuple[Node, ...]]) -> None:
    layer = torch.nn.Linear(4, 3)
    with torch.no_grad():
        for rows in range(2, 40):
            layer(torch.ones(rows, 4)).sum().item()
    assert not made

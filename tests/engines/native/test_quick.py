"""Small programs run in one native call, and take the long way where something is not as in the run before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engines.native.lowered import leaves

from zerograd import dtypes
from zerograd.engines.native import program
from zerograd.ir.graph import Node, TensorType, leaf
from zerograd.ops.elementwise import add, cast, exp, mul
from zerograd.ops.indexing import gather
from zerograd.ops.movement import expand, reshape


def _number(slot: int, kind: Any) -> Node:
    type = TensorType((), dtypes.of_scalar(kind()), weak=True)
    return Node(leaf, (), {"slot": slot, "type": type}, type, False)


@pytest.fixture
def made() -> program.Program:
    """2 x and exp(x): the second may be written over x, the first is read by nobody."""
    (x,) = leaves(np.empty(50, np.float32))
    made = program.compile((add(x, x), exp(x)))
    assert made.quick is not None
    return made


def _long_ways(made: program.Program, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one each time that the program goes the long way."""
    taken: list[int] = []
    enter = made.binding.enter

    def noted(leaves: list[Any]) -> Any:
        taken.append(1)
        return enter(leaves)

    monkeypatch.setattr(made.binding, "enter", noted)
    return taken


def test_results_are_those_of_the_long_way(made: program.Program, monkeypatch: pytest.MonkeyPatch) -> None:
    long_ways = _long_ways(made, monkeypatch)
    rng = np.random.default_rng(0)
    for _ in range(5):
        x = rng.standard_normal(50).astype(np.float32)
        double, power = made([x.copy()])
        np.testing.assert_array_equal(double, x + x)
        np.testing.assert_allclose(power, np.exp(x), rtol=1e-6)
    assert len(long_ways) == 1


def test_an_array_that_somebody_holds_is_not_written_over(
    made: program.Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ways = _long_ways(made, monkeypatch)
    held = np.linspace(-1, 1, 50, dtype=np.float32)
    before = held.copy()
    results = []
    for turn in range(8):
        given = [held] if turn % 4 > 1 else [held.copy()]
        results.append(made(given))
        np.testing.assert_array_equal(held, before)
    for double, power in results:
        np.testing.assert_array_equal(double, before + before)
        np.testing.assert_allclose(power, np.exp(before), rtol=1e-6)
    assert 1 < len(long_ways) < 8


def test_other_memory_layouts_take_the_long_way(made: program.Program, monkeypatch: pytest.MonkeyPatch) -> None:
    long_ways = _long_ways(made, monkeypatch)
    x = np.linspace(-1, 1, 50, dtype=np.float32)
    for given in (x.copy(), x.copy(), np.repeat(x, 2)[::2], x.copy(), np.frombuffer(x.tobytes(), np.float32)):
        double, power = made([given])
        np.testing.assert_array_equal(double, x + x)
        np.testing.assert_allclose(power, np.exp(x), rtol=1e-6)
    assert len(long_ways) < 5


def test_numbers_of_every_kind_are_those_of_this_run() -> None:
    (x,) = leaves(np.empty(10, np.float32))
    numbers = [_number(1 + i, kind) for i, kind in enumerate((float, int, bool))]
    result = x
    for number in numbers:
        result = add(mul(result, result), _wide(number, x.type))
    made = program.compile((result,))
    assert made.quick is not None
    for a, b, c in ((0.5, 3, True), (1.5, -4, False), (2, 7, True)):
        (found,) = made([np.ones(10, np.float32), a, b, c])
        np.testing.assert_allclose(found, np.full(10, ((1 + a) ** 2 + b) ** 2 + c), rtol=1e-6)


def _wide(number: Node, like: TensorType) -> Node:
    return expand(reshape(cast(number, dtype=like.dtype), shape=(1,)), shape=like.shape)


def test_a_wrong_index_is_reported() -> None:
    x, index = leaves(np.empty(4, np.float32), np.empty(3, np.int64))
    made = program.compile((gather(x, index, axis=0),))
    for _ in range(2):
        made([np.arange(4, dtype=np.float32), np.array([0, 3, 1])])
    with pytest.raises((IndexError, RuntimeError)):
        made([np.arange(4, dtype=np.float32), np.array([0, 4, 1])])

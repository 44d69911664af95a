"""Large arrays lie side by side in regions, apart from each other, and give their memory back."""

from __future__ import annotations

import gc
import itertools
import mmap
import weakref
from typing import Any

import numpy as np
import pytest
import torch as pytorch
from engines.native.lowered import leaves
from engines.native.processes import forks, in_child
from hypothesis import given
from hypothesis import strategies as st

import zerograd as torch
from zerograd.engines.native import pages, program
from zerograd.ops.elementwise import mul
from zerograd.settings import settings

FLOAT = np.dtype(np.float32)
SIDE = 1024  # of a square that no small program works on


def bounds(array: np.ndarray) -> tuple[int, int]:
    return array.ctypes.data, array.ctypes.data + array.nbytes


def region_of(array: np.ndarray) -> pages.Region:
    assert isinstance(array.base, pages.Block)
    return array.base.region


def lies_in_pages(tensor: Any) -> bool:
    return type(tensor.detach()._array().base) is pages.Block


@given(st.lists(st.tuples(st.integers(1, 3 << 19), st.integers(0, 30)), max_size=60))
def test_living_arrays_are_apart_and_keep_their_values(demands: list[tuple[int, int]]) -> None:
    """Each demand makes an array and drops one of those before."""
    held: list[tuple[np.ndarray, int]] = []
    for i, (size, drop) in enumerate(demands):
        array = pages.empty((size,), FLOAT)
        array[...] = i
        held.append((array, i))
        if drop < len(held):
            held.pop(drop)
    ordered = sorted(bounds(array) for array, _ in held)
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(ordered))
    assert all(start % (2 * pages.LINE) == 0 for start, _ in ordered)
    assert all((array == value).all() for array, value in held)


def test_what_dies_makes_room_for_the_next() -> None:
    first = pages.empty((1 << 20,), FLOAT)
    where = bounds(first)
    del first
    assert bounds(pages.empty((1 << 20,), FLOAT)) == where


def test_neighbours_that_died_make_one_place() -> None:
    held = [pages.empty((1 << 18,), FLOAT) for _ in range(6)]
    held.sort(key=bounds)
    start, end = bounds(held[1])[0], bounds(held[4])[1]
    del held[1:5]
    large = pages.empty(((end - start) // 4,), FLOAT)
    assert bounds(large) == (start, end)


def test_very_large_arrays_have_regions_of_their_own_which_go_with_them() -> None:
    held = pages.empty((1 << 24,), FLOAT)
    region = weakref.ref(region_of(held))
    assert all(region_of(pages.empty((1 << 18,), FLOAT)) is not region() for _ in range(3))
    del held
    assert region() is None


def test_regions_go_with_the_last_of_their_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_known", [])  # others may have arrays in those that there are
    held = [pages.empty((1 << 20,), FLOAT) for _ in range(40)]  # 4 MB each
    regions = [weakref.ref(region) for region in {region_of(array) for array in held}]
    assert len(regions) > 3
    del held
    assert sum(region() is not None for region in regions) <= 1  # the latest one stays


def test_views_keep_the_array() -> None:
    array = pages.empty((1 << 18,), FLOAT)
    array[...] = 3
    part = array[5:10]
    del array
    other = pages.empty((1 << 18,), FLOAT)
    other[...] = 4
    assert (part == 3).all()


def test_too_much_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", refuse)
    with pytest.raises(MemoryError, match="no memory for 4,294,967,296 bytes"):
        pages.empty((1 << 30,), FLOAT)


def test_systems_without_large_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    array = pages.empty((1 << 26,), FLOAT)
    array[::4096] = 7
    assert (array[::4096] == 7).all()


def test_collector_rests_while_undisturbed() -> None:
    with pages.Undisturbed():
        assert not gc.isenabled()
        with pages.Undisturbed():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


@forks
def test_children_do_not_share_memory() -> None:
    array = pages.empty((1 << 18,), FLOAT)
    array[...] = 1

    def work() -> bool:
        other = pages.empty((1 << 18,), FLOAT)
        other[...] = 5
        apart = bounds(other)[0] >= bounds(array)[1] or bounds(other)[1] <= bounds(array)[0]
        right = apart and bool((array == 1).all())
        array[...] = 2
        return right

    assert in_child(work) == 0
    assert (array == 1).all()


def test_loaded_weights_move_when_they_are_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "engine", "native")
    weights = np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(np.float32)
    results = []
    for lib in (torch, pytorch):
        weight = lib.nn.Parameter(lib.tensor(weights))
        optimizer = lib.optim.SGD([weight], lr=0.1, momentum=0.9)
        for _ in range(3):
            optimizer.zero_grad()
            (weight * weight).sum().backward()
            optimizer.step()
        if lib is torch:
            assert lies_in_pages(weight)
            assert lies_in_pages(optimizer.state[weight]["momentum_buffer"])
        results.append(weight.detach().numpy())
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5)


def test_operands_in_pages_are_written_over_unless_somebody_has_them() -> None:
    (x,) = leaves(np.empty((SIDE, SIDE), np.float32))
    made = program.compile((mul(x, x),))

    def operand() -> np.ndarray:
        array = pages.empty((SIDE, SIDE), FLOAT)
        array[...] = 3
        return array

    given = [operand()]
    where = bounds(given[0])
    (found,) = made(given)
    assert bounds(found) == where
    held = operand()
    (found,) = made([held])
    assert (held == 3).all()
    assert (found == 9).all()
    part = held[1:]
    given = [held]
    del held
    (found,) = made(given)
    assert (part == 3).all()
    assert (found == 9).all()


def test_operands_anywhere_move_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = leaves(*(np.empty((SIDE, SIDE), np.float32) for _ in range(3)))
    made = program.compile(tuple(mul(x, x) for x in inputs))
    monkeypatch.setattr(program, "_MOVED", 2 * SIDE * SIDE * 4)
    given = [np.full((SIDE, SIDE), 3, np.float32) for _ in range(3)]
    for moved, value in ((2, 9), (3, 81)):
        given = made(given)
        assert sum(type(array.base) is pages.Block for array in given) == moved
        assert all((array == value).all() for array in given)

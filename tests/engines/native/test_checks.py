"""Values that are checked while they are computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engines.native.graphs import check_close, check_same
from engines.native.lowered import leaves

import zerograd as torch
from zerograd import dtypes
from zerograd.engines.native import program
from zerograd.ir.graph import TensorType
from zerograd.ops import reduction
from zerograd.ops.bounds import within
from zerograd.ops.elementwise import mul, sub
from zerograd.ops.indexing import wrap
from zerograd.ops.linalg import LinAlgError, inverse
from zerograd.ops.loss import binary_cross_entropy
from zerograd.ops.source import filled
from zerograd.settings import settings

Array = np.ndarray[Any, Any]


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
@pytest.mark.parametrize("n", [1, 7, 16, 100])
def test_places_within_bounds(dtype: str, n: int) -> None:
    places = (np.arange(n) % 5).astype(dtype)
    (x,) = leaves(places)
    check_same([within(x, size=5, ignored=None, problem="target")], [places])


@pytest.mark.parametrize("at", [0, 3, 8, 9])
@pytest.mark.parametrize("wrong", [-1, 5, 255])
def test_places_out_of_bounds(at: int, wrong: int) -> None:
    places = np.arange(10) % 5
    places[at] = wrong
    (x,) = leaves(places)
    made = program.compile((within(x, size=5, ignored=-100, problem="target"),))
    with pytest.raises(IndexError, match=f"target: {wrong} is out of bounds"):
        made([places])
    places[at] = -100
    np.testing.assert_array_equal(made([places])[0], places)


def test_places_that_are_computed() -> None:
    """Lanes behind the last element hold 0 - 1, which is not within bounds but does not count."""
    places = np.arange(1, 6)
    (x,) = leaves(places)
    shifted = sub(x, filled(1, TensorType((5,), dtypes.int64)))
    check_same([mul(within(shifted, size=5, ignored=None, problem="target"), x)], [places])
    made = program.compile((within(shifted, size=5, ignored=None, problem="target"),))
    made([places])
    with pytest.raises(IndexError, match="target: -1"):
        made([places * 0])


def test_wide_bounds() -> None:
    places = np.array([0, 127, 255], np.uint8)
    (x,) = leaves(places)
    check_same([within(x, size=300, ignored=None, problem="target")], [places])
    with pytest.raises(IndexError):
        program.compile((within(x, size=200, ignored=None, problem="target"),))([places])


@pytest.mark.parametrize("n", [1, 5, 33])
def test_places_from_the_end(n: int) -> None:
    places = np.random.default_rng(n).integers(-6, 6, n)
    (x,) = leaves(places)
    check_same([wrap(x, size=6), reduction.sum(wrap(x, size=6), axes=(0,))], [places])
    made = program.compile((wrap(x, size=6),))
    places[-1] = -7
    with pytest.raises(IndexError, match="-7"):
        made([places])


def test_probabilities() -> None:
    rng = np.random.default_rng(0)
    p, y = rng.random(37).astype(np.float32), rng.random(37).astype(np.float32)
    p[:2] = 0, 1
    x, target = leaves(p, y)
    check_close([binary_cross_entropy(x, target)], [p, y])
    made = program.compile((binary_cross_entropy(x, target),))
    p[36] = np.nan
    with pytest.raises(RuntimeError, match="probabilities"):
        made([p, y])


def test_what_has_no_value_whatever_the_data_fails_when_it_runs() -> None:
    """Not when the program is made: nobody would know then which of the values that are waiting it is."""
    made = program.compile((inverse(filled(0, TensorType((2, 2), dtypes.float32))),))
    with pytest.raises(LinAlgError, match="singular"):
        made([])


def test_values_beside_one_that_fails_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "engine", "native")
    x = torch.ones(3) + 1
    with pytest.raises(torch.linalg.LinAlgError, match="singular"):
        torch.linalg.inv(torch.zeros(2, 2))
    assert x.tolist() == [2, 2, 2]
    assert (torch.ones(3) * 3).tolist() == [3, 3, 3]


def test_a_wrong_index_leaves_dead_leaves_as_they_were() -> None:
    """Also in the one native call that small programs run in, once results are written over leaves."""
    w, places = np.arange(12, dtype=np.float32).reshape(3, 4), np.array([0, 4, 2])
    x, y = leaves(w, places)
    made = program.compile((within(y, size=5, ignored=None, problem="target"), mul(x, sub(x, x))))
    for _ in range(3):
        given = [w.copy(), places]
        where = given[0].ctypes.data
        _, result = made(given)
        assert result.ctypes.data == where, "written over the leaf"
        assert not result.any()
    given = [w.copy(), np.array([0, 5, 2])]
    with pytest.raises(IndexError, match="5"):
        made(given)
    np.testing.assert_array_equal(given[0], w)

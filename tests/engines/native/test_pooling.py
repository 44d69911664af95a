"""Pooling, resampling and values at places against their references."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from engines.native.lowered import Lowered, leaves, random_cuts

import zerograd
from zerograd.engines.native import program
from zerograd.engines.native.pooling import lowering as pooling_lowering
from zerograd.engines.native.target import Target, host
from zerograd.ir.graph import Node, output
from zerograd.ops import indexing, pooling
from zerograd.ops.source import filled

Array = np.ndarray[Any, Any]
DTYPES: dict[str, Any] = {"float": np.float32, "double": np.float64, "half": np.float16, "bfloat": ml_dtypes.bfloat16}
EPSILON = {"float": 2.0**-23, "double": 2.0**-52, "half": 2.0**-10, "bfloat": 2.0**-7}


def table(size: int, kernel: int, stride: int, padding: int, dilation: int) -> pooling.Table:
    """Regular windows."""
    count = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    starts = [w * stride - padding for w in range(count)]
    reads = [[start + k * dilation for k in range(kernel)] for start in starts]
    return tuple(tuple(at if 0 <= at < size else -1 for at in one) for one in reads)


def irregular(rng: np.random.Generator, size: int) -> pooling.Table:
    """Windows of any positions, in any order, of which some are outside."""
    count, kernel = int(rng.integers(1, 20)), int(rng.integers(1, 5))
    reads = rng.integers(-1, size, (count, kernel))
    reads[:, rng.integers(0, kernel)] = rng.integers(0, size, count)
    return tuple(tuple(map(int, one)) for one in reads)


def random_table(rng: np.random.Generator, size: int) -> pooling.Table:
    if rng.random() < 0.3:
        return irregular(rng, size)
    kernel = int(rng.integers(1, min(size, 5) + 1))
    found = table(size, kernel, int(rng.integers(1, 4)), int(rng.integers(0, kernel // 2 + 1)), 1)
    return found or table(size, 1, 1, 0, 1)


def same(made: Lowered, expected: Any, rng: np.random.Generator) -> list[Array]:
    """The results, bit for bit in any division."""
    assert made.native
    found = made.run()
    for one, other in zip(made.run(random_cuts(rng)), found, strict=True):
        assert one.tobytes() == other.tobytes()
    for one, wanted in zip(found, expected, strict=True):
        assert one.shape == wanted.shape
    return found


def maxima(x: Array, tables: tuple[pooling.Table, ...], both: bool = True) -> tuple[Lowered, Any]:
    leaf = leaves(x)[0]
    whole = Node(pooling.max_pool, (leaf,), {"tables": tables}, pooling.max_pool.infer(leaf.type, tables=tables), False)
    outs = [Node(output, (whole,), {"index": i}, whole.type[i], False) for i in range(1 + both)]
    expected = pooling.max_pool.reference(x, tables=tables)
    return Lowered(outs, [x]), expected[: 1 + both]


@pytest.mark.parametrize("type", DTYPES)
@pytest.mark.parametrize("seed", range(12))
def test_maxima_and_their_places_are_the_references(seed: int, type: str) -> None:
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 4))
    size = tuple(map(int, rng.integers(1, (0, 60, 24, 8)[rank], rank)))
    lead = tuple(map(int, rng.integers(1, 4, rng.integers(0, 3))))
    x = rng.integers(-3, 3, (*lead, *size)).astype(DTYPES[type])  # many are equal: the first counts
    x[rng.random(x.shape) < 0.1] = -np.inf
    if seed % 3 == 0:
        x[rng.random(x.shape) < 0.1] = np.nan  # the last NaN counts
    made, expected = maxima(x, tuple(random_table(rng, n) for n in size), both=seed % 4 != 1)
    found = same(made, expected, rng)
    np.testing.assert_array_equal(found[0].astype(np.float64), expected[0].astype(np.float64))
    if len(found) > 1:
        np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("type", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_sums_over_windows_are_the_references(seed: int, weighted: bool, type: str) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(map(int, rng.integers(1, 30, rng.integers(1, 4))))
    axis = int(rng.integers(0, len(shape)))
    x = rng.standard_normal(shape).astype(DTYPES[type])
    windows = random_table(rng, shape[axis])
    weights = tuple(tuple(map(float, rng.standard_normal(len(one)))) for one in windows) if weighted else None
    how: dict[str, Any] = {"axis": axis, "table": windows, "weights": weights}
    node = pooling.resample(*leaves(x), **how)
    expected = pooling.resample.reference(x.astype(np.float64), **how)
    (found,) = same(Lowered([node], [x]), [expected], rng)
    bound = 8 * EPSILON["double" if type == "double" else "float"] * 5 + EPSILON[type] * abs(expected)
    assert (abs(found.astype(np.float64) - expected) <= bound).all()


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("seed", range(6))
def test_narrow_vectors(seed: int) -> None:
    test_maxima_and_their_places_are_the_references(seed, "float")
    test_sums_over_windows_are_the_references(seed, bool(seed % 2), "double")


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors of four float32."""
    here = host()
    monkeypatch.setattr(pooling_lowering, "host", lambda: Target(here.triple, here.cpu, here.features, 4, 16))
    pooling_lowering._pooled.cache_clear()
    pooling_lowering._resampled.cache_clear()


def test_a_window_that_reads_nothing_is_left_to_numpy() -> None:
    made, _ = maxima(np.ones((2, 3), np.float32), (((0, 1), (-1, -1)),))
    assert not made.native


PLACED = {
    "rows": ((5, 9), (5, 4), 1), "first axis": ((9, 5), (12, 5), 0), "middle axis": ((3, 7, 4), (3, 2, 4), 1),
    "line": ((13,), (40,), 0),
}  # fmt: skip


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16, np.int64, np.int32, np.uint8, np.bool_])
@pytest.mark.parametrize("op", ["scatter", "scatter_add", "gather"])
@pytest.mark.parametrize("case", PLACED)
def test_values_at_places_are_the_references(case: str, op: str, kind: Any) -> None:
    shape, index, axis = PLACED[case]
    rng = np.random.default_rng(3)
    x = rng.integers(0, 100, shape).astype(kind)
    places = rng.integers(-shape[axis], shape[axis], index)
    values = rng.integers(0, 100, index).astype(kind)
    arrays = [x, places] if op == "gather" else [x, places, values]
    node = getattr(indexing, op)(*leaves(*arrays), axis=axis)
    made = Lowered([node], arrays)
    if op == "scatter_add" and kind in (np.float16, np.bool_):
        assert not made.native
        return
    expected = node.op.reference(*arrays, axis=axis)
    (found,) = same(made, [expected], rng)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("op", ["scatter", "scatter_add"])
def test_values_put_among_zeros(op: str) -> None:
    rng = np.random.default_rng(4)
    places, values = rng.integers(0, 67, (6, 5)), rng.standard_normal((6, 5)).astype(np.float32)
    index, part = leaves(places, values)
    zeros = filled(0.0, part.type.with_shape((6, 67)))
    made = Lowered([getattr(indexing, op)(zeros, index, part, axis=1)], [places, values])
    expected = getattr(indexing, op).reference(np.zeros((6, 67), np.float32), places, values, axis=1)
    (found,) = same(made, [expected], rng)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert made.kernels() == ["placing"]


@pytest.mark.parametrize("place", [-6, 5, 1 << 40])
def test_a_wrong_place_is_an_error(place: int) -> None:
    x, places = np.ones((2, 5), np.float32), np.array([[0], [place]])
    node = indexing.gather(*leaves(x, places), axis=1)
    with pytest.raises(IndexError):
        program.compile((node,))([x, places])


def test_a_network_with_pooling_leaves_nothing_to_numpy() -> None:
    x = np.random.default_rng(0).standard_normal((3, 4, 13, 11)).astype(np.float32)
    functional = zerograd.nn.functional
    for pool in (
        lambda x: functional.max_pool2d(x, 3, 2, 1),
        lambda x: functional.avg_pool2d(x, 3, 2, 1, ceil_mode=True),
        lambda x: functional.adaptive_avg_pool2d(x, (5, 3)),
        lambda x: functional.adaptive_max_pool2d(x, (5, 3)),
        lambda x: functional.interpolate(x, scale_factor=2.0, mode="bilinear"),
    ):
        assert _native(pool, x)


def _native(function: Any, x: Array) -> bool:
    """Whether a function and its gradient become kernels only."""
    from zerograd.runtime import realize

    found: list[bool] = []

    class Tier:
        @staticmethod
        def compile(outputs: Any) -> Any:
            made = program.compile(outputs)
            found.append(all(isinstance(part, program.Segment) for part in made.parts))
            return made

    before, realize.tiers = realize.tiers, Tier
    try:
        tensor = zerograd.tensor(x, requires_grad=True)
        function(tensor).square().sum().backward()
        assert tensor.grad is not None
        tensor.grad.numpy()
    finally:
        realize.tiers = before
    return bool(found) and all(found)

"""Convolutions by 3x3 kernels as products of transformed tiles: right wherever they could go wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engines.native.lowered import Lowered, random_cuts
from engines.native.test_convolutions import DTYPES, Case, check, check_ones

import zerograd
from zerograd.engines.native import program
from zerograd.engines.native.convolutions import plan as direct
from zerograd.engines.native.convolutions.winograd import plan, plan_gradient
from zerograd.engines.native.target import Target, host
from zerograd.settings import settings

Array = np.ndarray[Any, Any]
NAMES = {"conv": "winograd", "conv_input": "winograd", "conv_weight": "winograd_gradient"}
SIDES = tuple(NAMES)


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it costs."""
    monkeypatch.setattr(plan, "WORTH", 1e9)


def square(batch: int, channels: int, features: int, size: tuple[int, int], padding: Any = 0, groups: int = 1) -> Case:
    pads = padding if isinstance(padding, tuple) else (padding, padding)
    return Case(batch, channels, features, size, (3, 3), padding=pads, groups=groups)


def used(case: Case, side: str, *arrays: Array) -> Lowered:
    made = Lowered([case.node(side, *arrays)], list(arrays))
    assert NAMES[side] in made.kernels()
    return made


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("padding", [0, 1, 2, 3, ((0, 1), (2, 0)), ((3, 0), (1, 4))], ids=str)
@pytest.mark.parametrize("size", [(3, 3), (4, 5), (5, 4), (6, 6), (7, 3), (13, 14), (26, 26), (2, 41), (33, 1)])
def test_sizes_and_paddings(size: tuple[int, int], padding: Any, side: str) -> None:
    case = square(2, 5, 7, size, padding)
    if min(case.windows) < 1:
        pytest.skip("no window")
    used(case, side, *(np.zeros(shape, np.float32) for shape in case.operands(side)))
    check(case, side, spread=True)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("type", ["float", "double", "half", "bfloat"])
@pytest.mark.parametrize("seed", range(12))
def test_any_shape_of_any_type(seed: int, type: str, side: str) -> None:
    check(random_square(np.random.default_rng(seed)), side, type, seed, spread=True)


def random_square(rng: np.random.Generator) -> Case:
    while True:
        batch, channels, features, groups = (int(rng.integers(1, most)) for most in (9, 20, 40, 4))
        height, width = map(int, rng.integers(1, 34, 2))
        padding = tuple((int(a), int(b)) for a, b in rng.integers(0, 4, (2, 2)))
        case = square(batch, channels, features, (height, width), padding, groups)
        if min(case.windows) > 0:
            return case


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("seed", range(20))
def test_blocks_of_any_size(seed: int, side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small limits divide small convolutions as large ones are divided."""
    rng = np.random.default_rng(seed)
    for (module, name), (low, high) in LIMITS.items():
        monkeypatch.setattr(module, name, int(rng.integers(low, high)))
    check(random_square(rng), side, seed=seed, spread=True)


LIMITS = {
    (plan, "SOURCE"): (64, 1 << 17), (plan, "TARGET"): (64, 1 << 16), (plan, "LEAST_TILES"): (1, 100),
    (plan, "FEWEST_TILES"): (1, 50),
    (plan, "UNITS"): (1, 40), (plan_gradient, "SUMS"): (64, 1 << 16), (plan_gradient, "TILES"): (64, 1 << 16),
    (plan_gradient, "PARTS"): (64, 1 << 20), (plan_gradient, "LEAST_TILES"): (1, 100),
}  # fmt: skip


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize("seed", range(6))
def test_vectors_of_any_width(seed: int, lanes: int, side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers as SSE2 and NEON, AVX, AVX-512 have them."""
    here = host()
    target = Target(here.triple, here.cpu, here.features, lanes, 32 if lanes == 16 else 16)
    for module in (plan, plan_gradient, direct):
        monkeypatch.setattr(module, "host", lambda: target)
    check(random_square(np.random.default_rng(seed)), side, ("float", "double")[seed % 2], seed, spread=True)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("type", ["float", "double"])
def test_whole_numbers_stay_exact(side: str, type: str) -> None:
    case = square(3, 17, 19, (15, 22), 1)
    rng = np.random.default_rng(0)
    arrays = [rng.integers(-9, 10, shape).astype(DTYPES[type]) for shape in case.operands(side)]
    node = case.node(side, *arrays)
    expected = node.op.reference(*(one.astype(np.float64) for one in arrays), **node.attributes)
    assert (used(case, side, *arrays).run()[0] == expected).all()


SPECIAL = [
    [(1, 2, 3, 4, np.nan)], [(0, 0, 0, 0, np.inf)], [(2, 3, 8, 9, -np.inf)],
    [(0, 1, 4, 4, np.inf), (0, 2, 4, 4, -np.inf)], [(1, 1, 5, 6, np.inf), (1, 1, 5, 7, np.inf)],
]  # fmt: skip


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("operand", [0, 1])
@pytest.mark.parametrize("places", SPECIAL, ids=str)
def test_what_is_not_finite_reaches_what_it_reaches_by_definition(side: str, operand: int, places: Any) -> None:
    case = square(3, 4, 5, (9, 11), 1)
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in case.operands(side)]
    for *place, value in places:
        at = tuple(min(i, n - 1) for i, n in zip(place, arrays[operand].shape, strict=True))
        arrays[operand][at] = value
    arrays[1 - operand][0, 0] = 0.0  # 0 times infinity is NaN
    made = used(case, side, *arrays)
    (found,) = made.run()
    node = case.node(side, *arrays)
    with np.errstate(all="ignore"):
        expected = node.op.reference(*(one.astype(np.float64) for one in arrays), **node.attributes)
    assert np.isnan(expected).any() or np.isinf(expected).any()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert made.run(random_cuts(np.random.default_rng(1)))[0].tobytes() == found.tobytes()


@pytest.mark.parametrize("side", SIDES)
def test_a_transform_that_overflows_is_not_used(side: str) -> None:
    """The sum of four numbers is too large, each product of one is not."""
    case = square(2, 3, 4, (8, 8), 1)
    arrays = [np.full(shape, 1e-10, np.float32) for shape in case.operands(side)]
    arrays[0][1, 1] = 3e38
    node = case.node(side, *arrays)
    expected = node.op.reference(*(one.astype(np.float64) for one in arrays), **node.attributes)
    (found,) = used(case, side, *arrays).run()
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("side", SIDES)
def test_threads_change_no_bit(side: str) -> None:
    case = square(8, 24, 40, (18, 17), 1)
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in case.operands(side)]
    found = []
    before = zerograd.get_num_threads()
    try:
        for count in (1, 2, 3):
            zerograd.set_num_threads(count)
            found.append(program.compile((case.node(side, *arrays),))(arrays)[0])
    finally:
        zerograd.set_num_threads(before)
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()


@pytest.mark.parametrize("side", SIDES)
def test_no_image_gives_what_the_reference_gives(side: str) -> None:
    check_ones(square(0, 17, 19, (5, 5), 1), side)


@pytest.mark.parametrize("side", SIDES)
def test_it_can_be_turned_off_and_is_only_used_where_it_fits(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def kernels(case: Case) -> list[str]:
        arrays = [np.ones(shape, np.float32) for shape in case.operands(side)]
        return Lowered([case.node(side, *arrays)], arrays).kernels()

    large = square(4, 32, 32, (16, 16), 1)
    monkeypatch.setattr(plan, "WORTH", 0.9)
    assert NAMES[side] in kernels(large)
    for other in (
        square(4, 2, 32, (16, 16), 1),
        Case(4, 32, 32, (16, 16), (3, 3), (2, 1)),
        Case(4, 32, 32, (16, 16), (3, 3), dilation=(1, 2)),
        Case(4, 32, 32, (16, 16), (3, 2)),
        Case(2, 32, 32, (3, 16, 16), (3, 3, 3)),
    ):
        assert NAMES[side] not in kernels(other)
    monkeypatch.setattr(settings, "winograd", False)
    assert NAMES[side] not in kernels(large)


def test_wrong_weights_are_found() -> None:
    """The comparisons above can fail."""
    case = square(2, 4, 5, (9, 8), 1)
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in (case.x, case.w))
    made = used(case, "conv", x, w)
    expected = case.node("conv", x, w).op.reference(x, w.swapaxes(2, 3), **case.how)
    assert abs(made.run()[0] - expected).max() > 0.1

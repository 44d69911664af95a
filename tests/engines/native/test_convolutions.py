"""Convolutions of the native engine and their gradients against the reference in float64."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from engines.native.lowered import Lowered, leaves, random_cuts

from zerograd.engines.native import program
from zerograd.engines.native.convolutions import blocks, plan, plan_weights, stencil
from zerograd.engines.native.target import Target, host
from zerograd.ops import convolution as ops
from zerograd.settings import settings

Array = np.ndarray[Any, Any]
DTYPES: dict[str, Any] = {"float": np.float32, "double": np.float64, "half": np.float16, "bfloat": ml_dtypes.bfloat16}
EPSILON = {"float": 2.0**-23, "double": 2.0**-52, "half": 2.0**-10, "bfloat": 2.0**-7}
SIDES = ("conv", "conv_input", "conv_weight")


@pytest.fixture(autouse=True)
def only_sums_over_taps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other way is tested in test_winograd.py."""
    monkeypatch.setattr(settings, "winograd", False)


class Case:
    """A convolution: sizes and attributes.

    Args:
        batch, channels, features: the last two within a group.
    """

    def __init__(
        self, batch: int, channels: int, features: int, size: tuple[int, ...], kernel: tuple[int, ...],
        stride: tuple[int, ...] | None = None, padding: tuple[Any, ...] | None = None,
        dilation: tuple[int, ...] | None = None, groups: int = 1,
    ) -> None:  # fmt: skip
        ones = (1,) * len(size)
        self.size, self.kernel = size, kernel
        padding = tuple((p, p) if isinstance(p, int) else p for p in padding or (0,) * len(size))
        self.how = {"stride": stride or ones, "padding": padding, "dilation": dilation or ones}
        self.windows = ops.window_counts(size, kernel, self.how["stride"], padding, self.how["dilation"])
        self.how["groups"] = groups
        self.x = (batch, channels * groups, *size)
        self.w = (features * groups, channels, *kernel)
        self.y = (batch, features * groups, *self.windows)

    def operands(self, side: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return {"conv": (self.x, self.w), "conv_input": (self.y, self.w), "conv_weight": (self.x, self.y)}[side]

    def node(self, side: str, *arrays: Array) -> Any:
        more: dict[str, Any] = {"conv_input": {"size": self.size}, "conv_weight": {"kernel": self.kernel}}.get(side, {})
        return getattr(ops, side)(*leaves(*arrays), **self.how, **more)

    def __repr__(self) -> str:
        return f"{self.x} {self.w} {self.how}"


def random_case(rng: np.random.Generator) -> Case:
    """Any attributes, such that there is a window."""
    while True:
        rank = int(rng.integers(1, 4))
        size = tuple(map(int, rng.integers(1, (0, 80, 24, 7)[rank], rank)))
        kernel, stride = (tuple(map(int, rng.integers(1, 5, rank))) for _ in range(2))
        dilation = tuple(map(int, rng.integers(1, 4, rank)))
        padding = tuple((int(a), int(b)) for a, b in rng.integers(0, 4, (rank, 2)))
        if rng.random() < 0.3:  # the source itself serves as planes
            padding, stride = ((0, 0),) * rank, (1,) * rank
        features = int(rng.choice([1, 2, 3, 5, 7, 8, 13, 17]))
        groups = int(rng.choice([1, 1, 1, 2, 3]))
        batch, channels = map(int, rng.integers(1, 6, 2))
        case = Case(batch, channels, features, size, kernel, stride, padding, dilation, groups)
        if min(case.windows) > 0:
            return case


def check(case: Case, side: str, type: str = "float", seed: int = 0, spread: bool = False) -> None:
    """Right, in its own memory, and the same bits however the units are divided.

    Args:
        spread: whether the rounding of a tap may be that of the kernel's others.
    """
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape).astype(DTYPES[type]) for shape in case.operands(side)]
    node = case.node(side, *arrays)
    wide = [one.astype(np.float64) for one in arrays]
    expected = node.op.reference(*wide, **node.attributes)
    sizes = [abs(one) for one in wide]
    if spread and side != "conv_weight":
        sizes[1] = np.broadcast_to(4 * sizes[1].sum((2, 3), keepdims=True), sizes[1].shape)
    magnitude = node.op.reference(*sizes, **node.attributes)
    if spread and side == "conv_weight":
        magnitude = 4 * magnitude.sum((2, 3), keepdims=True)
    made = Lowered([node], arrays)
    assert made.native
    (first,) = made.run()
    single = "float" if type in ("half", "bfloat") else type
    terms = arrays[0].size + arrays[1].size
    limit = min(terms, 4000) * EPSILON[single] * magnitude + EPSILON[type] * abs(expected) + 1e-300
    assert first.shape == expected.shape
    assert (abs(first.astype(np.float64) - expected) <= limit).all(), (case, side)
    for _ in range(2):
        (again,) = made.run(random_cuts(rng))
        assert again.tobytes() == first.tobytes(), (case, side)


NAMED = {
    "one number": Case(1, 1, 1, (1,), (1,)),
    "first layer": Case(3, 1, 32, (28, 28), (3, 3)),
    "second layer": Case(2, 32, 64, (13, 13), (3, 3)),
    "many channels": Case(1, 150, 7, (9, 9), (3, 3), padding=(1, 1)),
    "crowded cache sets": Case(2, 8, 13, (32, 16), (3, 3)),
    "stem": Case(1, 3, 20, (45, 45), (7, 7), (2, 2), (3, 3)),
    "one by one": Case(2, 40, 21, (7, 7), (1, 1)),
    "one by one, strided": Case(2, 20, 21, (14, 14), (1, 1), (2, 2)),
    "patches": Case(2, 3, 24, (16, 24), (8, 8), (8, 8)),
    "stride beyond the kernel": Case(2, 3, 5, (17, 19), (2, 1), (5, 4)),
    "kernel larger than the image": Case(2, 3, 5, (2, 3), (5, 6), padding=(2, (1, 3))),
    "only padding at the border": Case(1, 2, 3, (1, 2), (2, 2), (2, 3), (3, 3)),
    "dilated": Case(2, 3, 5, (19, 23), (3, 3), (1, 2), (2, 3), (4, 3)),
    "depthwise": Case(2, 1, 1, (13, 17), (3, 3), (1, 1), (1, 1), groups=19),
    "depthwise with a multiplier": Case(2, 1, 2, (13, 17), (5, 3), (2, 1), (2, 1), groups=9),
    "long rows": Case(1, 3, 5, (3000,), (9,), padding=(4,)),
    "a line": Case(2, 16, 12, (301,), (5,), (3,), (2,), (2,), 2),
    "a body": Case(2, 3, 7, (5, 8, 9), (3, 3, 3), (2, 1, 2), (1, 1, 1)),
    "a body without padding": Case(2, 3, 7, (5, 8, 9), (2, 3, 3), (2, 1, 1)),
    "flat planes": Case(1, 2, 3, (1, 40), (1, 3), padding=(0, 1)),
    "tall planes": Case(1, 2, 3, (40, 1), (3, 1), padding=(1, 0)),
}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", NAMED)
def test_a_convolution_is_the_references(name: str, side: str) -> None:
    check(NAMED[name], side)


@pytest.mark.parametrize("type", ["double", "half", "bfloat"])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", ["first layer", "stem", "dilated", "depthwise with a multiplier", "a body", "a line"])
def test_a_convolution_of_another_type_is_the_references(name: str, side: str, type: str) -> None:
    check(NAMED[name], side, type)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("seed", range(40))
def test_any_attributes(seed: int, side: str) -> None:
    check(random_case(np.random.default_rng(seed)), side, seed=seed)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors of four float32 and sixteen registers, as SSE2 and NEON have them."""
    here = host()
    target = Target(here.triple, here.cpu, here.features, 4, 16)
    for module in (plan, plan_weights):
        monkeypatch.setattr(module, "host", lambda: target)
    monkeypatch.setattr(plan, "_host_tile", plan._host_tile.__wrapped__)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("seed", range(40, 50))
def test_narrow_vectors(seed: int, side: str) -> None:
    check(random_case(np.random.default_rng(seed)), side, ("float", "double")[seed % 2], seed)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("seed", range(50, 70))
def test_blocks_of_any_size(seed: int, side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small limits divide small convolutions as large ones are divided."""
    rng = np.random.default_rng(seed)
    limits = {
        (blocks, "PLANES"): (512, 4096), (plan, "DEPTH"): (3, 40), (plan, "ROWS_OF_DEPTH"): (1, 9),
        (plan, "BLOCK_PANELS"): (1, 3), (plan_weights, "FEW_POSITIONS"): (1, 60), (plan_weights, "SUMS"): (64, 4096),
        (plan_weights, "PARTS"): (64, 1 << 20), (blocks, "UNITS"): (1, 40),
    }  # fmt: skip
    for (module, name), (low, high) in limits.items():
        monkeypatch.setattr(module, name, int(rng.integers(low, high)))
    check(random_case(rng), side, seed=seed)


@pytest.mark.parametrize("side", SIDES[:2])
@pytest.mark.parametrize("seed", range(70, 90))
def test_images_whose_positions_are_copied_together(seed: int, side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(plan, "WORTH_PACKING", 1e9)
    monkeypatch.setattr(plan, "MOST_TOGETHER", int(rng.integers(1, 9)))
    monkeypatch.setattr(plan, "DEPTH", int(rng.choice([7, 640])))
    made: list[Any] = []
    pack = stencil.pack_panel

    def packing(*arguments: Any) -> None:
        made.append(arguments)
        pack(*arguments)

    monkeypatch.setattr(stencil, "pack_panel", packing)
    plan._stencil.cache_clear()
    rank = int(rng.integers(1, 4))
    kernel, padding = (tuple(map(int, rng.integers(low, 4, rank))) for low in (1, 0))
    stride = tuple(map(int, rng.integers(1, 3, rank))) if side == "conv" else None
    case = Case(
        int(rng.choice([8, 24, 32])), 3, int(rng.choice([2, 5, 13])), tuple(map(int, rng.integers(3, 8, rank))), kernel,
        stride, padding, groups=int(rng.integers(1, 3)),
    )  # fmt: skip
    check(case, side, seed=seed)
    assert made, "no panel was packed"


def check_odd(case: Case, side: str, type: str, seed: int) -> None:
    """Infinities and NaN reach what they reach by the definition: 0 * inf is NaN, and around an image is nothing."""
    rng = np.random.default_rng(seed)
    arrays = [rng.integers(-2, 3, shape).astype(DTYPES[type]) for shape in case.operands(side)]
    for operand in rng.permutation(2)[: rng.integers(1, 3)]:
        numbers = arrays[operand].reshape(-1)
        for value in (np.inf, -np.inf, np.nan)[: rng.integers(1, 4)]:
            numbers[rng.integers(numbers.size)] = value
    node = case.node(side, *arrays)
    with np.errstate(all="ignore"):
        expected = node.op.reference(*(one.astype(np.float64) for one in arrays), **node.attributes)
    made = Lowered([node], arrays)
    (first,) = made.run()
    np.testing.assert_array_equal(first.astype(np.float64), expected, str(case))
    assert made.run(random_cuts(rng))[0].tobytes() == first.tobytes()


@pytest.mark.parametrize("type", ["float", "double"])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("seed", range(40))
def test_what_is_not_finite_reaches_what_it_reaches_by_definition(seed: int, side: str, type: str) -> None:
    check_odd(random_case(np.random.default_rng(seed)), side, type, seed)


@pytest.mark.parametrize("type", ["float", "half", "bfloat"])
@pytest.mark.parametrize("name", NAMED)
def test_infinite_weights_do_not_meet_what_stands_around_the_windows(name: str, type: str) -> None:
    case = NAMED[name]
    y = np.ones(case.y, DTYPES[type])
    w = np.ones(case.w, DTYPES[type])
    w.reshape(-1)[:: max(w.size // 3, 1)] = np.inf
    node = case.node("conv_input", y, w)
    found = Lowered([node], [y, w]).run()[0].astype(np.float64)
    expected = node.op.reference(y.astype(np.float64), w.astype(np.float64), **node.attributes)
    assert not np.isnan(expected).any()
    np.testing.assert_array_equal(found, expected.astype(DTYPES[type]).astype(np.float64))


@pytest.mark.parametrize("seed", range(90, 100))
def test_what_is_not_finite_among_positions_copied_together(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(plan, "WORTH_PACKING", 1e9)
    monkeypatch.setattr(plan, "DEPTH", int(rng.choice([7, 640])))
    case = Case(24, 3, int(rng.choice([2, 5, 13])), (5, 7), (3, 2), None, tuple(map(int, rng.integers(0, 4, 2))))
    check_odd(case, "conv_input", "float", seed)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    "case",
    [Case(0, 2, 3, (5, 5), (2, 2)), Case(2, 0, 3, (5, 5), (2, 2)), Case(2, 2, 0, (5, 5), (2, 2))],
    ids=["no image", "no channel", "no feature"],
)
def test_empty_operands_give_what_the_reference_gives(case: Case, side: str) -> None:
    check_ones(case, side)


def check_ones(case: Case, side: str) -> None:
    """Operands of ones give what they give with NumPy, bit for bit."""
    arrays = [np.ones(shape, np.float32) for shape in case.operands(side)]
    node = case.node(side, *arrays)
    (found,) = program.compile((node,))(arrays)
    expected = node.op.reference(*arrays, **node.attributes)
    assert found.shape == expected.shape
    assert (found == expected).all()


def test_wrong_weights_are_found() -> None:
    """The comparison above can fail."""
    case = NAMED["dilated"]
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in (case.x, case.w))
    made = Lowered([case.node("conv", x, w)], [x, w])
    expected = case.node("conv", x, w).op.reference(x, w[..., ::-1], **case.how)
    assert abs(made.run()[0] - expected).max() > 0.1

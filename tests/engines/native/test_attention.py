"""Attention in machine code against its NumPy reference in float64."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from engines.native.running import Memory, Prepared

from zerograd import dtypes
from zerograd.engines.native import program
from zerograd.engines.native.attention import plan as planning
from zerograd.engines.native.attention.lowering import NAMES, TURNED
from zerograd.engines.native.attention.plan import Shape, plan
from zerograd.engines.native.lower import Lowering, Reference
from zerograd.engines.native.products.matrix import Matrix
from zerograd.engines.native.products.tile import tile_for
from zerograd.engines.native.target import Target, host
from zerograd.ir.graph import Node, TensorType, leaf
from zerograd.ops.attention import INSIDE, attention, attention_gradient
from zerograd.ops.movement import cat, narrow, permute, reshape
from zerograd.ops.source import filled

Array = np.ndarray[Any, Any]
DTYPES: dict[str, Any] = {
    "float": np.float32, "double": np.float64, "half": np.float16, "bfloat": ml_dtypes.bfloat16, "bool": np.bool_,
}  # fmt: skip
EPSILON = {"float": 2.0**-23, "double": 2.0**-52, "half": 2.0**-10, "bfloat": 2.0**-7}
OPS = {"attention": attention, "attention_gradient": attention_gradient}
SIZES = [
    (1, 1, 1, 1, 1, 1), (2, 3, 64, 64, 32, 32), (1, 2, 7, 13, 5, 3), (1, 1, 130, 130, 17, 40), (3, 1, 49, 50, 8, 8),
    (1, 1, 5, 300, 24, 16), (1, 2, 200, 5, 16, 33), (2, 1, 1, 48, 64, 7), (1, 1, 3, 2, 1, 2),
]  # sequences, heads, queries, keys, width, value width  # fmt: skip
MASKS = (None, "bool", "float", "half")


def operands_of(size: tuple[int, ...], mask: str | None, seed: int = 0) -> dict[str, Array]:
    """Random operands in float64; a mask in its own type leaves the first query nothing."""
    rng = np.random.default_rng(seed)
    n, h, queries, keys, width, value_width = size
    made: dict[str, Array] = {
        "q": rng.standard_normal((n, h, queries, width)), "k": rng.standard_normal((n, h, keys, width)),
        "v": rng.standard_normal((n, h, keys, value_width)), "mask": np.zeros(0, np.bool_),
        "g": rng.standard_normal((n, queries, h, value_width)),
    }  # fmt: skip
    if mask is not None:
        allowed = rng.random((n, h, queries, keys)) < 0.7
        allowed[0, 0, 0] = False
        added = np.where(allowed, rng.standard_normal(allowed.shape), -np.inf).astype(DTYPES[mask])
        made["mask"] = allowed if mask == "bool" else added
    return made


def exact(made: dict[str, Array], name: str, causal: bool, scale: float) -> tuple[Array, ...]:
    """The op's results, by its reference in float64, after ``made`` has got the results that a gradient reads."""
    wide = {one: x if x.dtype == np.bool_ else x.astype(np.float64) for one, x in made.items()}
    with np.errstate(all="ignore"):
        out, statistics = attention.reference(*(wide[one] for one in ("q", "k", "v", "mask")), causal=causal,
                                              scale=scale)  # fmt: skip
        if name == "attention":
            return out, statistics
        made["out"] = out.astype(made["q"].dtype)
        made["statistics"] = statistics.astype(np.float64 if made["q"].dtype == np.float64 else np.float32)
        wide |= {one: made[one].astype(np.float64) for one in ("out", "statistics")}
        return attention_gradient.reference(*(wide[one] for one in NAMES[name][0]), causal=causal, scale=scale)


class Case:
    """An op on random operands in memory; between the rows of an operand lie NaN if it is ``gappy``."""

    def __init__(
        self, name: str, size: tuple[int, ...], type: str = "float", *, mask: str | None = None, causal: bool = False,
        lanes: int | None = None, gappy: bool = False,
    ) -> None:  # fmt: skip
        self.type, dtype = type, DTYPES[type]
        made = operands_of(size, mask)
        made = {one: x if one == "mask" else x.astype(dtype) for one, x in made.items()}
        self.expected = exact(made, name, causal, 0.4)
        self.memory = Memory()
        reads, writes = NAMES[name]
        given = {one: self._placed(one, made[one], gappy) for one in reads if made[one].size}
        single = "double" if type == "double" else "float"
        self.results: list[tuple[int, str]] = []
        for one, x in zip(writes, self.expected, strict=True):
            kind = single if one == "statistics" else type
            number = self.memory.new(x.size * np.dtype(DTYPES[kind]).itemsize)
            self.results.append((number, kind))
            given[one] = _matrix(one, number, np.empty(x.shape, DTYPES[kind]), kind)
        here = host()
        if lanes is not None and lanes > here.lanes:
            pytest.skip(f"vectors of {lanes} float32 are wider than this processor's {here.lanes}")
        narrow = Target(here.triple, here.cpu, here.features, lanes, 16) if lanes else here
        self.instructions = plan(
            name, Shape(*size), given, type, mask, causal=causal, scale=0.4, new_buffer=self.memory.new, target=narrow
        )
        self.program = Prepared(self.memory, self.instructions)

    def _placed(self, word: str, x: Array, gappy: bool) -> Matrix:
        kind = next(name for name, one in DTYPES.items() if x.dtype == one)
        if gappy and word not in ("statistics", "mask"):
            wide = np.full((*x.shape[:-1], x.shape[-1] + 3), np.nan, x.dtype)
            wide[..., :-3] = x
            return _matrix(word, self.memory.new(wide.nbytes, wide), wide[..., :-3], kind)
        return _matrix(word, self.memory.new(x.nbytes, x), x, kind)

    def bits(self) -> list[bytes]:
        return [self.memory.buffers[number].tobytes() for number, _ in self.results]

    def check(self, tolerance: float = 60) -> None:
        """Right to so many units of the type's precision, relative to the largest; nothing else touched."""
        self.program.run()
        assert self.memory.intact()
        for (number, kind), expected in zip(self.results, self.expected, strict=True):
            found = self.memory.array(number, DTYPES[kind]).reshape(expected.shape).astype(np.float64)
            finite = np.isfinite(expected)
            assert np.array_equal(found[~finite], expected[~finite]), "another infinity"
            found, expected = found[finite], expected[finite]
            units = tolerance if kind == self.type else 60  # statistics of half types are float32
            limit = units * EPSILON[kind] * (1 + np.max(np.abs(expected), initial=0))
            off = np.max(np.abs(found - expected), initial=0)
            assert off <= limit, f"{off / limit} of the limit"


def _matrix(word: str, number: int, x: Array, kind: str) -> Matrix:
    """The operand as [sequence, head, row, column]."""
    if word in TURNED:
        x = x.transpose(INSIDE)
    if word == "statistics":
        x = x[:, :, None, :]
    strides = [stride // x.itemsize for stride in x.strides]
    return Matrix(number, 0, x.shape, strides, "i8" if kind == "bool" else kind, -1)


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("type", ["float", "double"])
def test_every_size(name: str, type: str) -> None:
    for i, size in enumerate(SIZES):
        for causal in (False, True):
            Case(name, size, type, causal=causal, gappy=bool(i % 2)).check()


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("mask", MASKS[1:])
def test_every_mask(name: str, mask: str) -> None:
    for size in SIZES:
        for causal in (False, True):
            Case(name, size, mask=mask, causal=causal).check()


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_every_width_of_vectors(name: str, lanes: int) -> None:
    for i, size in enumerate(SIZES):
        Case(name, size, lanes=lanes, causal=i % 2 == 0, mask=MASKS[i % 3]).check()
        Case(name, size, "double", lanes=lanes, causal=i % 2 == 1).check()


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("type", ["half", "bfloat"])
def test_half_types_are_computed_in_float32(name: str, type: str) -> None:
    """Each result is rounded once, so it is off by half a unit of the largest and what float32 leaves."""
    for size in SIZES:
        Case(name, size, type, causal=True).check(0.52)
        Case(name, size, type, mask="half").check(0.52)


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("causal", [False, True])
def test_no_division_of_the_units_changes_a_bit(name: str, causal: bool) -> None:
    one = Case(name, (2, 2, 150, 170, 20, 20), causal=causal)
    one.check()
    bits, units = one.bits(), one.instructions[0].units
    assert units > 3
    for cuts in ([0, *range(1, units), units], [0, units // 2, units], [0, 1, units - 1, units]):
        one.program.run(lambda n, cuts=cuts: cuts if n == units else [0, n])
        assert one.bits() == bits


@pytest.mark.parametrize("name", OPS)
def test_blocks_of_every_length(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long sequences get shorter blocks."""
    columns = tile_for(host(), "float").columns
    for block in (columns, 2 * columns, 5 * columns):
        monkeypatch.setattr(planning, "_block", lambda tile, shape, block=block: block)
        for causal in (False, True):
            Case(name, (1, 2, 201, 190, 12, 12), causal=causal).check()


def test_few_items_are_divided_into_groups_of_queries() -> None:
    """Whose parts of the gradients of keys and values are added up, for every type and layout."""
    for type, tolerance in (("float", 60), ("double", 60), ("half", 0.52)):
        for size in ((1, 2, 400, 300, 12, 20), (2, 1, 300, 500, 8, 8)):
            for causal in (False, True):
                case = Case("attention_gradient", size, type, causal=causal)
                assert len(case.instructions) == 3
                assert case.instructions[0].units > 2
                case.check(tolerance)


def test_what_is_not_finite_stays_with_its_query() -> None:
    """As in the reference: NaN in a query or a key that it sees makes its row NaN, an infinite score too."""
    made = operands_of((1, 1, 40, 40, 8, 8), None)
    made["q"][0, 0, 7, 2], made["q"][0, 0, 21, 0], made["q"][0, 0, 30, 1] = np.nan, np.inf, -np.inf
    arrays = [made[one].astype(np.float32) if one != "mask" else made[one] for one in ("q", "k", "v", "mask")]
    with np.errstate(all="ignore"):
        expected = attention.reference(*arrays, causal=True, scale=1.0)
    found = program.compile(attention(*_leaves(arrays), causal=True, scale=1.0))(arrays)
    assert np.isnan(expected[0]).any()
    assert np.isfinite(expected[0]).any()
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)


def _leaves(arrays: list[Array]) -> list[Node]:
    kinds = {np.dtype(np.float32): dtypes.float32, np.dtype(np.bool_): dtypes.bool_}
    return [leaf(slot=i, type=TensorType(x.shape, kinds[x.dtype])) for i, x in enumerate(arrays)]


def test_the_slices_of_a_projection_are_read_and_written_in_place() -> None:
    """Nothing is copied between a projection, the heads' attention, and the gradient of the projection."""
    batch, length, heads, width = 2, 30, 3, 8
    rng = np.random.default_rng(0)
    arrays = [
        rng.standard_normal((batch, length, 3, heads, width)).astype(np.float32),
        rng.standard_normal((batch, length, heads, width)).astype(np.float32),
    ]
    joined, g = _leaves(arrays)
    q, k, v = (
        permute(reshape(narrow(joined, 2, i, i + 1), shape=(batch, length, heads, width)), order=INSIDE)
        for i in range(3)
    )
    none = filled(False, TensorType((0,), dtypes.bool_))
    out, statistics = attention(q, k, v, none, causal=True, scale=0.5)
    parts = attention_gradient(g, q, k, v, none, out, statistics, causal=True, scale=0.5)
    rows = [reshape(one, shape=(batch * length, heads * width)) for one in parts]
    gradient = cat(*rows, axis=1)
    steps = Lowering((gradient,)).steps
    assert not any(isinstance(step, Reference) for step in steps)
    assert len(steps) == 2, "something is copied"

    (found,) = program.compile((gradient,))(arrays)
    x = arrays[0].transpose(2, 0, 3, 1, 4).astype(np.float64)
    made = {"q": x[0], "k": x[1], "v": x[2], "mask": np.zeros(0, np.bool_), "g": arrays[1].astype(np.float64)}
    expected = np.stack(exact(made, "attention_gradient", True, 0.5), 2).reshape(found.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)

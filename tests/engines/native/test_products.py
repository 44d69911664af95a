"""Products of the native engine against NumPy in float64."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from engines.native.running import Memory, Prepared

from zerograd.engines.native.emit import Value
from zerograd.engines.native.kernel import KernelFunction
from zerograd.engines.native.products.finish import Ending, Finish, Spot
from zerograd.engines.native.products.matrix import Matrix
from zerograd.engines.native.products.plan import plan, takes_ending
from zerograd.engines.native.target import Target, host

DTYPES: dict[str, Any] = {"float": np.float32, "double": np.float64, "half": np.float16, "bfloat": ml_dtypes.bfloat16}
EPSILON = {"float": 2.0**-23, "double": 2.0**-52, "half": 2.0**-10, "bfloat": 2.0**-7}
LAYOUTS = ("plain", "transposed", "strided", "transposed strided", "wide rows")
SIZES = [
    (0, 5, 3), (5, 0, 3), (4, 3, 0), (1, 1, 1), (1, 17, 5), (7, 1, 9), (2, 3, 1), (6, 16, 8), (13, 31, 29),
    (12, 32, 64), (37, 10, 65), (5, 65, 321), (97, 23, 41), (61, 150, 333), (200, 33, 17), (3, 300, 700),
    (1, 200, 333), (150, 1, 99), (4, 77, 130), (2, 9, 16), (131, 40, 700), (9, 65, 40), (33, 131, 1100), (70, 127, 5),
    (45, 210, 600), (401, 20, 321), (203, 37, 333),  # the last two: blocks of fewer rows than a cache takes
]  # fmt: skip


def target(lanes: int, registers: int, fused: bool) -> Target:
    """This machine as if it had other vectors, or a reason to skip."""
    here = host()
    if lanes > here.lanes:
        pytest.skip(f"vectors of {lanes} float32 are wider than this processor's {here.lanes}")
    features = here.features if fused else here.features.replace("+fma,", "-fma,")
    return Target(here.triple, here.cpu, features, lanes, registers)


def placed(
    memory: Memory, rng: np.random.Generator, shape: tuple[int, ...], type: str, layout: str
) -> tuple[Matrix, np.ndarray[Any, Any]]:
    """A random operand in a buffer, laid out so, and its value."""
    *batch, rows, columns = shape
    step = 3 if "strided" in layout else 1
    full = (*batch, columns, rows * step) if "transposed" in layout else (*batch, rows, columns * step)
    if layout == "wide rows":
        full = (*batch, rows, columns + 5)
    data = rng.standard_normal(full).astype(DTYPES[type])
    view = data.swapaxes(-1, -2)[..., ::step, :] if "transposed" in layout else data[..., ::step]
    view = view[..., :columns] if layout == "wide rows" else view
    number = memory.new(data.nbytes, data)
    strides = [one // data.itemsize for one in view.strides]
    return Matrix(number, 0, shape, strides, type, data.nbytes), view.astype(np.float64)


def bound(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], type: str, result: np.ndarray[Any, Any]) -> Any:
    """How far the result may be from the true one: K roundings of the sum of magnitudes, and one of the result."""
    single = "float" if type in ("half", "bfloat") else type
    return (a.shape[-1] + 2) * EPSILON[single] * (abs(a) @ abs(b)) + EPSILON[type] * abs(result) + 1e-300


def check(
    shape: tuple[int, ...], types: tuple[str, ...], layouts: tuple[str, str, str], seed: int = 0,
    vectors: tuple[int, int, bool] | None = None, accumulate: bool = False, divisions: int = 3,
) -> None:  # fmt: skip
    """One product, run undivided, then divided at random: right, and the same bits."""
    rng = np.random.default_rng(seed)
    memory = Memory()
    *batch, m, n, k = shape
    a, x = placed(memory, rng, (*batch, m, k), types[0], layouts[0])
    b, y = placed(memory, rng, (*batch, k, n), types[1], layouts[1])
    c, z = placed(memory, rng, (*batch, m, n), types[2], layouts[2])
    before = memory.buffers[c.buffer].copy()
    made = plan(a, b, c, memory.new, accumulate=accumulate, target=target(*vectors) if vectors else None)
    program = Prepared(memory, made)
    program.run()
    first = memory.buffers[c.buffer].copy()
    expected = x @ y + (z if accumulate else 0)
    array = memory.array(c.buffer, DTYPES[types[2]])
    rows = np.lib.stride_tricks.as_strided(array, expected.shape, [s * array.itemsize for s in c.strides])
    error = abs(rows.astype(np.float64) - expected)
    limit = bound(x, y, types[2], abs(expected) + abs(z))
    assert (error <= limit).all(), f"{shape} {types} {layouts}: {np.nanmax(error / limit)} times the bound"
    assert memory.intact()
    for _ in range(divisions):
        memory.buffers[c.buffer][:] = before
        program.run(lambda units: sorted({0, units, *rng.integers(0, units + 1, 4).tolist()}))
        assert (memory.buffers[c.buffer] == first).all(), f"{shape} {types} {layouts}: depends on the division"
    between = rows.copy()
    memory.buffers[c.buffer][:] = before
    rows[...] = between
    assert (memory.buffers[c.buffer] == first).all(), "wrote between the rows of C"


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("type", ["float", "double"])
def test_every_layout(size: tuple[int, int, int], type: str) -> None:
    for i, left in enumerate(LAYOUTS):
        for j, right in enumerate(LAYOUTS):
            check(size, (type,) * 3, (left, right, ("plain", "wide rows")[(i + j) % 2]), seed=i * 5 + j)


@pytest.mark.parametrize("vectors", [(4, 16, False), (4, 32, True), (8, 16, True), (16, 32, True)], ids=str)
@pytest.mark.parametrize("type", ["float", "double"])
def test_every_instruction_set(vectors: tuple[int, int, bool], type: str) -> None:
    """(lanes, registers, multiply-add): SSE2, NEON, AVX2, AVX-512."""
    for i, size in enumerate(SIZES):
        left, right = LAYOUTS[i % 5], LAYOUTS[i * 2 % 5]
        check(size, (type,) * 3, (left, right, "plain"), seed=i, vectors=vectors, divisions=1)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_accumulation(size: tuple[int, int, int]) -> None:
    check(size, ("float",) * 3, ("plain", "transposed", "wide rows"), accumulate=True)
    check(size, ("double",) * 3, ("transposed", "plain", "plain"), accumulate=True)


@pytest.mark.parametrize(
    "size",
    [(13, 67, 9), (64, 64, 16), (101, 67, 31), (5, 83, 1), (130, 97, 400), (80, 70, 64), (700, 203, 512)],
    ids=str,
)
def test_an_epilogue_sees_each_vector_with_its_place(size: tuple[int, int, int]) -> None:
    """max(A @ B + bias[column] + weight[row], 0), with B transposed; nothing is read outside of the bias."""
    m, n, k = size
    rng = np.random.default_rng(0)
    memory = Memory()
    a, x = placed(memory, rng, (m, k), "float", "plain")
    b, y = placed(memory, rng, (k, n), "float", "transposed")
    c, _ = placed(memory, rng, (m, n), "float", "wide rows")
    bias, weight = rng.standard_normal(n).astype(np.float32), rng.standard_normal(m).astype(np.float32)
    places = [
        Matrix(memory.new(one.nbytes, one), 0, (m, n), strides, "float")
        for one, strides in ((bias, (0, 1)), (weight, (1, 0)))
    ]

    def epilogue(f: KernelFunction, numbers: int) -> Finish:
        columns, rows = f.place(2), f.place(3)

        def finish(f: KernelFunction, x: Value, spot: Spot) -> Value:
            x = f.add(x, f.load(x.type, columns, spot.column, spot.mask))
            return f.intrinsic("maxnum", f.add(x, f.load("float", rows, spot.row)), 0.0)

        return finish

    ending = Ending(epilogue, "bias, weight, max", places)
    assert takes_ending(a, b, c)
    program = Prepared(memory, plan(a, b, c, memory.new, ending=ending))
    program.run(lambda units: [0, units // 3, units])
    array = memory.array(c.buffer, np.float32)
    found = np.lib.stride_tricks.as_strided(array, (m, n), [s * 4 for s in c.strides])
    expected = np.maximum(x @ y + bias + weight[:, None], 0)
    assert (abs(found - expected) <= bound(x, y, "float", abs(expected) + 8)).all()
    assert memory.intact()


@pytest.mark.parametrize("type", ["half", "bfloat"])
def test_half_types_are_summed_in_float32_and_rounded_once(type: str) -> None:
    for i, size in enumerate(SIZES):
        out = (type, "float")[i % 2]
        check(size, (type, type, out), (LAYOUTS[i % 5], LAYOUTS[i * 2 % 5], "plain"), seed=i)
        check(size, ("float", type, type), (LAYOUTS[i * 2 % 5], LAYOUTS[i % 5], "wide rows"), seed=i, accumulate=True)


@pytest.mark.parametrize("batch", [(0,), (1,), (3,), (2, 3), (5, 1), (1, 4)], ids=str)
@pytest.mark.parametrize("type", ["float", "double"])
def test_batches(batch: tuple[int, ...], type: str) -> None:
    for i, (m, n, k) in enumerate(
        [(1, 1, 1), (5, 3, 2), (16, 32, 8), (33, 17, 40), (7, 70, 350), (2, 90, 400), (1, 99, 77), (40, 1, 30)]
    ):
        left, right = LAYOUTS[i % 5], LAYOUTS[i * 2 % 5]
        check((*batch, m, n, k), (type,) * 3, (left, right, ("plain", "wide rows")[i % 2]), seed=i, divisions=6)


def test_a_batch_may_share_an_operand() -> None:
    rng = np.random.default_rng(0)
    for left, right in ((0, 1), (1, 0), (1, 1)):
        memory = Memory()
        x = rng.standard_normal((4 if left else 1, 9, 21)).astype(np.float32)
        y = rng.standard_normal((4 if right else 1, 21, 35)).astype(np.float32)
        a = Matrix(memory.new(x.nbytes, x), 0, (4, 9, 21), (9 * 21 * left, 21, 1), "float")
        b = Matrix(memory.new(y.nbytes, y), 0, (4, 21, 35), (21 * 35 * right, 35, 1), "float")
        c = Matrix(memory.new(4 * 9 * 35 * 4), 0, (4, 9, 35), (9 * 35, 35, 1), "float")
        Prepared(memory, plan(a, b, c, memory.new)).run()
        found = memory.array(c.buffer, np.float32).reshape(4, 9, 35)
        assert (abs(found - x.astype(float) @ y) <= bound(x, y, "float", found) * 1.1).all()


def test_the_heads_of_attention() -> None:
    """Queries times keys, that times values: of one [batch, time, 3 * heads * width] buffer, into [batch, time, -1]."""
    batch, time, heads, width = 2, 19, 3, 8
    rng = np.random.default_rng(0)
    memory = Memory()
    data = rng.standard_normal((batch, time, 3, heads, width)).astype(np.float32)
    row = 3 * heads * width
    where = memory.new(data.nbytes, data)

    def part(which: int, transposed: bool) -> Matrix:
        shape, strides = (time, width), (row, 1)
        if transposed:
            shape, strides = shape[::-1], strides[::-1]
        offset = which * heads * width * 4
        return Matrix(where, offset, (batch, heads, *shape), (time * row, width, *strides), "float", data.nbytes)

    whole = (heads * time * time, time * time, time, 1)
    scores = Matrix(memory.new(batch * whole[0] * 4), 0, (batch, heads, time, time), whole, "float")
    out = (time * heads * width, width, heads * width, 1)
    mixed = Matrix(memory.new(batch * out[0] * 4), 0, (batch, heads, time, width), out, "float")
    first = plan(part(0, False), part(1, True), scores, memory.new)
    second = plan(scores, part(2, False), mixed, memory.new)
    assert [one.slabs for one in first[-1].writes] == [batch * heads * time]
    assert {one.slabs for one in second[-1].reads} == {batch * heads * time, batch}
    assert [one.slabs for one in second[-1].writes] == [batch]
    Prepared(memory, [*first, *second]).run(lambda units: [0, units // 5, units // 2, units])
    q, k, v = data.astype(np.float64).transpose(2, 0, 3, 1, 4)
    expected = (q @ k.swapaxes(-1, -2) @ v).transpose(0, 2, 1, 3)
    found = memory.array(mixed.buffer, np.float32).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
    assert memory.intact()


@pytest.mark.parametrize("size", [(10, 24, 9001), (64, 3, 40000), (3, 1000, 2000), (20, 70, 4096)], ids=str)
def test_long_sums_are_divided_the_same_way_always(size: tuple[int, int, int]) -> None:
    """As weight gradients are: A and B lie with k outermost."""
    check(size, ("float",) * 3, ("transposed", "plain", "plain"))
    check(size, ("bfloat", "bfloat", "float"), ("transposed", "plain", "wide rows"), accumulate=True)
    check(size, ("double",) * 3, ("plain", "transposed", "plain"))


@pytest.mark.parametrize("size", [(40, 130, 70), (3, 80, 33), (200, 40, 70), (64, 64, 64)], ids=str)
@pytest.mark.parametrize("layout", ["plain", "transposed", "strided"])
def test_infinities_and_nan_stay_in_their_rows_and_columns(size: tuple[int, int, int], layout: str) -> None:
    m, n, k = size
    rng = np.random.default_rng(0)
    memory = Memory()
    a, _ = placed(memory, rng, (m, k), "float", "plain")
    b, _ = placed(memory, rng, (k, n), "float", layout)
    c, _ = placed(memory, rng, (m, n), "float", "plain")
    memory.array(a.buffer, np.float32)[2 * k + 1] = np.nan
    at = b.strides[0] * (k - 1) + b.strides[1] * (n - 1)
    memory.array(b.buffer, np.float32)[at] = np.inf
    Prepared(memory, plan(a, b, c, memory.new)).run()
    found = memory.array(c.buffer, np.float32).reshape(m, n)
    wrong = ~np.isfinite(found)
    assert np.isnan(found[2]).all()
    assert wrong[:, n - 1].all()
    wrong[2], wrong[:, n - 1] = False, False
    assert not wrong.any()


def test_the_weights_of_a_linear_layer_are_neither_packed_nor_copied() -> None:
    """Rows of x are few: W is read where it lies, whoever computes which rows."""
    memory = Memory()
    rng = np.random.default_rng(0)
    a, _ = placed(memory, rng, (128, 784), "float", "plain")
    b, _ = placed(memory, rng, (784, 512), "float", "transposed")
    c, _ = placed(memory, rng, (128, 512), "float", "plain")
    before = len(memory.buffers)
    (one,) = plan(a, b, c, memory.new)
    assert len(memory.buffers) == before
    assert one.units == 128
    assert [access.slabs for access in (one.reads[0], one.reads[1], one.writes[0])] == [1, 128, 128]


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize(("depth", "parts"), [(2048, 4), (1920, 3), (3080, 1)])
def test_large_sums_are_made_part_by_part(depth: int, parts: int, accumulate: bool) -> None:
    """The gradient of a weight: the second operand is packed where its rows are made."""
    shape, layouts = (300, 270, depth), ("transposed", "plain", "plain")
    memory = Memory()
    rng = np.random.default_rng(0)
    operands = [
        placed(memory, rng, size, "float", layout)[0]
        for size, layout in zip(((300, depth), (depth, 270), (300, 270)), layouts, strict=True)
    ]
    made = plan(*operands, memory.new)
    assert len(made) == 1 + parts
    assert made[0].units == made[0].reads[0].slabs == depth
    check(shape, ("float", "float", "float"), layouts, accumulate=accumulate)

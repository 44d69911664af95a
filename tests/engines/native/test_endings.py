"""Elementwise groups that end a product: what they compute, and which ones are computed on its tiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from engines.native.graphs import check_close
from engines.native.lowered import Lowered, leaves

import zerograd as torch
from zerograd.engines.native import contraction, endings, lower, program
from zerograd.engines.native.endings import Ended
from zerograd.engines.native.fusion import Group
from zerograd.ir.graph import Node, registry
from zerograd.ir.record import recorder
from zerograd.ops.elementwise import add, exp, mul
from zerograd.ops.movement import expand, permute
from zerograd.passes import pipeline
from zerograd.settings import settings

SIZES = [(2731, 48, 3), (8209, 16, 16), (2048, 64, 64), (1031, 131, 17), (517, 259, 33), (263, 1021, 2), (137, 1023, 9)]
Graph = Callable[[Node, Node, Node, Node], list[Node]]


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if each graph were part of a large program."""
    monkeypatch.setattr(lower, "is_small", lambda order: False)


def spread(x: Node, like: Node) -> Node:
    return expand(x, shape=like.shape)


def biased(y: Node, bias: Node, weight: Node, other: Node) -> list[Node]:
    return [add(y, spread(bias, y))]


def activated(y: Node, bias: Node, weight: Node, other: Node) -> list[Node]:
    """The result, and what backward asks for: a value and a mask are kept."""
    sums = add(y, spread(bias, y))
    out = registry["relu"](sums)
    return [out, registry["le"](out, spread(registry["sub"](bias, bias), y)), sums]


def weighted(y: Node, bias: Node, weight: Node, other: Node) -> list[Node]:
    """By a number for each row; two results."""
    out = mul(add(y, spread(bias, y)), spread(weight, y))
    return [out, mul(out, out)]


def residual(y: Node, bias: Node, weight: Node, other: Node) -> list[Node]:
    return [add(add(y, spread(bias, y)), other)]


def transcendental(y: Node, bias: Node, weight: Node, other: Node) -> list[Node]:
    return [exp(add(y, spread(bias, y)))]


ENDED: list[Graph] = [biased, activated, weighted]
OTHERS: list[Graph] = [residual, transcendental]


def graph(build: Graph, size: tuple[int, int, int], dtype: Any) -> tuple[list[Node], list[Any]]:
    m, n, k = size
    rng = np.random.default_rng(m * n + k)
    arrays = [(rng.standard_normal(one) / 4).astype(dtype) for one in ((m, k), (n, k), (1, n), (m, 1), (m, n))]
    x, w, bias, weight, other = leaves(*arrays)
    return build(registry["matmul"](x, permute(w, order=(1, 0))), bias, weight, other), arrays


def kernels(outputs: list[Node], arrays: list[Any]) -> list[str]:
    return Lowered(pipeline.run(outputs), arrays).kernels()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("build", ENDED)
def test_an_ended_product_is_what_it_was(build: Graph, size: tuple[int, int, int]) -> None:
    """Whatever the size, and whoever does which units; nothing is written outside."""
    check_close(*graph(build, size, np.float32), within=1e-5)
    check_close(*graph(build, size, np.float64), within=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("build", [biased, weighted])
def test_half_types_are_rounded_as_if_the_product_had_been_stored(build: Graph, dtype: Any) -> None:
    """So the ended product has the very bits of the product and its group one after the other."""
    outputs, arrays = graph(build, (1031, 131, 17), dtype)
    check_close(outputs, arrays, within=2e-2)
    ended = Lowered(pipeline.run(outputs), arrays)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(endings, "DEEPEST", 0)
        apart = Lowered(pipeline.run(outputs), arrays)
    assert len(ended.kernels()) < len(apart.kernels())
    for found, expected in zip(ended.run(), apart.run(), strict=True):
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("build", ENDED)
def test_bias_and_activation_need_no_kernel_of_their_own(build: Graph, size: tuple[int, int, int]) -> None:
    found = kernels(*graph(build, size, np.float32))
    assert "rows" not in found[found.index("product") :]


@pytest.mark.parametrize("build", OTHERS)
def test_what_reads_as_much_or_takes_long_has_a_kernel_of_its_own(build: Graph) -> None:
    outputs, arrays = graph(build, (1031, 131, 17), np.float32)
    check_close(outputs, arrays)
    assert kernels(outputs, arrays)[-2:] == ["product", "rows"]


@pytest.mark.parametrize(
    "size", [(2048, 64, 65), (2047, 64, 64), (9000, 15, 8), (200, 1025, 8), (512, 512, 32)], ids=str
)
def test_where_nothing_is_gained_products_are_left_alone(size: tuple[int, int, int]) -> None:
    """Long sums, few results, narrow or very wide ones, and those that are computed as their transposes."""
    assert kernels(*graph(biased, size, np.float32))[-1] == "rows"


def test_a_product_that_others_use_is_left_alone() -> None:
    def used(y: Node, bias: Node, weight: Node, other: Node) -> list[Node]:
        return [add(y, spread(bias, y)), y]

    assert kernels(*graph(used, (2048, 64, 64), np.float32)) == ["product", "rows"]


def test_small_programs_compile_what_they_always_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lower, "is_small", lambda order: True)
    assert kernels(*graph(biased, (2048, 64, 64), np.float32)) == ["product", "rows"]


def test_a_group_ends_one_of_the_products_that_it_adds() -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(one).astype(np.float32) for one in ((2048, 8), (8, 64), (2048, 8), (8, 64))]
    a, b, c, d = leaves(*arrays)
    outputs = [registry["relu"](add(registry["matmul"](a, b), registry["matmul"](c, d)))]
    check_close(outputs, arrays)


def test_products_of_a_batch_with_one_matrix_are_ended_whatever_they_are_then_seen_as() -> None:
    def step() -> list[torch.Tensor]:
        torch.manual_seed(0)
        x, layer = torch.randn(16, 9, 100, 20), torch.nn.Linear(20, 70)
        return [torch.relu(layer(x)).reshape(16, 9, 50, 140)]

    assert agree(step) == 1


@pytest.mark.parametrize("act", ["relu", "gelu", "leaky_relu", "hardtanh", "silu"])
@pytest.mark.parametrize("residual", [False, True])
def test_layers_train_alike_on_both_engines_and_on_one_and_two_threads(act: str, residual: bool) -> None:
    def step() -> list[torch.Tensor]:
        torch.manual_seed(0)
        first, second = torch.nn.Linear(19, 67), torch.nn.Linear(67, 19)
        x = torch.randn(2050, 19)
        out = second(getattr(torch.nn.functional, act)(first(x)))
        out = out + x if residual else out
        out.square().mean().backward()
        return [out, *(one.grad for one in (*first.parameters(), *second.parameters()) if one.grad is not None)]

    assert agree(step) == (act in ("relu", "leaky_relu", "hardtanh"))


def agree(step: Callable[[], list[torch.Tensor]]) -> int:
    """Compares the engines, and the bits of one and two threads; gives how many products were ended."""
    found: list[list[Any]] = []
    ended: list[Node] = []

    class Counted(Ended):
        def __init__(self, lowering: lower.Lowering, product: Node, group: Group) -> None:
            ended.append(product)
            super().__init__(lowering, product, group)

    for engine, threads in (("reference", 1), ("native", 1), ("native", 2)):
        with pytest.MonkeyPatch.context() as patch:
            recorder.own.forget()
            patch.setattr(program, "name_of", lambda outputs: "")
            patch.setattr(contraction, "Ended", Counted)
            patch.setattr(settings, "engine", engine)
            patch.setattr(settings, "threads", threads)
            found.append([one.detach().numpy() for one in step()])
    recorder.own.forget()
    for expected, one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, expected, 1e-4, 1e-5)
        assert one.tobytes() == two.tobytes()
    return len(ended) // 2

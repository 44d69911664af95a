"""Recurrent layers in machine code against their NumPy references in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from engines.native.running import Memory, Prepared

import zerograd
from zerograd import dtypes
from zerograd.engines.native import program
from zerograd.engines.native.kernel import Access
from zerograd.engines.native.lower import Lowering, Reference
from zerograd.engines.native.products.matrix import Matrix
from zerograd.engines.native.recurrent import plan as planning
from zerograd.engines.native.recurrent.lowering import NAMES
from zerograd.engines.native.recurrent.plan import Shape, Steps, plan
from zerograd.engines.native.target import Target, host
from zerograd.ir.graph import TensorType, leaf, registry
from zerograd.ops.recurrent import gru, lstm, rnn  # noqa: F401  so are these
from zerograd.settings import settings

DTYPES: dict[str, Any] = {"float": np.float32, "double": np.float64, "half": np.float16, "bfloat": ml_dtypes.bfloat16}
EPSILON = {"float": 2.0**-23, "double": 2.0**-52, "half": 2.0**-10, "bfloat": 2.0**-7}
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
OPS = tuple(NAMES)
SIZES = [
    (1, 1, 1), (1, 5, 7), (2, 1, 3), (3, 2, 1), (4, 3, 8), (3, 7, 16), (5, 4, 23), (2, 13, 32), (7, 17, 37),
    (2, 33, 13), (2, 6, 150), (64, 2, 5),
]  # steps, sequences, H  # fmt: skip


def target(lanes: int) -> Target:
    """This machine with narrower vectors, or a reason to skip."""
    here = host()
    if lanes > here.lanes:
        pytest.skip(f"vectors of {lanes} float32 are wider than this processor's {here.lanes}")
    return here if lanes == here.lanes else Target(here.triple, here.cpu, here.features, lanes, 16)


def attributes_of(name: str, reverse: bool, function: str) -> dict[str, Any]:
    return {"reverse": reverse, "function": function} if name.startswith("rnn") else {"reverse": reverse}


def operands_of(
    name: str, size: tuple[int, int, int], reverse: bool, function: str, seed: int, cells: bool = True
) -> dict[str, np.ndarray[Any, Any]]:
    """Random operands in float64; what a layer kept is what that layer gives."""
    rng = np.random.default_rng(seed)
    steps, batch, h = size
    layer = name.removesuffix("_gradient")
    gates = GATES[layer]
    values = {
        "x": rng.standard_normal((steps, batch, gates * h)),
        "h0": rng.standard_normal((batch, h)),
        "c0": rng.standard_normal((batch, h)),
        "w": rng.standard_normal((gates * h, h)) / np.sqrt(h),
        "b": rng.standard_normal(h),
        "from_hidden": rng.standard_normal((steps, batch, h)),
        "from_cells": rng.standard_normal((steps if cells else 0, batch, h)),
    }
    if layer != name:
        names, results = NAMES[layer]
        kept = registry[layer].reference(*(values[one] for one in names), **attributes_of(layer, reverse, function))
        values |= zip(results, kept if isinstance(kept, tuple) else (kept,), strict=True)
    return {one: values[one] for one in NAMES[name][0]}


class Case:
    """An op on random operands in memory, ready to be run.

    Args:
        layout: "time" as the op has them, "batch": sequences outermost, "wide": gaps between the rows.
    """

    def __init__(
        self, name: str, size: tuple[int, int, int], type: str = "float", *, reverse: bool = False,
        function: str = "tanh", cells: bool = True, layout: str = "time", lanes: int | None = None, seed: int = 0,
    ) -> None:  # fmt: skip
        self.type, dtype = type, DTYPES[type]
        values = operands_of(name, size, reverse, function, seed, cells)
        values = {one: x.astype(dtype) for one, x in values.items()}
        attributes = attributes_of(name, reverse, function)
        exact = {one: x.astype(np.float64) for one, x in values.items()}
        found = registry[name].reference(*exact.values(), **attributes)
        self.expected = found if isinstance(found, tuple) else (found,)
        self.memory = Memory()
        steps, batch, h = size
        given = {one: self._placed(x, layout) for one, x in values.items() if x.size and one != "w"}
        self.results = [self.memory.new(x.size * np.dtype(dtype).itemsize) for x in self.expected]
        for one, number, x in zip(NAMES[name][1], self.results, self.expected, strict=True):
            given[one] = _steps(number, x.astype(dtype))
        w = values["w"]
        weight = Matrix(self.memory.new(w.nbytes, w), 0, w.shape, (w.shape[1], 1), type, w.nbytes)
        settings: tuple[object, ...] = (function,) if name.startswith("rnn") else ()
        if name == "lstm_gradient":
            settings = ("from_cells" in given,)
        self.instructions = plan(
            name, settings, Shape(steps, batch, h), given, weight, type, self.memory.new, reverse=reverse,
            target=target(lanes) if lanes else None,
        )  # fmt: skip
        self.program = Prepared(self.memory, self.instructions)

    def _placed(self, x: np.ndarray[Any, Any], layout: str) -> Steps:
        if layout == "batch" and x.ndim == 3:
            moved = np.ascontiguousarray(x.swapaxes(0, 1))
            return _steps(self.memory.new(moved.nbytes, moved), moved.swapaxes(0, 1))
        if layout == "wide":
            moved = np.full((*x.shape[:-1], x.shape[-1] + 3), np.nan, x.dtype)
            moved[..., :-3] = x
            return _steps(self.memory.new(moved.nbytes, moved), moved[..., :-3])
        return _steps(self.memory.new(x.nbytes, x), x)

    def bits(self) -> list[bytes]:
        return [self.memory.buffers[one].tobytes() for one in self.results]

    def check(self, tolerance: float) -> None:
        """Right to so many units of the type's precision, nothing else touched."""
        self.program.run()
        assert self.memory.intact()
        for number, expected in zip(self.results, self.expected, strict=True):
            found = self.memory.array(number, DTYPES[self.type]).reshape(expected.shape).astype(np.float64)
            limit = tolerance * EPSILON[self.type] * (1 + abs(expected))
            assert (abs(found - expected) <= limit).all(), f"{np.nanmax(abs(found - expected) / limit)} of the limit"


def _steps(number: int, x: np.ndarray[Any, Any]) -> Steps:
    step, row = ((0, 0, *x.strides)[-3:])[:2]
    return Steps(Access(number), step, row)


def settings_of(name: str) -> Sequence[dict[str, Any]]:
    if name.startswith("rnn"):
        return [{"function": "tanh"}, {"function": "relu"}]
    return [{"cells": True}, {"cells": False}] if name == "lstm_gradient" else [{}]


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("type", ["float", "double"])
def test_every_size_from_either_end(name: str, type: str) -> None:
    for i, size in enumerate(SIZES):
        for given in settings_of(name):
            for reverse in (False, True):
                Case(name, size, type, reverse=reverse, layout=("time", "batch", "wide")[i % 3], **given).check(400)


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_every_width_of_vectors(name: str, lanes: int) -> None:
    for size in SIZES[:9]:
        Case(name, size, "float", lanes=lanes).check(400)
        Case(name, size, "double", lanes=lanes, reverse=True).check(400)


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("layout", ["time", "batch", "wide"])
def test_every_layout(name: str, layout: str) -> None:
    Case(name, (5, 19, 21), layout=layout).check(400)


@pytest.mark.parametrize("name", OPS)
def test_long_sums_are_taken_in_blocks(name: str) -> None:
    Case(name, (2, 3, 700)).check(1000)


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("type", ["half", "bfloat"])
def test_half_types_are_computed_in_float32(name: str, type: str) -> None:
    """Each result is rounded once, so it is off by half a unit and what float32 leaves."""
    for size in SIZES:
        Case(name, size, type).check(0.52)


@pytest.mark.parametrize("name", OPS)
def test_no_division_of_the_sequences_changes_a_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither which units are done together, nor how many sequences a unit has, of which the tile depends."""
    size = (3, 37, 29)
    one = Case(name, size)
    one.check(400)
    bits = one.bits()
    units = one.instructions[-1].units
    for cuts in ([0, *range(1, units), units], [0, units // 2, units]):
        one.program.run(lambda n, cuts=cuts: cuts if n == units else [0, n])
        assert one.bits() == bits
    for block in (1, 2, 3, 4, 5, 7, 8, 12, 37):
        monkeypatch.setattr(planning, "_block", lambda batch, weight, block=block: block)
        other = Case(name, size)
        other.check(400)
        assert other.bits() == bits, f"blocks of {block}"


@pytest.mark.parametrize("name", OPS)
def test_programs_use_them(name: str) -> None:
    """Through the compiler: operands as other nodes leave them, results where users expect them."""
    attributes = attributes_of(name, True, "relu")
    given = operands_of(name, (4, 3, 5), True, "relu", 3)
    nodes = [leaf(slot=i, type=TensorType(x.shape, dtypes.float32)) for i, x in enumerate(given.values())]
    made = registry[name](*nodes, **attributes)
    outputs = made if isinstance(made, tuple) else (made,)
    assert not any(isinstance(step, Reference) for step in Lowering(outputs).steps)
    arrays = [x.astype(np.float32) for x in given.values()]
    found = program.compile(outputs)(arrays)
    expected = registry[name].reference(*(x.astype(np.float64) for x in arrays), **attributes)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)


def trained(library: Any, kind: str, options: dict[str, Any]) -> list[np.ndarray[Any, Any]]:
    """What a layer computes and all gradients of a loss of all its results."""
    layer = getattr(library.nn, kind)(5, 7, **options)
    rng = np.random.default_rng(1)
    for p in layer.parameters():
        p.data = library.tensor(rng.standard_normal(tuple(p.shape)) / 3)
    x = library.tensor(rng.standard_normal((6, 3, 5)), requires_grad=True)
    out, state = layer(x)
    states = state if isinstance(state, tuple) else (state,)
    loss = (out * out).sum()
    for one in states:
        loss = loss + (one * one * one).sum()
    loss.backward()
    return [out.detach().numpy(), x.grad.numpy(), *(p.grad.numpy() for p in layer.parameters())]


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize(
    "options", [{"num_layers": 2, "bidirectional": True}, {"batch_first": True, "bias": False}], ids=["deep", "plain"]
)
def test_layers_train_as_pytorchs_do(kind: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "engine", "native")
    for x, y in zip(trained(zerograd, kind, options), trained(torch, kind, options), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-12)

"""Composite ops taken apart give what their references give: in every float type, for NaN, infinities, empty rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from passes.expressions import an_input, close

from zerograd import dtypes
from zerograd.engines import reference
from zerograd.ir.graph import Node
from zerograd.ir.traverse import topological
from zerograd.ops import activation, elementwise, reduction, softmax
from zerograd.ops.transcendental import logit
from zerograd.passes.pipeline import run
from zerograd.passes.verify import verify

TOLERANCES = {dtypes.float16: 1e-3, dtypes.bfloat16: 8e-3, dtypes.float32: 2e-6, dtypes.float64: 1e-14}
ACTIVATIONS: dict[str, Any] = {
    name: getattr(activation, name)
    for name in ("gelu", "gelu_slope", "gelu_tanh", "gelu_tanh_slope", "silu", "silu_slope")
}
COMPOSITES: dict[str, Any] = {
    "softmax": lambda x: softmax.softmax(x, axis=1),
    "log_softmax": lambda x: softmax.log_softmax(x, axis=1),
    "exp of log_softmax": lambda x: elementwise.exp(softmax.log_softmax(x, axis=1)),
    "logsumexp": lambda x: reduction.logsumexp(x, axes=(1,)),
    "var": lambda x: reduction.var(x, axes=(1,), correction=0),
    "var of too few": lambda x: reduction.var(x, axes=(1,), correction=9),
    **ACTIVATIONS,
    "logit": logit,
    "lerp": lambda x: elementwise.lerp(x, elementwise.neg(x), elementwise.sigmoid(x)),
    "clamp": lambda x: elementwise.clamp(x, elementwise.neg(x), elementwise.exp(x)),
    "square": elementwise.square,
    **{f"norm {p}": lambda x, p=p: reduction.norm(x, axes=(1,), p=p) for p in (0, 1, 2, 3, 0.5, math.inf, -math.inf)},
}  # fmt: skip
ROWS = (
    (0.3, -1.5, 2.0), (math.nan, 1.0, 2.0), (math.inf, 1.0, 2.0), (-math.inf, 1.0, -2.0), (-math.inf,) * 3,
    (math.inf, math.inf, 0.0), (math.inf, -math.inf, 0.0), (0.0, 0.0, 0.0), (88.0, -88.0, 1.0), (0.9, 0.1, 0.5),
)  # fmt: skip


TAKEN_APART = {
    softmax.softmax, softmax.log_softmax, logit, reduction.logsumexp, reduction.var, reduction.norm,
    elementwise.lerp, elementwise.clamp, elementwise.square, *ACTIVATIONS.values(),
}  # fmt: skip


def values(made: tuple[Node, ...], data: Any) -> Any:
    return reference.compile(made)([data])[0]


@pytest.mark.parametrize("kind", TOLERANCES, ids=lambda kind: kind.name)
@pytest.mark.parametrize("name", COMPOSITES)
def test_parts_give_what_the_whole_gives(name: str, kind: Any) -> None:
    data = np.array(ROWS).astype(kind.numpy)
    before = (COMPOSITES[name](an_input(0, data.shape, kind)),)
    after = run(before)
    verify(before, after)
    assert not {node.op for node in topological(after)} & TAKEN_APART
    for row in range(len(data)):
        whole, parts = values(before, data)[row], values(after, data)[row]
        assert close(whole, parts, TOLERANCES[kind]), f"{data[row]}: {whole}, in parts {parts}"


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "norm 1", "norm 2", "gelu", "lerp"])
def test_of_nothing_they_give_the_same(name: str, shape: tuple[int, int]) -> None:
    data = np.zeros(shape)
    before = (COMPOSITES[name](an_input(0, shape)),)
    assert close(values(before, data), values(run(before), data), 0)


@pytest.mark.parametrize("name", ["softmax", "logsumexp", "var", "square", "norm 2"])
def test_complex_numbers_stay_right(name: str) -> None:
    data = np.array([[1 + 2j, -1j, 0.5], [0, 1, -1]])
    before = (COMPOSITES[name](an_input(0, data.shape, dtypes.complex128)),)
    assert close(values(before, data), values(run(before), data), 1e-12)

"""Random programs of tensor operations: values and gradients agree with PyTorch's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import zerograd

Operation = Callable[..., Any]

# Each is smooth and tame where it is used, so that rounding stays small however they are nested.
OF_ONE: dict[str, Operation] = {
    "sin": lambda L, x: x.sin(),
    "tanh": lambda L, x: L.tanh(x),
    "sigmoid": lambda L, x: x.sigmoid(),
    "root": lambda L, x: (x.abs() + 1).sqrt(),
    "log": lambda L, x: (x * x + 1).log(),
    "atan": lambda L, x: L.atan(x),
    "gauss": lambda L, x: L.exp(-x.square()),
    "relu": lambda L, x: x.relu(),
    "abs": lambda L, x: abs(x),
    "negated": lambda L, x: 1 - x,
    "clamped": lambda L, x: x.clamp(-0.7, 0.8),
    "third power": lambda L, x: L.tanh(x) ** 3,
    "reciprocal": lambda L, x: 1 / (2 + x.cos()),
    "floor": lambda L, x: x - x.floor(),
    "remainder": lambda L, x: x % 1.7,
    "where": lambda L, x: L.where(x > 0.3, x, x * 0.5),
    "erf": lambda L, x: L.erf(x),
    "expm1": lambda L, x: L.expm1(x.tanh()),
    "detached": lambda L, x: x * x.detach().sigmoid(),
    "transposed": lambda L, x: x.transpose(0, -1),
    "softmax": lambda L, x: L.softmax(x, -1) * x,
    "log_softmax": lambda L, x: L.log_softmax(x, 0).tanh(),
    "centred": lambda L, x: x - x.mean(-1, keepdim=True),
    "scaled": lambda L, x: x / (x.var(-1, keepdim=True, correction=0) + 0.5),
    "cumsum": lambda L, x: x.cumsum(-1).tanh(),
    "cumprod": lambda L, x: x.tanh().cumprod(0),
    "sorted": lambda L, x: x.sort(-1).values,
    "largest": lambda L, x: x + x.max(-1, keepdim=True).values,
    "amin": lambda L, x: x * x.amin(0, keepdim=True).tanh(),
    "logsumexp": lambda L, x: x - L.logsumexp(x, -1, keepdim=True),
    "norm": lambda L, x: x / L.norm(x.square() + 0.1, 2, -1, keepdim=True),
    "product": lambda L, x: x + x.tanh().prod(-1, keepdim=True),
    "flipped": lambda L, x: L.flip(x, (0,)),
    "written": lambda L, x: _written(x),
}
OF_TWO: dict[str, Operation] = {
    "sum": lambda L, x, y: x + y,
    "difference": lambda L, x, y: x - 0.5 * y,
    "product": lambda L, x, y: x * y.tanh(),
    "quotient": lambda L, x, y: x / (1.5 + y.abs()),
    "maximum": lambda L, x, y: L.maximum(x, y),
    "fmin": lambda L, x, y: L.fmin(x, y),
    "atan2": lambda L, x, y: L.atan2(x, y.square() + 1),
    "hypot": lambda L, x, y: L.hypot(x, y.square() + 1),
    "logaddexp": lambda L, x, y: L.logaddexp(x, y),
    "lerp": lambda L, x, y: L.lerp(*L.broadcast_tensors(x, y), 0.3),
    "where": lambda L, x, y: L.where(x < y, x, y.sin()),
    "power": lambda L, x, y: (x.abs() + 0.5) ** y.tanh(),
}
SHAPES = [(3,), (2, 3), (3, 2), (2, 1), (1, 3), (2, 2, 3), (1,)]


def _written(x: Any) -> Any:
    copy = x.clone()
    copy[0] = copy[0] * 2
    copy.mul_(0.5)
    return copy


@st.composite
def programs(draw: Any) -> Any:
    """Two inputs, and a list of (operation, operands), the latter numbers of the values made so far."""
    numbers = st.integers(-2000, 2000).map(lambda n: n / 1000)  # zeros and ties, but nothing tiny: 1 / x² is accurate
    inputs = []
    for _ in range(2):
        shape = draw(st.sampled_from(SHAPES))
        inputs.append(
            np.array(draw(st.lists(numbers, min_size=math.prod(shape), max_size=math.prod(shape)))).reshape(shape)
        )
    steps = []
    for count in range(2, 2 + draw(st.integers(1, 8))):
        operand = st.integers(0, count - 1)
        if draw(st.booleans()):
            steps.append((draw(st.sampled_from(sorted(OF_ONE))), (draw(operand),)))
        else:
            steps.append((draw(st.sampled_from(sorted(OF_TWO))), (draw(operand), draw(operand))))
    return inputs, steps


def fits(shapes: list[Any]) -> bool:
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


def run(library: Any, program: Any, *, read: bool) -> list[Any]:
    """Every value, the gradients of a function of the last one, and gradients of their squares.

    Args:
        read: look at every value as soon as it is made, so that nothing is pending.
    """
    inputs, steps = program
    values = [library.tensor(one, requires_grad=True) for one in inputs]
    leaves = list(values)
    for name, operands in steps:
        given = [values[one % len(values)] for one in operands]
        if len(given) == 1:
            made = OF_ONE[name](library, given[0])
        elif fits([tuple(one.shape) for one in given]):
            made = OF_TWO[name](library, *given)
        else:
            continue
        values.append(made)
        if read:
            made.tolist()
    goal = sum((one * one.cos()).sum() for one in values[-2:])
    first = library.autograd.grad(goal, leaves, create_graph=True, allow_unused=True)
    used = [one for one in first if one is not None and one.requires_grad]
    second = library.autograd.grad(sum(one.square().sum() for one in used), leaves, allow_unused=True) if used else ()
    results = [*values, *first, *second]
    return [None if one is None else np.array(one.detach().tolist()) for one in results]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(programs(), st.booleans())
def test_random_programs(program: Any, read: bool) -> None:
    expected = run(torch, program, read=False)
    got = run(zerograd, program, read=read)
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        if other is None or one is None:
            assert np.all((0 if one is None else one) == (0 if other is None else other))
        else:
            np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-8)

"""Promises made by the table of ops: every gradient rule is the derivative of what the op computes, twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ops.examples import COMPLEX, EXAMPLES, LEFT_OUT, OPS, Example

import zerograd
from zerograd.autograd import grad
from zerograd.ir.graph import registry
from zerograd.ir.record import recorder
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply

STEP = 1e-6
CLOSE = {"rtol": 2e-6, "atol": 2e-7}

Tensors = list[Any]


def results(example: Example, tensors: Tensors) -> Tensors:
    """The op's results that can have gradients."""
    found = apply(example.body, tuple(tensors))
    found = [found] if isinstance(found, TensorBase) else list(found)
    return [one for one in found if one.dtype.is_inexact]


def weights_for(tensors: Tensors, seed: int) -> list[np.ndarray[Any, Any]]:
    draw = np.random.default_rng(seed)
    made = []
    for one in tensors:
        weight = draw.standard_normal(tuple(one.shape))
        made.append(weight + 1j * draw.standard_normal(weight.shape) if one.dtype.is_complex else weight)
    return made


def moving(array: Any, place: int, fixed: tuple[int, ...]) -> bool:
    return array.dtype.kind in "fc" and place not in fixed


def tensors_of(arrays: Any, track: bool, fixed: tuple[int, ...] = ()) -> Tensors:
    return [zerograd.tensor(one, requires_grad=track and moving(one, i, fixed)) for i, one in enumerate(arrays)]


def weighted(tensors: Tensors, weights: list[np.ndarray[Any, Any]]) -> float:
    """The real sum of all elements times their weights: what PyTorch's gradients are of."""
    return sum(float(np.sum(np.conj(w) * t.detach().numpy()).real) for t, w in zip(tensors, weights, strict=True))


def slopes(function: Any, arrays: list[Any], fixed: tuple[int, ...]) -> list[Any]:
    """Central differences of a real function; for complex arrays dRe + 1j * dIm."""
    found = []
    for place, array in enumerate(arrays):
        if not moving(array, place, fixed):
            continue
        slope = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            for direction in (1, 1j) if array.dtype.kind == "c" else (1,):
                ends = []
                for sign in (1, -1):
                    moved = list(arrays)
                    moved[place] = array.copy()
                    moved[place][index] += sign * STEP * direction
                    ends.append(function(moved))
                slope[index] += direction * (ends[0] - ends[1]) / (2 * STEP)
        found.append(slope)
    return found


def gradients(
    example: Example, arrays: list[Any], weights: list[Any], **options: Any
) -> tuple[Tensors, Tensors, Tensors]:
    """Inputs, weights and the gradients of the inputs."""
    inputs, seeds = tensors_of(arrays, True, example.fixed), tensors_of(weights, options.get("create_graph", False))
    outs = results(example, inputs)
    live = [i for i, one in enumerate(outs) if one.requires_grad]
    tracked = [one for one in inputs if one.requires_grad]
    found = grad([outs[i] for i in live], tracked, [seeds[i] for i in live], allow_unused=True, **options)
    return tracked, seeds, list(found)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_gradient_rule_is_the_derivative(example: Example) -> None:
    weights = weights_for(results(example, tensors_of(example.arrays, False)), 1)

    def value(arrays: list[Any]) -> float:
        return weighted(results(example, tensors_of(arrays, False)), weights)

    expected = slopes(value, list(example.arrays), example.fixed)
    tracked, _, found = gradients(example, list(example.arrays), weights)
    for tensor, slope, got in zip(tracked, expected, found, strict=True):
        if got is None:
            np.testing.assert_allclose(slope, np.zeros_like(slope), **CLOSE)
        else:
            assert got.dtype is tensor.dtype
            np.testing.assert_allclose(got.numpy(), slope, **CLOSE)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_gradient_rule_has_a_derivative(example: Example) -> None:
    """The gradient as a function of inputs and of what comes from above is differentiated again."""
    arrays = [*example.arrays]
    weights = weights_for(results(example, tensors_of(arrays, False)), 1)
    tracked, seeds, first = gradients(example, arrays, weights, create_graph=True)
    live = [i for i, one in enumerate(first) if one is not None and one.requires_grad]
    if not live:
        return
    seconds = weights_for([first[i] for i in live], 2)
    inputs = [*tracked, *seeds]
    found = grad([first[i] for i in live], inputs, tensors_of(seconds, False), allow_unused=True)

    def again(moved: list[Any]) -> float:
        _, _, values = gradients(example, moved[: len(arrays)], moved[len(arrays) :])
        return weighted([values[i] for i in live], seconds)

    expected = slopes(again, [*arrays, *weights], example.fixed)
    for got, slope in zip(found, expected, strict=True):
        value = np.zeros_like(slope) if got is None else got.numpy()
        np.testing.assert_allclose(value, slope, rtol=2e-5, atol=2e-6)


def test_every_op_with_a_gradient_is_tested() -> None:
    covered = {example.op.name for example in EXAMPLES} | LEFT_OUT.keys()
    assert {op.name for op in OPS if op.gradient is not None} <= covered


def test_a_wrong_rule_would_be_found() -> None:
    """The check fails for a planted fault: the gradient of sin without its cosine."""
    example = next(one for one in EXAMPLES if one.op.name == "sin")
    sound = example.op.rules
    object.__setattr__(example.op, "rules", registry["neg"].rules)
    recorder.own.forget()
    try:
        with pytest.raises(AssertionError):
            test_gradient_rule_is_the_derivative(example)
    finally:
        object.__setattr__(example.op, "rules", sound)
        recorder.own.forget()


def test_complex_examples_are_complex() -> None:
    kinds = {example.op.name for example in EXAMPLES if example.arrays[-1].dtype.kind == "c"}
    assert set(COMPLEX) & registry.keys() <= kinds

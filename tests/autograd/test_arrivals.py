"""Gradients that nobody has asked for when their step is computed: what is seen of them afterwards."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import numpy as np
import pytest
import torch as pytorch

import zerograd


def trained(torch: Any) -> tuple[Any, Any]:
    """Layers with gradients, computed by reading the loss, and their parameters."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    with torch.no_grad():
        for number, p in enumerate(model.parameters()):
            p.copy_(torch.arange(p.numel(), dtype=torch.float32).reshape(p.shape).sub(3).mul(0.1 + 0.05 * number))
    backward(torch, model)
    return model, list(model.parameters())


def backward(torch: Any, model: Any) -> float:
    x = torch.arange(15, dtype=torch.float32).reshape(5, 3) / 7
    loss = model(x).square().sum()
    loss.backward()
    return loss.item()


def read(torch: Any) -> Any:
    return [p.grad for p in trained(torch)[1]]


def asked_for_before(torch: Any) -> Any:
    model, params = trained(torch)
    first = params[1].grad
    backward(torch, model)
    return [first, *[p.grad for p in params]]


def accumulated(torch: Any) -> Any:
    model, params = trained(torch)
    for _ in range(3):
        backward(torch, model)
    return [p.grad for p in params]


def some_cleared(torch: Any) -> Any:
    model, params = trained(torch)
    params[0].grad = params[3].grad = None
    backward(torch, model)
    return [p.grad for p in params]


def scaled_in_place(torch: Any) -> Any:
    model, params = trained(torch)
    for p in params:
        p.grad /= 2
    backward(torch, model)
    return [p.grad for p in params]


def copied(torch: Any) -> Any:
    model, _ = trained(torch)
    twin = copy.deepcopy(model)
    backward(torch, model)
    return [p.grad for one in (twin, model) for p in one.parameters()]


def filled(torch: Any) -> Any:
    model, params = trained(torch)
    model.zero_grad(set_to_none=False)
    return [p.grad for p in params]


def frozen(torch: Any) -> Any:
    model, params = trained(torch)
    params[0].requires_grad_(False)
    backward(torch, model)
    return [p.grad for p in params]


def stepped_later(torch: Any) -> Any:
    model, params = trained(torch)
    optimizer = torch.optim.Adam(params, lr=0.1)
    optimizer.step()
    optimizer.zero_grad()
    backward(torch, model)
    optimizer.step()
    return [*params, *[p.grad for p in params]]


@pytest.mark.parametrize(
    "case",
    [read, asked_for_before, accumulated, some_cleared, scaled_in_place, copied, filled, frozen, stepped_later],
    ids=lambda case: case.__name__,
)
def test_gradients_are_pytorchs(case: Any) -> None:
    for ours, theirs in zip(case(zerograd), case(pytorch), strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert not ours.requires_grad or ours.is_leaf
            np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=2e-5, atol=1e-6)


def test_a_gradient_is_one_tensor() -> None:
    _, params = trained(zerograd)
    assert [p.grad for p in params] == [p.grad for p in params]
    assert all(p.grad is p.grad for p in params)
    assert [p.grad._version for p in params] == [0] * 4


def test_a_gradient_that_is_dropped_gives_its_memory_back() -> None:
    _, params = trained(zerograd)
    array = weakref.ref(params[0].grad._array())
    assert array() is not None
    params[0].grad = None
    gc.collect()
    assert array() is None

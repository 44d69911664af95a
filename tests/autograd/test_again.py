"""A backward pass that is met again does what it did when it was new: gradients, errors, hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import zerograd as torch
from zerograd.ir.record import recorder
from zerograd.runtime.realize import launch
from zerograd.tape import again
from zerograd.tensor import gradients


class World:
    def __init__(self) -> None:
        self.w = torch.tensor([[1.0, -2.0], [0.5, 3.0]], requires_grad=True)
        self.b = torch.tensor([0.5, 0.25], requires_grad=True)
        self.x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])

    def loss(self) -> Any:
        return (self.x @ self.w + self.b).tanh().sum()

    def grads(self) -> list[Any]:
        return [None if one.grad is None else one.grad.tolist() for one in (self.w, self.b)]


def _once(world: World) -> Any:
    world.loss().backward()
    return world.grads()


def _added_up(world: World) -> Any:
    for _ in range(3):
        world.loss().backward()
    return world.grads()


def _twice_through_one_graph(world: World) -> Any:
    loss = world.loss()
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()
    return world.grads()


def _retained(world: World) -> Any:
    loss = world.loss()
    loss.backward(retain_graph=True)
    loss.backward()
    return world.grads()


def _read_before(world: World) -> Any:
    loss = world.loss()
    value = loss.item()
    loss.backward()
    return value, world.grads()


def _hook_on_a_leaf(world: World) -> Any:
    seen = []
    handle = world.w.register_hook(lambda grad: seen.append(grad.tolist()))
    world.loss().backward()
    handle.remove()
    return seen, world.grads()


def _hook_after_accumulation(world: World) -> Any:
    seen = []
    world.w.register_post_accumulate_grad_hook(lambda tensor: seen.append(tensor.grad.tolist()))
    world.loss().backward()
    return seen, world.grads()


def _hook_inside(world: World) -> Any:
    seen = []
    inner = world.x @ world.w
    inner.register_hook(lambda grad: seen.append(grad.tolist()))
    (inner + world.b).tanh().sum().backward()
    return seen, world.grads()


def _retained_inside(world: World) -> Any:
    inner = world.x @ world.w
    inner.retain_grad()
    (inner + world.b).tanh().sum().backward()
    return inner.grad.tolist(), world.grads()


def _frozen(world: World) -> Any:
    loss = world.loss()
    world.w.requires_grad_(False)
    loss.backward()
    return world.grads()


def _of_a_step_before(world: World) -> Any:
    hidden = (world.x @ world.w).tanh()
    launch()
    (hidden + world.b).sum().backward()
    return world.grads()


def _two_losses(world: World) -> Any:
    inner = (world.x @ world.w).tanh()
    inner.sum().backward(retain_graph=True)
    inner.square().sum().backward()
    return world.grads()


def _a_leaf_by_itself(world: World) -> Any:
    one = torch.tensor(2.0, requires_grad=True)
    one.backward()
    return one.grad.item(), world.grads()


def _without_history(world: World) -> Any:
    with pytest.raises(RuntimeError, match="no history"):
        world.x.sum().backward()
    return world.grads()


def _of_several_elements(world: World) -> Any:
    with pytest.raises(RuntimeError, match="several elements"):
        (world.x @ world.w).backward()
    return world.grads()


def _recorded(world: World) -> Any:
    world.loss().backward(create_graph=True)
    return world.grads()


SCENARIOS = [scenario for name, scenario in list(globals().items()) if name.startswith("_") and name[1] != "_"]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.__name__.strip("_"))
def test_every_time_the_same(scenario: Callable[[World], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    launch()
    recorder.own.forget()
    found = [scenario(World()) for _ in range(4)]
    monkeypatch.setattr(gradients, "run_again", lambda root: False)
    assert found == [scenario(World())] * 4


def test_the_usual_pass_is_known_the_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    launch()
    recorder.own.forget()
    known = []

    def noted(root: Any) -> bool:
        known.append(again.run_again(root))
        return known[-1]

    monkeypatch.setattr(gradients, "run_again", noted)
    for _ in range(4):
        launch()
        _once(World())
    assert known == [False, True, True, True]

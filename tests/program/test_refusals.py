"""What cannot be captured runs as it is, and a warning says why, once."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from program.test_steps import Step, World, compare, supervised

import zerograd as torch
from zerograd.nn import functional as F


def reading_the_loss(world: World) -> Step:
    def step(x: Any, y: Any) -> Any:
        loss = supervised(world)(x, y)
        return loss.item()

    return step


def branching_on_the_loss(world: World) -> Step:
    def step(x: Any, y: Any) -> Any:
        world.optimizer.zero_grad()
        loss = F.cross_entropy(world.model(x), y)
        if loss > 1.0:
            loss = loss * 2.0
        loss.backward()
        world.optimizer.step()
        return loss

    return step


def branching_on_the_data(world: World) -> Step:
    def step(x: Any, y: Any) -> Any:
        loss = supervised(world)(x, y)
        return loss * (2.0 if y[0] == 1 else 1.0)

    return step


def counting_in_python(world: World) -> Step:
    count = 0

    def step(x: Any, y: Any) -> Any:
        nonlocal count
        count += 1
        world.optimizer.zero_grad()
        loss = F.cross_entropy(world.model(x), y) * (1 - 0.9**count)
        loss.backward()
        world.optimizer.step()
        return loss

    return step


def counting_in_an_attribute(world: World) -> Step:
    world.count = 0

    def step(x: Any, y: Any) -> Any:
        world.count += 1
        return supervised(world)(x, y)

    return step


def remembering_losses(world: World) -> Step:
    losses: list[Any] = []

    def step(x: Any, y: Any) -> Any:
        loss = supervised(world)(x, y)
        losses.append(loss.detach())
        return sum(losses)

    return step


def drawing_in_python(world: World) -> Step:
    stream = random.Random(1)

    def step(x: Any, y: Any) -> Any:
        loss = supervised(world)(x, y)
        return loss * 2.0 if stream.random() < 0.05 else loss

    return step


def drawing_in_numpy(world: World) -> Step:
    stream = np.random.default_rng(0)

    def step(x: Any, y: Any) -> Any:
        return supervised(world)(x + float(stream.integers(0, 2)), y)

    return step


def taking_from_an_iterator(world: World) -> Step:
    batches = iter(world.batches * 3)

    def step(x: Any, y: Any) -> Any:
        return supervised(world)(*next(batches))

    return step


def setting_the_rate_itself(world: World) -> Step:
    rates = [0.1] * 9 + [0.2] * 9

    def step(x: Any, y: Any) -> Any:
        for group in world.optimizer.param_groups:
            group["lr"] = rates.pop()
        return supervised(world)(x, y)

    return step


def making_data_that_differs(world: World) -> Step:
    known = {"i": 0}

    def step(x: Any, y: Any) -> Any:
        known["i"] += 1
        return supervised(world)(x * torch.tensor([1.0, 2.0, 3.0, known["i"]]), y)

    return step


REFUSED = [
    (reading_the_loss, "reads a value of a tensor"),
    (branching_on_the_loss, "reads a value of a tensor"),
    (branching_on_the_data, "reads a value of a tensor"),
    (counting_in_python, "changes the variable count"),
    (counting_in_an_attribute, "changes the variable world.count"),
    (remembering_losses, "a history from before|leaves behind a new tensor|length"),
    (drawing_in_python, "draws random numbers from Python's"),
    (drawing_in_numpy, "draws random numbers from Python's or NumPy's"),
    (taking_from_an_iterator, "the iterator batches"),
    (setting_the_rate_itself, "lr itself|length"),
    (making_data_that_differs, "changes the variable|differs from call to call"),
]


@pytest.mark.parametrize(("body", "reason"), REFUSED, ids=lambda one: getattr(one, "__name__", ""))
def test_what_cannot_be_captured_runs_as_it_is_and_says_why_once(body: Callable[[World], Step], reason: str) -> None:
    with pytest.warns(UserWarning, match=reason) as said:
        compare(World, body, calls=16, captured=0)
    assert len(said) == 1
    assert said[0].filename == __file__ or "test_steps" in said[0].filename


def test_a_number_frozen_by_accident_is_found() -> None:
    """The counter is where no look around can find it."""

    class Hidden:
        __slots__ = ("count",)

    hidden = Hidden()
    hidden.count = 0
    table = {0: {0: {0: {0: {0: {0: hidden}}}}}}

    def body(world: World) -> Step:
        def step(x: Any, y: Any) -> Any:
            one = table[0][0][0][0][0][0]
            one.count += 1
            world.optimizer.zero_grad()
            loss = F.cross_entropy(world.model(x), y) * (1 - 0.9**one.count)
            loss.backward()
            world.optimizer.step()
            return loss

        return step

    world = World()
    step = torch.compile(body(world))

    def train() -> None:
        for x, y in world.batches:
            step(x, y)

    with pytest.warns(UserWarning, match=r"the number 0\.\d+ has become 0\.\d+ \(.*test_refusals.py:\d+\)"):
        train()

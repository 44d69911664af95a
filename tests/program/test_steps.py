"""A compiled step does what the step does: numbers, state and gradients, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import zerograd as torch
from zerograd import nn
from zerograd.nn import functional as F

Step = Callable[..., Any]


class World:
    """A model, an optimizer and data, made from one seed."""

    def __init__(self, optimizer: str = "Adam", layers: Callable[[], list[Any]] | None = None, **options: Any) -> None:
        torch.manual_seed(3)
        made = layers() if layers else [nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)]
        self.model = nn.Sequential(*made)
        self.optimizer = getattr(torch.optim, optimizer)(self.model.parameters(), **({"lr": 0.01} | options))
        rng = np.random.default_rng(0)
        self.batches = [
            (torch.tensor(rng.standard_normal((6, 4)).astype(np.float32)), torch.tensor(rng.integers(0, 3, 6)))
            for _ in range(10)
        ]

    def state(self) -> list[Any]:
        """Everything that a step may have changed."""
        found: list[Any] = [value.numpy().tobytes() for value in self.model.state_dict().values()]
        for entry in self.optimizer.state.values():
            found += [(name, x.numpy().tobytes() if torch.is_tensor(x) else x) for name, x in entry.items()]
        grads = [p.grad for p in self.model.parameters()]
        found += [None if grad is None else grad.numpy().tobytes() for grad in grads]
        found += [{k: v for k, v in group.items() if k != "params"} for group in self.optimizer.param_groups]
        return [*found, torch.get_rng_state().numpy().tobytes()]


def supervised(world: World) -> Step:
    def step(x: Any, y: Any) -> Any:
        world.optimizer.zero_grad()
        loss = F.cross_entropy(world.model(x), y)
        loss.backward()
        world.optimizer.step()
        return loss

    return step


def values(result: Any) -> Any:
    if torch.is_tensor(result):
        return result.detach().numpy().tobytes(), result.requires_grad, result.dtype, result.shape
    if isinstance(result, dict):
        return {name: values(one) for name, one in result.items()}
    if isinstance(result, tuple | list):
        return [values(one) for one in result]
    return result


def programs(step: Any) -> int:
    """How many programs a compiled step has."""
    return sum(map(len, step._compiled.programs.values()))


def compare(make: Callable[[], World], body: Callable[[World], Step], calls: int = 9, captured: int | None = 1) -> Any:
    """Run a step compiled and as it is, and compare all that it changes after every call."""
    one, other = make(), make()
    plain, step = body(one), torch.compile(body(other))
    expected = []
    torch.manual_seed(5)
    for i in range(calls):
        expected.append((values(plain(*one.batches[i % 10])), one.state()))
    torch.manual_seed(5)
    for i in range(calls):
        assert (values(step(*other.batches[i % 10])), other.state()) == expected[i], f"call {i}"
    if captured is not None:
        assert programs(step) == captured
        assert (step._compiled.reason is None) == (captured > 0)
    return step


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "NAdam", "Adamax", "Adadelta"])
def test_a_supervised_step_is_captured(optimizer: str) -> None:
    compare(lambda: World(optimizer), supervised)

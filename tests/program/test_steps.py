"""A compiled step does what the step does: numbers, state and gradients, bit for bit.

On the native engine, floats agree to within rounding: it adds up sums in an order of the program that they are part
of, and what is looked at after a step decides which values are computed in one program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import zerograd as torch
from zerograd import nn
from zerograd.nn import functional as F
from zerograd.settings import settings

Step = Callable[..., Any]
CLOSE = {"rtol": 5e-6, "atol": 5e-7}  # on native; what nine steps make of the last bits of float32


class Numbers:
    """An array that equals another one with the same bits; on native, floats also one that is close."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array = np.array(array)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Numbers):
            return False
        a, b = self.array, other.array
        same = a.dtype == b.dtype and a.shape == b.shape
        if same and settings.engine == "native" and a.dtype.kind == "f":
            return np.allclose(a, b, **CLOSE, equal_nan=True)
        return same and a.tobytes() == b.tobytes()

    def __repr__(self) -> str:
        return repr(self.array)


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
        found: list[Any] = [Numbers(value.numpy()) for value in self.model.state_dict().values()]
        for entry in self.optimizer.state.values():
            found += [(name, Numbers(x.numpy()) if torch.is_tensor(x) else x) for name, x in entry.items()]
        grads = [p.grad for p in self.model.parameters()]
        found += [None if grad is None else Numbers(grad.numpy()) for grad in grads]
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
        return Numbers(result.detach().numpy()), result.requires_grad, result.dtype, result.shape
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


def convolutional() -> list[Any]:
    return [nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.4), nn.Linear(8, 3)]


def without_bias() -> list[Any]:
    """The gradient of a bias in front of a norm is what rounding leaves of 0, and Adam makes steps of that."""
    return [nn.Linear(4, 8, bias=False), *convolutional()[1:]]


def clearing_at_the_end(world: World) -> Step:
    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(world.model(x), y)
        loss.backward()
        world.optimizer.step()
        world.optimizer.zero_grad()
        return loss.detach()

    return step


def clearing_with_zeros(world: World) -> Step:
    def step(x: Any, y: Any) -> Any:
        world.optimizer.zero_grad(set_to_none=False)
        loss = F.cross_entropy(world.model(x), y)
        loss.backward()
        world.optimizer.step()
        return loss.detach()

    return step


def accumulating(world: World) -> Step:
    def step(x: Any, y: Any) -> Any:
        world.optimizer.zero_grad()
        total = 0.0
        for i in range(3):
            loss = F.cross_entropy(world.model(x[2 * i : 2 * i + 2]), y[2 * i : 2 * i + 2]) / 3
            loss.backward()
            total = total + loss.detach()
        world.optimizer.step()
        return total

    return step


def clipping(world: World) -> Step:
    def step(x: Any, y: Any) -> Any:
        world.optimizer.zero_grad()
        loss = F.cross_entropy(world.model(x), y)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(world.model.parameters(), 0.1)
        world.optimizer.step()
        return {"loss": loss.detach(), "norm": norm}

    return step


def with_noise(world: World) -> Step:
    def step(x: Any, y: Any) -> Any:
        world.optimizer.zero_grad()
        noisy = x + 0.1 * torch.randn_like(x) * torch.rand(())
        loss = F.cross_entropy(world.model(noisy), y, label_smoothing=0.1)
        loss.backward()
        world.optimizer.step()
        return loss, torch.randperm(5)

    return step


def with_schedule(world: World) -> Step:
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(world.optimizer, 7)
    body = supervised(world)

    def step(x: Any, y: Any) -> Any:
        loss = body(x, y)
        schedule.step()
        return loss

    return step


def with_average(world: World) -> Step:
    average = [p.detach().clone() for p in world.model.parameters()]
    body = supervised(world)

    def step(x: Any, y: Any) -> Any:
        loss = body(x, y)
        with torch.no_grad():
            for old, new in zip(average, world.model.parameters(), strict=True):
                old.mul_(0.9).add_(new, alpha=0.1)
        return loss

    world.state = lambda state=world.state: [*state(), *[values(one) for one in average]]
    return step


def in_two_dtypes(world: World) -> Step:
    def step(x: Any, y: Any) -> Any:
        world.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            out = world.model(x)
        loss = F.cross_entropy(out.float(), y).double() * 2.0
        loss.backward()
        world.optimizer.step()
        return loss.float(), out.detach().argmax(1)

    return step


def returning_nothing(world: World) -> Step:
    body = supervised(world)

    def step(x: Any, y: Any) -> None:
        body(x, y)

    return step


def with_two_optimizers(world: World) -> Step:
    torch.manual_seed(9)
    judge = nn.Linear(3, 1)
    second = torch.optim.SGD(judge.parameters(), lr=0.05, momentum=0.9)

    def step(x: Any, y: Any) -> Any:
        fake = world.model(x)
        second.zero_grad()
        judged = judge(fake.detach()).square().mean()
        judged.backward()
        second.step()
        world.optimizer.zero_grad()
        loss = F.cross_entropy(fake, y) + judge(fake).mean()
        loss.backward()
        world.optimizer.step()
        return loss.detach(), judged.detach()

    world.state = lambda state=world.state: [*state(), *[values(one) for one in judge.parameters()]]
    return step


def with_views(world: World) -> Step:
    body = supervised(world)

    def step(x: Any, y: Any) -> Any:
        x = x[:4, :]
        loss = body(x, y[:4])
        out = world.model(x.t().t())
        return loss, out.detach()[0], out.detach().t(), x

    return step


def with_penalty(world: World) -> Step:
    def step(x: Any, y: Any) -> Any:
        world.optimizer.zero_grad()
        x = x.clone().requires_grad_()
        out = world.model(x)
        (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
        loss = F.cross_entropy(out, y) + slope.square().sum()
        loss.backward()
        world.optimizer.step()
        return loss

    return step


def clearing_by_hand(world: World) -> Step:
    def step(x: Any, y: Any) -> Any:
        for p in world.model.parameters():
            p.grad = None
        loss = F.cross_entropy(world.model(x), y)
        loss.backward()
        with torch.no_grad():
            for p in world.model.parameters():
                p.sub_(0.1 * p.grad)
        return loss

    return step


def writing_into_what_it_is_given(world: World) -> Step:
    def step(x: Any, y: Any) -> Any:
        x.mul_(0.9).add_(0.01)
        return x, x.sum(), y

    return step


def with_closure(world: World) -> Step:
    def step(x: Any, y: Any) -> Any:
        def closure() -> Any:
            world.optimizer.zero_grad()
            loss = F.cross_entropy(world.model(x), y)
            loss.backward()
            return loss

        return world.optimizer.step(closure)

    return step


def accumulating_for_ever(world: World) -> Step:
    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(world.model(x), y)
        loss.backward()
        return loss

    return step


STEPS = [
    clearing_at_the_end, clearing_with_zeros, accumulating, clipping, with_noise, with_schedule, with_average,
    in_two_dtypes, returning_nothing, with_two_optimizers, with_views, with_penalty, clearing_by_hand,
    writing_into_what_it_is_given, with_closure, accumulating_for_ever,
]  # fmt: skip


@pytest.mark.parametrize("layers", [None, without_bias], ids=["plain", "with buffers and dropout"])
@pytest.mark.parametrize("body", STEPS, ids=lambda body: body.__name__)
def test_steps_of_many_kinds_are_captured(body: Callable[[World], Step], layers: Any) -> None:
    compare(lambda: World("AdamW", layers), body)

"""Optimizer steps that are met again are taken as a whole, and give, bit for bit, what they give one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import zerograd as torch
from zerograd.ir.record import recorder
from zerograd.optim.again import Again
from zerograd.runtime.realize import launch
from zerograd.settings import settings

KINDS: dict[str, Callable[[Any], Any]] = {
    "Adam": lambda params: torch.optim.Adam(params, lr=0.01),
    "AdamW with amsgrad": lambda params: torch.optim.AdamW(params, lr=0.01, amsgrad=True),
    "SGD with momentum": lambda params: torch.optim.SGD(params, lr=0.01, momentum=0.9),
    "RMSprop": lambda params: torch.optim.RMSprop(params, lr=0.01, momentum=0.5),
    "NAdam": lambda params: torch.optim.NAdam(params, lr=0.01),
}


class Training:
    def __init__(self, kind: str) -> None:
        torch.manual_seed(0)
        self.model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
        self.params = list(self.model.parameters())
        self.optimizer = KINDS[kind](self.params)
        self.x = torch.randn(5, 3)

    def step(self) -> None:
        self.optimizer.zero_grad()
        self.model(self.x).square().sum().backward()
        self.optimizer.step()

    def outcome(self) -> list[list[float]]:
        state = self.optimizer.state_dict()["state"]
        found = [p.detach().flatten().tolist() for p in self.params]
        for entry in state.values():
            found += [one.flatten().tolist() if isinstance(one, torch.Tensor) else [one] for one in entry.values()]
        return found


def _state(t: Training) -> dict[str, Any]:
    return t.optimizer.state[t.params[1]]


def _replaced(t: Training) -> None:
    name = next(name for name, one in _state(t).items() if one is not None and one.shape)
    _state(t)[name] = torch.full_like(t.params[1], 0.25)


def _grown(t: Training) -> None:
    for one in [one for one in _state(t).values() if one is not None and one.shape]:
        one.add_(0.5)


def _counted(t: Training) -> None:
    if "step" in _state(t):
        _state(t)["step"].add_(3)


def _counted_in_the_same_trace(t: Training) -> None:
    t.optimizer.zero_grad()
    t.model(t.x).sum().backward()
    if "step" in _state(t):
        t.kept = _state(t)["step"] + 1  # pyright: ignore[reportAttributeAccessIssue]
    t.optimizer.step()


def _several_steps(t: Training) -> None:
    t.optimizer.zero_grad()
    t.model(t.x).sum().backward()
    t.optimizer.step()
    t.optimizer.step()


def _another_loss(t: Training) -> None:
    t.optimizer.zero_grad()
    t.model(t.x * 2).exp().sum().backward()
    t.optimizer.step()


def _gradient_by_hand(t: Training) -> None:
    t.optimizer.zero_grad()
    t.model(t.x).sum().backward()
    t.params[0].grad = torch.ones(4, 3)
    t.optimizer.step()


def _rate(t: Training) -> None:
    t.optimizer.param_groups[0]["lr"] *= 0.5


def _whole_rate(t: Training) -> None:
    t.optimizer.param_groups[0]["lr"] = 1


def _in_double(t: Training) -> None:
    t.model.double()
    t.x = t.x.double()


def _frozen(t: Training) -> None:
    t.params[2].requires_grad_(False)


def _forgotten(t: Training) -> None:
    recorder.own.forget()


def _loaded(t: Training) -> None:
    t.optimizer.load_state_dict(t.optimizer.state_dict())


def _emptied(t: Training) -> None:
    del t.optimizer.state[t.params[1]]


def _read(t: Training) -> None:
    t.optimizer.zero_grad()
    loss = t.model(t.x).sum()
    loss.item()
    loss.backward()
    t.optimizer.step()


def _clipped(t: Training) -> None:
    for _ in range(3):
        t.optimizer.zero_grad()
        t.model(t.x).sum().backward()
        torch.nn.utils.clip_grad_norm_(t.params, 0.1)
        t.optimizer.step()


def _added_up(t: Training) -> None:
    for _ in range(3):
        t.optimizer.zero_grad()
        for _ in range(2):
            t.model(t.x).sum().backward()
        t.optimizer.step()


def _gradients_of_before(t: Training) -> None:
    t.optimizer.zero_grad()
    t.model(t.x).sum().backward()
    for one in t.params:
        one.grad.add_(1.0)
        assert one.grad.sum().item() != 0
    t.optimizer.step()


MEDDLING = (
    _clipped, _added_up, _gradients_of_before,
    _replaced, _grown, _counted, _counted_in_the_same_trace, _several_steps, _another_loss, _gradient_by_hand, _rate,
    _whole_rate, _in_double, _frozen, _forgotten, _loaded, _emptied, _read,
)  # fmt: skip


@pytest.fixture(autouse=True)
def one_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    launch()
    recorder.own.forget()
    monkeypatch.setattr(settings, "engine", "reference", raising=False)


def trained(kind: str, meddle: Callable[[Training], Any]) -> list[list[float]]:
    training = Training(kind)
    for _ in range(3):
        for _ in range(6):
            training.step()
        meddle(training)
    training.step()
    return training.outcome()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("meddle", MEDDLING, ids=lambda one: one.__name__.strip("_"))
def test_the_outcome_is_that_of_single_steps(
    kind: str, meddle: Callable[[Training], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = trained(kind, meddle)
    monkeypatch.setattr(Again, "repeat", lambda self, own, begun: False)
    assert found == trained(kind, meddle)


@pytest.mark.parametrize("kind", KINDS)
def test_steady_steps_are_repeated(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    repeated = []
    repeat = Again.repeat

    def noted(self: Again, own: Any, begun: Any) -> bool:
        repeated.append(repeat(self, own, begun))
        return repeated[-1]

    monkeypatch.setattr(Again, "repeat", noted)
    training = Training(kind)
    for _ in range(12):
        training.step()
    assert repeated[-6:] == [True] * 6

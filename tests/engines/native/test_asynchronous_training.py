"""Training loops whose programs are left to the workers give the same bits."""

from __future__ import annotations

import copy
import gc
import pickle
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from engines.native.flights import HOW, Flights, Training, flying, synchronous

import zerograd as torch
from zerograd.ir.record import recorder

F = torch.nn.functional


@pytest.fixture(params=HOW, autouse=True)
def flights(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flights]:
    with flying(monkeypatch, request.param) as found:
        yield found


def _read_loss(training: Training, loss: Any) -> Any:
    return float(loss)


def _write_to_weights(training: Training, loss: Any) -> Any:
    with torch.no_grad():
        training.model[0].weight.detach().numpy()[0] += 0.25


def _scale_weights(training: Training, loss: Any) -> Any:
    with torch.no_grad():
        training.model[2].weight.mul_(0.99)


def _look_at_gradient(training: Training, loss: Any) -> Any:
    grad = training.model[0].bias.grad
    return None if grad is None else grad.tolist()


def _load_a_copy(training: Training, loss: Any) -> Any:
    training.model.load_state_dict(copy.deepcopy(training.model.state_dict()))
    training.optimizer.load_state_dict(training.optimizer.state_dict())


def _new_data(training: Training, loss: Any) -> Any:
    training.x = torch.randn(40, 17)


def _lent_data(training: Training, loss: Any) -> Any:
    training.x = torch.from_numpy(np.asarray(training.x.numpy() * 0.5 + 0.1))


def _saved_parameters(training: Training, loss: Any) -> Any:
    return pickle.dumps([one.detach() for one in training.model.parameters()])


def _clip(training: Training, loss: Any) -> Any:
    if training.model[0].weight.grad is not None:
        return float(torch.nn.utils.clip_grad_norm_(training.model.parameters(), 0.1))
    return None


def _compile(training: Training, loss: Any) -> Any:
    training.step = torch.compile(training.plain)


def _evaluate(training: Training, loss: Any) -> Any:
    with torch.no_grad():
        return training.model(training.x).argmax(1).tolist()


def _collect(training: Training, loss: Any) -> Any:
    gc.collect()


MEDDLING = (
    _read_loss, _write_to_weights, _scale_weights, _look_at_gradient, _load_a_copy, _new_data, _lent_data,
    _saved_parameters, _clip, _compile, _evaluate, _collect,
)  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_random_loops_give_the_same_bits(seed: int, flights: Flights) -> None:
    def run() -> list[Any]:
        recorder.own.forget()
        draw = random.Random(seed)
        training = Training(draw.choice(("Adam", "SGD", "AdamW", "RMSprop")), seed)
        seen: list[Any] = []
        for _ in range(draw.randrange(4, 14)):
            loss = training.step()
            seen.append(loss)
            for action in draw.choices(MEDDLING, k=draw.choice((0, 0, 0, 1, 2))):
                seen.append(action(training, loss))
        return [float(one) if isinstance(one, torch.Tensor) else one for one in seen] + training.state()

    expected = synchronous(run)
    before = flights.count
    assert run() == expected
    assert flights.count > before

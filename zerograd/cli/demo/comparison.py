"""The same training with three ways to treat the gradient that the step before has left behind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import zerograd as torch
from zerograd import nn
from zerograd.cli.demo.progress import progress
from zerograd.cli.demo.training import BATCH, batches, network, optimizer_of
from zerograd.data import Digits


@dataclass(frozen=True)
class Run:
    """One of the trainings.

    Args:
        name: how it treats the old gradient.
        losses: of each step's batch, before the step, in nats.
        angles: in each step, between the gradient applied and the true gradient of the batch, in degrees.
    """

    name: str
    losses: list[float] = field(default_factory=list)
    angles: list[float] = field(default_factory=list)


def clear(optimizer: torch.optim.Optimizer) -> None:
    """Begin with no gradient."""
    optimizer.zero_grad()


def keep(optimizer: torch.optim.Optimizer) -> None:
    """Forget to clear: the new gradient is added to all the old ones."""


def halve(optimizer: torch.optim.Optimizer) -> None:
    """Let the old gradients fade."""
    for group in optimizer.param_groups:
        for p in group["params"]:
            if p.grad is not None:
                p.grad.mul_(0.5)


WAYS: dict[str, Callable[[torch.optim.Optimizer], None]] = {
    "zero_grad": clear,
    "no zero_grad": keep,
    "halved": halve,
}


def compare(digits: Digits, steps: int) -> list[Run]:
    """Train in each of the three ways, from the same weights, with the same batches."""
    with progress(steps * len(WAYS), "comparing") as bar:
        return [observe(name, digits, steps, bar.update) for name in WAYS]


def observe(name: str, digits: Digits, steps: int, tick: Callable[[], object]) -> Run:
    """Train for some steps and note losses and angles; calls `tick` after each step."""
    run = Run(name)
    model = network(*digits.train_images.shape[2:])
    optimizer = optimizer_of(model)
    parameters = list(model.parameters())
    epochs = math.ceil(steps * BATCH / len(digits.train_labels))
    for _, (images, labels) in zip(range(steps), batches(digits, epochs), strict=False):
        WAYS[name](optimizer)
        loss = nn.functional.cross_entropy(model(images), labels)
        true = torch.autograd.grad(loss, parameters, retain_graph=True)
        loss.backward()
        run.losses.append(loss.item())
        run.angles.append(angle([p.grad for p in parameters], true))
        optimizer.step()
        tick()
    return run


def angle(first: Sequence[torch.Tensor | None], second: Sequence[torch.Tensor | None]) -> float:
    """The angle between two gradients, each given parameter by parameter, in degrees; NaN if one is zero."""
    a, b = flat(first), flat(second)
    cosine = (a @ b / (a.norm() * b.norm())).item()
    return math.nan if math.isnan(cosine) else math.degrees(math.acos(max(-1.0, min(1.0, cosine))))


def flat(gradients: Sequence[torch.Tensor | None]) -> torch.Tensor:
    """One vector of all gradients, in double precision: an angle of 0.02 degrees is lost in single."""
    return torch.cat([gradient.flatten().double() for gradient in gradients if gradient is not None])

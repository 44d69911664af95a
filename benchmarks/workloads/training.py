"""A model, its optimizer and its data, and the step that everybody writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class Training:
    """A training program."""

    model: Any
    optimizer: Any
    loss: Callable[[Any, Any], Any]
    inputs: Any
    target: Any

    def step(self) -> Any:
        """Zero the gradients, forward, backward, update; gives the loss."""
        self.optimizer.zero_grad()
        loss = self.loss(self.model(self.inputs), self.target)
        loss.backward()
        self.optimizer.step()
        return loss


@dataclass
class Program:
    """A training program whose step is something else."""

    model: Any
    optimizer: Any
    step: Callable[[], Any]


def initialized(torch: Any, model: Any, rng: np.random.Generator) -> Any:
    """The model with NumPy's numbers in its matrices, so that all libraries start alike."""
    with torch.no_grad():
        for parameter in model.parameters():
            shape = tuple(parameter.shape)
            if len(shape) > 1:
                bound = float(np.prod(shape[1:])) ** -0.5
                parameter.copy_(torch.from_numpy(rng.uniform(-bound, bound, shape).astype(np.float32)))
    return model


def floats(torch: Any, rng: np.random.Generator, *shape: int) -> Any:
    return torch.from_numpy(rng.standard_normal(shape).astype(np.float32))


def integers(torch: Any, rng: np.random.Generator, high: int, *shape: int) -> Any:
    return torch.from_numpy(rng.integers(0, high, shape))

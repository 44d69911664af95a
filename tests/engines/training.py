"""A model that is trained."""

from __future__ import annotations

from typing import Any

import zerograd as torch


class Training:
    """A small model and its steps."""

    def __init__(self, compiled: bool = False) -> None:
        torch.manual_seed(0)
        self.model = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.x, self.y = torch.randn(6, 5), torch.randn(6, 1)
        self.step = torch.compile(self.plain) if compiled else self.plain

    def plain(self) -> Any:
        """A step, as it is written."""
        self.optimizer.zero_grad()
        loss = ((self.model(self.x) - self.y) ** 2).mean()
        loss.backward()
        self.optimizer.step()
        return loss

    def state(self) -> list[Any]:
        return [one.tolist() for one in self.model.parameters()]

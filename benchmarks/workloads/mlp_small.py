"""A perceptron 8-32-32-4 on batches of 16, SGD with momentum: nothing but overhead."""

from __future__ import annotations

from typing import Any

from workloads.training import Training, floats, initialized, integers


def build(torch: Any, rng: Any) -> Training:
    nn = torch.nn
    model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 4))
    optimizer = torch.optim.SGD(initialized(torch, model, rng).parameters(), lr=0.01, momentum=0.9)
    data = floats(torch, rng, 16, 8), integers(torch, rng, 4, 16)
    return Training(model, optimizer, nn.functional.cross_entropy, *data)

"""A perceptron 1024-1024-768-100 on batches of 256, AdamW: products and the optimizer's memory traffic."""

from __future__ import annotations

from typing import Any

from workloads.training import Training, floats, initialized, integers


def build(torch: Any, rng: Any) -> Training:
    nn = torch.nn
    model = nn.Sequential(nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 768), nn.ReLU(), nn.Linear(768, 100))
    optimizer = torch.optim.AdamW(initialized(torch, model, rng).parameters(), lr=1e-3)
    data = floats(torch, rng, 256, 1024), integers(torch, rng, 100, 256)
    return Training(model, optimizer, nn.functional.cross_entropy, *data)

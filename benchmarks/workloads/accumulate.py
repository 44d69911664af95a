"""Gradients of four mini-batches are summed, clipped and applied, with a schedule; AdamW."""

from __future__ import annotations

from typing import Any

from workloads.training import Program, floats, initialized, integers


def build(torch: Any, rng: Any) -> Program:
    nn = torch.nn
    layers = nn.Linear(64, 256), nn.GELU(), nn.LayerNorm(256), nn.Linear(256, 256), nn.GELU(), nn.Linear(256, 10)
    model = initialized(torch, nn.Sequential(*layers), rng)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + 1e-4 * step))
    batches = [(floats(torch, rng, 32, 64), integers(torch, rng, 10, 32)) for _ in range(4)]

    def step() -> Any:
        optimizer.zero_grad()
        total: Any = 0
        for x, y in batches:
            loss = nn.functional.cross_entropy(model(x), y, label_smoothing=0.1) / len(batches)
            loss.backward()
            total = total + loss.detach()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        return total

    return Program(model, optimizer, step)

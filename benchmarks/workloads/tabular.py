"""An epoch over a table of 4,096 rows: DataLoader, batch normalisation, a schedule, each loss read."""

from __future__ import annotations

from typing import Any

from workloads.training import Program, floats, initialized


def build(torch: Any, rng: Any) -> Program:
    nn = torch.nn
    model = nn.Sequential(
        nn.Linear(20, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, 64), nn.ReLU(),
        nn.Linear(64, 1),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(initialized(torch, model, rng).parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10000)
    table = torch.utils.data.TensorDataset(floats(torch, rng, 4096, 20), floats(torch, rng, 4096, 1))
    loader = torch.utils.data.DataLoader(table, batch_size=256, shuffle=True)

    def step() -> Any:
        total = 0.0
        for x, y in loader:
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(x)
        return torch.tensor(total / len(table))

    return Program(model, optimizer, step)

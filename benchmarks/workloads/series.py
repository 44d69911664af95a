"""A two-layer LSTM, 50 wide, over 64 time series of 30 numbers; gradients are clipped."""

from __future__ import annotations

from typing import Any

from workloads.training import Program, floats, initialized


def build(torch: Any, rng: Any) -> Program:
    nn = torch.nn

    class Series(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(1, 50, 2, batch_first=True)
            self.head = nn.Linear(50, 1)

        def forward(self, x: Any) -> Any:
            return self.head(self.lstm(x)[0][:, -1])

    model = initialized(torch, Series(), rng)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    x, y = floats(torch, rng, 64, 30, 1), floats(torch, rng, 64, 1)

    def step() -> Any:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    return Program(model, optimizer, step)

"""Factors of 5,000 users and 3,000 things and a small network, 512 ratings a step, Adam with weight decay."""

from __future__ import annotations

from typing import Any

from workloads.training import Program, floats, initialized, integers


def build(torch: Any, rng: Any) -> Program:
    nn = torch.nn

    class Ratings(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.users, self.things = nn.Embedding(5000, 32), nn.Embedding(3000, 32)
            self.both = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))

        def forward(self, users: Any, things: Any) -> Any:
            one, other = self.users(users), self.things(things)
            return (one * other).sum(1) + self.both(torch.cat([one, other], 1)).squeeze(1)

    model = initialized(torch, Ratings(), rng)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-6)
    users, things, ratings = integers(torch, rng, 5000, 512), integers(torch, rng, 3000, 512), floats(torch, rng, 512)

    def step() -> Any:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(users, things), ratings)
        loss.backward()
        optimizer.step()
        return loss

    return Program(model, optimizer, step)

"""A variational autoencoder, 784-400-20-400-784, batch 128, Adam."""

from __future__ import annotations

from typing import Any

from workloads.training import Program, floats, initialized


def build(torch: Any, rng: Any) -> Program:
    nn = torch.nn

    class Autoencoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = nn.Linear(784, 400)
            self.mean, self.spread = nn.Linear(400, 20), nn.Linear(400, 20)
            self.decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784), nn.Sigmoid())

        def forward(self, x: Any) -> Any:
            hidden = nn.functional.relu(self.hidden(x))
            mean, spread = self.mean(hidden), self.spread(hidden)
            drawn = mean + torch.randn_like(mean) * torch.exp(0.5 * spread)
            return self.decoder(drawn), mean, spread

    model = initialized(torch, Autoencoder(), rng)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    x = torch.sigmoid(floats(torch, rng, 128, 784))

    def step() -> Any:
        optimizer.zero_grad()
        again, mean, spread = model(x)
        distance = nn.functional.binary_cross_entropy(again, x, reduction="sum")
        loss = distance - 0.5 * torch.sum(1 + spread - mean.pow(2) - spread.exp())
        loss.backward()
        optimizer.step()
        return loss

    return Program(model, optimizer, step)

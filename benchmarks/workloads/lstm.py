"""A two-layer LSTM over 48 steps of 24 sequences, 96 wide, Adam: a long chain of small products."""

from __future__ import annotations

from typing import Any

from workloads.training import Training, initialized, integers


def build(torch: Any, rng: Any) -> Training:
    nn = torch.nn

    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(80, 96)
            self.lstm = nn.LSTM(96, 96, num_layers=2, batch_first=True)
            self.head = nn.Linear(96, 80)

        def forward(self, tokens: Any) -> Any:
            hidden, _ = self.lstm(self.embedding(tokens))
            return self.head(hidden).flatten(0, 1)

    model = initialized(torch, Words(), rng)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    data = integers(torch, rng, 80, 24, 48), integers(torch, rng, 80, 24 * 48)
    return Training(model, optimizer, nn.functional.cross_entropy, *data)

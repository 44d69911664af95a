"""A two-layer transformer encoder over 32 padded sentences of 50 words, AdamW."""

from __future__ import annotations

from typing import Any

from workloads.training import Training, initialized, integers


def build(torch: Any, rng: Any) -> Training:
    nn = torch.nn

    class Sentences(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(1000, 64)
            layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.1, batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(64, 2)

        def forward(self, words: Any) -> Any:
            return self.head(self.encoder(self.embedding(words), src_key_padding_mask=words == 0).mean(1))

    model = initialized(torch, Sentences(), rng)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    data = integers(torch, rng, 1000, 32, 50), integers(torch, rng, 2, 32)
    return Training(model, optimizer, nn.functional.cross_entropy, *data)

"""A pre-norm GPT of any size."""

from __future__ import annotations

from typing import Any

from workloads.training import Training, initialized, integers


def build_gpt(torch: Any, rng: Any, *, words: int, width: int, layers: int, heads: int, length: int, batch: int) -> Any:
    nn, F = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before_attention, self.before_mixing = nn.LayerNorm(width), nn.LayerNorm(width)
            self.attention, self.joined = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mixing = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, x: Any) -> Any:
            parts = self.attention(self.before_attention(x)).chunk(3, dim=-1)
            q, k, v = (one.unflatten(-1, (heads, width // heads)).transpose(1, 2) for one in parts)
            seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.joined(seen.transpose(1, 2).flatten(2))
            return x + self.mixing(self.before_mixing(x))

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
            self.blocks = nn.Sequential(*[Block() for _ in range(layers)])
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words, bias=False)

        def forward(self, tokens: Any) -> Any:
            x = self.words(tokens) + self.places(torch.arange(tokens.shape[1]))
            return self.head(self.norm(self.blocks(x))).flatten(0, 1)

    model = initialized(torch, GPT(), rng)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    data = integers(torch, rng, words, batch, length), integers(torch, rng, words, batch * length)
    return Training(model, optimizer, F.cross_entropy, *data)

"""A GPT of 6 layers, 256 wide, over 8 texts of 192 tokens, AdamW."""

from __future__ import annotations

from typing import Any

from workloads.gpt import build_gpt


def build(torch: Any, rng: Any) -> Any:
    return build_gpt(torch, rng, words=1000, width=256, layers=6, heads=8, length=192, batch=8)

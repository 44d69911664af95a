"""A GPT of 3 layers, 96 wide, over 16 texts of 48 characters, AdamW."""

from __future__ import annotations

from typing import Any

from workloads.gpt import build_gpt


def build(torch: Any, rng: Any) -> Any:
    return build_gpt(torch, rng, words=80, width=96, layers=3, heads=3, length=48, batch=16)

"""Quantized arithmetic, which is not there. Source: torch.backends.quantized."""

from __future__ import annotations

engine = "none"
supported_engines: list[str] = ["none"]

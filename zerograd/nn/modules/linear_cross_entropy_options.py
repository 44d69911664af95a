"""Options of LinearCrossEntropyLoss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class LinearCrossEntropyOptions:
    """How PyTorch computes linear_cross_entropy in chunks; here they are accepted and change nothing.

    Source: torch.nn.LinearCrossEntropyOptions.
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None

"""The types of results with names, e.g. ``torch.return_types.max``."""

from __future__ import annotations

from typing import Any

import zerograd.tensor.tensor  # noqa: F401  whose functions fill KINDS
from zerograd.tensor.functions.named_results import KINDS


def __dir__() -> list[str]:
    return sorted(KINDS)


def __getattr__(name: str) -> Any:
    if name in KINDS:
        return KINDS[name]
    raise AttributeError(f"zerograd has no torch.return_types.{name}")

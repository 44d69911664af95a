"""The types of results with names, e.g. ``torch.return_types.max``."""

from __future__ import annotations

from typing import Any

from zerograd.tensor.functions import (  # noqa: F401  the functions with such results fill KINDS
    counting,
    factorization,
    matrices,
    pointwise,
    reductions,
    scans,
    solving,
    sorting,
)
from zerograd.tensor.functions.named_results import KINDS


def __dir__() -> list[str]:
    return sorted(KINDS)


def __getattr__(name: str) -> Any:
    if name in KINDS:
        return KINDS[name]
    raise AttributeError(f"zerograd has no torch.return_types.{name}")

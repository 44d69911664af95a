"""NCCL, which is not there. Source: torch.cuda.nccl."""

from __future__ import annotations

from typing import Any

from zerograd import errors


def version() -> tuple[int, ...]:
    """Its version: raises RuntimeError."""
    raise errors.runtime("there is no NCCL: zerograd computes on the CPU")


def is_available(tensors: Any) -> bool:
    """Whether these tensors can be handed to NCCL: no."""
    del tensors
    return False

"""OpenMP, which is not used. Source: torch.backends.openmp."""

from __future__ import annotations


def is_available() -> bool:
    """Whether OpenMP's threads are used: no."""
    return False

"""The package opt_einsum, which is not used. Source: torch.backends.opt_einsum."""

from __future__ import annotations

enabled = False
strategy: str | None = None


def is_available() -> bool:
    """Whether ``einsum`` orders its products with that package: no."""
    return False

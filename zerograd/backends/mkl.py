"""Intel's MKL: products go to the BLAS inside NumPy instead. Source: torch.backends.mkl."""

from __future__ import annotations


def is_available() -> bool:
    """Whether MKL is used: no."""
    return False

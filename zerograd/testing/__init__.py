"""Comparing and drawing tensors in tests. Source: torch.testing."""

from zerograd.testing.comparison import assert_allclose, assert_close
from zerograd.testing.creation import make_tensor

__all__ = ["assert_allclose", "assert_close", "make_tensor"]

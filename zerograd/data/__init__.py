"""Handwritten digits: the UCI digits that come with zerograd, and a reader of MNIST files."""

from __future__ import annotations

from zerograd.data.digits import Digits, load_digits
from zerograd.data.mnist import load_mnist, read_idx

__all__ = ["Digits", "load_digits", "load_mnist", "read_idx"]

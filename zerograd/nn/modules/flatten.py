"""Merging and splitting dimensions: Flatten, Unflatten."""

from __future__ import annotations

from typing import Any

from zerograd import errors
from zerograd.nn.modules.module import Module
from zerograd.tensor.tensor import Tensor


class Flatten(Module):
    """Merges the dimensions ``start_dim`` to ``end_dim`` into one. Source: torch.nn.Flatten."""

    __constants__ = ["start_dim", "end_dim"]
    start_dim: int
    end_dim: int

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits dimension ``dim`` into the sizes ``unflattened_size``, of which one may be -1.

    Source: torch.nn.Unflatten.

    Raises:
        TypeError: the sizes are no tuple of integers (or, for a named dimension, of (name, size) pairs).
    """

    __constants__ = ["dim", "unflattened_size"]
    dim: int | str
    unflattened_size: Any

    def __init__(self, dim: Any, unflattened_size: Any) -> None:
        super().__init__()
        if isinstance(dim, int):
            self._require(unflattened_size, int, "integers")
        elif isinstance(dim, str):
            self._require(unflattened_size, tuple, "(name, size) pairs")
        else:
            raise errors.type_(f"Unflatten needs an integer for dim, got a {type(dim).__name__}")
        self.dim = dim
        self.unflattened_size = unflattened_size

    def _require(self, sizes: Any, kind: type, words: str) -> None:
        if not isinstance(sizes, (tuple, list)):
            raise errors.type_(f"Unflatten needs a tuple of {words} for unflattened_size, got a {type(sizes).__name__}")
        for i, size in enumerate(sizes):
            if not isinstance(size, kind):
                raise errors.type_(f"Unflatten needs {words} in unflattened_size, but element {i} is {size!r}")

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"

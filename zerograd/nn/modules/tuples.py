"""One number per dimension."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any


def ntuple(n: int) -> Callable[[Any], tuple[Any, ...]]:
    """The function that makes a tuple of one number, ``n`` times, and of a sequence its tuple."""

    def parse(x: Any) -> tuple[Any, ...]:
        return tuple(x) if isinstance(x, Iterable) else (x,) * n

    return parse


single = ntuple(1)
pair = ntuple(2)
triple = ntuple(3)
quadruple = ntuple(4)
sextuple = ntuple(6)


def reverse_repeat(t: Sequence[int], n: int) -> tuple[int, ...]:
    """The entries from last to first, each ``n`` times: padding as `torch.nn.functional.pad` orders it."""
    return tuple(x for x in reversed(t) for _ in range(n))

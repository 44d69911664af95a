"""One number at a time, for methods that cannot say beforehand how many they need."""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final

from zerograd.runtime.random.generator import Generator

_BLOCK: Final = 512


class Stepwise:
    """Single draws from a generator, fetched in blocks; on leaving, what was not used goes back.

    ::

        with Stepwise(generator) as source:
            u = source.uniform()
    """

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._before: Any = None  # where the current block began
        self._left: Iterator[float] = iter(())

    def __enter__(self) -> Stepwise:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            used = _BLOCK - sum(1 for _ in self._left)
            self._generator.rewind(self._before)
            self._generator.unit_float64(used)

    def uniform(self) -> float:
        """A float64 in [0, 1)."""
        for number in self._left:
            return number
        self._before = self._generator.position()
        self._left = iter(self._generator.unit_float64(_BLOCK).tolist())
        return next(self._left)

    def normal(self) -> float:
        """A standard normal float64: the one that waits in the generator, or the first of a new pair."""
        waiting = self._generator.next_normal
        if waiting is not None:
            self._generator.next_normal = None
            return waiting
        angle = 2.0 * math.pi * self.uniform()
        radius = math.sqrt(-2.0 * math.log1p(-self.uniform()))
        self._generator.next_normal = radius * math.sin(angle)
        return radius * math.cos(angle)

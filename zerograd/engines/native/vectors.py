"""Going along neighbouring elements in vectors: whole ones, and a rest behind a mask.

A chain of dependent instructions takes several cycles for each of them, in which the processor could do others. So
``many`` vectors may go side by side: they are one value of so many more lanes, which LLVM takes apart instruction by
instruction. What remains goes in single vectors.

    lanes 8, many 2, 43 elements:   16 16 8 and 3 behind a mask
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zerograd.engines.native.emit import Function, Operand, Value, lanes

Body = Callable[..., Any]
"""(j, mask, width, *sums) -> sums: does the ``width`` elements from the j-th on that the mask, if any, lets through."""


class Vectors:
    """How a kernel goes along elements.

    Attributes:
        width: lanes of a vector.
        many: how many of them go side by side.
        singly: what remains goes element by element: masks of narrow elements are taken apart lane by lane, which is
            slow to compile and to run.
    """

    __slots__ = ("many", "singly", "width")

    def __init__(self, width: int, many: int = 1, singly: bool = False) -> None:
        self.width, self.many, self.singly = width, many, singly

    @property
    def widths(self) -> list[int]:
        """Of what bodies are called with."""
        return [*self._wholes, 1] if self.singly else self._wholes

    @property
    def _wholes(self) -> list[int]:
        return [self.many * self.width, self.width] if self.many > 1 else [self.width]

    def along(self, f: Function, start: Operand, stop: Value, body: Body) -> None:
        """Elements from ``start`` to ``stop``."""
        for width in self._wholes:
            start = _whole(f, start, stop, width, lambda j, width=width: body(j, None, width))[0]
        if self.singly:
            f.loop(start, stop, 1, lambda j: body(j, None, 1))
            return
        f.if_(f.compare("slt", start, stop), lambda: body(start, f.first(f.sub(stop, start), self.width), self.width))

    def fold(
        self, f: Function, start: Operand, stop: Value, body: Body,
        neutral: Callable[[int], list[Value]], join: Callable[[Sequence[Value], Sequence[Value]], list[Value]],
    ) -> list[Value]:  # fmt: skip
        """The same, and what the body carries along.

        Args:
            neutral: what it begins with, in so many lanes.
            join: two such parts as one.

        Returns:
            Vectors of ``width`` lanes; which elements a lane stands for depends on ``stop - start`` alone.
        """
        sums: list[Value] = []
        for width in self._wholes:
            sums = self._narrowed(f, sums, join) if sums else neutral(width)
            start, *sums = _whole(f, start, stop, width, lambda j, *s, width=width: body(j, None, width, *s), sums)

        def rest() -> list[Value]:
            return list(body(start, f.first(f.sub(stop, start), self.width), self.width, *sums))

        return f.if_(f.compare("slt", start, stop), rest, lambda: sums)

    def _narrowed(
        self, f: Function, sums: list[Value], join: Callable[[Sequence[Value], Sequence[Value]], list[Value]]
    ) -> list[Value]:
        """Sums of many vectors as those of one."""
        while (count := lanes(sums[0].type)) > self.width:
            half = count // 2
            low = [f.shuffle(one, one, range(half)) for one in sums]
            sums = join(low, [f.shuffle(one, one, range(half, count)) for one in sums])
        return sums


def _whole(
    f: Function, start: Operand, stop: Value, width: int, body: Body, carried: Sequence[Value] = ()
) -> list[Value]:
    """As many whole vectors as there are: where they end, and what was carried."""
    whole = f.and_(f.sub(stop, start), -width)
    end = whole if isinstance(start, int) and not start else f.add(start, whole)
    return [end, *f.loop(start, end, width, body, carried)]


__all__ = ["Body", "Vectors"]

"""An operand of a product, as the planner sees it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from zerograd.engines.native.emit import size
from zerograd.engines.native.kernel import Access
from zerograd.frozen import Frozen


class Matrix(Frozen):
    """A matrix, or a batch of them, in a buffer.

    Attributes:
        buffer: which one, as the program numbers them.
        offset: in bytes, where element [0, ..., 0] lies.
        shape: batch dimensions, at most two, then rows and columns.
        strides: of each dimension, in elements; 0 repeats.
        type: of the elements: "float", "double", "half", "bfloat".
        bytes: size of the buffer; None: the operand fills it.
    """

    __slots__ = ("buffer", "bytes", "offset", "shape", "strides", "type")

    def __init__(
        self, buffer: int, offset: int, shape: Sequence[int], strides: Sequence[int], type: str,
        bytes: int | None = None,
    ) -> None:  # fmt: skip
        self.buffer, self.offset, self.type, self.bytes = buffer, offset, type, bytes
        self.shape, self.strides = tuple(shape), tuple(strides)

    @property
    def steps(self) -> tuple[int, ...]:
        """The strides in bytes."""
        return tuple(stride * size(self.type) for stride in self.strides)

    @property
    def items(self) -> int:
        """How many matrices there are."""
        return prod(self.shape[:-2])

    def transposed(self) -> Matrix:
        """Rows and columns exchanged."""
        shape, strides = (*self.shape[:-2], *self.shape[:-3:-1]), (*self.strides[:-2], *self.strides[:-3:-1])
        return Matrix(self.buffer, self.offset, shape, strides, self.type, self.bytes)

    def padded(self) -> Matrix:
        """With exactly two batch dimensions."""
        missing = 4 - len(self.shape)
        return Matrix(
            self.buffer, self.offset, (1,) * missing + self.shape, (0,) * missing + self.strides, self.type, self.bytes
        )

    def flat(self) -> Matrix | None:
        """One matrix with the rows of the whole batch, if they lie at equal distances."""
        rows, stride = self.shape[-2], self.strides[-2]
        for length, step in zip(reversed(self.shape[:-2]), reversed(self.strides[:-2]), strict=True):
            if length != 1 and rows != 1 and step != rows * stride:
                return None
            if length != 1 and rows == 1:
                stride = step
            rows *= length
        return Matrix(
            self.buffer, self.offset, (rows, self.shape[-1]), (stride, self.strides[-1]), self.type, self.bytes
        )

    def slabs(self, dimensions: int) -> int:
        """Into how many consecutive parts of equal length some of the leading dimensions divide the buffer; 1: none."""
        return next((n for lead in range(dimensions, 0, -1) if (n := self._parts(lead)) > 1), 1)

    def _parts(self, dimensions: int) -> int:
        lead = [(n, s) for n, s in zip(self.shape[:dimensions], self.steps[:dimensions], strict=True) if n != 1]
        rest = zip(self.shape[dimensions:], self.steps[dimensions:], strict=True)
        if not lead or 0 in self.shape or lead[-1][1] <= 0:
            return 1
        step, parts = lead[-1][1], prod(n for n, _ in lead)
        regular = all(outer[1] == inner[0] * inner[1] for outer, inner in pairwise(lead))
        extent = self.offset + sum((n - 1) * s for n, s in rest) + size(self.type)
        return parts if regular and extent <= step and self.bytes in (None, parts * step) else 1

    def access(self, dimensions: int = 0) -> Access:
        """Divided by so many leading dimensions, if the buffer can be."""
        return Access(self.buffer, self.slabs(dimensions), self.offset)


__all__ = ["Matrix"]

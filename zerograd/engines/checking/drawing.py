"""Random arrays: shapes around vector widths, every type, odd values, odd layouts in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.ir.graph import Array, TensorType
from zerograd.shapes import Shape, count

SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 13, 15, 16, 17, 31, 33, 64, 65, 127, 257)
ODDS = (6, 5, 6, 4, 4, 3, 3, 3, 2, 2, 2, 2, 2, 2, 1, 1, 0.5, 0.5)

KINDS: dict[dtype, float] = {
    dtypes.float32: 60, dtypes.float64: 8, dtypes.float16: 6, dtypes.bfloat16: 6, dtypes.int64: 6, dtypes.int32: 4,
    dtypes.int16: 1, dtypes.int8: 2, dtypes.uint8: 2, dtypes.bool_: 4, dtypes.complex64: 2, dtypes.complex128: 1,
}  # fmt: skip

ODD_NUMBERS = (
    np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e-45, -1e-40, 1.2e-38, 3e38, -3e38, 1e30, 1e-30, 88.8, -95.0,
    -104.0, 0.5, 1.5, 2.5, 2.0**24, 2.0**31, -(2.0**31), 65504.0, 6e-8,
)  # fmt: skip


class Draw:
    """A seeded source of choices.

    Attributes:
        limit: the largest number of elements of an array.
        wild: NaN, infinities, subnormal and huge numbers are among the values.
        layouts: arrays may lie in memory in any way.
    """

    def __init__(self, seed: int | Sequence[int], limit: int = 512, wild: bool = False, layouts: bool = True) -> None:
        self.random = np.random.default_rng(seed)
        self.limit, self.wild, self.layouts = limit, wild, layouts

    def chance(self, p: float) -> bool:
        return bool(self.random.random() < p)

    def below(self, n: int) -> int:
        """A whole number in [0, n)."""
        return int(self.random.integers(n))

    def between(self, low: int, high: int) -> int:
        """A whole number in [low, high]."""
        return int(self.random.integers(low, high + 1))

    def one(self, choices: Sequence[Any], odds: Sequence[float] | None = None) -> Any:
        if odds is None:
            return choices[self.below(len(choices))]
        shares = np.asarray(odds, np.float64)
        return choices[
            int(np.searchsorted(np.cumsum(shares / shares.sum()), self.random.random()).clip(0, len(choices) - 1))
        ]

    def some(self, choices: Sequence[Any], least: int = 1) -> list[Any]:
        """Some of the choices, in their order."""
        n = self.between(min(least, len(choices)), len(choices))
        return [choices[i] for i in sorted(self.random.permutation(len(choices))[:n])]

    def size(self, most: int | None = None) -> int:
        found = self.one(SIZES, ODDS)
        return 0 if self.chance(0.015) else min(found, most) if most else found

    def shape(self, rank: int | None = None, limit: int | None = None) -> Shape:
        rank = self.one((0, 1, 2, 3, 4), (1, 4, 6, 3, 1.5)) if rank is None else rank
        left, sizes = limit or self.limit, []
        for _ in range(rank or 0):
            size = min(self.size(), max(left, 1))
            left //= max(size, 1)
            sizes.append(size)
        return tuple(sizes[i] for i in self.random.permutation(len(sizes)))

    def kind(self) -> dtype:
        return self.one(list(KINDS), list(KINDS.values()))

    def number(self) -> float:
        """A Python number of moderate size."""
        return float(self.one((0.1, 0.5, 1.0, 2.0, -1.0, 1e-3, 0.9, 1.7, -0.25, 0.0)))

    # --- values --------------------------------------------------------------------------------------------

    def array(self, type: TensorType, low: float | None = None, high: float | None = None) -> Array:
        """Values of a type in some layout; floats in [low, high) if these are given."""
        shape = type.shape
        if shape and self.layouts and self.chance(0.06) and count(shape):
            grown = [n == 1 or self.chance(0.5) for n in shape]
            part = TensorType(tuple(1 if one else n for one, n in zip(grown, shape, strict=True)), type.dtype)
            return np.broadcast_to(self.values(part, low, high), shape)  # strides of 0
        values = self.values(type, low, high)
        return self.laid(values) if self.layouts else values

    def values(self, type: TensorType, low: float | None, high: float | None) -> Array:
        shape, kind = type.shape, type.dtype
        if kind is dtypes.bool_:
            return np.asarray(self.random.random(shape) < 0.5)
        if not kind.is_inexact:
            return self._whole(kind, shape)
        found = self._floats(shape, low, high)
        with np.errstate(all="ignore"):
            if kind.is_complex:
                found = found + 1j * self._floats(shape, low, high)
            return np.asarray(found, kind.numpy)

    def _whole(self, kind: dtype, shape: Shape) -> Array:
        limits = np.iinfo(kind.numpy)
        if self.wild and self.chance(0.3):
            return self.random.integers(limits.min, limits.max, shape, kind.numpy, endpoint=True)
        low = 0 if limits.min == 0 else -9
        return self.random.integers(low, 10, shape, kind.numpy)

    def _floats(self, shape: Shape, low: float | None, high: float | None) -> Array:
        if low is not None and high is not None:
            return self.random.uniform(low, high, shape)
        found = np.asarray(self.random.standard_normal(shape))
        style = self.one(("normal", "whole", "ties", "wide"), (6, 1, 1, 1))
        if style == "whole":
            found = np.rint(found * 3)
        elif style == "ties":
            found = np.rint(found * 2) / 2
        elif style == "wide":
            found = found * np.exp2(self.random.integers(-12, 8, shape))
        if self.wild:
            odd = self.random.random(shape) < self.one((0.02, 0.2, 1.0))
            found = np.where(odd, self.random.choice(ODD_NUMBERS, shape), found)
        return found

    # --- layouts -------------------------------------------------------------------------------------------

    def laid(self, x: Array) -> Array:
        """The same values, lying in memory in another way."""
        way = self.one((self._as_it_is, self._turned, self._stepped, self._reversed, self._displaced, self._closed),
                       (10, 3, 3, 2, 2, 1))  # fmt: skip
        return way(x)

    def _as_it_is(self, x: Array) -> Array:
        return x

    def _turned(self, x: Array) -> Array:
        order = self.random.permutation(x.ndim)
        return np.transpose(np.array(np.transpose(x, order), order="C"), np.argsort(order))

    def _stepped(self, x: Array) -> Array:
        if not x.ndim:
            return x
        axis, step = self.below(x.ndim), self.between(2, 3)
        box = np.empty([n * step + 1 if i == axis else n + self.below(2) for i, n in enumerate(x.shape)], x.dtype)
        box.view(np.uint8)[...] = 0xAB
        places = tuple(
            slice(1, 1 + n * step, step) if i == axis else slice(size - n, size)
            for i, (n, size) in enumerate(zip(x.shape, box.shape, strict=True))
        )
        box[places] = x
        return box[places]

    def _reversed(self, x: Array) -> Array:
        axes = tuple(i for i in range(x.ndim) if self.chance(0.6))
        return np.flip(np.array(np.flip(x, axes), order="C"), axes)

    def _displaced(self, x: Array) -> Array:
        """At an address that is no multiple of the element's size, or of no vector's."""
        offset = self.one((1, x.itemsize, 4 * x.itemsize))
        held = np.zeros(x.nbytes + offset + 64, np.uint8)
        found = np.ndarray(x.shape, x.dtype, held.data, offset)
        found[...] = x
        return found

    def _closed(self, x: Array) -> Array:
        x = np.array(x)
        x.flags.writeable = False
        return x

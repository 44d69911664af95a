"""The order in which PyTorch fills a tensor whose elements do not lie in row-major order.

A fill goes through memory from its lowest address on, so that of two tensors of one shape, drawn from one
seed, the transposed one holds the numbers in other places.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zerograd.ir.graph import Array
from zerograd.ops.movement import inverse
from zerograd.shapes import Shape, is_contiguous


def filled(shape: Shape, strides: Shape, draw: Callable[[Shape, bool], Array]) -> Array:
    """An array of ``shape`` with the numbers where a fill in memory order puts them.

    Args:
        draw: numbers for a shape, in the order of drawing; it is told whether the tensor is contiguous.
    """
    if is_contiguous(shape, strides):
        return draw(shape, True)
    order = memory_order(shape, strides)
    drawn = draw(tuple(shape[axis] for axis in order), False)
    return np.ascontiguousarray(drawn.transpose(inverse(order)))


def memory_order(shape: Shape, strides: Shape) -> Shape:
    """The axes from the largest stride to the smallest; between equal ones PyTorch's choice.

    An insertion sort, since the order of axes of stride 0 (expanded ones) depends on how it is sorted.
    """
    axes = list(reversed(range(len(shape))))  # fastest first
    for start in range(1, len(axes)):
        at = start
        for before in range(start - 1, -1, -1):
            swap = _should_swap(shape, strides, axes[before], axes[at])
            if swap < 0:
                break
            if swap > 0:
                axes[before], axes[at] = axes[at], axes[before]
                at = before
    return tuple(reversed(axes))


def _should_swap(shape: Shape, strides: Shape, faster: int, slower: int) -> int:
    """1: swap; -1: the order is right; 0: undecided, look further."""
    a, b = strides[faster], strides[slower]
    if a == 0 or b == 0:
        return 0
    if a != b:
        return 1 if a > b else -1
    return 1 if shape[faster] > shape[slower] else 0

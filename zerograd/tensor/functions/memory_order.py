"""The order in which PyTorch fills a tensor whose elements do not lie in row-major order.

A fill goes through memory from its lowest address on, so that of two tensors of one shape, drawn from one
seed, the transposed one holds the numbers in other places.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zerograd.ir.graph import Array
from zerograd.ir.layout import fastest_first
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
    """The axes from the largest stride to the smallest; between equal ones PyTorch's choice."""
    return tuple(reversed(fastest_first(shape, [strides])))

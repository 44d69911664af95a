"""How the kernels are evaluated: in cache-sized blocks, at a fitting precision, by pieces, by Horner."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zerograd.ir.graph import Array

Kernel = Callable[..., Array]

BLOCK = 16384  # elements; a dozen float64 temporaries of this size stay in a core's cache


def at_every_width(double: Kernel, single: Kernel | None = None) -> Kernel:
    """A kernel for arrays of any shapes that broadcast and any float type, from one for flat float64 arrays.

    Results have the type of the first operand. Numbers of up to 32 bits go to ``single``, a kernel for
    float32, if there is one; from float64 they come out exact to the last bit or nearly so. Keywords reach
    the kernel.
    """

    @functools.wraps(double)
    def kernel(*arrays: Array, **attributes: Any) -> Array:
        kind = arrays[0].dtype
        work, formula = (np.float64, double)
        if single is not None and kind.itemsize <= 4:
            work, formula = (np.float32, single)
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        flat = [np.reshape(np.broadcast_to(array, shape), -1) for array in arrays]
        result = np.empty(flat[0].shape, kind)
        with np.errstate(all="ignore"):
            for start in range(0, result.size, BLOCK):
                block = slice(start, start + BLOCK)
                result[block] = formula(*(array[block].astype(work, copy=False) for array in flat), **attributes)
        return result.reshape(shape)

    return kernel


def polynomial(t: Array, coefficients: Sequence[float]) -> Array:
    """``coefficients[0] + coefficients[1] * t + ...`` by Horner's rule."""
    total = t * coefficients[-1]
    for coefficient in coefficients[-2:0:-1]:
        total += coefficient
        total *= t
    total += coefficients[0]
    return total


def piecewise(arguments: tuple[Array, ...], *pieces: tuple[Array, Kernel | float]) -> Array:
    """Each element by the formula of the first condition that holds for it; NaN where none does."""
    shape = arguments[0].shape
    result = np.full(shape, np.nan, arguments[0].dtype)
    left = np.ones(shape, np.bool_)
    for condition, formula in pieces:
        chosen = condition & left
        if not chosen.any():
            continue
        left &= ~chosen
        result[chosen] = formula(*(one[chosen] for one in arguments)) if callable(formula) else formula
    return result


def sin_pi(x: Array) -> Array:
    """sin(πx), exactly 0 at whole numbers."""
    near = np.rint(x)
    sign = np.where(near % 2 == 0, 1.0, -1.0)
    return sign * np.sin(np.pi * (x - near))

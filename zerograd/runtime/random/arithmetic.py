"""Arithmetic that NumPy lacks and PyTorch's kernels use: fused multiply-add, and C's elementary functions.

PyTorch's random kernels are compiled for AVX2 with contraction, so ``a * b + c`` is rounded once there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np

from zerograd.dtypes import dtype
from zerograd.ir.graph import Array

_SPLIT: Final = 2.0**27 + 1  # halves a 53-bit significand (Veltkamp)


def fma32(a: Array | np.float32, b: Array | np.float32, c: Array | np.float32) -> Array:
    """``a * b + c`` in float32, rounded once.

    The product of two float32 is exact in float64. The sum is rounded to float64 and then to float32, which
    differs from a single rounding in one of about 2**29 cases.
    """
    exact = np.multiply(a, b, dtype=np.float64)
    exact += c
    return exact.astype(np.float32)


def fma64(a: Array, b: float, c: float) -> Array:
    """``a * b + c`` in float64, rounded once, for values far from overflow and underflow.

    Source: Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using
    rounding to odd", IEEE Transactions on Computers 57 (2008).
    """
    if c == 0:
        return a * b + c
    if b == 1:
        return a + c
    product, product_rest = _two_product(a, b)
    high, high_rest = _two_sum(product_rest, c)
    sum_, sum_rest = _two_sum(product, high)
    low, error = _two_sum(high_rest, sum_rest)
    even = (low.view(np.int64) & 1) == 0
    inexact = np.flatnonzero(even & (error != 0))
    low[inexact] = np.nextafter(low[inexact], np.copysign(np.inf, error[inexact]))  # rounds `low` to odd
    return sum_ + low


def _two_sum(a: Array, b: Array | float) -> tuple[Array, Array]:
    """The rounded sum and what rounding lost. Source: Knuth."""
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


def _two_product(a: Array, b: float) -> tuple[Array, Array]:
    """The rounded product and what rounding lost. Source: Dekker."""
    product = a * b
    a_high = _SPLIT * a
    a_high -= a_high - a
    a_low = a - a_high
    b_high = _SPLIT * b
    b_high -= b_high - b
    b_low = b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def round_to(values: Array, kind: dtype) -> Array:
    """float64 or float32 values as ``kind``; the 16-bit types are reached through float32, as in PyTorch."""
    with np.errstate(over="ignore"):
        if kind.itemsize == 2 and values.dtype == np.float64:
            values = values.astype(np.float32)
        return values.astype(kind.numpy, copy=False)


def elementary(name: str, x: Array) -> Array:
    """The function ``name`` of C's math library for each float64 in ``x``.

    NumPy calls the same library, except where it brings vector code of its own (AVX-512), whose last bit may
    differ; there the library is called element by element.
    """
    if _numpy_equals_c(name):
        return getattr(np, name)(x)
    function: Callable[[float], float] = getattr(math, name)
    domain = _DOMAINS.get(name, np.isfinite)(x)
    if domain.all():
        return np.fromiter(map(function, x.ravel().tolist()), np.float64, x.size).reshape(x.shape)
    result: Array = getattr(np, name)(x)  # poles and infinities, where math raises
    result[domain] = elementary(name, x[domain])
    return result


_DOMAINS: Final[dict[str, Callable[[Array], Any]]] = {
    "exp": lambda x: x < 709,
    "log": lambda x: x > 0,
    "log1p": lambda x: x > -1,
}


@cache
def _numpy_equals_c(name: str) -> bool:
    x = np.linspace(-0.999, 6.5, 4001)
    if name == "log":
        x = np.abs(x) + 2.0**-24
    elif name == "tan":
        x = x / 7
    function: Callable[[float], float] = getattr(math, name)
    return bool(np.array_equal(getattr(np, name)(x), np.array([function(value) for value in x.tolist()])))

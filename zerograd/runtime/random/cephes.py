"""The single-precision logarithm, sine and cosine of the Cephes library, in PyTorch's rounding.

PyTorch's AVX2 kernel for normal numbers, which every x86 machine with AVX2 or AVX-512 runs, evaluates these
polynomials. Which products it fuses with which sums decides the last bit; here the same ones are fused, so
that the results are the same bit for bit.

Numbers are kept as float64 and rounded to float32 wherever the kernel rounds. That is exact for a product
or a sum of two float32; for a fused multiply-add it differs from a single rounding in one of about 2**29
cases.

Source: S. L. Moshier, Cephes mathematical library (logf.c, sinf.c); Methods and Programs for Mathematical
Functions, 1989.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from zerograd.ir.graph import Array


def _float32(*numbers: float) -> tuple[float, ...]:
    return tuple(float(np.float32(number)) for number in numbers)


_LOGARITHM: Final = _float32(
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
    2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
_SINE: Final = _float32(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COSINE: Final = _float32(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_LN2_HIGH, _LN2_LOW = _float32(0.693359375, -2.12194440e-4)
_QUARTER_PI: Final = _float32(0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8)  # the sum of three
(_QUARTERS_OF_PI,) = _float32(1.27323954473516)  # in one radian
(_SQRT_HALF,) = _float32(0.707106781186547524)


def logarithm(x: Array) -> Array:
    """ln x, for positive normal float32."""
    bits = np.ascontiguousarray(x).view(np.int32)
    exponent = ((bits >> 23) - 126).astype(np.float64)
    x = ((bits & 0x007FFFFF) | 0x3F000000).view(np.float32).astype(np.float64)  # the fraction, in [1/2, 1)
    small = x < _SQRT_HALF
    exponent -= small
    x += np.where(small, x, 0.0)
    x -= 1.0  # exact, like the doubling
    square = _round(x * x)
    y = _round(_polynomial(_LOGARITHM, x) * x)
    y = _round(y * square + _round(exponent * _LN2_LOW))
    y = _round(square * -0.5 + y)
    return (exponent * _LN2_HIGH + _round(x + y)).astype(np.float32)


def sine_and_cosine(x: Array) -> tuple[Array, Array]:
    """sin x and cos x, for float32 in [0, 2 pi]."""
    x = x.astype(np.float64)
    octant = (_round(x * _QUARTERS_OF_PI).astype(np.int32) + 1) & ~1
    for part in _QUARTER_PI:
        x = _round(octant * -part + x)
    square = _round(x * x)
    cosine = _round(_polynomial(_COSINE, square) * square)
    cosine = (_round(cosine * square - square * 0.5) + 1.0).astype(np.float32)
    sine = (_round(_polynomial(_SINE, square) * square) * x + x).astype(np.float32)
    swapped = (octant & 2) != 0
    sine, cosine = np.where(swapped, cosine, sine), np.where(swapped, sine, cosine)
    np.negative(sine, out=sine, where=(octant & 4) != 0)
    np.negative(cosine, out=cosine, where=((octant + 2) & 4) != 0)
    return sine, cosine


def _polynomial(coefficients: Sequence[float], x: Array) -> Array:
    y = x * coefficients[0]
    for coefficient in coefficients[1:-1]:
        y += coefficient
        y = _round(y)
        y *= x
    y += coefficients[-1]
    return _round(y)


def _round(x: Array) -> Array:
    """To the nearest float32."""
    return x.astype(np.float32).astype(np.float64)

"""Normal numbers, by PyTorch's two Box-Muller methods.

From 16 elements on: blocks of 16 uniforms, of which the first 8 give the radii and the last 8 the angles. A
last incomplete block is replaced: the final 16 elements are drawn anew. In float32 the logarithm, sine and
cosine are those of ``cephes``.

Below 16 elements, and for a tensor that is not contiguous: pairs of float64 numbers, whose second one waits
in the generator for the next draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from zerograd import dtypes, errors
from zerograd.dtypes import dtype
from zerograd.ir.graph import Array
from zerograd.runtime.random.arithmetic import elementary, fma32, fma64, round_to
from zerograd.runtime.random.cephes import logarithm, sine_and_cosine
from zerograd.runtime.random.generator import Generator, choose
from zerograd.shapes import count

BLOCK: Final = 16
_CHUNK: Final = 2048 * BLOCK  # elements worked on at a time, so that they stay in the cache


def normal(
    generator: Generator | None,
    shape: Sequence[int],
    dtype: dtype,
    mean: float = 0.0,
    std: float = 1.0,
    *,
    contiguous: bool = True,
) -> Array:
    """Normal numbers with this mean and standard deviation; complex ones have half the variance in each part.

    Args:
        contiguous: whether the tensor to be filled is; PyTorch draws differently into one that is not. The
            numbers are returned in the order in which they are drawn.
    Raises:
        RuntimeError: std is negative.
        NotImplementedError: dtype is neither floating nor complex.
    """
    if not std >= 0:
        raise errors.runtime("normal expects a standard deviation of at least 0", std=std)
    shape = tuple(shape)
    if dtype.is_complex:
        parts = normal(generator, (*shape, 2), dtype.to_real(), mean, std / math.sqrt(2), contiguous=contiguous)
        return parts.view(dtype.numpy).reshape(shape)
    if not dtype.is_floating_point:
        raise NotImplementedError(errors.message("normal numbers need a floating or complex dtype", got=dtype))
    generator = choose(generator)
    size = count(shape)
    if size < BLOCK or not contiguous:
        flat = round_to(normal_pairs(generator, size, mean, std), dtype)
    elif dtype is dtypes.float64:
        flat = _blocks(generator.unit_float64, size, _box_muller_float64, mean, std, dtype)
    else:
        flat = _blocks(generator.unit_float32, size, _box_muller_float32, mean, std, dtype)
    return flat.reshape(shape)


def normal_pairs(generator: Generator, size: int, mean: float, std: float) -> Array:
    """Float64 normal numbers, made in pairs; a second number left over waits in the generator."""
    result = np.empty(size, np.float64)
    start = 0
    if size and generator.next_normal is not None:
        result[0] = generator.next_normal
        generator.next_normal = None
        start = 1
    pairs = (size - start + 1) // 2
    if pairs:
        unit = generator.unit_float64(2 * pairs).reshape(pairs, 2)
        radius = np.sqrt(-2.0 * elementary("log1p", -unit[:, 1]))
        angle = (2.0 * math.pi) * unit[:, 0]
        both = np.stack([radius * elementary("cos", angle), radius * elementary("sin", angle)], axis=1).ravel()
        result[start:] = both[: size - start]
        if 2 * pairs > size - start:
            generator.next_normal = float(both[-1])
    return fma64(result, std, mean)


def _blocks(
    unit: Callable[[int], Array],
    size: int,
    box_muller: Callable[[Array, float, float], Array],
    mean: float,
    std: float,
    dtype: dtype,
) -> Array:
    # The 16-bit types are drawn block by block, so that no uniforms are spent on the incomplete block.
    whole = size - size % BLOCK
    spent = size if dtype.itemsize > 2 else whole
    result = np.empty(size, dtype.numpy)
    for start in range(0, whole, _CHUNK):
        stop = min(start + _CHUNK, whole)
        result[start:stop] = round_to(box_muller(unit(stop - start), mean, std), dtype)
    if size != whole:
        unit(spent - whole)
        result[size - BLOCK :] = round_to(box_muller(unit(BLOCK), mean, std), dtype)
    return result


def _box_muller_float64(uniforms: Array, mean: float, std: float) -> Array:
    radius, angle = uniforms.reshape(-1, 2, BLOCK // 2).swapaxes(0, 1)
    radius = np.sqrt(-2.0 * elementary("log", 1.0 - radius))
    angle = (2.0 * math.pi) * angle
    both = np.stack([radius * elementary("cos", angle), radius * elementary("sin", angle)], axis=1)
    return fma64(both.ravel(), std, mean)


def _box_muller_float32(uniforms: Array, mean: float, std: float) -> Array:
    radius, angle = uniforms.reshape(-1, 2, BLOCK // 2).swapaxes(0, 1)
    radius = np.sqrt(np.float32(-2) * logarithm(np.float32(1) - radius))
    sine, cosine = sine_and_cosine(np.float32(2 * math.pi) * angle)
    both = np.stack([radius * cosine, radius * sine], axis=1)
    return fma32(both.ravel(), np.float32(std), np.float32(mean))

"""Uniform numbers, and what one uniform number each is turned into."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from zerograd import dtypes, errors
from zerograd.dtypes import dtype
from zerograd.ir.graph import Array
from zerograd.runtime.random.arithmetic import elementary, fma32, fma64, round_to
from zerograd.runtime.random.generator import Generator, choose
from zerograd.runtime.random.normals import normal_pairs
from zerograd.shapes import count


def uniform(
    generator: Generator | None, shape: Sequence[int], dtype: dtype, low: float = 0.0, high: float = 1.0
) -> Array:
    """Uniform numbers in [low, high): multiples of 2**-24 (float32 and the 16-bit types) or 2**-53 (float64).

    Complex numbers have two independent parts. A number that rounding brings to ``high`` becomes ``low``.

    Raises:
        RuntimeError: low > high, or a bound or their difference is out of the dtype's range.
        NotImplementedError: dtype is neither floating nor complex.
    """
    shape = tuple(shape)
    if dtype.is_complex:
        return uniform(generator, (*shape, 2), dtype.to_real(), low, high).view(dtype.numpy).reshape(shape)
    _need_floating("uniform", dtype)
    largest = float(dtype.limits.max)
    for name, bound in (("low", low), ("high", high)):
        if not -largest <= bound <= largest:
            raise errors.runtime(f"uniform's {name} bound is out of the range of {dtype}", bound=bound)
    if low > high or not high - low <= largest:
        problem = "uniform expects low <= high" if low > high else f"high - low is out of the range of {dtype}"
        raise errors.runtime(problem, low=low, high=high)
    generator = choose(generator)
    if dtype is dtypes.float64:
        flat = generator.unit_float64(count(shape))
        if low != 0 or high != 1:
            flat = fma64(flat, high - low, low)
            flat[flat == high] = low
        return flat.reshape(shape)
    flat = generator.unit_float32(count(shape))
    if low != 0 or high != 1 or dtype is not dtypes.float32:
        first, last = np.float32(low), np.float32(high)
        flat = round_to(fma32(flat, last - first, first), dtype)
        flat[flat == last.astype(dtype.numpy)] = first.astype(dtype.numpy)
    return flat.reshape(shape)


def bernoulli(generator: Generator | None, shape: Sequence[int], dtype: dtype, p: float | Array = 0.5) -> Array:
    """1 with probability ``p``, else 0.

    Args:
        p: one probability, or one for each element (an array of floats that broadcasts to ``shape``):
            numbers are compared with uniforms of 53 bits, as are float64 probabilities; narrower ones with
            uniforms of 24 bits.
    Raises:
        RuntimeError: a probability is not in [0, 1].
        NotImplementedError: dtype is complex, or the probabilities are no floats.
    """
    if dtype.is_complex:
        raise NotImplementedError(errors.message("bernoulli needs a real dtype", got=dtype))
    if isinstance(p, np.ndarray):
        return _bernoulli_each(choose(generator), shape, dtype, p)
    if not 0 <= p <= 1:
        raise errors.runtime("bernoulli expects a probability p in [0, 1]", p=p)
    hits = choose(generator).unit_float64(count(shape)) < p
    return hits.astype(dtype.numpy).reshape(shape)


def _bernoulli_each(generator: Generator, shape: Sequence[int], dtype: dtype, p: Array) -> Array:
    if not dtypes.from_numpy(p.dtype).is_floating_point:
        raise NotImplementedError(errors.message("bernoulli expects probabilities of a floating dtype", got=p.dtype))
    inside = (p >= 0) & (p <= 1)
    if not inside.all():
        raise errors.runtime("bernoulli expects every probability p to be in [0, 1]", p=p[~inside].flat[0])
    p = np.broadcast_to(p, tuple(shape))
    unit = generator.unit_float64 if p.dtype == np.float64 else generator.unit_float32
    hits = unit(p.size).reshape(p.shape) < (p if p.dtype == np.float64 else p.astype(np.float32))
    return hits.astype(dtype.numpy)


def exponential(generator: Generator | None, shape: Sequence[int], dtype: dtype, rate: float = 1.0) -> Array:
    """Exponential numbers of mean 1/rate.

    Raises:
        RuntimeError: rate is not positive, or dtype not floating.
    """
    if not rate > 0:
        raise errors.runtime("exponential expects a positive rate", lambd=rate)
    if not dtype.is_floating_point:
        raise errors.runtime("exponential numbers need a floating dtype", got=dtype)
    unit = choose(generator).unit_float64(count(shape))
    return round_to((-1.0 / rate) * elementary("log1p", -unit), dtype).reshape(shape)


def cauchy(
    generator: Generator | None, shape: Sequence[int], dtype: dtype, median: float = 0.0, sigma: float = 1.0
) -> Array:
    """Cauchy numbers; ``sigma`` is half the distance between the quartiles.

    Raises:
        RuntimeError: sigma is not positive, or dtype not floating.
    """
    if not sigma > 0:
        raise errors.runtime("cauchy expects a positive sigma", sigma=sigma)
    if not dtype.is_floating_point:
        raise errors.runtime("cauchy numbers need a floating dtype", got=dtype)
    unit = choose(generator).unit_float64(count(shape))
    return round_to(fma64(elementary("tan", math.pi * (unit - 0.5)), sigma, median), dtype).reshape(shape)


def geometric(generator: Generator | None, shape: Sequence[int], dtype: dtype, p: float) -> Array:
    """How many trials it takes until the first success of probability ``p``: 1, 2, ...

    Raises:
        RuntimeError: p is not in (0, 1).
        NotImplementedError: dtype is bool or complex.
    """
    if not 0 < p < 1:
        raise errors.runtime("geometric expects p in (0, 1)", p=p)
    if dtype.is_complex or dtype is dtypes.bool_:
        raise NotImplementedError(errors.message("geometric needs an integer or floating dtype", got=dtype))
    unit = choose(generator).unit_float64(count(shape))
    with np.errstate(divide="ignore"):
        trials = np.ceil(elementary("log", unit) / math.log1p(-p))
    if not dtype.is_floating_point:
        trials = np.minimum(trials, 2.0**62).astype(np.int64)
    return round_to(trials, dtype).reshape(shape)


def log_normal(
    generator: Generator | None, shape: Sequence[int], dtype: dtype, mean: float = 1.0, std: float = 2.0
) -> Array:
    """exp of normal numbers with this mean and standard deviation.

    Raises:
        RuntimeError: std is not positive.
        NotImplementedError: dtype is not floating.
    """
    if not std > 0:
        raise errors.runtime("log_normal expects a positive standard deviation", std=std)
    _need_floating("log_normal", dtype)
    normals = normal_pairs(choose(generator), count(shape), mean, std)
    with np.errstate(over="ignore"):
        return round_to(elementary("exp", normals), dtype).reshape(shape)


def _need_floating(name: str, dtype: dtype) -> None:
    if not dtype.is_floating_point:
        raise NotImplementedError(errors.message(f"{name} needs a floating dtype", got=dtype))

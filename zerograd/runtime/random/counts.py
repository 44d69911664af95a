"""Poisson and binomial numbers, by rejection: each number takes as many uniforms as it needs.

Written for single numbers, about 1 µs each: the stream is sequential, since how much one number takes
decides where the next one starts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from zerograd import dtypes, errors
from zerograd.ir.graph import Array
from zerograd.runtime.random.arithmetic import round_to
from zerograd.runtime.random.generator import Generator, choose
from zerograd.runtime.random.stepwise import Stepwise


def poisson(generator: Generator | None, rate: Array) -> Array:
    """A Poisson number for each rate, in the rates' dtype and shape.

    Raises:
        RuntimeError: a rate is negative or NaN.
        NotImplementedError: the rates are not floating.
    """
    kind = dtypes.from_numpy(rate.dtype)
    if not kind.is_floating_point:
        raise NotImplementedError(errors.message("poisson needs rates of a floating dtype", got=kind))
    valid = rate >= 0
    if not valid.all():
        raise errors.runtime("poisson needs rates of 0 or more", rate=rate[~valid].flat[0])
    with Stepwise(choose(generator)) as source:
        numbers = [_poisson(one, source.uniform) for one in rate.astype(np.float64).ravel().tolist()]
    return round_to(np.array(numbers, np.float64), kind).reshape(rate.shape)


def _poisson(rate: float, uniform: Callable[[], float]) -> int:
    if rate == 0:
        return 0
    if rate < 10:  # Knuth: how many uniforms can be multiplied until the product falls below exp(-rate)
        limit, product, number = math.exp(-rate), uniform(), 0
        while product > limit:
            product *= uniform()
            number += 1
        return number
    # Source: W. Hörmann, "The transformed rejection method for generating Poisson random variables", 1993
    # (PTRS).
    log_rate = math.log(rate)
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)
    while True:
        u = uniform() - 0.5
        v = uniform()
        us = 0.5 - abs(u)
        # u = -1/2 has us = 0: there C's infinity becomes the most negative number, which is rejected.
        k = math.floor((2 * a / us + b) * u + rate + 0.43) if us else -1
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        if _log(v) + math.log(inverse_alpha) - math.log(a / (us * us) + b) <= (
            -rate + k * log_rate - math.lgamma(k + 1)
        ):
            return k


def binomial(generator: Generator | None, count: Array, probability: Array) -> Array:
    """How many of ``count`` trials succeed, for each element; both arrays have one floating dtype and shape.

    Raises:
        ValueError: the counts are not floating.
        RuntimeError: the dtypes differ.
        NotImplementedError: a dtype of 16 bits.
    """
    kind = dtypes.from_numpy(count.dtype)
    if not kind.is_floating_point:
        raise errors.value("binomial needs counts of a floating dtype", got=kind)
    if probability.dtype != count.dtype:
        raise errors.runtime("binomial needs one dtype", count=count.dtype, probability=probability.dtype)
    if kind.itemsize == 2:
        raise NotImplementedError(errors.message("binomial needs float32 or float64", got=kind))
    narrow = kind.numpy.type  # the parameters' arithmetic stays in their dtype
    with Stepwise(choose(generator)) as source, np.errstate(all="ignore"):
        numbers = [
            _binomial(narrow(n), narrow(p), source.uniform)
            for n, p in zip(count.ravel(), probability.ravel(), strict=True)
        ]
    return np.array(numbers, kind.numpy).reshape(count.shape)


Number = np.float32 | np.float64


def _binomial(n: Number, p: Number, uniform: Callable[[], float]) -> Number | float:
    if n <= 0 or p <= 0:
        return 0.0
    if p >= 1:
        return n
    if p > 0.5:
        q = type(p)(1.0 - float(p))
        return n - (_binomial_by_rejection(n, q, uniform) if n * q >= 10 else _binomial_by_gaps(n, q, uniform))
    if p <= 0.5:
        return _binomial_by_rejection(n, p, uniform) if n * p >= 10 else _binomial_by_gaps(n, p, uniform)
    return math.nan


def _binomial_by_gaps(n: Number, p: Number, uniform: Callable[[], float]) -> Number:
    """Count how many geometric gaps between successes fit into n trials."""
    scale, total, successes = float(np.log1p(-p)), 0.0, type(n)(0)
    while True:
        total += math.ceil(_log(uniform()) / scale) if scale else math.inf
        if total > n:
            return successes
        successes += 1


def _binomial_by_rejection(n: Number, p: Number, uniform: Callable[[], float]) -> Number:
    """Source: W. Hörmann, "The generation of binomial random variates", 1993 (algorithm BTRS)."""
    one = type(n)(1)
    deviation = float(np.sqrt(n * p * (one - p)))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * float(p)
    c = float(n * p) + 0.5
    v_r = 0.92 - 4.2 / b
    r = float(p / (one - p))
    alpha = (2.83 + 5.1 / b) * deviation
    m = float(np.floor((n + one) * p))
    while True:
        u = uniform() - 0.5
        v = uniform()
        us = 0.5 - abs(u)
        k = type(n)(math.floor((2 * a / us + b) * u + c) if us else -1)
        if k < 0 or k > n:
            continue
        if us >= 0.07 and v <= v_r:
            return k
        bound = (
            (m + 0.5) * math.log((m + 1) / (r * (float(n) - m + 1)))
            + float(n + one) * math.log((float(n) - m + 1) / float(n - k + one))
            + (float(k) + 0.5) * math.log(r * float(n - k + one) / float(k + one))
            + _stirling_rest(m)
            + _stirling_rest(float(n) - m)
            - _stirling_rest(float(k))
            - _stirling_rest(float(n - k))
        )
        if _log(v * alpha / (a / (us * us) + b)) <= bound:
            return k


_STIRLING_RESTS: Final = (
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211,
    0.0138761288230707, 0.0118967099458917, 0.0104112652619720, 0.00925546218271273, 0.00833056343336287,
)  # fmt: skip


def _stirling_rest(k: float) -> float:
    """What Stirling's approximation of log((k + 1)!) leaves over."""
    if k < len(_STIRLING_RESTS):
        return _STIRLING_RESTS[int(k)]
    square = (k + 1) * (k + 1)
    return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf

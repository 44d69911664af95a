"""Gamma and Dirichlet numbers."""

from __future__ import annotations

import math

import numpy as np

from zerograd import dtypes, errors
from zerograd.dtypes import dtype
from zerograd.ir.graph import Array
from zerograd.runtime.random.generator import Generator, choose
from zerograd.runtime.random.stepwise import Stepwise


def gamma(generator: Generator | None, shape_parameter: Array) -> Array:
    """A gamma number of scale 1 for each shape parameter, in their dtype: at least the smallest normal one.

    Raises:
        NotImplementedError: the dtype is neither float32 nor float64.
    """
    kind = dtypes.from_numpy(shape_parameter.dtype)
    _need_wide("gamma", kind)
    narrow = kind.numpy.type
    with Stepwise(choose(generator)) as source, np.errstate(all="ignore"):
        numbers = [_gamma(one, source) for one in shape_parameter.ravel()]
    smallest = np.finfo(kind.numpy).tiny
    return np.maximum(np.array(numbers, np.float64).astype(narrow), smallest).reshape(shape_parameter.shape)


def _gamma(alpha: np.float32 | np.float64, source: Stepwise) -> float:
    """Source: Marsaglia and Tsang, "A simple method for generating gamma variables", 2000."""
    if alpha == 0:
        return 0.0
    scale = 1.0
    one, third = type(alpha)(1), type(alpha)(np.float32(1) / np.float32(3))
    if alpha < 1:  # draw from a larger shape, where more is accepted, and scale back
        scale = math.pow(1 - source.uniform(), float(one / alpha))
        alpha = alpha + one
    d = float(alpha - third)
    c = 1 / math.sqrt(9 * d)
    while True:
        x = source.normal()
        y = 1 + c * x
        if y <= 0:
            continue
        v = y * y * y
        u = 1 - source.uniform()
        square = x * x
        if u < 1 - _SQUEEZE * square * square or math.log(u) < 0.5 * square + d * (1 - v + math.log(v)):
            return scale * d * v


_SQUEEZE = float(np.float32(0.0331))


def dirichlet(generator: Generator | None, concentration: Array) -> Array:
    """Probabilities over the last dimension, for each row of concentrations.

    Raises:
        NotImplementedError: the dtype is neither float32 nor float64.
    """
    kind = dtypes.from_numpy(concentration.dtype)
    _need_wide("dirichlet", kind)
    parts = gamma(generator, concentration.astype(np.float64))
    shares = (parts / parts.sum(axis=-1, keepdims=True)).astype(kind.numpy)
    below_one = np.nextafter(kind.numpy.type(1), kind.numpy.type(0))
    return np.clip(shares, np.finfo(kind.numpy).tiny, below_one)


def _need_wide(name: str, kind: dtype) -> None:
    if kind not in (dtypes.float32, dtypes.float64):
        raise NotImplementedError(errors.message(f"{name} needs float32 or float64", got=kind))

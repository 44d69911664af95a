"""Draws of indices with given weights."""

from __future__ import annotations

import numpy as np

from zerograd import dtypes, errors
from zerograd.ir.graph import Array
from zerograd.runtime.random.generator import Generator, choose
from zerograd.runtime.random.uniforms import exponential

_MOST_CATEGORIES = 2**24


def multinomial(generator: Generator | None, weights: Array, samples: int, replacement: bool = False) -> Array:
    """Indices of the last dimension, ``samples`` for each row, drawn in proportion to the weights: int64.

    Without replacement the indices of a row differ, and come in the order in which they would be drawn.

    Args:
        weights: shape (categories,) or (rows, categories), floating, not negative; they need not sum to 1.
    Raises:
        RuntimeError: a wrong shape, dtype or number of samples; weights that are negative, infinite or NaN,
            or that sum to 0.
    """
    kind = dtypes.from_numpy(weights.dtype)
    if weights.ndim not in (1, 2):
        raise errors.runtime("multinomial needs weights of 1 or 2 dimensions", shape=weights.shape)
    if not kind.is_floating_point:
        raise errors.runtime("multinomial needs weights of a floating dtype", got=kind)
    if samples <= 0:
        raise errors.runtime("multinomial needs at least one sample", num_samples=samples)
    categories = weights.shape[-1]
    if not replacement and samples > categories:
        raise errors.runtime(
            f"multinomial cannot draw {samples} samples from {categories} categories without replacement",
            hint="replacement=True allows an index to come again",
        )
    if categories > _MOST_CATEGORIES:
        raise errors.runtime("multinomial has at most 2**24 categories", categories=categories)
    shape = (*weights.shape[:-1], samples)
    if 0 in shape:
        return np.empty(shape, np.int64)
    bad = ~(np.isfinite(weights) & (weights >= 0))
    if bad.any():
        raise errors.runtime("weights must be finite and not negative", weight=weights[bad].flat[0])
    rows = weights.reshape(-1, categories)
    if (rows.sum(axis=-1, dtype=np.float64) == 0).any():
        raise errors.runtime("invalid multinomial distribution: the weights of a row sum to 0")
    draw = _with_replacement if replacement and samples > 1 else _without_replacement
    return draw(choose(generator), rows, samples).reshape(shape)


def _with_replacement(generator: Generator, rows: Array, samples: int) -> Array:
    """Look uniform numbers up in the rows' cumulative shares."""
    if rows.dtype.itemsize == 2:
        rows = rows.astype(np.float32)
    shares = np.cumsum(rows, axis=-1, dtype=rows.dtype)
    shares /= shares[:, -1:].copy()
    shares[:, -1] = 1
    uniforms = generator.unit_float64(len(rows) * samples).reshape(len(rows), samples)
    found = [np.searchsorted(share, wanted) for share, wanted in zip(shares.astype(np.float64), uniforms, strict=True)]
    return np.stack(found)


def _without_replacement(generator: Generator, rows: Array, samples: int) -> Array:
    """The first to arrive, when each index arrives at its weight as rate: the largest weight / Exp(1)."""
    with np.errstate(divide="ignore"):
        early = rows / exponential(generator, rows.shape, dtypes.from_numpy(rows.dtype))
    if samples == 1:
        return np.argmax(early, axis=-1, keepdims=True)
    return np.argsort(-early, axis=-1, kind="stable")[:, :samples]

"""``make_tensor``: random tensors for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.dtypes import dtype
from zerograd.runtime import devices
from zerograd.shapes import count
from zerograd.tensor.functions.comparison import where
from zerograd.tensor.functions.creation import empty
from zerograd.tensor.number_limits import finfo, iinfo


def _range(kind: dtype) -> tuple[float, float]:
    """The ends of what can be drawn: the first is included, the second is not."""
    if kind is dtypes.bool_:
        return 0, 2
    if kind.is_inexact:
        limits = finfo(kind)
        return limits.min, limits.max
    return iinfo(kind).min, iinfo(kind).max + 1


def _default_range(kind: dtype) -> tuple[float, float]:
    if kind is dtypes.bool_:
        return 0, 2
    if kind is dtypes.uint8:
        return 0, 10
    return (-9, 9) if kind.is_inexact else (-9, 10)


def make_tensor(
    *shape: Any,
    dtype: dtype,
    device: Any,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Any:
    """A tensor with elements drawn evenly from [low, high).

    Args:
        low, high: default -9 and 9 (10 for integers, of which uint8 begins at 0); what does not fit is cut off.
        noncontiguous: every second element of a larger memory. exclude_zero: 1 (or a tiny number) instead of 0.
    Raises:
        ValueError: ``low`` is not below ``high``, or NaN.
    Source: torch.testing.make_tensor.
    """
    devices.check(device)
    sizes = tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else shape
    first, last = _default_range(dtype)
    low, high = first if low is None else low, last if high is None else high
    if np.isnan(low) or np.isnan(high):
        raise errors.value(f"low and high must be numbers, got {low} and {high}")
    if not low < high:
        raise errors.value(f"low must lie below high, but {low} >= {high}")
    least, most = _range(dtype)
    low, high = max(low, least), min(high, most)
    spread = noncontiguous and bool(sizes) and count(sizes) > 1
    drawn = (*sizes[:-1], sizes[-1] * 2) if spread else sizes
    if dtype.is_complex:
        made = empty(*drawn, 2, dtype=dtype.to_real()).uniform_(low, high)
        made = made[..., 0].to(dtype) + made[..., 1].to(dtype) * 1j
    elif dtype.is_floating_point:
        made = empty(drawn, dtype=dtype).uniform_(low, high)
    else:
        made = empty(drawn, dtype=dtype).random_(int(np.ceil(low)), int(np.ceil(high)))
    if spread:
        made = made[..., 1::2]
    if memory_format is not None:
        made = made.contiguous(memory_format=memory_format)
    if exclude_zero:
        made = where(made == 0, finfo(dtype).tiny if dtype.is_inexact else 1, made)
    return made.requires_grad_() if requires_grad else made

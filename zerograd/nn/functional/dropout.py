"""Dropout: noise by which training multiplies activations, drawn from the default generator.

The masks are those of PyTorch for the same seed.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from zerograd import errors
from zerograd.ir.graph import TensorType
from zerograd.runtime import random
from zerograd.shapes import Shape
from zerograd.tensor.base import TensorBase
from zerograd.tensor.functions import arithmetic, memory_order

ALPHA = 1.7580993408473766  # minus the limit of selu for small numbers: what alpha dropout sets elements to


def _check_probability(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise errors.value(f"dropout: p is a probability from 0 to 1, got {p}")


def _kept(input: Any, shape: Shape, p: float) -> Callable[[], Any]:
    """Draws 1 where an element is kept (probability 1 - p), else 0, in the input's dtype.

    A mask of single elements lies in memory as the input does and is drawn in that order; one of channels is
    contiguous.
    """
    kind = input.dtype
    if shape is not input._shape:
        return lambda: random.bernoulli(None, shape, kind, 1 - p)
    strides = input._laid_out().strides
    return lambda: memory_order.filled(shape, strides, lambda order, _: random.bernoulli(None, order, kind, 1 - p))


def _tensor(noise: Callable[[], Any], input: Any) -> Any:
    kind = input.dtype
    array = random.drawn(lambda: noise().astype(kind.numpy, copy=False))
    return TensorBase.of_array(array, TensorType(array.shape, kind))


def _times(input: Any, noise: Any, inplace: bool) -> Any:
    return input.mul_(noise) if inplace else arithmetic.mul(input, noise)


def _drop(input: Any, shape: Shape, p: float, training: bool, inplace: bool) -> Any:
    """Elements of a mask of this shape dropped, the others divided by 1 - p."""
    if p == 0 or not training or 0 in input._shape:
        return input
    if p == 1:
        return _times(input, 0.0, inplace)
    if not input.dtype.is_inexact:
        raise errors.runtime(
            "dropout scales what it keeps, so it needs a floating dtype", input=input._type, hint="use .float()"
        )
    kept = _kept(input, shape, p)

    def noise() -> Any:
        mask = kept()
        return mask / mask.dtype.type(1 - p)

    return _times(input, _tensor(noise, input), inplace)


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Each element set to 0 with probability ``p``, else divided by 1 - p; the input itself when evaluating.

    Raises:
        ValueError: p is not in [0, 1].
    Source: torch.nn.functional.dropout.
    """
    _check_probability(p)
    return _drop(input, input._shape, p, training, inplace)


def drop_channels(name: str, input: Any, p: float, training: bool, inplace: bool) -> Any:
    shape = input._shape
    if len(shape) < 2:
        raise errors.runtime(f"{name} drops channels: the input is (batch, channels, ...)", input=input._type)
    return _drop(input, (*shape[:2], *(1,) * (len(shape) - 2)), p, training, inplace)


def _without_batch(name: str, input: Any, p: float, training: bool, inplace: bool) -> Any:
    """Channel dropout of one image without batch axis."""
    if inplace:
        drop_channels(name, input.unsqueeze(0), p, training, True)
        return input
    return drop_channels(name, input.unsqueeze(0), p, training, False).squeeze(0)


def dropout1d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Whole channels of (N, C, L) or (C, L) set to 0 with probability ``p``, the others divided by 1 - p.

    Raises:
        ValueError: p is not in [0, 1].
        RuntimeError: the input has another number of dimensions.
    Source: torch.nn.functional.dropout1d.
    """
    _check_probability(p)
    rank = len(input._shape)
    if rank not in (2, 3):
        raise errors.runtime("dropout1d takes (channels, length) or a batch of them", input=input._type)
    drop = drop_channels if rank == 3 else _without_batch
    return drop("dropout1d", input, p, training, inplace)


def dropout2d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Whole channels of (N, C, H, W) set to 0 with probability ``p``, the others divided by 1 - p.

    An input of 3 dimensions is taken as (N, C, L), with a warning.

    Raises:
        ValueError: p is not in [0, 1].
    Source: torch.nn.functional.dropout2d.
    """
    _check_probability(p)
    rank = len(input._shape)
    if rank not in (3, 4):
        warnings.warn(f"dropout2d: an input with {rank} dimensions is deprecated, expected 3 or 4", stacklevel=2)
    elif rank == 3:
        warnings.warn(
            "dropout2d: a 3D input is taken as (batch, channels, length); use dropout1d for that, and unsqueeze(0) for"
            " one image without batch",
            stacklevel=2,
        )
    return drop_channels("dropout2d", input, p, training, inplace)


def dropout3d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Whole channels of (N, C, D, H, W) or (C, D, H, W) set to 0 with probability ``p``.

    Raises:
        ValueError: p is not in [0, 1].
    Source: torch.nn.functional.dropout3d.
    """
    _check_probability(p)
    rank = len(input._shape)
    if rank not in (4, 5):
        warnings.warn(f"dropout3d: an input with {rank} dimensions is deprecated, expected 4 or 5", stacklevel=2)
    drop = drop_channels if rank == 5 else _without_batch
    return drop("dropout3d", input, p, training, inplace)


def _alpha_drop(input: Any, shape: Shape, p: float, training: bool, inplace: bool) -> Any:
    """Elements set to -ALPHA instead of 0, then scaled and shifted so that mean 0 and variance 1 are kept."""
    if p == 0 or not training or 0 in input._shape:
        return input
    if p == 1:
        return _times(input, 0.0, inplace)
    number = input.dtype.numpy.type
    scale = 1.0 / math.sqrt((ALPHA * ALPHA * p + 1) * (1 - p))
    mask = _tensor(_kept(input, shape, p), input)
    noise = mask * number(scale)
    shift = (mask - number(1)) * number(ALPHA * scale) + number(ALPHA * scale * p)
    return input.mul_(noise).add_(shift) if inplace else arithmetic.add(arithmetic.mul(input, noise), shift)


def alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """Dropout for ``selu`` networks: keeps the mean and variance of an input with mean 0 and variance 1.

    Raises:
        ValueError: p is not in [0, 1].
    Source: torch.nn.functional.alpha_dropout.
    """
    _check_probability(p)
    return _alpha_drop(input, input._shape, p, training, inplace)


def feature_alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """``alpha_dropout`` of whole channels, the second dimension.

    Raises:
        ValueError: p is not in [0, 1].
        RuntimeError: the input has fewer than 2 dimensions.
    Source: torch.nn.functional.feature_alpha_dropout.
    """
    _check_probability(p)
    shape = input._shape
    if not training:
        return input
    if len(shape) < 2:
        raise errors.runtime(
            "feature_alpha_dropout drops channels: the input is (batch, channels, ...)", input=input._type
        )
    return _alpha_drop(input, (*shape[:2], *(1,) * (len(shape) - 2)), p, training, inplace)

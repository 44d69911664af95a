"""Convolution in any number of dimensions, and windows as columns.

Three ops, one bilinear map seen from its three sides, are closed under differentiation:

    conv         (x, w) -> y    what a convolution layer computes
    conv_input   (y, w) -> x    its transpose: the gradient for x, and the transposed convolution
    conv_weight  (x, y) -> w    the gradient for w

    x  [batch, channels, *size]
    w  [features, channels / groups, *kernel]
    y  [batch, features, *windows]

``unfold`` lays the windows of an image side by side as columns and ``fold`` adds columns back into an image; they
are each other's transposes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from zerograd import errors
from zerograd.ir.graph import Array, Op, TensorType
from zerograd.ops.elementwise import conj
from zerograd.shapes import Shape, count

Padding = tuple[tuple[int, int], ...]
COLUMNS = 1 << 21  # bytes of columns laid out at a time: they should stay in the cache


def window_counts(size: Shape, kernel: Shape, stride: Shape, padding: Padding, dilation: Shape) -> Shape:
    """How many windows fit along each axis."""
    return tuple(
        (n + before + after - d * (k - 1) - 1) // s + 1
        for n, k, s, (before, after), d in zip(size, kernel, stride, padding, dilation, strict=True)
    )


def widened(*arrays: Array) -> list[Array]:
    """Half precision as float32, in which it is accumulated."""
    half = arrays[0].dtype.itemsize == 2 and arrays[0].dtype.kind in "fV"
    return [one.astype(np.float32) for one in arrays] if half else list(arrays)


def _zeros_around(batch: int, channels: int, size: Shape, padding: Padding, kind: np.dtype[Any]) -> Array:
    return np.zeros((batch, channels, *(a + n + b for n, (a, b) in zip(size, padding, strict=True))), kind)


def _inside(size: Shape, padding: Padding) -> tuple[slice, ...]:
    return (slice(None), slice(None), *(slice(a, a + n) for n, (a, _) in zip(size, padding, strict=True)))


def _padded(x: Array, padding: Padding) -> Array:
    if not any(map(any, padding)):
        return x
    result = _zeros_around(x.shape[0], x.shape[1], x.shape[2:], padding, x.dtype)
    result[_inside(x.shape[2:], padding)] = x
    return result


def _windows(x: Array, kernel: Shape, stride: Shape, dilation: Shape, windows: Shape) -> Array:
    """A view [channels, *kernel, batch, *windows] of padded ``x``."""
    batch, channels, *steps = x.strides
    return as_strided(
        x,
        (x.shape[1], *kernel, x.shape[0], *windows),
        (
            channels,
            *(step * d for step, d in zip(steps, dilation, strict=True)),
            batch,
            *(step * s for step, s in zip(steps, stride, strict=True)),
        ),
        writeable=False,
    )


def _places(kernel: Shape, stride: Shape, dilation: Shape, windows: Shape) -> Iterator[tuple[Shape, tuple[slice, ...]]]:
    """Each position in the kernel, and where it lies in a padded image for all windows at once."""
    for position in product(*map(range, kernel)):
        yield (
            position,
            tuple(
                slice(i * d, i * d + s * (n - 1) + 1, s)
                for i, s, d, n in zip(position, stride, dilation, windows, strict=True)
            ),
        )


def _chunks(batch: int, each: int) -> Iterator[slice]:
    """Parts of a batch whose columns, ``each`` bytes for an image, are small enough to stay in the cache."""
    step = max(COLUMNS // max(each, 1), 1)
    return (slice(start, start + step) for start in range(0, batch, step))


def _by_group(x: Array, groups: int) -> Array:
    """[batch, features, *windows] as [groups, features / groups, batch * windows]."""
    n, features, *windows = x.shape
    return x.reshape(n, features, -1).transpose(1, 0, 2).reshape(groups, features // groups, n * count(windows))


def _laid(columns: Array, part: slice, groups: int) -> Array:
    """Some of the batch's windows, copied as [groups, channels / groups * kernel, batch * windows]."""
    rank = (columns.ndim - 2) // 2
    some = columns[(slice(None),) * (1 + rank) + (part,)]
    return some.reshape(groups, count(some.shape[: 1 + rank]) // groups, count(some.shape[1 + rank :]))


# --- the three sides ---------------------------------------------------------------------------------


def _infer_conv(
    x: TensorType, w: TensorType, *, stride: Shape, padding: Padding, dilation: Shape, groups: int
) -> TensorType:
    if x.dtype is not w.dtype or x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
        raise errors.runtime("conv needs matching channels and dtypes", input=x, weight=w, groups=groups)
    windows = window_counts(x.shape[2:], w.shape[2:], stride, padding, dilation)
    return x.with_shape((x.shape[0], w.shape[0], *windows))


def _reference_conv(x: Array, w: Array, *, stride: Shape, padding: Padding, dilation: Shape, groups: int) -> Array:
    kind = x.dtype
    x, w = widened(x, w)
    kernel = w.shape[2:]
    out = window_counts(x.shape[2:], kernel, stride, padding, dilation)
    n, features = x.shape[0], w.shape[0]
    result = np.empty((n, features, count(out)), x.dtype)
    if not result.size:
        return result.reshape(n, features, *out).astype(kind, copy=False)
    columns = _windows(_padded(x, padding), kernel, stride, dilation, out)
    rows = w.reshape(groups, features // groups, w.shape[1] * count(kernel))
    for part in _chunks(n, x.shape[1] * count(kernel) * count(out) * x.itemsize):
        made = np.matmul(rows, _laid(columns, part, groups))
        result[part] = made.reshape(features, -1, count(out)).swapaxes(0, 1)
    return result.reshape(n, features, *out).astype(kind, copy=False)


conv = Op(
    "conv",
    _infer_conv,
    _reference_conv,
    (
        lambda grad, w, x_type, stride, padding, dilation, groups: conv_input(
            grad,
            conj(w),
            size=x_type.shape[2:],
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        ),
        lambda grad, x, w_type, stride, padding, dilation, groups: conv_weight(
            conj(x),
            grad,
            kernel=w_type.shape[2:],
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        ),
    ),
)
"""Sums of products over windows (a cross-correlation, as in every framework)."""


def _infer_conv_input(
    y: TensorType,
    w: TensorType,
    *,
    size: Shape,
    stride: Shape,
    padding: Padding,
    dilation: Shape,
    groups: int,
) -> TensorType:
    if y.dtype is not w.dtype or y.shape[1] != w.shape[0] or w.shape[0] % groups:
        raise errors.runtime("conv_input needs matching channels and dtypes", input=y, weight=w, groups=groups)
    if window_counts(size, w.shape[2:], stride, padding, dilation) != y.shape[2:]:
        raise errors.runtime("conv_input: windows and size do not fit", input=y, weight=w, size=list(size))
    return y.with_shape((y.shape[0], w.shape[1] * groups, *size))


def _reference_conv_input(
    y: Array, w: Array, *, size: Shape, stride: Shape, padding: Padding, dilation: Shape, groups: int
) -> Array:
    kind = y.dtype
    y, w = widened(y, w)
    kernel, out = w.shape[2:], y.shape[2:]
    features, channels = w.shape[:2]
    rows = w.reshape(groups, features // groups, channels * count(kernel)).transpose(0, 2, 1)
    result = _zeros_around(y.shape[0], groups * channels, size, padding, y.dtype)
    places = list(_places(kernel, stride, dilation, out))
    each = groups * channels * count(kernel) * count(out) * y.itemsize
    for part in _chunks(y.shape[0], each) if y.size else ():
        target = result[part].swapaxes(0, 1)
        columns = np.matmul(rows, _by_group(y[part], groups))
        columns = columns.reshape(groups * channels, *kernel, target.shape[1], *out)
        for position, box in places:
            target[(slice(None), slice(None), *box)] += columns[(slice(None), *position)]
    return result[_inside(size, padding)].astype(kind, order="C", copy=False)


conv_input = Op(
    "conv_input",
    _infer_conv_input,
    _reference_conv_input,
    (
        lambda grad, w, stride, padding, dilation, groups: conv(
            grad, conj(w), stride=stride, padding=padding, dilation=dilation, groups=groups
        ),
        lambda grad, y, w_type, stride, padding, dilation, groups: conv_weight(
            grad,
            conj(y),
            kernel=w_type.shape[2:],
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        ),
    ),
)
"""Each value of ``y`` spread over its window, weighted: the transpose of ``conv`` for images of ``size``."""


def _infer_conv_weight(
    x: TensorType,
    y: TensorType,
    *,
    kernel: Shape,
    stride: Shape,
    padding: Padding,
    dilation: Shape,
    groups: int,
) -> TensorType:
    if x.dtype is not y.dtype or x.shape[0] != y.shape[0] or x.shape[1] % groups or y.shape[1] % groups:
        raise errors.runtime("conv_weight needs matching batches and dtypes", input=x, output=y, groups=groups)
    if window_counts(x.shape[2:], kernel, stride, padding, dilation) != y.shape[2:]:
        raise errors.runtime("conv_weight: windows and kernel do not fit", input=x, output=y, kernel=list(kernel))
    return x.with_shape((y.shape[1], x.shape[1] // groups, *kernel))


def _reference_conv_weight(
    x: Array, y: Array, *, kernel: Shape, stride: Shape, padding: Padding, dilation: Shape, groups: int
) -> Array:
    kind = x.dtype
    x, y = widened(x, y)
    out = y.shape[2:]
    features, channels = y.shape[1], x.shape[1] // groups
    total = np.zeros((groups, features // groups, channels * count(kernel)), x.dtype)
    if x.size and y.size:
        columns = _windows(_padded(x, padding), kernel, stride, dilation, out)
        for part in _chunks(x.shape[0], x.shape[1] * count(kernel) * count(out) * x.itemsize):
            total += np.matmul(_by_group(y[part], groups), _laid(columns, part, groups).transpose(0, 2, 1))
    return total.reshape(features, channels, *kernel).astype(kind, copy=False)


conv_weight = Op(
    "conv_weight",
    _infer_conv_weight,
    _reference_conv_weight,
    (
        lambda grad, y, x_type, stride, padding, dilation, groups: conv_input(
            conj(y),
            grad,
            size=x_type.shape[2:],
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        ),
        lambda grad, x, stride, padding, dilation, groups: conv(
            conj(x), grad, stride=stride, padding=padding, dilation=dilation, groups=groups
        ),
    ),
)
"""For each weight, the sum over all windows of what it met times what the window gave."""

# --- windows as columns --------------------------------------------------------------------------------


def _infer_unfold(x: TensorType, *, kernel: Shape, stride: Shape, padding: Padding, dilation: Shape) -> TensorType:
    windows = window_counts(x.shape[2:], kernel, stride, padding, dilation)
    return x.with_shape((x.shape[0], x.shape[1] * count(kernel), count(windows)))


def _reference_unfold(x: Array, *, kernel: Shape, stride: Shape, padding: Padding, dilation: Shape) -> Array:
    out = window_counts(x.shape[2:], kernel, stride, padding, dilation)
    shape = (x.shape[0], x.shape[1] * count(kernel), count(out))
    if 0 in shape:
        return np.empty(shape, x.dtype)
    windows = _windows(_padded(x, padding), kernel, stride, dilation, out)
    return np.moveaxis(windows, 1 + len(kernel), 0).reshape(shape)


unfold = Op(
    "unfold",
    _infer_unfold,
    _reference_unfold,
    lambda grad, x_type, kernel, stride, padding, dilation: fold(
        grad, size=x_type.shape[2:], kernel=kernel, stride=stride, padding=padding, dilation=dilation
    ),
)
"""[batch, channels, *size] -> [batch, channels * kernel, windows]."""


def _infer_fold(
    x: TensorType, *, size: Shape, kernel: Shape, stride: Shape, padding: Padding, dilation: Shape
) -> TensorType:
    return x.with_shape((x.shape[0], x.shape[1] // count(kernel), *size))


def _reference_fold(x: Array, *, size: Shape, kernel: Shape, stride: Shape, padding: Padding, dilation: Shape) -> Array:
    kind = x.dtype
    (x,) = widened(x)
    out = window_counts(size, kernel, stride, padding, dilation)
    n, channels = x.shape[0], x.shape[1] // count(kernel)
    columns = x.reshape(n, channels, *kernel, *out)
    result = _zeros_around(n, channels, size, padding, x.dtype)
    for position, box in _places(kernel, stride, dilation, out):
        result[(slice(None), slice(None), *box)] += columns[(slice(None), slice(None), *position)]
    return result[_inside(size, padding)].astype(kind, order="C", copy=False)


fold = Op(
    "fold",
    _infer_fold,
    _reference_fold,
    lambda grad, kernel, stride, padding, dilation: unfold(
        grad, kernel=kernel, stride=stride, padding=padding, dilation=dilation
    ),
)
"""Columns added up where their windows lie: [batch, channels * kernel, windows] -> [batch, channels, *size]."""

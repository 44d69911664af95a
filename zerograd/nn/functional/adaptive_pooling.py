"""Pooling to a given size, whatever the input's; and pooling over windows of random places."""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.ir.graph import Array, Node, TensorType
from zerograd.nn.functional.geometry import COUNTED, adaptive_sizes, adaptive_table, check_rank, known_again, per_axis
from zerograd.nn.functional.pooling import averaged
from zerograd.ops import pooling as ops
from zerograd.ops import reduction
from zerograd.ops.elementwise import div
from zerograd.ops.movement import reshape
from zerograd.ops.source import filled
from zerograd.runtime import random
from zerograd.shapes import Shape, count
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply, reading


class Adaptive:
    """A pooling to a size: the public function and what ``grad_fn`` shows."""

    __slots__ = ("label", "name", "size")

    def __init__(self, label: str, name: str, size: Shape) -> None:
        self.label, self.name, self.size = label, name, size


_adaptive = known_again(Adaptive)


def _tables(x: Node, size: Shape) -> tuple[ops.Table, ...]:
    return tuple(adaptive_table(n, m) for n, m in zip(x.shape[-len(size) :], size, strict=True))


@reading
def _adaptive_avg(x: Node, how: Adaptive) -> Node:
    rank = len(how.size)
    if not x.dtype.is_floating_point:
        raise NotImplementedError(errors.message(f"{how.name} is not defined for {x.dtype.name}", input=x.type))
    if how.size == (1,) * rank:
        axes = tuple(range(x.rank - rank, x.rank))
        total = reduction.sum(x, axes=axes)
        return div(total, filled(count(x.shape[-rank:]), total.type))
    tables = _tables(x, how.size)
    counts = tuple(tuple(sum(i >= 0 for i in row) for row in table) for table in tables)
    return averaged(x, tables, counts)


@reading
def _adaptive_max(x: Node, how: Adaptive) -> tuple[Node, Node]:
    if not x.dtype.is_floating_point:
        raise NotImplementedError(errors.message(f"{how.name} is not defined for {x.dtype.name}", input=x.type))
    if 0 in how.size:
        empty = x.type.with_shape((*x.shape[: -len(how.size)], *how.size))
        return reshape(filled(0, empty), shape=empty.shape), filled(0, empty.with_dtype(dtypes.int64))
    return ops.max_pool(x, tables=_tables(x, how.size))


def _average_to(rank: int, input: Any, output_size: Any) -> Any:
    name = f"adaptive_avg_pool{rank}d"
    size = adaptive_sizes(name, input._type, output_size, rank)
    label = f"AdaptiveAvgPool{rank}DBackward0" if size != (1,) * rank else "MeanBackward1"
    return apply(_adaptive_avg, (input,), (_adaptive("SqueezeBackward1" if rank == 1 else label, name, size),))


def _maxima_to(rank: int, input: Any, output_size: Any, indices: bool) -> Any:
    name = f"adaptive_max_pool{rank}d"
    size = adaptive_sizes(name, input._type, output_size, rank)
    label = "SqueezeBackward1" if rank == 1 else f"AdaptiveMaxPool{rank}DBackward0"
    found = apply(_adaptive_max, (input,), (_adaptive(label, name, size),))
    return found if indices else found[0]


def adaptive_avg_pool1d(input: Any, output_size: Any) -> Any:
    """(N, C, L) or (C, L) averaged to ``output_size`` values; see ``adaptive_avg_pool2d``.

    Source: torch.nn.functional.adaptive_avg_pool1d.
    """
    return _average_to(1, input, output_size)


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Any:
    """(N, C, H, W) or (C, H, W) averaged to the given size over nearly equal windows that cover the image.

    Args:
        output_size: one size for both axes, or a pair in which None keeps the input's.
    Raises:
        RuntimeError: wrong number of sizes or dimensions.
    Source: torch.nn.functional.adaptive_avg_pool2d.
    """
    return _average_to(2, input, output_size)


def adaptive_avg_pool3d(input: Any, output_size: Any) -> Any:
    """(N, C, D, H, W) or (C, D, H, W) averaged to the given size; see ``adaptive_avg_pool2d``.

    Source: torch.nn.functional.adaptive_avg_pool3d.
    """
    return _average_to(3, input, output_size)


def adaptive_max_pool1d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The greatest values of (N, C, L) or (C, L) in ``output_size`` windows; see ``adaptive_max_pool2d``.

    Source: torch.nn.functional.adaptive_max_pool1d.
    """
    return _maxima_to(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The greatest values of (N, C, H, W) or (C, H, W) in nearly equal windows that cover the image.

    Args:
        output_size: one size for both axes, or a pair in which None keeps the input's.
        return_indices: also give the place of each maximum, counted row by row through an image.
    Raises:
        RuntimeError: wrong number of sizes or dimensions.
    Source: torch.nn.functional.adaptive_max_pool2d.
    """
    return _maxima_to(2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The greatest values of (N, C, D, H, W) or (C, D, H, W) in windows; see ``adaptive_max_pool2d``.

    Source: torch.nn.functional.adaptive_max_pool3d.
    """
    return _maxima_to(3, input, output_size, return_indices)


def adaptive_max_pool1d_with_indices(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """``adaptive_max_pool1d`` with indices. Source: torch.nn.functional.adaptive_max_pool1d_with_indices."""
    return _maxima_to(1, input, output_size, True)


def adaptive_max_pool2d_with_indices(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """``adaptive_max_pool2d`` with indices. Source: torch.nn.functional.adaptive_max_pool2d_with_indices."""
    return _maxima_to(2, input, output_size, True)


def adaptive_max_pool3d_with_indices(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """``adaptive_max_pool3d`` with indices. Source: torch.nn.functional.adaptive_max_pool3d_with_indices."""
    return _maxima_to(3, input, output_size, True)


# --- windows of random places ------------------------------------------------------------------------------


def _starts(samples: Array, size: int, windows: int, kernel: int) -> Array:
    """Where each plane's windows begin along an axis: [planes, windows]; the last one ends at the edge.

    ``samples`` in [0, 1), one a plane, shift a regular sequence whose steps are rounded down.
    Source: B. Graham, Fractional Max-Pooling, 2014, pseudo-random sequences.
    """
    starts = np.full((len(samples), windows), size - kernel, np.int64)
    if windows > 1:
        step = samples.dtype.type((size - kernel) / (windows - 1))
        u = samples[:, None]
        starts[:, :-1] = ((np.arange(windows - 1) + u) * step).astype(np.int64) - (u * step).astype(np.int64)
    return starts


def _candidates(samples: Array, type: TensorType, kernel: Shape, windows: Shape) -> Array:
    """[planes, windows, kernel]: the places that each window of each plane reads."""
    rank = len(kernel)
    size = type.shape[-rank:]
    order = (1, 0) if rank == 2 else (0, 1, 2)  # which sample belongs to which axis
    flat = samples.reshape(-1, rank)
    starts = [_starts(flat[:, order[i]], size[i], windows[i], kernel[i]) for i in range(rank)]
    places = np.zeros((len(flat), *(1,) * (2 * rank)), np.int64)
    for i in range(rank):
        shape = [len(flat), *(1,) * (2 * rank)]
        shape[1 + i], shape[1 + rank + i] = windows[i], kernel[i]
        reads = starts[i][:, :, None] + np.arange(kernel[i])
        places = places * size[i] + reads.reshape(shape)
    return places.reshape(len(flat), count(windows), count(kernel))


@reading
def _fractional_max(x: Node, candidates: Node, how: Adaptive) -> tuple[Node, Node]:
    rank = len(how.size)
    planes, windows, reads = candidates.shape
    image = reshape(x, shape=(planes, count(x.shape[-rank:])))
    values = ops.pick(image, candidates, 1)
    best, which = ops.max_pool(values, tables=((tuple(range(reads)),),))
    places = reshape(ops.pick(candidates, which, 2), shape=(planes, windows))
    out = (*x.shape[:-rank], *how.size)
    return reshape(best, shape=out), reshape(places, shape=out)


def _fractional(rank: int, input: Any, kernel: Any, output_size: Any, ratio: Any, samples: Any, indices: bool) -> Any:
    name = f"fractional_max_pool{rank}d"
    kernel = per_axis(name, "kernel_size", kernel, rank)
    check_rank(name, input._type, rank)
    size = input._shape[-rank:]
    if output_size is None:
        if ratio is None:
            raise errors.value(f"{name} has to know how much to pool: give output_size or output_ratio")
        if not isinstance(ratio, list | tuple):
            ratio = (ratio,) * rank
        if len(ratio) != rank or not all(0 < one < 1 for one in ratio):
            raise errors.value(
                f"{name} requires output_ratio to be a {COUNTED[rank].replace('int', 'float')} between 0 and 1",
                output_ratio=ratio,
            )
        output_size = [int(n * one) for n, one in zip(size, ratio, strict=True)]
    windows = per_axis(name, "output_size", output_size, rank)
    for n, m, k in zip(size, windows, kernel, strict=True):
        if m < 1 or k < 1 or m + k - 1 > n - (rank == 3):  # PyTorch leaves room to move in three dimensions
            raise errors.runtime(
                f"{name}: {m} windows of size {k} are too large relative to the input's size {n}",
                input=input._type,
                kernel_size=kernel,
                output_size=windows,
            )
    planes = (1, *input._shape[:-rank])[-2:]
    if samples is None:
        seen = input._type
        places = random.drawn(
            lambda: _candidates(random.uniform(None, (*planes, rank), seen.dtype), seen, kernel, windows)
        )
    else:
        drawn = samples._array()
        if drawn.ndim != 3 or drawn.shape[0] < planes[0] or drawn.shape[1:] != (planes[1], rank):
            raise errors.runtime(
                f"{name}: expect _random_samples of shape {[*planes, rank]} (batch or more, channels, axes)",
                got=samples._type,
            )
        places = _candidates(drawn[: planes[0]], input._type, kernel, windows)
    candidates = TensorBase.of_array(places, TensorType(places.shape, dtypes.int64))
    how = _adaptive(f"FractionalMaxPool{rank}DBackward0", name, windows)
    found = apply(_fractional_max, (input, candidates), (how,))
    return found if indices else found[0]


def fractional_max_pool2d(
    input: Any,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Any = None,
) -> Any:
    """The greatest values of (N, C, H, W) or (C, H, W) in windows whose distances vary randomly.

    Args:
        output_size: how many windows along each axis; or
        output_ratio: this part of the input's size, in (0, 1).
        return_indices: also give the place of each maximum, counted row by row through an image.
    Raises:
        ValueError: neither is given, or the ratio is out of range.
        RuntimeError: the windows do not fit.
    Source: torch.nn.functional.fractional_max_pool2d.
    """
    return _fractional(2, input, kernel_size, output_size, output_ratio, _random_samples, return_indices)


def fractional_max_pool3d(
    input: Any,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Any = None,
) -> Any:
    """``fractional_max_pool2d`` for (N, C, D, H, W) or (C, D, H, W).

    Source: torch.nn.functional.fractional_max_pool3d.
    """
    return _fractional(3, input, kernel_size, output_size, output_ratio, _random_samples, return_indices)


def fractional_max_pool2d_with_indices(
    input: Any,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Any = None,
) -> Any:
    """With indices. Source: torch.nn.functional.fractional_max_pool2d_with_indices."""
    return _fractional(2, input, kernel_size, output_size, output_ratio, _random_samples, True)


def fractional_max_pool3d_with_indices(
    input: Any,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Any = None,
) -> Any:
    """With indices. Source: torch.nn.functional.fractional_max_pool3d_with_indices."""
    return _fractional(3, input, kernel_size, output_size, output_ratio, _random_samples, True)

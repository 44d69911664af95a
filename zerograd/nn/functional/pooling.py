"""Pooling over windows: maxima, averages, norms; and the way back from maxima."""

from __future__ import annotations

from typing import Any

from zerograd import dtypes, errors
from zerograd.frozen import Frozen
from zerograd.ir.graph import Node, TensorType
from zerograd.nn.functional.classes import verified
from zerograd.nn.functional.geometry import Windows, check_rank, per_axis, pooling_windows
from zerograd.ops import pooling as ops
from zerograd.ops.elementwise import abs as magnitude
from zerograd.ops.elementwise import cast, div, mul, pow, relu, sign, times
from zerograd.ops.source import filled
from zerograd.shapes import Shape, count
from zerograd.tensor.door import apply, reading

# --- maxima ----------------------------------------------------------------------------------------------


@reading
def _max_pool(x: Node, how: Windows) -> tuple[Node, Node]:
    if x.dtype is dtypes.bool_ or x.dtype.is_complex:
        raise NotImplementedError(errors.message(f"{how.name} is not defined for {x.dtype.name}", input=x.type))
    return ops.max_pool(x, tables=how.tables(x.type))


def _maxima(
    rank: int,
    input: Any,
    kernel: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    indices: bool,
) -> Any:
    label = "SqueezeBackward1" if rank == 1 else f"MaxPool{rank}DWithIndicesBackward0"
    how = pooling_windows(label, f"max_pool{rank}d", rank, kernel, stride, padding, dilation, ceil_mode)
    found = apply(_max_pool, (input,), (how,))
    return found if indices else found[0]


def max_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The greatest value of each window of (N, C, L) or (C, L); see ``max_pool2d``.

    Source: torch.nn.functional.max_pool1d.
    """
    return _maxima(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The greatest value of each window of (N, C, H, W) or (C, H, W); a NaN is greater than all.

    Args:
        stride: the windows' distance; by default they touch.
        padding: -infinity on both sides, at most half a window.
        ceil_mode: keep a last window that reaches over the edge.
        return_indices: also give the place of each maximum, counted row by row through an image.
    Raises:
        RuntimeError: no window fits, or an argument is out of range.
    Source: torch.nn.functional.max_pool2d.
    """
    return _maxima(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The greatest value of each window of (N, C, D, H, W) or (C, D, H, W); see ``max_pool2d``.

    Source: torch.nn.functional.max_pool3d.
    """
    return _maxima(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool1d_with_indices(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """``max_pool1d`` with ``return_indices=True``. Source: torch.nn.functional.max_pool1d_with_indices."""
    return _maxima(1, input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool2d_with_indices(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """``max_pool2d`` with ``return_indices=True``. Source: torch.nn.functional.max_pool2d_with_indices."""
    return _maxima(2, input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool3d_with_indices(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """``max_pool3d`` with ``return_indices=True``. Source: torch.nn.functional.max_pool3d_with_indices."""
    return _maxima(3, input, kernel_size, stride, padding, dilation, ceil_mode, True)


# --- averages --------------------------------------------------------------------------------------------


def _readers(how: Windows, x: TensorType, include_pad: bool) -> tuple[Shape, ...]:
    """For each axis, how many positions each window counts."""
    if not include_pad:
        return tuple(tuple(sum(i >= 0 for i in row) for row in table) for table in how.tables(x))
    return tuple(
        tuple(min(start + k, n + p) - start for start in range(-p, windows * s - p, s))
        for n, k, s, p, windows in zip(
            x.shape[-how.rank :], how.kernel, how.stride, how.padding, how.counts(x), strict=True
        )
    )


def averaged(x: Node, tables: tuple[ops.Table, ...], counts: tuple[Shape, ...], divisor: int = 1) -> Node:
    """Sums over windows, divided by their counts along each axis and by ``divisor``."""
    kind = x.dtype
    if not kind.is_inexact:
        x = cast(x, dtype=dtypes.float64)
    for axis, (table, readers) in enumerate(zip(tables, counts, strict=True), x.rank - len(tables)):
        even = len(set(readers)) <= 1
        weights = None if even else tuple((1.0 / n,) * len(row) for n, row in zip(readers, table, strict=True))
        x = ops.resample(x, axis=axis, table=table, weights=weights)
        divisor *= readers[0] if even and readers else 1
    return cast(div(x, filled(divisor, x.type)), dtype=kind)


@reading
def _avg_pool(x: Node, how: Windows, include_pad: bool, divisor: int | None) -> Node:
    if x.dtype is dtypes.bool_ or x.dtype.is_complex:
        raise NotImplementedError(errors.message(f"{how.name} is not defined for {x.dtype.name}", input=x.type))
    tables = how.tables(x.type)
    if divisor is not None:
        return averaged(x, tables, tuple((1,) * len(table) for table in tables), divisor)
    return averaged(x, tables, _readers(how, x.type, include_pad))


def _average(
    rank: int,
    input: Any,
    kernel: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    include_pad: bool,
    divisor: int | None,
) -> Any:
    label = "SqueezeBackward1" if rank == 1 else f"AvgPool{rank}DBackward0"
    how = pooling_windows(label, f"avg_pool{rank}d", rank, kernel, stride, padding, 1, ceil_mode)
    if divisor == 0:
        raise errors.runtime(f"{how.name}: divisor must be not zero", divisor_override=divisor)
    return apply(_avg_pool, (input,), (how, bool(include_pad), divisor))


def avg_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """The mean of each window of (N, C, L) or (C, L); see ``avg_pool2d``.

    Source: torch.nn.functional.avg_pool1d.
    """
    return _average(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """The mean of each window of (N, C, H, W) or (C, H, W).

    Args:
        stride: the windows' distance; by default they touch.
        padding: zeros on both sides, at most half a window.
        ceil_mode: keep a last window that reaches over the edge.
        count_include_pad: whether padding counts in the mean.
        divisor_override: what to divide the sums by instead of the count.
    Raises:
        RuntimeError: no window fits, or an argument is out of range.
    Source: torch.nn.functional.avg_pool2d.
    """
    return _average(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """The mean of each window of (N, C, D, H, W) or (C, D, H, W); see ``avg_pool2d``.

    Source: torch.nn.functional.avg_pool3d.
    """
    return _average(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


# --- norms -----------------------------------------------------------------------------------------------


def _lp_pool(x: Node, how: Windows, norm: float) -> Node:
    """(sum over the window of x^p)^(1/p), where a sum below 0 counts as 0."""
    powers = pow(x, filled(norm, x.type))
    mean = averaged(powers, how.tables(x.type), _readers(how, x.type, True))
    total = times(mul(sign(mean), relu(magnitude(mean))), count(how.kernel))
    return pow(total, filled(1.0 / norm, total.type))


def _norms(rank: int, input: Any, norm: float, kernel: Any, stride: Any, ceil_mode: bool) -> Any:
    how = pooling_windows("PowBackward0", f"lp_pool{rank}d", rank, kernel, stride, 0, 1, ceil_mode)
    return apply(_lp_pool, (input,), (how, float(norm)))


def lp_pool1d(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
    """The ``norm_type``-norm of each window of (N, C, L) or (C, L). Source: torch.nn.functional.lp_pool1d."""
    return _norms(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
    """The ``norm_type``-norm of each window of (N, C, H, W) or (C, H, W). Source: torch.nn.functional.lp_pool2d."""
    return _norms(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
    """The ``norm_type``-norm of each window of (N, C, D, H, W) or (C, D, H, W).

    Source: torch.nn.functional.lp_pool3d.
    """
    return _norms(3, input, norm_type, kernel_size, stride, ceil_mode)


# --- the way back from maxima ------------------------------------------------------------------------------


class Unpooling(Frozen):
    """Where an unpooling puts its values: the name of the function and the size of the result's axes."""

    __slots__ = ("name", "size")

    def __init__(self, name: str, size: Shape) -> None:
        self.name, self.size = name, size

    @property
    def label(self) -> str:
        rank = len(self.size)
        return "SqueezeBackward1" if rank == 1 else f"MaxUnpool{rank}DBackward0"


def _max_unpool(x: Node, places: Node, how: Unpooling) -> Node:
    if places.dtype is not dtypes.int64:
        raise errors.runtime(f"{how.name} needs indices of int64", indices=places.type)
    check_rank(how.name, x.type, len(how.size))
    if places.shape != x.shape:
        raise errors.runtime(
            f"{how.name} needs an index for each element of the input",
            input=x.type,
            indices=places.type,
        )
    return ops.place(x, places, x.rank - len(how.size), how.size, distinct=True)


def _unpooled_size(name: str, size: Shape, kernel: Shape, stride: Shape, padding: Shape, wanted: Any) -> Shape:
    rank = len(kernel)
    default = tuple((n - 1) * s - 2 * p + k for n, k, s, p in zip(size, kernel, stride, padding, strict=True))
    if wanted is None:
        return default
    wanted = tuple(wanted)
    if len(wanted) not in (rank, rank + 2):
        raise errors.value(
            f"{name}: output_size has {rank} numbers, or {rank + 2} with batch and channels, not {len(wanted)}"
        )
    wanted = wanted[-rank:]
    for axis, (n, middle, s) in enumerate(zip(wanted, default, stride, strict=True)):
        if not middle - s < n < middle + s:
            raise errors.value(
                f"{name}: invalid output_size {wanted} (dim {axis} must be between {middle - s} and {middle + s})"
            )
    return wanted


def _unpool(rank: int, input: Any, indices: Any, kernel: Any, stride: Any, padding: Any, output_size: Any) -> Any:
    name = f"max_unpool{rank}d"
    kernel = per_axis(name, "kernel_size", kernel, rank)
    stride = kernel if stride is None else per_axis(name, "stride", stride, rank)
    padding = per_axis(name, "padding", padding, rank)
    check_rank(name, input._type, rank)
    size = _unpooled_size(name, input._shape[-rank:], kernel, stride, padding, output_size)
    verified(name, indices, count(size), error=errors.runtime)  # those not computed yet are checked when they are used
    return apply(_max_unpool, (input, indices), (Unpooling(name, size),))


def max_unpool1d(
    input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Any:
    """Zeros with the maxima of ``max_pool1d`` put back where they came from; see ``max_unpool2d``.

    Source: torch.nn.functional.max_unpool1d.
    """
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Any:
    """Zeros with the maxima of ``max_pool2d`` put back where they came from.

    Args:
        indices: the places that ``max_pool2d(return_indices=True)`` gave.
        output_size: of the result, where pooling mapped several sizes to one.
    Raises:
        RuntimeError: indices of another shape, or outside the result.
        ValueError: the size is impossible.
    Source: torch.nn.functional.max_unpool2d.
    """
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Any:
    """Zeros with the maxima of ``max_pool3d`` put back where they came from; see ``max_unpool2d``.

    Source: torch.nn.functional.max_unpool3d.
    """
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)

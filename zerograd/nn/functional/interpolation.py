"""Images in another size: nearest, linear, cubic and area interpolation, axis by axis.

Every mode is a weighted sum of a few positions along each axis; the positions and weights are tables, made here once
for each pair of sizes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.frozen import Frozen
from zerograd.ir.graph import Node
from zerograd.nn.functional.adaptive_pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
)
from zerograd.nn.functional.geometry import known_again
from zerograd.ops.elementwise import copy
from zerograd.ops.pooling import Table, Weights, resample
from zerograd.shapes import Shape
from zerograd.tensor.door import apply
from zerograd.tensor.functions.refusals import FLOATING, require

Taps = tuple[Table, Weights | None]
AREA = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}
SMOOTH = {"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2, "lanczos": 2}  # the ranks of their images
STEPPED = ("nearest", "nearest-exact")


class Axis(Frozen):
    """One axis to interpolate.

    Attributes:
        size, wanted: before and after.
        ratio: wanted / size as the user gave it, or ``None``.
        align: whether the outer positions of both sizes coincide; else the outer edges do.
        single: positions are computed in float32, as PyTorch does for float32 images; else in float64.
    """

    __slots__ = ("align", "ratio", "single", "size", "wanted")

    def __init__(self, size: int, wanted: int, ratio: float | None, align: bool, single: bool) -> None:
        self.size, self.wanted, self.ratio, self.align, self.single = size, wanted, ratio, align, single

    @property
    def number(self) -> Any:
        return np.float32 if self.single else np.float64

    def step(self) -> Any:
        """The distance of neighbours in the result, in positions of the input."""
        if self.align:
            return self.number((self.size - 1) / (self.wanted - 1)) if self.wanted > 1 else self.number(0)
        if self.ratio is not None and self.ratio > 0:
            return self.number(1.0 / self.ratio)
        return self.number(self.size) / self.number(self.wanted)

    def positions(self) -> Any:
        """Where the result's elements lie in the input."""
        i, step = np.arange(self.wanted), np.float64(self.step())
        return (i * step if self.align else (i + 0.5) * step - 0.5).astype(self.number)  # rounded once


def _table(places: Any) -> Table:
    return tuple(map(tuple, places.tolist()))


def _nearest(axis: Axis, offset: float) -> Taps:
    # in float32 whatever the image's dtype is
    step = Axis(axis.size, axis.wanted, axis.ratio, False, True).step()
    places = np.floor((np.arange(axis.wanted).astype(np.float32) + np.float32(offset)) * step).astype(np.int64)
    return _table(np.minimum(places, axis.size - 1)[:, None]), None


def _linear(axis: Axis) -> Taps:
    at = np.maximum(axis.positions(), 0)
    left = np.minimum(np.floor(at).astype(np.int64), axis.size - 1)
    share = np.clip(at - left.astype(axis.number), 0, 1)
    right = np.minimum(left + 1, axis.size - 1)
    return _table(np.stack([left, right], 1)), _table(np.stack([1 - share, share], 1))


def cubic(a: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Cubic convolution: the weight of a neighbour at distance x as polynomials (x^3, x^2, x, 1).

    The first holds for x <= 1, the second for 1 < x < 2. Source: R. Keys, Cubic convolution interpolation, 1981.
    """
    return (a + 2, -(a + 3), 0.0, 1.0), (a, -5 * a, 8 * a, -4 * a)


def _cubic_window(x: Any, a: float = -0.5) -> Any:
    near, far = cubic(a)
    x = np.abs(x)
    return np.where(x <= 1, np.polyval(near, x), np.where(x < 2, np.polyval(far, x), 0))


def _cubic(axis: Axis) -> Taps:
    at = axis.positions()
    first = np.floor(at)
    around = np.arange(-1, 3)
    shares = _cubic_window((at - first)[:, None] - around.astype(axis.number), -0.75)
    places = np.clip(first.astype(np.int64)[:, None] + around, 0, axis.size - 1)
    return _table(places), _table(shares)


def _triangle(x: Any) -> Any:
    return np.maximum(1 - np.abs(x), 0)


def _lanczos_window(x: Any) -> Any:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


WINDOWS: dict[str, tuple[Callable[[Any], Any], int]] = {
    "bilinear": (_triangle, 1),
    "bicubic": (_cubic_window, 2),
    "lanczos": (_lanczos_window, 3),
}


def _smoothed(axis: Axis, window: Callable[[Any], Any], reach: int) -> Taps:
    """Windows that grow with the step when an image shrinks, so that no position is skipped (antialiasing)."""
    step = float(axis.step())
    stretch = max(step, 1.0)
    centres = step * (np.arange(axis.wanted) + 0.5)
    starts = np.maximum((centres - reach * stretch + 0.5).astype(np.int64), 0)
    stops = np.minimum((centres + reach * stretch + 0.5).astype(np.int64), axis.size)
    places = starts[:, None] + np.arange(max(int((stops - starts).max()), 1))
    inside = places < stops[:, None]
    weights = np.where(inside, window((places + 0.5 - centres[:, None]) / stretch), 0)
    weights /= weights.sum(1, keepdims=True)
    return _table(np.where(inside, places, -1)), _table(weights)


@lru_cache(maxsize=256)
def taps(mode: str, axis: Axis, antialias: bool) -> Taps:
    """The positions that each element of the result reads, and their weights."""
    if antialias:
        return _smoothed(axis, *WINDOWS[mode])
    if mode == "nearest":
        return _nearest(axis, 0.0)
    if mode == "nearest-exact":
        return _nearest(axis, 0.5)
    return _cubic(axis) if mode == "bicubic" else _linear(axis)


class Resizing:
    """The arguments of an interpolation."""

    __slots__ = ("align", "antialias", "mode", "ratios", "size")

    def __init__(self, mode: str, size: Shape, ratios: tuple[float | None, ...], align: bool, antialias: bool) -> None:
        self.mode, self.size, self.ratios, self.align, self.antialias = mode, size, ratios, align, antialias

    @property
    def label(self) -> str:
        name = "NearestExact" if self.mode == "nearest-exact" else self.mode.title()
        return f"Upsample{name}{len(self.size)}D{'Aa' if self.antialias else ''}Backward0"


_resizing = known_again(Resizing)


def _resized(x: Node, how: Resizing) -> Node:
    rank = len(how.size)
    require("interpolate", x, FLOATING | {dtypes.uint8} if how.mode in STEPPED else FLOATING)
    if min(x.shape[2:]) < 1 or min(how.size) < 1:
        raise errors.runtime(
            "interpolate can neither read nor make images without pixels",
            input=x.type,
            output=list(how.size),
        )
    if x.shape[1] == 0:
        raise errors.runtime("interpolate: expected an input with channels", input=x.type)
    single = x.dtype is not dtypes.float64
    out = x
    for i in reversed(range(rank)):
        axis = Axis(x.shape[2 + i], how.size[i], how.ratios[i], how.align, single)
        unmoved = how.ratios[i] in (None, 1.0) or "linear" in how.mode
        if axis.size == axis.wanted and unmoved:
            continue
        table, weights = taps(how.mode, axis, how.antialias)
        out = resample(out, axis=2 + i, table=table, weights=weights)
    return copy(out) if out is x else out


def _sizes(name: str, given: Any, rank: int, input: Any) -> tuple[Any, ...]:
    if isinstance(given, Sequence):
        if len(given) != rank:
            raise errors.value(
                f"interpolate needs {rank} numbers as {name}, one for each dimension of the image",
                input=input._type,
                **{name: tuple(given)},
                hint="the input is (batch, channels, d1, ...), the size (o1, ...)",
            )
        return tuple(given)
    return (given,) * rank


def _target(input: Any, size: Any, scale_factor: Any, recompute: bool) -> tuple[Shape, tuple[float | None, ...]]:
    """The wanted size and the ratios that positions are computed from (``None``: those of the sizes)."""
    rank = len(input._shape) - 2
    if (size is None) == (scale_factor is None):
        raise errors.value(
            f"interpolate needs size or scale_factor, and got {'neither' if size is None else 'both'}",
            input=input._type,
        )
    if size is not None:
        if recompute:
            raise errors.value("interpolate: with a size there is no scale to recompute", recompute_scale_factor=True)
        sizes = _sizes("size", size, rank, input)
        try:
            return tuple([one.__index__() for one in sizes]), (None,) * rank
        except AttributeError:
            raise errors.type_(f"interpolate: expected size to be made of ints, got {size}") from None
    ratios = tuple(map(float, _sizes("scale_factor", scale_factor, rank, input)))
    wanted = tuple(math.floor(n * ratio) for n, ratio in zip(input._shape[2:], ratios, strict=True))
    return wanted, (None,) * rank if recompute else ratios


def _check_mode(mode: str, rank: int, align_corners: bool | None, antialias: bool) -> None:
    if mode not in SMOOTH and align_corners is not None:
        raise errors.value(
            f"interpolate: align_corners means something for {', '.join(sorted(SMOOTH))}, but not for {mode}"
        )
    if antialias and not (mode in WINDOWS and rank == 2):
        raise errors.value(
            "interpolate: antialias is restricted to the modes bilinear, bicubic and lanczos and to 4D inputs"
        )
    known = mode in ("area", *STEPPED) and rank in (1, 2, 3)
    if not known and SMOOTH.get(mode) != rank:
        needs = f"{mode} needs a {SMOOTH[mode] + 2}D input" if mode in SMOOTH else "3D, 4D and 5D inputs are supported"
        raise NotImplementedError(
            errors.message(
                f"interpolate: a {rank + 2}D input with mode {mode!r} is not supported; {needs}",
                modes="nearest, linear, bilinear, bicubic, trilinear, lanczos, area, nearest-exact",
            )
        )
    if mode == "lanczos" and (align_corners or not antialias):
        raise errors.value("interpolate: mode lanczos requires antialias=True and does not support align_corners")


def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Any:
    """(N, C, d1, ...) brought to another size.

    Args:
        size: of the result, one for all axes or a sequence; or
        scale_factor: the ratio of the sizes, likewise.
        mode: "nearest", "nearest-exact" (which rounds as image libraries do), "area" (adaptive averages), "linear"
            (3D), "bilinear", "bicubic", "lanczos" (4D) or "trilinear" (5D).
        align_corners: the centres of the corners coincide, instead of the images' edges.
        recompute_scale_factor: compute positions from the sizes, not from ``scale_factor``.
        antialias: widen the windows when shrinking, so that every position counts.
    Raises:
        ValueError: neither or both of size and scale_factor, or options that do not go together.
        NotImplementedError: the mode does not fit the number of dimensions.
    Source: torch.nn.functional.interpolate.
    """
    rank = len(input._shape) - 2
    if mode not in SMOOTH and align_corners is not None:
        _check_mode(mode, rank, align_corners, antialias)
    wanted, ratios = _target(input, size, scale_factor, bool(recompute_scale_factor))
    _check_mode(mode, rank, align_corners, antialias)
    if mode == "area":
        return AREA[rank](input, wanted)
    how = _resizing(mode, wanted, ratios, bool(align_corners), bool(antialias))
    return apply(_resized, (input,), (how,))


_OLD_NAME = "{} is an old name: write {} instead"


def upsample(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Any:
    """The old name of ``interpolate``. Source: torch.nn.functional.upsample."""
    warnings.warn(_OLD_NAME.format("upsample", "interpolate(...)"), stacklevel=2)
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """``interpolate`` with mode "nearest". Source: torch.nn.functional.upsample_nearest."""
    warnings.warn(_OLD_NAME.format("upsample_nearest", "interpolate(...)"), stacklevel=2)
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """``interpolate`` with mode "bilinear" and aligned corners. Source: torch.nn.functional.upsample_bilinear."""
    new = 'interpolate(..., mode="bilinear", align_corners=True)'
    warnings.warn(_OLD_NAME.format("upsample_bilinear", new), stacklevel=2)
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)

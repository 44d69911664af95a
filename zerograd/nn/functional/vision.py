"""Images sampled at given points, affine grids, and channels traded for pixels."""

from __future__ import annotations

import warnings
from itertools import product
from typing import Any

from zerograd import dtypes, errors
from zerograd.dtypes import dtype
from zerograd.frozen import Frozen
from zerograd.ir.graph import Node, TensorType
from zerograd.nn.functional.interpolation import cubic
from zerograd.ops import elementwise as ew
from zerograd.ops import rounding
from zerograd.ops.contraction import matmul, turn
from zerograd.ops.elementwise import add, both, cast, ge, kept_where, le, mul, plus, sub, times
from zerograd.ops.movement import broadcast_to, cat, expand, narrow, permute, reshape
from zerograd.ops.pooling import pick
from zerograd.ops.source import filled, ones_like, spaced, zeros_like
from zerograd.shapes import Shape, count
from zerograd.tensor.door import apply, labelled, reading
from zerograd.tensor.functions.refusals import FLOATING, require

DEFAULT_CORNERS = (
    "{}: the default of align_corners is False since PyTorch 1.3; pass align_corners=True for the older behaviour"
)

# --- channels for pixels -------------------------------------------------------------------------------------


@labelled("PixelShuffleBackward0")
def _pixel_shuffle(x: Node, factor: int) -> Node:
    if x.rank < 3:
        raise errors.runtime("pixel_shuffle needs an image (channels, height, width), or a batch", input=x.type)
    if factor <= 0:
        raise errors.runtime(f"pixel_shuffle: upscale_factor is 1 or more, got {factor}")
    *batch, channels, height, width = x.shape
    if channels % factor**2:
        raise errors.runtime(
            f"pixel_shuffle makes {factor} x {factor} pixels of {factor**2} channels, which do not divide {channels}",
            input=x.type,
        )
    n, kept = count(tuple(batch)), channels // factor**2
    parts = reshape(x, shape=(n, kept, factor, factor, height, width))
    parts = permute(parts, order=(0, 1, 4, 2, 5, 3))
    return reshape(parts, shape=(*batch, kept, height * factor, width * factor))


@labelled("PixelUnshuffleBackward0")
def _pixel_unshuffle(x: Node, factor: int) -> Node:
    if x.rank < 3:
        raise errors.runtime("pixel_unshuffle needs an image (channels, height, width), or a batch", input=x.type)
    if factor <= 0:
        raise errors.runtime(f"pixel_unshuffle: downscale_factor is 1 or more, got {factor}")
    *batch, channels, height, width = x.shape
    if height % factor or width % factor:
        raise errors.runtime(
            f"pixel_unshuffle: an image of {height} x {width} cannot be cut into squares of {factor} x {factor}",
            input=x.type,
        )
    n, high, wide = count(tuple(batch)), height // factor, width // factor
    parts = reshape(x, shape=(n, channels, high, factor, wide, factor))
    parts = permute(parts, order=(0, 1, 3, 5, 2, 4))
    return reshape(parts, shape=(*batch, channels * factor**2, high, wide))


@labelled("ChannelShuffleBackward0")
def _channel_shuffle(x: Node, groups: int) -> Node:
    if x.rank <= 2:
        raise errors.runtime("channel_shuffle expects input with more than 2 dimensions", input=x.type)
    batch, channels, *size = x.shape
    if groups <= 0 or channels % groups:
        raise errors.runtime(f"channel_shuffle: {channels} channels cannot be cut into {groups} groups", input=x.type)
    parts = reshape(x, shape=(batch, groups, channels // groups, count(tuple(size))))
    return reshape(permute(parts, order=(0, 2, 1, 3)), shape=x.shape)


def pixel_shuffle(input: Any, upscale_factor: int) -> Any:
    """(*, C r², H, W) -> (*, C, H r, W r): groups of r² channels become blocks of pixels.

    Source: torch.nn.functional.pixel_shuffle.
    """
    return apply(_pixel_shuffle, (input,), (upscale_factor,))


def pixel_unshuffle(input: Any, downscale_factor: int) -> Any:
    """(*, C, H r, W r) -> (*, C r², H, W): the reverse of ``pixel_shuffle``.

    Source: torch.nn.functional.pixel_unshuffle.
    """
    return apply(_pixel_unshuffle, (input,), (downscale_factor,))


def channel_shuffle(input: Any, groups: int) -> Any:
    """(N, C, *) with its channels interleaved: those of each of ``groups`` groups in turn.

    Source: torch.nn.functional.channel_shuffle.
    """
    return apply(_channel_shuffle, (input,), (groups,))


def native_channel_shuffle(input: Any, groups: int) -> Any:
    """``channel_shuffle``. Source: torch.nn.functional.native_channel_shuffle."""
    return channel_shuffle(input, groups)


# --- affine grids --------------------------------------------------------------------------------------------


def _ticks(size: int, kind: dtype, align: bool) -> Node:
    """The coordinates of pixels from -1 to 1: their outer centres lie at the ends, or their outer edges."""
    if size == 1:
        return filled(0, TensorType((1,), kind))
    ticks = spaced(start=-1.0, end=1.0, size=size, dtype=kind, base=None)
    return ticks if align else times(ticks, (size - 1) / size)


@labelled("AffineGridGeneratorBackward0")
def _affine_grid(theta: Node, size: Shape, align: bool) -> Node:
    rank = len(size)
    columns = []
    for axis in reversed(range(rank)):  # x first
        ticks = reshape(
            _ticks(size[axis], theta.dtype, align),
            shape=(*(1,) * axis, size[axis], *(1,) * (rank - axis - 1)),
        )
        columns.append(reshape(broadcast_to(ticks, size), shape=(count(size), 1)))
    points = cat(*columns, ones_like(columns[0]), axis=1)
    many = broadcast_to(points, (theta.shape[0], *points.shape))
    return reshape(matmul(many, turn(theta)), shape=(theta.shape[0], *size, rank))


def affine_grid(theta: Any, size: Any, align_corners: bool | None = None) -> Any:
    """Where ``grid_sample`` has to look for an image moved by affine maps.

    Args:
        theta: the maps, (N, 2, 3) or (N, 3, 4), from the result's coordinates to the input's, both from -1 to 1.
        size: of the result, (N, C, H, W) or (N, C, D, H, W).
        align_corners: -1 and 1 are the centres of the outer pixels, instead of their outer edges.
    Raises:
        ValueError: theta does not fit the size, or is not floating.
        NotImplementedError: a size of another length.
    Source: torch.nn.functional.affine_grid.
    """
    size = tuple(int(one) for one in size)
    if align_corners is None:
        warnings.warn(DEFAULT_CORNERS.format("affine_grid"), stacklevel=2)
    if not theta.dtype.is_floating_point:
        raise errors.value("affine_grid needs a theta of a floating dtype", theta=theta._type)
    if len(size) not in (4, 5):
        raise NotImplementedError(errors.message(f"affine_grid supports sizes of 4 and 5 dimensions, got {size}"))
    rank = len(size) - 2
    if theta._shape[1:] != (rank, rank + 1):
        raise errors.value(
            f"affine_grid: expected a batch of affine matrices (N, {rank}, {rank + 1}) for size {size}",
            theta=theta._type,
        )
    if min(size) <= 0:
        raise errors.value(f"affine_grid: expected a positive output size, got {size}")
    if theta._shape[0] != size[0]:
        raise errors.runtime("affine_grid: theta and size have different batches", theta=theta._type, size=size)
    return apply(_affine_grid, (theta,), (size[2:], bool(align_corners)))


# --- sampling ------------------------------------------------------------------------------------------------


class Sampling(Frozen):
    """The arguments of ``grid_sample``."""

    __slots__ = ("align", "mode", "padding", "rank")

    def __init__(self, mode: str, padding: str, align: bool, rank: int) -> None:
        self.mode, self.padding, self.align, self.rank = mode, padding, align, rank

    @property
    def label(self) -> str:
        return f"GridSampler{self.rank}DBackward0"


def _confined(at: Node, last: int) -> Node:
    """Coordinates beyond the border moved to it, without gradient."""
    zero, end = zeros_like(at), filled(last, at.type)
    return ew.where(le(at, zero), zero, ew.where(ge(at, end), end, at))


def _mirrored(at: Node, size: int, align: bool) -> Node:
    """Coordinates mirrored at the border (its centres or its edges) until they lie inside."""
    low, span = (0.0, size - 1) if align else (-0.5, size)
    if span == 0:
        return zeros_like(at)
    beyond = ew.abs(plus(at, -low))
    turns = rounding.floor(times(beyond, 1 / span))
    rest = sub(beyond, times(turns, span))
    odd = ew.ne(times(rounding.floor(times(turns, 0.5)), 2), turns)
    return plus(ew.where(odd, sub(filled(span, at.type), rest), rest), low)


def _bounded(at: Node, size: int, how: Sampling) -> Node:
    if how.padding == "zeros":
        return at
    if how.padding == "reflection":
        at = _mirrored(at, size, how.align)
    return _confined(at, size - 1)


def _inside(at: list[Node], size: Shape) -> Node:
    """Where all coordinates, whole numbers, name a pixel."""
    found = None
    for one, n in zip(at, size, strict=True):
        here = both(ge(one, zeros_like(one)), le(one, filled(n - 1, one.type)))
        found = here if found is None else both(found, here)
    assert found is not None
    return found


def _looked_up(image: Node, at: list[Node], size: Shape, weight: Node | None) -> Node:
    """The pixels at whole coordinates times a weight; 0 outside. image [N, C, pixels], at [N, points] each."""
    inside = _inside(at, size)
    place = None
    for one, n in zip(at, size, strict=True):
        index = cast(kept_where(inside, one), dtype=dtypes.int64)
        place = index if place is None else add(times(place, n), index)
    assert place is not None
    batch, points = place.shape
    shape = (batch, image.shape[1], points)
    found = pick(image, expand(reshape(place, shape=(batch, 1, points)), shape=shape), 2)
    share = kept_where(inside, ones_like(at[0]) if weight is None else weight)
    return mul(found, expand(reshape(share, shape=(batch, 1, points)), shape=shape))


def _total(terms: list[Node]) -> Node:
    total = terms[0]
    for one in terms[1:]:
        total = add(total, one)
    return total


def _by_corners(image: Node, at: list[Node], size: Shape) -> Node:
    """Each point's surrounding pixels, weighted by the opposite volumes."""
    lows = [rounding.floor(one) for one in at]
    shares = [sub(one, low) for one, low in zip(at, lows, strict=True)]
    terms = []
    for corner in product((0, 1), repeat=len(size)):
        pixel = [plus(low, 1) if bit else low for low, bit in zip(lows, corner, strict=True)]
        weight = None
        for share, bit in zip(shares, corner, strict=True):
            factor = share if bit else sub(ones_like(share), share)
            weight = factor if weight is None else mul(weight, factor)
        terms.append(_looked_up(image, pixel, size, weight))
    return _total(terms)


def _polynomial(x: Node, coefficients: tuple[float, ...]) -> Node:
    out = filled(coefficients[0], x.type)
    for one in coefficients[1:]:
        out = plus(mul(out, x), one)
    return out


def _cubic_weights(t: Node) -> list[Node]:
    """Of the four neighbours of a point ``t`` behind the second."""
    near, far = cubic(-0.75)
    rest = sub(ones_like(t), t)
    return [
        _polynomial(plus(t, 1), far),
        _polynomial(t, near),
        _polynomial(rest, near),
        _polynomial(plus(rest, 1), far),
    ]


def _by_cubics(image: Node, at: list[Node], size: Shape, how: Sampling) -> Node:
    lows = [rounding.floor(one) for one in at]
    weights = [_cubic_weights(sub(one, low)) for one, low in zip(at, lows, strict=True)]
    rows, columns = ([_bounded(plus(low, k - 1), n, how) for k in range(4)] for low, n in zip(lows, size, strict=True))
    terms = [
        _looked_up(image, [rows[i], columns[j]], size, mul(weights[0][i], weights[1][j]))
        for i in range(4)
        for j in range(4)
    ]
    return _total(terms)


def _check_grid(x: Node, grid: Node, how: Sampling) -> None:
    rank = x.rank - 2
    if rank not in (2, 3) or grid.rank != x.rank or grid.shape[-1] != rank or grid.shape[0] != x.shape[0]:
        raise errors.runtime(
            "grid_sample takes images (n, c, h, w) and a grid (n, h', w', 2),"
            " or volumes (n, c, d, h, w) and a grid (n, d', h', w', 3)",
            input=x.type,
            grid=grid.type,
        )
    if 0 in x.shape[1:]:
        raise errors.runtime("grid_sample: expected an input with non-empty spatial dimensions", input=x.type)
    if how.mode == "bicubic" and rank != 2:
        raise errors.runtime("grid_sample: bicubic is a way to sample images, not volumes", input=x.type)
    require("grid_sample", x, FLOATING)
    if grid.dtype is not x.dtype:
        raise errors.runtime("grid_sample: input and grid should have the same dtype", input=x.type, grid=grid.type)


@reading
def _grid_sample(x: Node, grid: Node, how: Sampling) -> Node:
    _check_grid(x, grid, how)
    batch, channels, *rest = x.shape
    size, out = tuple(rest), grid.shape[1:-1]
    image = reshape(x, shape=(batch, channels, count(size)))
    at = []
    for axis, n in enumerate(size):
        last = how.rank - 1 - axis  # the grid names x first
        c = reshape(narrow(grid, grid.rank - 1, last, last + 1), shape=(batch, count(out)))
        at.append(times(plus(c, 1), (n - 1) / 2) if how.align else plus(times(plus(c, 1), n / 2), -0.5))
    if how.mode == "bicubic":
        found = _by_cubics(image, at, size, how)
    else:
        at = [_bounded(one, n, how) for one, n in zip(at, size, strict=True)]
        if how.mode == "nearest":
            found = _looked_up(image, [rounding.round(one) for one in at], size, None)
            found = ew.attach(found, grid)  # which gets a gradient of zeros
        else:
            found = _by_corners(image, at, size)
    return reshape(found, shape=(batch, channels, *out))


def grid_sample(
    input: Any,
    grid: Any,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Any:
    """The image at the points of a grid: (N, C, H, W), (N, H', W', 2) -> (N, C, H', W'), likewise with a depth.

    Args:
        grid: points (x, y) or (x, y, z), where -1 and 1 are the image's borders.
        mode: "bilinear" (also for three axes), "nearest" or "bicubic" (4D only).
        padding_mode: what lies outside: "zeros", the "border" repeated, or the image mirrored ("reflection").
        align_corners: -1 and 1 are the centres of the outer pixels, instead of their outer edges.
    Raises:
        ValueError: an unknown mode.
        RuntimeError: shapes that do not fit.
    Source: torch.nn.functional.grid_sample.
    """
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise errors.value(f'grid_sample knows mode="bilinear", "nearest" and "bicubic", not {mode!r}')
    if padding_mode not in ("zeros", "border", "reflection"):
        raise errors.value(f'grid_sample knows padding_mode="zeros", "border" and "reflection", not {padding_mode!r}')
    if align_corners is None:
        warnings.warn(DEFAULT_CORNERS.format("grid_sample"), stacklevel=2)
    how = Sampling(mode, padding_mode, bool(align_corners), len(input._shape) - 2)
    return apply(_grid_sample, (input, grid), (how,))

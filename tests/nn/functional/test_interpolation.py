"""Images in other sizes, sampled at points, framed, and with channels traded for pixels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nn.functional.against_torch import check, draw, fixed

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
SIZES = (5, 6, 4)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "area", "linear"])
def test_interpolation_to_sizes_and_by_factors(rank: int, mode: str) -> None:
    mode = LINEAR[rank] if mode == "linear" else mode
    image = draw(2, 2, *SIZES[:rank])
    for size in (3, 8, 1, (7, 2, 9)[:rank]):
        check("interpolate", image, size, mode=mode)
    for factor in (2, 0.5, 1.7, (1.3, 0.7, 2.0)[:rank]):
        check("interpolate", image, scale_factor=factor, mode=mode)
        check("interpolate", image, scale_factor=factor, mode=mode, recompute_scale_factor=True)


@pytest.mark.parametrize("mode", ["linear", "bilinear", "trilinear", "bicubic"])
def test_corners_can_be_aligned(mode: str) -> None:
    rank = {"bicubic": 2, **{name: rank for rank, name in LINEAR.items()}}[mode]
    for size in (3, 8, 1):
        check("interpolate", draw(1, 2, *SIZES[:rank]), size, mode=mode, align_corners=True)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "lanczos"])
def test_shrinking_can_look_at_every_pixel(mode: str) -> None:
    for size in ((3, 4), (12, 5), (9, 9)):
        check("interpolate", draw(1, 2, 9, 9), size, mode=mode, antialias=True)
    if mode != "lanczos":
        check("interpolate", draw(1, 2, 9, 9), (4, 5), mode=mode, antialias=True, align_corners=True)


def test_cubic_interpolation() -> None:
    check("interpolate", draw(1, 2, 5, 6), (9, 4), mode="bicubic")
    check("interpolate", draw(1, 2, 5, 6), scale_factor=1.6, mode="bicubic")


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic"])
def test_positions_are_rounded_as_pytorch_rounds_them(mode: str) -> None:
    """In single precision, where the last bits of a position decide between neighbours or tilt the weights."""
    for size, wanted in ((224, 160), (7, 300), (300, 7)):
        image = torch.rand(1, 1, size, 2)
        check("interpolate", image, (wanted, 2), mode=mode, tolerance=1e-6)


def test_old_names_of_interpolation() -> None:
    check("upsample", draw(1, 2, 4), scale_factor=2)
    check("upsample_nearest", draw(1, 2, 4, 4), size=7)
    check("upsample_bilinear", draw(1, 2, 4, 4), size=7)


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grids_sample_images(mode: str, padding: str, align: bool) -> None:
    grid = (fixed(2, 3, 4, 2) * 1.2).requires_grad_()
    check("grid_sample", draw(2, 2, 4, 5), grid, mode, padding, align, second=False)
    check("grid_sample", draw(2, 2, 1, 5), grid, mode, padding, align, second=False)
    if mode != "bicubic":
        grid = (fixed(2, 3, 4, 2, 3) * 1.2).requires_grad_()
        check("grid_sample", draw(2, 2, 4, 5, 3), grid, mode, padding, align, second=False)


@pytest.mark.parametrize("align", [False, True])
def test_affine_grids(align: bool) -> None:
    check("affine_grid", draw(2, 2, 3), (2, 3, 4, 5), align)
    check("affine_grid", draw(2, 2, 3), (2, 3, 1, 5), align)
    check("affine_grid", draw(2, 3, 4), (2, 3, 4, 5, 2), align)


def test_channels_become_pixels_and_back() -> None:
    check("pixel_shuffle", draw(2, 8, 3, 4), 2)
    check("pixel_shuffle", draw(9, 3, 4), 3)
    check("pixel_unshuffle", draw(2, 2, 4, 6), 2)
    check("pixel_unshuffle", draw(2, 1, 2, 4, 6), 2)
    check("channel_shuffle", draw(2, 6, 3, 4), 3)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(-2, 3), st.integers(-2, 3)), min_size=1, max_size=4),
    st.sampled_from([None, 0.0, 1.5, float("-inf")]),
)
def test_frames_of_constants(shape: list[int], pairs: list[tuple[int, int]], value: float | None) -> None:
    pairs = pairs[: len(shape)]
    assume(all(n + sum(pair) >= 0 for n, pair in zip(reversed(shape), pairs, strict=False)))
    assume(all(n + min(one, 0) >= 0 for n, pair in zip(reversed(shape), pairs, strict=False) for one in pair))
    check("pad", draw(*shape), [one for pair in pairs for one in pair], value=value)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3),
    st.data(),
    st.sampled_from(["reflect", "replicate", "circular"]),
    st.booleans(),
)
def test_frames_that_repeat_the_image(rank: int, data: Any, mode: str, batched: bool) -> None:
    size = [data.draw(st.integers(2, 5)) for _ in range(rank)]
    pairs = [(data.draw(st.integers(-1, 4)), data.draw(st.integers(-1, 4))) for _ in range(rank)]
    if mode == "circular":  # PyTorch reads what it has not written yet where more is added than is left
        left = [n + min(a, 0) + min(b, 0) for n, (a, b) in zip(size, pairs, strict=True)]
        assume(all(max(pair) <= n for n, pair in zip(left, pairs, strict=True)))
    image = draw(*([2] if batched else []), 2, *size)
    widths = [one for pair in reversed(pairs) for one in pair]
    try:
        torch.nn.functional.pad(image, widths, mode)
    except RuntimeError:
        assume(False)
    check("pad", image, widths, mode)


def test_whole_numbers_and_conditions_are_padded() -> None:
    check("pad", torch.ones(2, 3, dtype=torch.bool), (1, 1))
    check("pad", torch.ones(2, 3, dtype=torch.bool), (1, 1), value=True)
    check("pad", torch.ones(2, 3, dtype=torch.int32), (1, 0, 0, 2), value=2.5)
    check("pad", torch.arange(12).reshape(1, 3, 4), (1, 2), "reflect")

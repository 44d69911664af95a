"""Maxima, averages and norms of windows of every geometry, and the ways back."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nn.functional.against_torch import check, draw

import zerograd
from zerograd.nn import functional as F

SIZES = (7, 6, 5)


@st.composite
def windows(draws: Any) -> tuple[tuple[int, ...], dict[str, Any]]:
    """The size of an image and a pooling that fits it."""
    rank = draws(st.integers(1, 3))
    kernel = [draws(st.integers(1, 4)) for _ in range(rank)]
    arguments = {
        "kernel_size": kernel,
        "stride": draws(st.none() | st.tuples(*[st.integers(1, 4)] * rank)),
        "padding": [draws(st.integers(0, k // 2)) for k in kernel],
        "ceil_mode": draws(st.booleans()),
    }
    size = tuple(draws(st.integers(3, 8)) for _ in range(rank))
    return size, arguments


def fits(name: str, image: Any, arguments: dict[str, Any]) -> bool:
    try:
        getattr(torch.nn.functional, name)(image, **arguments)
    except RuntimeError:
        return False
    return True


def distinct(*shape: int) -> Any:
    """Numbers that are all different, so that each window has one greatest."""
    count = int(torch.tensor(shape).prod())
    return torch.randperm(count).double().reshape(shape).requires_grad_()


@settings(max_examples=40, deadline=None)
@given(windows(), st.integers(1, 2))
def test_maxima_of_any_geometry(case: Any, dilation: int) -> None:
    size, arguments = case
    arguments = {**arguments, "dilation": dilation, "return_indices": True}
    image = distinct(2, 2, *size)
    assume(fits(f"max_pool{len(size)}d", image, arguments))
    check(f"max_pool{len(size)}d", image, **arguments)


@settings(max_examples=40, deadline=None)
@given(windows(), st.booleans())
def test_averages_of_any_geometry(case: Any, include: bool) -> None:
    size, arguments = case
    image = draw(2, 2, *size)
    assume(fits(f"avg_pool{len(size)}d", image, arguments))
    check(f"avg_pool{len(size)}d", image, count_include_pad=include, **arguments)
    if len(size) > 1:
        check(f"avg_pool{len(size)}d", image, divisor_override=3, **arguments)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 6)), min_size=1, max_size=3))
def test_adaptive_pooling_to_any_size(axes: list[tuple[int, int]]) -> None:
    size, wanted = zip(*axes, strict=True)
    check(f"adaptive_avg_pool{len(size)}d", draw(2, 2, *size), wanted)
    check(f"adaptive_max_pool{len(size)}d", distinct(2, 2, *size), wanted, return_indices=True)


@pytest.mark.parametrize("rank", [2, 3])
def test_adaptive_pooling_keeps_sizes_given_as_none(rank: int) -> None:
    check(f"adaptive_avg_pool{rank}d", draw(2, *SIZES[:rank]), (None, 2, 3)[:rank])
    check(f"adaptive_max_pool{rank}d", distinct(2, *SIZES[:rank]), (3, None, None)[:rank])


def test_equal_values_and_infinities_give_the_first_place_and_nan_wins() -> None:
    inf, nan = float("inf"), float("nan")
    image = torch.tensor([[1.0, 1, -inf, -inf], [1, 1, -inf, -inf], [nan, 2, 3, nan], [4, nan, nan, 3]])
    for kernel, padding in ((2, 0), (2, 1), (3, 1)):
        check("max_pool2d", image[None], kernel, 2, padding, return_indices=True)
        check("adaptive_max_pool2d", image[None], 2, return_indices=True)


def test_whole_numbers_are_pooled() -> None:
    image = torch.arange(-20, 16).reshape(1, 1, 6, 6)
    check("max_pool2d", image, 3, 2, 1, return_indices=True)
    check("avg_pool2d", image, 3, 2, 1)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("norm", [1.0, 2, 3.5])
def test_norms_of_windows(rank: int, norm: float) -> None:
    image = (draw(2, 2, *SIZES[:rank]).detach().abs() + 0.1).requires_grad_()
    check(f"lp_pool{rank}d", image, norm, 2)
    check(f"lp_pool{rank}d", image, norm, 3, 2, True)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_unpooling_puts_maxima_back(rank: int) -> None:
    size = (6, 4, 2)[:rank]
    pool = getattr(torch.nn.functional, f"max_pool{rank}d")
    values, places = pool(distinct(2, 2, *size).detach(), 2, return_indices=True)
    check(f"max_unpool{rank}d", values.requires_grad_(), places, 2)
    check(f"max_unpool{rank}d", values, places, 2, output_size=[n + 1 for n in size])
    check(f"max_unpool{rank}d", values, places, 2, output_size=(2, 2, *size))


@pytest.mark.parametrize("rank", [2, 3])
def test_random_windows_are_pytorchs_for_the_same_seed(rank: int) -> None:
    image = distinct(2, 2, *SIZES[:rank])
    check(f"fractional_max_pool{rank}d", image, 2, output_size=3, return_indices=True, second=False)
    check(f"fractional_max_pool{rank}d", image, 1, output_ratio=(0.5,) * rank, second=False)
    check(f"fractional_max_pool{rank}d", image[0].detach(), 2, output_size=(3, 2, 2)[:rank])


def test_random_windows_follow_given_samples() -> None:
    samples = torch.rand(2, 2, 2, dtype=torch.float64)
    check("fractional_max_pool2d", distinct(2, 2, 9, 8), (2, 3), (4, 5), None, True, samples)


def test_names_with_indices_give_both_results() -> None:
    check("max_pool2d_with_indices", distinct(2, 2, 6, 6), 2)
    check("adaptive_max_pool2d_with_indices", distinct(2, 2, 6, 6), 2)


def test_grad_fn_is_named_as_pytorch_names_it() -> None:
    image = zerograd.ones(1, 2, 6, 6, requires_grad=True)
    assert F.max_pool2d(image, 2).grad_fn.name() == "MaxPool2DWithIndicesBackward0"
    assert F.avg_pool2d(image, 2).grad_fn.name() == "AvgPool2DBackward0"
    assert F.adaptive_avg_pool2d(image, 1).grad_fn.name() == "MeanBackward1"
    assert F.adaptive_avg_pool2d(image, 2).grad_fn.name() == "AdaptiveAvgPool2DBackward0"

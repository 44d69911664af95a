"""Convolutions of every geometry, their transposes, and windows as columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.functional.against_torch import check, draw

import zerograd
from zerograd.nn import functional as F


@st.composite
def geometries(draws: Any, transposed: bool = False) -> dict[str, Any]:
    """Shapes and arguments of a convolution that fits."""
    rank = draws(st.integers(1, 3))
    groups = draws(st.sampled_from([1, 1, 2]))
    stride, dilation = ([draws(st.integers(1, 3)) for _ in range(rank)] for _ in range(2))
    kernel = [draws(st.integers(1, 3)) for _ in range(rank)]
    padding = [draws(st.integers(0, 2)) for _ in range(rank)]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    least = [max(1, r - 2 * p) for r, p in zip(reach, padding, strict=True)]
    if transposed:  # so that something is left when the padding is cut off
        least = [1 if r > 2 * p else 3 for r, p in zip(reach, padding, strict=True)]
    size = [n + draws(st.integers(0, 3)) for n in least]
    extra = [draws(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)]
    return {
        "rank": rank,
        "groups": groups,
        "image": (draws(st.integers(1, 2)), 2 * groups, *size),
        "kernel": kernel,
        "arguments": {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups},
        "extra": extra,
        "bias": draws(st.booleans()),
    }


@settings(max_examples=40, deadline=None)
@given(geometries())
def test_convolutions_of_any_geometry(case: dict[str, Any]) -> None:
    groups = case["groups"]
    weight = draw(3 * groups, 2, *case["kernel"])
    bias = draw(3 * groups) if case["bias"] else None
    check(f"conv{case['rank']}d", draw(*case["image"]), weight, bias, **case["arguments"])


@settings(max_examples=40, deadline=None)
@given(geometries(transposed=True))
def test_transposed_convolutions_of_any_geometry(case: dict[str, Any]) -> None:
    groups = case["groups"]
    weight = draw(2 * groups, 3, *case["kernel"])
    bias = draw(3 * groups) if case["bias"] else None
    image = draw(*case["image"])
    arguments = {**case["arguments"], "output_padding": case["extra"]}
    try:
        getattr(torch.nn.functional, f"conv_transpose{case['rank']}d")(image, weight, bias, **arguments)
    except RuntimeError:  # the padding cuts everything off
        return
    check(f"conv_transpose{case['rank']}d", image, weight, bias, **arguments)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_one_image_needs_no_batch(rank: int) -> None:
    size = (5, 4, 6)[:rank]
    check(f"conv{rank}d", draw(2, *size), draw(3, 2, *(2,) * rank), draw(3))
    check(f"conv_transpose{rank}d", draw(2, *size), draw(2, 3, *(2,) * rank), draw(3))


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("kernel", [(3, 3), (2, 3), (4, 1)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same_padding_keeps_the_size(kernel: tuple[int, int], dilation: int) -> None:
    check("conv2d", draw(1, 2, 7, 6), draw(3, 2, *kernel), padding="same", dilation=dilation)
    check("conv2d", draw(1, 2, 7, 6), draw(3, 2, *kernel), padding="valid", stride=2)


def test_each_channel_can_have_its_own_kernel() -> None:
    check("conv2d", draw(2, 6, 5, 5), draw(6, 1, 3, 3), draw(6), padding=1, groups=6)


def test_complex_numbers_are_convolved() -> None:
    image = torch.randn(2, 2, 5, dtype=torch.complex128, requires_grad=True)
    weight = torch.randn(3, 2, 2, dtype=torch.complex128, requires_grad=True)
    check("conv1d", image, weight, stride=2, second=False)


def test_whole_numbers_and_empty_batches_are_convolved() -> None:
    check("conv2d", torch.arange(32).reshape(1, 2, 4, 4), torch.arange(24).reshape(3, 2, 2, 2))
    check("conv2d", draw(0, 2, 4, 4), draw(3, 2, 2, 2), second=False)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_accumulated_in_single(dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in ((2, 8, 6, 6), (4, 8, 3, 3)))
    kind = getattr(zerograd, dtype)
    out = F.conv2d(zerograd.tensor(x).to(kind), zerograd.tensor(w).to(kind))
    x, w = (zerograd.tensor(one).to(kind).float() for one in (x, w))
    assert zerograd.equal(out, F.conv2d(x, w).to(kind))


def test_large_batches_are_computed_in_parts() -> None:
    """More columns than fit into one part: the parts must not mix."""
    x, w = torch.randn(7, 16, 40, 40), torch.randn(8, 16, 3, 3)
    check("conv2d", x.requires_grad_(), w.requires_grad_(), second=False, tolerance=2e-3)


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.tuples(st.integers(0, 2), st.integers(0, 1)),
    st.tuples(st.integers(1, 3), st.integers(1, 2)),
)
def test_unfold_and_fold_are_each_others_transposes(kernel: Any, dilation: Any, padding: Any, stride: Any) -> None:
    arguments = {"kernel_size": kernel, "dilation": dilation, "padding": padding, "stride": stride}
    check("unfold", draw(2, 2, 6, 7), **arguments)
    columns = torch.nn.functional.unfold(torch.zeros(1, 2, 6, 7), **arguments).shape
    check("fold", draw(*columns), output_size=(6, 7), **arguments)


def test_columns_of_one_image() -> None:
    check("unfold", draw(2, 6, 7), (2, 3))
    check("fold", draw(12, 25), (6, 7), (2, 3))


def test_bilinear_combines_two_inputs() -> None:
    check("bilinear", draw(5, 3), draw(5, 4), draw(2, 3, 4), draw(2))
    check("bilinear", draw(2, 5, 3), draw(2, 5, 4), draw(2, 3, 4))
    check("bilinear", draw(3), draw(4), draw(2, 3, 4))


def test_conv_tbc_has_time_first() -> None:
    check("conv_tbc", draw(5, 2, 3), draw(3, 3, 4), draw(4), 1)


def test_grad_fn_is_named_as_pytorch_names_it() -> None:
    x, w = zerograd.ones(1, 2, 4, 4), zerograd.ones(3, 2, 2, 2, requires_grad=True)
    assert F.conv2d(x, w).grad_fn.name() == "ConvolutionBackward0"
    assert F.conv2d(x, w, zerograd.ones(3)).grad_fn.name() == "ConvolutionBackward0"

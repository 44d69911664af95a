"""Normalization over batches, features, channels and by norms; running statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from nn.functional.against_torch import check, draw, fixed, ours

import zerograd
from zerograd.nn import functional as F

SHAPES = [(4, 3), (4, 3, 5), (2, 3, 4, 2), (2, 3, 2, 2, 2)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("affine", [False, True])
def test_over_the_batch(shape: tuple[int, ...], affine: bool) -> None:
    parameters = (draw(3), draw(3)) if affine else (None, None)
    check("batch_norm", draw(*shape), None, None, *parameters, training=True, second=affine)
    check("batch_norm", draw(*shape), fixed(3), fixed(3).abs(), *parameters, eps=0.1, second=affine)
    if len(shape) > 2:
        check("instance_norm", draw(*shape), None, None, *parameters, second=affine)
        running = fixed(3), fixed(3).abs()
        check("instance_norm", draw(*shape), *running, *parameters, use_input_stats=False, second=affine)


@pytest.mark.parametrize("shape", SHAPES)
def test_over_groups_of_channels(shape: tuple[int, ...]) -> None:
    check("group_norm", draw(*shape), 1, draw(3), draw(3))
    check("group_norm", draw(2, 6, *shape[2:]), 3, draw(6), draw(6))
    check("group_norm", draw(2, 6, *shape[2:]), 2, eps=0.3)


@pytest.mark.parametrize("shape", SHAPES)
def test_over_features(shape: tuple[int, ...]) -> None:
    for features in (shape[-1:], shape[-2:], shape):
        check("layer_norm", draw(*shape), features, draw(*features), draw(*features))
        check("rms_norm", draw(*shape), features, draw(*features))
    check("layer_norm", draw(*shape), shape[-1:], None, draw(*shape[-1:]), second=False)
    check("rms_norm", draw(*shape), shape[-1:], eps=0.1)


@pytest.mark.parametrize("name", ["batch_norm", "instance_norm"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_running_statistics_follow_the_batches(name: str, dtype: Any) -> None:
    theirs = [torch.randn(3, dtype=dtype), torch.rand(3, dtype=dtype)]
    mine = ours(theirs, [])
    x = torch.randn(4, 3, 5, dtype=dtype)
    for momentum in (0.1, 0.3, 0.5):
        getattr(torch.nn.functional, name)(x, *theirs, None, None, True, momentum)
        getattr(F, name)(ours((x.requires_grad_(),), [])[0], *mine, None, None, True, momentum)
        x = x.detach()
    for a, b in zip(theirs, mine, strict=True):
        assert not b.requires_grad
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-5, atol=1e-6)


def test_a_changing_momentum_is_met_again_by_the_recorder() -> None:
    """Momentum is data: it must not enter what is remembered."""
    mean = zerograd.zeros(2)
    for step in range(1, 4):
        F.batch_norm(zerograd.full((4, 2), float(step)), mean, zerograd.ones(2), training=True, momentum=1 / step)
    assert mean.tolist() == pytest.approx([2.0, 2.0])


def test_only_one_running_statistic_may_be_given() -> None:
    mean = zerograd.zeros(3)
    F.batch_norm(zerograd.ones(4, 3), mean, None, training=True)
    assert mean.tolist() == pytest.approx([0.1] * 3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("weights", ["none", "same", "float32"])
def test_half_precision_is_normalized_in_single(dtype: Any, weights: str) -> None:
    kind = {"none": None, "same": dtype, "float32": torch.float32}[weights]
    weight = None if kind is None else torch.randn(6).to(kind)
    x = torch.randn(4, 6, 5).to(dtype)
    check("group_norm", x, 2, weight, weight, tolerance=2e-2)
    check("batch_norm", x, None, None, weight, weight, True, tolerance=2e-2)
    check("layer_norm", x.transpose(1, 2).contiguous(), (6,), weight, weight, tolerance=2e-2)


def test_by_the_responses_of_neighbours() -> None:
    for size in (1, 2, 3, 5):
        check("local_response_norm", draw(2, 4, 3), size)
        check("local_response_norm", draw(2, 4, 3, 2), size, alpha=0.1, beta=0.5, k=2.0)


@pytest.mark.parametrize("p", [0.5, 1, 2, 3, float("inf")])
def test_by_norms(p: float) -> None:
    check("normalize", draw(3, 4), p)
    check("normalize", draw(3, 4, 2), p, -1)
    check("normalize", draw(3, 4), 2, (0, 1))
    check("normalize", torch.zeros(2, 3, dtype=torch.float64).requires_grad_(), second=False)


def test_normalize_writes_into_out() -> None:
    out = zerograd.empty(2, 2)
    assert F.normalize(zerograd.ones(2, 2), out=out) is out
    np.testing.assert_allclose(out.numpy(), np.full((2, 2), 0.5**0.5), rtol=1e-6)

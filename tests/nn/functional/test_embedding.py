"""Rows of tables, bags of rows, classes as vectors, and distances."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from nn.functional.against_torch import chances, check, draw, fixed, ours

import zerograd
from zerograd.nn import functional as F

ROWS = torch.tensor([[1, 5, 2, 2], [0, 6, 2, 3], [4, 4, 1, 0]])


@pytest.mark.parametrize("places", [ROWS, ROWS.int(), ROWS[0], torch.tensor(3), ROWS[:0]])
@pytest.mark.parametrize("padding", [None, 2, -2])
def test_rows(places: Any, padding: int | None) -> None:
    check("embedding", places, draw(7, 3), padding, second=places.numel() > 0)
    check("embedding", places, draw(7, 3), padding, scale_grad_by_freq=True, second=False)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("name", ["embedding", "embedding_bag"])
def test_long_rows_are_scaled_down_in_place(name: str, p: float) -> None:
    table = fixed(7, 3)
    (mine, places) = ours([table, ROWS], [])
    found = getattr(F, name)(places, mine, max_norm=1.0, norm_type=p)
    expected = getattr(torch.nn.functional, name)(ROWS, table, max_norm=1.0, norm_type=p)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-6)
    np.testing.assert_allclose(mine.numpy(), table.numpy(), rtol=1e-6)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 2])
def test_bags(mode: str, padding: int | None) -> None:
    arguments = {"mode": mode, "padding_idx": padding, "second": False}
    check("embedding_bag", ROWS, draw(7, 3), **arguments)
    flat = ROWS.reshape(-1)
    for offsets in ([0, 3, 3, 10], [0], [0, 12], [0, 0, 5]):
        check("embedding_bag", flat, draw(7, 3), torch.tensor(offsets), **arguments)
    check("embedding_bag", flat, draw(7, 3), torch.tensor([0, 5, 12]), include_last_offset=True, **arguments)
    check("embedding_bag", flat[:0], draw(7, 3), torch.tensor([0, 0]), **arguments)


def test_rows_of_bags_can_be_weighted() -> None:
    check("embedding_bag", ROWS, draw(7, 3), mode="sum", per_sample_weights=chances(3, 4), second=False)
    weights = chances(12)
    check(
        "embedding_bag", ROWS.reshape(-1), draw(7, 3), torch.tensor([0, 5]), mode="sum", per_sample_weights=weights,
        padding_idx=2, second=False,
    )  # fmt: skip


def test_a_rows_gradient_is_divided_by_how_often_it_is_looked_up() -> None:
    """PyTorch's embedding_bag divides by the count of another row here."""
    table = zerograd.zeros(4, 1, requires_grad=True)
    F.embedding_bag(zerograd.tensor([[3, 1], [1, 1]]), table, mode="sum", scale_grad_by_freq=True).sum().backward()
    assert table.grad.flatten().tolist() == [0.0, 1.0, 0.0, 1.0]


@pytest.mark.parametrize("places", [ROWS, ROWS[0], torch.tensor(3)])
def test_classes_become_vectors(places: Any) -> None:
    check("one_hot", places)
    check("one_hot", places, 9)
    assert F.one_hot(zerograd.zeros(0, dtype=zerograd.int64), 3).shape == (0, 3)


def test_a_row_out_of_range_is_found_where_it_is_computed() -> None:
    """Pending places are checked by the program that uses them, also negative ones."""
    for wrong in (7, -1):
        places = zerograd.ones(2, dtype=zerograd.int64) * wrong
        with pytest.raises(IndexError, match=str(wrong)):
            F.embedding(places, zerograd.zeros(3, 2)).tolist()


@pytest.mark.parametrize("p", [0.0, 1, 2, 3, 0.5, float("inf")])
def test_distances(p: float) -> None:
    check("pairwise_distance", draw(4, 5), draw(4, 5), p, second=p > 1)
    check("pairwise_distance", draw(4, 5), draw(5), p, keepdim=True, second=p > 1)
    check("pdist", draw(4, 5), p, second=False)
    check("cdist", draw(4, 5), draw(3, 5), p, second=False)
    check("cdist", draw(2, 4, 5), draw(3, 5), p, second=False)


def test_many_distances_may_come_from_a_product() -> None:
    check("cdist", draw(30, 5), draw(28, 5), second=False)
    check("cdist", draw(2, 30, 5), draw(2, 3, 5), second=False, compute_mode="donot_use_mm_for_euclid_dist")
    check("cdist", draw(3, 0), draw(4, 0), second=False)


def test_equal_points_have_distance_0_and_gradient_0() -> None:
    x = draw(4, 5)
    y = torch.cat([x[:2].detach(), fixed(3, 5)]).requires_grad_()
    check("cdist", x, y, second=False)
    check("pdist", torch.ones(3, 2, dtype=torch.float64).requires_grad_(), second=False)


def test_similarities() -> None:
    check("cosine_similarity", draw(3, 4), draw(3, 4))
    check("cosine_similarity", draw(3, 4), draw(4), dim=-1)
    check("cosine_similarity", draw(3, 4), draw(3, 4), eps=5.0)
    check("cosine_similarity", draw(3), draw(3), dim=0)
    zero = torch.zeros(3, 4, dtype=torch.float64, requires_grad=True)
    check("cosine_similarity", draw(3, 4), zero, eps=0.5, second=False)

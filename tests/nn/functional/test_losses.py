"""Losses: every reduction, weight and target, and gradients of gradients."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from nn.functional.against_torch import chances, check, draw, fixed, ours

import zerograd
from zerograd.nn import functional as F

REDUCTIONS = ["mean", "sum", "none"]
reductions = pytest.mark.parametrize("reduction", REDUCTIONS)


def signs(*shape: int) -> Any:
    return torch.sign(fixed(*shape))


# --- numbers ---------------------------------------------------------------------------------------------


@reductions
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_differences(name: str, reduction: str) -> None:
    check(name, draw(3, 4), draw(3, 4), reduction=reduction)
    check(name, draw(3, 4), draw(4), reduction=reduction)
    if name != "huber_loss":
        check(name, draw(3, 4), torch.ones(3, 4, dtype=torch.int32), reduction=reduction)
    check(name, draw(0, 4), draw(0, 4), reduction=reduction, second=False)
    if name != "smooth_l1_loss":
        check(name, draw(3, 4), draw(3, 4), weight=chances(3, 4), reduction=reduction)


@reductions
@pytest.mark.parametrize("bend", [0.3, 2.0])
def test_bends(bend: float, reduction: str) -> None:
    check("smooth_l1_loss", draw(3, 4), draw(3, 4), beta=bend, reduction=reduction)
    check("huber_loss", draw(3, 4), draw(3, 4), delta=bend, reduction=reduction)
    check("smooth_l1_loss", draw(3, 4), draw(3, 4), beta=0, reduction=reduction)


@reductions
@pytest.mark.parametrize("full", [False, True])
def test_counts_and_densities(full: bool, reduction: str) -> None:
    for log_input in (False, True):
        counts = (torch.rand(3, 4, dtype=torch.float64) * 3).requires_grad_()
        check("poisson_nll_loss", chances(3, 4), counts, log_input=log_input, full=full, reduction=reduction)
    for variance in (chances(3, 4), chances(3, 1), chances(3), 2.0):
        check("gaussian_nll_loss", draw(3, 4), draw(3, 4), variance, full=full, reduction=reduction)
    check("gaussian_nll_loss", draw(3, 4), draw(3, 4), chances(3, 4), eps=0.5, reduction=reduction)


# --- classes ---------------------------------------------------------------------------------------------


@reductions
@pytest.mark.parametrize("shape", [(5, 4), (4,), (3, 4, 2), (3, 4, 2, 3), (3, 4, 2, 3, 2)])
@pytest.mark.parametrize("weighted", [False, True])
def test_class_numbers(shape: tuple[int, ...], weighted: bool, reduction: str) -> None:
    rest = shape[:1] + shape[2:] if len(shape) > 1 else ()
    target, some_ignored = (torch.randint(0, 4, rest) for _ in range(2))
    if rest:
        some_ignored.view(-1)[0] = -100
    weight = torch.rand(4, dtype=torch.float64) if weighted else None
    arguments = {"weight": weight, "reduction": reduction}
    for one in (target, some_ignored):
        check("nll_loss", draw(*shape), one, **arguments)
        check("cross_entropy", draw(*shape), one, **arguments)
        check("cross_entropy", draw(*shape), one, label_smoothing=0.1, **arguments)
    check("nll_loss", draw(*shape), target, ignore_index=int(target.view(-1)[0]), **arguments)
    check("cross_entropy", draw(*shape), target, ignore_index=2, label_smoothing=1.0, **arguments)


@reductions
@pytest.mark.parametrize("shape", [(5, 4), (4,), (3, 4, 2)])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_class_probabilities(shape: tuple[int, ...], smoothing: float, reduction: str) -> None:
    weight = torch.rand(4, dtype=torch.float64)
    check("cross_entropy", draw(*shape), chances(*shape), label_smoothing=smoothing, reduction=reduction)
    check("cross_entropy", draw(*shape), chances(*shape), weight, label_smoothing=smoothing, reduction=reduction)


def test_a_batch_of_ignored_classes_has_mean_nan_and_sum_0() -> None:
    for reduction in REDUCTIONS:
        check("nll_loss", draw(2, 4), torch.tensor([-100, -100]), reduction=reduction, second=False)


def test_large_logits_do_not_overflow() -> None:
    logits = torch.tensor([[1e4, -1e4, 0.0], [5e3, 5e3, -5e3]], requires_grad=True)
    check("cross_entropy", logits, torch.tensor([1, 2]), second=False, tolerance=1e-5)


def test_what_is_ignored_may_be_infinite() -> None:
    scores = zerograd.tensor([[0.0, float("-inf")], [-1.0, -2.0]], requires_grad=True)
    loss = F.nll_loss(scores, zerograd.tensor([1, 0]), ignore_index=1)
    loss.backward()
    assert loss.item() == 1.0
    assert scores.grad.tolist() == [[0.0, 0.0], [-1.0, 0.0]]


@reductions
def test_linear_cross_entropy_is_linear_then_cross_entropy(reduction: str) -> None:
    arguments = {"reduction": reduction, "second": False}
    check("linear_cross_entropy", draw(3, 4), draw(5, 4), torch.tensor([1, 2, 4]), linear_bias=draw(5), **arguments)
    check("linear_cross_entropy", draw(4), draw(5, 4), torch.tensor(1), label_smoothing=0.1, **arguments)
    target = torch.randint(0, 5, (3, 2))
    check("linear_cross_entropy", draw(3, 4), draw(5, 2, 4), target, linear_bias=draw(5, 2), **arguments)
    check("linear_cross_entropy", draw(3, 4), draw(5, 4), chances(3, 5), **arguments)


# --- probabilities -----------------------------------------------------------------------------------------


@reductions
@pytest.mark.parametrize("weight", [(), (3, 4), (4,)])
def test_yes_or_no(weight: tuple[int, ...], reduction: str) -> None:
    factors = torch.rand(weight, dtype=torch.float64) if weight else None
    arguments = {"weight": factors, "reduction": reduction}
    check("binary_cross_entropy", chances(3, 4), chances(3, 4), **arguments)
    check("binary_cross_entropy_with_logits", draw(3, 4), chances(3, 4), pos_weight=factors, **arguments)
    check("multilabel_soft_margin_loss", draw(3, 4), chances(3, 4).detach(), **arguments)


def test_certain_probabilities_have_finite_losses_and_gradients() -> None:
    p = torch.tensor([0.0, 1, 0, 1, 0.5], dtype=torch.float64, requires_grad=True)
    check("binary_cross_entropy", p, torch.tensor([0.0, 1, 1, 0, 0.5], dtype=torch.float64), second=False)
    x = torch.tensor([1000.0, -1000, 0, 50], dtype=torch.float64, requires_grad=True)
    check("binary_cross_entropy_with_logits", x, torch.tensor([0.0, 1, 1, 0.5], dtype=torch.float64))


@pytest.mark.parametrize("reduction", [*REDUCTIONS, "batchmean"])
def test_divergences(reduction: str) -> None:
    check("kl_div", draw(3, 4), chances(3, 4), reduction=reduction)
    check("kl_div", draw(3, 4), draw(3, 4), reduction=reduction, log_target=True)
    check("kl_div", draw(3, 4), chances(4), reduction=reduction)
    certain = torch.tensor([[0.0, 0.5, 0.5, 0]], dtype=torch.float64)
    check("kl_div", draw(3, 4), certain.expand(3, 4), reduction=reduction)


# --- margins -----------------------------------------------------------------------------------------------


@reductions
def test_margins_of_scores(reduction: str) -> None:
    check("soft_margin_loss", draw(3, 4), signs(3, 4), reduction=reduction)
    check("hinge_embedding_loss", draw(3, 4), signs(3, 4), margin=0.3, reduction=reduction)
    check("margin_ranking_loss", draw(5), draw(5), signs(5), margin=0.3, reduction=reduction)
    check("margin_ranking_loss", draw(3, 1), draw(1, 4), signs(3, 4), reduction=reduction)


@reductions
@pytest.mark.parametrize("p", [1, 2])
def test_margins_of_classes(p: int, reduction: str) -> None:
    weight = torch.rand(4, dtype=torch.float64)
    arguments = {"p": p, "margin": 0.6, "reduction": reduction, "second": False}
    for factors in (None, weight):
        check("multi_margin_loss", draw(3, 4), torch.tensor([1, 3, 0]), weight=factors, **arguments)
        check("multi_margin_loss", draw(4), torch.tensor(1), weight=factors, **arguments)
        check("multi_margin_loss", draw(4), torch.tensor([1]), weight=factors, **arguments)


@reductions
def test_margins_of_several_classes(reduction: str) -> None:
    targets = torch.tensor([[3, 0, -1, 1], [0, -1, 1, 1], [1, 2, 3, 0], [-1, 0, 1, 2]])
    check("multilabel_margin_loss", draw(4, 4), targets, reduction=reduction, second=False)
    check("multilabel_margin_loss", draw(4), targets[0], reduction=reduction, second=False)


@reductions
@pytest.mark.parametrize("swap", [False, True])
def test_margins_of_distances(swap: bool, reduction: str) -> None:
    triplet = [draw(4, 3) for _ in range(3)]
    check("triplet_margin_loss", *triplet, swap=swap, reduction=reduction)
    check("triplet_margin_loss", *triplet, p=3, margin=0.5, swap=swap, reduction=reduction)
    check("triplet_margin_with_distance_loss", *triplet, swap=swap, reduction=reduction)
    target = torch.tensor([1, -1, 1, -1])
    check("cosine_embedding_loss", draw(4, 3), draw(4, 3), target, margin=0.1, reduction=reduction)
    check("cosine_embedding_loss", draw(3), draw(3), torch.tensor(-1), margin=-1.0, reduction=reduction)


def test_any_distance_can_be_used() -> None:
    anchor, positive, negative = (zerograd.tensor([one]) for one in (1.0, 3.0, 4.0))
    loss = F.triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=lambda x, y: (x - y).abs(), margin=2.0
    )
    assert loss.item() == 1.0


# --- alignments ----------------------------------------------------------------------------------------------


@reductions
@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_alignments(blank: int, zero_infinity: bool, reduction: str) -> None:
    scores = torch.randn(10, 3, 4, dtype=torch.float64).log_softmax(2).requires_grad_()
    labels = torch.randint(0, 3, (3, 4))
    labels[labels >= blank] += 1
    labels[0, 1] = labels[0, 0]
    arguments = {"blank": blank, "reduction": reduction, "zero_infinity": zero_infinity, "second": False}
    for times, lengths in (((10, 8, 9), (4, 3, 2)), ((10, 10, 10), (0, 1, 4)), ((3, 8, 9), (4, 3, 2))):
        check("ctc_loss", scores, labels, torch.tensor(times), torch.tensor(lengths), **arguments)
        in_one_line = torch.cat([row[:n] for row, n in zip(labels, lengths, strict=True)])
        check("ctc_loss", scores, in_one_line, times, lengths, **arguments)
    one = scores[:, 0].detach().requires_grad_()
    check("ctc_loss", one, labels[0, :3], torch.tensor(9), torch.tensor(3), **arguments)


# --- arguments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size_average", "reduce"), [(True, None), (False, None), (None, False), (True, False)])
def test_deprecated_arguments_warn_and_work(size_average: Any, reduce: Any) -> None:
    x, y = torch.randn(3, 4), torch.randn(3, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = torch.nn.functional.mse_loss(x, y, size_average, reduce)
    with pytest.warns(UserWarning, match="reduction="):
        found = F.mse_loss(*ours([x, y], []), size_average, reduce)
    assert zerograd.allclose(found, ours(expected, []))


def test_a_target_of_another_size_warns() -> None:
    with pytest.warns(UserWarning, match="size"):
        F.mse_loss(zerograd.ones(3, 1), zerograd.ones(3))


def test_a_mean_divergence_warns() -> None:
    with pytest.warns(UserWarning, match="batchmean"):
        F.kl_div(zerograd.zeros(2, 2), zerograd.ones(2, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        F.kl_div(zerograd.zeros(2, 2), zerograd.ones(2, 2), reduction="batchmean")


def test_grad_fn_is_named_as_pytorch_names_it() -> None:
    x, y = zerograd.zeros(2, 3, requires_grad=True), zerograd.tensor([0, 1])
    assert F.cross_entropy(x, y).grad_fn.name() == "NllLossBackward0"
    assert F.mse_loss(x, zerograd.ones(2, 3)).grad_fn.name() == "MseLossBackward0"
    assert F.l1_loss(x, zerograd.ones(2, 3)).grad_fn.name() == "MeanBackward0"
    logits = F.binary_cross_entropy_with_logits(x, zerograd.ones(2, 3))
    assert logits.grad_fn.name() == "BinaryCrossEntropyWithLogitsBackward0"


def test_a_class_out_of_range_is_found_where_it_is_computed() -> None:
    """Pending class numbers are checked by the program that uses them."""
    target = zerograd.ones(2, dtype=zerograd.int64) * 7
    with pytest.raises(IndexError, match="7"):
        F.cross_entropy(zerograd.zeros(2, 3), target + 0).item()

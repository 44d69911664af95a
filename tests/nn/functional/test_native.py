"""The functions that torch itself has: other arguments, the same meaning; and that all functions exist."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from nn.functional.against_torch import chances, draw, leaves, ours, same

import zerograd

F = torch.nn.functional
# Parts of PyTorch's own workings, and products of scaled 8-bit numbers, which need a GPU.
NOT_OURS = {
    "assert_int_or_pair", "boolean_dispatch", "handle_torch_function", "has_torch_function",
    "has_torch_function_unary", "has_torch_function_variadic", "grouped_mm", "scaled_grouped_mm", "scaled_mm",
}  # fmt: skip


def public() -> list[str]:
    names = [name for name in dir(F) if not name.startswith("_") and name[0].islower()]
    return [name for name in names if callable(getattr(F, name)) and name not in NOT_OURS]


def test_every_function_exists() -> None:
    missing = [name for name in public() if not hasattr(zerograd.nn.functional, name)]
    modules = {name for name in missing if inspect.ismodule(getattr(F, name))}
    assert set(missing) - modules == set()


@pytest.mark.parametrize("name", public())
def test_signatures_are_pytorchs(name: str) -> None:
    try:
        theirs = inspect.signature(getattr(F, name)).parameters.values()
    except ValueError:  # written in C++
        return
    if [one.name for one in theirs] == ["args", "kwargs"]:
        theirs = inspect.signature(getattr(F, f"{name}_with_indices")).parameters.values()
    mine = inspect.signature(getattr(zerograd.nn.functional, name)).parameters.values()
    plain = (bool, int, float, str, type(None))
    assert [one.name for one in mine] == [one.name for one in theirs]
    assert [one.kind for one in mine] == [one.kind for one in theirs]
    for a, b in zip(mine, theirs, strict=True):
        if isinstance(b.default, plain):
            assert a.default == b.default, a.name


X = [1, 0, 2]
CALLS: list[tuple[str, Any]] = [
    ("adaptive_max_pool1d", lambda: (draw(2, 6), 3)),
    ("alpha_dropout", lambda: (draw(20), 0.5, True)),
    ("batch_norm", lambda: (draw(4, 3), draw(3), draw(3), None, None, True, 0.1, 1e-5, True)),
    ("binary_cross_entropy_with_logits", lambda: (draw(3), chances(3).detach(), None, None, 2)),
    ("celu", lambda: (draw(4), 0.5)),
    ("constant_pad_nd", lambda: (draw(2, 3), [1, 2], 0.5)),
    ("convolution", lambda: (draw(1, 2, 5), draw(3, 2, 2), None, [1], [1], [2], False, [0], 1)),
    ("convolution", lambda: (draw(1, 2, 5, 4), draw(2, 3, 2, 2), draw(3), [2, 1], [1, 0], [1, 1], True, [1, 0], 1)),
    ("cosine_embedding_loss", lambda: (draw(3, 2), draw(3, 2), torch.tensor([1, -1, 1]), 0.1, 0)),
    (
        "ctc_loss",
        lambda: (draw(5, 1, 3).log_softmax(2).detach().requires_grad_(), torch.tensor([[1, 2]]), [5], [2], 0, 1, False),
    ),
    ("dropout", lambda: (draw(20), 0.5, True)),
    ("embedding", lambda: (draw(4, 2), torch.tensor(X), 1)),
    ("feature_alpha_dropout", lambda: (draw(4, 5, 2), 0.5, True)),
    ("feature_dropout", lambda: (draw(4, 5, 2), 0.5, True)),
    ("affine_grid_generator", lambda: (draw(1, 2, 3), [1, 1, 3, 4], False)),
    ("grid_sampler", lambda: (draw(1, 1, 3, 4), draw(1, 2, 2, 2), 0, 1, True)),
    ("grid_sampler_2d", lambda: (draw(1, 1, 3, 4), draw(1, 2, 2, 2), 2, 2, False)),
    ("grid_sampler_3d", lambda: (draw(1, 1, 3, 4, 2), draw(1, 2, 2, 2, 3), 0, 0, False)),
    ("group_norm", lambda: (draw(2, 4, 3), 2, draw(4), draw(4), 1e-3, True)),
    ("hinge_embedding_loss", lambda: (draw(3), torch.tensor([1.0, -1, 1], dtype=torch.float64), 0.5, 0)),
    ("instance_norm", lambda: (draw(2, 3, 4), None, None, None, None, True, 0.1, 1e-5, False)),
    ("kl_div", lambda: (draw(3, 2), chances(3, 2).detach(), 1)),
    ("layer_norm", lambda: (draw(4, 3), [3], draw(3), None, 1e-3, False)),
    ("margin_ranking_loss", lambda: (draw(3), draw(3), torch.ones(3, dtype=torch.float64), 0.5, 2)),
    ("max_pool1d", lambda: (draw(2, 6), 2, [], 1)),
    ("max_pool1d_with_indices", lambda: (draw(2, 6), 2)),
    ("max_pool2d", lambda: (draw(2, 6, 6), 2)),
    ("max_pool3d", lambda: (draw(2, 4, 4, 4), 2)),
    ("native_batch_norm", lambda: (draw(4, 3), draw(3), draw(3), None, None, True, 0.1, 1e-5)),
    ("native_group_norm", lambda: (draw(2, 4, 3), draw(4), None, 2, 4, 3, 2, 1e-5)),
    ("native_layer_norm", lambda: (draw(4, 3), [3], draw(3), draw(3), 1e-5)),
    ("poisson_nll_loss", lambda: (draw(3), chances(3).detach(), True, False, 1e-8, 1)),
    ("rms_norm", lambda: (draw(4, 3), [3], draw(3))),
    ("rrelu", lambda: (draw(10), 0.1, 0.4, True)),
    ("selu", lambda: (draw(4),)),
    ("threshold", lambda: (draw(4), 0.2, 7.0)),
    ("triplet_margin_loss", lambda: (draw(3, 2), draw(3, 2), draw(3, 2), 1.0, 2.0, 1e-6, True, 2)),
]


@pytest.mark.filterwarnings("ignore:kl_div")
@pytest.mark.parametrize(("name", "arguments"), CALLS)
def test_torch_has_them_with_its_own_arguments(name: str, arguments: Any) -> None:
    torch.manual_seed(1)
    args = arguments()
    pairs: list[tuple[Any, Any]] = []
    copies = ours(args, pairs)
    zerograd.manual_seed(2)
    mine = list(leaves(getattr(zerograd, name)(*copies)))
    torch.manual_seed(2)
    theirs = list(leaves(getattr(torch, name)(*args)))
    for a, b in zip(theirs, mine, strict=True):
        same(a, b, 1e-8, name)
    theirs[0].sum().backward()
    mine[0].sum().backward()
    for a, b in pairs:
        if a.requires_grad:
            same(a.grad, b.grad, 1e-7, name)


def test_native_dropout_gives_its_mask() -> None:
    x = zerograd.ones(50)
    out, mask = zerograd.native_dropout(x, 0.5, True)
    assert mask.dtype is zerograd.bool
    assert (out == mask * 2.0).all()
    assert 5 < mask.sum().item() < 45


def test_embedding_renorm_changes_rows_in_place() -> None:
    table = zerograd.ones(3, 4)
    zerograd.embedding_renorm_(table, zerograd.tensor([0, 2]), 1.0, 2.0)
    assert table.norm(dim=1).tolist() == pytest.approx([1.0, 2.0, 1.0], abs=1e-5)

"""Wrong calls raise PyTorch's type of error, in words of our own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from nn.functional.against_torch import called, draw, ours, outcome, refuses

import zerograd

Call = tuple[str, tuple[Any, ...], dict[str, Any]]


def call(name: str, *args: Any, **kwargs: Any) -> Call:
    return name, args, kwargs


def ints(*values: Any) -> Any:
    return torch.tensor(values)


r = torch.randn

CONVOLUTIONS = [
    call("conv2d", r(3, 4), r(2, 3, 3, 3)),
    call("conv2d", r(1, 3, 4, 4), r(2, 3, 3)),
    call("conv2d", r(1, 4, 4, 4), r(2, 3, 3, 3)),
    call("conv2d", r(1, 4, 4, 4), r(2, 4, 5, 3)),
    call("conv2d", r(1, 4, 4, 4), r(2, 4, 3, 3), r(3)),
    call("conv2d", r(1, 4, 4, 4), r(2, 4, 3, 3).double()),
    call("conv2d", r(1, 4, 4, 4), r(2, 4, 3, 3), r(2).double()),
    call("conv2d", r(1, 4, 4, 4), r(2, 4, 3, 3), stride=0),
    call("conv2d", r(1, 4, 4, 4), r(2, 4, 3, 3), stride=(1, 2, 3)),
    call("conv2d", r(1, 4, 4, 4), r(2, 4, 3, 3), stride=1.5),
    call("conv2d", r(1, 4, 4, 4), r(2, 4, 3, 3), padding=-1),
    call("conv2d", r(1, 4, 4, 4), r(2, 4, 3, 3), padding="same", stride=2),
    call("conv2d", r(1, 4, 4, 4), r(2, 4, 3, 3), padding="around"),
    call("conv2d", r(1, 4, 4, 4), r(2, 4, 3, 3), dilation=0),
    call("conv2d", r(1, 4, 4, 4), r(2, 4, 3, 3), groups=3),
    call("conv2d", r(1, 4, 4, 4), r(3, 2, 3, 3), groups=2),
    call("conv2d", r(1, 4, 0, 4), r(2, 4, 3, 3)),
    call("conv_transpose2d", r(1, 4, 4, 4), r(4, 2, 3, 3), output_padding=1),
    call("conv_transpose2d", r(1, 3, 4, 4), r(4, 2, 3, 3)),
    call("conv_transpose2d", r(1, 4, 1, 1), r(4, 2, 3, 3), padding=3),
    call("conv_transpose2d", r(1, 4, 4, 4), r(4, 2, 3, 3), r(3)),
    call("unfold", r(5, 5), 3),
    call("unfold", r(2, 3, 5, 5), 7),
    call("unfold", r(2, 3, 5, 5), (3, 3, 3)),
    call("fold", r(2, 27, 8), (5, 5), 3),
    call("fold", r(2, 26, 9), (5, 5), 3),
    call("bilinear", r(2, 3), r(2, 5), r(5, 3, 4)),
    call("bilinear", r(2, 3), r(3, 4), r(5, 3, 4)),
    call("bilinear", r(2, 3), r(2, 4), r(5, 3, 4), r(6)),
]
POOLING = [
    call("max_pool2d", r(3, 4), 2),
    call("max_pool2d", r(1, 3, 4, 4), 2, padding=2),
    call("max_pool2d", r(1, 3, 4, 4), 5),
    call("max_pool2d", r(1, 3, 4, 4), 2, stride=0),
    call("max_pool2d", r(1, 3, 4, 4), (2, 2, 2)),
    call("max_pool2d", torch.ones(1, 3, 4, 4, dtype=torch.bool), 2),
    call("max_pool1d", r(3), 2),
    call("max_pool3d", r(4, 4, 4), 2),
    call("avg_pool1d", r(4), 2),
    call("avg_pool2d", r(1, 3, 4, 4), 2, padding=2),
    call("avg_pool2d", r(1, 3, 4, 4), 2, divisor_override=0),
    call("adaptive_avg_pool2d", r(3, 4), 2),
    call("adaptive_avg_pool2d", r(1, 3, 4, 4), (2, 2, 2)),
    call("adaptive_max_pool2d", r(3, 4), 2),
    call("fractional_max_pool2d", r(1, 3, 4, 4), 2),
    call("fractional_max_pool2d", r(1, 3, 4, 4), 2, output_size=4),
    call("max_unpool2d", r(1, 1, 2, 2), ints(20, 1, 2, 3).reshape(1, 1, 2, 2), 2),
    call("max_unpool2d", r(1, 1, 2, 2), ints(0, 1, 2, 3).reshape(1, 1, 4), 2),
    call("max_unpool2d", r(1, 1, 2, 2), ints(0, 1, 2, 3).reshape(1, 1, 2, 2).int(), 2),
    call("max_unpool2d", r(1, 1, 2, 2), ints(0, 1, 2, 3).reshape(1, 1, 2, 2), 2, output_size=(9, 9)),
]
ACTIVATIONS = [
    call("celu", r(3), 0),
    call("gelu", r(3), approximate="rough"),
    call("hardtanh", r(3), 2, 1),
    call("softshrink", r(3), -1.0),
    call("rrelu", r(3), 0.5, 0.2, training=True),
    call("prelu", r(2, 3), r(4)),
    call("prelu", r(2, 3), r(2, 3)),
    call("glu", r(3)),
    call("glu", torch.tensor(3.0)),
    call("softmax", r(3, 3), dim=5),
    call("dropout", r(3), 1.5),
    call("dropout", r(3), -0.5),
    call("dropout", torch.ones(3, dtype=torch.int32), 0.5),
    call("dropout1d", r(3)),
    call("dropout1d", r(2, 3, 4, 2)),
    call("dropout2d", r(3)),
    call("alpha_dropout", r(3), -1.0, True),
    call("feature_alpha_dropout", r(2), 0.5, True),
]
NORMALIZATION = [
    call("batch_norm", r(4, 3), None, None),
    call("batch_norm", r(1, 3), None, None, training=True),
    call("batch_norm", r(4, 3), torch.zeros(2), torch.ones(2)),
    call("batch_norm", r(4, 3), None, None, r(3), r(2), training=True),
    call("batch_norm", torch.ones(4, 3, dtype=torch.int32), None, None, training=True),
    call("layer_norm", r(4, 3), 3),
    call("layer_norm", r(4, 3), (4,)),
    call("layer_norm", r(4, 3), (3,), r(4)),
    call("layer_norm", r(4, 3), ()),
    call("group_norm", r(4, 6), 4),
    call("group_norm", r(4, 6), 2, r(5), r(6)),
    call("group_norm", r(6), 2),
    call("group_norm", r(1, 6), 6),
    call("instance_norm", r(2, 3, 4), use_input_stats=False),
    call("instance_norm", r(2, 3, 1)),
    call("rms_norm", r(4, 3), (4,)),
    call("local_response_norm", r(2, 4), 2),
    call("normalize", r(4)),
]
VISION = [
    call("pad", r(2, 3), (1,)),
    call("pad", r(2, 3), (1, 2, 3, 4, 5, 6)),
    call("pad", r(2, 3), (-2, -2)),
    call("pad", r(2, 3), (1, 1), "around"),
    call("pad", r(2, 3), (1, 1), "reflect", 1.0),
    call("pad", r(2, 3), (3, 3), "reflect"),
    call("pad", r(2, 3, 4, 5), (1, 1), "reflect"),
    call("pad", r(2, 3, 4), (-3, -1), "replicate"),
    call("pad", r(2, 3, 4), (5, 1), "circular"),
    call("pad", r(3), (1, 1), "replicate"),
    call("pad", r(2, 3), (1.5, 1)),
    call("pad", r(2, 3), 3),
    call("interpolate", r(2, 3, 4)),
    call("interpolate", r(2, 3, 4), size=3, scale_factor=2),
    call("interpolate", r(2, 3, 4), size=(3, 4)),
    call("interpolate", r(2, 3, 4), scale_factor=(2, 2)),
    call("interpolate", r(2, 3, 4), size=3, mode="bilinear"),
    call("interpolate", r(2, 3, 4, 5), size=3, mode="nearest", antialias=True),
    call("interpolate", r(2, 3, 4, 5), size=3, mode="nearest", align_corners=True),
    call("interpolate", r(2, 3, 4, 5), size=3, mode="finest"),
    call("interpolate", r(2, 3), size=3),
    call("interpolate", r(2, 3, 4, 5), size=3, recompute_scale_factor=True),
    call("interpolate", r(2, 3, 4, 5), size=0),
    call("interpolate", r(2, 3, 4, 5), size=2.5),
    call("interpolate", r(2, 3, 4, 5), scale_factor=0.1),
    call("interpolate", torch.ones(2, 3, 4, 5, dtype=torch.int32), size=3, mode="bilinear"),
    call("grid_sample", r(2, 3, 4, 5), r(2, 3, 3, 2), mode="finest"),
    call("grid_sample", r(2, 3, 4, 5), r(2, 3, 3, 2), padding_mode="around"),
    call("grid_sample", r(2, 3, 4, 5), r(2, 3, 3, 3), align_corners=False),
    call("grid_sample", r(2, 3, 4, 5), r(3, 3, 3, 2), align_corners=False),
    call("grid_sample", r(2, 3, 0, 4), r(2, 3, 3, 2), align_corners=False),
    call("grid_sample", r(2, 3, 4, 5), r(2, 3, 3, 2).double(), align_corners=False),
    call("affine_grid", r(2, 3, 4), (2, 3, 4, 5), align_corners=True),
    call("affine_grid", r(2, 2, 3), (2, 3, 4), align_corners=True),
    call("affine_grid", r(2, 2, 3), (2, 3, 4, -1), align_corners=True),
    call("pixel_shuffle", r(2, 9, 3, 3), 2),
    call("pixel_shuffle", r(3, 3), 2),
    call("pixel_unshuffle", r(2, 2, 4, 3), 2),
    call("channel_shuffle", r(2, 5, 3), 2),
    call("channel_shuffle", r(2, 5), 2),
]
TABLES = [
    call("embedding", ints(1, 5), r(5, 3)),
    call("embedding", ints(1, -1), r(5, 3)),
    call("embedding", ints(1.0, 2), r(5, 3)),
    call("embedding", ints(1, 2), r(5)),
    call("embedding", ints(1, 2), r(5, 3), padding_idx=7),
    call("embedding_bag", ints(1, 2), r(5, 3)),
    call("embedding_bag", ints([1, 2]), r(5, 3), ints(0)),
    call("embedding_bag", ints([[1, 2]]), r(5, 3)),
    call("embedding_bag", ints(1, 2), r(5, 3), ints(1)),
    call("embedding_bag", ints(1, 2), r(5, 3), ints(0, 3)),
    call("embedding_bag", ints(1, 2), r(5, 3), ints(0), mode="most"),
    call("embedding_bag", ints(1, 2), r(5, 3), ints(0), mode="mean", per_sample_weights=r(2)),
    call("embedding_bag", ints(1, 2), r(5, 3), ints(0), mode="sum", per_sample_weights=r(3)),
    call("embedding_bag", ints(1, 2), r(5, 3), ints(0), mode="max", scale_grad_by_freq=True),
    call("embedding_bag", ints(1, 7), r(5, 3), ints(0), mode="max"),
    call("one_hot", ints(1, 2), 2),
    call("one_hot", ints(1, -2), 2),
    call("one_hot", ints(1, 2).int()),
    call("one_hot", torch.zeros(0, dtype=torch.int64)),
    call("cosine_similarity", r(3, 4), r(3, 5)),
    call("cosine_similarity", r(3, 4), r(3, 4), dim=3),
    call("pairwise_distance", r(3, 4), r(3, 5)),
    call("pdist", r(3, 4), -1),
    call("pdist", r(3)),
    call("cdist", r(3, 4), r(2, 3)),
    call("cdist", r(3), r(2, 3)),
    call("cdist", r(3, 4), r(2, 4), compute_mode="fast"),
]
LOSSES = [
    call("mse_loss", r(3, 4), r(3, 5)),
    call("mse_loss", r(3, 4), r(3, 4), weight=r(4)),
    call("mse_loss", r(3, 4), r(3, 4), reduction="most"),
    call("mse_loss", ints(1, 2), ints(1, 2)),
    call("smooth_l1_loss", r(3, 4), r(3, 4), beta=-1),
    call("huber_loss", r(3, 4), r(3, 4), delta=0),
    call("binary_cross_entropy", torch.rand(3, 4), torch.rand(4)),
    call("binary_cross_entropy", torch.rand(3, 4) + 1, torch.rand(3, 4)),
    call("binary_cross_entropy", torch.rand(3), ints(1, 0, 1)),
    call("binary_cross_entropy_with_logits", r(3, 4), torch.rand(4)),
    call("binary_cross_entropy_with_logits", r(3), ints(1, 0, 1)),
    call("nll_loss", r(3, 4), ints(1, 2, 4)),
    call("nll_loss", r(3, 4), ints(1, 2)),
    call("nll_loss", r(4), ints(2, 1)),
    call("nll_loss", r(3, 4), ints(1, 2, 3), weight=r(3)),
    call("nll_loss", r(3, 4), ints(1.0, 2, 3)),
    call("nll_loss", r(3, 4), ints(1, 2, 3).int()),
    call("nll_loss", r(3, 4, 5), torch.ones(3, 4, dtype=torch.int64)),
    call("nll_loss", r(3, 4, 5, 6), torch.ones(3, 5, 7, dtype=torch.int64)),
    call("cross_entropy", r(3, 4), ints(1, 2, 4)),
    call("cross_entropy", r(3, 4), ints(1, 2, -1)),
    call("cross_entropy", r(3, 4), ints(1, 2)),
    call("cross_entropy", r(3, 4), ints([1], [2], [3])),
    call("cross_entropy", r(3, 4), torch.rand(3, 5)),
    call("cross_entropy", r(3, 4), torch.rand(3)),
    call("cross_entropy", r(3, 4), ints(1, 2, 3), label_smoothing=1.1),
    call("cross_entropy", r(3, 4), ints(1, 2, 3), weight=r(3)),
    call("cross_entropy", r(3, 4), torch.rand(3, 4), ignore_index=2),
    call("poisson_nll_loss", r(3), torch.rand(3), reduction="most"),
    call("gaussian_nll_loss", r(3, 4), r(3, 4), torch.rand(2)),
    call("gaussian_nll_loss", r(3, 4), r(3, 4), -torch.rand(3)),
    call("gaussian_nll_loss", r(3, 4), r(3, 4), -2.0),
    call("hinge_embedding_loss", r(3, 4), torch.ones(3, 5)),
    call("margin_ranking_loss", r(3), r(3, 3), torch.ones(3)),
    call("multi_margin_loss", r(3, 4), ints(1, 2, 3), p=3),
    call("multi_margin_loss", r(3, 4), ints(1, 2, 4)),
    call("multi_margin_loss", r(3, 4), ints(1, 2)),
    call("multilabel_margin_loss", r(2, 4), ints([3, 0, -1, 4], [0, -1, 1, 1])),
    call("multilabel_margin_loss", r(2, 4), ints([3, 0, -1, 1])),
    call("cosine_embedding_loss", r(3, 4), r(3, 4), torch.tensor(1)),
    call("cosine_embedding_loss", r(3, 4), r(3, 4), torch.ones(3, 4)),
    call("cosine_embedding_loss", r(3, 4), r(3, 4), torch.ones(2)),
    call("triplet_margin_loss", r(3, 4), r(3, 4), r(4)),
    call("triplet_margin_loss", r(3, 4), r(3, 4), r(3, 4), margin=-1),
    call("triplet_margin_with_distance_loss", r(3, 4), r(3, 4), r(3, 4), margin=-1),
    call("ctc_loss", r(5, 2, 4), ints([1, 2], [2, 3]), ints(6, 5), ints(2, 2)),
    call("ctc_loss", r(5, 2, 4), ints([1, 2], [2, 3]), ints(5, 5), ints(3, 2)),
    call("ctc_loss", r(5, 2, 4), ints([1, 2], [2, 3]), ints(5, 5, 5), ints(3, 2)),
    call("ctc_loss", r(5, 2, 4), ints([1, 2], [2, 3]), ints(5, 5), ints(2, 2), blank=4),
    call("ctc_loss", r(5, 2, 4), ints([1, 2], [2, 3]), ints(5.0, 5), ints(2, 2)),
]
CALLS = [*CONVOLUTIONS, *POOLING, *ACTIVATIONS, *NORMALIZATION, *VISION, *TABLES, *LOSSES]


@pytest.mark.parametrize("wrong", CALLS, ids=[f"{one[0]}-{i}" for i, one in enumerate(CALLS)])
def test_wrong_calls_raise_pytorchs_error(wrong: Call) -> None:
    name, args, kwargs = wrong
    refuses(name, *args, **kwargs)


@pytest.mark.parametrize("wrong", CALLS, ids=[f"{one[0]}-{i}" for i, one in enumerate(CALLS)])
def test_messages_say_it_in_our_own_words(wrong: Call) -> None:
    name, args, kwargs = wrong
    messages = []
    for library, given, named in (
        (torch, args, kwargs),
        (zerograd, ours(args, []), {key: ours(one, []) for key, one in kwargs.items()}),
    ):
        with pytest.raises(Exception) as caught:  # noqa: PT011  any: their types are compared above
            called(library, name, given, named)
        messages.append(str(caught.value).splitlines()[0])
    assert messages[1]
    assert messages[0] != messages[1]


def test_the_table_would_find_a_call_that_is_accepted() -> None:
    assert outcome(zerograd, "relu", ours((draw(3),), []), {}) == "no error"
    with pytest.raises(AssertionError):
        refuses("relu", draw(3))

"""The functions that torch itself has under names of torch.nn.functional, with other arguments.

They are what PyTorch's dispatcher calls: numbers in place of names (``reduction`` 0 none, 1 mean, 2 sum), another
order, more results.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.ir.graph import Node, TensorType
from zerograd.nn import functional as F
from zerograd.nn.functional.dropout import drop_channels
from zerograd.nn.functional.embedding import limit_norms
from zerograd.nn.functional.normalization import group_norm_nodes, layer_norm_nodes, standardized
from zerograd.ops.elementwise import stop
from zerograd.ops.movement import reshape
from zerograd.runtime import random
from zerograd.shapes import Shape
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply, labelled, reading
from zerograd.tensor.functions.arithmetic import mul

REDUCTIONS = ("none", "mean", "sum")


def _named(reduction: int) -> str:
    if reduction not in (0, 1, 2):
        raise errors.runtime(f"reduction must be 0 (none), 1 (mean) or 2 (sum), got {reduction}")
    return REDUCTIONS[reduction]


# --- losses ----------------------------------------------------------------------------------------------


def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, pos_weight: Any = None, reduction: int = 1
) -> Any:
    """Source: torch.binary_cross_entropy_with_logits."""
    return F.binary_cross_entropy_with_logits(input, target, weight, reduction=_named(reduction), pos_weight=pos_weight)


def cosine_embedding_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: int = 1) -> Any:
    """Source: torch.cosine_embedding_loss."""
    return F.cosine_embedding_loss(input1, input2, target, margin, reduction=_named(reduction))


def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: int = 1,
    zero_infinity: bool = False,
) -> Any:
    """Source: torch.ctc_loss."""
    how = _named(reduction)
    return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, how, zero_infinity)


def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0, reduction: int = 1) -> Any:
    """Source: torch.hinge_embedding_loss."""
    return F.hinge_embedding_loss(input, target, margin, reduction=_named(reduction))


def kl_div(input: Any, target: Any, reduction: int = 1, *, log_target: bool = False) -> Any:
    """Source: torch.kl_div."""
    how = _named(reduction)
    total = F.kl_div(input, target, reduction="none" if how == "none" else "sum", log_target=log_target)
    return total / max(input.numel(), 1) if how == "mean" else total


def margin_ranking_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: int = 1) -> Any:
    """Source: torch.margin_ranking_loss."""
    return F.margin_ranking_loss(input1, input2, target, margin, reduction=_named(reduction))


def poisson_nll_loss(input: Any, target: Any, log_input: bool, full: bool, eps: float, reduction: int) -> Any:
    """Source: torch.poisson_nll_loss."""
    return F.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=_named(reduction))


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: int = 1,
) -> Any:
    """Source: torch.triplet_margin_loss."""
    how = _named(reduction)
    return F.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction=how)


# --- dropout ---------------------------------------------------------------------------------------------


def dropout(input: Any, p: float, train: bool) -> Any:
    """Source: torch.dropout."""
    return F.dropout(input, p, train)


def feature_dropout(input: Any, p: float, train: bool) -> Any:
    """Whole channels, the second dimension, dropped. Source: torch.feature_dropout."""
    return drop_channels("feature_dropout", input, p, train, False)


def alpha_dropout(input: Any, p: float, train: bool) -> Any:
    """Source: torch.alpha_dropout."""
    return F.alpha_dropout(input, p, train)


def feature_alpha_dropout(input: Any, p: float, train: bool) -> Any:
    """Source: torch.feature_alpha_dropout."""
    return F.feature_alpha_dropout(input, p, train)


def dropout_(input: Any, p: float, train: bool) -> Any:
    """Source: torch.dropout_."""
    return F.dropout(input, p, train, inplace=True)


def feature_dropout_(input: Any, p: float, train: bool) -> Any:
    """Source: torch.feature_dropout_."""
    return drop_channels("feature_dropout", input, p, train, True)


def alpha_dropout_(input: Any, p: float, train: bool) -> Any:
    """Source: torch.alpha_dropout_."""
    return F.alpha_dropout(input, p, train, inplace=True)


def feature_alpha_dropout_(input: Any, p: float, train: bool) -> Any:
    """Source: torch.feature_alpha_dropout_."""
    return F.feature_alpha_dropout(input, p, train, inplace=True)


def native_dropout(input: Any, p: float, train: bool | None) -> tuple[Any, Any]:
    """``dropout`` and its mask, True where elements are kept. Source: torch.native_dropout."""
    shape = input._shape
    if train is False or p == 0:
        kept = np.ones(shape, np.bool_)
    else:
        kind = input.dtype
        kept = random.drawn(lambda: random.bernoulli(None, shape, kind, 1 - p).astype(np.bool_))
    mask = TensorBase.of_array(kept, TensorType(shape, dtypes.bool_))
    scale = 0.0 if p == 1 else 1.0 / (1.0 - p)
    return mul(mul(input, mask), 1.0 if train is False else scale), mask


# --- activations -----------------------------------------------------------------------------------------


def selu(input: Any) -> Any:
    """Source: torch.selu."""
    return F.selu(input)


def celu(input: Any, alpha: float = 1.0) -> Any:
    """Source: torch.celu."""
    return F.celu(input, alpha)


def rrelu(
    input: Any, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, generator: Any = None
) -> Any:
    """Source: torch.rrelu."""
    if generator is not None:
        raise errors.runtime("rrelu draws from the default generator only")
    return F.rrelu(input, lower, upper, training)


def threshold(input: Any, threshold: float, value: float) -> Any:
    """Source: torch.threshold."""
    return F.threshold(input, threshold, value)


# --- pooling ---------------------------------------------------------------------------------------------


def max_pool1d(
    input: Any, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Any:
    """Source: torch.max_pool1d."""
    return F.max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(
    input: Any, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Any:
    """Source: torch.max_pool2d."""
    return F.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d(
    input: Any, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Any:
    """Source: torch.max_pool3d."""
    return F.max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool1d_with_indices(
    input: Any, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> tuple[Any, Any]:
    """Source: torch.max_pool1d_with_indices."""
    return F.max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def adaptive_max_pool1d(input: Any, output_size: Any) -> tuple[Any, Any]:
    """Source: torch.adaptive_max_pool1d."""
    return F.adaptive_max_pool1d(input, output_size, True)


# --- images ----------------------------------------------------------------------------------------------


def convolution(
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Any:
    """A convolution, or its transpose, of as many axes as ``stride`` has numbers. Source: torch.convolution."""
    rank = len(input._shape) - 2
    if transposed:
        transpose = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[rank - 1]
        return transpose(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return (F.conv1d, F.conv2d, F.conv3d)[rank - 1](input, weight, bias, stride, padding, dilation, groups)


def constant_pad_nd(input: Any, pad: Any, value: float = 0) -> Any:
    """Source: torch.constant_pad_nd."""
    return F.pad(input, pad, "constant", value)


def affine_grid_generator(theta: Any, size: Any, align_corners: bool) -> Any:
    """Source: torch.affine_grid_generator."""
    return F.affine_grid(theta, size, align_corners)


def grid_sampler(input: Any, grid: Any, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Any:
    """``grid_sample`` with modes 0 bilinear, 1 nearest, 2 bicubic; padding 0 zeros, 1 border, 2 reflection.

    Source: torch.grid_sampler.
    """
    mode = ("bilinear", "nearest", "bicubic")[interpolation_mode]
    return F.grid_sample(input, grid, mode, ("zeros", "border", "reflection")[padding_mode], align_corners)


def grid_sampler_2d(input: Any, grid: Any, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Any:
    """Source: torch.grid_sampler_2d."""
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


def grid_sampler_3d(input: Any, grid: Any, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Any:
    """Source: torch.grid_sampler_3d."""
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


# --- tables ----------------------------------------------------------------------------------------------


def embedding(
    weight: Any, indices: Any, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Any:
    """Source: torch.embedding."""
    padding = None if padding_idx < 0 else padding_idx
    return F.embedding(indices, weight, padding, None, 2.0, scale_grad_by_freq, sparse)


def embedding_renorm_(input: Any, indices: Any, max_norm: float, norm_type: float) -> Any:
    """Scales the named rows of ``input`` down to ``max_norm``, in place. Source: torch.embedding_renorm_."""
    limit_norms(input, indices, float(max_norm), float(norm_type))
    return input


# --- normalization ---------------------------------------------------------------------------------------


def batch_norm(
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Any:
    """Source: torch.batch_norm."""
    return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Any:
    """Source: torch.instance_norm."""
    return F.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def layer_norm(
    input: Any,
    normalized_shape: Any,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Any:
    """Source: torch.layer_norm."""
    return F.layer_norm(input, normalized_shape, weight, bias, eps)


def group_norm(
    input: Any,
    num_groups: int,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Any:
    """Source: torch.group_norm."""
    return F.group_norm(input, num_groups, weight, bias, eps)


@reading
@labelled("NativeLayerNormBackward0")
def _layer_norm(
    x: Node, weight: Node | None, bias: Node | None, features: Shape, eps: float
) -> tuple[Node, Node, Node]:
    out, mean, factor = layer_norm_nodes(x, weight, bias, features, eps)
    return out, stop(mean), stop(factor)


def native_layer_norm(input: Any, normalized_shape: Any, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """``layer_norm``, the means, and 1 / sqrt(variance + eps). Source: torch.native_layer_norm."""
    return apply(_layer_norm, (input, weight, bias), (tuple(normalized_shape), float(eps)))


@reading
@labelled("NativeGroupNormBackward0")
def _group_norm(x: Node, weight: Node | None, bias: Node | None, groups: int, eps: float) -> tuple[Node, Node, Node]:
    out, mean, factor = group_norm_nodes(x, weight, bias, groups, eps)
    return out, *(reshape(one, shape=one.shape[:2]) for one in (mean, factor))


def native_group_norm(
    input: Any, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple[Any, Any, Any]:
    """``group_norm``, the means and 1 / sqrt(variance + eps) of the groups. Source: torch.native_group_norm."""
    return apply(_group_norm, (input, weight, bias), (group, float(eps)))


@labelled("NativeBatchNormBackward0")
def _moments(x: Node, eps: float) -> tuple[Node, Node]:
    axes = tuple(i for i in range(x.rank) if i != 1)
    _, mean, _, factor = standardized(x, axes, eps)
    return stop(reshape(mean, shape=(x.shape[1],))), stop(reshape(factor, shape=(x.shape[1],)))


def native_batch_norm(
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Any, Any, Any]:
    """``batch_norm``, and the batch's means and 1 / sqrt(variance + eps), empty when evaluating.

    Source: torch.native_batch_norm.
    """
    out = F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    if training:
        return out, *apply(_moments, (input,), (float(eps),))
    empty = [TensorBase.of_array(np.zeros(0, input.dtype.numpy), TensorType((0,), input.dtype)) for _ in range(2)]
    return out, *empty

"""Folding a batch normalization in evaluation mode into the layer before it."""

from __future__ import annotations

import copy
from typing import TypeVar

from zerograd.nn.modules.module import Module
from zerograd.nn.parameter import Parameter
from zerograd.tensor.functions.creation import ones_like, zeros_like
from zerograd.tensor.tensor import Tensor

Layer = TypeVar("Layer", bound=Module)


def fuse_conv_bn_eval(conv: Layer, bn: Module, transpose: bool = False) -> Layer:
    """A copy of ``conv`` that computes ``bn(conv(x))``.

    Args:
        transpose: ``conv`` is a transposed convolution.
    Raises:
        AssertionError: one of them is in training mode, or ``bn`` has no running statistics.
    Source: torch.nn.utils.fuse_conv_bn_eval.
    """
    mean, variance = _statistics(conv, bn)
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, mean, variance, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of the convolution that includes the normalization.

    Source: torch.nn.utils.fuse_conv_bn_weights.
    """
    bias = zeros_like(bn_rm) if conv_b is None else conv_b
    scale = (ones_like(bn_rm) if bn_w is None else bn_w) * (bn_rv + bn_eps).rsqrt()
    shift = zeros_like(bn_rm) if bn_b is None else bn_b
    lead = (1, -1) if transpose else (-1, 1)
    weight = conv_w * scale.reshape(*lead, *(1,) * (conv_w.dim() - 2))
    return _parameters(weight, conv_w, (bias - bn_rm) * scale + shift, bias, conv_w if conv_b is None else conv_b)


def fuse_linear_bn_eval(linear: Layer, bn: Module) -> Layer:
    """A copy of ``linear`` that computes ``bn(linear(x))``.

    Raises:
        AssertionError: one of them is in training mode, their sizes differ, or ``bn`` has no running
            statistics.
    Source: torch.nn.utils.fuse_linear_bn_eval.
    """
    mean, variance = _statistics(linear, bn)
    if bn.num_features not in (linear.out_features, 1):
        raise AssertionError(
            f"to fuse them, {linear.out_features} features must meet as many (or 1) in the normalization,"
            f" which has {bn.num_features}"
        )
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        linear.weight, linear.bias, mean, variance, bn.eps, bn.weight, bn.bias
    )
    return fused


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor,
    bn_b: Tensor,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of the linear layer that includes the normalization.

    Source: torch.nn.utils.fuse_linear_bn_weights.
    """
    bias = zeros_like(bn_rm) if linear_b is None else linear_b
    scale = bn_w * (bn_rv + bn_eps).rsqrt()
    weight = linear_w * scale.unsqueeze(-1)
    kept = linear_w if linear_b is None else linear_b
    return _parameters(weight, linear_w, (bias - bn_rm) * scale + bn_b, bias, kept)


def _statistics(layer: Module, bn: Module) -> tuple[Tensor, Tensor]:
    if layer.training or bn.training:
        raise AssertionError("layers can be fused in evaluation mode only: call eval() on both first")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("a normalization without running statistics cannot be fused")
    return bn.running_mean, bn.running_var


def _parameters(
    weight: Tensor, old_weight: Tensor, bias: Tensor, old_bias: Tensor, typed: Tensor
) -> tuple[Parameter, Parameter]:
    return (
        Parameter(weight.to(old_weight.dtype), old_weight.requires_grad),
        Parameter(bias.to(typed.dtype), old_bias.requires_grad),
    )

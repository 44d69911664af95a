"""Memory formats of convolution weights; tensors have one memory format here, so these change nothing."""

from __future__ import annotations

from typing import TypeVar

from zerograd.nn.modules.module import Module

M = TypeVar("M", bound=Module)


def convert_conv2d_weight_memory_format(module: M, memory_format: object) -> M:
    """``module`` as it is. Source: torch.nn.utils.convert_conv2d_weight_memory_format."""
    return module


def convert_conv3d_weight_memory_format(module: M, memory_format: object) -> M:
    """``module`` as it is. Source: torch.nn.utils.convert_conv3d_weight_memory_format."""
    return module

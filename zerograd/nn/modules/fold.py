"""Sliding blocks: Fold, Unfold."""

from __future__ import annotations

from zerograd.nn import functional as F
from zerograd.nn.common_types import SizeAny
from zerograd.nn.modules.module import Module
from zerograd.tensor.tensor import Tensor


class Fold(Module):
    """Sums blocks (N, C k1 k2, blocks) into images (N, C, *output_size). Source: torch.nn.Fold."""

    __constants__ = ["output_size", "kernel_size", "dilation", "padding", "stride"]

    def __init__(
        self,
        output_size: SizeAny,
        kernel_size: SizeAny,
        dilation: SizeAny = 1,
        padding: SizeAny = 0,
        stride: SizeAny = 1,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size},"
            f" dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )


class Unfold(Module):
    """The blocks of images (N, C, H, W) as columns: (N, C k1 k2, blocks). Source: torch.nn.Unfold."""

    __constants__ = ["kernel_size", "dilation", "padding", "stride"]

    def __init__(
        self,
        kernel_size: SizeAny,
        dilation: SizeAny = 1,
        padding: SizeAny = 0,
        stride: SizeAny = 1,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"

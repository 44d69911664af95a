"""Trading channels for resolution: PixelShuffle, PixelUnshuffle."""

from __future__ import annotations

from zerograd.nn import functional as F
from zerograd.nn.modules.module import Module
from zerograd.tensor.tensor import Tensor


class PixelShuffle(Module):
    """(*, C r^2, H, W) to (*, C, H r, W r) with r = ``upscale_factor``. Source: torch.nn.PixelShuffle."""

    __constants__ = ["upscale_factor"]
    upscale_factor: int

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """(*, C, H r, W r) to (*, C r^2, H, W) with r = ``downscale_factor``. Source: torch.nn.PixelUnshuffle."""

    __constants__ = ["downscale_factor"]
    downscale_factor: int

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"

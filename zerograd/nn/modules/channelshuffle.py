"""ChannelShuffle."""

from __future__ import annotations

from zerograd.nn import functional as F
from zerograd.nn.modules.module import Module
from zerograd.tensor.tensor import Tensor


class ChannelShuffle(Module):
    """Interleaves ``groups`` groups of channels of (N, C, *). Source: torch.nn.ChannelShuffle."""

    __constants__ = ["groups"]
    groups: int

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"

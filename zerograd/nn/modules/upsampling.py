"""Changing the resolution: Upsample and its two old kinds."""

from __future__ import annotations

from typing import Any

from zerograd.nn import functional as F
from zerograd.nn.common_types import Ratio2, RatioAny, Size2, SizeAny
from zerograd.nn.modules.module import Module
from zerograd.tensor.tensor import Tensor


class Upsample(Module):
    """Resizes (N, C, *) to ``size`` or by ``scale_factor``.

    Args:
        mode: nearest, linear, bilinear, bicubic or trilinear.
        align_corners: whether the corner pixels keep their values, in the linear modes and bicubic.
        recompute_scale_factor: derive the factor again from the rounded size.
    Source: torch.nn.Upsample.
    """

    __constants__ = ["size", "scale_factor", "mode", "align_corners", "name", "recompute_scale_factor"]
    name: str
    size: SizeAny | None
    scale_factor: RatioAny | None
    mode: str
    align_corners: bool | None
    recompute_scale_factor: bool | None

    def __init__(
        self,
        size: SizeAny | None = None,
        scale_factor: RatioAny | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.name = type(self).__name__
        self.size = size
        if isinstance(scale_factor, tuple):
            self.scale_factor = tuple(float(factor) for factor in scale_factor)
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(
            input,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            recompute_scale_factor=self.recompute_scale_factor,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        state.setdefault("recompute_scale_factor", True)
        super().__setstate__(state)

    def extra_repr(self) -> str:
        given = "size" if self.scale_factor is None else "scale_factor"
        return f"{given}={getattr(self, given)!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Upsample with the nearest pixel. Source: torch.nn.UpsamplingNearest2d."""

    def __init__(self, size: Size2 | None = None, scale_factor: Ratio2 | None = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Upsample with bilinear weights and fixed corners. Source: torch.nn.UpsamplingBilinear2d."""

    def __init__(self, size: Size2 | None = None, scale_factor: Ratio2 | None = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)

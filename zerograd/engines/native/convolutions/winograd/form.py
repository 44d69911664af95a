"""What the kernels of products over tiles depend on."""

from __future__ import annotations

from zerograd.engines.native.products.tile import Tile
from zerograd.frozen import Frozen


class Form(Frozen):
    """What the text of a kernel depends on.

    Attributes:
        tile: of the registers: features by tiles, or for the gradient of the weights channels by features; its rows are
            those of large panels, small ones have one row less.
        small: whether there are small panels.
        type: of all operands.
    """

    __slots__ = ("small", "tile", "type")

    def __init__(self, tile: Tile, small: bool, type: str) -> None:
        self.tile, self.small, self.type = tile, small, type

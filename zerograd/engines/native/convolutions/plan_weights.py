"""The plan of a gradient of weights."""

from __future__ import annotations

from functools import cache

import numpy as np

from zerograd import dtypes
from zerograd.engines.native.convolutions import weight_gradient
from zerograd.engines.native.convolutions.blocks import UNITS, Blocks, Operand
from zerograd.engines.native.convolutions.geometry import Shape3
from zerograd.engines.native.convolutions.weights import Panels
from zerograd.engines.native.emit import size
from zerograd.engines.native.kernel import Access, Instruction, Kernel
from zerograd.engines.native.lower import Lowering
from zerograd.engines.native.products.tile import Tile, tile_for
from zerograd.engines.native.target import host

FEW_POSITIONS = 256  # packed at a time: with the features of a panel they take half of the first cache
SUMS = 256 << 10  # bytes of sums that a unit adds to again and again
PARTS = 4 << 20  # bytes of all parts
FEW_FEATURES = 2  # so many are multiplied by vectors of positions, with as many sums as there are registers for
MOST_DOTS = 12
MOST_ROWS = 8  # of a tile with one vector: each row takes a register for its address
RATE, CLOCK = 0.65, 2.5  # of the peak; cycles in a nanosecond


@cache
def _kernel(form: weight_gradient.Form) -> Kernel:
    return weight_gradient.weight_gradient_kernel(form)


@cache
def _gathering(tile: Tile, out: str) -> Kernel:
    return weight_gradient.gathering_kernel(tile, out)


def _tile(type: str, depth: int, features: int) -> tuple[Tile, Panels]:
    """The tile, k by features, and the panels of k."""
    largest = tile_for(host(), type)
    if features <= FEW_FEATURES:
        panels = Panels(depth, MOST_DOTS)
        return Tile(panels.rows, 1, 1, type, largest.fused), panels
    few = features <= largest.lanes
    panels = Panels(depth, max(MOST_ROWS, largest.rows) if few else largest.rows)
    return Tile(panels.rows, 1 if few else largest.vectors, largest.lanes, type, largest.fused), panels


def divisor(n: int, most: float) -> int:
    """The greatest divisor of ``n`` that is not above ``most``; at least 1."""
    return max((one for one in range(1, n + 1) if n % one == 0 and one <= most), default=1)


class WeightGradient:
    """The instructions of ``conv_weight``.

    Args:
        shape: of the forward convolution.
        x, y: its source, and the gradient of its target.
        w: the result.
    """

    def __init__(self, lowering: Lowering, shape: Shape3, x: Operand, y: Operand, w: Operand) -> None:
        self.lowering, self.shape, self.x, self.y, self.w = lowering, shape, x, y, w
        self.type = "double" if x.type == "double" else "float"
        self.bytes = size(self.type)
        self.taps = shape.depth.taps * shape.rows.taps * shape.columns.taps
        lanes = tile_for(host(), self.type).lanes
        row = self.taps * min(shape.features, 16 * lanes) * self.bytes
        self.channels = divisor(shape.channels, max(SUMS // row, 1))
        self.depth = self.channels * self.taps
        self.tile, self.panels = _tile(self.type, self.depth, shape.features)
        all_panels = -(-shape.features // self.tile.columns)
        self.block_panels = divisor(all_panels, max(SUMS // (self.depth * self.tile.columns * self.bytes), 1))
        self.channel_blocks = shape.channels // self.channels
        self.feature_blocks = all_panels // self.block_panels
        self.all_panels = shape.groups * self.channel_blocks * all_panels
        part = self.all_panels * self.depth * self.tile.columns * self.bytes
        self.image_groups = divisor(shape.images, min(UNITS, max(PARTS // part, 1)))
        self.part = part
        most = max(FEW_POSITIONS, 2 * shape.columns.reach)
        self.dots = lanes if self.tile.columns == 1 else 0
        self.blocks = Blocks(shape, x, self.channels, tile_for(host(), self.type), 1, 1, 1 << 40 if self.dots else most)

    def instructions(self) -> list[Instruction]:
        shape, tile, blocks = self.shape, self.tile, self.blocks
        (part,) = shape.parts
        offsets, _ = blocks.taps(part, (0, 0, 0, 0))
        table = self.lowering.constant(offsets.astype(np.int32), dtypes.int32)
        units = self.image_groups * shape.groups * self.channel_blocks * self.feature_blocks
        parts = self.lowering.buffer(self.image_groups * self.part).index
        step = {1: 1, 2: 2}.get(shape.columns.step, 0)
        form = weight_gradient.Form(tile, self.panels.small, self.x.type, self.y.type, blocks.plain, step, self.dots)
        few = max(FEW_POSITIONS // blocks.block_columns, 1) if blocks.column_blocks == 1 else 1
        few = blocks.block_rows if self.dots else few
        packed = -(-few * blocks.block_columns * tile.columns * self.bytes // 64) * 64
        scratch = packed + (0 if blocks.plain else blocks.planes * blocks.plane) + 64
        numbers = self._numbers(few)
        positions = shape.depth.target * shape.rows.target * shape.columns.target
        flops = 2 * shape.images * positions * self.part / self.bytes
        peak = 4 * tile.lanes * CLOCK * RATE
        product = Instruction(
            _kernel(form),
            [self._access(self.x), self._access(self.y), Access(table.buffer)],
            [Access(parts, self.image_groups)],
            [numbers[word] for word in weight_gradient.NUMBERS], units, flops / peak / units + 200, scratch,
        )  # fmt: skip
        return [product, self._gathering(parts)]

    def _access(self, operand: Operand) -> Access:
        """Divided by groups of images, if images divide it."""
        access = operand.access(self.lowering)
        return Access(access.buffer, self.image_groups if access.slabs > 1 else 1, access.offset)

    def _gathering(self, parts: int) -> Instruction:
        shape = self.shape
        feature = shape.channels * self.taps * size(self.w.type)
        whole = self.channel_blocks == 1 and shape.features % self.tile.columns == 0  # rows of w, one after another
        return Instruction(
            _gathering(self.tile, self.w.type),
            [Access(parts)],
            [Access(self.w.window.buffer, self.all_panels if whole else 1)],
            [
                self.image_groups, self.all_panels, self.channel_blocks, self.block_panels, shape.features,
                self.depth, feature,
            ],
            self.all_panels,
            self.depth * self.tile.vectors * (self.image_groups * 0.5 + 2) + 10,
        )  # fmt: skip

    def _numbers(self, few: int) -> dict[str, int]:
        shape, blocks, x, y = self.shape, self.blocks, self.x.strides, self.y.strides
        return {
            **blocks.numbers(),
            "images": shape.images, "image_groups": self.image_groups, "groups": shape.groups,
            "channel_blocks": self.channel_blocks, "feature_blocks": self.feature_blocks,
            "depths": shape.depth.target, "rows": shape.rows.target, "columns": shape.columns.target,
            "block_rows": blocks.block_rows, "block_columns": blocks.block_columns, "few_rows": few,
            "x_image": x[0], "x_group": x[1] * shape.channels,
            "y_image": y[0], "y_feature": y[1], "y_depth": y[2], "y_row": y[3],
            "features": shape.features, "block_panels": self.block_panels,
            "depth": self.depth, "large": self.panels.large, "panels": self.panels.count,
        }  # fmt: skip


__all__ = ["WeightGradient", "divisor"]

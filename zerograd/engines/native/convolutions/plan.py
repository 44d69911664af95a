"""Which kernels compute a convolution, with which numbers: decided by shapes alone."""

from __future__ import annotations

from functools import cache
from math import gcd

import numpy as np

from zerograd import dtypes
from zerograd.engines.native.convolutions import around, stencil, weights
from zerograd.engines.native.convolutions.blocks import PLANES, UNITS, Blocks, Operand
from zerograd.engines.native.convolutions.geometry import Shape3
from zerograd.engines.native.convolutions.weights import Panels
from zerograd.engines.native.emit import size
from zerograd.engines.native.kernel import Access, Instruction, Kernel
from zerograd.engines.native.lower import Lowering
from zerograd.engines.native.products.tile import Tile, tile_for
from zerograd.engines.native.target import host
from zerograd.engines.native.windows import Window

DEPTH = 640  # k in a block
ROWS_OF_DEPTH = 160  # rows of planes that a panel reads in a block of k: two cache lines each
BLOCK_PANELS = 8
CUTTING = 8  # cycles that it costs to cut a vector
MOST_TOGETHER = 8  # images of a unit
WORTH_PACKING = 0.97
RATE, CLOCK = 0.7, 2.5  # of the peak; cycles in a nanosecond
VECTORS = {1: 4, 2: 4, 3: 3}  # of a tile with few rows: enough sums to hide the latency of the multiply-add


@cache
def _host_tile(type: str) -> Tile:
    return tile_for(host(), type)


def tile_of(type: str, features: int) -> tuple[Tile, Panels]:
    """The tile for so many features, and their panels."""
    largest = _host_tile(type)
    panels = Panels(features, largest.rows)
    return Tile(panels.rows, VECTORS.get(panels.rows, 2), largest.lanes, type, largest.fused), panels


@cache
def _weights(rows: int, source: str, type: str) -> Kernel:
    return weights.weights_kernel(rows, source, type)


@cache
def _stencil(form: stencil.Form) -> Kernel:
    return stencil.stencil_kernel(form)


class Stencil:
    """The instructions of ``conv`` or ``conv_input``.

    Args:
        shape: which positions read which.
        x, y: source and target.
        w: the weights.
        strides: of w in elements: from group to group, of y's features, of x's channels; then those of its kernel.
        alone: whether w meets the source alone, not zeros around it, which matters where it is not finite.
    """

    def __init__(
        self, lowering: Lowering, shape: Shape3, x: Operand, w: Operand, y: Operand, strides: tuple[int, ...],
        alone: bool,
    ) -> None:  # fmt: skip
        self.alone = alone
        self.lowering, self.shape, self.x, self.w, self.y, self.strides = lowering, shape, x, w, y, strides
        self.type = "double" if x.type == "double" else "float"
        self.tile, self.panels = tile_of(self.type, shape.features)
        self.bytes = size(self.type)
        others = shape.images * shape.groups * shape.depth.target
        self.blocks = Blocks(shape, x, shape.channels, self.tile, self.tile.columns, -(-UNITS // others))
        self.together, self.packed = self._together()
        if self.packed:
            self.blocks = Blocks(shape, x, shape.channels, self.tile, 1 << 40, 1)

    def _together(self) -> tuple[int, bool]:
        """How many images a unit takes, and whether their positions are copied together without gaps."""
        shape, tile = self.shape, self.tile
        if len(shape.parts) > 1 or not all(one.step == 1 for one in shape.parts[0]):
            return 1, False
        rows, columns = (part.high - part.low for part in shape.parts[0])
        laid = self.blocks.planes * (rows + shape.rows.reach) * shape.columns.pitch * self.bytes
        if laid > PLANES or shape.images * shape.groups * shape.depth.target < UNITS // 2:
            return 1, False
        most = min(max(shape.images // (UNITS // 2), 1), 2 * PLANES // laid, MOST_TOGETHER)
        lines = 1 + (tile.columns - 1) / columns  # that a panel touches
        product = shape.features * tile.vectors / 2  # cycles for each k
        packed = product + tile.vectors * (2 + 3 * (lines - 1))
        costs = [
            (-(-count * rows * columns // tile.columns) * packed / count, count)
            for count in range(1, most + 1)
            if shape.images % count == 0
        ]
        cost, count = min(costs)
        straight = -(-((rows - 1) * self.blocks.pitch + columns) // tile.columns) * product
        return (count, True) if cost < WORTH_PACKING * straight else (1, False)

    def _tables(self) -> tuple[Window, Window, Window, list[int]]:
        taps, places, records, depths = [], [], [], []
        for part in self.shape.parts:
            offset, weight = self.blocks.taps(part, self.strides[2:])
            row, column = part
            out = row.shift * self.y.strides[3] + column.shift * self.y.strides[4]
            record = (row.low, row.high, column.low, column.high, out, len(offset), sum(depths))
            records.append([*record, 0])
            depths.append(len(offset))
            taps.append(offset)
            places.append(weight * size(self.w.type))
        table = self.lowering.constant(np.concatenate(taps).astype(np.int32), dtypes.int32)
        source = self.lowering.constant(np.concatenate(places).astype(np.int32), dtypes.int32)
        return table, source, self.lowering.constant(np.array(records, np.int64), dtypes.int64), depths

    def instructions(self) -> list[Instruction]:
        shape, tile, blocks = self.shape, self.tile, self.blocks
        table, places, parts, depths = self._tables()
        self.depth = sum(depths)
        panel = self.depth * tile.rows * self.bytes + around.NOTE
        packed = self.lowering.buffer(max(shape.groups * self.panels.count * panel, 1)).index
        numbers = self._numbers(depths)
        step = {1: 1, 2: 2}.get(shape.columns.step, 0)
        dense = all(one.step == 1 for _, one in shape.parts)
        form = stencil.Form(tile, self.panels.small, self.x.type, self.y.type, blocks.plain, step, dense, self.packed)
        units = shape.images // self.together * shape.groups * shape.depth.target
        units *= blocks.row_blocks * blocks.column_blocks
        positions = shape.depth.target * sum((a.high - a.low) * (b.high - b.low) for a, b in shape.parts)
        flops = 2 * shape.images * shape.groups * shape.features * positions * self.depth / len(depths)
        peak = 4 * tile.lanes * CLOCK * RATE
        reads = [self._access(self.x), Access(packed), Access(table.buffer), Access(parts.buffer)]
        product = Instruction(
            _stencil(form), reads, [self._access(self.y)], [numbers[word] for word in stencil.NUMBERS], units,
            flops / peak / units + 200, stencil.scratch_bytes(form, numbers, self.blocks.planes),
        )  # fmt: skip
        return [self._packing(packed, places), product]

    def _access(self, operand: Operand) -> Access:
        """Divided by the images of a unit."""
        access = operand.access(self.lowering)
        return Access(access.buffer, max(access.slabs // self.together, 1), access.offset)

    def _packing(self, packed: int, places: Window) -> Instruction:
        units = self.shape.groups * self.panels.count
        group, row = (one * size(self.w.type) for one in self.strides[:2])
        whole = self.w.access(self.lowering).slabs > 1
        slabs = gcd(self.w.shape[0], units) if whole and self.panels.count == 1 and self.w.shape[0] == units else 1
        return Instruction(
            _weights(self.tile.rows, self.w.type, self.type),
            [Access(self.w.window.buffer, slabs, self.w.window.byte_offset), Access(places.buffer)],
            [Access(packed, units)],
            [group, row, self.panels.large, self.panels.count, self.depth],
            units,
            self.depth * self.tile.rows * 0.5 + 5,
        )

    def _aligned(self, depth: int) -> bool:
        """Whether panels within rows cost less than panels through rows: positions computed in vain, and cutting."""
        tile, columns = self.tile, self.shape.columns
        count = min(max(part.high - part.low for part in columns.parts), self.blocks.block_columns)
        if count < tile.columns:
            return False
        one = tile.rows * tile.vectors * (depth / 2 + 1)  # cycles of a tile
        dense = all(part.step == 1 for part in columns.parts)
        cut = 1 - (count - tile.columns + 1) / self.blocks.pitch if dense else 0
        through = self.blocks.pitch / tile.columns * (one + cut * CUTTING * tile.rows * tile.vectors)
        return -(-count // tile.columns) * one < through

    def _numbers(self, depths: list[int]) -> dict[str, int]:
        shape, rows, columns, blocks = self.shape, self.shape.rows, self.shape.columns, self.blocks
        deepest = max(depths)
        reading = max(min(DEPTH, ROWS_OF_DEPTH * max(len(part.taps) for part in columns.parts)), 32)
        pieces = -(-deepest // reading) or 1
        block = max(-(-deepest // pieces), 1)
        panel = self.depth * self.tile.rows * self.bytes + around.NOTE
        x, y = self.x.strides, self.y.strides
        row, column = rows.parts[0].step, columns.parts[0].step
        return {
            **self.blocks.numbers(),
            "groups": shape.groups, "depths": shape.depth.target,
            "row_blocks": blocks.row_blocks, "column_blocks": blocks.column_blocks,
            "first_row": rows.low, "first_column": columns.low,
            "block_rows": blocks.block_rows, "block_columns": blocks.block_columns,
            "x_image": x[0], "x_group": x[1] * shape.channels,
            "y_image": y[0], "y_group": y[1] * shape.features, "y_feature": y[1], "y_depth": y[2],
            "y_row": y[3] * row, "y_column": y[4] * column,
            "features": shape.features, "large": self.panels.large, "panels": self.panels.count,
            "a_group": panel * self.panels.count, "a_panel": panel,
            "parts": len(depths), "block_depth": block,
            "block_panels": BLOCK_PANELS if pieces > 1 else 1 << 20,
            "together": self.together, "planes_image": blocks.planes * blocks.plane,
            "aligned": int(self._aligned(deepest)),
            "sum_panels": BLOCK_PANELS if pieces > 1 else 0,
            "alone": int(self.alone),
        }  # fmt: skip


__all__ = ["Stencil", "tile_of"]

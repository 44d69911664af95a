"""Which kernels compute a convolution, with which numbers: decided by shapes alone."""

from __future__ import annotations

from functools import cache
from math import gcd
from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.engines.native.convolutions import stencil, weights
from zerograd.engines.native.convolutions.geometry import Part, Shape3
from zerograd.engines.native.convolutions.weights import Panels
from zerograd.engines.native.emit import size
from zerograd.engines.native.kernel import Access, Instruction, Kernel
from zerograd.engines.native.lower import Lowering
from zerograd.engines.native.products.tile import Tile, tile_for
from zerograd.engines.native.target import host
from zerograd.engines.native.windows import Window

PLANES = 512 << 10  # bytes of planes that a unit lays at a time, about
DEPTH = 320  # k in a block
ROWS_OF_DEPTH = 160  # rows of planes that a panel reads in a block of k: two cache lines each
BLOCK_PANELS = 8
UNITS = 16  # how many there should be, so that threads share the work evenly
RATE, CLOCK = 0.7, 2.5  # of the peak; cycles in a nanosecond
VECTORS = {1: 8, 2: 4, 3: 3}  # of a tile with few rows: enough sums to hide the latency of the multiply-add


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


class Operand:
    """A contiguous array [batch, channels, depth, rows, columns], or what stands for one.

    Attributes:
        window: where it lies.
        shape: padded to five axes.
        type: LLVM's.
    """

    __slots__ = ("shape", "type", "window")

    def __init__(self, window: Window, type: str) -> None:
        shape = window.shape
        self.window, self.type = window, type
        self.shape = (*shape[:2], *(1,) * (5 - len(shape)), *shape[2:])

    @property
    def strides(self) -> tuple[int, ...]:
        """In bytes."""
        found = [size(self.type)]
        for n in reversed(self.shape[1:]):
            found.append(found[-1] * n)
        return tuple(reversed(found))

    def access(self, lowering: Lowering) -> Access:
        """Divided by images, if it fills its buffer."""
        whole = int(np.prod(self.shape)) * size(self.type) == lowering.buffers[self.window.buffer].nbytes
        return Access(self.window.buffer, self.shape[0] if whole else 1, self.window.byte_offset)


class Stencil:
    """The instructions of ``conv`` or ``conv_input``.

    Args:
        shape: which positions read which.
        x, y: source and target.
        w: the weights.
        strides: of w in elements: from group to group, of y's features, of x's channels; then those of its kernel.
    """

    def __init__(
        self, lowering: Lowering, shape: Shape3, x: Operand, w: Operand, y: Operand, strides: tuple[int, ...]
    ) -> None:  # fmt: skip
        self.lowering, self.shape, self.x, self.w, self.y, self.strides = lowering, shape, x, w, y, strides
        self.type = "double" if x.type == "double" else "float"
        self.tile, self.panels = tile_of(self.type, shape.features)
        self.bytes = size(self.type)
        self.plain = shape.plain and x.type == self.type and self._fits_plain()
        self._divide()

    # --- blocks of positions ---------------------------------------------------------------------------------------

    def _fits_plain(self) -> bool:
        """Rows of positions in the source: enough for a panel, and channels that do not crowd a few cache sets."""
        rows, columns = self.shape.rows, self.shape.columns
        positions = (rows.high - 1) * columns.source + columns.high
        crowded = self.x.strides[1] % 2048 == 0 and self.shape.channels > 4
        return positions >= self.tile.columns and not crowded

    def _divide(self) -> None:
        """Choose the blocks: planes for the second cache, units for all threads."""
        shape, rows, columns = self.shape, self.shape.rows, self.shape.columns
        self.block_rows, self.block_columns = rows.high - rows.low, columns.high - columns.low
        others = shape.images * shape.groups * shape.depth.target
        least = 4 * self.tile.columns
        if not self.plain:
            self._fit_planes(least)
        wanted = -(-UNITS // others)
        if wanted > 1 and self.block_columns == columns.high - columns.low:
            few = max(-(-least // self.block_columns), 1)
            blocks = max(min(wanted, (rows.high - rows.low) // few), -(-(rows.high - rows.low) // self.block_rows), 1)
            self.block_rows = -(-(rows.high - rows.low) // blocks)
        if self.plain:  # the last block too must have positions for a panel
            total = rows.high - rows.low
            while self._last_block(total) < self.tile.columns:
                self.block_rows += 1
        self.row_blocks = -(-(rows.high - rows.low) // self.block_rows)
        self.column_blocks = -(-(columns.high - columns.low) // self.block_columns)
        whole = self.column_blocks == 1
        self.pitch = columns.pitch if whole else self.block_columns + columns.reach
        if self.plain:
            self.pitch = columns.source
        self.slack = columns.reach + self.tile.columns + self.tile.lanes
        numbers = (self.block_rows + rows.reach) * self.pitch + self.slack + self.tile.lanes
        self.plane = (-(-numbers * self.bytes // 64) | 1) * 64  # an odd number of lines: channels in different sets

    def _last_block(self, total: int) -> int:
        """Positions of the shortest block of rows."""
        rows = total - (-(-total // self.block_rows) - 1) * self.block_rows
        return (rows - 1) * self.shape.columns.source + self.shape.columns.high

    def _fit_planes(self, least: int) -> None:
        rows, columns = self.shape.rows, self.shape.columns
        row = self._count_planes() * columns.pitch * self.bytes
        total = rows.high - rows.low
        most = max(PLANES // row - rows.reach, 1)
        most = max(most, -(-least // columns.high), min(4 * rows.reach, total) if row * rows.reach < PLANES else 1)
        blocks = -(-total // min(most, total))
        self.block_rows = -(-total // blocks)
        if row * (self.block_rows + rows.reach) > 4 * PLANES and columns.high > 2 * least:
            width = PLANES // (row // columns.pitch * (self.block_rows + rows.reach))
            width = max(width - columns.reach, least, 2 * columns.reach)
            pieces = -(-(columns.high - columns.low) // width)
            self.block_columns = -(-(columns.high - columns.low) // pieces)

    def _count_planes(self) -> int:
        shape = self.shape
        return shape.channels * shape.depth.taps * shape.rows.phases * shape.columns.phases

    # --- tables -----------------------------------------------------------------------------------------------------

    def _taps(self, part: tuple[Part, Part]) -> tuple[Any, Any]:
        """For each k of a part: where it lies in the planes, and in w's group and row, in bytes."""
        shape = self.shape
        _, _, channel, *kernel = self.strides
        channels, depths = np.arange(shape.channels), np.arange(shape.depth.taps)
        rows, columns = (np.array(one.taps, np.int64).reshape(-1, 3) for one in part)
        c, d, r, s = np.ix_(channels, depths, range(len(rows)), range(len(columns)))
        row_tap, row_phase, row = np.moveaxis(rows[r], -1, 0)
        column_tap, column_phase, column = np.moveaxis(columns[s], -1, 0)
        if self.plain:
            strides = self.x.strides
            plane = c * strides[1] + d * shape.depth.tap * strides[2]
        else:
            phases = shape.rows.phases * shape.columns.phases
            number = (c * shape.depth.taps + d) * phases + row_phase * shape.columns.phases + column_phase
            plane = number * self.plane
        offset = plane + (row * self.pitch + column) * self.bytes
        weight = c * channel + d * kernel[0] + row_tap * kernel[1] + column_tap * kernel[2]
        full = np.broadcast(offset, weight).shape
        return np.broadcast_to(offset, full).reshape(-1), np.broadcast_to(weight, full).reshape(-1) * size(self.w.type)

    def _tables(self) -> tuple[Window, Window, Window, list[int]]:
        taps, places, records, depths = [], [], [], []
        for part in self.shape.parts:
            offset, weight = self._taps(part)
            row, column = part
            out = row.shift * self.y.strides[3] + column.shift * self.y.strides[4]
            record = (row.low, row.high, column.low, column.high, out, len(offset), sum(depths))
            records.append([*record, 0])
            depths.append(len(offset))
            taps.append(offset)
            places.append(weight)
        table = self.lowering.constant(np.concatenate(taps).astype(np.int32), dtypes.int32)
        source = self.lowering.constant(np.concatenate(places).astype(np.int32), dtypes.int32)
        return table, source, self.lowering.constant(np.array(records, np.int64), dtypes.int64), depths

    # --- instructions -----------------------------------------------------------------------------------------------

    def instructions(self) -> list[Instruction]:
        shape, tile = self.shape, self.tile
        table, places, parts, depths = self._tables()
        self.depth = sum(depths)
        panel = self.depth * tile.rows * self.bytes
        packed = self.lowering.buffer(max(shape.groups * self.panels.count * panel, 1)).index
        numbers = self._numbers(depths)
        step = {1: 1, 2: 2}.get(shape.columns.step, 0)
        dense = all(one.step == 1 for _, one in shape.parts)
        form = stencil.Form(tile, self.panels.small, self.x.type, self.y.type, self.plain, step, dense)
        units = shape.images * shape.groups * shape.depth.target * self.row_blocks * self.column_blocks
        positions = shape.depth.target * sum((a.high - a.low) * (b.high - b.low) for a, b in shape.parts)
        flops = 2 * shape.images * shape.groups * shape.features * positions * self.depth / len(depths)
        peak = 4 * tile.lanes * CLOCK * RATE
        reads = [self.x.access(self.lowering), Access(packed), Access(table.buffer), Access(parts.buffer)]
        product = Instruction(
            _stencil(form), reads, [self.y.access(self.lowering)], [numbers[word] for word in stencil.NUMBERS], units,
            flops / peak / units + 200, stencil.scratch_bytes(form, numbers, self._count_planes()),
        )  # fmt: skip
        return [self._packing(packed, places), product]

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

    def _numbers(self, depths: list[int]) -> dict[str, int]:
        shape, rows, columns, depth = self.shape, self.shape.rows, self.shape.columns, self.shape.depth
        deepest = max(depths)
        reading = max(min(DEPTH, ROWS_OF_DEPTH * max(len(part.taps) for part in columns.parts)), 32)
        blocks = -(-deepest // reading) or 1
        block = max(-(-deepest // blocks), 1)
        panel = self.depth * self.tile.rows * self.bytes
        x, y = self.x.strides, self.y.strides
        row, column = rows.parts[0].step, columns.parts[0].step
        return {
            "channels": shape.channels, "x_channel": x[1], "x_depth": x[2], "x_row": x[3],
            "depth_taps": depth.taps, "depth_source": depth.source, "depth_step": depth.step,
            "depth_tap": depth.tap, "depth_start": depth.start, "depth_stride": depth.stride,
            "row_source": rows.source, "row_step": rows.step, "row_before": rows.before,
            "row_phases": rows.phases, "row_reach": rows.reach,
            "column_source": columns.source, "column_step": columns.step, "column_before": columns.before,
            "column_phases": columns.phases,
            "pitch": self.pitch, "plane": self.plane, "slack": self.slack,
            "groups": shape.groups, "depths": depth.target,
            "row_blocks": self.row_blocks, "column_blocks": self.column_blocks,
            "first_row": rows.low, "first_column": columns.low,
            "block_rows": self.block_rows, "block_columns": self.block_columns,
            "x_image": x[0], "x_group": x[1] * shape.channels,
            "y_image": y[0], "y_group": y[1] * shape.features, "y_feature": y[1], "y_depth": y[2],
            "y_row": y[3] * row, "y_column": y[4] * column,
            "features": shape.features, "large": self.panels.large, "panels": self.panels.count,
            "a_group": panel * self.panels.count, "a_panel": panel,
            "parts": len(depths), "block_depth": block,
            "block_panels": BLOCK_PANELS if blocks > 1 else 1 << 20,
            "sum_panels": BLOCK_PANELS if blocks > 1 else 0,
        }  # fmt: skip


__all__ = ["Operand", "Stencil", "tile_of"]

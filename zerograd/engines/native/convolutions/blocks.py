"""Into which blocks the positions of a convolution are divided, and what the planes of a block look like."""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd.engines.native.convolutions.geometry import Part, Shape3
from zerograd.engines.native.emit import size
from zerograd.engines.native.kernel import Access
from zerograd.engines.native.lower import Lowering
from zerograd.engines.native.products.tile import Tile
from zerograd.engines.native.windows import Window

PLANES = 512 << 10  # bytes of planes that a unit lays at a time, about
UNITS = 16  # how many there should be, so that threads share the work evenly


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
        return lowering.access(self.window, self.shape[0])


class Blocks:
    """The blocks of one convolution.

    Attributes:
        plain: whether the source serves as planes.
        block_rows, block_columns: positions of a block; ``row_blocks``, ``column_blocks``: how many blocks.
        pitch: from one row of positions to the next in a plane.
        plane: bytes of a plane; ``planes``: how many are laid at a time.
        slack: numbers that are read behind a plane's last row.

    Args:
        x: the source; ``channels``: how many are laid at a time.
        tile: the kernel's; the positions of a block are at least ``least``.
        wanted: how many blocks an image should be divided into, if it can be.
        widest: the most columns in a block.
    """

    def __init__(
        self, shape: Shape3, x: Operand, channels: int, tile: Tile, least: int, wanted: int, widest: int = 1 << 40
    ) -> None:  # fmt: skip
        self.shape, self.x, self.channels, self.tile, self.least = shape, x, channels, tile, least
        self.bytes = size(tile.type)
        rows, columns = shape.rows, shape.columns
        self.total_rows, self.total_columns = rows.high - rows.low, columns.high - columns.low
        self.planes = channels * shape.depth.taps * rows.phases * columns.phases
        self.plain = shape.plain and x.type == tile.type and self._fits_plain()
        self._choose(wanted, widest)
        self.row_blocks = -(-self.total_rows // self.block_rows)
        self.column_blocks = -(-self.total_columns // self.block_columns)
        self.pitch = columns.pitch if self.column_blocks == 1 else self.block_columns + columns.reach
        if self.plain:
            self.pitch = columns.source
        self.slack = columns.reach + tile.columns + tile.lanes
        numbers = (self.block_rows + rows.reach) * self.pitch + self.slack + tile.lanes
        self.plane = (-(-numbers * self.bytes // 64) | 1) * 64  # an odd number of lines: channels in different sets

    def _fits_plain(self) -> bool:
        """Rows of positions in the source: enough of them, and channels that do not crowd a few cache sets."""
        columns = self.shape.columns
        positions = (self.total_rows - 1) * columns.source + columns.high
        crowded = self.x.strides[1] % 2048 == 0 and self.shape.channels > 4
        return positions >= self.least and not crowded

    def _choose(self, wanted: int, widest: int) -> None:
        """Planes for the second cache, blocks for all threads."""
        self.block_rows, self.block_columns = self.total_rows, self.total_columns
        if not self.plain:
            self._fit_planes()
        if self.block_columns > widest:
            self.block_columns = -(-self.total_columns // -(-self.total_columns // widest))
        if wanted > 1 and self.block_columns == self.total_columns:
            few = max(-(-4 * self.tile.columns // self.block_columns), 1)
            blocks = max(min(wanted, self.total_rows // few), -(-self.total_rows // self.block_rows), 1)
            self.block_rows = -(-self.total_rows // blocks)
        if self.plain:  # the last block too must have positions enough
            while self._last_block() < self.least:
                self.block_rows += 1

    def _last_block(self) -> int:
        """Positions of the shortest block of rows."""
        rows = self.total_rows - (-(-self.total_rows // self.block_rows) - 1) * self.block_rows
        return (rows - 1) * self.shape.columns.source + self.shape.columns.high

    def _fit_planes(self) -> None:
        rows, columns = self.shape.rows, self.shape.columns
        row, total = self.planes * columns.pitch * self.bytes, self.total_rows
        least = 4 * self.tile.columns
        most = max(PLANES // row - rows.reach, 1)
        most = max(most, -(-least // columns.high), min(4 * rows.reach, total) if row * rows.reach < PLANES else 1)
        self.block_rows = -(-total // -(-total // min(most, total)))
        if row * (self.block_rows + rows.reach) > 4 * PLANES and columns.high > 2 * least:
            width = PLANES // (row // columns.pitch * (self.block_rows + rows.reach))
            width = max(width - columns.reach, least, 2 * columns.reach)
            self.block_columns = -(-self.total_columns // -(-self.total_columns // width))

    def taps(self, part: tuple[Part, Part], strides: tuple[int, ...]) -> tuple[Any, Any]:
        """For each k of a part: where it lies in the planes, in bytes, and in w, in elements.

        Args:
            strides: of w: from channel to channel, then along its kernel.
        """
        shape = self.shape
        channel, *kernel = strides
        rows, columns = (np.array(one.taps, np.int64).reshape(-1, 3) for one in part)
        c, d, r, s = np.ix_(range(self.channels), range(shape.depth.taps), range(len(rows)), range(len(columns)))
        row_tap, row_phase, row = np.moveaxis(rows[r], -1, 0)
        column_tap, column_phase, column = np.moveaxis(columns[s], -1, 0)
        if self.plain:
            plane = c * self.x.strides[1] + d * shape.depth.tap * self.x.strides[2]
        else:
            phases = shape.rows.phases * shape.columns.phases
            number = (c * shape.depth.taps + d) * phases + row_phase * shape.columns.phases + column_phase
            plane = number * self.plane
        offset = plane + (row * self.pitch + column) * self.bytes
        weight = c * channel + d * kernel[0] + row_tap * kernel[1] + column_tap * kernel[2]
        full = np.broadcast(offset, weight).shape
        return np.broadcast_to(offset, full).reshape(-1), np.broadcast_to(weight, full).reshape(-1)

    def numbers(self) -> dict[str, int]:
        """What the laying of planes is told."""
        rows, columns, depth, x = self.shape.rows, self.shape.columns, self.shape.depth, self.x.strides
        return {
            "channels": self.channels, "x_channel": x[1], "x_depth": x[2], "x_row": x[3],
            "depth_taps": depth.taps, "depth_source": depth.source, "depth_step": depth.step,
            "depth_tap": depth.tap, "depth_start": depth.start, "depth_stride": depth.stride,
            "row_source": rows.source, "row_step": rows.step, "row_before": rows.before,
            "row_phases": rows.phases, "row_reach": rows.reach,
            "column_source": columns.source, "column_step": columns.step, "column_before": columns.before,
            "column_phases": columns.phases,
            "pitch": self.pitch, "plane": self.plane, "slack": self.slack,
        }  # fmt: skip


__all__ = ["UNITS", "Blocks", "Operand"]

"""The plan of a convolution by 3x3 taps: whether it pays, and in which blocks it is done."""

from __future__ import annotations

from zerograd.engines.native.convolutions.blocks import Operand
from zerograd.engines.native.convolutions.geometry import Axis, Shape3
from zerograd.engines.native.convolutions.weights import Panels
from zerograd.engines.native.convolutions.winograd import tiles, transforms, weights, windows
from zerograd.engines.native.convolutions.winograd.form import Form
from zerograd.engines.native.emit import size
from zerograd.engines.native.kernel import Access, Instruction
from zerograd.engines.native.lower import Lowering
from zerograd.engines.native.products.tile import Tile, tile_for
from zerograd.engines.native.target import host
from zerograd.settings import settings

POINTS = transforms.POINTS**2
SOURCE = 512 << 10  # bytes of a block's source as points, about
TARGET = 128 << 10  # bytes of a block's features as points, about
LEAST_TILES = 112  # of a block, if there are so many: its last panel may be nearly empty
FEWEST_TILES = 24  # of a block where there must be several: the weights are read for each
UNITS = 8  # how many there should be, so that threads share the work evenly
SEVERAL = 0.03  # so much better must it be to take several images at a time: chains are divided into fewer slabs
MOST_TOGETHER = 16  # images of a unit
RATE, CLOCK = 0.8, 2.5  # of the peak; cycles in a nanosecond
SOURCE_CYCLES, TARGET_CYCLES = 12, 8  # to bring a tile of a channel into points, and one of a feature to y
WEIGHTS_CYCLES = 6  # more than the sum over taps takes to pack a feature's weights for a channel
WORTH = 0.95
ORDERS: dict[tuple[tuple[int, int], ...], tuple[int, int]] = {
    ((0, 0), (1, 1), (2, 2)): (0, 1), ((0, 2), (1, 1), (2, 0)): (2, -1),
}  # fmt: skip


def taps_in_order(axis: Axis) -> tuple[int, int] | None:
    """(first, step) of the three taps of an axis that windows without gaps read one after another; None: others."""
    if axis.step != 1 or axis.phases != 1 or len(axis.parts) != 1 or axis.parts[0].step != 1:
        return None
    found = sorted((distance, tap) for tap, _, distance in axis.parts[0].taps)
    return ORDERS.get(tuple(found))


def fits(shape: Shape3) -> bool:
    """Whether it is a convolution in two axes by 3x3 taps, without strides or gaps."""
    depth = shape.depth
    flat = depth.source == depth.target == depth.taps == 1 and depth.start == 0
    return flat and taps_in_order(shape.rows) is not None and taps_in_order(shape.columns) is not None


def pays(shape: Shape3, type: str) -> bool:
    """Whether there is such a kernel, and it takes less time than the sum over taps."""
    if not settings.winograd or not fits(shape):
        return False
    wide = size(type) / 4 if type == "double" else 1.0
    moved = wide * tiles_of(shape) * (SOURCE_CYCLES * shape.channels + TARGET_CYCLES * shape.features)
    pairs = shape.channels * shape.features
    return products(shape, type, shape.features) + moved + WEIGHTS_CYCLES * pairs < WORTH * plain_sum(shape, type)


def tiles_of(shape: Shape3) -> int:
    """In all images."""
    return shape.images * -(-shape.rows.target // 2) * -(-shape.columns.target // 2)


def products(shape: Shape3, type: str, features: int) -> float:
    """Cycles of the products of a group."""
    lanes = tile_for(host(), "double" if type == "double" else "float").lanes
    return tiles_of(shape) * POINTS * shape.channels * features / (2 * lanes * RATE)


def plain_sum(shape: Shape3, type: str) -> float:
    """Cycles of the sum over taps of a group."""
    lanes = tile_for(host(), "double" if type == "double" else "float").lanes
    windows = shape.images * shape.rows.target * shape.columns.target
    return windows * 9 * shape.channels * shape.features / (2 * lanes * RATE)


def lines(numbers: int, bytes: int) -> int:
    """Bytes of so many numbers in an odd count of cache lines: what follows each other lies in different sets."""
    return (-(-numbers * bytes // 64) | 1) * 64


class Blocks:
    """How the tiles of a convolution are divided.

    Attributes:
        tile_rows, tile_columns: of an image.
        together: images of a unit; ``count``: blocks that the tiles of these images are divided into.
        rows: of tiles in a block; ``most_tiles``: that makes, in whole panels.

    Args:
        rows, columns: of the target.
        width: of a panel of tiles.
        most: tiles that a block should have at most.
    """

    def __init__(self, shape: Shape3, rows: int, columns: int, width: int, most: int) -> None:
        self.tile_rows, self.tile_columns = -(-rows // 2), -(-columns // 2)
        others = shape.groups
        choices = []
        for together in range(1, min(shape.images, MOST_TOGETHER) + 1):
            if shape.images % together:
                continue
            total = together * self.tile_rows
            if together > 1 and (total - self.tile_rows) * self.tile_columns > most:
                break
            for count in range(1, total + 1):
                in_block = -(-total // count)
                tiles = in_block * self.tile_columns
                units = shape.images // together * others * count
                if -(-total // in_block) == count:
                    cost = self._cost(total, in_block, width, tiles, most, units)
                    choices.append((cost + SEVERAL * (together > 1), together, count))
                if tiles < FEWEST_TILES:
                    break
        _, self.together, self.count = min(choices)
        self.rows = -(-self.together * self.tile_rows // self.count)
        self.most_tiles = -(-self.rows * self.tile_columns // width) * width

    def _cost(self, total: int, in_block: int, width: int, tiles: int, most: int, units: int) -> float:
        """What a tile costs more than it must."""
        padded = lambda rows: -(-rows * self.tile_columns // width) * width  # noqa: E731
        whole, rest = divmod(total, in_block)
        waste = (whole * padded(in_block) + padded(rest)) / (total * self.tile_columns)
        few = 8 / tiles  # the weights are read for so few
        many = 0.1 * max(tiles / most - 1, 0)
        idle = -(-units // UNITS) * UNITS / units if units < 4 * UNITS else 1.0
        return waste + few + many + 0.5 * (idle - 1)


class Windows:
    """The instructions of ``conv`` or ``conv_input``; the arguments are those of ``plan.Stencil``."""

    def __init__(
        self, lowering: Lowering, shape: Shape3, x: Operand, w: Operand, y: Operand, strides: tuple[int, ...],
        alone: bool,
    ) -> None:  # fmt: skip
        self.alone = alone
        self.lowering, self.shape, self.x, self.w, self.y, self.strides = lowering, shape, x, w, y, strides
        self.type = "double" if x.type == "double" else "float"
        self.bytes = size(self.type)
        largest = tile_for(host(), self.type)
        self.panels = Panels(shape.features, largest.rows)
        self.tile = Tile(self.panels.rows, largest.vectors, largest.lanes, self.type, largest.fused)
        width = self.tile.columns
        most = max(SOURCE // (POINTS * shape.channels * self.bytes), LEAST_TILES)
        self.blocks = Blocks(shape, shape.rows.target, shape.columns.target, width, most)
        self.pitch = lines(self.blocks.most_tiles + self.tile.lanes, self.bytes)
        one = POINTS * self.pitch * self.tile.rows
        self.block_panels = -(-self.panels.count // -(-self.panels.count * one // TARGET))

    def instructions(self) -> list[Instruction]:
        shape, panels = self.shape, self.panels
        panel = shape.channels * self.tile.rows * self.bytes
        points = self.lowering.buffer(shape.groups * POINTS * panels.count * panel).index
        units = shape.images // self.blocks.together * shape.groups * self.blocks.count
        numbers, scratch = self._numbers()
        form = Form(self.tile, panels.small, self.x.type)
        w = Access(self.w.window.buffer, 1, self.w.window.byte_offset)
        tiles = shape.images * shape.groups * self.blocks.tile_rows * self.blocks.tile_columns
        flops = 2 * POINTS * tiles * shape.channels * shape.features
        product = Instruction(
            windows.windows_kernel(form),
            [self._access(self.x), Access(points), w],
            [self._access(self.y)],
            [numbers[word] for word in windows.NUMBERS],
            units,
            flops / (4 * self.tile.lanes * CLOCK * RATE) / units + 200,
            scratch,
        )
        return [self._packing(w, points), product]

    def _access(self, operand: Operand) -> Access:
        """Divided by the images of a unit."""
        access = operand.access(self.lowering)
        return Access(access.buffer, max(access.slabs // self.blocks.together, 1), access.offset)

    def _packing(self, w: Access, points: int) -> Instruction:
        units, steps = self.shape.groups * self.panels.count, self._steps()
        more = {"channels": self.shape.channels, "large": self.panels.large, "panels": self.panels.count}
        return Instruction(
            weights.weights_kernel(self.tile.rows, self.w.type, self.type),
            [w],
            [Access(points, self.shape.groups)],
            [{**steps, **more}[word] for word in weights.NUMBERS],
            units,
            self.shape.channels * self.tile.rows * 8 + 5,
        )

    def _steps(self) -> dict[str, int]:
        """Bytes from number to number of w."""
        group, feature, channel, _, row, column = (one * size(self.w.type) for one in self.strides)
        rows, columns = (taps_in_order(one) or (0, 1) for one in (self.shape.rows, self.shape.columns))
        return {
            "w_group": group, "w_feature": feature, "w_channel": channel, "w_row": row * rows[1],
            "w_column": column * columns[1], "w_first": row * rows[0] + column * columns[0],
        }  # fmt: skip

    def _numbers(self) -> tuple[dict[str, int], int]:
        """The numbers of the kernel, and the bytes of its scratch memory."""
        shape, blocks, panels, y = self.shape, self.blocks, self.panels, self.y.strides
        sizes = blocks.tile_rows, blocks.tile_columns, blocks.rows
        source = source_numbers(shape, sizes, self.x, self.tile, self.pitch)
        rows = 2 * min(blocks.rows, blocks.tile_rows)
        sums = lines(rows * source["pitch"] + 4 * self.tile.lanes, self.bytes)
        at_lines = source["plane"]
        at_v = at_lines + sums
        at_m = at_v + POINTS * source["v_point"]
        features = min(self.block_panels * self.tile.rows, shape.features)
        m_point = lines(features * self.pitch, 1)
        return {
            **source, **self._steps(),
            "groups": shape.groups, "blocks": blocks.count, "together": blocks.together,
            "x_group": self.x.strides[1] * shape.channels,
            "y_image": y[0], "y_group": y[1] * shape.features, "y_feature": y[1], "y_row": y[3],
            "rows": shape.rows.target, "columns": shape.columns.target, "features": shape.features,
            "large": panels.large, "panels": panels.count, "block_panels": self.block_panels,
            "m_point": m_point, "at_lines": at_lines, "at_v": at_v, "at_m": at_m,
            "alone": int(self.alone),
        }, at_m + POINTS * m_point  # fmt: skip


def source_numbers(shape: Shape3, sizes: tuple[int, int, int], x: Operand, tile: Tile, v_pitch: int) -> dict[str, int]:
    """``tiles.NUMBERS``, and the bytes of memory that a "plane" takes.

    Args:
        sizes: tiles in rows and columns, and the rows of a block.
        v_pitch: in bytes.
    """
    tile_rows, tile_columns, block_rows = sizes
    bytes, rows, columns = size(tile.type), shape.rows, shape.columns
    pitch, slack = 2 * tile_columns + 2, tiles.slack(tile)
    highest = 2 * min(block_rows, tile_rows) + 2
    return {
        "channels": shape.channels, "tile_rows": tile_rows, "tile_columns": tile_columns, "block_rows": block_rows,
        "x_image": x.strides[0], "x_channel": x.strides[1], "x_row": x.strides[3],
        "source_rows": rows.source, "source_columns": columns.source,
        "rows_before": rows.before - rows.low, "columns_before": columns.before - columns.low,
        "pitch": pitch, "slack": slack, "plane": tiles.ZEROS + lines(highest * pitch + slack + tile.lanes, bytes),
        "v_pitch": v_pitch // bytes, "v_point": lines(shape.channels * v_pitch, 1),
    }  # fmt: skip


__all__ = [
    "Blocks",
    "Windows",
    "fits",
    "lines",
    "pays",
    "plain_sum",
    "products",
    "source_numbers",
    "taps_in_order",
    "tiles_of",
]

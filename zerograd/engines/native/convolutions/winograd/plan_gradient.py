"""The plan of a gradient of 3x3 taps."""

from __future__ import annotations

from zerograd.engines.native.convolutions.blocks import UNITS, Operand
from zerograd.engines.native.convolutions.geometry import Shape3
from zerograd.engines.native.convolutions.plan_weights import PARTS, SUMS, divisor
from zerograd.engines.native.convolutions.weights import Panels
from zerograd.engines.native.convolutions.winograd import gathering, gradient, plan
from zerograd.engines.native.convolutions.winograd.form import Form
from zerograd.engines.native.convolutions.winograd.plan import POINTS, lines, source_numbers
from zerograd.engines.native.emit import size
from zerograd.engines.native.kernel import Access, Instruction
from zerograd.engines.native.lower import Lowering
from zerograd.engines.native.products.tile import tile_for
from zerograd.engines.native.target import host
from zerograd.settings import settings

TILES = 1 << 20  # bytes of a block's tiles as points, of x and y
LEAST_TILES = 48  # of a block: the sums are read and written once for each
PLAIN_ROWS = 8  # rows of tiles in a plane of the plain sum
SOURCE_CYCLES, TARGET_CYCLES = 12, 5  # to bring a tile of a channel and one of a feature into points
SUM_CYCLES = 1.2  # for each number of a part, from its first zero to the taps
RATE, CLOCK = 0.7, 2.5  # of the peak; cycles in a nanosecond


def _image_groups(shape: Shape3, part: int) -> int:
    """How many parts there are, of so many bytes."""
    most = min(UNITS, PARTS // part, plan.tiles_of(shape) // LEAST_TILES)
    return divisor(shape.images, max(most, 1))


def pays(shape: Shape3, type: str) -> bool:
    """Whether there is such a kernel, and it takes less time than the sum over taps."""
    if not settings.winograd or not plan.fits(shape):
        return False
    kind = "double" if type == "double" else "float"
    columns = tile_for(host(), kind).columns
    features = -(-shape.features // columns) * columns
    numbers = POINTS * shape.channels * features
    moved = SOURCE_CYCLES * shape.channels + TARGET_CYCLES * features
    cost = plan.products(shape, type, features) + size(kind) / 4 * (
        plan.tiles_of(shape) * moved + SUM_CYCLES * numbers * _image_groups(shape, numbers * size(kind))
    )
    return cost < plan.WORTH * plan.plain_sum(shape, type)


class Gradient:
    """The instructions of ``conv_weight``; the arguments are those of ``plan_weights.WeightGradient``."""

    def __init__(self, lowering: Lowering, shape: Shape3, x: Operand, y: Operand, w: Operand) -> None:
        self.lowering, self.shape, self.x, self.y, self.w = lowering, shape, x, y, w
        self.type = "double" if x.type == "double" else "float"
        self.bytes = size(self.type)
        largest = tile_for(host(), self.type)
        row = POINTS * min(shape.features, 16 * largest.lanes) * self.bytes
        self.channels = divisor(shape.channels, max(SUMS // row, 1))
        self.panels = Panels(self.channels, largest.rows)
        self.tile = largest.of(self.panels.rows)
        self.feature_panels = -(-shape.features // self.tile.columns)
        self.panel = POINTS * self.channels * self.tile.columns * self.bytes
        self.block_panels = divisor(self.feature_panels, max(SUMS // self.panel, 1))
        self.channel_blocks = shape.channels // self.channels
        self.feature_blocks = self.feature_panels // self.block_panels
        self.all_panels = shape.groups * self.channel_blocks * self.feature_panels
        self.part = self.all_panels * self.panel
        self.image_groups = _image_groups(shape, self.part)
        self.tile_rows, self.tile_columns = -(-shape.rows.target // 2), -(-shape.columns.target // 2)
        self.rows = self._rows()

    def _rows(self) -> int:
        """Rows of tiles in a block."""
        total = self.shape.images // self.image_groups * self.tile_rows
        one = POINTS * (self.channels + self.block_panels * self.tile.columns) * self.bytes
        most = max(max(TILES // one, LEAST_TILES) // self.tile_columns, 1)
        return -(-total // -(-total // most))

    def instructions(self) -> list[Instruction]:
        shape = self.shape
        units = self.image_groups * shape.groups * self.channel_blocks * self.feature_blocks
        parts = self.lowering.buffer(self.image_groups * self.part).index
        numbers, scratch = self._numbers()
        tiles = shape.images * self.tile_rows * self.tile_columns
        flops = 2 * tiles * self.part / self.bytes
        x, y = self._access(self.x), self._access(self.y)
        product = Instruction(
            gradient.gradient_kernel(Form(self.tile, self.panels.small, self.x.type)),
            [x, y],
            [Access(parts, self.image_groups)],
            [numbers[word] for word in gradient.NUMBERS],
            units,
            flops / (4 * self.tile.lanes * CLOCK * RATE) / units + 200,
            scratch,
        )
        return [product, self._gathering(parts, Access(x.buffer, 1, x.offset), Access(y.buffer, 1, y.offset))]

    def _access(self, operand: Operand) -> Access:
        """Divided by groups of images, if images divide it."""
        access = operand.access(self.lowering)
        return Access(access.buffer, self.image_groups if access.slabs > 1 else 1, access.offset)

    def _shared(self, rows: int) -> dict[str, int]:
        """Numbers of both kernels, for blocks of so many rows of tiles."""
        shape, y = self.shape, self.y.strides
        pitch = lines(rows * self.tile_columns + self.tile.lanes, self.bytes)
        source = source_numbers(shape, (self.tile_rows, self.tile_columns, rows), self.x, self.tile, pitch)
        return {
            **source, "channels": self.channels, "v_point": lines(self.channels * pitch, 1),
            "images": shape.images, "channel_blocks": self.channel_blocks, "feature_blocks": self.feature_blocks,
            "block_panels": self.block_panels, "features": shape.features,
            "x_group": self.x.strides[1] * shape.channels, "y_image": y[0], "y_feature": y[1], "y_row": y[3],
            "rows": shape.rows.target, "columns": shape.columns.target,
        }  # fmt: skip

    def _numbers(self) -> tuple[dict[str, int], int]:
        """The numbers of the product, and the bytes of its scratch memory."""
        shared = self._shared(self.rows)
        row = self.tile.columns * self.bytes
        windows = 2 * min(self.rows, self.tile_rows) * self.shape.columns.target
        y_panel = (self.rows * self.tile_columns | 1) * row
        y_point = lines(self.block_panels * y_panel, 1)
        at_zeros = shared["plane"] + lines(windows * row + 64, 1)
        at_v = at_zeros + lines(row, 1)
        at_y = at_v + POINTS * shared["v_point"]
        return {
            **shared, "image_groups": self.image_groups, "groups": self.shape.groups,
            "large": self.panels.large, "panels": self.panels.count, "y_point": y_point, "y_panel": y_panel,
            "at_packed": shared["plane"], "at_zeros": at_zeros, "at_v": at_v, "at_y": at_y,
        }, at_y + POINTS * y_point  # fmt: skip

    def _gathering(self, parts: int, x: Access, y: Access) -> Instruction:
        shape, tile = self.shape, self.tile
        shared = self._shared(min(PLAIN_ROWS, self.tile_rows))
        taps = lines(9 * self.channels * tile.columns, self.bytes)
        numbers = {
            **shared, "parts": self.image_groups, "all_panels": self.all_panels,
            "w_feature": shape.channels * 9 * size(self.w.type), "at_plane": taps,
        }  # fmt: skip
        whole = self.channel_blocks == 1 and shape.features % tile.columns == 0  # rows of w, one after another
        return Instruction(
            gathering.gathering_kernel(tile, self.x.type),
            [Access(parts), x, y],
            [Access(self.w.window.buffer, self.all_panels if whole else 1)],
            [numbers[word] for word in gathering.NUMBERS],
            self.all_panels,
            self.channels * tile.vectors * (self.image_groups * 8 + 40) + 10,
            taps + shared["plane"],
        )


__all__ = ["Gradient", "pays"]

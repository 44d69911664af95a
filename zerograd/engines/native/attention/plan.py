"""Which instruction computes attention: the length of blocks, the division of scratch memory, costs."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cache
from math import lcm

from zerograd.engines.native.attention.backward import Backward
from zerograd.engines.native.attention.block import Block, Form
from zerograd.engines.native.attention.forward import Forward
from zerograd.engines.native.emit import size
from zerograd.engines.native.kernel import Instruction, Kernel
from zerograd.engines.native.products.matrix import Matrix
from zerograd.engines.native.products.tile import Tile, tile_for
from zerograd.engines.native.target import Target, host

LINE = 64  # bytes
SCORES = 256 << 10  # bytes of a block's scores, which should stay near
RATE = 0.8  # of the peak
CLOCK = 2.5  # cycles in a nanosecond
EXPONENTIAL = 12  # cycles that a vector of scores costs besides the products

KINDS: dict[str, type[Block]] = {"attention": Forward, "attention_gradient": Backward}
PRODUCTS = {"attention": 2, "attention_gradient": 5}


class Shape:
    """How much there is to do."""

    __slots__ = ("heads", "keys", "queries", "sequences", "value_width", "width")

    def __init__(self, sequences: int, heads: int, queries: int, keys: int, width: int, value_width: int) -> None:
        self.sequences, self.heads, self.queries, self.keys = sequences, heads, queries, keys
        self.width, self.value_width = width, value_width

    @property
    def items(self) -> int:
        return self.sequences * self.heads


def plan(
    name: str,
    shape: Shape,
    operands: Mapping[str, Matrix],
    type: str,
    mask: str | None,
    *,
    causal: bool,
    scale: float,
    target: Target | None = None,
) -> Instruction:
    """The instruction of an op.

    Args:
        operands: all that it reads and writes, by name: [sequence, head, row, column] with contiguous columns, and
            statistics [sequence, head, 1, query].
        type: of the numbers in memory; ``mask``: of the mask's.
    """
    kind = KINDS[name]
    single = "double" if type == "double" else "float"
    tile = tile_for(target or host(), single)
    block = _block(tile, shape)
    blocks = -(-shape.queries // block)
    numbers = [shape.heads, shape.queries, shape.keys, shape.width, shape.value_width, block, blocks, _bits(scale)]
    reads = (*kind.reads, *(["mask"] if mask else []))
    for word in (*reads, *kind.writes):
        numbers += operands[word].steps[:3]
    areas, scratch = _areas(kind, tile, shape, block)
    whole = kind is Backward
    units = shape.items * (1 if whole else blocks)
    pairs = shape.items * shape.queries * shape.keys / (2 if causal else 1)
    cost = pairs * PRODUCTS[name] * shape.width / (2 * tile.lanes * CLOCK * RATE)
    cost += pairs * EXPONENTIAL / tile.lanes / CLOCK
    form = Form(tile, type, mask, causal)
    return Instruction(
        _kernel(name, form), [operands[word].access(2) for word in reads],
        [operands[word].access(2) for word in kind.writes], [*numbers, *areas], units, cost / units, scratch,
    )  # fmt: skip


def _block(tile: Tile, shape: Shape) -> int:
    """Whole tiles in both directions, unless their scores take too much memory: then whole panels."""
    most = SCORES // (shape.keys * size(tile.type))
    both = lcm(tile.rows, tile.columns)
    return both if most >= both else max(most // tile.columns, 1) * tile.columns


def _areas(kind: type[Block], tile: Tile, shape: Shape, block: int) -> tuple[list[int], int]:
    """For each area of scratch memory where it begins and bytes from a row to the next; bytes of all."""
    bytes = size(tile.type)
    keys = (-(-shape.keys // tile.rows) + 1) * tile.rows  # a panel is cleared for a tile behind its end
    queries = max(-(-block // unit) * unit for unit in (tile.rows, tile.columns))
    lengths = dict.fromkeys(("query_rows", "incoming_rows"), block) | {"means": 1, "tile": tile.rows}
    wide = {"width": shape.width, "value_width": shape.value_width, "queries": queries, "columns": tile.columns}
    numbers, offset = [], 0
    for operand in kind.panels.values():
        numbers += offset, 0
        depth = {"q": shape.width, "g": shape.value_width, "mask": keys}[operand]
        offset += -(-depth * tile.columns * bytes // LINE) * LINE
    for name, columns in kind.rows.items():
        unit = tile.lanes if columns == "queries" else tile.columns
        pitch = -(-wide[columns] // unit) * unit * bytes
        pitch = (-(-pitch // LINE) | 1) * LINE
        numbers += offset, pitch
        offset += lengths.get(name, keys) * pitch
    return numbers, offset


def _bits(scale: float) -> int:
    return struct.unpack("<q", struct.pack("<d", scale))[0]


@cache
def _kernel(name: str, form: Form) -> Kernel:
    return Kernel.described(name, repr(form), lambda: KINDS[name](form).text())


__all__ = ["KINDS", "Shape", "plan"]

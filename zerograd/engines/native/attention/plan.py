"""Which instruction computes attention: the length of blocks, the division of scratch memory, costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from zerograd.engines.native.attention.backward import Backward
from zerograd.engines.native.attention.block import Block, Form
from zerograd.engines.native.attention.forward import Forward
from zerograd.engines.native.emit import size
from zerograd.engines.native.kernel import Access, Instruction, Kernel
from zerograd.engines.native.mathematics.evaluation import DOUBLE
from zerograd.engines.native.products.combine import combine_kernel
from zerograd.engines.native.products.matrix import Matrix
from zerograd.engines.native.products.tile import Tile, tile_for
from zerograd.engines.native.target import Target, host

LINE = 64  # bytes
SCORES = 256 << 10  # bytes of a block's scores, which should stay near
LONGEST = 128  # queries of a block
RATE = 0.8  # of the peak
CLOCK = 2.5  # cycles in a nanosecond
ITEMS = 8  # fewer heads of sequences than this are divided
LEAST_GROUP = 128  # queries
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
    new_buffer: Callable[[int], int],
    target: Target | None = None,
) -> list[Instruction]:
    """The instructions of an op.

    Args:
        operands: all that it reads and writes, by name: [sequence, head, row, column] with contiguous columns, and
            statistics [sequence, head, 1, query].
        type: of the numbers in memory; ``mask``: of the mask's.
        new_buffer: makes a buffer of so many bytes; gives its number.
    """
    kind = KINDS[name]
    tile = tile_for(target or host(), "double" if type == "double" else "float")
    block = _block(tile, shape)
    blocks = -(-shape.queries // block)
    divided = kind is Backward and all(_even(operands[word]) for word in ("d_k", "d_v"))
    group = _group(shape, blocks) if divided else blocks
    groups = -(-blocks // group)
    given, sums, part_bytes = dict(operands), [], (0, 0)
    if groups > 1:
        parts = [_Parts(tile, shape, groups, operands[word], new_buffer) for word in ("d_k", "d_v")]
        given |= {word: one.first for word, one in zip(("d_k", "d_v"), parts, strict=True)}
        sums = [one.sum() for one in parts]
        part_bytes = parts[0].bytes, parts[1].bytes
    numbers = [
        shape.heads, shape.queries, shape.keys, shape.width, shape.value_width, block, blocks, DOUBLE.pattern(scale),
        group, *part_bytes,
    ]  # fmt: skip
    reads = (*kind.reads, *(["mask"] if mask else []))
    for word in (*reads, *kind.writes):
        numbers += given[word].steps[:3]
    areas, scratch = _areas(kind, tile, shape, block)
    units = shape.items * (groups if kind is Backward else blocks)
    pairs = shape.items * shape.queries * shape.keys / (2 if causal else 1)
    cost = pairs * PRODUCTS[name] * shape.width / (2 * tile.lanes * CLOCK * RATE)
    cost += pairs * EXPONENTIAL / tile.lanes / CLOCK
    form = Form(tile, type, mask, causal, groups > 1)
    made = Instruction(
        _kernel(name, form), [given[word].access(2) for word in reads], [given[word].access(2) for word in kind.writes],
        [*numbers, *areas], units, cost / units, scratch,
    )  # fmt: skip
    return [made, *sums]


class _Parts:
    """What each group of queries adds to the gradient of keys or values: [group, sequence, key, head, column].

    Attributes:
        first: the part of the first group as a result.
        bytes: of a part.
    """

    def __init__(
        self, tile: Tile, shape: Shape, groups: int, result: Matrix, new_buffer: Callable[[int], int]
    ) -> None:  # fmt: skip
        self.tile, self.groups, self.result = tile, groups, result
        self.rows, self.columns = shape.sequences * shape.keys, shape.heads * result.shape[3]
        self.bytes = self.rows * self.columns * size(tile.type)
        strides = (shape.keys * self.columns, result.shape[3], self.columns, 1)
        self.first = Matrix(new_buffer(groups * self.bytes), 0, result.shape, strides, tile.type, -1)

    def sum(self) -> Instruction:
        """The parts added up in order, into the result."""
        read = Access(self.first.buffer)
        return Instruction(
            combine_kernel(self.tile, self.result.type, False), [read, read],
            [Access(self.result.buffer, 1, self.result.offset)],
            [self.columns, self.groups, self.bytes, self.result.steps[2]], self.rows,
            self.groups * self.columns / self.tile.lanes / CLOCK,
        )  # fmt: skip


def _even(result: Matrix) -> bool:
    """Whether the rows of all sequences, with the heads side by side, lie at equal distances."""
    (sequences, heads, rows, columns), (sequence, head, row, _) = result.shape, result.strides
    return (heads == 1 or head == columns) and (sequences == 1 or sequence == rows * row)


def _group(shape: Shape, blocks: int) -> int:
    """Blocks of a group: all, but where there are few items, so that threads have something to do.

    The results of a group have to be added up; so it has no fewer queries than make that little work.
    """
    wanted = -(-ITEMS // shape.items)
    most = max(min(wanted, shape.queries // LEAST_GROUP), 1)
    return -(-blocks // most)


def _block(tile: Tile, shape: Shape) -> int:
    """Whole panels, all queries in blocks of about the same length."""
    most = max(min(SCORES // (shape.keys * size(tile.type)), LONGEST) // tile.columns, 1)
    panels = -(-shape.queries // tile.columns)
    return -(-panels // -(-panels // most)) * tile.columns


def _areas(kind: type[Block], tile: Tile, shape: Shape, block: int) -> tuple[list[int], int]:
    """For each area of scratch memory where it begins and bytes from a row to the next; bytes of all."""
    bytes = size(tile.type)
    keys = (-(-shape.keys // tile.rows) + 1) * tile.rows  # a panel is cleared for a tile behind its end
    queries = max(-(-block // unit) * unit for unit in (tile.rows, tile.columns))
    lengths = dict.fromkeys(("query_rows", "incoming_rows"), block) | {"means": 1, "factors": 1, "tile": tile.rows}
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


@cache
def _kernel(name: str, form: Form) -> Kernel:
    return Kernel.described(name, repr(form), lambda: KINDS[name](form).text())


__all__ = ["KINDS", "Shape", "plan"]

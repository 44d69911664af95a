"""Which instructions compute a recurrent layer: the weight is packed, then blocks of sequences go through the steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from zerograd.engines.native.emit import size
from zerograd.engines.native.kernel import Access, Instruction, Kernel
from zerograd.engines.native.products.matrix import Matrix
from zerograd.engines.native.products.packing import ACROSS, ALONG, ANY, pack_kernel
from zerograd.engines.native.products.tile import Tile, tile_for
from zerograd.engines.native.recurrent import gru, lstm, rnn
from zerograd.engines.native.recurrent.walk import Cell, walk_kernel
from zerograd.engines.native.target import Target, host

FIRST_CACHE = 32 << 10  # bytes
SECOND_CACHE = 512 << 10
LEAST_BLOCK = 4  # sequences that share what is read of the weight
BLOCK, LARGE_BLOCK = 8, 16  # where the weight fits into the second cache, and where it does not
SUMS = 8  # independent ones that keep the processor busy
WASTE = 1.02  # columns computed for each one that a narrower tile would compute
RATE = 0.85  # of the peak
CLOCK = 2.5  # cycles in a nanosecond
FUNCTIONS = 12  # cycles that a vector of a gate costs, its function and its way through memory

CELLS: dict[str, Callable[..., Cell]] = {
    "lstm": lstm.Forward,
    "lstm_gradient": lstm.Backward,
    "gru": gru.Forward,
    "gru_gradient": gru.Backward,
    "rnn": rnn.Forward,
    "rnn_gradient": rnn.Backward,
}


class Steps:
    """An operand, or a result: its place in a buffer, and bytes from a step and from a sequence to the next.

    Attributes:
        access: of the first step and the first sequence in memory.
        step, row: strides in bytes; 0: all share one.
    """

    __slots__ = ("access", "row", "step")

    def __init__(self, access: Access, step: int, row: int) -> None:
        self.access, self.step, self.row = access, step, row

    def turned(self, steps: int) -> Steps:
        """The same, seen from the last step."""
        access = Access(self.access.buffer, self.access.slabs, self.access.offset + (steps - 1) * self.step)
        return Steps(access, -self.step, self.row)


class Shape:
    """How much there is to do: steps, sequences, H."""

    __slots__ = ("batch", "size", "steps")

    def __init__(self, steps: int, batch: int, size: int) -> None:
        self.steps, self.batch, self.size = steps, batch, size


def tile_of(target: Target, type: str, block: int, columns: int) -> Tile:
    """Four rows and two or three vectors with 16 registers, eight rows with 32; fewer rows get more vectors.

    As many vectors as there are registers, unless columns are wasted; no fewer than hide the latency of the
    multiply-add. Where products are rounded before they are added, they need a register too.
    """
    model = tile_for(target, type)
    most = target.registers // 4 - (not model.fused)
    rows = -(-block // -(-block // most))
    widest = min((target.registers - 1) // (rows + 1), 8)
    least = min(-(-SUMS // rows), widest)

    def computed(vectors: int) -> int:
        wide = vectors * model.lanes
        return -(-columns // wide) * wide

    good = min(computed(vectors) for vectors in range(least, widest + 1)) * WASTE
    vectors = next(one for one in range(widest, 0, -1) if computed(one) <= good)
    return Tile(rows, vectors, model.lanes, type, model.fused)


def plan(
    name: str,
    settings: tuple[object, ...],
    shape: Shape,
    operands: Mapping[str, Steps],
    weight: Matrix,
    type: str,
    new_buffer: Callable[[int], int],
    *,
    reverse: bool,
    target: Target | None = None,
) -> list[Instruction]:
    """The instructions of a layer.

    Args:
        name: of the op, ``settings``: what its cell is made with.
        operands: all that the cell reads and writes, by name, but the weight; their last axis is contiguous.
        weight: w [gates H, H].
        type: of the numbers in memory.
        new_buffer: makes a buffer of so many bytes; gives its number.
        reverse: the layer begins at the last step.
    """
    cell = CELLS[name](*settings)
    single = "double" if type == "double" else "float"
    block = _block(shape.batch, cell.gates * shape.size**2 * size(single))
    right = weight if cell.backward else weight.transposed()
    depth, columns = right.shape[-2:]
    tile = tile_of(target or host(), single, block, columns)
    panels = -(-columns // tile.columns)
    packing, packed = _packing(tile, right, panels, new_buffer)
    if reverse != cell.backward:
        operands = {name: one.turned(shape.steps) for name, one in operands.items()}
    rows = -(-block // tile.rows) * tile.rows
    areas, scratch = _areas(cell, tile, shape.size, panels, rows)
    numbers = [shape.steps, shape.batch, shape.size, block, depth, _deep(tile, depth), panels]
    for word in (*cell.reads, *cell.results):
        numbers += operands[word].step, operands[word].row
    reads = [*(operands[word].access for word in cell.reads), Access(packed)]
    writes = [operands[word].access for word in cell.results]
    units = -(-shape.batch // block)
    rate = 2 * tile.lanes * CLOCK  # multiply-adds in a nanosecond
    gates = shape.steps * block * cell.gates * shape.size
    cost = gates * shape.size / (rate * RATE) + gates * FUNCTIONS / tile.lanes / CLOCK
    walk = Instruction(_kernel(name, settings, tile, type), reads, writes, [*numbers, *areas], units, cost, scratch)
    return [packing, walk]


@cache
def _kernel(name: str, settings: tuple[object, ...], tile: Tile, type: str) -> Kernel:
    return walk_kernel(name, CELLS[name], settings, tile, type)


@cache
def _pack_kernel(tile: Tile, type: str, kind: str) -> Kernel:
    return pack_kernel(tile, type, kind)


def _block(batch: int, weight: int) -> int:
    """Sequences in a unit, for a weight of so many bytes: enough to share its panels, and so that units are several."""
    most = BLOCK if weight <= SECOND_CACHE else LARGE_BLOCK
    return min(batch, max(min(-(-batch // 2), most), LEAST_BLOCK))


def _deep(tile: Tile, depth: int) -> int:
    """k in a block: three vectors of each take most of the first cache, for tiles of all shapes; blocks are equal."""
    most = FIRST_CACHE * 3 // 4 // (3 * tile.lanes * size(tile.type))
    blocks = -(-depth // most)
    return -(-depth // blocks)


def _areas(cell: Cell, tile: Tile, columns: int, panels: int, rows: int) -> tuple[list[int], int]:
    """For each area of scratch memory where it begins and bytes from a row to the next; bytes of all."""
    bytes = size(tile.type)
    numbers, offset = [], 0
    for name, blocks in cell.areas.items():
        wide = panels * tile.columns if name == "product" else blocks * columns
        pitch = -(-wide * bytes // 64) * 64 + 64  # rows do not begin in the same places of the cache
        numbers += offset, pitch
        offset += rows * pitch
    return numbers, offset


def _packing(
    tile: Tile, right: Matrix, panels: int, new_buffer: Callable[[int], int]
) -> tuple[Instruction, int]:  # fmt: skip
    """The weight in panels, once for all steps."""
    depth, columns = right.shape[-2:]
    along, across = right.strides[-2:]
    kind = ACROSS if across == 1 or columns == 1 else ALONG if along == 1 or depth == 1 else ANY
    panel = depth * tile.columns
    packed = new_buffer(panels * panel * size(tile.type))
    by = size(right.type)
    numbers = (columns, depth, depth, 1, 0, 0, across * by, along * by)
    instruction = Instruction(
        _pack_kernel(tile, right.type, kind), [right.access()], [Access(packed, panels)], numbers, panels,
        panel * size(tile.type) / 8,
    )  # fmt: skip
    return instruction, packed


__all__ = ["CELLS", "Shape", "Steps", "plan", "tile_of"]

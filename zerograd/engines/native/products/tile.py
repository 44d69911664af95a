"""The inner loop of every product: a small tile of C held in registers while k runs.

    C[r, c] = sum over k of A[r, k] * B[k, c]        r < tile.rows, c < tile.columns

Each element is one chain of fused multiply-adds with k ascending, whatever tile it lies in; so a row's bits do not
depend on the rows that are computed with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from zerograd.engines.native.emit import Function, Operand, Value, size, vector
from zerograd.engines.native.target import Target
from zerograd.frozen import Frozen

UNROLL = 4  # k in a body of the inner loop
FIRST, SECOND = 3, 2  # caches to prefetch into


def prefetch(f: Function, at: Value, cache: int = FIRST, writing: bool = False) -> None:
    """Ask for a line of memory early. Nothing is read: any address will do."""
    f.call("llvm.prefetch.p0", "void", at, *(Value(str(x), "i32") for x in (int(writing), cache, 1)))


class Tile(Frozen):
    """The shape of a tile.

    Attributes:
        rows: of A and C.
        vectors: of B and C in a row of the tile.
        lanes: numbers in a vector.
        type: what is multiplied and summed, "float" or "double".
        fused: whether the processor multiplies and adds in one instruction.
    """

    __slots__ = ("fused", "lanes", "rows", "type", "vectors")

    def __init__(self, rows: int, vectors: int, lanes: int, type: str, fused: bool = True) -> None:
        self.rows, self.vectors, self.lanes, self.type, self.fused = rows, vectors, lanes, type, fused

    @property
    def columns(self) -> int:
        return self.vectors * self.lanes

    @property
    def vector(self) -> str:
        """The type of one vector."""
        return vector(self.type, self.lanes)

    @property
    def bytes(self) -> int:
        """Of the whole tile, stored row by row."""
        return self.rows * self.columns * size(self.type)

    def plus_product(self, f: Function, x: Value, y: Value, z: Value) -> Value:
        """x * y + z, rounded once where the processor can."""
        return f.fma(x, y, z) if self.fused else f.add(f.mul(x, y), z)

    def of(self, rows: int) -> Tile:
        """The same with another number of rows."""
        return Tile(rows, self.vectors, self.lanes, self.type, self.fused)


def tile_for(target: Target, type: str, rows: int | None = None, columns: int | None = None) -> Tile:
    """The tile that fills a processor's registers: two vectors of B, one number of A, the rest sums.

    6 rows with 16 registers, 12 with 32: 12 or 24 independent sums hide the latency of the multiply-add. Where
    products are rounded before they are added, they need registers too: 4 or 8 rows.
    Matrices with few ``columns`` get tiles of 12 rows and one vector, a single row gets 8 vectors.
    """
    lanes = target.lanes * 4 // size(type)
    fused = "+fma" in target.features.split(",") or "aarch64" in target.triple or "arm64" in target.triple
    if rows == 1:
        return Tile(1, 8, lanes, type, fused)
    if columns is not None and columns <= lanes:
        return Tile(12, 1, lanes, type, fused)
    rows = (target.registers - 4) // 12 * 6
    return Tile(rows if fused else rows * 2 // 3, 2, lanes, type, fused)


class Rows:
    """Where the tile's rows of A lie: row r at k is at ``heads[places[r][0]] + places[r][1] + k * step``, in bytes.

    Few heads are kept, because each takes a register and an addition in the loop.
    """

    __slots__ = ("heads", "places", "step")

    def __init__(self, heads: Sequence[Value], places: Sequence[tuple[int, Operand]], step: Operand) -> None:
        self.heads, self.places, self.step = list(heads), list(places), step


def side_by_side(tile: Tile, start: Value, step: Operand) -> Rows:
    """Rows whose numbers of one k are neighbours in memory: packed panels, and transposed matrices in place."""
    return Rows([start], [(0, row * size(tile.type)) for row in range(tile.rows)], step)


def one_below_another(f: Function, tile: Tile, start: Value, stride: Value) -> Rows:
    """Rows that lie ``stride`` bytes apart, each contiguous in k; three share a head."""
    offsets = (0, stride, f.shl(stride, 1))
    triple = f.mul(stride, 3)
    heads = [start]
    while 3 * len(heads) < tile.rows:
        heads.append(f.pointer(heads[-1], triple))
    return Rows(heads, [(row // 3, offsets[row % 3]) for row in range(tile.rows)], size(tile.type))


def clamped(f: Function, tile: Tile, start: Value, stride: Operand, step: Operand, count: Value) -> Rows:
    """Rows ``stride`` bytes apart, ``step`` bytes from k to k, of which only ``count`` exist: the last is repeated."""
    last = f.sub(count, 1)
    heads = [f.pointer(start, f.mul(f.intrinsic("smin", last, row), stride)) for row in range(tile.rows)]
    return Rows(heads, [(row, 0) for row in range(tile.rows)], step)


class Ahead:
    """Memory that is asked for while a tile is computed: a line every UNROLL k.

    Attributes:
        start: the first line.
        step: bytes from each to the next.
    """

    __slots__ = ("start", "step")

    def __init__(self, start: Value, step: Operand) -> None:
        self.start, self.step = start, step


def multiply(
    f: Function, tile: Tile, rows: Rows, b: Value, step: Operand, depth: Operand, unroll: int = UNROLL,
    ahead: Sequence[Ahead] = (),
) -> list[Value]:  # fmt: skip
    """The sums of a tile, row by row, each row as ``tile.vectors`` vectors.

    Args:
        rows: the operand A.
        b: where the tile's columns of B begin; ``tile.columns`` neighbours are read for each k.
        step: bytes from one k to the next in B.
        depth: how many k.
        ahead: what is prefetched.
    """
    depth = f.operand(depth, "i64")
    whole = f.mul(f.div(depth, unroll), unroll) if unroll > 1 else depth
    state = [*rows.heads, b, *[f.const(0, tile.vector)] * (tile.rows * tile.vectors)]
    lines = [one.start for one in ahead]

    def several(count: int, *state: Value) -> list[Value]:
        heads, b, sums = list(state[: len(rows.heads)]), state[len(rows.heads)], list(state[len(rows.heads) + 1 :])
        for k in range(count):
            fixed = [k * one if isinstance(one, int) else 0 for one in (rows.step, step)]
            _one(f, tile, [f.pointer(head, fixed[0]) for head in heads], rows, f.pointer(b, fixed[1]), sums)
            if isinstance(rows.step, Value) or k == count - 1:
                heads = [f.pointer(head, _advance(rows.step, count)) for head in heads]
            if isinstance(step, Value) or k == count - 1:
                b = f.pointer(b, _advance(step, count))
        return [*heads, b, *sums]

    def asking(*state: Value) -> list[Value]:
        before, line = state[: len(state) - len(lines)], state[len(state) - len(lines) :]
        for one in line:
            prefetch(f, one, SECOND)
        return [*several(unroll, *before), *(f.pointer(at, one.step) for at, one in zip(line, ahead, strict=True))]

    state = f.loop(0, whole, unroll, lambda k, *state: asking(*state), [*state, *lines])
    state = state[: len(state) - len(lines)]
    if unroll > 1:
        state = f.loop(whole, depth, 1, lambda k, *state: several(1, *state), state)
    return state[len(rows.heads) + 1 :]


def _advance(step: Operand, count: int) -> Operand:
    """A fixed step is taken once for all k of a body, one known at run time after each k."""
    return step * count if isinstance(step, int) else step


def _one(f: Function, tile: Tile, heads: list[Value], rows: Rows, b: Value, sums: list[Value]) -> None:
    """One k."""
    vectors = [f.load(tile.vector, b, v * tile.lanes) for v in range(tile.vectors)]
    for row, (head, offset) in enumerate(rows.places):
        a = f.splat(f.load(tile.type, f.pointer(heads[head], offset)), tile.lanes)
        for v, x in enumerate(vectors):
            at = row * tile.vectors + v
            sums[at] = tile.plus_product(f, a, x, sums[at])


__all__ = [
    "FIRST", "SECOND", "UNROLL", "Ahead", "Rows", "Tile", "clamped", "multiply", "one_below_another", "prefetch",
    "side_by_side", "tile_for",
]  # fmt: skip

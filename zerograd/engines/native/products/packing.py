"""Operands rearranged for the tile: panels of as many rows of A, or columns of B, as a tile has.

    panel[k, w] = source[w * across + k * along]       w < width

What lies beyond the edge of the matrix repeats its last row or column: what is computed from it is never stored.
Numbers of 16 bits become float32 on the way.
"""

from __future__ import annotations

from collections.abc import Sequence

from zerograd.engines.native.emit import Function, Operand, Value, is_float, lanes, size
from zerograd.engines.native.kernel import Kernel, KernelFunction
from zerograd.engines.native.products.numbers import read
from zerograd.engines.native.products.tile import Tile, prefetch

ACROSS, ALONG, ANY = "across", "along", "any"  # which stride of the source is one number: of w, of k, neither


CHUNK = 16  # k of all panels that are copied before the next, where neighbours in w are neighbours in memory
SQUARES = 64  # k in which a panel of several squares side by side is filled before the next


class Source:
    """A matrix that is packed: where it begins, and its strides in bytes.

    Attributes:
        type: of its numbers.
        kind: ACROSS, ALONG or ANY.
    """

    __slots__ = ("across", "along", "kind", "start", "type")

    def __init__(self, type: str, kind: str, start: Value, across: Operand, along: Operand) -> None:
        self.type, self.kind, self.start = type, kind, start
        self.across, self.along = across, along

    def at(self, f: Function, w: Operand, k: Operand) -> Value:
        """The address of an element."""
        offset = f.add(f.mul(f.operand(w, "i64"), self.across), f.mul(f.operand(k, "i64"), self.along))
        return f.pointer(self.start, offset)


def pack(f: Function, tile: Tile, width: int, source: Source, count: Value, depth: Value, panel: Value) -> None:
    """Write one panel of ``width``, of which ``count`` >= 1 lie inside the matrix.

    Up to ``tile.lanes - 1`` numbers behind the panel are overwritten when ``width`` is no multiple of the lanes and
    the kind is ALONG.
    """
    _KINDS[source.kind](f, tile, width, source, count, depth, panel)


def _across(f: Function, tile: Tile, width: int, source: Source, count: Value, depth: Value, panel: Value) -> None:
    """Neighbours in w are neighbours in memory: whole vectors, and at the edge masked ones."""
    row = width * size(tile.type)
    starts = range(0, width, tile.lanes)
    inside = f.compare("sge", count, starts[-1] + tile.lanes)

    def copy(masks: Sequence[Value | None], unroll: int) -> None:
        def several(many: int, at: Value, to: Value) -> list[Value]:
            for i in range(many):
                prefetch(f, f.pointer(at, f.mul(f.operand(source.along, "i64"), CHUNK)))
                for start, mask in zip(starts, masks, strict=True):
                    x = read(f, source.type, tile.type, tile.lanes, at, start, mask)
                    _store_first(f, x, min(tile.lanes, width - start), f.pointer(to, i * row), start)
                at = f.pointer(at, source.along)
            return [at, f.pointer(to, many * row)]

        whole = f.and_(depth, -unroll)
        state = f.loop(0, whole, unroll, lambda k, *state: several(unroll, *state), [source.start, panel])
        if unroll > 1:
            f.loop(whole, depth, 1, lambda k, *state: several(1, *state), state)

    def edge() -> None:
        copy([f.first(f.sub(count, start), tile.lanes) for start in starts], 1)

    f.if_(inside, lambda: copy([None] * len(starts), 4), edge)


def _store_first(f: Function, x: Value, count: int, to: Value, index: int) -> None:
    """Store so many of the lanes, in whole vectors of fewer: masked stores are slow on some processors."""
    done, n = 0, lanes(x.type)
    while done < count:
        part = min(n, 1 << (count - done).bit_length() - 1)
        piece = x if part == n else f.extract(x, done) if part == 1 else f.shuffle(x, x, range(done, done + part))
        f.store(piece, f.pointer(to, (index + done) * size(x.type)))
        done += part


def _along(f: Function, tile: Tile, width: int, source: Source, count: Value, depth: Value, panel: Value) -> None:
    """Neighbours in k are neighbours in memory: squares of vectors are transposed in registers."""
    n, bytes = tile.lanes, size(tile.type)
    last = f.sub(count, 1)

    def squares(low: Value, high: Value) -> None:
        for start in reversed(range(0, width, n)):  # the last vectors reach into the next k, which is written after
            wide = min(n, width - start)
            heads = [source.at(f, f.intrinsic("smin", last, start + w), 0) for w in range(wide)]

            def square(k: Value, heads: list[Value] = heads, start: int = start) -> None:
                first = f.intrinsic("smin", k, f.sub(depth, n))  # the last square may overlap the one before
                xs = [read(f, source.type, tile.type, n, head, first) for head in heads]
                to = f.pointer(panel, f.add(f.mul(first, width * bytes), start * bytes))
                for i, x in enumerate(transposed(f, xs)):
                    f.store(x, to, i * width)

            f.loop(low, high, n, square)

    def blocks() -> None:
        f.loop(0, depth, SQUARES, lambda k: squares(k, f.intrinsic("smin", f.add(k, SQUARES), depth)))

    def shallow() -> None:
        if is_float(source.type) and size(source.type) > 2:
            _shallow(f, tile, width, source, count, depth, panel)
        else:  # vector masks of narrow numbers are taken apart
            _any(f, tile, width, source, count, depth, panel)

    f.if_(f.compare("sge", depth, n), blocks, shallow)


def _shallow(f: Function, tile: Tile, width: int, source: Source, count: Value, depth: Value, panel: Value) -> None:
    """Fewer k than a vector has lanes: squares of which only the first rows are stored."""
    n, last, mask = tile.lanes, f.sub(count, 1), f.first(depth, tile.lanes)
    for start in reversed(range(0, width, n)):  # the last vectors reach into the next k, which is written after
        heads = [source.at(f, f.intrinsic("smin", last, start + w), 0) for w in range(min(n, width - start))]
        xs = transposed(f, [read(f, source.type, tile.type, n, head, 0, mask) for head in heads])
        for k, x in enumerate(xs[: n - 1]):
            f.if_(f.compare("sgt", depth, k), lambda k=k, x=x, at=start: f.store(x, panel, k * width + at))


def _any(f: Function, tile: Tile, width: int, source: Source, count: Value, depth: Value, panel: Value) -> None:
    """Number by number."""
    last = f.sub(count, 1)

    def one(w: Value) -> None:
        at, to = source.at(f, f.intrinsic("smin", w, last), 0), f.pointer(panel, w, tile.type)

        def number(k: Value) -> None:
            x = read(f, source.type, tile.type, 1, f.pointer(at, f.mul(k, source.along)))
            f.store(x, to, f.mul(k, width))

        f.loop(0, depth, 1, number)

    f.loop(0, width, 1, one)


_KINDS = {ACROSS: _across, ALONG: _along, ANY: _any}


def transposed(f: Function, rows: Sequence[Value]) -> list[Value]:
    """The columns of a square of vectors, of which the last rows may be missing (anything stands for them).

    Within 128 bits neighbours are interleaved (one instruction for each result), then blocks of 128 bits, 256 bits
    change places.
    """
    n = lanes(rows[0].type)
    xs: list[Value | None] = [*rows, *[None] * (n - len(rows))]
    block = min(16 // size(rows[0].type), n)
    half = 1
    while half < block:
        xs = _interleave(f, xs, n, half, block)
        half *= 2
    while half < n:
        swapped: list[Value | None] = [None] * n
        for low in range(n):
            if low & half == 0:
                keep = [i if i & half == 0 else n + i - half for i in range(n)]
                swapped[low] = _shuffled(f, xs[low], xs[low + half], keep)
                swapped[low + half] = _shuffled(f, xs[low], xs[low + half], [i + half for i in keep])
        xs = swapped
        half *= 2
    return [x or Value("poison", rows[0].type) for x in xs]


def _interleave(f: Function, xs: list[Value | None], n: int, size: int, block: int) -> list[Value | None]:
    """Pairs of rows ``size`` apart merged, groups of ``size`` numbers at a time, within blocks.

    Row i then holds, of every block, numbers of column i only up to 2 * size rows; rows are kept in such an order that
    after the last step the i-th is column i of each block.
    """
    out: list[Value | None] = [None] * n
    groups = block // size
    for base in range(0, n, block):
        for i in range(block):
            row, column = divmod(i, size)  # vectors stand as [pair of rows][which columns]
            if row % 2:
                continue
            x, y = xs[base + i], xs[base + i + size]
            for part in range(2):
                take = []
                for start in range(0, n, block):
                    for g in range(groups // 2):
                        at = start + (part * groups // 2 + g) * size
                        take += [*range(at, at + size), *range(n + at, n + at + size)]
                to = base + row // 2 * 2 * size + 2 * column + part
                out[to] = _shuffled(f, x, y, take)
    return out


def _shuffled(f: Function, x: Value | None, y: Value | None, take: Sequence[int]) -> Value | None:
    known = x or y
    if known is None:
        return None
    nothing = Value("poison", known.type)
    return f.shuffle(x or nothing, y or nothing, take)


# --- the kernel -------------------------------------------------------------------------------------------------

PACK_NUMBERS = ("columns", "depth", "whole_depth", "inner", "outer_stride", "inner_stride", "across", "along")


def pack_kernel(tile: Tile, source: str, kind: str, deep: bool = False) -> Kernel:
    """Reads B, writes its panels: [item, panel, k, tile.columns]. Units: items * panels.

    Numbers: PACK_NUMBERS; strides in bytes; ``inner``: the length of the inner of two batch dimensions;
    ``whole_depth``: of all items, where each takes a slice of k (the last may be shorter), else at least
    depth * items. ``deep``: there is one matrix, of ``whole_depth``; items are its slices of k, of ``depth``, and units
    are k, so that who makes a slab of B's rows packs it as well.
    """
    write = _deep_text if deep else _text
    return Kernel.described("pack", repr((tile, source, kind, deep)), lambda: write(tile, source, kind))


def _text(tile: Tile, source: str, kind: str) -> str:
    f = KernelFunction()
    n = {word: f.number(4 + i) for i, word in enumerate(PACK_NUMBERS)}
    start, packed = f.place(0), f.place(1)
    width = tile.columns
    panels = f.div(f.add(n["columns"], width - 1), width)

    chunk = f.operand(CHUNK, "i64") if kind == ACROSS else f.intrinsic("smax", n["depth"], 1)

    def unit(u: Value, k: Value) -> None:
        item, panel = f.div(u, panels), f.rem(u, panels)
        outer, inner = f.div(item, n["inner"]), f.rem(item, n["inner"])
        offset = f.add(f.mul(outer, n["outer_stride"]), f.mul(inner, n["inner_stride"]))
        depth = f.least(n["depth"], f.sub(n["whole_depth"], f.mul(item, n["depth"])))
        matrix = Source(source, kind, f.pointer(start, offset), n["across"], n["along"])
        to = f.pointer(packed, _row(f, tile, f.mul(u, n["depth"]), k))
        _piece(f, tile, matrix, n["columns"], panel, k, f.least(f.sub(depth, k), chunk), to)

    # Neighbouring panels read neighbouring columns: a few rows of all panels stay in reach of the cache.
    f.loop(0, n["depth"], chunk, lambda k: f.loop(f.low, f.high, 1, lambda u: unit(u, k)) and None)
    return f.finish()


def _deep_text(tile: Tile, source: str, kind: str) -> str:
    f = KernelFunction()
    n = {word: f.number(4 + i) for i, word in enumerate(PACK_NUMBERS)}
    start, packed = f.place(0), f.place(1)
    panels = f.div(f.add(n["columns"], tile.columns - 1), tile.columns)
    matrix = Source(source, kind, start, n["across"], n["along"])

    def slice(item: Value) -> None:
        first = f.mul(item, n["depth"])
        last = f.least(f.high, f.add(first, n["depth"]))

        def chunk(k: Value) -> None:
            count = f.least(f.sub(last, k), f.operand(CHUNK, "i64"))

            def panel(u: Value) -> None:
                at = _row(f, tile, f.mul(f.add(f.mul(item, panels), u), n["depth"]), f.sub(k, first))
                _piece(f, tile, matrix, n["columns"], u, k, count, f.pointer(packed, at))

            f.loop(0, panels, 1, panel)

        f.loop(f.intrinsic("smax", f.low, first), last, CHUNK, chunk)

    f.loop(f.div(f.low, n["depth"]), f.add(f.div(f.sub(f.high, 1), n["depth"]), 1), 1, slice)
    return f.finish()


def _row(f: Function, tile: Tile, before: Value, k: Value) -> Value:
    """Where in packed panels a row lies: so many rows of panels and ``k`` more before it."""
    return f.mul(f.add(before, k), tile.columns * size(tile.type))


def _piece(
    f: Function, tile: Tile, matrix: Source, columns: Value, panel: Value, k: Value, count: Value, to: Value
) -> None:
    """Pack so many k, from ``k`` on, of a panel of a matrix."""
    kind, bytes = matrix.kind, size(matrix.type)
    column = f.mul(panel, tile.columns)
    across: Operand = bytes if kind == ACROSS else matrix.across
    along: Operand = bytes if kind == ALONG else matrix.along
    at = f.pointer(matrix.start, f.add(f.mul(column, across), f.mul(k, along)))
    pack(f, tile, tile.columns, Source(matrix.type, kind, at, across, along), f.sub(columns, column), count, to)


__all__ = ["ACROSS", "ALONG", "ANY", "CHUNK", "PACK_NUMBERS", "Source", "pack", "pack_kernel", "transposed"]

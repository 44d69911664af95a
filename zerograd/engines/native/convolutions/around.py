"""What stands around a source, where some weight is not finite.

The gradient of a convolution's input (``conv_input``) adds up what each window gives, and around the image there are no
windows. Kernels read zeros there and multiply them, which changes nothing as long as the weights are finite; but 0
times infinity is NaN. So the packing of weights notes for each panel whether one is not finite, and where the note
says so, a NaN with bits of its own stands in the place of these zeros, and its products are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from zerograd.engines.native.emit import Function, Operand, Value, element, like, size, vector
from zerograd.engines.native.products.tile import Tile

NOTE: Final = 64  # bytes behind a panel of weights, of which the note is the first number
BITS: Final = {"float": 0x7FE5A11D, "double": 0x7FFCA11D7E57A11D}  # no arithmetic makes them


def mark(f: Function, type: str, count: int) -> Value:
    """A vector of what stands around."""
    return f.bitcast(f.const(BITS[type], vector(f"i{8 * size(type)}", count)), vector(type, count))


def marked(f: Function, x: Value) -> Value:
    """Where ``x`` stands around the source."""
    type = element(x.type)
    return f.compare("eq", f.bitcast(x, like(f"i{8 * size(type)}", x.type)), BITS[type])


def noted(f: Function, first: Value, pitch: Value, count: Value, type: str) -> Value:
    """Whether a weight of any of ``count`` panels is not finite; ``first``: the first one's note."""
    add = lambda i, sum: f.add(sum, f.load(type, f.pointer(first, f.mul(i, pitch))))  # noqa: E731
    (total,) = f.loop(0, count, 1, add, [f.const(0, type)])
    return f.compare("uno", total, total)


def multiply_inside(
    f: Function, tile: Tile, a: Value, there: Callable[[Value], Value], depth: Operand, spare: Value
) -> list[Value]:
    """The sums of a tile without what stands around: as ``products.tile.multiply``, and short rather than fast.

    Args:
        a: the panel, as [k][row].
        there: where the tile's columns of B lie for a k.
        spare: memory for a tile.
    """
    count = tile.rows * tile.vectors
    for i in range(count):
        f.store(f.const(0, tile.vector), spare, i * tile.lanes)

    def one(k: Value) -> None:
        b = there(k)
        vectors = [f.load(tile.vector, b, v * tile.lanes) for v in range(tile.vectors)]
        outside = [marked(f, y) for y in vectors]
        at = f.mul(k, tile.rows)

        def row(r: Value) -> None:
            x = f.splat(f.load(tile.type, a, f.add(at, r)), tile.lanes)
            sums = f.pointer(spare, f.mul(r, tile.columns * size(tile.type)))
            for v, y in enumerate(vectors):
                total = f.load(tile.vector, sums, v * tile.lanes)
                f.store(f.select(outside[v], total, tile.plus_product(f, x, y, total)), sums, v * tile.lanes)

        f.loop(0, tile.rows, 1, row)

    f.loop(0, depth, 1, one)
    return [f.load(tile.vector, spare, i * tile.lanes) for i in range(count)]


__all__ = ["NOTE", "mark", "marked", "multiply_inside", "noted"]

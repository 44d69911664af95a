"""The plain sum over taps of a few tiles: for what is not finite, and therefore short rather than fast."""

from __future__ import annotations

from collections.abc import Mapping

from zerograd.engines.native.convolutions import around
from zerograd.engines.native.convolutions.winograd import transforms
from zerograd.engines.native.convolutions.winograd.tiles import Segment, Tiles
from zerograd.engines.native.emit import Value, size
from zerograd.engines.native.kernel import KernelFunction
from zerograd.engines.native.products.numbers import read
from zerograd.engines.native.products.tile import Tile


class Plain:
    """Emits the sums.

    Args:
        n: values of ``windows.NUMBERS``.
        type: of the weights.
        tiles: lays the planes.
        lines: memory for the sums of a segment, with the pitch of its plane.
        alone: whether what stands around the source is marked, and left out.
    """

    def __init__(
        self, f: KernelFunction, n: Mapping[str, Value], tile: Tile, type: str, tiles: Tiles, lines: Value, alone: Value
    ) -> None:  # fmt: skip
        self.alone = alone
        self.f, self.n, self.tile, self.type, self.tiles, self.lines = f, n, tile, type, tiles, lines

    def sums(self, start: Value, segment: Segment, weights: Value) -> None:
        """One feature of a segment, all channels.

        Args:
            start: the source's first channel, in the block's first image.
            weights: the first tap of the feature's first channel.
        """
        f, n, tile = self.f, self.n, self.tile
        count = f.mul(f.shl(f.sub(segment.high, segment.low), 1), n["pitch"])
        zero = f.const(0, tile.vector)
        f.loop(0, count, tile.lanes, lambda i: f.store(zero, self.lines, i))

        def channel(c: Value) -> None:
            self.tiles.lay(start, segment, c)
            at = f.pointer(weights, f.mul(c, n["w_channel"]))
            taps = [(row, column) for row in range(transforms.TAPS) for column in range(transforms.TAPS)]
            places = [f.add(f.mul(n["w_row"], row), f.mul(n["w_column"], column)) for row, column in taps]
            factors = [f.splat(read(f, self.type, tile.type, 1, f.pointer(at, one)), tile.lanes) for one in places]
            offsets = [f.mul(f.add(f.mul(n["pitch"], row), column), size(tile.type)) for row, column in taps]
            heads = [f.pointer(self.tiles.plane, one) for one in offsets]

            def vector(i: Value) -> None:
                total = f.load(tile.vector, self.lines, i)
                for factor, head in zip(factors, heads, strict=True):
                    x = f.load(tile.vector, head, i)
                    outside = f.and_(around.marked(f, x), f.splat(self.alone, tile.lanes))
                    total = f.select(outside, total, tile.plus_product(f, factor, x, total))
                f.store(total, self.lines, i)

            f.loop(0, count, tile.lanes, vector)

        f.loop(0, n["channels"], 1, channel)


__all__ = ["Plain"]

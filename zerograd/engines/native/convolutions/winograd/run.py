"""Numbers of a feature that lie side by side in the target, brought there from scratch memory and looked at."""

from __future__ import annotations

from zerograd.engines.native.emit import Value
from zerograd.engines.native.kernel import KernelFunction
from zerograd.engines.native.products.numbers import write
from zerograd.engines.native.products.tile import Tile


class Run:
    """Emits the writing.

    Args:
        tile: its vectors are copied.
        out: the type of the target.
    """

    def __init__(self, f: KernelFunction, tile: Tile, out: str) -> None:
        self.f, self.tile, self.out = f, tile, out
        self.seen = f.value("ptr", f"alloca {tile.vector}, align 64")

    def begin(self) -> None:
        """Nothing has been written yet."""
        self.f.store(self.f.const(0, self.tile.vector), self.seen)

    def wrong(self) -> Value:
        """Whether any number since then was not finite: 0 times it is NaN, and so is every sum with it."""
        f = self.f
        total = f.fold(f.add, f.load(self.tile.vector, self.seen))
        return f.compare("uno", total, total)

    def write(self, source: Value, to: Value, count: Value) -> None:
        """Bring ``count`` numbers to their place. Up to a vector more of the source is read."""
        f, lanes, kind = self.f, self.tile.lanes, self.tile.vector
        whole = f.and_(count, -lanes)

        def vector(i: Value, seen: Value) -> Value:
            x = f.load(kind, source, i)
            write(f, x, self.out, to, i)
            return f.muladd(x, 0.0, seen)

        seen = f.loop(0, whole, lanes, vector, [f.load(kind, self.seen)])

        def overlapping() -> list[Value]:
            return [vector(f.sub(count, lanes), *seen)]

        def masked() -> list[Value]:
            mask = f.first(count, lanes)
            x = f.select(mask, f.load(kind, source), f.const(0, kind))
            write(f, x, self.out, to, 0, mask)
            return [f.muladd(x, 0.0, *seen)]

        def rest() -> list[Value]:
            return f.if_(f.compare("sge", count, lanes), overlapping, masked)

        seen = f.if_(f.compare("slt", whole, count), rest, lambda: seen)
        f.store(seen[0], self.seen)


__all__ = ["Run"]

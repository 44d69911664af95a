"""Weights as panels of the rows that a tile has: for each group and panel [k][row], k through all parts.

Panels are large, as the tile, or small, with one row less, so that no row is empty. Behind each panel stands a number
that is NaN if a weight of the panel is not finite (see ``around``).
"""

from __future__ import annotations

from functools import reduce

from zerograd.engines.native.convolutions.around import NOTE
from zerograd.engines.native.emit import Value, size
from zerograd.engines.native.kernel import Kernel, KernelFunction
from zerograd.engines.native.products.numbers import read
from zerograd.frozen import Frozen

NUMBERS = ("w_group", "w_row", "large", "panels", "depth")


class Panels(Frozen):
    """Rows divided into panels.

    Attributes:
        rows: of a large panel.
        large, count: how many panels are large, and how many there are.
    """

    __slots__ = ("count", "large", "rows")

    def __init__(self, features: int, most: int) -> None:
        self.count = -(-features // most)
        self.rows = -(-features // self.count)
        self.large = features - self.count * (self.rows - 1)

    @property
    def small(self) -> bool:
        return self.large < self.count


def weights_kernel(rows: int, source: str, type: str) -> Kernel:
    """Reads the weights and a table of i32: where each k lies, in bytes; writes the panels. Units: groups * panels."""
    return Kernel.described("weights", f"{rows} {source} {type}", lambda: _text(rows, source, type))


def _text(rows: int, source: str, type: str) -> str:
    f = KernelFunction()
    n = {word: f.number(6 + i) for i, word in enumerate(NUMBERS)}
    start, table, packed = f.place(0), f.place(1), f.place(2)
    pitch = f.add(f.mul(n["depth"], rows * size(type)), NOTE)

    def unit(u: Value) -> None:
        group, panel = f.div(u, n["panels"]), f.rem(u, n["panels"])
        to = f.pointer(packed, f.mul(u, pitch))
        small = f.compare("sge", panel, n["large"])
        first = f.sub(f.mul(panel, rows), f.select(small, f.sub(panel, n["large"]), 0))
        at = f.pointer(start, f.add(f.mul(group, n["w_group"]), f.mul(first, n["w_row"])))

        def pack(count: int) -> None:
            heads = [at]
            for _ in range(count - 1):
                heads.append(f.pointer(heads[-1], n["w_row"]))

            def one(k: Value, *seen: Value) -> list[Value]:
                offset = f.convert(f.load("i32", table, k), "i64")
                there = f.pointer(to, f.mul(k, count * size(type)))
                numbers = [read(f, source, type, 1, f.pointer(head, offset)) for head in heads]
                for row, x in enumerate(numbers):
                    f.store(x, there, row)
                return [f.muladd(x, 0.0, before) for x, before in zip(numbers, seen, strict=True)]

            seen = f.loop(0, n["depth"], 1, one, [f.const(0, type)] * count)
            f.store(reduce(f.add, seen), f.pointer(to, f.sub(pitch, NOTE)))

        f.if_(small, lambda: pack(max(rows - 1, 1)), lambda: pack(rows))

    f.loop(f.low, f.high, 1, unit)
    return f.finish()


__all__ = ["NUMBERS", "Panels", "weights_kernel"]

"""Weights as points: for each group, point and panel of features [channel][feature], as the tile reads them."""

from __future__ import annotations

from functools import cache

from zerograd.engines.native.convolutions.winograd import transforms
from zerograd.engines.native.emit import Value, size, vector
from zerograd.engines.native.kernel import Kernel, KernelFunction
from zerograd.engines.native.products.numbers import read

NUMBERS = (
    "w_group", "w_feature", "w_channel", "w_row", "w_column", "w_first",  # bytes; the last: of the first tap read
    "channels", "large", "panels",
)  # fmt: skip


@cache
def weights_kernel(rows: int, source: str, type: str) -> Kernel:
    """Reads the weights, writes [group, point, panel, channel, row]. Units: groups * panels.

    Args:
        rows: of a large panel; small ones have one row less, but the same place.
    """
    return Kernel.described("winograd_weights", f"{rows} {source} {type}", lambda: _text(rows, source, type))


def _text(rows: int, source: str, type: str) -> str:
    f = KernelFunction()
    n = {word: f.number(4 + i) for i, word in enumerate(NUMBERS)}
    start, out = f.place(0), f.place(1)
    panel_bytes = f.mul(n["channels"], rows * size(type))
    point_bytes = f.mul(n["panels"], panel_bytes)

    def unit(u: Value) -> None:
        group, panel = f.div(u, n["panels"]), f.rem(u, n["panels"])
        small = f.compare("sge", panel, n["large"])
        first = f.sub(f.mul(panel, rows), f.select(small, f.sub(panel, n["large"]), 0))
        at = f.pointer(start, f.add(n["w_first"], f.add(f.mul(group, n["w_group"]), f.mul(first, n["w_feature"]))))
        to = f.pointer(out, f.add(f.mul(group, f.mul(point_bytes, 16)), f.mul(panel, panel_bytes)))
        f.if_(small, lambda: pack(max(rows - 1, 1), at, to), lambda: pack(rows, at, to))

    def pack(count: int, at: Value, to: Value) -> None:
        heads = [at]
        for _ in range(count - 1):
            heads.append(f.pointer(heads[-1], n["w_feature"]))

        def channel(c: Value) -> None:
            inside = f.mul(c, n["w_channel"])

            def tap(row: int, column: int) -> Value:
                offset = f.add(inside, f.add(f.mul(n["w_row"], row), f.mul(n["w_column"], column)))
                xs = [read(f, source, type, 1, f.pointer(head, offset)) for head in heads]
                return xs[0] if count == 1 else _together(f, xs)

            taps = [[tap(row, column) for column in range(transforms.TAPS)] for row in range(transforms.TAPS)]
            place = f.pointer(to, f.mul(c, count * size(type)))
            for points in transforms.along_both(f, transforms.of_weights, taps):
                for x in points:
                    f.store(x, place)
                    place = f.pointer(place, point_bytes)

        f.loop(0, n["channels"], 1, channel)

    f.loop(f.low, f.high, 1, unit)
    return f.finish()


def _together(f: KernelFunction, xs: list[Value]) -> Value:
    made = Value("poison", vector(xs[0].type, len(xs)))
    for lane, x in enumerate(xs):
        made = f.insert(made, x, lane)
    return made


__all__ = ["NUMBERS", "weights_kernel"]

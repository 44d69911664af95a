"""Padding: a frame of constants, of the border repeated, mirrored, or taken from the other side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zerograd import errors
from zerograd.ir.graph import Node
from zerograd.nn.functional.geometry import known_again
from zerograd.ops import movement
from zerograd.ops.elementwise import copy
from zerograd.ops.pooling import Table, resample
from zerograd.ops.source import filled
from zerograd.shapes import Shape
from zerograd.tensor.door import apply, labelled, reading

Pairs = tuple[tuple[int, int], ...]
LABELS = {
    "reflect": "ReflectionPad{}DBackward0",
    "replicate": "ReplicationPad{}DBackward0",
    "circular": "CopySlices",
}


@labelled("ConstantPadNdBackward0")
def _constant_pad(x: Node, pairs: Pairs, value: complex, _: type) -> Node:
    """A frame of ``value``; where a width is negative, that much is cut off instead."""
    kept = tuple((max(-before, 0), n - max(-after, 0)) for n, (before, after) in zip(x.shape, pairs, strict=True))
    sizes = [n + before + after for n, (before, after) in zip(x.shape, pairs, strict=True)]
    if min(sizes, default=0) < 0:
        raise errors.runtime(
            "pad: the padding cuts off more than there is (length must be non-negative)",
            input=x.type,
            pad=_flat(pairs),
        )
    if any(start or stop != n for n, (start, stop) in zip(x.shape, kept, strict=True)):
        x = _cut(x, kept)
    if not any(one > 0 for pair in pairs for one in pair):
        return copy(x)
    before, after = (tuple(max(pair[side], 0) for pair in pairs) for side in (0, 1))
    return movement.pad(x, before, after, None if value == 0 else filled(value, x.type.with_shape(())))


def _cut(x: Node, kept: Pairs) -> Node:
    starts, stops = (tuple(pair[side] for pair in kept) for side in (0, 1))
    return movement.slice_(x, starts=starts, stops=stops, steps=(1,) * x.rank)


def _flat(pairs: Pairs) -> list[int]:
    return [one for pair in reversed(pairs) for one in pair]


def _mirrored(size: int, before: int, after: int) -> list[int]:
    return [size - 1 - abs(size - 1 - abs(i)) for i in range(-before, size + after)]


def _repeated(size: int, before: int, after: int) -> list[int]:
    return [min(max(i, 0), size - 1) for i in range(-before, size + after)]


def _wrapped(size: int, before: int, after: int) -> list[int]:
    start, stop = max(-before, 0), size - max(-after, 0)
    return [start + i % (stop - start) for i in range(-max(before, 0), stop - start + max(after, 0))]


SOURCES: dict[str, Callable[[int, int, int], list[int]]] = {
    "reflect": _mirrored,
    "replicate": _repeated,
    "circular": _wrapped,
}


class Frame:
    """A padding that repeats the input: the mode, what ``grad_fn`` shows, and the pairs in the order of the axes."""

    __slots__ = ("label", "mode", "pairs")

    def __init__(self, label: str, mode: str, pairs: Pairs) -> None:
        self.label, self.mode, self.pairs = label, mode, pairs

    def check(self, name: str, size: int, before: int, after: int) -> None:
        """Raises RuntimeError where an axis is too small for its padding."""
        limit = {"reflect": size - 1, "circular": size}.get(self.mode)
        if limit is not None and max(before, after) > limit:
            rule = "less than" if self.mode == "reflect" else "at most"
            raise errors.runtime(
                f"pad: {self.mode} padding should be {rule} the corresponding input dimension (no wrapping around more"
                f" than once), but got {(before, after)} for size {size}",
                input=name,
            )
        if size + before + after < 0 or size == 0:
            raise errors.runtime(
                f"pad: the input is too small, output size {size + before + after}",
                input=name,
                pad=(before, after),
            )


_frame = known_again(Frame)


@reading
def _framed(x: Node, frame: Frame) -> Node:
    for axis, (before, after) in enumerate(frame.pairs, x.rank - len(frame.pairs)):
        frame.check(str(x.type), x.shape[axis], before, after)
    sizes = [n + sum(pair) for n, pair in zip(x.shape[-len(frame.pairs) :], frame.pairs, strict=True)]
    if not any(sizes) and frame.mode != "circular":
        raise errors.runtime("pad: the padding cuts everything off", input=x.type, pad=_flat(frame.pairs))
    for axis, (before, after) in enumerate(frame.pairs, x.rank - len(frame.pairs)):
        sources = SOURCES[frame.mode](x.shape[axis], before, after)
        table: Table = tuple((i,) for i in sources)
        x = resample(x, axis=axis, table=table, weights=None)
    return x


def _widths(given: Any) -> Shape:
    if not isinstance(given, list | tuple):
        raise errors.type_(f"pad(): argument 'pad' must be tuple of ints, not {type(given).__name__}")
    try:
        return tuple([one if type(one) is int else one.__index__() for one in given])
    except (AttributeError, TypeError):
        raise errors.type_(f"pad(): argument 'pad' must be tuple of ints, got {list(given)}") from None


def pad(input: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    """``input`` with its last dimensions made larger (or, by negative widths, smaller) on both sides.

    Args:
        pad: (before, after) of the last dimension, then of the one before it, and so on.
        mode: "constant", "reflect" (mirrored at the border's elements), "replicate" (the border repeated) or
            "circular" (continued from the other side). All but "constant" pad the last one, two or three dimensions
            of an input that has one or two more.
        value: what constant padding consists of; 0 by default.
    Raises:
        RuntimeError: an odd number of widths, more than dimensions, or too large ones.
        NotImplementedError: an unknown mode, or an input that the mode does not pad.
    Source: torch.nn.functional.pad.
    """
    widths = _widths(pad)
    rank, count = len(input._shape), len(widths) // 2
    if len(widths) % 2:
        raise errors.runtime(
            "pad takes pairs (before, after), one for each dimension, but their number is odd", pad=pad
        )
    if count > rank:
        raise errors.runtime(
            f"pad: {len(widths)} widths are {count} pairs (before, after), but the input has {rank} dimensions",
            input=input._type,
        )
    pairs = tuple((widths[2 * i], widths[2 * i + 1]) for i in reversed(range(count)))
    if mode == "constant":
        whole = (*((0, 0),) * (rank - count), *pairs)
        fill = 0 if value is None else value if input.dtype.is_inexact else int(value)
        return apply(_constant_pad, (input,), (whole, fill, type(fill)))
    if value is not None and value != 0:
        raise errors.runtime(f"pad: mode {mode!r} doesn't take a value", value=value)
    if mode not in SOURCES:
        raise NotImplementedError(
            errors.message(f"pad: unrecognised padding mode {mode!r}", known="constant, reflect, replicate, circular")
        )
    if count not in (1, 2, 3) or rank not in (count + 1, count + 2):
        raise NotImplementedError(
            errors.message(
                f"pad: mode {mode!r} with {len(widths)} widths is not supported for a {rank}D input",
                supported="2 widths for 2D or 3D, 4 for 3D or 4D, 6 for 4D or 5D",
            )
        )
    return apply(_framed, (input,), (_frame(LABELS[mode].format(count), mode, pairs),))

"""A convolution as sums over taps, along each axis: which source position a tap reads for which output position.

Positions t along an axis are the windows of a forward convolution; for the gradient of its input they are quotients:
an input position i lies at i + before = stride * t + phase, and only taps whose offset has the same remainder reach it.
So the gradient of a strided convolution is one plain convolution for each *part* (a phase along each axis), and no
product with a zero between the gradients is ever computed.

    forward        source i = stride * t + offset - before        offset = tap * dilation
    input          source o = t - offset // stride                for t = (i + before) // stride, of the same phase

The source is read from *planes*: a copy of what a block of positions needs, with zeros around, and for a stride one
plane for each remainder of the position. In a plane, each tap is a fixed distance from the position, so that
neighbouring positions are neighbours in memory for every tap.
"""

from __future__ import annotations

from collections.abc import Sequence

from zerograd.frozen import Frozen


class Part(Frozen):
    """Output positions of one phase along an axis, and the taps that reach them.

    Attributes:
        low, high: the positions t.
        taps: (number of the tap, phase of its plane, distance in the plane).
        step, shift: the output position is ``step * t + shift``.
    """

    __slots__ = ("high", "low", "shift", "step", "taps")

    def __init__(self, low: int, high: int, taps: Sequence[tuple[int, int, int]], step: int, shift: int) -> None:
        self.low, self.high, self.step, self.shift = low, max(high, low), step, shift
        self.taps = tuple(taps)


class Axis(Frozen):
    """One axis of a convolution.

    Attributes:
        source, target: sizes.
        taps: how many.
        step, before: plane position j of phase a holds the source position ``step * j + a - before``.
        phases: planes for different remainders.
        reach: the greatest distance of a tap in a plane.
        parts: of the output.
    """

    __slots__ = ("before", "parts", "phases", "reach", "source", "step", "taps", "target")

    def __init__(
        self, source: int, target: int, taps: int, step: int, before: int, phases: int, parts: Sequence[Part]
    ) -> None:
        self.source, self.target, self.taps, self.step, self.before = source, target, taps, step, before
        self.phases, self.parts = phases, tuple(parts)
        self.reach = max((distance for part in parts for _, _, distance in part.taps), default=0)

    @property
    def low(self) -> int:
        """The first position of any part."""
        return min(part.low for part in self.parts)

    @property
    def high(self) -> int:
        """Behind the last position of any part."""
        return max(part.high for part in self.parts)

    @property
    def lead(self) -> int:
        """Plane positions from 0 on that hold zeros in every phase."""
        return max(-((self.phases - 1 - self.before) // self.step), 0)

    @property
    def end(self) -> int:
        """Plane positions from here on hold zeros in every phase."""
        return max((self.source - 1 + self.before - a) // self.step + 1 for a in range(self.phases))

    @property
    def pitch(self) -> int:
        """From one row of a plane to the next, such that the zeros behind a row are those before the next."""
        assert self.low >= 0
        needed = self.high + self.reach
        return max(min(needed, max(self.end, needed - self.lead)), self.high, 1)


def forward(source: int, target: int, taps: int, stride: int, before: int, dilation: int) -> Axis:
    """Along an axis of ``conv``: from the input of size ``source`` to ``target`` windows."""
    offsets = [tap * dilation for tap in range(taps)]
    part = Part(0, target, [(tap, at % stride, at // stride) for tap, at in enumerate(offsets)], 1, 0)
    return Axis(source, target, taps, stride, before, min(stride, max(offsets, default=0) + 1), [part])


def backward(source: int, target: int, taps: int, stride: int, before: int, dilation: int) -> Axis:
    """Along an axis of ``conv_input``: from ``source`` windows to the input of size ``target``."""
    offsets = [tap * dilation for tap in range(taps)]
    reach = max((at // stride for at in offsets), default=0)
    parts = []
    for phase in range(stride):
        met = [(tap, 0, reach - at // stride) for tap, at in enumerate(offsets) if at % stride == phase]
        low, high = -((phase - before) // stride), (target - 1 + before - phase) // stride + 1
        if high > low:
            parts.append(Part(low, high, met, stride, phase - before))
    return Axis(source, target, taps, 1, reach, 1, parts)


class Depth(Frozen):
    """The outermost of three axes, whose taps are planes of their own.

    Tap k of output position o reads the source position ``(o * step + k * tap + start) / stride``, if that is a whole
    number and inside.
    """

    __slots__ = ("source", "start", "step", "stride", "tap", "taps", "target")

    def __init__(self, source: int, target: int, taps: int, step: int, tap: int, start: int, stride: int) -> None:
        self.source, self.target, self.taps = source, target, taps
        self.step, self.tap, self.start, self.stride = step, tap, start, stride


def depth_forward(source: int, target: int, taps: int, stride: int, before: int, dilation: int) -> Depth:
    """As ``forward``."""
    return Depth(source, target, taps, stride, dilation, -before, 1)


def depth_backward(source: int, target: int, taps: int, stride: int, before: int, dilation: int) -> Depth:
    """As ``backward``."""
    return Depth(source, target, taps, 1, -dilation, before, stride)


class Shape3(Frozen):
    """Numbers of a convolution that both of its directions share.

    Attributes:
        images, groups: how many.
        channels: of the source, in a group; ``features``: of the target, in a group.
        depth, rows, columns: the axes.
    """

    __slots__ = ("channels", "columns", "depth", "features", "groups", "images", "rows")

    def __init__(
        self, images: int, groups: int, channels: int, features: int, depth: Depth, rows: Axis, columns: Axis
    ) -> None:
        self.images, self.groups, self.channels, self.features = images, groups, channels, features
        self.depth, self.rows, self.columns = depth, rows, columns

    @property
    def parts(self) -> list[tuple[Part, Part]]:
        return [(row, column) for row in self.rows.parts for column in self.columns.parts]

    @property
    def plain(self) -> bool:
        """Whether the source itself serves as planes: no zeros around, no strides."""
        axes = self.rows, self.columns
        inside = self.depth.stride == 1 and self.depth.start == 0 and self.depth.tap >= 0
        inside = inside and (self.depth.target - 1) * self.depth.step + (self.depth.taps - 1) * self.depth.tap < max(
            self.depth.source, 1
        )
        return inside and all(
            one.step == 1 and one.before == 0 and len(one.parts) == 1 and one.high + one.reach <= one.source
            for one in axes
        )


__all__ = [
    "Axis", "Depth", "Part", "Shape3", "backward", "depth_backward", "depth_forward", "forward",
]  # fmt: skip

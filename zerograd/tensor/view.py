"""Views: ways to look at part of a storage, and to put a changed part back.

Every step obeys ``write(base, read(base)) == base``. Strides and offset are what PyTorch would report.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from zerograd import errors
from zerograd.dtypes import bool_, dtype
from zerograd.frozen import Frozen
from zerograd.ir.graph import Array, Node, TensorType
from zerograd.ir.layout import unless_contiguous
from zerograd.ir.record import laid
from zerograd.ops import movement
from zerograd.ops.indexing import gather
from zerograd.ops.movement import expand, inverse, permute, reshape, slice_, slice_write
from zerograd.ops.reduction import argmax
from zerograd.ops.source import filled
from zerograd.shapes import Shape, contiguous_strides, infer_size


class Layout(NamedTuple):
    """Where the elements of a tensor lie in its storage, in elements, as PyTorch counts."""

    shape: Shape
    strides: Shape
    offset: int = 0


def check_overlap(layout: Layout) -> None:
    """That every element to be written has a place of its own.

    Raises:
        RuntimeError: a dimension is repeated by stride 0.
    """
    if 0 not in layout.shape and any(
        stride == 0 and size > 1 for stride, size in zip(layout.strides, layout.shape, strict=True)
    ):
        raise errors.runtime(
            "unsupported operation: several elements of the written-to tensor are one place in memory",
            shape=list(layout.shape),
            strides=list(layout.strides),
            hint="call .clone() or .contiguous() on the expanded tensor first",
        )


class Step(Frozen):
    """One way to look at a base.

    Attributes:
        label: what ``grad_fn`` calls it.
        whole: it shows every element of its base.
        moves: it shows a part of its base, often another one each time.
    """

    __slots__ = ()
    whole = False
    moves = False

    label: str

    def read(self, base: Node) -> Node:
        """The part that this step looks at."""
        raise NotImplementedError

    def write(self, base: Node, part: Node) -> Node:
        """The base with that part replaced."""
        raise NotImplementedError

    def look(self, base: Array) -> Array:
        """The same as ``read``, as a NumPy view, for shared memory."""
        raise NotImplementedError

    def ready_look(self) -> Callable[[Array], Array]:
        """``look``, with all prepared that is the same each time."""
        return self.look

    def layout(self, base: Layout, kind: dtype) -> Layout:
        """Where the view's elements lie, given where those of the base do, and the base's dtype."""
        raise NotImplementedError


class View:
    """A step taken from a tensor of known type and layout.

    Equal views are the same step to the same shape and strides, wherever in the storage they begin.

    Attributes:
        layout, type: of what is seen.
        label: what ``grad_fn`` calls it.
        whole, moves, read, write, look: of the step.
    """

    __slots__ = ("_hash", "label", "layout", "look", "moves", "read", "step", "type", "whole", "write")

    def __init__(self, step: Step, base: Layout, kind: dtype) -> None:
        self.step = step
        self.layout = layout = step.layout(base, kind)
        self.type = TensorType(layout.shape, getattr(step, "dtype", kind))
        self.label = step.label
        self.whole = step.whole
        self.moves = step.moves
        self.read, self.write, self.look = step.read, step.write, step.ready_look()
        self._hash = hash((step, layout.shape, layout.strides))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, View)
            and self.step == other.step
            and self.type is other.type
            and self.layout.strides == other.layout.strides
        )

    def __hash__(self) -> int:
        return self._hash


MOST_VIEWS = 8192
known_views: dict[Any, list[View]] = {}  # by function, type, layout and arguments, see ``TensorBase._look``


def remember_views(key: Any, views: list[View]) -> None:
    """Remember what was made, up to a bound: a loop over data looks at another place each time."""
    if len(known_views) >= MOST_VIEWS:
        known_views.clear()
    known_views[key] = views


def given(tensor: Any, step: Step) -> Step:
    """A step that needs no making."""
    return step


def read_view(base: Node, view: View) -> Node:
    """What ``view`` shows of ``base``."""
    node = view.read(base)
    strides = unless_contiguous(view.layout.shape, view.layout.strides)
    if node.tracked:
        node.strides = strides  # a node of its own, see ``_run``
        return node
    return laid(node, strides)


def write_views(base: Node, part: Node, views: tuple[View, ...]) -> Node:
    """``base`` with the part that ``views``, one after the other, look at replaced."""
    new = written(base, part, views)
    if base.tracked and all(view.whole for view in views):
        return movement.overwrite(base, new)  # nothing of the base is left but its history
    return new


def written(base: Node, part: Node, views: tuple[View, ...]) -> Node:
    """``base`` as it is after writing, without its history where nothing of it is left."""
    if not views:
        return part
    first, rest = views[0], views[1:]
    inner = first.read(base)
    new = written(inner, part, rest)
    if rest and isinstance(first.step, Expand) and all(view.type.dtype is first.type.dtype for view in rest):
        none, every = TensorType(inner.shape, bool_), TensorType(part.shape, bool_)
        return first.step.write_some(base, new, written(filled(False, none), filled(True, every), rest))
    return first.write(base, new)


write_views.label = "CopySlices"  # pyright: ignore[reportFunctionMemberAccess]


class Reshape(Step):
    """The same elements in the same order under another shape."""

    __slots__ = ("label", "shape")
    whole = True

    def __init__(self, shape: Shape, label: str = "ViewBackward0") -> None:
        self.shape, self.label = shape, label

    def read(self, base: Node) -> Node:
        return reshape(base, shape=self.shape)

    def write(self, base: Node, part: Node) -> Node:
        return reshape(part, shape=base.shape)

    def look(self, base: Array) -> Array:
        return base.reshape(self.shape)  # NumPy gives a view where ``layout`` has found strides

    def layout(self, base: Layout, kind: dtype) -> Layout:
        strides = view_strides(base.shape, base.strides, self.shape)
        if strides is None:
            raise errors.runtime(
                "view: this shape would need a copy, because the elements do not lie in order",
                input=f"shape {list(base.shape)}, strides {list(base.strides)}",
                wanted=list(self.shape),
                hint="use .reshape(...), which copies where it must",
            )
        return Layout(self.shape, strides, base.offset)


def view_strides(shape: Shape, strides: Shape, wanted: Shape) -> Shape | None:
    """Strides under which the same memory has the wanted shape, or ``None`` if there are none.

    Groups of old dimensions that lie contiguously are cut into new ones.
    """
    if 0 in shape:
        return strides if shape == wanted else contiguous_strides(wanted)
    result = [0] * len(wanted)
    at = len(wanted) - 1
    group = 1
    step = strides[-1] if strides else 1
    for i in range(len(shape) - 1, -1, -1):
        group *= shape[i]
        if i == 0 or (shape[i - 1] != 1 and strides[i - 1] != group * step):
            covered = 1
            while at >= 0 and (covered < group or wanted[at] == 1):
                result[at] = covered * step
                covered *= wanted[at]
                at -= 1
            if covered != group:
                return None
            if i > 0:
                group, step = 1, strides[i - 1]
    if not shape:
        return (1,) * len(wanted)
    return tuple(result) if at == -1 else None


class Insert(Step):
    """Dimensions of size 1 at the places ``axes`` of the result, with the given strides, which lead nowhere."""

    __slots__ = ("axes", "label", "strides")
    whole = True

    def __init__(self, axes: Shape, strides: Shape, label: str = "UnsqueezeBackward0") -> None:
        self.axes, self.strides, self.label = axes, strides, label

    def _with(self, others: Shape, own: Shape) -> Shape:
        result = list(others)
        for axis, value in zip(self.axes, own, strict=True):
            result.insert(axis, value)
        return tuple(result)

    def read(self, base: Node) -> Node:
        return reshape(base, shape=self._with(base.shape, (1,) * len(self.axes)))

    def write(self, base: Node, part: Node) -> Node:
        return reshape(part, shape=base.shape)

    def look(self, base: Array) -> Array:
        return np.expand_dims(base, self.axes)

    def layout(self, base: Layout, kind: dtype) -> Layout:
        shape = self._with(base.shape, (1,) * len(self.axes))
        return Layout(shape, self._with(base.strides, self.strides), base.offset)


class Drop(Step):
    """Without some dimensions of size 1."""

    __slots__ = ("axes", "label")
    whole = True

    def __init__(self, axes: Shape, label: str = "SqueezeBackward0") -> None:
        self.axes, self.label = axes, label

    def _without(self, values: Shape) -> Shape:
        return tuple(value for i, value in enumerate(values) if i not in self.axes)

    def read(self, base: Node) -> Node:
        return reshape(base, shape=self._without(base.shape))

    def write(self, base: Node, part: Node) -> Node:
        return reshape(part, shape=base.shape)

    def look(self, base: Array) -> Array:
        return np.squeeze(base, self.axes)

    def layout(self, base: Layout, kind: dtype) -> Layout:
        return Layout(self._without(base.shape), self._without(base.strides), base.offset)


class Permute(Step):
    """The axes in another order."""

    __slots__ = ("label", "order")
    whole = True

    def __init__(self, order: Shape, label: str = "PermuteBackward0") -> None:
        self.order, self.label = order, label

    def read(self, base: Node) -> Node:
        return permute(base, order=self.order)

    def write(self, base: Node, part: Node) -> Node:
        return permute(part, order=inverse(self.order))

    def look(self, base: Array) -> Array:
        return base.transpose(self.order)

    def layout(self, base: Layout, kind: dtype) -> Layout:
        return Layout(
            tuple(base.shape[axis] for axis in self.order),
            tuple(base.strides[axis] for axis in self.order),
            base.offset,
        )


def alias(rank: int) -> Permute:
    """The whole of a tensor as it is."""
    return Permute(tuple(range(rank)), "AliasBackward0")


class Slice(Step):
    """A box with positive steps; axes in ``dropped`` (of size 1) disappear."""

    __slots__ = ("dropped", "label", "starts", "steps", "stops")
    moves = True

    def __init__(
        self, starts: Shape, stops: Shape, steps: Shape, dropped: Shape = (), label: str = "SliceBackward0"
    ) -> None:
        self.starts, self.stops, self.steps, self.dropped, self.label = starts, stops, steps, dropped, label

    def read(self, base: Node) -> Node:
        part = slice_(base, starts=self.starts, stops=self.stops, steps=self.steps)
        if self.dropped:
            part = reshape(part, shape=tuple(n for i, n in enumerate(part.shape) if i not in self.dropped))
        return part

    def write(self, base: Node, part: Node) -> Node:
        if self.dropped:
            sizes = map(range, self.starts, self.stops, self.steps)
            part = reshape(part, shape=tuple(map(len, sizes)))
        return slice_write(base, part, starts=self.starts, stops=self.stops, steps=self.steps)

    def look(self, base: Array) -> Array:
        return self.ready_look()(base)

    def ready_look(self) -> Callable[[Array], Array]:
        index = map(slice, self.starts, self.stops, self.steps)
        return itemgetter((*(one.start if i in self.dropped else one for i, one in enumerate(index)), ...))  # no scalar

    def layout(self, base: Layout, kind: dtype) -> Layout:
        boxes = list(zip(self.starts, self.stops, self.steps, base.strides, strict=True))
        offset = base.offset + sum(start * stride for start, _, _, stride in boxes)
        kept = [box for i, box in enumerate(boxes) if i not in self.dropped]
        return Layout(
            tuple(len(range(start, stop, step)) for start, stop, step, _ in kept),
            tuple(step * stride for _, _, step, stride in kept),
            offset,
        )


class Expand(Step):
    """Dimensions added in front, and dimensions of size 1 repeated with stride 0."""

    __slots__ = ("label", "shape")

    def __init__(self, shape: Shape, label: str = "ExpandBackward0") -> None:
        self.shape, self.label = shape, label

    def _lead(self, base: Shape) -> int:
        return len(self.shape) - len(base)

    def read(self, base: Node) -> Node:
        lead = self._lead(base.shape)
        if lead:
            base = reshape(base, shape=(1,) * lead + base.shape)
        return expand(base, shape=self.shape)

    def write(self, base: Node, part: Node) -> Node:
        """Writing to repeated elements: the last one stays, as memory would have it."""
        lead = self._lead(base.shape)
        padded = (1,) * lead + base.shape
        starts = tuple(n - m for m, n in zip(padded, self.shape, strict=True))
        last = slice_(part, starts=starts, stops=self.shape, steps=(1,) * len(starts))
        return reshape(last, shape=base.shape)

    def write_some(self, base: Node, part: Node, mask: Node) -> Node:
        """Writing to some of the repeated elements: of each element's copies, the one that ``mask`` marks stays."""
        padded = (1,) * self._lead(base.shape) + base.shape
        axes = range(len(padded))
        order = sorted(axes, key=lambda i: self.shape[i] == padded[i])  # those repeated first
        shape = (-1, *(n for m, n in zip(padded, self.shape, strict=True) if m == n))
        if 0 in self.shape:
            return base
        copies, marks = (reshape(permute(one, order=tuple(order)), shape=infer_size(shape, one.type.count))
                         for one in (part, mask))  # fmt: skip
        return reshape(gather(copies, argmax(marks, axis=0), axis=0), shape=base.shape)

    def look(self, base: Array) -> Array:
        lead = self._lead(base.shape)
        strides = (0,) * lead + tuple(
            0 if m != n else s for m, n, s in zip(base.shape, self.shape[lead:], base.strides, strict=True)
        )
        return np.lib.stride_tricks.as_strided(base, self.shape, strides)

    def layout(self, base: Layout, kind: dtype) -> Layout:
        lead = self._lead(base.shape)
        if not base.shape:
            return Layout(self.shape, (0,) * lead, base.offset)
        strides = tuple(0 if m != n else s for m, n, s in zip(base.shape, self.shape[lead:], base.strides, strict=True))
        # PyTorch gives an added dimension of size 1 the stride of a contiguous one.
        added: list[int] = []
        for i in range(lead - 1, -1, -1):
            size, following = self.shape[i], (*added, *strides)
            behind = self.shape[i + 1] * following[0] if following else 1
            added.insert(0, 0 if size != 1 else behind)
        return Layout(self.shape, (*added, *strides), base.offset)


def side_by_side(base: Array) -> Array:
    """``base`` with neighbours of the last dimension next to each other: a copy of values that lie in another way.

    Memory that is shared lies by its layout, so there it is no copy.
    """
    return base if not base.ndim or base.strides[-1] == base.itemsize else np.ascontiguousarray(base)


class Bitcast(Step):
    """The same bytes as another dtype; with another element size the last dimension changes."""

    __slots__ = ("dtype", "label")
    whole = True

    def __init__(self, dtype: dtype, label: str = "ViewBackward0") -> None:
        self.dtype, self.label = dtype, label

    def read(self, base: Node) -> Node:
        return movement.bitcast(base, dtype=self.dtype)

    def write(self, base: Node, part: Node) -> Node:
        return movement.bitcast(part, dtype=base.dtype)

    def look(self, base: Array) -> Array:
        return side_by_side(base).view(self.dtype.numpy)

    def layout(self, base: Layout, kind: dtype) -> Layout:
        shape = movement.bitcast.infer(TensorType(base.shape, kind), dtype=self.dtype).shape  # pyright: ignore[reportAttributeAccessIssue]
        old, new = kind.itemsize, self.dtype.itemsize
        if old == new:
            return base
        if base.strides[-1] != 1:
            raise errors.runtime(
                f"{kind.name} can be seen as {self.dtype.name} where elements lie side by side, but the last stride is"
                f" {base.strides[-1]}"
            )
        if any(stride * old % new for stride in (*base.strides[:-1], base.offset)):
            raise errors.runtime(
                f"{kind.name} is seen as {self.dtype.name} where strides and offset are multiples of {new // old}",
                strides=list(base.strides),
                storage_offset=base.offset,
            )
        strides = (*(stride * old // new for stride in base.strides[:-1]), 1)
        return Layout(shape, strides, base.offset * old // new)

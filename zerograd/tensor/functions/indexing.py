"""``x[...]``, read and written: integers, slices, None, ..., masks, index tensors, and mixtures.

An index is taken apart into a *window*, which is a view (integers, slices, ``None``, ``...``), and index tensors for
dimensions of that window. Dimensions indexed by tensors come out where they were if they are neighbours, else first.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.ir.graph import Node
from zerograd.ir.record import recorder
from zerograd.ops import elementwise, indexing, movement
from zerograd.ops.movement import inverse, permute, reshape
from zerograd.ops.source import filled
from zerograd.shapes import Shape, broadcast
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply, labelled
from zerograd.tensor.functions.conversion import copy_
from zerograd.tensor.functions.data import made_of
from zerograd.tensor.functions.shaping import select_step
from zerograd.tensor.view import Insert, Slice, Step, alias

Window = tuple[Any, list[Any]]  # the view, and per dimension an index tensor or None


def getitem(input: TensorBase, index: Any) -> Any:
    """``input[index]``: a view for integers, slices, ``None`` and ``...``; a copy with masks and index tensors.

    Raises:
        IndexError: out of range, too many indices, or nothing that can be an index.
        ValueError: a slice with a step that is not positive.
    """
    if type(index) is int:
        if not input._shape:
            raise _no_dimensions()
        size = input._shape[0]
        _check_integer(index, size, 0)
        return input._look(select_step, 0, index + size if index < 0 else index)
    parts = _basic_parts(index)
    if parts is not None:
        return input._look(_basic_steps, parts)
    if _is_list_of_places(input, index):
        check_places(index, input._shape[0], 0)
        return apply(_read_rows, (input, index))
    window, tensors = parse(input, index)
    if not tensors:
        return window
    return apply(_read, (window, expand_masks(tensors)))


def _is_list_of_places(input: TensorBase, index: Any) -> bool:
    """Whether all of an index is one tensor of places along the first dimension, and some element is read."""
    if not isinstance(index, TensorBase):
        return False
    kind = index._type
    usual = (kind.dtype is dtypes.int64 or kind.dtype is dtypes.int32) and kind.shape
    return bool(usual and input._shape and kind.count and input._type.count)


def _basic_parts(index: Any) -> tuple[Any, ...] | None:
    """An index of integers, slices, ``None`` and ``...`` alone, with tuples for slices, which have no hash yet."""
    parts: list[Any] = []
    for one in index if type(index) is tuple else (index,):
        kind = type(one)
        if kind is slice:
            start, stop, step = one.start, one.stop, one.step
            if not (type(start) in _BOUNDS and type(stop) in _BOUNDS and type(step) in _BOUNDS) or (step or 1) < 1:
                return None
            parts.append((start, stop, step))
        elif one is None or one is Ellipsis or kind is int:
            parts.append(one)
        else:
            return None
    return tuple(parts)


_BOUNDS = frozenset((int, type(None)))


def _basic_steps(input: TensorBase, parts: tuple[Any, ...]) -> list[Step]:
    return _window(input, [slice(*one) if type(one) is tuple else one for one in parts]).view_steps()


def setitem(input: TensorBase, index: Any, value: Any) -> None:
    """``input[index] = value``, broadcast and converted."""
    if not isinstance(value, TensorBase):
        value = _number(input, value)
    if index is False:
        return  # no place is named; PyTorch does not even compare shapes
    parts = _basic_parts(index)
    if parts is not None:
        copy_(input._look(_basic_steps, parts), value)
        return
    window, tensors = parse(input, None if index is True else index)
    if not tensors:
        copy_(window, value)
        return
    write(window, tensors, value, accumulate=False)


def write(window: Any, tensors: list[Any], value: Any, *, accumulate: bool) -> None:
    """Put ``value`` at, or add it to, the places of ``window`` that index tensors name."""
    window._check_writable()
    mask = _single_mask(tensors)
    if isinstance(value, TensorBase):
        scalar = not value._shape and not accumulate
        if value.dtype is not window.dtype and not (scalar and mask is not None):
            raise errors.runtime(
                "a tensor of another dtype cannot be written at an index",
                destination=window._type,
                source=value._type,
                hint=f"convert the value: value.to(torch.{window.dtype.name})",
            )
    else:
        scalar = not accumulate
    if scalar and mask is not None:
        window._assign(apply(_write_masked, (window, mask, value), (tensors.index(mask),))._node())
    else:
        window._assign(apply(_write, (window, expand_masks(tensors), value), (accumulate,))._node())


def _single_mask(tensors: list[Any]) -> Any:
    given = [one for one in tensors if one is not None]
    return given[0] if len(given) == 1 and given[0].dtype is dtypes.bool_ and given[0]._shape else None


def _number(input: TensorBase, value: Any) -> Any:
    if isinstance(value, bool | int | float | complex):
        if isinstance(value, complex) and not input.dtype.is_complex:
            raise errors.runtime(f"{input.dtype.name} does not hold the value", value=value)
        return value
    if isinstance(value, np.generic):
        return value.item()
    kind = "numpy.ndarray" if isinstance(value, np.ndarray) else type(value).__name__
    raise errors.type_(
        f"can't assign a {kind} to a tensor of {input.dtype}", hint="torch.tensor(value) or torch.as_tensor(value)"
    )


# --- taking an index apart -----------------------------------------------------------------------------


def parse(input: TensorBase, index: Any) -> Window:
    """The view that the basic parts of ``index`` give, and the index tensors on its dimensions ([] if none)."""
    parts = index if isinstance(index, tuple) else _one_or_many(index)
    parts = [_as_index(one) for one in parts]
    if isinstance(index, slice):
        _check_step(index)
    window = _window(input, parts)
    window.check_masks()
    seen = input
    for step in window.view_steps():
        seen = seen._see(step)
    if window.checks:
        window.check(seen._shape)
    return seen, window.tensors if any(one is not None for one in window.tensors) else []


def _window(input: TensorBase, parts: list[Any]) -> _Window:
    shape = input._shape
    consumed = sum(_consumes(one) for one in parts)
    if consumed > len(shape):
        if not shape and len(parts) == 1 and isinstance(parts[0], int):
            raise _no_dimensions()
        raise errors.index(f"{consumed} indices for a tensor of {len(shape)} dimensions", tensor=input._type)
    window = _Window(input)
    for i, one in enumerate(parts):
        if one is not Ellipsis:
            window.take(one)
        elif not window.dotted:
            window.skip(len(shape) - consumed)
            window.dotted = True
        elif consumed < len(shape):
            if any(other is not Ellipsis and other != slice(None) for other in parts[i:]):
                raise errors.index("an index can contain one `...`: a second one leaves no dimension for what follows")
            break
    window.skip(len(shape) - window.at)
    return window


def _no_dimensions() -> Exception:
    return errors.index("a tensor without dimensions has no index", hint="tensor.item() gives its number")


def _one_or_many(index: Any) -> Any:
    """A list that holds more than numbers stands for a tuple, as PyTorch still reads it."""
    if not isinstance(index, list) or len(index) >= 32:
        return (index,)
    if not any(isinstance(one, TensorBase | list | tuple | slice) or one is None or one is Ellipsis for one in index):
        return (index,)
    warnings.warn(
        "x[a list of several indices] is read as x[tuple(list)], which will change: write x[tuple(list)], or"
        " x[torch.tensor(list)] to take those places",
        UserWarning,
        stacklevel=4,
    )
    return tuple(index)


def _as_index(one: Any) -> Any:
    """An int, bool, slice, None, Ellipsis, or a tensor of places or truth values."""
    if one is None or one is Ellipsis or isinstance(one, bool | int | slice):
        return one
    if isinstance(one, np.ndarray) and one.ndim:
        one = made_of(one, None)
    elif isinstance(one, list | tuple | range | str):
        one = made_of(one, None) if len(one) else made_of(np.zeros(0, np.int64), None)
    elif isinstance(one, np.bool_):
        return bool(one)
    if isinstance(one, TensorBase):
        return _as_places(one)
    try:
        return one.__index__()
    except (AttributeError, TypeError):
        raise errors.index(
            f"a tensor cannot be indexed by a {type(one).__name__}",
            hint="indices are integers, slices, ..., None, and tensors and lists of integers or bools",
        ) from None


def _as_places(one: TensorBase) -> Any:
    if one.dtype is dtypes.uint8:
        warnings.warn(
            "an index of uint8 is read as a mask, which will change: write mask.bool()",
            UserWarning,
            stacklevel=4,
        )
        one = one.bool()
    if one.dtype is dtypes.bool_:
        return one if one._shape else bool(one.item())
    if one.dtype.category == dtypes.INTEGER and not one._shape:
        return one.item()
    return one


def _consumes(one: Any) -> int:
    if one is None or one is Ellipsis or isinstance(one, bool):
        return 0
    if isinstance(one, TensorBase):
        return len(one._shape) if one.dtype is dtypes.bool_ else 1
    return 1


def _no_such_index(index: int, size: int, at: int, error: Callable[..., Exception] = errors.index) -> Exception:
    return error(f"there is no index {index} in dimension {at}, which has {size} elements")


def _check_step(one: slice) -> None:
    if one.step is not None and one.step < 1:
        raise errors.value(
            "a slice of a tensor walks forwards: its step is 1 or more",
            slice=one,
            hint="x.flip(dim) reverses a dimension",
        )


def _check_integer(index: int, size: int, at: int) -> None:
    if not -size <= index < size:
        raise _no_such_index(index, size, at)


def _names_any(one: Any) -> bool:
    """Whether an index tensor or a mask names a place."""
    if one is None:
        return True
    return bool(one._array().any()) if one.dtype is dtypes.bool_ else bool(one._type.count)


class _Window:
    """The boxes that an index cuts from each dimension, and what lies in each dimension of the result.

    Attributes:
        at: the next dimension of the input.
        inserted: the new dimensions of the result and their strides, of the dimension that follows as it is uncut.
        tensors: for each dimension of the result, an index tensor or ``None``.
    """

    def __init__(self, input: TensorBase) -> None:
        layout = input._laid_out()
        self.shape = shape = layout.shape
        self.strides = layout.strides
        self.at = 0
        self.dotted = False
        self.starts, self.stops, self.steps = [0] * len(shape), list(shape), [1] * len(shape)
        self.dropped: list[int] = []
        self.inserted: dict[int, int] = {}
        self.tensors: list[Any] = []
        self.checks: list[tuple[Any, int, int]] = []
        self.masks: list[tuple[Any, int]] = []
        self.label = "AliasBackward0"

    def skip(self, dims: int) -> None:
        self.at += dims
        self.tensors += [None] * dims

    def take(self, one: Any) -> None:
        if one is None:
            self.insert(None, "UnsqueezeBackward0")
        elif isinstance(one, bool):
            self.insert(made_of([0] if one else np.zeros(0, np.int64), None), self.label)
        elif isinstance(one, slice):
            self.slice(one)
        elif isinstance(one, int):
            size = self.shape[self.at]
            _check_integer(one, size, self.at)
            one += size if one < 0 else 0
            self.starts[self.at], self.stops[self.at] = one, one + 1
            self.dropped.append(self.at)
            self.at += 1
            self.label = "SelectBackward0"
        else:
            self.index(one)

    def insert(self, tensor: Any, label: str) -> None:
        at = self.at
        self.inserted[len(self.tensors)] = self.shape[at] * self.strides[at] if at < len(self.shape) else 1
        self.tensors.append(tensor)
        self.label = label

    def slice(self, one: slice) -> None:
        try:
            start, stop, step = one.indices(self.shape[self.at])
        except TypeError:
            raise errors.type_("slice indices must be integers or None or have an __index__ method") from None
        _check_step(one)
        self.starts[self.at], self.stops[self.at], self.steps[self.at] = start, max(start, stop), step
        self.at += 1
        self.tensors.append(None)
        self.label = "SliceBackward0"

    def index(self, one: Any) -> None:
        if one.dtype is dtypes.bool_:
            rank = len(one._shape)
            self.masks.append((one, self.at))
            self.at += rank
            self.tensors += [one, *[None] * (rank - 1)]
            return
        self.checks.append((one, self.shape[self.at], self.at))
        self.at += 1
        self.tensors.append(one)

    def check_masks(self) -> None:
        """That every mask has the sizes of what it masks; other parts of the index come first."""
        for mask, at in self.masks:
            for i, size in enumerate(mask._shape):
                if size != self.shape[at + i]:
                    raise errors.index(
                        f"dimension {i} of the mask has {size} elements, but what it masks, dimension {at + i},"
                        f" has {self.shape[at + i]}",
                        mask=mask._type,
                        tensor=list(self.shape),
                    )

    def check(self, shape: Shape) -> None:
        """That places exist in the window, unless nothing would be read there."""
        for one, _, _ in self.checks:
            if one.dtype not in (dtypes.int64, dtypes.int32):
                raise errors.index(
                    "an index tensor holds integers (int64, int32) or is a mask of bools", index=one._type
                )
        if all(map(_names_any, self.tensors)):
            reads = all(n or one is not None for n, one in zip(shape, self.tensors, strict=True))
            for places, size, at in self.checks:
                if reads or not size:
                    check_places(places, size, at)

    def view_steps(self) -> list[Step]:
        """The way to the view of the input."""
        steps: list[Step] = []
        changed = self.dropped or self.label == "SliceBackward0" or self.steps.count(1) != len(self.steps)
        if changed or self.stops != list(self.shape) or any(self.starts):
            label = self.label if not self.inserted else "SliceBackward0"
            box = (tuple(self.starts), tuple(self.stops), tuple(self.steps))
            steps.append(Slice(*box, tuple(self.dropped), label))
        if self.inserted:
            steps.append(Insert(tuple(self.inserted), tuple(self.inserted.values()), self.label))
        elif self.label == "AliasBackward0" and not any(one is not None for one in self.tensors):
            steps.append(alias(len(self.shape)))
        return steps


def check_places(
    tensor: Any, size: int, at: int, *, least: int | None = None, error: Callable[..., Exception] = errors.index
) -> None:
    """That an index tensor whose value is known stays within [least, size), where ``least`` is -size if not given.

    Raises:
        IndexError: it does not (or what ``error`` makes).
    """
    bounds = known_bounds(tensor)
    if bounds is None:
        return
    low, high = bounds
    least = -size if least is None else least
    if (low < least or high >= size) and tensor._steps:
        array = tensor._array()
        low, high = int(array.min()), int(array.max())
    if low < least or high >= size:
        raise _no_such_index(high if high >= size else low, size, at, error)


def known_bounds(tensor: Any) -> tuple[int, int] | None:
    """The least and the greatest element of the tensor's storage, if they are computed already."""
    storage = tensor._storage
    if storage.buffer is None or not tensor._type.count or recorder.own.trace.watch is not None:
        return None
    return _bounds(storage)


def _bounds(storage: Any) -> tuple[int, int]:
    """The least and the greatest element, remembered until the storage changes."""
    known = getattr(storage, "bounds", None)
    if known is None or known[0] != storage.version or storage.shared is not None:
        array = storage.array()
        known = storage.bounds = (storage.version, int(array.min()), int(array.max()))
    return known[1:]


# --- reading and writing at places -----------------------------------------------------------------------


def expand_masks(tensors: Any) -> tuple[Any, ...]:
    """Masks replaced by the places where they are true, which are read now."""
    result: list[Any] = []
    for i, one in enumerate(tensors):
        if len(result) > i:  # a dimension of the mask before
            continue
        if one is not None and one.dtype is dtypes.bool_ and one._shape:
            result.extend(made_of(places, dtypes.int64) for places in np.nonzero(one._array()))
        else:
            result.append(one)
    return tuple(result)


def _order(x: Node, places: tuple[Node | None, ...]) -> tuple[list[int], list[Node], int]:
    """Indexed dimensions first; their places; where their result goes."""
    places = (*places, *[None] * (x.rank - len(places)))
    given = {i: one for i, one in enumerate(places) if one is not None}
    indexed = list(given)
    shape = broadcast_places(*given.values())
    found = [movement.broadcast_to(elementwise.convert(one, dtypes.int64), shape) for one in given.values()]
    adjacent = indexed[-1] - indexed[0] + 1 == len(indexed)
    order = indexed + [i for i in range(x.rank) if i not in indexed]
    return order, found, indexed[0] if adjacent else 0


def broadcast_places(*places: Any) -> Shape:
    try:
        return broadcast("index", *[one.shape for one in places])
    except RuntimeError:
        raise errors.index(
            f"the index tensors have no common shape: {', '.join(str(list(one.shape)) for one in places)}"
        ) from None


def _flattened(x: Node, order: list[int], places: list[Node]) -> tuple[Node, Node]:
    """``x`` with its indexed dimensions first and joined, and one place in them for each combination."""
    if order != list(range(x.rank)):
        x = permute(x, order=tuple(order))
    if len(places) == 1:
        return x, places[0]
    sizes = x.shape[: len(places)]
    total = 1
    for size in sizes:
        total *= size
    joined = reshape(x, shape=(total, *x.shape[len(places) :]))
    linear = indexing.wrap(places[0], size=sizes[0])
    for place, size in zip(places[1:], sizes[1:], strict=True):
        scaled = elementwise.mul(linear, filled(size, linear.type))
        linear = elementwise.add(scaled, indexing.wrap(place, size=size))
    return joined, linear


def _arranged(rank: int, count: int, front: int) -> Shape:
    """The permutation that takes the first ``count`` dimensions behind the ``front`` next ones."""
    return (*range(count, count + front), *range(count), *range(count + front, rank))


def _nothing(x: Node, shape: Shape) -> Node:
    if 0 not in shape:
        raise errors.index("an index tensor names places of a dimension of size 0", input=x.type)
    return reshape(x, shape=shape)


@labelled("IndexBackward0")
def _read(x: Node, places: tuple[Node | None, ...]) -> Node:
    order, found, front = _order(x, places)
    if not x.type.count:  # nothing to read, and places that need not exist
        kept = [x.shape[i] for i in order[len(found) :]]
        shape = (*kept[:front], *found[0].shape, *kept[front:])
        return _nothing(x, shape)
    joined, linear = _flattened(x, order, found)
    out = indexing.index(joined, linear)
    arranged = _arranged(out.rank, linear.rank, front)
    return out if arranged == tuple(range(out.rank)) else permute(out, order=arranged)


@labelled("IndexBackward0")
def _read_rows(x: Node, places: Node) -> Node:
    return _read(x, (places,))


@labelled("IndexPutBackward0")
def _write(x: Node, places: tuple[Node | None, ...], values: Node, accumulate: bool) -> Node:
    order, found, front = _order(x, places)
    if not x.type.count:
        kept = [x.shape[i] for i in order[len(found) :]]
        _fitted(values, (*kept[:front], *found[0].shape, *kept[front:]))
        return reshape(x, shape=x.shape)
    joined, linear = _flattened(x, order, found)
    rank = linear.rank + joined.rank - 1
    arranged = _arranged(rank, linear.rank, front)
    shape = tuple((*linear.shape, *joined.shape[1:])[i] for i in arranged)
    values = _fitted(elementwise.convert(values, x.dtype), shape)
    values = permute(values, order=inverse(arranged))
    written = indexing.index_write(joined, values, linear, accumulate=accumulate)
    written = reshape(written, shape=tuple(x.shape[i] for i in order))
    return permute(written, order=inverse(tuple(order)))


def _fitted(values: Node, shape: Shape) -> Node:
    extra = values.rank - len(shape)
    if extra > 0 and all(n == 1 for n in values.shape[:extra]):
        values = reshape(values, shape=values.shape[extra:])
    fits = values.rank <= len(shape) and all(
        m in (1, n) for m, n in zip(reversed(values.shape), reversed(shape), strict=False)
    )
    if not fits:
        raise errors.runtime(
            "the value does not broadcast to the places that it is written to",
            value=list(values.shape),
            places=list(shape),
        )
    return movement.broadcast_to(values, shape)


@labelled("IndexPutBackward0")
def _write_masked(x: Node, mask: Node, value: Node, at: int) -> Node:
    shape = (*(1,) * at, *mask.shape, *(1,) * (x.rank - at - mask.rank))
    mask = movement.broadcast_to(reshape(mask, shape=shape), x.shape)
    return elementwise.where(mask, movement.broadcast_to(elementwise.cast(value, dtype=x.dtype), x.shape), x)


METHODS = {"__getitem__": getitem, "__setitem__": setitem}
IN_PLACE = ()

"""Tensors put together and taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from zerograd import errors, shapes
from zerograd.ir.graph import Node
from zerograd.ops import movement
from zerograd.ops.movement import reshape
from zerograd.shapes import Shape
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import accepts_out, apply, labelled, promote
from zerograd.tensor.functions.arguments import by_keyword, integer
from zerograd.tensor.functions.shaping import part_step, select_step, unsqueeze
from zerograd.tensor.view import Reshape, Slice


def _tensors(name: str, tensors: Any) -> Sequence[Any]:
    if isinstance(tensors, TensorBase):
        return tuple(tensors)
    if not isinstance(tensors, list | tuple):
        raise errors.type_(f"{name} takes a list or tuple of tensors, not a {type(tensors).__name__}")
    for i, one in enumerate(tensors):
        if not isinstance(one, TensorBase):
            raise errors.type_(
                f"expected Tensor as element {i} in argument 0, but got {type(one).__name__}", function=name
            )
    return tensors


def _cat(xs: tuple[Node, ...], dim: int) -> Node:
    xs = promote(*xs)
    kept = [x for x in xs if x.shape != (0,)] or [xs[0]]  # empty vectors fit everything, as they always did
    rank = kept[0].rank
    if not rank:
        raise errors.runtime("zero-dimensional tensor (at position 0) cannot be concatenated", hint="use torch.stack")
    axis = shapes.axis(dim, rank)
    first = kept[0]
    for i, x in enumerate(kept):
        if x.rank != rank:
            raise errors.runtime(
                f"cat joins tensors of equally many dimensions, but {rank} != {x.rank}",
                first=first.type,
                other=x.type,
            )
        if any(m != n for k, (m, n) in enumerate(zip(first.shape, x.shape, strict=True)) if k != axis):
            different = next(k for k in range(rank) if k != axis and first.shape[k] != x.shape[k])
            raise errors.runtime(
                f"cat along dimension {axis} needs the other sizes equal, but in dimension {different}"
                f" {first.shape[different]} != {x.shape[different]}",
                first=first.type,
                other=f"{x.type}, number {i}",
            )
    return movement.cat(*kept, axis=axis)


@accepts_out
def cat(tensors: Any, dim: Any = 0, *, axis: Any = None) -> Any:
    """Tensors one after the other along ``dim``. Source: torch.cat."""
    tensors = _tensors("cat", tensors)
    if not tensors:
        raise errors.value("cat of no tensors: of what dtype and shape should the result be?")
    return apply(_cat, (tuple(tensors),), (integer(dim if axis is None else axis, "dim"),))


@labelled("StackBackward0")
def _stack(xs: tuple[Node, ...], dim: int) -> Node:
    xs = promote(*xs)
    first = xs[0].shape
    axis = shapes.axis(dim, len(first) + 1)
    for i, x in enumerate(xs):
        if x.shape != first:
            raise errors.runtime(
                "stack needs tensors of one shape",
                first=xs[0].type,
                other=f"{x.type}, number {i}",
                hint="torch.nn.utils.rnn.pad_sequence pads sequences of different lengths",
            )
    slots = [reshape(x, shape=(*first[:axis], 1, *first[axis:])) for x in xs]
    return movement.cat(*slots, axis=axis)


@accepts_out
def stack(tensors: Any, dim: Any = 0) -> Any:
    """Tensors of one shape along a new dimension. Source: torch.stack."""
    tensors = _tensors("stack", tensors)
    if not tensors:
        raise errors.runtime("stack of no tensors")
    return apply(_stack, (tuple(tensors),), (integer(dim, "dim"),))


def atleast(input: TensorBase, rank: int) -> Any:
    """A view with at least ``rank`` dimensions, added where NumPy adds them."""
    before = len(input._shape)
    if before >= rank:
        return input
    if not before:
        return input._see(Reshape((1,) * rank))
    if before < 2:
        input = unsqueeze(input, 0)
    return unsqueeze(input, -1) if rank == 3 else input


def _atleast(rank: int) -> Any:
    def function(*tensors: Any) -> Any:
        if len(tensors) == 1:
            tensors = tensors[0]
        if isinstance(tensors, TensorBase):
            return atleast(tensors, rank)
        return tuple(atleast(one, rank) for one in _tensors(function.__name__, tensors))

    function.__name__ = function.__qualname__ = f"atleast_{rank}d"
    function.__doc__ = f"Views with at least {rank} dimensions. Source: torch.atleast_{rank}d."
    return function


atleast_1d, atleast_2d, atleast_3d = map(_atleast, (1, 2, 3))


def _filled_up(name: str, tensors: Any, rank: int) -> list[Any]:
    tensors = _tensors(name, tensors)
    if not tensors:
        raise errors.runtime(f"{name} expects a non-empty TensorList")
    return [atleast(one, rank) for one in tensors]


@accepts_out
def hstack(tensors: Any) -> Any:
    """Side by side: along the second dimension, vectors along the first. Source: torch.hstack."""
    rows = _filled_up("hstack", tensors, 1)
    return cat(rows, 0 if len(rows[0]._shape) == 1 else 1)


@accepts_out
def vstack(tensors: Any) -> Any:
    """One below the other: along the first dimension, vectors as rows. Source: torch.vstack."""
    return cat(_filled_up("vstack", tensors, 2), 0)


@accepts_out
def dstack(tensors: Any) -> Any:
    """One behind the other: along the third dimension. Source: torch.dstack."""
    return cat(_filled_up("dstack", tensors, 3), 2)


@accepts_out
def column_stack(tensors: Any) -> Any:
    """Side by side, vectors as columns. Source: torch.column_stack."""
    tensors = _tensors("column_stack", tensors)
    if not tensors:
        raise errors.runtime("column_stack of no tensors")
    return cat([one.reshape(-1, 1) if len(one._shape) < 2 else one for one in tensors], 1)


# --- taking apart --------------------------------------------------------------------------------------


def _parts(input: TensorBase, at: int, bounds: list[int], label: str) -> tuple[Any, ...]:
    return input._look_at_parts(_part_steps, at, tuple(pairwise(bounds)), label)


def _part_steps(input: TensorBase, at: int, bounds: tuple[tuple[int, int], ...], label: str) -> list[Slice]:
    return [part_step(input, at, start, stop, label) for start, stop in bounds]


def _split_axis(name: str, input: TensorBase, dim: int) -> int:
    if not input._shape:
        raise errors.runtime(f"{name}: a tensor without dimensions has no parts", input=input._type)
    return shapes.axis(dim, len(input._shape))


def split(tensor: TensorBase, split_size: Any, dim: int = 0) -> tuple[Any, ...]:
    """Parts of ``split_size`` (the last may be smaller), or of the listed sizes; views. Source: torch.split."""
    if isinstance(split_size, list | tuple):
        return split_with_sizes(tensor, split_size, dim)
    at = _split_axis("split", tensor, dim)
    split_size, size = integer(split_size, "split_size"), tensor._shape[at]
    if split_size < 0:
        raise errors.runtime(f"split: a part cannot have {split_size} elements", tensor=tensor._type)
    if split_size == 0:
        if size:
            raise errors.runtime(f"split: parts of size 0 never add up to {size}", tensor=tensor._type)
        return _parts(tensor, at, [0, 0], "SplitBackward0")
    bounds = [*range(0, size, split_size), size] if size else [0, 0]
    return _parts(tensor, at, bounds, "SplitBackward0")


def split_with_sizes(input: TensorBase, split_sizes: Any, dim: int = 0) -> tuple[Any, ...]:
    """Parts of the listed sizes, which must add up; views. Source: torch.split_with_sizes."""
    at = _split_axis("split_with_sizes", input, dim)
    lengths = [integer(one, "split_sizes") for one in split_sizes]
    if min(lengths, default=0) < 0:
        raise errors.runtime(f"split_with_sizes: a part cannot have {min(lengths)} elements", split_sizes=lengths)
    if sum(lengths) != input._shape[at]:
        raise errors.runtime(
            f"split_with_sizes: dimension {at} has {input._shape[at]} elements, but the parts have {sum(lengths)}",
            input=input._type,
            split_sizes=lengths,
        )
    return _parts(input, at, _bounds(lengths), "SplitWithSizesBackward0")


def _bounds(lengths: list[int]) -> list[int]:
    bounds = [0]
    for one in lengths:
        bounds.append(bounds[-1] + one)
    return bounds


def chunk(input: TensorBase, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """At most ``chunks`` parts of equal size (the last may be smaller); views. Source: torch.chunk."""
    at = _split_axis("chunk", input, dim)
    if chunks <= 0:
        raise errors.runtime(f"chunk makes one part or more, not {chunks}")
    size = input._shape[at]
    each = -(-size // chunks)
    if not each:
        return _parts(input, at, [0] * (chunks + 1), "SplitWithSizesBackward0")
    return split(input, each, at)


def unbind(input: TensorBase, dim: int = 0) -> tuple[Any, ...]:
    """The slices along a dimension, which disappears; views. Source: torch.unbind."""
    if not input._shape:
        raise errors.index("unbind: a tensor without dimensions has no slices", input=input._type)
    at = shapes.axis(dim, len(input._shape))
    return input._look_at_parts(_unbind_steps, at)


def _unbind_steps(input: TensorBase, at: int) -> list[Slice]:
    return [select_step(input, at, i, "UnbindBackward0") for i in range(input._shape[at])]


def tensor_split(input: TensorBase, indices_or_sections: Any, dim: int = 0, **given: Any) -> tuple[Any, ...]:
    """Parts of nearly equal size, or parts between the given indices; views. Source: torch.tensor_split."""
    indices_or_sections = given.get("sections", given.get("indices", indices_or_sections))
    if not input._shape:
        raise errors.runtime("tensor_split: a tensor without dimensions has no parts", input=input._type)
    at = shapes.axis(dim, len(input._shape))
    size = input._shape[at]
    if isinstance(indices_or_sections, TensorBase):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, list | tuple):
        cuts = [0, *(integer(one, "indices") for one in indices_or_sections), size]
        clipped = [slice(a, b).indices(size)[:2] for a, b in pairwise(cuts)]
        return input._look_at_parts(_part_steps, at, tuple((a, max(a, b)) for a, b in clipped), "SliceBackward0")
    sections = integer(indices_or_sections, "sections")
    if sections <= 0:
        raise errors.runtime(f"tensor_split makes one section or more, not {sections}")
    small, larger = divmod(size, sections)
    lengths = [small + 1] * larger + [small] * (sections - larger)
    return _parts(input, at, _bounds(lengths), "SliceBackward0")


def _numpy_split(name: str, input: TensorBase, given: Any, at: int, least: int) -> tuple[Any, ...]:
    if len(input._shape) < least:
        raise errors.runtime(
            f"{name} is of tensors of {least} dimensions or more, and this one has {len(input._shape)}"
        )
    if isinstance(given, int):
        size = input._shape[at]
        if given <= 0 or size % given:
            raise errors.runtime(
                f"{name}: the {size} elements of dimension {at} cannot be split into {given} equal parts"
            )
    return tensor_split(input, given, at)


def hsplit(input: TensorBase, indices_or_sections: Any) -> tuple[Any, ...]:
    """Parts side by side; views. Source: torch.hsplit."""
    return _numpy_split("hsplit", input, indices_or_sections, 0 if len(input._shape) == 1 else 1, 1)


def vsplit(input: TensorBase, indices_or_sections: Any) -> tuple[Any, ...]:
    """Parts one below the other; views. Source: torch.vsplit."""
    return _numpy_split("vsplit", input, indices_or_sections, 0, 2)


def dsplit(input: TensorBase, indices_or_sections: Any) -> tuple[Any, ...]:
    """Parts one behind the other; views. Source: torch.dsplit."""
    return _numpy_split("dsplit", input, indices_or_sections, 2, 3)


def _repeat(x: Node, times: Shape) -> Node:
    """Through a dimension of size 1 before each one, expanded."""
    lead = len(times) - x.rank
    shape = (1,) * lead + x.shape
    paired = tuple(size for n in shape for size in (1, n))
    grown = tuple(size for r, n in zip(times, shape, strict=True) for size in (r, n))
    grid = movement.expand(reshape(x, shape=paired), shape=grown)
    return reshape(grid, shape=tuple(r * n for r, n in zip(times, shape, strict=True)))


@by_keyword("repeats")
def repeat(input: TensorBase, *repeats: Any) -> Any:
    """Copies of the tensor side by side, as many along each dimension as said. Source: torch.Tensor.repeat."""
    from zerograd.tensor.functions.arguments import sizes

    times = sizes(repeats, "repeats")
    if len(times) < len(input._shape):
        raise errors.runtime(
            f"repeat needs a count for each of the {len(input._shape)} dimensions, but got {len(times)}",
            input=input._type,
            repeats=list(times),
        )
    if min(times, default=0) < 0:
        raise errors.runtime("repeat: a count must not be negative", repeats=list(times))
    return apply(_repeat, (input,), (times,))


METHODS = {
    "split": split, "split_with_sizes": split_with_sizes, "chunk": chunk, "unbind": unbind,
    "tensor_split": tensor_split, "hsplit": hsplit, "vsplit": vsplit, "dsplit": dsplit, "repeat": repeat,
}  # fmt: skip
IN_PLACE = ()

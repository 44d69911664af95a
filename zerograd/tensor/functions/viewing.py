"""Views in patterns and as other types: diagonals, windows, strides, real and imaginary parts, bytes."""

from __future__ import annotations

from typing import Any

from zerograd import errors, shapes
from zerograd.dtypes import dtype
from zerograd.ir.graph import Node
from zerograd.ops.elementwise import convert
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply, labelled
from zerograd.tensor.functions import shaping
from zerograd.tensor.functions.arguments import as_tensor_argument, integer, sizes
from zerograd.tensor.strided import Diagonal, Unfold, as_strided_step
from zerograd.tensor.view import Bitcast, Slice, View, alias, written


def view(input: TensorBase, *shape: Any, **named: Any) -> Any:
    """The same data under another shape, or its bytes as another dtype, without copying.

    Raises:
        RuntimeError: the sizes do not fit, or dimensions to be joined do not lie contiguously.
    Source: torch.Tensor.view.
    """
    if named:
        shape = (named.get("dtype") or named["size"],)
    if len(shape) == 1 and isinstance(shape[0], dtype):
        return view_as_type(input, shape[0])
    if not shape:
        raise errors.type_("view() needs a shape or a dtype")
    return shaping.view(input, *shape)


def view_as_type(input: TensorBase, kind: dtype) -> Any:
    """The bytes of ``input`` read as another dtype."""
    if kind is input.dtype:
        return input._see(alias(len(input._shape)))
    return input._see(Bitcast(kind))


def diagonal(input: TensorBase, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """A diagonal of two dimensions as a new last one; a view. Source: torch.diagonal."""
    return input._see(_diagonal_step(input, offset, dim1, dim2))


def _diagonal_step(input: TensorBase, offset: int, dim1: int, dim2: int) -> Diagonal:
    rank = len(input._shape)
    axis1, axis2 = shapes.axis(dim1, rank), shapes.axis(dim2, rank)
    if axis1 == axis2:
        raise errors.runtime(
            f"a diagonal goes through two dimensions, but {dim1} and {dim2} are the same one", input=input._type
        )
    return Diagonal(integer(offset, "offset"), axis1, axis2)


def unfold(input: TensorBase, dimension: int, size: int, step: int) -> Any:
    """Windows of ``size`` elements, ``step`` apart, as a new last dimension; a view. Source: torch.Tensor.unfold."""
    shape = input._shape
    at = shapes.axis(dimension, len(shape))
    length = shape[at] if shape else 1
    if size < 0:
        raise errors.runtime(f"unfold: windows cannot have {size} elements")
    if size > length:
        raise errors.runtime(
            f"unfold: windows of {size} do not fit into the {length} of dimension {at}", input=input._type
        )
    if step <= 0:
        raise errors.runtime(f"unfold: windows are 1 apart or more, not {step}")
    return input._see(Unfold(at, size, step))


def as_strided(input: TensorBase, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """The storage of ``input`` seen with any sizes, strides and offset; a view. Source: torch.as_strided."""
    shape, strides = sizes((size,)), sizes((stride,))
    offset = input.storage_offset() if storage_offset is None else storage_offset
    base = input if input._base is None else input._base
    whole = base
    if base._steps or base._storage is not input._storage or input._detached != base._detached:
        whole = TensorBase.of_storage(input._storage)
        whole._detached = input._detached or base._detached
        whole._plain = not whole._detached
    step = as_strided_step(whole._laid_out(), shape, strides, offset)
    if input.dtype is not whole.dtype:
        raise errors.runtime("as_strided of a view with another dtype is not supported", view=input._type)
    return whole._see(step)


# --- new tensors with a part replaced --------------------------------------------------------------------


def _scattered(name: str, input: TensorBase, part: Any, src: Any) -> Any:
    """``input`` with what ``part`` is a view of replaced by ``src``."""
    as_tensor_argument(name, "src", src)
    if src._shape != part._shape:
        raise errors.runtime(
            f"{name}: src must have the shape of the part that it replaces",
            src=list(src._shape),
            part=list(part._shape),
        )
    return apply(_SCATTERS[name], (input, src), (part._steps[len(input._steps) :],))


def _scatter_body(label: str) -> Any:
    @labelled(label)
    def body(x: Node, src: Node, views: tuple[View, ...]) -> Node:
        return written(x, convert(src, x.dtype), views)

    return body


_SCATTERS = {
    "select_scatter": _scatter_body("SelectScatterBackward0"),
    "slice_scatter": _scatter_body("SliceScatterBackward0"),
    "diagonal_scatter": _scatter_body("DiagonalScatterBackward0"),
    "as_strided_scatter": _scatter_body("AsStridedScatterBackward0"),
}


def select_scatter(input: TensorBase, src: Any, dim: int, index: int) -> Any:
    """``input`` with one index of a dimension replaced. Source: torch.select_scatter."""
    return _scattered("select_scatter", input, shaping.select(input.detach(), dim, index), src)


def slice_(input: TensorBase, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Any:
    """Every ``step``-th index of a dimension from ``start`` to ``end``; a view."""
    shape = input._shape
    at = shapes.axis(dim, len(shape))
    if step < 1:
        raise errors.runtime("slice step must be positive", step=step)
    first, last, by = slice(start, end, step).indices(shape[at])
    starts = tuple(first if i == at else 0 for i in range(len(shape)))
    stops = tuple(max(first, last) if i == at else n for i, n in enumerate(shape))
    steps = tuple(by if i == at else 1 for i in range(len(shape)))
    return input._see(Slice(starts, stops, steps))


def slice_scatter(
    input: TensorBase, src: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Any:
    """``input`` with a slice of a dimension replaced. Source: torch.slice_scatter."""
    return _scattered("slice_scatter", input, slice_(input.detach(), dim, start, end, step), src)


def diagonal_scatter(input: TensorBase, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """``input`` with a diagonal replaced. Source: torch.diagonal_scatter."""
    return _scattered("diagonal_scatter", input, diagonal(input.detach(), offset, dim1, dim2), src)


def as_strided_scatter(input: TensorBase, src: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """``input`` with a strided part replaced. Source: torch.as_strided_scatter."""
    whole = input if input.is_contiguous() and not input._steps else input.contiguous().clone()
    return _scattered("as_strided_scatter", whole, as_strided(whole.detach(), size, stride, storage_offset), src)


METHODS = {
    "view": view, "diagonal": diagonal, "unfold": unfold, "as_strided": as_strided, "select_scatter": select_scatter,
    "slice_scatter": slice_scatter, "diagonal_scatter": diagonal_scatter, "as_strided_scatter": as_strided_scatter,
}  # fmt: skip
IN_PLACE = ()

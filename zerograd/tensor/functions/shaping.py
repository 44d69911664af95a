"""Views: the same data under another shape."""

from __future__ import annotations

import math
import warnings
from typing import Any

from zerograd import errors, shapes
from zerograd.ir.graph import Node
from zerograd.ops import movement
from zerograd.shapes import Shape
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply, labelled
from zerograd.tensor.functions.arguments import by_keyword, integer, sizes
from zerograd.tensor.view import Drop, Expand, Insert, Permute, Reshape, Slice, view_strides


@by_keyword("size")
def view(input: TensorBase, *shape: Any) -> Any:
    """The same data under another shape (or as another dtype), without copying.

    Raises:
        RuntimeError: the sizes do not fit, or dimensions to be joined do not lie contiguously.
    Source: torch.Tensor.view.
    """
    return input._look(_view_step, sizes(shape))


def _view_step(input: TensorBase, wanted: Shape) -> Reshape:
    return Reshape(shapes.infer_size(wanted, input._type.count))


@labelled("UnsafeViewBackward0")
def _reshape(x: Node, shape: Shape) -> Node:
    return movement.reshape(x, shape=shape)


@by_keyword("shape")
def reshape(input: TensorBase, *shape: Any) -> Any:
    """Another shape: a view where that is possible, else a copy. Source: torch.reshape."""
    return _reshaped(input, sizes(shape, "shape"))


def _reshaped(input: TensorBase, wanted: Shape) -> Any:
    if not TensorBase.is_contiguous(input):
        layout = input._laid_out()
        wanted = shapes.infer_size(wanted, input._type.count)
        if view_strides(layout.shape, layout.strides, wanted) is None:
            return apply(_reshape, (input,), (wanted,))
    return input._look(_view_step, wanted)


def view_as(input: TensorBase, other: TensorBase) -> Any:
    """A view of the shape of ``other``. Source: torch.Tensor.view_as."""
    return view(input, other._shape)


def reshape_as(input: TensorBase, other: TensorBase) -> Any:
    """The shape of ``other``. Source: torch.Tensor.reshape_as."""
    return reshape(input, other._shape)


def flatten(input: TensorBase, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Dimensions ``start_dim`` to ``end_dim`` joined into one. Source: torch.flatten."""
    shape = input._shape
    first, last = shapes.axis(start_dim, len(shape)), shapes.axis(end_dim, len(shape))
    if first > last:
        raise errors.runtime("flatten: start_dim lies behind end_dim", start_dim=start_dim, end_dim=end_dim)
    if not shape:
        return _reshaped(input, (1,))
    if first == last:
        return input
    return _reshaped(input, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


def ravel(input: TensorBase) -> Any:
    """One dimension. Source: torch.ravel."""
    return reshape(input if input.is_contiguous() else input.contiguous(), -1)


def unflatten(input: TensorBase, dim: int, sizes: Any) -> Any:
    """One dimension cut into ``sizes``, of which one may be -1. Source: torch.unflatten."""
    shape = input._shape
    if not shape:
        raise errors.runtime("unflatten: a tensor without dimensions has none to take apart", dim=dim)
    at = shapes.axis(dim, len(shape))
    if not len(sizes):
        raise errors.runtime("unflatten needs at least one size")
    sizes = tuple(integer(one) for one in sizes)
    try:
        cut = shapes.infer_size(sizes, shape[at])
    except RuntimeError:
        raise errors.runtime(
            f"unflatten: a dimension of size {shape[at]} cannot be cut into {list(sizes)}", input=input._type, dim=at
        ) from None
    return view(input, (*shape[:at], *cut, *shape[at + 1 :]))


# --- order of dimensions -----------------------------------------------------------------------------


@by_keyword("dims")
def permute(input: TensorBase, *dims: Any) -> Any:
    """The dimensions in the order ``dims``; a view. Source: torch.permute."""
    order = sizes(dims, "dims")
    return input._look(_permute_step, order)


def _permute_step(input: TensorBase, order: Shape) -> Permute:
    rank = len(input._shape)
    if len(order) != rank:
        raise errors.runtime(
            f"permute needs each of the {rank} dimensions once, but got {len(order)}",
            input=input._type,
            dims=list(order),
        )
    return Permute(shapes.axes(order, rank))


def transpose(input: TensorBase, dim0: int, dim1: int) -> Any:
    """Two dimensions swapped; a view. Source: torch.transpose."""
    rank = len(input._shape)
    return input._look(_transpose_step, shapes.axis(dim0, rank), shapes.axis(dim1, rank))


def _transpose_step(input: TensorBase, a: int, b: int) -> Permute:
    order = list(range(len(input._shape)))
    if order:
        order[a], order[b] = order[b], order[a]
    return Permute(tuple(order), "TransposeBackward0")


def t(input: TensorBase) -> Any:
    """A matrix transposed; tensors of fewer dimensions as they are. Source: torch.t."""
    rank = len(input._shape)
    if rank > 2:
        raise errors.runtime(
            f"t transposes matrices, but this tensor has {rank} dimensions",
            input=input._type,
            hint="use .mT or transpose(dim0, dim1)",
        )
    return input._see(Permute((1, 0) if rank == 2 else tuple(range(rank)), "TBackward0"))


def moved(input: TensorBase, source: Any, destination: Any) -> Shape:
    """The order of dimensions after moving some."""
    rank = len(input._shape)
    source = (source,) if not isinstance(source, list | tuple) else source
    destination = (destination,) if not isinstance(destination, list | tuple) else destination
    if len(source) != len(destination):
        raise errors.runtime(
            "movedim needs a destination for each source",
            source=list(source),
            destination=list(destination),
        )
    start, end = shapes.axes(source, rank), shapes.axes(destination, rank)
    placed = dict(zip(end, start, strict=True))
    rest = iter(axis for axis in range(rank) if axis not in start)
    return tuple(placed[i] if i in placed else next(rest) for i in range(rank))


def movedim(input: TensorBase, source: Any, destination: Any) -> Any:
    """Dimensions moved to other places; a view. Source: torch.movedim."""
    return input._see(Permute(moved(input, source, destination)))


def _property_t(input: TensorBase) -> Any:
    """All dimensions in reverse order."""
    if len(input._shape) not in (0, 2):
        warnings.warn(
            f"x.T of a tensor of {len(input._shape)} dimensions will be an error: x.mT transposes batches of matrices,"
            " x.permute(tuple(range(x.ndim))[::-1]) puts all dimensions in reverse",
            UserWarning,
            stacklevel=2,
        )
    if not input._shape:
        return _scalar(input, "T")
    return input._see(Permute(tuple(reversed(range(len(input._shape)))), "PermuteBackward0"))


def _scalar(input: TensorBase, name: str) -> Any:
    warnings.warn(f"x.{name} of a tensor without dimensions is deprecated: it is x itself", UserWarning, stacklevel=3)
    return input


def adjoint(input: TensorBase) -> Any:
    """The last two dimensions swapped, and the complex conjugate. Source: torch.adjoint."""
    if not input._shape:
        return _scalar(input, "mH")
    turned = matrix_transpose(input)
    return turned.conj() if input.dtype.is_complex else turned


def _property_h(input: TensorBase) -> Any:
    """A matrix transposed and conjugated."""
    if len(input._shape) not in (0, 2):
        raise errors.runtime(
            f".H is of matrices, but this tensor has {len(input._shape)} dimensions",
            input=input._type,
            hint="use .mH for batches of matrices",
        )
    return adjoint(input)


def _property_mh(input: TensorBase) -> Any:
    """The last two dimensions swapped, and the complex conjugate."""
    if len(input._shape) == 1:
        raise errors.runtime(".mH is of matrices, but this tensor has 1 dimension", input=input._type)
    return adjoint(input)


def matrix_transpose(input: TensorBase) -> Any:
    """The last two dimensions swapped; a view."""
    if not input._shape:
        return _scalar(input, "mT")
    if len(input._shape) < 2:
        raise errors.runtime(
            f".mT is of matrices, but this tensor's number of dimensions is {len(input._shape)}", input=input._type
        )
    return input._look(_transpose_step, -2, -1)


# --- dimensions of size 1 ----------------------------------------------------------------------------


def squeeze(input: TensorBase, dim: Any = None) -> Any:
    """Without dimensions of size 1, or without those in ``dim`` that have size 1; a view. Source: torch.squeeze."""
    shape = input._shape
    if dim is None:
        return input._see(Drop(tuple(i for i, n in enumerate(shape) if n == 1)))
    axes = shapes.axes(tuple(dim) if isinstance(dim, list) else dim, len(shape))
    label = "SqueezeBackward2" if isinstance(dim, list | tuple) else "SqueezeBackward1"
    return input._see(Drop(tuple(sorted(i for i in axes if shape[i] == 1)), label))


def unsqueeze(input: TensorBase, dim: int) -> Any:
    """A dimension of size 1 inserted; a view. Source: torch.unsqueeze."""
    return input._look(_unsqueeze_step, shapes.axis(dim, len(input._shape) + 1))


def _unsqueeze_step(input: TensorBase, at: int) -> Insert:
    layout = input._laid_out()
    stride = layout.shape[at] * layout.strides[at] if at < len(layout.shape) else 1
    return Insert((at,), (stride,))


# --- repetition by stride 0 --------------------------------------------------------------------------


@by_keyword("size")
def expand(input: TensorBase, *size: Any, implicit: bool = False) -> Any:
    """Dimensions of size 1 repeated, and dimensions added in front; a view. -1 keeps a size.

    Raises:
        RuntimeError: a dimension that is not 1 would change.
    Source: torch.Tensor.expand.
    """
    return input._look(_expand_step, sizes(size))


def _expand_step(input: TensorBase, wanted: Shape) -> Expand:
    shape = input._shape
    lead = len(wanted) - len(shape)
    if lead < 0:
        raise errors.runtime(
            f"expand needs a size for each of the {len(shape)} dimensions, but got {len(wanted)}",
            input=input._type,
            sizes=list(wanted),
        )
    result = []
    for i, size in enumerate(wanted):
        before = shape[i - lead] if i >= lead else None
        if size == -1:
            if before is None:
                raise errors.runtime(
                    f"expand: -1 keeps a dimension as it is, but dimension {i} is a new one",
                    input=list(shape),
                    sizes=list(wanted),
                )
            size = before
        elif size < 0:
            raise errors.runtime(f"expand: a size must not be negative, got {size}", sizes=list(wanted))
        if before not in (None, 1, size):
            raise errors.runtime(
                f"expand repeats dimensions of size 1, but dimension {i} would grow from {before} to {size}",
                input=list(shape),
                sizes=list(wanted),
            )
        result.append(size)
    return Expand(tuple(result))


def expand_as(input: TensorBase, other: TensorBase) -> Any:
    """A view expanded to the shape of ``other``. Source: torch.Tensor.expand_as."""
    return expand(input, other._shape)


def broadcast_to(input: TensorBase, size: Any) -> Any:
    """A view expanded to ``size``. Source: torch.broadcast_to."""
    return expand(input, size)


def broadcast_tensors(*tensors: Any) -> list[Any]:
    """Views of all tensors expanded to their common shape. Source: torch.broadcast_tensors."""
    if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
        tensors = tuple(tensors[0])
    shape = shapes.broadcast("broadcast_tensors", *[one._shape for one in tensors])
    return [expand(one, shape) for one in tensors]


def broadcast_shapes(*shapes_: Any) -> Any:
    """The shape to which shapes broadcast. Source: torch.broadcast_shapes."""
    from zerograd.tensor.size import size_of

    given = [(one,) if isinstance(one, int) else tuple(one) for one in shapes_]
    for one in given:
        for size in one:
            if size < 0:
                raise errors.runtime(f"broadcast_shapes: a dimension cannot have {size} elements")
    return size_of(shapes.broadcast("broadcast_shapes", (), *given))


# --- parts -------------------------------------------------------------------------------------------


def select(input: TensorBase, dim: int, index: int) -> Any:
    """One index of a dimension, which disappears; a view. Source: torch.select."""
    shape = input._shape
    if not shape:
        raise errors.index("select: a tensor without dimensions has nothing to select from", input=input._type)
    if not shape:
        raise errors.runtime("unflatten: a tensor without dimensions has none to take apart", dim=dim)
    at = shapes.axis(dim, len(shape))
    index = integer(index, "index")
    if not -shape[at] <= index < shape[at]:
        raise errors.index(
            f"select: there is no index {index} in dimension {at}, which has {shape[at]} elements", input=input._type
        )
    index += shape[at] if index < 0 else 0
    return input._look(select_step, at, index)


def select_step(input: TensorBase, at: int, index: int, label: str = "SelectBackward0") -> Slice:
    """The step to one index of a dimension; both are counted from the front."""
    part = part_step(input, at, index, index + 1)
    return Slice(part.starts, part.stops, part.steps, (at,), label)


def part_step(input: TensorBase, at: int, start: int, stop: int, label: str = "SliceBackward0") -> Slice:
    """The step to the indices [start, stop) of dimension ``at``."""
    shape = input._shape
    starts = tuple(start if i == at else 0 for i in range(len(shape)))
    stops = tuple(stop if i == at else n for i, n in enumerate(shape))
    return Slice(starts, stops, (1,) * len(shape), (), label)


def narrow(input: TensorBase, dim: int, start: Any, length: int) -> Any:
    """``length`` indices of a dimension from ``start`` on; a view. Source: torch.narrow."""
    shape = input._shape
    if not shape:
        raise errors.runtime("narrow: a tensor without dimensions cannot be made narrower", input=input._type)
    if not shape:
        raise errors.runtime("unflatten: a tensor without dimensions has none to take apart", dim=dim)
    at = shapes.axis(dim, len(shape))
    start, size = integer(start.item() if isinstance(start, TensorBase) else start, "start"), shape[at]
    if length < 0:
        raise errors.runtime(f"narrow: a part cannot have {length} elements", input=input._type)
    if not -size <= start <= size:
        raise errors.index(f"narrow: start must be from {-size} to {size}, got {start}", input=input._type, dim=at)
    start += size if start < 0 else 0
    if start + length > size:
        raise errors.runtime(
            f"narrow: {start} + {length} is more than dimension {at} has", start=start, length=length, size=size
        )
    return input._look(part_step, at, start, start + length)


METHODS = {
    "reshape": reshape, "view_as": view_as, "reshape_as": reshape_as, "flatten": flatten, "ravel": ravel,
    "unflatten": unflatten, "permute": permute, "transpose": transpose, "swapaxes": transpose, "swapdims": transpose,
    "t": t, "movedim": movedim, "moveaxis": movedim, "adjoint": adjoint, "squeeze": squeeze, "unsqueeze": unsqueeze,
    "expand": expand, "expand_as": expand_as, "broadcast_to": broadcast_to, "select": select, "narrow": narrow,
}  # fmt: skip
IN_PLACE = ()
PROPERTIES = {"T": _property_t, "mT": matrix_transpose, "H": _property_h, "mH": _property_mh}

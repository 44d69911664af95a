"""Ops that move elements and compute nothing."""

from __future__ import annotations

import numpy as np

from zerograd import errors
from zerograd.dtypes import dtype
from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ops.source import zeros_like
from zerograd.shapes import Shape, count


def _infer_reshape(x: TensorType, *, shape: Shape) -> TensorType:
    if count(shape) != x.count:
        raise errors.runtime(
            f"{x.count} elements do not fit into shape {list(shape)}, which has {count(shape)}", input=x
        )
    return x.with_shape(shape)


reshape = Op(
    "reshape",
    _infer_reshape,
    lambda x, *, shape: np.reshape(x, shape),
    lambda grad, x_type: reshape(grad, shape=x_type.shape),
)
"""The same elements in the same order under another shape."""


def inverse(order: Shape) -> Shape:
    """The permutation that undoes ``order``."""
    result = [0] * len(order)
    for position, axis in enumerate(order):
        result[axis] = position
    return tuple(result)


permute = Op(
    "permute",
    lambda x, *, order: x.with_shape(tuple(x.shape[axis] for axis in order)),
    lambda x, *, order: np.transpose(x, order),
    lambda grad, order: permute(grad, order=inverse(order)),
)
"""The axes in another order."""


def _infer_expand(x: TensorType, *, shape: Shape) -> TensorType:
    if len(shape) != x.rank or any(m not in (1, n) for m, n in zip(x.shape, shape, strict=True)):
        raise errors.runtime("expand: only dimensions of size 1 can grow", input=x, shape=list(shape))
    return x.with_shape(shape)


def _expand_gradient(grad: Node, x_type: TensorType) -> Node:
    from zerograd.ops.reduction import sum  # they are each other's transposes

    grown = tuple(i for i, (m, n) in enumerate(zip(x_type.shape, grad.shape, strict=True)) if m != n)
    return sum(grad, axes=grown) if grown else grad


expand = Op("expand", _infer_expand, lambda x, *, shape: np.broadcast_to(x, shape), _expand_gradient)
"""Dimensions of size 1 repeated. The result may share the memory of its operand."""


def broadcast_to(x: Node, shape: Shape) -> Node:
    """``x`` with dimensions added in front and dimensions of size 1 repeated."""
    if x.shape == shape:
        return x
    if len(x.shape) != len(shape):
        x = reshape(x, shape=(1,) * (len(shape) - len(x.shape)) + x.shape)
    return x if x.shape == shape else expand(x, shape=shape)


def _window(starts: Shape, stops: Shape, steps: Shape) -> tuple[slice, ...]:
    return tuple(map(slice, starts, stops, steps))


def _sizes(starts: Shape, stops: Shape, steps: Shape) -> Shape:
    return tuple(len(range(*one)) for one in zip(starts, stops, steps, strict=True))


slice_ = Op(
    "slice",
    lambda x, *, starts, stops, steps: x.with_shape(_sizes(starts, stops, steps)),
    lambda x, *, starts, stops, steps: x[_window(starts, stops, steps)],
    lambda grad, x_type, starts, stops, steps: slice_write(
        zeros_of(x_type), grad, starts=starts, stops=stops, steps=steps
    ),
)
"""Every ``step``-th index of a box; steps are positive."""


def zeros_of(type: TensorType) -> Node:
    from zerograd.ops.source import filled

    return filled(0, type)


def _reference_slice_write(x: Array, part: Array, *, starts: Shape, stops: Shape, steps: Shape) -> Array:
    result = np.array(x)
    result[_window(starts, stops, steps)] = part
    return result


slice_write = Op(
    "slice_write",
    lambda x, part, *, starts, stops, steps: x,
    _reference_slice_write,
    (
        lambda grad, part_type, starts, stops, steps: slice_write(
            grad, zeros_of(part_type), starts=starts, stops=stops, steps=steps
        ),
        lambda grad, starts, stops, steps: slice_(grad, starts=starts, stops=stops, steps=steps),
    ),
)
"""``x`` with the part that ``slice`` would read replaced."""

overwrite = Op(
    "overwrite",
    lambda x, new: x,
    lambda x, new: np.array(new),
    (lambda grad: zeros_of(grad.type), lambda grad: grad),
)
"""``new`` in the place of ``x``, whose history goes on with a gradient of zero."""

flip = Op(
    "flip",
    lambda x, *, axes: x,
    lambda x, *, axes: np.flip(x, axes),
    lambda grad, axes: flip(grad, axes=axes),
)


def _infer_cat(*xs: TensorType, axis: int) -> TensorType:
    shape = list(xs[0].shape)
    shape[axis] = sum(x.shape[axis] for x in xs)
    return xs[0].with_shape(tuple(shape))


def _cat_gradient(grad: Node, position: int, types: tuple[TensorType, ...], axis: int) -> Node:
    start = sum(type.shape[axis] for type in types[:position])
    return narrow(grad, axis, start, start + types[position].shape[axis])


cat = Op("cat", _infer_cat, lambda *xs, axis: np.concatenate(xs, axis), _cat_gradient)
"""Operands one after the other along an axis."""


def narrow(x: Node, axis: int, start: int, stop: int) -> Node:
    """Indices [start, stop) of one axis."""
    starts = tuple(start if i == axis else 0 for i in range(x.rank))
    stops = tuple(stop if i == axis else n for i, n in enumerate(x.shape))
    return slice_(x, starts=starts, stops=stops, steps=(1,) * x.rank)


def pad(x: Node, before: Shape, after: Shape, fill: Node | None = None) -> Node:
    """``x`` inside a larger box of zeros (or of ``fill``, 0-d of the same dtype)."""
    shape = tuple(a + n + b for a, n, b in zip(before, x.shape, after, strict=True))
    box = x.type.with_shape(shape)
    base = zeros_of(box) if fill is None else broadcast_to(fill, shape)
    stops = tuple(a + n for a, n in zip(before, x.shape, strict=True))
    return slice_write(base, x, starts=before, stops=stops, steps=(1,) * x.rank)


def _infer_bitcast(x: TensorType, *, dtype: dtype) -> TensorType:
    """The last axis holds as many bytes as before."""
    if x.dtype.itemsize == dtype.itemsize:
        return x.with_dtype(dtype)
    if not x.rank:
        raise errors.runtime(
            f"one {x.dtype.name} cannot be seen as {dtype.name}, whose elements have another size", input=x
        )
    size = x.shape[-1] * x.dtype.itemsize
    if size % dtype.itemsize:
        raise errors.runtime(
            f"to be seen as {dtype.name}, the last dimension must be a multiple of"
            f" {dtype.itemsize // x.dtype.itemsize}, but it is {x.shape[-1]}",
            input=x,
        )
    return TensorType((*x.shape[:-1], size // dtype.itemsize), dtype)


bitcast = Op("bitcast", _infer_bitcast, lambda x, *, dtype: np.asarray(x, order="C").view(dtype.numpy))
"""The same bytes as another type."""

__all__ = [
    "bitcast", "broadcast_to", "cat", "expand", "flip", "inverse", "narrow", "overwrite", "pad", "permute",
    "reshape", "slice_", "slice_write", "zeros_like", "zeros_of",
]  # fmt: skip

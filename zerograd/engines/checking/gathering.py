"""Productions with products, windows and places: matrix products, convolutions, pooling, indexing."""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.engines.checking.building import Builder, MisfitError
from zerograd.engines.checking.productions import production
from zerograd.engines.checking.shaping import axis_of
from zerograd.ir.graph import Node, TensorType, registry
from zerograd.ops import elementwise as e
from zerograd.ops import indexing as ix
from zerograd.ops.contraction import matmul, turn
from zerograd.ops.convolution import window_counts
from zerograd.ops.movement import broadcast_to, reshape
from zerograd.shapes import count

# --- products ----------------------------------------------------------------------------------------------


def operand(b: Builder, shape: tuple[int, ...], kind: dtype) -> Node:
    """A factor of this shape: from the pool, or a leaf that may be turned."""
    same = [node for node in b.pool if node.shape == shape and node.dtype is kind]
    if same and b.draw.chance(0.4):
        return b.draw.one(same)
    if b.draw.chance(0.35):
        return turn(b.leaf(TensorType((*shape[:-2], shape[-1], shape[-2]), kind)))
    if len(shape) > 2 and b.draw.chance(0.3):  # one matrix for the whole batch
        return broadcast_to(b.leaf(TensorType(shape[-2:], kind)), shape)
    return b.leaf(TensorType(shape, kind))


@production(9)
def product(b: Builder) -> None:
    """A matrix product, often with bias and activation."""
    rows = [node for node in b.pool if node.rank >= 2 and node.dtype.is_inexact]
    if rows and b.draw.chance(0.6):
        x = b.draw.one(rows)
    else:
        kind = b.draw.one((dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16), (12, 1, 1, 1))
        k = 0 if b.draw.chance(0.03) else b.draw.size(b.draw.limit) or 1
        x = operand(b, (*b.draw.one(((), (2,), (3,), (2, 2)), (8, 2, 1, 1)), b.draw.size(70), k), kind)
    columns = b.draw.size(max(b.draw.limit // max(x.shape[-2], 1), 1))
    y = operand(b, (*x.shape[:-2], x.shape[-1], columns), x.dtype)
    scale = x.shape[-1] ** -0.5 if x.shape[-1] else 1.0
    out = matmul(x, y) if b.draw.chance(0.5) else e.times(matmul(x, y), scale)
    if b.draw.chance(0.4):
        out = e.add(out, broadcast_to(b.leaf(TensorType((out.shape[-1],), out.dtype)), out.shape))
    if b.draw.chance(0.4) and not x.dtype.is_complex:
        out = registry[b.draw.one(("relu", "tanh", "sigmoid"))](out)
    b.offer(out)


@production(2)
def square_product(b: Builder) -> None:
    """x @ xᵀ, the operand used twice."""
    x = b.pick_float(rank=2)
    if x.shape[-2] ** 2 > b.draw.limit:
        raise MisfitError
    b.offer(matmul(x, turn(x)))


# --- windows -----------------------------------------------------------------------------------------------


def windows_of(b: Builder, rank: int) -> tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]:
    """The size of images, of a kernel, and stride, padding and dilation that fit."""
    draw = b.draw
    kernel = tuple(draw.one((1, 2, 3, 5), (3, 2, 4, 1)) for _ in range(rank))
    dilation = tuple(draw.one((1, 2), (5, 1)) for _ in range(rank))
    padding = tuple((draw.below(k), draw.below(k)) for k in kernel)
    if draw.chance(0.5):
        padding = tuple((a, a) for a, _ in padding)
    stride = tuple(draw.one((1, 2, 3), (5, 2, 1)) for _ in range(rank))
    least = [d * (k - 1) + 1 - sum(p) for d, k, p in zip(dilation, kernel, padding, strict=True)]
    size = tuple(max(low, 1) + draw.below(9 if rank < 3 else 4) for low in least)
    return size, kernel, {"stride": stride, "padding": padding, "dilation": dilation}


@production(5)
def convolution(b: Builder) -> None:
    """One of the three sides of a convolution."""
    draw = b.draw
    rank = draw.one((1, 2, 3), (3, 6, 1))
    kind = draw.one((dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16), (12, 1, 1, 1))
    size, kernel, options = windows_of(b, rank)
    groups = draw.one((1, 2, 3), (6, 1, 1))
    channels, features = draw.one((1, 2, 3, 5)) * groups, draw.one((1, 2, 4, 7)) * groups
    n = draw.one((1, 2, 3, 5, 0), (4, 4, 2, 1, 0.2))
    out = window_counts(size, kernel, *options.values())
    image, weight, result = (n, channels, *size), (features, channels // groups, *kernel), (n, features, *out)
    options["groups"] = groups
    side = draw.one(("conv", "conv_input", "conv_weight"), (4, 2, 2))
    leaf = lambda shape: b.leaf(TensorType(shape, kind))  # noqa: E731
    if side == "conv":
        found = registry[side](leaf(image), leaf(weight), **options)
        if draw.chance(0.5):
            bias = reshape(leaf((features,)), shape=(1, features, *(1,) * rank))
            found = e.relu(e.add(found, broadcast_to(bias, found.shape)))
    elif side == "conv_input":
        found = registry[side](leaf(result), leaf(weight), size=size, **options)
    else:
        found = registry[side](leaf(image), leaf(result), kernel=kernel, **options)
    b.offer(found)


@production(2)
def unfolding(b: Builder) -> None:
    size, kernel, options = windows_of(b, b.draw.one((1, 2)))
    shape = (b.draw.one((1, 2)), b.draw.one((1, 3)), *size)
    columns = registry["unfold"](b.leaf(TensorType(shape, dtypes.float32)), kernel=kernel, **options)
    b.offer(columns)
    if b.draw.chance(0.6):
        b.offer(registry["fold"](e.tanh(columns), size=size, kernel=kernel, **options))


def pool_table(b: Builder, n: int) -> tuple[tuple[int, ...], ...]:
    """The windows of pooling with some kernel, stride and padding along an axis."""
    kernel = b.draw.between(1, max(min(n, 3), 1))
    stride, start = b.draw.between(1, kernel), -b.draw.below(kernel)
    found = []
    while start + (kernel - 1) // 2 < n or not found:
        found.append(tuple(at if 0 <= at < n else -1 for at in range(start, start + kernel)))
        start += stride
    return tuple(row for row in found if max(row) >= 0)


@production(3)
def pooling(b: Builder) -> None:
    """Maxima with their places, or weighted sums, of windows."""
    x = b.pick_float(rank=2)
    if 0 in x.shape:
        raise MisfitError
    if b.draw.chance(0.6):
        rank = b.draw.between(1, min(x.rank - 1, 2))
        tables = tuple(pool_table(b, n) for n in x.shape[-rank:])
        b.offer(*registry["max_pool"](x, tables=tables))
        return
    axis = axis_of(b, x)
    table = pool_table(b, x.shape[axis])
    weights = tuple(tuple(float(one) for one in b.draw.random.uniform(-1, 1, len(row))) for row in table)
    b.offer(registry["resample"](x, axis=axis, table=table, weights=b.draw.one((None, weights))))


# --- places ------------------------------------------------------------------------------------------------


def some_places(b: Builder, shape: tuple[int, ...], n: int) -> Node:
    """Places in an axis of n elements; some count from the end."""
    if n == 0 and count(shape):
        raise MisfitError
    low = -n if b.draw.chance(0.2) else 0
    places = b.places(shape, n, low)
    return ix.wrap(places, size=n) if low and b.draw.chance(0.5) else places


@production(5)
def indexing(b: Builder) -> None:
    x = b.pick(lambda type: type.rank > 0)
    places = some_places(b, b.draw.shape(b.draw.one((0, 1, 2), (1, 5, 2)), 40), x.shape[0])
    if places.type.count * count(x.shape[1:]) > 4 * b.draw.limit:
        raise MisfitError
    b.offer(ix.index(x, places))


@production(4)
def index_write(b: Builder) -> None:
    """Rows put, or added, at places; where rows are put, places differ."""
    x = b.pick(lambda type: type.rank > 0 and type.dtype is not dtypes.bool_)
    n, accumulate = x.shape[0], b.draw.chance(0.7)
    if accumulate:
        places = some_places(b, (b.draw.size(33),), n)
    else:
        order = b.draw.random.permutation(n)[: b.draw.below(n + 1)]
        places = b.leaf(TensorType(order.shape, dtypes.int64), order.astype(np.int64))
    values = b.partner(x.type.with_shape((*places.shape, *x.shape[1:])))
    if values.type.count > 4 * b.draw.limit:
        raise MisfitError
    b.offer(ix.index_write(x, values, places, accumulate=accumulate))


@production(5)
def along_an_axis(b: Builder) -> None:
    """gather and its kin."""
    x = b.pick(lambda type: type.rank > 0 and type.dtype is not dtypes.bool_)
    axis = axis_of(b, x)
    shape = tuple(b.draw.size(17) if i == axis else b.draw.between(0, n) if b.draw.chance(0.3) else n
                  for i, n in enumerate(x.shape))  # fmt: skip
    if count(shape) > 4 * b.draw.limit:
        raise MisfitError
    name = b.draw.one(("gather", "scatter", "scatter_add", "scatter_fold"), (4, 1, 3, 1))
    if name == "gather":
        b.offer(ix.gather(x, some_places(b, shape, x.shape[axis]), axis=axis))
        return
    values = b.partner(x.type.with_shape(shape))
    if name == "scatter":
        if shape[axis] > x.shape[axis]:
            raise MisfitError
        order = np.argsort(
            b.draw.random.random(tuple(x.shape[axis] if i == axis else n for i, n in enumerate(shape))), axis
        )
        order = order.take(range(shape[axis]), axis)
        places = b.leaf(TensorType(shape, dtypes.int64), order.astype(np.int64))
        b.offer(ix.scatter(x, places, values, axis=axis))
        return
    places = some_places(b, shape, x.shape[axis])
    if name == "scatter_add":
        b.offer(ix.scatter_add(x, places, values, axis=axis))
    else:
        kind = b.draw.one(("product", "max", "min")) if not x.dtype.is_complex else "product"
        b.offer(ix.scatter_fold(x, places, values, axis=axis, kind=kind))

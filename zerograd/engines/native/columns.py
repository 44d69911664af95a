"""Windows of images as columns, and columns added up to images: copies and sums between strided windows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from zerograd.engines.native.lower import Lowering, special
from zerograd.engines.native.windows import Window
from zerograd.ir.graph import Node
from zerograd.ops.convolution import Padding, window_counts
from zerograd.shapes import Shape, contiguous_strides, count


def _zeros(lowering: Lowering, like: Window) -> Window:
    """One zero, seen in the shape of ``like``."""
    zero = lowering.constant(np.zeros((1,), like.dtype.numpy), like.dtype)
    return zero.seen(like.shape, (0,) * len(like.shape))


def _framed(lowering: Lowering, like: Window, padding: Padding) -> tuple[Window, Window]:
    """A new buffer of zeros for images with a frame around them, and the images in it."""
    shape = (*like.shape[:2], *(a + n + b for n, (a, b) in zip(like.shape[2:], padding, strict=True)))
    made = lowering.buffer(max(count(shape), 1) * like.dtype.itemsize)
    whole = Window.whole(made.index, like.dtype, shape)
    lowering.steps.append(lowering.rows.copy(_zeros(lowering, whole), whole))
    offset = sum(a * stride for (a, _), stride in zip(padding, whole.strides[2:], strict=True))
    return whole, whole.seen(like.shape, whole.strides, offset)


def _is_framed(padding: Padding) -> bool:
    return any(one != (0, 0) for one in padding)


@special("unfold")
def _unfold(lowering: Lowering, node: Node) -> bool:
    (x,) = node.inputs
    kernel, stride, padding, dilation = (node.attributes[word] for word in ("kernel", "stride", "padding", "dilation"))
    if min((n for pair in padding for n in pair), default=0) < 0:
        return False
    images = lowering.window(x)
    if _is_framed(padding):
        framed, inside = _framed(lowering, images, padding)
        lowering.steps.append(lowering.rows.copy(images, inside))
        images = framed
    batch, channels, *steps = images.strides
    outs = window_counts(x.shape[2:], kernel, stride, padding, dilation)
    strides = (batch, channels, *_times(steps, dilation), *_times(steps, stride))
    target = lowering.new_window(node.type)
    shape = (*x.shape[:2], *kernel, *outs)
    columns = target.seen(shape, contiguous_strides(shape))
    lowering.steps.append(lowering.rows.copy(images.seen(shape, strides), columns))
    lowering.place(node, target)
    return True


def _times(xs: Sequence[int], ys: Sequence[int]) -> Shape:
    return tuple([x * y for x, y in zip(xs, ys, strict=True)])


@special("fold")
def _fold(lowering: Lowering, node: Node) -> bool:
    """One sum for each place in the kernel: different windows have different elements there."""
    (x,) = node.inputs
    size, kernel, stride, padding, dilation = (
        node.attributes[word] for word in ("size", "kernel", "stride", "padding", "dilation")
    )
    if not lowering.rows.adds(x.dtype) or min((n for pair in padding for n in pair), default=0) < 0:
        return False
    outs = window_counts(size, kernel, stride, padding, dilation)
    target = lowering.new_window(node.type)
    framed, inside = _framed(lowering, target, padding)
    source = lowering.whole(x)
    if count(x.shape):
        batch, channels, *steps = framed.strides
        shape = (*node.shape[:2], *outs)
        of_columns = contiguous_strides((*node.shape[:2], *kernel, *outs))
        columns_strides = (*of_columns[:2], *of_columns[2 + len(kernel) :])
        for position in product(*map(range, kernel)):
            begin = sum(_times(position, of_columns[2 : 2 + len(kernel)]))
            corner = sum(_times(_times(position, dilation), steps))
            part = source.seen(shape, columns_strides, begin)
            box = framed.seen(shape, (batch, channels, *_times(steps, stride)), corner)
            lowering.steps.append(lowering.rows.add(part, box))
    lowering.steps.append(lowering.rows.copy(inside, target))
    lowering.place(node, target)
    return True

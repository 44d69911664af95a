"""How PyTorch would lay out the result of an elementwise op: strides that follow the operands'.

Nodes are contiguous unless ``strides`` says otherwise. Nothing is computed differently for it; it is what
``Tensor.stride()`` reports, and what decides whether ``view`` succeeds.
"""

from __future__ import annotations

from collections.abc import Sequence

from zerograd.ir.graph import Node
from zerograd.shapes import Shape, contiguous_strides, is_contiguous


def strides_of(node: Node) -> Shape | None:
    """The strides of an operand, with 0 where it is broadcast; ``None`` if it is contiguous."""
    if node.strides is not None:
        return node.strides
    name = node.op.name
    if name == "expand":
        before = node.inputs[0]
        strides = strides_of(before) or contiguous_strides(before.shape)
        return tuple(0 if m != n else s for m, n, s in zip(before.shape, node.shape, strides, strict=True))
    if name == "reshape":
        before = node.inputs[0]
        lead = node.rank - before.rank
        strides = strides_of(before)
        if strides is not None and lead >= 0 and node.shape == (1,) * lead + before.shape:
            return (*(0,) * lead, *strides)
    return None


def _is_laid(node: Node) -> bool:
    """Whether an operand, seen through broadcasting, lies in another order than row-major."""
    while node.strides is None:
        if node.op.name not in ("expand", "reshape"):
            return False
        node = node.inputs[0]
    return True


def elementwise_strides(name: str, shape: Shape, operands: Sequence[Node]) -> Shape | None:
    """The strides of an elementwise op's result; ``None``: contiguous."""
    if not shape or not any(map(_is_laid, operands)):
        return None
    strides = [strides_of(one) or contiguous_strides(shape) for one in operands]
    if name == "cast":
        return preserved_strides(shape, strides[0])
    if not any(one.op.name == "expand" for one in operands):
        if all(is_contiguous(shape, one) for one in strides):
            return None
        if len(shape) == 4 and all(is_channels_last(shape, one) for one in strides):
            return in_order(shape, CHANNELS_LAST)
        if all(one == strides[0] for one in strides) and is_dense(shape, strides[0]):
            return unless_contiguous(shape, strides[0])
    return in_order(shape, fastest_first(shape, strides))


def preserved_strides(shape: Shape, strides: Shape) -> Shape | None:
    """The strides of a copy in ``torch.preserve_format``; ``None``: contiguous."""
    if is_dense(shape, strides):
        return unless_contiguous(shape, strides)
    return in_order(shape, fastest_first(shape, [strides]))


def unless_contiguous(shape: Shape, strides: Shape) -> Shape | None:
    """``None`` for strides that a new tensor has anyway."""
    return None if strides == contiguous_strides(shape) else strides


def in_order(shape: Shape, order: Sequence[int]) -> Shape | None:
    """Gapless strides with the axes in ``order``, the fastest first; ``None``: contiguous."""
    strides = [0] * len(shape)
    step = 1
    for axis in order:
        strides[axis] = step
        step *= max(shape[axis], 1)
    return unless_contiguous(shape, tuple(strides))


CHANNELS_LAST = (1, 3, 2, 0)  # the axes of images, fastest first
CHANNELS_LAST_3D = (1, 4, 3, 2, 0)


def is_channels_last(shape: Shape, strides: Shape, order: Sequence[int] = CHANNELS_LAST) -> bool:
    """Whether the elements of a batch of images lie with the channels together and without gaps."""
    expected = 1
    for axis in order:
        if shape[axis] == 0:
            return True
        if shape[axis] != 1:
            if strides[axis] != expected:
                return False
            expected *= shape[axis]
    return True


def is_dense(shape: Shape, strides: Shape) -> bool:
    """Whether the elements fill their memory without gaps or overlaps, in whatever order."""
    expected = 1
    for stride, size in sorted((s, n) for s, n in zip(strides, shape, strict=True) if n != 1):
        if size == 0:
            return True
        if stride != expected:
            return False
        expected *= size
    return True


def fastest_first(shape: Shape, strides: Sequence[Shape]) -> list[int]:
    """The axes by growing stride; operands decide in turn, and broadcast axes (stride 0) decide nothing.

    An insertion sort, since the relation is not transitive and PyTorch's result depends on the way.
    """
    axes = list(reversed(range(len(shape))))
    for start in range(1, len(axes)):
        at = start
        for before in range(start - 1, -1, -1):
            turn = _must_swap(shape, strides, axes[before], axes[at])
            if turn < 0:
                break
            if turn > 0:
                axes[before], axes[at] = axes[at], axes[before]
                at = before
    return axes


def _must_swap(shape: Shape, strides: Sequence[Shape], faster: int, slower: int) -> int:
    """1: swap; -1: the order is right; 0: undecided."""
    for one in strides:
        a, b = one[faster], one[slower]
        if a == 0 or b == 0:
            continue
        if a != b:
            return 1 if a > b else -1
        if shape[faster] > shape[slower]:
            return 1
    return 0

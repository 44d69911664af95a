"""Arithmetic of shapes: pure functions on tuples of sizes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from zerograd import errors

Shape = tuple[int, ...]


def count(shape: Sequence[int]) -> int:
    """The number of elements."""
    return math.prod(shape)


def contiguous_strides(shape: Sequence[int]) -> Shape:
    """Row-major strides, in elements, as PyTorch counts them (a size of 0 counts as 1)."""
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def is_contiguous(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether the elements lie in row-major order without gaps; strides of sizes 0 and 1 do not matter."""
    if 0 in shape:
        return True
    expected = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size != 1:
            if stride != expected:
                return False
            expected *= size
    return True


def broadcast(name: str, *shapes: Shape) -> Shape:
    """The shape to which all ``shapes`` expand.

    Raises:
        RuntimeError: two sizes differ and neither is 1.
    """
    first = shapes[0]
    if all(shape == first for shape in shapes):
        return first
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    result = []
    for axis, sizes in enumerate(zip(*padded, strict=True)):
        wanted = {size for size in sizes if size != 1}
        if len(wanted) > 1:
            a, b = [size for size in sizes if size != 1][:2]
            raise errors.runtime(
                f"{name}: shapes do not broadcast, size {a} against {b} at dimension {axis}",
                shapes=" and ".join(str(list(shape)) for shape in shapes),
                hint="sizes must be equal or 1, counted from the last dimension",
            )
        result.append(wanted.pop() if wanted else 1)
    return tuple(result)


def axis(dim: int, rank: int, *, what: str = "dim") -> int:
    """``dim`` counted from the front; a tensor without dimensions accepts -1 and 0.

    Raises:
        IndexError: outside [-rank, rank - 1].
        TypeError: not an integer.
    """
    if not isinstance(dim, int):
        try:
            dim = dim.__index__()
        except AttributeError:
            raise errors.type_(f"{what} must be an integer, got {type(dim).__name__}") from None
    limit = max(rank, 1)
    if not -limit <= dim < limit:
        raise errors.index(
            f"{what} {dim} is out of range: it must lie in [{-limit}, {limit - 1}]",
            dimensions=rank,
        )
    return dim + limit if dim < 0 else dim


def axes(dims: int | Iterable[int] | None, rank: int, *, what: str = "dim") -> Shape:
    """Each of ``dims`` counted from the front, in the given order; ``None`` is all of them.

    Raises:
        RuntimeError: a dimension appears twice.
        IndexError: one is out of range.
    """
    if dims is None:
        return tuple(range(rank))
    if isinstance(dims, int) or not isinstance(dims, Iterable):
        return (axis(dims, rank, what=what),) if rank else _checked_scalar(dims, what)
    result = tuple(axis(one, rank, what=what) for one in dims)
    if len(set(result)) != len(result):
        raise errors.runtime(f"{what} {list(dims)} names a dimension twice", dimensions=rank)
    return result if rank else ()


def _checked_scalar(dim: int, what: str) -> Shape:
    axis(dim, 0, what=what)
    return ()


def infer_size(shape: Sequence[int], elements: int) -> Shape:
    """``shape`` with its one -1 replaced so that it holds ``elements``.

    Raises:
        RuntimeError: impossible, or more than one -1.
    """
    shape = tuple(shape)
    unknown = [i for i, size in enumerate(shape) if size == -1]
    if any(size < -1 for size in shape):
        raise errors.runtime(f"invalid shape dimension {min(shape)}", shape=list(shape))
    if len(unknown) > 1:
        raise errors.runtime("a shape may have one -1, not several", shape=list(shape))
    known = math.prod(size for size in shape if size != -1)
    if unknown:
        if known == 0:
            raise errors.runtime(f"the -1 in {list(shape)} could be any size for a tensor of {elements} elements")
        if elements % known == 0:
            i = unknown[0]
            return (*shape[:i], elements // known, *shape[i + 1 :])
    elif known == elements:
        return shape
    raise errors.runtime(f"{elements} elements do not fit the shape {list(shape)}, which holds {known}")

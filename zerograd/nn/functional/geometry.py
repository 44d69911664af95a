"""How windows lie on images: sizes given per axis, counts of windows, the positions that each window reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Any, TypeVar

from zerograd import errors
from zerograd.ir.graph import TensorType
from zerograd.ops.pooling import Table
from zerograd.shapes import Shape

Made = TypeVar("Made")
COUNTED = {1: "int", 2: "tuple of two ints", 3: "tuple of three ints"}


def per_axis(name: str, what: str, given: Any, rank: int) -> Shape:
    """One number for each of ``rank`` axes, from one for all or a sequence.

    Raises:
        RuntimeError: a sequence of another length.
        TypeError: not made of ints.
    """
    if isinstance(given, list | tuple):
        if len(given) not in (1, rank):
            raise errors.runtime(
                f"{name}: {what} must be one int or a {COUNTED[rank]}, one per axis", given=list(given)
            )
        return tuple([_int(name, what, one) for one in given]) * (rank // len(given))
    return (_int(name, what, given),) * rank


def _int(name: str, what: str, given: Any) -> int:
    try:
        return given if type(given) is int else given.__index__()
    except (AttributeError, TypeError):
        raise errors.type_(f"{name}(): argument '{what}' must be made of ints, not {type(given).__name__}") from None


def known_again(make: Callable[..., Made]) -> Callable[..., Made]:
    """``make``, which gives the same object for the same arguments, so that it needs no comparing when met again.

    Lists among the arguments count as tuples.
    """
    cached = lru_cache(maxsize=4096, typed=True)(make)

    @wraps(make)
    def remembering(*args: Any) -> Made:
        if list not in map(type, args):
            return cached(*args)
        return cached(*[tuple(one) if one.__class__ is list else one for one in args])

    return remembering


def check_rank(name: str, x: TensorType, rank: int) -> None:
    """An image is [channels, *axes] or [batch, channels, *axes], and only the batch may be empty.

    Raises:
        RuntimeError: it is neither.
    """
    if x.rank not in (rank + 1, rank + 2) or 0 in x.shape[-rank - 1 :]:
        raise errors.runtime(
            f"{name}: expected a non-empty {rank + 1}D (channels and axes) or {rank + 2}D (batch, channels and"
            f" axes) tensor for input",
            input=x,
        )


class Windows:
    """The arguments of a pooling function.

    Attributes:
        label: what ``grad_fn`` shows.
        name: the public function.
    """

    __slots__ = ("ceil_mode", "dilation", "kernel", "label", "name", "padding", "stride")

    def __init__(
        self, label: str, name: str, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, ceil_mode: bool
    ) -> None:
        self.label, self.name, self.kernel = label, name, kernel
        self.stride, self.padding, self.dilation, self.ceil_mode = stride, padding, dilation, ceil_mode

    @property
    def rank(self) -> int:
        return len(self.kernel)

    def counts(self, x: TensorType) -> Shape:
        """How many windows fit along each axis of ``x``.

        Raises:
            RuntimeError: none, or the arguments are out of range.
        """
        check_rank(self.name, x, self.rank)
        self._check()
        size = x.shape[-self.rank :]
        found = tuple(map(self._count, range(self.rank), size))
        if min(found) < 1:
            raise errors.runtime(
                f"{self.name}: output size is too small, {' x '.join(map(str, found))}",
                input=x,
                kernel_size=self.kernel,
                padding=self.padding,
                dilation=self.dilation,
                hint="the padded input must be at least as large as a window",
            )
        return found

    def _check(self) -> None:
        if min(self.kernel) < 1 or min(self.dilation) < 1:
            raise errors.runtime(
                f"{self.name}: kernel size and dilation are 1 or more",
                kernel_size=self.kernel,
                dilation=self.dilation,
            )
        if min(self.stride) < 1:
            raise errors.runtime(f"{self.name}: a stride is 1 or more", stride=self.stride)
        for k, p, d in zip(self.kernel, self.padding, self.dilation, strict=True):
            if not 0 <= p <= (d * (k - 1) + 1) // 2:
                raise errors.runtime(
                    f"{self.name}: padding is 0 to half a window, so that no window sees only padding",
                    padding=p,
                    kernel_size=k,
                    dilation=d,
                )

    def _count(self, axis: int, size: int) -> int:
        stride, padding = self.stride[axis], self.padding[axis]
        room = size + 2 * padding - self.dilation[axis] * (self.kernel[axis] - 1) - 1
        if not self.ceil_mode:
            return room // stride + 1
        found = -(-room // stride) + 1
        return found - 1 if (found - 1) * stride >= size + padding else found  # none begins in the right padding

    def tables(self, x: TensorType) -> tuple[Table, ...]:
        """For each axis, the positions that each window reads; -1 in the padding."""
        size = x.shape[-self.rank :]
        return tuple(
            tuple(
                tuple(i if 0 <= i < n else -1 for i in range(window * s - p, window * s - p + k * d, d))
                for window in range(windows)
            )
            for windows, n, k, s, p, d in zip(
                self.counts(x), size, self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )


@known_again
def pooling_windows(
    label: str, name: str, rank: int, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: Any
) -> Windows:
    """The arguments of a pooling function, one number per axis; no stride (None or an empty sequence): the kernel's."""
    sizes = per_axis(name, "kernel_size", kernel, rank)
    none = stride is None or (isinstance(stride, list | tuple) and not len(stride))
    return Windows(
        label,
        name,
        sizes,
        sizes if none else per_axis(name, "stride", stride, rank),
        per_axis(name, "padding", padding, rank),
        per_axis(name, "dilation", dilation, rank),
        bool(ceil_mode),
    )


def adaptive_table(size: int, windows: int) -> Table:
    """``windows`` nearly equal windows that cover an axis: the i-th is [floor(i n / w), ceil((i + 1) n / w))."""
    bounds = [(i * size // windows, -(-(i + 1) * size // windows)) for i in range(windows)]
    width = max((stop - start for start, stop in bounds), default=0)
    return tuple((*range(start, stop), *(-1,) * (width - stop + start)) for start, stop in bounds)


def adaptive_sizes(name: str, x: TensorType, given: Any, rank: int) -> Shape:
    """The wanted size of each axis, where None keeps the input's.

    Raises:
        RuntimeError: wrong number of sizes, a negative one, or an input of the wrong rank.
    """
    check_rank(name, x, rank)
    if not isinstance(given, Sequence):
        given = (given,) * rank
    if len(given) != rank:
        raise errors.runtime(f"{name}: output_size must be one int or a {COUNTED[rank]}", given=list(given))
    sizes = tuple(
        n if one is None else _int(name, "output_size", one) for one, n in zip(given, x.shape[-rank:], strict=True)
    )
    if min(sizes) < 0:
        raise errors.runtime(f"{name}: a size must not be negative", output_size=list(sizes))
    return sizes

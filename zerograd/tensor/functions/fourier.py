"""Fourier transforms of tensors: ``torch.fft``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from zerograd import dtypes, errors
from zerograd.ir.graph import Node
from zerograd.ops.elementwise import conj, mul
from zerograd.ops.fft import as_complex, fourier, half_fourier, whole
from zerograd.ops.movement import narrow, pad
from zerograd.ops.source import filled
from zerograd.shapes import Shape, axis
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import accepts_out, apply, floats, labelled
from zerograd.tensor.functions.dimensions import static_dim, static_dims
from zerograd.tensor.functions.ranges import arange
from zerograd.tensor.functions.rearranging import roll

NORMS = ("backward", "ortho", "forward")


# --- bodies ------------------------------------------------------------------------------------------


def _usable(name: str, x: Node, real: bool = False) -> Node:
    if real and x.dtype.is_complex:
        raise errors.runtime(f"{name} transforms real numbers, and this tensor is complex", input=x.type)
    if x.dtype in (dtypes.float16, dtypes.bfloat16):
        raise errors.runtime(
            f"{name} does not transform half precision", input=x.type, hint="convert with .float() first"
        )
    return floats(x)


def _fitted(x: Node, dim: int, size: int) -> Node:
    """The first ``size`` elements along a dimension, or zeros behind them."""
    have = x.shape[dim]
    if size < have:
        return narrow(x, dim, 0, size)
    after = tuple(size - have if i == dim else 0 for i in range(x.rank))
    return pad(x, (0,) * x.rank, after) if size > have else x


def _scaled(x: Node, norm: str, forward: bool, count: int) -> Node:
    """The part of 1 / count that falls to this direction."""
    share = {"ortho": 1 / math.sqrt(count), "forward" if forward else "backward": 1 / count}.get(norm)
    return x if share is None else mul(x, filled(share, x.type))


def _count(x: Node, dims: Shape) -> int:
    return math.prod(x.shape[dim] for dim in dims)


def _fft_c2c(x: Node, name: str, sizes: Shape, dims: Shape, norm: str, forward: bool) -> Node:
    x = as_complex(_usable(name, x))
    for dim, size in zip(dims, sizes, strict=True):
        x = _fitted(x, dim, size)
    return _scaled(fourier(x, axes=dims, forward=forward), norm, forward, _count(x, dims))


@labelled("FftR2CBackward0")
def _fft_real(x: Node, name: str, sizes: Shape, dims: Shape, norm: str, forward: bool) -> Node:
    return _fft_c2c(x, name, sizes, dims, norm, forward)


def _fft_r2c(x: Node, name: str, sizes: Shape, dims: Shape, norm: str, forward: bool) -> Node:
    """The last dimension first, of which half is kept, then the others."""
    x = _usable(name, x, real=True)
    for dim, size in zip(dims, sizes, strict=True):
        x = _fitted(x, dim, size)
    out = half_fourier(x, axis=dims[-1])
    if not forward:
        out = conj(out)
    if dims[:-1]:
        out = fourier(out, axes=dims[:-1], forward=forward)
    return _scaled(out, norm, forward, _count(x, dims))


def _fft_c2r(x: Node, name: str, sizes: Shape, dims: Shape, norm: str, forward: bool) -> Node:
    """The last dimension, whose half is given, after the others."""
    x = as_complex(_usable(name, x))
    last, size = dims[-1], sizes[-1]
    for dim, n in zip(dims, (*sizes[:-1], size // 2 + 1), strict=True):
        x = _fitted(x, dim, n)
    if dims[:-1]:
        x = fourier(x, axes=dims[:-1], forward=forward)
    out = whole(conj(x) if forward else x, axis=last, size=size)
    return _scaled(out, norm, forward, _count(out, dims))


_fft_c2c.label = "FftC2CBackward0"  # pyright: ignore[reportFunctionMemberAccess]
_fft_r2c.label = "FftR2CBackward0"  # pyright: ignore[reportFunctionMemberAccess]
_fft_c2r.label = "FftC2RBackward0"  # pyright: ignore[reportFunctionMemberAccess]


# --- arguments ---------------------------------------------------------------------------------------


def _norm(name: str, norm: Any) -> str:
    if norm is None:
        return "backward"
    if norm not in NORMS:
        raise errors.runtime(f"{name} has no norm {norm!r}; there are {', '.join(NORMS)}")
    return norm


def _plan(name: str, x: Any, sizes: Any, dims: Any, whole_last: bool) -> tuple[Shape, Shape]:
    """(sizes, dimensions), where given sizes without dimensions mean the last ones, and -1 means as it is.

    Args:
        whole_last: the last dimension holds half of what comes out.
    """
    if not isinstance(x, TensorBase):
        raise errors.type_(f"{name}(): argument 'input' must be Tensor, not {type(x).__name__}")
    shape = x._shape
    if dims is None:
        count = len(shape) if sizes is None else len(sizes)
        if count > len(shape):
            raise errors.runtime(f"{name} got {count} sizes for a tensor of {len(shape)} dimensions")
        dims = tuple(range(len(shape) - count, len(shape)))
    else:
        dims = tuple(axis(one, len(shape)) for one in dims)
        if len(set(dims)) != len(dims):
            raise errors.runtime(f"{name} got a dimension twice", dim=list(dims))
    if sizes is None:
        sizes = (-1,) * len(dims)
    if len(sizes) != len(dims):
        raise errors.runtime(f"{name} got {len(sizes)} sizes for {len(dims)} dimensions")
    found = []
    for place, (size, dim) in enumerate(zip(sizes, dims, strict=True)):
        last = whole_last and place == len(dims) - 1
        size = (2 * (shape[dim] - 1) if last else shape[dim]) if size == -1 else size
        if size < 1:
            raise errors.runtime(f"{name} needs at least 1 point along dimension {dim}, got {size}")
        found.append(size)
    return tuple(found), dims


def _transform(body: Callable[..., Node], name: str, x: Any, sizes: Any, dims: Any, norm: Any, forward: bool) -> Any:
    sizes, dims = _plan(name, x, sizes, dims, body is _fft_c2r)
    if not dims and body is not _fft_c2c:
        raise errors.runtime(f"{name} needs at least one dimension to transform")
    if name in ("fft", "ifft") and not x.dtype.is_complex:
        body = _fft_real
    return apply(body, (x,), (name, sizes, dims, _norm(name, norm), forward))


def _as_tuple(given: Any) -> Any:
    given = static_dims(given)
    return (given,) if isinstance(given, int) else given


def _one(name: str, body: Callable[..., Node], forward: bool, text: str) -> Callable[..., Any]:
    def function(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
        return _transform(body, name, input, None if n is None else (n,), (static_dim(dim),), norm, forward)

    return _named(function, name, text)


def _two(name: str, body: Callable[..., Node], forward: bool, text: str) -> Callable[..., Any]:
    def function(
        input: Any, s: Sequence[int] | None = None, dim: Sequence[int] = (-2, -1), norm: str | None = None
    ) -> Any:
        return _transform(body, name, input, _as_tuple(s), _as_tuple(dim), norm, forward)

    return _named(function, name, text)


def _several(name: str, body: Callable[..., Node], forward: bool, text: str) -> Callable[..., Any]:
    def function(
        input: Any, s: Sequence[int] | None = None, dim: Sequence[int] | None = None, norm: str | None = None
    ) -> Any:
        return _transform(body, name, input, _as_tuple(s), _as_tuple(dim), norm, forward)

    return _named(function, name, text)


def _named(function: Callable[..., Any], name: str, text: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{text}\n\n    Source: torch.fft.{name}."
    return accepts_out(function)


# --- transforms --------------------------------------------------------------------------------------

_C2C = "The {0} Fourier transform along {1}. Sizes cut off, or fill up with zeros; norm: {2}."
_R2C = "The {0} Fourier transform of real numbers along {1}; half of the last dimension is kept. norm: {2}."
_C2R = "The real numbers whose {0} Fourier transform along {1} begins with ``input``. norm: {2}."
_THERE, _BACK = '"backward" (unscaled), "ortho", "forward"', '"backward" (scaled by 1 / n), "ortho", "forward"'
_KINDS = (
    ("fft", _fft_c2c, True, _C2C.format("discrete", "{}", _THERE)),
    ("ifft", _fft_c2c, False, _C2C.format("inverse", "{}", _BACK)),
    ("rfft", _fft_r2c, True, _R2C.format("discrete", "{}", _THERE)),
    ("irfft", _fft_c2r, False, _C2R.format("discrete", "{}", _BACK)),
    ("hfft", _fft_c2r, True, _C2R.format("inverse", "{}", _THERE)),
    ("ihfft", _fft_r2c, False, _R2C.format("inverse", "{}", _BACK)),
)
fft, ifft, rfft, irfft, hfft, ihfft = [
    _one(name, body, forward, text.format("a dimension")) for name, body, forward, text in _KINDS
]
fft2, ifft2, rfft2, irfft2, hfft2, ihfft2 = [
    _two(f"{name}2", body, forward, text.format("two dimensions")) for name, body, forward, text in _KINDS
]
fftn, ifftn, rfftn, irfftn, hfftn, ihfftn = [
    _several(f"{name}n", body, forward, text.format("several dimensions")) for name, body, forward, text in _KINDS
]


# --- frequencies -------------------------------------------------------------------------------------


def fftfreq(n: int, d: float = 1.0, **options: Any) -> Any:
    """The frequencies that ``fft`` of ``n`` samples, ``d`` apart, is about, in cycles per unit of ``d``.

    Source: torch.fft.fftfreq.
    """
    return _frequencies((n + 1) // 2, -(n // 2), n, d, options)


def rfftfreq(n: int, d: float = 1.0, **options: Any) -> Any:
    """Those of ``rfft``: n // 2 + 1, none of them negative. Source: torch.fft.rfftfreq."""
    return _frequencies(n // 2 + 1, 0, n, d, options)


def _frequencies(count: int, first_negative: int, n: int, d: float, options: dict[str, Any]) -> Any:
    from zerograd.tensor.functions.joining import cat

    requires_grad = options.pop("requires_grad", False)
    options["dtype"] = options.get("dtype") or dtypes.get_default_dtype()
    steps = arange(count, **options)
    if first_negative:
        steps = cat([steps, arange(first_negative, 0, **options)])
    found = steps * (1.0 / (n * d))
    return found.requires_grad_() if requires_grad else found


def fftshift(input: Any, dim: Any = None) -> Any:
    """``input`` with the zero frequency in the middle. Source: torch.fft.fftshift."""
    return _shifted(input, dim, lambda size: size // 2)


def ifftshift(input: Any, dim: Any = None) -> Any:
    """What ``fftshift`` does, undone. Source: torch.fft.ifftshift."""
    return _shifted(input, dim, lambda size: (size + 1) // 2)


def _shifted(input: Any, dim: Any, distance: Callable[[int], int]) -> Any:
    shape = input._shape
    dims = tuple(range(len(shape))) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    return roll(input, tuple(distance(shape[axis(one, len(shape))]) for one in dims), dims)

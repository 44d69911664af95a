"""The arguments of functions that work along dimensions: ``dim``, ``keepdim``, ``dtype``, ``out``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from zerograd import errors
from zerograd.ir.graph import Node
from zerograd.ops.movement import reshape
from zerograd.shapes import Shape, axes
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import write_out

Dims = int | Sequence[int] | None
_NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim"}


def static_dims(dim: Any) -> Any:
    """Dimensions as a hashable static argument."""
    if dim is None or type(dim) is int:
        return dim
    if isinstance(dim, list | tuple):
        return tuple([one if type(one) is int else _index(one) for one in dim])
    return _index(dim)


def static_dim(dim: Any) -> int:
    """One dimension as a static argument."""
    return dim if type(dim) is int else _index(dim)


def _index(dim: Any) -> int:
    try:
        return dim.__index__()
    except (AttributeError, TypeError):
        raise errors.type_(f"argument 'dim' must be int, not {type(dim).__name__}") from None


def reduced_axes(x: Node, dims: Any) -> Shape:
    """The axes that ``dims`` mean: all of them for ``None`` and ``()``."""
    return axes(None if dims == () else dims, x.rank)


def dropped(out: Node, x: Node, folded: Shape, keepdim: bool) -> Node:
    """A result whose folded axes have size 1, without them unless ``keepdim``."""
    if keepdim:
        return out
    return reshape(out, shape=tuple(n for i, n in enumerate(x.shape) if i not in folded))


def at_least_1d(x: Node) -> Node:
    return x if x.shape else reshape(x, shape=(1,))


def along_dims(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``out=``, NumPy's names ``axis`` and ``keepdims``, and the check that the first argument is a tensor."""
    name = function.__name__
    first = function.__code__.co_varnames[0]

    @functools.wraps(function)
    def public(*args: Any, out: Any = None, **given: Any) -> Any:
        input = args[0] if args else given.pop(first, given.pop("input", None))
        if not isinstance(input, TensorBase):
            raise errors.type_(f"{name}(): argument '{first}' (position 1) must be Tensor, not {type(input).__name__}")
        for alias in _NUMPY_NAMES.keys() & given.keys():
            given[_NUMPY_NAMES[alias]] = given.pop(alias)
        result = function(input, *args[1:], **given)
        if out is None:
            return result
        if isinstance(result, tuple):
            for one, target in zip(result, out, strict=True):
                write_out(name, one, target)
            return type(result)(out)
        return write_out(name, result, out)

    del public.__wrapped__  # the method takes these arguments, too
    return public

"""What public functions accept: sizes one by one or as a sequence, dtypes by PyTorch's and Python's names."""

from __future__ import annotations

import functools
from typing import Any

from zerograd import dtypes, errors
from zerograd.dtypes import dtype
from zerograd.runtime import devices
from zerograd.shapes import Shape
from zerograd.tensor.base import TensorBase

_PYTHON_TYPES = {bool: dtypes.bool_, int: dtypes.int64, float: dtypes.float64, complex: dtypes.complex128}


def integer(x: Any, name: str = "size") -> int:
    """``x`` as an int: Python's, NumPy's, or a tensor of one integer.

    Raises:
        TypeError: it is something else.
    """
    if type(x) is int:
        return x
    try:
        return x.__index__()
    except (AttributeError, TypeError):
        raise errors.type_(f"argument '{name}' must be made of ints, not {type(x).__name__}") from None


def sizes(args: tuple[Any, ...], name: str = "size") -> Shape:
    """Sizes given one by one or as one sequence."""
    if len(args) == 1 and isinstance(args[0], list | tuple):
        args = tuple(args[0])
    return tuple([one if type(one) is int else integer(one, name) for one in args])


def by_keyword(name: str) -> Any:
    """Lets a function of ``(input, *sizes)`` take them by keyword too: ``permute(x, dims=(1, 0))``."""

    def decorate(function: Any) -> Any:
        @functools.wraps(function)
        def either(input: Any, *args: Any, **kwargs: Any) -> Any:
            if name in kwargs:
                args = (kwargs.pop(name),)
            return function(input, *args, **kwargs)

        del either.__wrapped__
        return either

    return decorate


def shape_of(function: str, args: tuple[Any, ...]) -> Shape:
    """Sizes of a new tensor.

    Raises:
        RuntimeError: one is negative.
        TypeError: one is no integer.
    """
    if len(args) == 1 and isinstance(args[0], list | tuple):
        args = tuple(args[0])
    shape = []
    for one in args:
        if type(one) is not int:
            try:
                one = one.__index__()
            except (AttributeError, TypeError):
                raise errors.type_(
                    f"{function}: size is made of integers, not of {type(one).__name__}", size=repr(args)
                ) from None
        if one < 0:
            raise errors.runtime(
                f"{function}: a dimension cannot have {one} elements",
                size=list(args),
            )
        shape.append(one)
    return tuple(shape)


def as_dtype_argument(given: Any, function: str = "") -> dtype | None:
    """A dtype argument: PyTorch's types, or Python's ``float``, ``int``, ``bool`` and ``complex``."""
    if given is None or isinstance(given, dtype):
        return given
    found = _PYTHON_TYPES.get(given) if isinstance(given, type) else None
    if found is None:
        raise errors.type_(f"{function}: dtype is a torch.dtype, not {given!r}", hint="e.g. torch.float32")
    return found


def as_tensor_argument(function: str, name: str, given: Any) -> TensorBase:
    if not isinstance(given, TensorBase):
        raise errors.type_(f"{function}: {name} is a tensor, not a {type(given).__name__}")
    return given


def check_options(device: Any = None, layout: Any = None) -> None:
    """The options of creation functions that can only be refused."""
    devices.check(device)
    if layout is not None and str(layout) != "torch.strided":
        raise errors.runtime(f"only dense (strided) tensors are supported, got layout={layout}")

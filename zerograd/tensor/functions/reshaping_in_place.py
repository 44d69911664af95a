"""Changes of shape in place: the tensor looks at its storage in another way, and aliases stay as they are."""

from __future__ import annotations

from typing import Any

from zerograd import errors
from zerograd.ir.record import Value
from zerograd.tensor.base import TensorBase
from zerograd.tensor.functions import shaping, viewing


def _become(input: TensorBase, seen: TensorBase) -> Any:
    """Let ``input`` look as ``seen``, a view of it, does."""
    input._check_writable()
    if input._own is not None:
        input._own = (input._storage.version + 1, Value.pending(seen._node()))
    input._steps, input._layout, input._view_type = seen._steps, seen._layout, seen._view_type
    input._plain = False
    input._storage.version += 1
    input._look_anew()
    return input


def _method(name: str, view: Any) -> Any:
    def method(input: TensorBase, *args: Any, **kwargs: Any) -> Any:
        return _become(input, view(input, *args, **kwargs))

    method.__name__ = method.__qualname__ = f"{name}_"
    method.__doc__ = f"{name} in place. Source: torch.Tensor.{name}_."
    return method


def _as_strided(input: TensorBase, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    if input._base is not None:
        seen = viewing.as_strided(input, size, stride, storage_offset)
        if seen._base is not input._base:
            raise errors.runtime("as_strided_ of this view is not supported", hint="use as_strided", view=input._type)
        return seen
    return viewing.as_strided(input, size, stride, storage_offset)


METHODS = {
    f"{name}_": _method(name, view)
    for name, view in {
        "t": shaping.t,
        "transpose": shaping.transpose,
        "swapaxes": shaping.transpose,
        "swapdims": shaping.transpose,
        "squeeze": shaping.squeeze,
        "unsqueeze": shaping.unsqueeze,
        "as_strided": _as_strided,
    }.items()
}
IN_PLACE = ()
as_strided_ = METHODS["as_strided_"]

"""How a replay makes the results of a call: fresh tensors, as those that the body returned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zerograd import dtypes
from zerograd.ir.graph import Node, TensorType
from zerograd.ir.trace import Trace
from zerograd.program.bindings import storage_at
from zerograd.program.origins import Constant, OfDraw
from zerograd.program.results import Argument, New, Several, Shown, Window
from zerograd.tensor.base import TensorBase
from zerograd.tensor.storage import Storage
from zerograd.tensor.tensor import Tensor

Maker = Callable[[Trace, list[Storage], Sequence[Any]], Any]
"""(trace, new storages, the tensors among the arguments) -> the result."""


def maker(how: Any) -> Maker:
    """A function that makes a result anew."""
    match how:
        case New(node):
            return lambda trace, made, tensors: TensorBase.of_node(node, trace)
        case Argument(number):
            return lambda trace, made, tensors: tensors[number]
        case Shown():
            return _shown(how)
        case Window():
            return _window(how)
        case Several():
            return _several(how)
        case _:
            return lambda trace, made, tensors: how.one


def _several(how: Several) -> Maker:
    kind, keys = how.kind, how.keys
    makers = [maker(part) for part in how.parts]
    if issubclass(kind, dict):
        return lambda *of: kind(zip(keys, [make(*of) for make in makers], strict=True))
    if hasattr(kind, "_fields"):
        return lambda *of: kind(*[make(*of) for make in makers])
    return lambda *of: kind([make(*of) for make in makers])


def _shown(how: Shown) -> Maker:
    def make(trace: Trace, made: list[Storage], tensors: Sequence[Any]) -> Any:
        tensor = tensors[how.number]
        if not how.steps:
            return tensor._alias()
        for step in how.steps:
            tensor = tensor._see(step)
        return tensor

    return make


def _window(how: Window) -> Maker:
    base = None if how.base is None else maker(how.base)
    facts = dict(how.facts)

    def make(trace: Trace, made: list[Storage], tensors: Sequence[Any]) -> Any:
        tensor = object.__new__(Tensor)
        vars(tensor).update(facts)
        tensor._storage = made[how.storage] if isinstance(how.storage, int) else storage_at(how.storage, tensors)
        if base is not None:
            tensor._base = base(trace, made, tensors)
        return tensor

    return make


def new_storage(trace: Trace, content: Node | Constant | OfDraw, drawn: list[Any]) -> Storage:
    """A storage that the step makes."""
    if not isinstance(content, Node):
        data = content.data if isinstance(content, Constant) else drawn[content.number]
        return Storage.of_array(data, TensorType(data.shape, dtypes.from_numpy(data.dtype)))
    storage = Storage()
    storage.node, storage.serial = content, trace.serial
    trace.pending.append(storage)
    return storage

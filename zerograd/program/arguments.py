"""The arguments of a call: what a program is chosen by, and what it binds anew."""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

from zerograd.tensor.base import TensorBase

PLAIN = (bool, int, float, complex, str, bytes, type(None))


class Arguments:
    """The arguments of one call, taken apart.

    Attributes:
        key: what decides what the function does with them: their structure, the types of tensors, other values.
        tensors: those whose data is bound anew in each call.
        objects: those that are the same in each call of this key: parameters, models, loaders.
        traced: a tensor among them has a history, so the call is in the middle of something.
    """

    __slots__ = ("key", "objects", "tensors", "traced")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.tensors: list[Any] = []
        self.objects: list[Any] = []
        self.traced = False
        parts = [self._described(one) for one in args]
        if kwargs:
            parts.append(self._described(kwargs))
        self.key = (len(args), *parts, self._shared())

    def _described(self, one: Any) -> Any:
        kind = type(one)
        if isinstance(one, TensorBase):
            if one._leaf is None and one._own is None:
                self.traced = self.traced or one._tracked()
                self.tensors.append(one)
                return described(one)
        elif kind in PLAIN:
            return kind, repr(one) if kind is float or kind is complex else one
        elif kind is tuple or kind is list or (isinstance(one, tuple) and hasattr(kind, "_fields")):
            return kind, *[self._described(part) for part in one]
        elif isinstance(one, dict) and kind is dict:
            return kind, tuple(one), *[self._described(part) for part in one.values()]
        self.objects.append(one)
        return "the same", id(one)

    def _shared(self) -> Any:
        """Which tensors share memory, and what they show of it: nothing of that may be another in a replay."""
        if len(self.tensors) < 2:
            return ()
        ids = [id(one._storage) for one in self.tensors]
        if len(set(ids)) == len(ids):
            return ()
        return tuple(map(ids.index, ids)), tuple([one._steps for one in self.tensors])


class Shown(NamedTuple):
    """The data that an argument shows in one call: a storage, or a part of it."""

    storage: weakref.ref[Any]
    views: tuple[Any, ...]

    @classmethod
    def by(cls, tensor: Any) -> Shown:
        return cls(weakref.ref(tensor._storage), tensor._steps[: steps_of_data(tensor)])

    def is_shown_by(self, tensor: Any) -> bool:
        """Whether an argument of the same kind shows this, too."""
        return self.storage() is tensor._storage and self.views == tensor._steps[: len(self.views)]


def described(tensor: Any) -> Any:
    """What there is to know of a tensor but its data."""
    storage = tensor._storage
    if tensor._plain:
        return tensor.__class__, storage.type, storage.strides
    moving = steps_of_data(tensor)
    layout = tensor._layout
    return (
        tensor.__class__,
        tensor._type,
        storage.strides if not moving else None,
        tensor._detached,
        moving,
        tensor._steps[moving:],
        layout and (layout.shape, layout.strides),
        storage.type if not moving else None,
    )


def steps_of_data(tensor: Any) -> int:
    """How many of its views, the first ones, only say which part of the data is bound."""
    views = tensor._steps
    base = tensor if tensor._base is None else tensor._base
    if base._leaf is not None or base._own is not None:
        return 0
    return next((i for i in range(len(views), 0, -1) if views[i - 1].moves), 0)

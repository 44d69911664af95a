"""The dictionaries in which a module keeps its parameters, buffers and children."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import Any

from zerograd.runtime.structure import structure


class Registry(dict[str, Any]):
    """A dictionary whose entries are also attributes of the module that owns it.

    Law: ``owner.__dict__[name] is registry[name]`` after every write. So ``self.weight`` is an ordinary
    attribute
    and costs nothing beyond it; through ``__getattr__`` it would cost ten times as much, twice in every layer
    and step. The owner is held weakly, since a cycle would keep a dropped model's memory until the next
    collection.
    Copies and pickles are plain dictionaries: `Module.__setstate__` makes them registries again.
    """

    __slots__ = ("__weakref__", "_owner")

    def __init__(self, owner: object, entries: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self._owner = weakref.ref(owner)
        if entries:
            self.update(entries)

    def belongs_to(self, module: object) -> bool:
        """Whether writes here reach this module's attributes."""
        return self._owner() is module

    def __setitem__(self, name: str, value: Any) -> None:
        owner = self._owner()
        if name in self or id(owner) in structure.met:
            structure.changes += 1
        super().__setitem__(name, value)
        if owner is not None:
            owner.__dict__[name] = value

    def __delitem__(self, name: str) -> None:
        structure.changes += 1
        super().__delitem__(name)
        owner = self._owner()
        if owner is not None:
            owner.__dict__.pop(name, None)

    def pop(self, name: str, *default: Any) -> Any:
        if name not in self and default:
            return default[0]
        value = self[name]
        del self[name]
        return value

    def popitem(self) -> tuple[str, Any]:
        name = next(reversed(self))
        return name, self.pop(name)

    def clear(self) -> None:
        for name in list(self):
            del self[name]

    def update(self, entries: Any = (), /, **named: Any) -> None:
        for name, value in dict(entries, **named).items():
            self[name] = value

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self[name] = default
        return self[name]

    def __ior__(self, entries: Any) -> Registry:
        self.update(entries)
        return self

    def __reduce_ex__(self, protocol: object) -> tuple[type, tuple[()], None, None, Iterator[tuple[str, Any]]]:
        return dict, (), None, None, iter(self.items())

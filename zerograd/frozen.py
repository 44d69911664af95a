"""Small classes that are equal when their fields are.

What ``@dataclass(frozen=True, slots=True)`` does, without its price: dataclasses write and compile up to eight
functions for every class each time it is imported, which takes longer than all else in most files here.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, ClassVar


class Frozen:
    """Equal to another of the same class whose fields are equal; never changed.

    A class names its fields in ``__slots__`` and sets them in an ``__init__`` of its own.
    """

    __slots__: tuple[str, ...] = ()

    _fields: ClassVar[attrgetter[Any]]

    def __init_subclass__(cls) -> None:
        if cls.__slots__:
            cls._fields = attrgetter(*cls.__slots__)

    def __eq__(self, other: object) -> bool:
        return self is other or (type(self) is type(other) and self._fields(self) == self._fields(other))

    def __hash__(self) -> int:
        return hash(self._fields(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"

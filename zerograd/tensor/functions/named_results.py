"""Results with names: ``values, indices = x.max(0)`` or ``x.max(0).values``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class NamedResult(tuple[Any, ...]):
    """A tuple whose entries also have names, printed as PyTorch prints it. Source: torch.return_types."""

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()
    n_fields = n_sequence_fields = n_unnamed_fields = 0

    def __new__(cls, entries: Iterable[Any]) -> Any:
        made = super().__new__(cls, entries)
        if len(made) != cls.n_fields:
            raise TypeError(f"torch.return_types.{cls.__name__}() takes a sequence of length {cls.n_fields}")
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (tuple(self),)

    def __repr__(self) -> str:
        fields = ",\n".join(f"{name}={value!r}" for name, value in zip(self.__match_args__, self, strict=True))
        return f"torch.return_types.{type(self).__name__}(\n{fields})"


KINDS: dict[str, type[NamedResult]] = {}


def _entry(place: int) -> property:
    return property(lambda self: self[place])


def named_result(name: str, fields: str) -> type[NamedResult]:
    """The type of a function's result; ``fields`` are separated by spaces."""
    names = tuple(fields.split())
    attributes: dict[str, Any] = {one: _entry(place) for place, one in enumerate(names)}
    attributes |= {
        "__slots__": (), "__module__": "zerograd.return_types", "__match_args__": names, "n_fields": len(names),
        "n_sequence_fields": len(names),
    }  # fmt: skip
    KINDS[name] = type(name, (NamedResult,), attributes)
    return KINDS[name]

"""Where the data of a step comes from, slot by slot.

Two runs of a step are the same if their origins are equal; a replay asks each origin for its present data.
"""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

import numpy as np

from zerograd.engines import flight
from zerograd.ir.graph import Array
from zerograd.tensor.pack import Pack
from zerograd.tensor.storage import Storage


class Kept(NamedTuple):
    """A storage that exists from call to call: of a parameter, a state, a buffer, closed-over data."""

    storage: weakref.ref[Storage]


class Given(NamedTuple):
    """The storage of the ``number``-th tensor among the arguments, seen through the first ``steps`` of its views."""

    number: int
    steps: int = 0


class GradientOf(NamedTuple):
    """The storage of the gradient that a leaf tensor has when the step begins."""

    tensor: Any


Place = Kept | Given | GradientOf


class OfPack(NamedTuple):
    """A member's value: the ``member``-th of a pack."""

    pack: Pack
    member: int


class OfPlace(NamedTuple):
    """What a storage holds, seen through views."""

    place: Place
    views: tuple[Any, ...]


class OfDraw(NamedTuple):
    """What the step draws, the ``number``-th time."""

    number: int


class OfStep(NamedTuple):
    """The ``place``-th number of the optimizer step that is the ``event``-th event."""

    event: int
    place: int


class Constant:
    """Data that comes from nowhere known: it must be the same in every run."""

    __slots__ = ("data",)

    def __init__(self, data: Any) -> None:
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and same_data(self.data, other.data)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        data = self.data
        return f"an array {data.dtype}{list(data.shape)}" if isinstance(data, np.ndarray) else repr(data)


Origin = OfPack | OfPlace | OfDraw | OfStep | Constant


def same_data(one: Any, other: Any) -> bool:
    """Whether two numbers or arrays are the same, bit for bit."""
    if one is other:
        return True
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and _bits(one) == _bits(other)
    return type(one) is type(other) and repr(one) == repr(other)


def _bits(array: Array) -> bytes:
    if flight.running is not None:
        flight.finish()
    return np.ascontiguousarray(array).tobytes()

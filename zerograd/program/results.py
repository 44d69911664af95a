"""What a step returns, and how a replay makes it anew."""

from __future__ import annotations

from typing import Any, NamedTuple

from zerograd.ir.graph import Node
from zerograd.ir.trace import Trace
from zerograd.program.origins import Constant, Given, OfDraw, Place
from zerograd.program.watch import same_value
from zerograd.tensor.base import TensorBase
from zerograd.tensor.storage import Storage
from zerograd.tensor.tensor import Tensor


class New(NamedTuple):
    """A tensor that is a node of the trace, and no more."""

    node: Node


class Window(NamedTuple):
    """A tensor that looks at a storage.

    Attributes:
        storage: the number of a new storage, or where an old one is.
        facts: the tensor's own attributes.
        base: the tensor that it is a view of.
    """

    storage: int | Place
    facts: tuple[tuple[str, Any], ...]
    base: Any


class Shown(NamedTuple):
    """A view of the ``number``-th tensor among the arguments, or (no steps) another tensor that shows the same."""

    number: int
    steps: tuple[Any, ...]


class Same(NamedTuple):
    """An object that is the same in each call: a parameter, a model."""

    one: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and same_value(self.one, other.one)

    __hash__ = None  # pyright: ignore[reportAssignmentType]


class Argument(NamedTuple):
    """The ``number``-th tensor among the arguments."""

    number: int


class Several(NamedTuple):
    """A container: what makes it of a list of parts."""

    kind: type
    keys: tuple[Any, ...]
    parts: tuple[Any, ...]


class Unknown(Exception):  # noqa: N818  it is caught where it is raised for
    """A result that a replay cannot make."""


FACTS = ("_steps", "_layout", "_view_type", "_detached", "_plain")
OTHERS = frozenset((*FACTS, "_storage", "_base", "_at", "_serial", "_cache", "_point", "_grad"))


class Results:
    """Takes apart what a call has returned.

    Attributes:
        trace: of the call.
        places: where storages that existed before the call are, by id.
        given: the tensors among the arguments; ``arguments`` their numbers, by id.
        drawn: the arrays of random numbers, by id.
        storages: the nodes of the storages made during the call, or their data.
        tensors: the new tensors that are accounted for, and by ``seen`` the storages, both by id.
    """

    def __init__(self, trace: Trace, places: dict[int, Place], given: list[Any], drawn: dict[int, OfDraw]) -> None:
        self.trace = trace
        self.places = places
        self.given = given
        self.arguments = {id(tensor): number for number, tensor in enumerate(given)}
        self.drawn = drawn
        self.storages: list[Node | Constant | OfDraw] = []
        self.tensors: dict[int, Any] = {}
        self.seen: dict[int, int] = {}

    def of(self, one: Any) -> Any:
        """How to make ``one``.

        Raises:
            Unknown: nobody can tell.
        """
        if isinstance(one, TensorBase):
            return self.of_tensor(one)
        kind = type(one)
        if kind is tuple or kind is list or (isinstance(one, tuple) and hasattr(one, "_fields")):
            return Several(kind, (), tuple([self.of(part) for part in one]))
        if isinstance(one, dict):
            if kind is not dict and not hasattr(kind, "move_to_end"):
                raise Unknown(f"it returns a {kind.__name__}")
            return Several(kind, tuple(one), tuple([self.of(part) for part in one.values()]))
        return Same(one)

    def of_tensor(self, one: Any) -> Any:
        """How to make a tensor."""
        at = self.arguments.get(id(one))
        if at is not None:
            return Argument(at)
        if one._leaf is not None:
            return Same(one)
        if one._own is not None or one._retained or one._grad is not None or one.__class__ is not Tensor:
            raise Unknown(f"it returns a tensor with a gradient of its own, or a {type(one).__name__}")
        if one._serial == self.trace.serial:
            self.tensors[id(one)] = one
            return New(one._at)
        return self._of_window(one)

    def _of_window(self, one: Any) -> Any:
        if not vars(one).keys() <= OTHERS:
            raise Unknown("it returns a tensor with attributes of the program's own")
        storage = one._storage
        place: Any = self.places.get(id(storage))
        if isinstance(place, Given):
            return self._shown(one, place.number)
        if place is None:
            place = self._new(storage)
        base = None if one._base is None else self.of_tensor(one._base)
        facts = tuple((name, vars(one)[name]) for name in FACTS if name in vars(one))
        return Window(place, facts, base)

    def _shown(self, one: Any, number: int) -> Shown:
        """A view of an argument, however its data lies there."""
        argument = self.given[number]
        count = len(argument._steps)
        rest = tuple([view.step for view in one._steps[count:]])
        if one._steps[:count] != argument._steps or (
            rest
            and one._base is not argument
            and one._base is not (argument if argument._base is None else argument._base)
        ):
            raise Unknown("it returns a view of a view of an argument")
        return Shown(number, rest)

    def _new(self, storage: Storage) -> int:
        known = self.seen.get(id(storage))
        if known is None:
            known = self.seen[id(storage)] = len(self.storages)
            if storage.serial == self.trace.serial and storage.buffer is None:
                self.storages.append(storage.node)
            elif storage.buffer is not None and storage.shared is None and storage.history is None:
                self.storages.append(self.drawn.get(id(storage.buffer)) or Constant(storage.buffer))
            else:
                raise Unknown("it returns a tensor that was computed before, or that shares memory with NumPy")
        return known

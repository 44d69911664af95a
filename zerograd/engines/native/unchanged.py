"""Whether objects are what they were: one native call that takes 50 nanoseconds for a few of them.

CPython gives a dictionary a new number, its *version*, whenever an item is set or removed (PEP 509). The items of a
list, the content of a cell and what a slot holds are the same objects as long as the same addresses stand there.
Newer versions of Python do without versions; there, and wherever else the fields are not as expected, which is tried on
real objects at first use, the answer is always that nobody knows.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from types import CellType
from typing import Any

import numpy as np

from zerograd.engines.native import jit
from zerograd.engines.native.binding import DATA, LIST_ITEMS
from zerograd.engines.native.emit import Function, Value
from zerograd.engines.native.quick import method
from zerograd.ir.graph import Array

# bytes from the beginning of an object to a field. Sources: CPython, Include/cpython/{dictobject,listobject}.h,
# Include/cpython/cellobject.h, Include/cpython/descrobject.h, Include/structmember.h
VERSION = 24
LIST_COUNT = 16
CELL_CONTENT = 16
MEMBER, MEMBER_OFFSET = 40, 16  # of a slot's descriptor; of what that points to
COUNTS = 2  # words before the rows
_YES, _NO = object(), object()
_TURNS = 100  # after which the interpreter has found its quick way


def text(name: str) -> str:
    """``PyObject *same({count, more, address, word, address, word, ...}, {yes, no}, 2)``: yes if every word is there.

    The last ``more`` rows are read only if the first ``count`` are right: they lie in memory that those point to.
    """
    f = Function(name, (("ptr", "self"), ("ptr", "answers"), ("i64", "two")), "ptr")
    self, answers, _ = f.arguments
    record = f.load("ptr", f.pointer(self, DATA))
    count = f.load("i64", record)
    end = f.add(count, f.load("i64", record, 1))

    def one(i: Value, other: Value) -> Value:
        row = f.pointer(record, f.add(f.mul(i, 2), COUNTS), "i64")
        return f.or_(other, f.xor(f.load("i64", f.load("ptr", row)), f.load("i64", row, 1)))

    def rows(low: Value, high: Value) -> list[Value]:
        return f.loop(low, high, 1, one, [f.const(0, "i64")])

    (other,) = rows(f.const(0, "i64"), count)
    (other,) = f.if_(f.compare("eq", other, 0), lambda: rows(count, end), lambda: other)
    answer = f.load("ptr", answers, f.convert(f.compare("ne", other, 0), "i64"))
    f.store(f.add(f.load("i32", answer), 1), answer)  # a new reference
    return f.finish(answer)


@functools.cache
def _method() -> Callable[[Array], Any] | None:
    """``None`` where dictionaries have no version."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return None
    if not (_have_versions() and _others_are_as_expected()):
        return None
    name = jit.described("same", "")
    return method(jit.load({name: lambda: text(name)})[name])


def _word(address: int) -> int:
    return ctypes.c_int64.from_address(address).value


def _version(one: dict[Any, Any]) -> int:
    return _word(id(one) + VERSION)


_CHANGES: tuple[Callable[[dict[Any, Any]], Any], ...] = (
    lambda one: one.update(b=3.0),
    lambda one: one.update({"b": 4.0}),
    lambda one: one.__setitem__("b", 5.0),
    lambda one: one.setdefault("c", 1),
    lambda one: one.pop("c"),
    lambda one: one.popitem(),
    lambda one: one.__delitem__("a"),
    lambda one: one.__ior__({"a": 1, "b": 2}),
    lambda one: one.clear(),
    lambda one: one.update({"a": 1}),
)


def _have_versions() -> bool:
    """Whether the versions of dictionaries change with them, and only then."""
    one, other = {"a": 1, "b": 2.0}, {"a": 1}
    met = {_version(one)}
    for number, change in enumerate(_CHANGES):
        change(one)
        met.add(_version(one))
        if len(met) != number + 2:
            return False
    now = _version(one)
    other["b"] = one["a"]
    one.get("c")
    return _version(one) == now and _attributes_have_versions()


class _Object:
    number = -1


def _attributes_have_versions() -> bool:
    """Whether this is so of the attributes of objects, also where the interpreter has a quick way to set them."""
    one = _Object()
    attributes = vars(one)
    met = {_version(attributes)}
    for number in range(_TURNS):
        one.number = 1000 + number
        met.add(_version(attributes))
        setattr(one, "number", number - 1000)  # noqa: B010  another way
        met.add(_version(attributes))
    return len(met) == 2 * _TURNS + 1


class _Slotted:
    __slots__ = ("first", "second")


def _slot(one: Any, name: str) -> int:
    """The address of what a slot of an object holds."""
    return id(one) + _word(_word(id(getattr(type(one), name)) + MEMBER) + MEMBER_OFFSET)


def _others_are_as_expected() -> bool:
    """Whether lists, cells and slots hold their objects where they are looked for."""
    items: list[Any] = [object(), object()]
    held = object()
    cell, slotted = CellType(held), _Slotted()
    slotted.first, slotted.second = held, items
    at = _word(id(items) + LIST_ITEMS)
    found = [_word(id(items) + LIST_COUNT), _word(at), _word(at + 8), _word(id(cell) + CELL_CONTENT)]
    found += [_word(_slot(slotted, "first")), _word(_slot(slotted, "second"))]
    return found == [2, *map(id, items), id(held), id(held), id(items)]


class Unchanged:
    """Objects, and what they were when ``note`` was called last.

    Args:
        dictionaries: none of their items may change.
        lists: their items may not become other objects.
        cells: of closures; likewise.
        slots: an object, and the name of the slot that may not hold another object.
    """

    __slots__ = ("_call", "_held", "_rows", "cells", "dictionaries", "lists", "slots")

    def __init__(
        self,
        dictionaries: Sequence[dict[Any, Any]],
        lists: Sequence[list[Any]] = (),
        cells: Sequence[CellType] = (),
        slots: Sequence[tuple[Any, str]] = (),
    ) -> None:
        self.dictionaries = list(dictionaries)
        self.lists, self.cells, self.slots = list(lists), list(cells), list(slots)
        self._rows: list[tuple[int, int]] = []  # none where nobody knows
        self._held: list[Any] = []  # so that nothing else comes to lie at the same address
        self.note()

    def note(self) -> None:
        """They are to stay as they are now."""
        made = _method()
        if made is None:
            self._call: Any = lambda yes, no: no
            return
        self._held = [*map(list, self.lists), [getattr(one, name) for one, name in self.slots]]
        self._held += [one.cell_contents for one in self.cells]
        first, more = list(self._fields()), list(self._items())
        self._rows = [(address, _word(address)) for address in (*first, *more)]
        self._call = made(np.array([(len(first), len(more)), *self._rows], np.int64))

    def _fields(self) -> Iterator[int]:
        for one in self.dictionaries:
            yield id(one) + VERSION
        for one in self.lists:
            yield id(one) + LIST_COUNT
            yield id(one) + LIST_ITEMS
        for one in self.cells:
            yield id(one) + CELL_CONTENT
        for one, name in self.slots:
            yield _slot(one, name)

    def _items(self) -> Iterator[int]:
        for one in self.lists:
            start = _word(id(one) + LIST_ITEMS)
            yield from range(start, start + 8 * len(one), 8)

    def holds(self) -> bool:
        """Whether nobody has changed any of them since; ``False`` also where that cannot be told."""
        return self._call(_YES, _NO) is _YES

    def changed(self) -> list[dict[Any, Any]]:
        """The dictionaries that somebody has changed since."""
        rows = zip(self.dictionaries, self._rows, strict=False)  # those of dictionaries are the first
        return [one for one, (address, word) in rows if _word(address) != word]


__all__ = ["Unchanged"]

"""Whether objects are what they were: one native call that takes 50 nanoseconds for a few of them.

Another call notes what they are now, for those that have been looked at before.

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
from operator import is_
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
COUNTS = 4  # words before the rows, see ``_Record``
_YES, _NO = object(), object()
_TURNS = 100  # after which the interpreter has found its quick way


class _Record:
    """The code that reads {count, fields, more, 0, address, word, address, word, ...}, and answers yes or no.

    What the first ``count`` rows name always lies there. The last ``more`` ones name items of lists, and may be read
    only if the fields of those lists, the last ``fields`` of the rows before them, are what they were.
    """

    def __init__(self, name: str) -> None:
        self.f = f = Function(name, (("ptr", "self"), ("ptr", "answers"), ("i64", "two")), "ptr")
        self.record = record = f.load("ptr", f.pointer(f.arguments[0], DATA))
        self.count = f.load("i64", record)
        self.fields = f.sub(self.count, f.load("i64", record, 1))
        self.end = f.add(self.count, f.load("i64", record, 2))

    def _row(self, i: Value) -> tuple[Value, Value]:
        """The ``i``-th row, and the word that is there now."""
        row = self.f.pointer(self.record, self.f.add(self.f.mul(i, 2), COUNTS), "i64")
        return row, self.f.load("i64", self.f.load("ptr", row))

    def differ(self, low: Value, high: Value) -> list[Value]:
        """Not 0 if there are other words in these rows."""
        f = self.f

        def one(i: Value, other: Value) -> Value:
            row, word = self._row(i)
            return f.or_(other, f.xor(word, f.load("i64", row, 1)))

        return f.loop(low, high, 1, one, [f.const(0, "i64")])

    def note(self, low: Value, high: Value) -> None:
        """Write down what is there now."""

        def one(i: Value) -> None:
            row, word = self._row(i)
            self.f.store(word, row, 1)

        self.f.loop(low, high, 1, one)

    def finish(self, other: Value) -> str:
        """Answer yes, if that is 0."""
        f = self.f
        answer = f.load("ptr", f.arguments[1], f.convert(f.compare("ne", other, 0), "i64"))
        f.store(f.add(f.load("i32", answer), 1), answer)  # a new reference
        return f.finish(answer)


def same_text(name: str) -> str:
    """``PyObject *same(record, {yes, no}, 2)``: yes if every word is what it was."""
    record = _Record(name)
    f = record.f
    (other,) = record.differ(f.const(0, "i64"), record.count)
    (other,) = f.if_(f.compare("eq", other, 0), lambda: record.differ(record.count, record.end), lambda: other)
    return record.finish(other)


def renew_text(name: str) -> str:
    """``PyObject *renew(record, {yes, no}, 2)``: note all words; if lists have changed, no, and nothing."""
    record = _Record(name)
    f = record.f
    (other,) = record.differ(record.fields, record.count)
    f.if_(f.compare("eq", other, 0), lambda: record.note(f.const(0, "i64"), record.end))
    return record.finish(other)


@functools.cache
def _methods() -> tuple[Callable[[Array], Any], Callable[[Array], Any]] | None:
    """What makes Python's functions ``same`` and ``renew`` of a record; ``None`` where dictionaries have no version."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return None
    if not (_have_versions() and _others_are_as_expected()):
        return None
    same, renew = jit.described("same", ""), jit.described("renew", "")
    made = jit.load({same: lambda: same_text(same), renew: lambda: renew_text(renew)})
    return method(made[same]), method(made[renew])


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

    __slots__ = ("_held", "_record", "_renew", "_same", "cells", "dictionaries", "lists", "slots")

    def __init__(
        self,
        dictionaries: Sequence[dict[Any, Any]],
        lists: Sequence[list[Any]] = (),
        cells: Sequence[CellType] = (),
        slots: Sequence[tuple[Any, str]] = (),
    ) -> None:
        self.dictionaries = list(dictionaries)
        self.lists, self.cells, self.slots = list(lists), list(cells), list(slots)
        self._record = np.zeros((2, 2), np.int64)  # without rows where nobody knows
        self._same: Any = lambda yes, no: no
        self._renew: Any = self._same
        self._held: list[Any] = []  # so that nothing else comes to lie at the same address
        self.note()

    def watches(
        self,
        dictionaries: Sequence[Any],
        lists: Sequence[Any],
        cells: Sequence[Any],
        slots: Sequence[tuple[Any, str]],
    ) -> bool:
        """Whether these are the objects."""
        known = *self.dictionaries, *self.lists, *self.cells, *[one for one, _ in self.slots]
        asked = *dictionaries, *lists, *cells, *[one for one, _ in slots]
        counts = len(dictionaries) == len(self.dictionaries) and len(lists) == len(self.lists)
        alike = counts and [word for _, word in slots] == [word for _, word in self.slots]
        return alike and len(known) == len(asked) and all(map(is_, known, asked))

    def note(self) -> None:
        """They are to stay as they are now."""
        made = _methods()
        if made is None:
            return
        self._held = [*map(list, self.lists), [getattr(one, name) for one, name in self.slots]]
        self._held += [one.cell_contents for one in self.cells]
        if self._renew(_YES, _NO) is _YES:
            return
        first, fields, more = (list(one()) for one in (self._places, self._fields, self._items))
        rows = [(address, _word(address)) for address in (*first, *fields, *more)]
        counts = (len(first) + len(fields), len(fields)), (len(more), 0)
        self._record = np.array([*counts, *rows], np.int64)
        self._same, self._renew = (make(self._record) for make in made)

    def _places(self) -> Iterator[int]:
        for one in self.dictionaries:
            yield id(one) + VERSION
        for one in self.cells:
            yield id(one) + CELL_CONTENT
        for one, name in self.slots:
            yield _slot(one, name)

    def _fields(self) -> Iterator[int]:
        for one in self.lists:
            yield id(one) + LIST_COUNT
            yield id(one) + LIST_ITEMS

    def _items(self) -> Iterator[int]:
        for one in self.lists:
            start = _word(id(one) + LIST_ITEMS)
            yield from range(start, start + 8 * len(one), 8)

    def holds(self) -> bool:
        """Whether nobody has changed any of them since; ``False`` also where that cannot be told."""
        return self._same(_YES, _NO) is _YES

    def changed(self) -> list[dict[Any, Any]]:
        """The dictionaries that somebody has changed since."""
        first = self._record[2 : 2 + len(self.dictionaries)].tolist()
        rows = zip(self.dictionaries, first, strict=False)  # there are none where nobody knows
        return [one for one, (address, word) in rows if _word(address) != word]


__all__ = ["Unchanged"]

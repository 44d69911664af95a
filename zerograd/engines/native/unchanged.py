"""Whether dictionaries are what they were: one native call that takes 50 nanoseconds for a few of them.

CPython gives a dictionary a new number, its *version*, whenever an item is set or removed (PEP 509). Newer versions of
Python do without; there, and wherever else the fields are not as expected, which is tried on real dictionaries at first
use, the answer is always that nobody knows.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import sysconfig
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zerograd.engines.native import jit
from zerograd.engines.native.binding import DATA
from zerograd.engines.native.emit import Function, Value
from zerograd.engines.native.quick import method
from zerograd.ir.graph import Array

VERSION = 24  # bytes from the beginning of a dictionary to its version. Source: CPython, Include/cpython/dictobject.h
_YES, _NO = object(), object()
_TURNS = 100  # after which the interpreter has found its quick way


def text(name: str) -> str:
    """``PyObject *same({count, address, word, address, word, ...}, {yes, no}, 2)``: yes if every word is there."""
    f = Function(name, (("ptr", "self"), ("ptr", "answers"), ("i64", "two")), "ptr")
    self, answers, _ = f.arguments
    record = f.load("ptr", f.pointer(self, DATA))

    def one(i: Value, other: Value) -> Value:
        row = f.pointer(record, f.add(f.mul(i, 2), 1), "i64")
        return f.or_(other, f.xor(f.load("i64", f.load("ptr", row)), f.load("i64", row, 1)))

    (other,) = f.loop(0, f.load("i64", record), 1, one, [f.const(0, "i64")])
    answer = f.load("ptr", answers, f.convert(f.compare("ne", other, 0), "i64"))
    f.store(f.add(f.load("i32", answer), 1), answer)  # a new reference
    return f.finish(answer)


@functools.cache
def _method() -> Callable[[Array], Any] | None:
    """``None`` where dictionaries have no version."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return None
    if not _have_versions():
        return None
    name = jit.described("same", "")
    return method(jit.load({name: lambda: text(name)})[name])


def _version(one: dict[Any, Any]) -> int:
    return ctypes.c_int64.from_address(id(one) + VERSION).value


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


class Unchanged:
    """Dictionaries, and what they were when ``note`` was called last."""

    __slots__ = ("_call", "_record", "dictionaries")

    def __init__(self, dictionaries: Sequence[dict[Any, Any]]) -> None:
        self.dictionaries = list(dictionaries)
        self._record = np.zeros(1 + 2 * len(dictionaries), np.int64)
        made = _method()
        self._call: Any = made(self._record) if made is not None else lambda yes, no: no
        self.note()

    def note(self) -> None:
        """They are to stay as they are now."""
        record = self._record
        record[0] = len(self.dictionaries)
        for i, one in enumerate(self.dictionaries):
            record[1 + 2 * i : 3 + 2 * i] = id(one) + VERSION, _version(one)

    def holds(self) -> bool:
        """Whether nobody has changed any of them since; ``False`` also where that cannot be told."""
        return self._call(_YES, _NO) is _YES


__all__ = ["Unchanged"]

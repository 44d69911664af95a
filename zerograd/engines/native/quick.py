"""Small programs: their arrays enter and their kernels run in one call of a function that is native itself.

A call through ``ctypes`` takes a microsecond, and a program needs three of them: leaves enter, results enter, kernels
run. A small training step is to take twenty in all. So a native function does all three, and it is made a function of
Python's by the interpreter itself (``PyCFunction_NewEx``), which is called within 50 nanoseconds. It foretells which
results are written over leaves: as in the run before. Where that turns out to be wrong, it has done nothing, and the
program goes the long way. It holds Python's lock meanwhile, which short programs may.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zerograd.engines.native import jit
from zerograd.engines.native.binding import ARRAY, DATA, FIELDS, LIST_ITEMS, Binding, rows_entered
from zerograd.engines.native.concurrent import ThreadedFunction
from zerograd.engines.native.driver import Schedule, make_calls
from zerograd.engines.native.emit import Value
from zerograd.engines.native.pages import aligned
from zerograd.engines.native.recipe import Result
from zerograd.ir.graph import Array

if TYPE_CHECKING:
    from zerograd.engines.native.aside import Aside

FASTCALL = 0x80  # Source: CPython, Include/methodobject.h: METH_FASTCALL
RECORD = ("plan", "rows", "fresh", "new", "table", "numbers", "taken", "kinds", "calls", "count", "scratch",
          "guard", "certain", "words", "head", "misses", "alone", "pause", "doze")  # fmt: skip
_NUMBERS = "rows", "new", "count", "certain", "misses", "alone", "pause", "doze"  # the others are addresses

Follow = Callable[[ThreadedFunction, Value, Callable[[], None]], None]
"""(function, record, piece of code): what becomes of the calls behind the guard, which the piece makes."""


def field_of(f: ThreadedFunction, record: Value, word: str) -> Value:
    """A field of a record."""
    return f.load("i64" if word in _NUMBERS else "ptr", record, RECORD.index(word))


def text(name: str, follow: Follow = lambda f, record, here: here()) -> str:
    """``PyObject *quick(record, {leaves, results}, 2)``: the leaves if the program has run, else the results."""
    f = ThreadedFunction(name, (("ptr", "self"), ("ptr", "given"), ("i64", "two")), "ptr")
    self, given, _ = f.arguments
    record = f.load("ptr", f.pointer(self, DATA))
    field = {word: field_of(f, record, word) for word in RECORD}
    leaves, results = f.load("ptr", given, 0), f.load("ptr", given, 1)

    def enter(objects: Value, plan: str, count: str) -> Value:
        items = f.load("ptr", f.pointer(objects, LIST_ITEMS))
        where = field["table"], field["numbers"], field["taken"], field["kinds"]
        return rows_entered(f, items, field[plan], field[count], *where, foretold=True)

    wrong = f.or_(enter(leaves, "plan", "rows"), enter(results, "fresh", "new"))

    def run() -> Value:
        def make(first: Value, last: Value) -> None:
            make_calls(f, field["calls"], first, last, field["table"], field["scratch"])

        make(f.const(0, "i64"), field["certain"])
        well = f.compare("eq", f.load("i64", field["guard"]), 0)
        f.if_(well, lambda: follow(f, record, lambda: make(field["certain"], field["count"])))
        return leaves

    (answer,) = f.if_(f.compare("eq", wrong, 0), run, lambda: results)
    f.store(f.add(f.load("i32", answer), 1), answer)  # a new reference
    return f.finish(answer)


class _Method(ctypes.Structure):
    """``PyMethodDef``."""

    _fields_ = (
        ("name", ctypes.c_char_p), ("call", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p),
    )  # fmt: skip


def method(address: int) -> Callable[[Array], Any]:
    """What makes functions of Python's of native code, with an array as ``self``: ``(PyObject *self, **given, n)``."""
    definition = _Method(b"quick", address, FASTCALL, None)
    kinds = ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p
    make = ctypes.PYFUNCTYPE(*kinds)(("PyCFunction_NewEx", ctypes.pythonapi))
    place = ctypes.addressof(definition)

    def bound(record: Array) -> Any:
        assert definition is not None  # it must live as long as the functions
        return make(place, record, None)

    return bound


@functools.cache
def _method() -> Callable[[Array], Any]:
    name = jit.described("quick", "")
    return method(jit.load({name: lambda: text(name)})[name])


class Quick:
    """A small program's quick way, if there is one.

    Args:
        binding: how the leaves enter; it works natively.
        results: the arrays that the program makes.
        schedule: its calls, all in one task.

    Attributes:
        places: of each result, among the leaves and the new arrays behind them; ``None``: not foretold.
    """

    def __init__(self, binding: Binding, results: Sequence[Result], schedule: Schedule) -> None:
        self.binding = binding
        self.results = results
        self.others = binding.others
        self.integers = binding.integers
        self.scratch = aligned(schedule.scratch)
        self.fresh = np.zeros((len(results), FIELDS), np.int64)
        fields = {
            **dict(zip(("plan", "rows", "table", "numbers", "taken", "kinds"), binding.at, strict=True)),
            "fresh": self.fresh.ctypes.data,
            "calls": schedule.calls.ctypes.data,
            "count": len(schedule.calls),
            "scratch": self.scratch.ctypes.data,
            **dict(zip(("guard", "certain"), schedule.guard, strict=True)),
        }
        self.record = np.array([fields.get(word, 0) for word in RECORD], np.int64)
        self.call = _method()(self.record)
        self.made: list[tuple[Any, Any]] = []
        self.leaves = 0
        self.places: list[int] | None = None

    def foretell(self, leaves: int) -> None:
        """The next run, of so many leaves, is as the last one; the binding knows what was written over leaves then."""
        taken = self.binding.taken
        self.leaves = leaves
        self.made = []
        places = []
        for one in self.results:
            if taken[one.index]:
                places.append(one.slot)
            else:
                places.append(leaves + len(self.made))
                self.fresh[len(self.made)] = ARRAY, len(self.made), one.index, -1
                self.made.append((one.shape, one.dtype))
        self.record[RECORD.index("new")] = len(self.made)
        self.places = places

    def new(self) -> list[Array]:
        """The arrays that a run fills and that are not among its leaves."""
        return [np.empty(shape, kind) for shape, kind in self.made]

    def run(self, leaves: list[Any], fresh: list[Array], aside: Aside | None = None) -> bool:
        """Whether all was as it was foretold; otherwise nothing has been done.

        The caller holds the lock of ``flight``, and no program is in flight.

        Args:
            fresh: the new arrays.
            aside: where they may be filled later.
        """
        if self.places is None or len(leaves) != self.leaves:
            return False
        try:
            for slot, place in self.others:
                self.integers[place] = leaves[slot]
        except OverflowError:  # the long way says what that means
            return False
        done = aside.begin(leaves, fresh) if aside is not None else self.call(leaves, fresh) is leaves
        if not done:
            self.places = None
        return done


__all__ = ["RECORD", "Quick", "field_of", "method", "text"]

"""The caller's arrays enter a program: their addresses are read off the objects by native code.

Asking NumPy for the address of an array takes half a microsecond, a training step has hundreds of arrays, and a whole
step of a small network is to take twenty microseconds. So a native function walks through the list of leaves and reads
the fields of the objects where CPython and NumPy publish them (``PyListObject``, ``PyArrayObject_fields``,
``PyFloatObject``). At first use this is checked on real objects; where it fails, plain Python does the same.

The function also sees which arrays nobody but the list refers to. These are dead after the run, so a result that is
computed element by element from one of them may be written in its place: parameters and optimizer state are updated
where they are.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import sysconfig
from collections.abc import Sequence
from typing import Any

import numpy as np

from zerograd.engines.faults import Unsupported
from zerograd.engines.native import jit, pages
from zerograd.engines.native.emit import Function, Value
from zerograd.ir.graph import Array

LIST_ITEMS = 24
TYPE, DATA, BASE, FLAGS = 8, 16, 48, 64
CONTIGUOUS, OWNED, ALIGNED, WRITEABLE = 0x1, 0x4, 0x100, 0x400
FINE, SLOW = 0, 1  # what the function returns

# rows of the plan: what to do with one leaf
ARRAY, NUMBER = 0, 1
FIELDS = 4  # kind, slot in the list, index in the table of pointers, index of the result that may take its place


def rows_entered(
    f: Function, items: Value, plan: Value, count: Value, table: Value, numbers: Value, taken: Value, kinds: Value,
    *, foretold: bool = False,
) -> Value:  # fmt: skip
    """The code that has objects enter, by the rows of a plan; gives FINE or SLOW.

    Args:
        foretold: ``taken`` says already which results are written over leaves: it is SLOW if that is wrong.
    """
    array_type, float_type, block_type = (f.load("ptr", kinds, i) for i in range(3))

    def same(a: Value, b: Value) -> Value:
        return f.value("i1", f"icmp eq ptr {a.name}, {b.name}")

    def array(one: Value, at: Value) -> Value:
        flags = f.load("i32", f.pointer(one, FLAGS))
        wanted = CONTIGUOUS | ALIGNED
        fine = f.compare("eq", f.and_(flags, wanted), wanted)
        data = f.load("ptr", f.pointer(one, DATA))
        f.store(data, table, f.load("i64", at, 2))
        result = f.load("i64", at, 3)

        def give() -> Value:
            alone = f.compare("eq", f.load("i32", one), 1)
            writable = f.compare("ne", f.and_(flags, WRITEABLE), 0)
            base = f.load("ptr", f.pointer(one, BASE))
            (own,) = f.if_(
                f.value("i1", f"icmp eq ptr {base.name}, null"),
                lambda: f.compare("ne", f.and_(flags, OWNED), 0),
                lambda: same(f.load("ptr", f.pointer(base, TYPE)), block_type),
            )
            free = f.and_(f.and_(alone, writable), own)
            f.if_(free, lambda: f.store(data, table, result))
            if foretold:
                return f.and_(fine, f.compare("eq", f.load("i8", taken, result), f.convert(free, "i8")))
            f.store(f.convert(free, "i8"), taken, result)
            return fine

        (right,) = f.if_(f.compare("sge", result, 0), give, lambda: fine)
        return right

    def number(one: Value, at: Value) -> Value:
        f.store(f.load("double", f.pointer(one, DATA)), numbers, f.load("i64", at, 2))
        return f.const(1, "i1")

    def row(i: Value, wrong: Value) -> Value:
        at = f.pointer(plan, f.mul(i, FIELDS), "i64")
        one = f.load("ptr", items, f.load("i64", at, 1))
        kind = f.load("ptr", f.pointer(one, TYPE))
        wants_array = f.compare("eq", f.load("i64", at, 0), ARRAY)
        right = f.select(wants_array, same(kind, array_type), same(kind, float_type))

        def enter() -> list[Value]:
            return f.if_(wants_array, lambda: array(one, at), lambda: number(one, at))

        (fine,) = f.if_(right, enter, lambda: f.const(0, "i1"))
        return f.or_(wrong, f.select(fine, f.const(FINE, "i64"), f.const(SLOW, "i64")))

    (wrong,) = f.loop(0, count, 1, row, [f.const(0, "i64")])
    return wrong


def _text() -> str:
    f = Function(
        "bind",
        [("ptr", "list"), ("ptr", "plan"), ("i64", "count"), ("ptr", "table"), ("ptr", "numbers"), ("ptr", "taken"),
         ("ptr", "kinds")],
        "i64",
    )  # fmt: skip
    objects, plan, count, table, numbers, taken, kinds = f.arguments
    items = f.load("ptr", f.pointer(objects, LIST_ITEMS))
    return f.finish(rows_entered(f, items, plan, count, table, numbers, taken, kinds))


Bind = Any


@functools.cache
def _native() -> Bind:
    """The function, or ``None`` where objects do not look as expected."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return None
    address = jit.load({"bind": _text()})["bind"]
    kinds = [ctypes.c_void_p] * 2 + [ctypes.c_int64] + [ctypes.c_void_p] * 4
    function = ctypes.PYFUNCTYPE(ctypes.c_int64, *kinds)(address)
    return function if _works(function) else None


_kinds = np.array([id(np.ndarray), id(float), id(pages.Block)], np.int64)
_kinds_at = _kinds.ctypes.data


def _works(function: Bind) -> bool:
    """Whether the fields are where they are expected, tried on objects of every sort."""
    own, shared = np.arange(5.0), np.arange(6.0)[1:]
    leaves: list[Any] = [own, 0.25, shared, np.ones((2, 3)).T]
    table, numbers, taken = np.zeros(8, np.int64), np.zeros(8), np.zeros(8, np.int8)
    plan = np.array([[ARRAY, 0, 0, 4], [NUMBER, 1, 1, -1], [ARRAY, 2, 2, 5]], np.int64)
    at = [one.ctypes.data for one in (table, numbers, taken)]
    addresses = own.ctypes.data, shared.ctypes.data
    if sys.getrefcount(own) != 3:
        return False
    kept = function(id(leaves), plan.ctypes.data, 3, *at, _kinds_at), taken[4]
    del own
    given = function(id(leaves), plan.ctypes.data, 3, *at, _kinds_at), taken[4], taken[5]
    turned = np.array([[ARRAY, 3, 3, -1]], np.int64)
    slow = function(id(leaves), turned.ctypes.data, 1, *at, _kinds_at)
    misfit = function(id(leaves), np.array([[NUMBER, 0, 0, -1]], np.int64).ctypes.data, 1, *at, _kinds_at)
    return (
        kept == (FINE, 0)
        and given == (FINE, 1, 0)
        and (slow, misfit) == (SLOW, SLOW)
        and (int(table[0]), int(table[2]), int(table[4])) == (*addresses, addresses[0])
        and numbers[1] == 0.25
    )


class Binding:
    """How the leaves of one program enter its tables.

    Args:
        arrays: for each array leaf its slot, its place in the table, and the place of the result that may be written
            over it, or -1.
        floats: for each float leaf its slot and its place among the numbers.
        others: likewise for integers and booleans.
        table, values: where addresses and numbers go.

    Attributes:
        taken: for each place in the table, whether the result there is written over a leaf.
    """

    def __init__(
        self, arrays: Sequence[tuple[int, int, int]], floats: Sequence[tuple[int, int]],
        others: Sequence[tuple[int, int]], table: Array, values: Array,
    ) -> None:  # fmt: skip
        rows = [(ARRAY, *one) for one in arrays] + [(NUMBER, *one, -1) for one in floats]
        self.arrays, self.floats, self.others = arrays, floats, others
        self.table, self.values = table, values
        self.integers = values.view(np.int64)
        self.taken = np.zeros(len(table), np.int8)
        self.plan = np.array(rows, np.int64).reshape(len(rows), FIELDS)
        self.call = _native()
        self.at = (
            self.plan.ctypes.data, len(rows), table.ctypes.data, values.ctypes.data, self.taken.ctypes.data, _kinds_at,
        )  # fmt: skip

    def enter(self, leaves: list[Any]) -> list[Array]:
        """Write addresses and numbers; gives arrays that must live until the run is over.

        Raises:
            Unsupported: an integer does not fit in 64 bits with a sign; PyTorch takes those up to 2**64, too.
        """
        try:
            for slot, place in self.others:
                self.integers[place] = leaves[slot]
        except OverflowError as error:
            raise Unsupported(str(error)) from error
        if self.call is not None and self.call(id(leaves), *self.at) == FINE:
            return []
        return self._slowly(leaves)

    def _slowly(self, leaves: Sequence[Any]) -> list[Array]:
        held: list[Array] = []
        self.taken[:] = 0
        for slot, place, _ in self.arrays:
            array = leaves[slot]
            if not isinstance(array, np.ndarray):
                array = np.asarray(array)
                held.append(array)
            if not (array.flags.c_contiguous and array.flags.aligned):
                array = np.require(array, requirements=["C", "A"])
                held.append(array)
            self.table[place] = array.ctypes.data
        for slot, place in self.floats:
            self.values[place] = leaves[slot]
        return held

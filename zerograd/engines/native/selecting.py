"""One element of each line by its place in the order, or by how often it comes: medians and modes.

The line is put in order as ``sorting`` does it; NaN stands at the end, equal elements in their own order.
"""

from __future__ import annotations

from typing import Final

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.engines.native import conversion, sorting
from zerograd.engines.native.emit import Value
from zerograd.engines.native.kernel import Kernel
from zerograd.engines.native.lower import Lowering, special
from zerograd.engines.native.sorting import Sorting
from zerograd.ir.graph import Node
from zerograd.ops.reduction import folded

MIDDLE, MIDDLE_OF_NUMBERS, MOST_FREQUENT = "middle", "middle of numbers", "most frequent"
WAYS: Final = {
    "median": MIDDLE, "median_at": MIDDLE, "median_place": MIDDLE, "nanmedian": MIDDLE_OF_NUMBERS,
    "nanmedian_at": MIDDLE_OF_NUMBERS, "nanmedian_place": MIDDLE_OF_NUMBERS, "mode_at": MOST_FREQUENT,
    "mode_place": MOST_FREQUENT,
}  # fmt: skip

State = tuple[Value, ...]


class _Selecting(Sorting):
    """The kernel for one dtype and way; writes for each line one element, and where it is."""

    def __init__(self, kind: dtype, way: str, long: bool) -> None:
        super().__init__(kind, False, long)
        self.way = way

    def leave(self, u: Value, start: Value, ordered: list[Value]) -> None:
        place = self._most_frequent(ordered) if self.way == MOST_FREQUENT else self._middle(ordered)
        conversion.store(self, self.kind, self.element(start, place), self.values, u)
        self.store(place, self.places, u)

    def _is_number(self, key: Value) -> Value:
        return self.compare("ne", key, sorting.KEY_OF_NAN[conversion.REGISTER[self.kind]])

    def _middle(self, ordered: list[Value]) -> Value:
        """The lower middle; of all elements the first NaN, if there is one."""
        numbers = self.length
        if self.kind.is_floating_point:

            def step(i: Value, found: Value) -> Value:
                return self.add(found, self.convert(self._is_number(self.key_of(ordered, i)), "i64"))

            numbers = self.loop(0, self.length, 1, step, (self.const(0, "i64"),))[0]
        some = self.intrinsic("smax", self.sub(numbers, 1), 0)
        at = self.lshr(some, 1)
        if self.way == MIDDLE:
            at = self.select(self.compare("slt", numbers, self.length), numbers, at)
        return self.place_of(ordered, at)

    def _most_frequent(self, ordered: list[Value]) -> Value:
        """The last place of the first of the longest runs of equal elements; no NaN is equal to another."""

        def step(i: Value, before: Value, run: Value, longest: Value, place: Value) -> State:
            key = self.key_of(ordered, i)
            same = self.and_(self.compare("eq", key, before), self.compare("ne", i, 0))
            if self.kind.is_floating_point:
                same = self.and_(same, self._is_number(key))
            run = self.select(same, self.add(run, 1), 1)
            longer = self.compare("sgt", run, longest)
            place = self.select(longer, self.place_of(ordered, i), place)
            return key, run, self.select(longer, run, longest), place

        zero = self.const(0, "i64")
        return self.loop(0, self.length, 1, step, (zero, zero, zero, zero))[3]


@special(*WAYS)
def _select(lowering: Lowering, node: Node) -> bool:
    (x,), name = node.inputs, node.op.name
    axis = node.attributes.get("axis", 0)
    if not sorting.known(x, axis) or ("axes" in node.attributes and x.rank != 1):
        return False
    kind, way = x.dtype, WAYS[name]
    type = folded(x.type, (axis,))
    values, places = lowering.new_window(type), lowering.new_window(type.with_dtype(dtypes.int64))
    long = sorting.is_long(x, axis)
    kernel = Kernel.described("select", f"{kind.name} {way} {long}", lambda: _Selecting(kind, way, long).text())
    lowering.steps.append(sorting.instruction(lowering, kernel, x, axis, (values, places)))
    lowering.place_results(node, (places,) if name.endswith("place") else (values, places))
    return True

"""Values put at, added to, or taken from places along an axis, one by one, in order."""

from __future__ import annotations

from collections.abc import Callable

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.engines.native import choice, conversion
from zerograd.engines.native.emit import Value, vector
from zerograd.engines.native.emit import size as bytes_of
from zerograd.engines.native.kernel import Access, Instruction, Kernel, KernelFunction
from zerograd.engines.native.lower import Lowering, special
from zerograd.engines.native.target import host
from zerograd.ir.graph import Node
from zerograd.shapes import count

PUT, ADD, PRODUCT, MAX, MIN, TAKE = "put", "add", "product", "max", "min", "take"
NUMBERS = ("size", "places", "inner")  # of the axis; along it in the index; elements behind the axis
WAYS = {"scatter": PUT, "scatter_add": ADD, "gather": TAKE}  # scatter_fold says itself which of PRODUCT, MAX, MIN


_JOINED: dict[str, Callable[[KernelFunction, dtype, Value, Value], Value]] = {
    ADD: lambda f, kind, x, y: f.add(x, y),
    PRODUCT: lambda f, kind, x, y: f.mul(x, y),
    MAX: choice.maximum,
    MIN: choice.minimum,
}


def _kernel(kind: dtype, way: str, zero: bool, last: bool) -> Kernel:
    description = f"{kind.name} {way} {zero} {last}"
    return Kernel.described("placing", description, lambda: _text(kind, way, zero, last))


def _text(kind: dtype, way: str, zero: bool, last: bool) -> str:
    """Reads places and values, or the table (TAKE), writes the result. Units: what lies before the axis.

    A place from -size on counts from the end; a wrong one is reported, and counts as 0. ``zero``: what is put into are
    zeros; ``last``: nothing lies behind the axis.
    """
    f = KernelFunction()
    n = {word: f.number(6 + i) for i, word in enumerate(NUMBERS)}
    n["inner"] = f.operand(1, "i64") if last else n["inner"]
    places, other, target = f.place(0), f.place(1), f.place(2)
    plane, index = f.mul(n["size"], n["inner"]), f.mul(n["places"], n["inner"])
    other_plane, target_plane = (plane, index) if way == TAKE else (index, plane)

    def unit(u: Value) -> None:
        at, source, sink = (
            f.pointer(base, f.mul(u, size), type)
            for base, size, type in (
                (places, index, "i64"),
                (other, other_plane, conversion.MEMORY[kind]),
                (target, target_plane, conversion.MEMORY[kind]),
            )
        )
        if zero:
            _clear(f, sink, target_plane, conversion.MEMORY[kind])

        def along(i: Value) -> None:
            start = f.mul(i, n["inner"])
            if last:
                one(i, f.operand(0, "i64"))
            else:
                f.loop(0, n["inner"], 1, lambda j: one(f.add(start, j), j))

        def one(i: Value, j: Value) -> None:
            place = f.load("i64", at, i)
            place = f.select(f.compare("slt", place, 0), f.add(place, n["size"]), place)
            wrong = f.compare("uge", place, n["size"])
            f.if_(wrong, lambda: f.store(f.const(1, "i64"), f.load("ptr", f.buffers)))
            there = f.add(f.mul(f.select(wrong, 0, place), n["inner"]), j)
            if way == TAKE:
                conversion.store(f, kind, conversion.load(f, kind, 1, source, there), sink, i)
                return
            x = conversion.load(f, kind, 1, source, i)
            if way in _JOINED:
                x = _JOINED[way](f, kind, conversion.load(f, kind, 1, sink, there), x)
            conversion.store(f, kind, x, sink, there)

        f.loop(0, n["places"], 1, along)

    f.loop(f.low, f.high, 1, unit)
    return f.finish()


def _clear(f: KernelFunction, sink: Value, size: Value, type: str) -> None:
    """Zeros."""
    width = 4 * host().lanes // bytes_of(type)
    whole = f.and_(size, -width)
    wide = vector(type, width)
    f.loop(0, whole, width, lambda i: f.store(f.const(0, wide), sink, i))
    f.loop(whole, size, 1, lambda i: f.store(f.const(0, type), sink, i))


def _possible(node: Node, way: str) -> bool:
    """Whether the index has the operand's sizes but along the axis, and the kernel the operand's type."""
    kind, axis = node.dtype, node.attributes["axis"]
    x, places = node.inputs[0].shape, node.inputs[1].shape
    if any(m != n for i, (m, n) in enumerate(zip(x, places, strict=True)) if i != axis) or not count(x):
        return False
    if kind not in conversion.MEMORY or not count(places):
        return False
    exact = kind not in conversion.HALVES and kind is not dtypes.bool_  # halves are added in float32
    return exact if way in (ADD, PRODUCT) else kind is not dtypes.bool_ or way in (PUT, TAKE)


@special("scatter", "scatter_add", "scatter_fold", "gather")
def _place(lowering: Lowering, node: Node) -> bool:
    way = WAYS.get(node.op.name) or node.attributes["kind"]
    if not _possible(node, way):
        return False
    axis = node.attributes["axis"]
    x, places = node.inputs[0], node.inputs[1]
    base, _ = lowering.fusion.base(x)
    zero = way != TAKE and base.op.name == "full" and not base.attributes["fill"]
    target = lowering.new_window(node.type)
    if way != TAKE and not zero:
        lowering.steps.append(lowering.rows.copy(lowering.window(x), target))
    index = lowering.whole(places)
    other = lowering.whole(x if way == TAKE else node.inputs[2])
    units = count(x.shape[:axis])
    made = Instruction(
        _kernel(node.dtype, way, zero, count(x.shape[axis + 1 :]) == 1),
        [lowering.access(index, units), lowering.access(other, units)],
        [Access(target.buffer, units)],
        [x.shape[axis], places.shape[axis], count(x.shape[axis + 1 :])],
        units,
        count(places.shape[axis:]) * 1.2 + count(x.shape[axis:]) * 0.1 + 10,
    )
    made.reports = True
    lowering.steps.append(made)
    lowering.place(node, target)
    return True

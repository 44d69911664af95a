"""Values put together from others: parts written into a box, boxes side by side, rows picked by index."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from zerograd import dtypes
from zerograd.engines.native.checks import report, wrapped
from zerograd.engines.native.emit import Value, size, vector
from zerograd.engines.native.kernel import Access, Instruction, Kernel, KernelFunction
from zerograd.engines.native.lower import Lowering, special
from zerograd.engines.native.target import host
from zerograd.engines.native.vectors import Vectors
from zerograd.engines.native.windows import Window, reshaped_strides
from zerograd.ir.graph import Node
from zerograd.ops.movement import cat, reshape
from zerograd.shapes import Shape, count


def _box(window: Window, starts: Sequence[int], steps: Sequence[int], shape: Shape) -> Window:
    """The part of a window that begins at ``starts`` and takes every ``step``-th element."""
    offset = sum(start * stride for start, stride in zip(starts, window.strides, strict=True))
    return window.seen(shape, tuple(a * b for a, b in zip(steps, window.strides, strict=True)), offset)


@special("slice_write")
def _slice_write(lowering: Lowering, node: Node) -> bool:
    x, part = node.inputs
    target = lowering.new_window(node.type)
    if count(node.shape) and count(part.shape) < count(node.shape):
        lowering.steps.append(lowering.rows.copy(lowering.window(x), target))
    if count(part.shape):
        box = _box(target, node.attributes["starts"], node.attributes["steps"], part.shape)
        lowering.steps.append(lowering.rows.copy(lowering.window(part), box))
    lowering.place(node, target)
    return True


@special("cat")
def _cat(lowering: Lowering, node: Node) -> bool:
    for one, box in zip(node.inputs, _boxes(lowering, node), strict=True):
        if count(one.shape) and (node, one) not in lowering.written:
            lowering.steps.append(lowering.rows.copy(lowering.window(one), box))
    lowering.place(node, lowering.reserved(node))
    return True


def _boxes(lowering: Lowering, node: Node) -> list[Window]:
    """Where the parts of a ``cat`` belong."""
    target, axis = lowering.reserved(node), node.attributes["axis"]
    boxes, start = [], 0
    for one in node.inputs:
        starts = [start if i == axis else 0 for i in range(node.rank)]
        boxes.append(_box(target, starts, (1,) * node.rank, one.shape))
        start += one.shape[axis]
    return boxes


def place_to_write(lowering: Lowering, node: Node) -> Window:
    """Where a kernel that can write rows anywhere should put a result: into the parts that it is one of, if it is.

    That is the case if nobody but a ``cat`` uses it, directly or in another shape that its place there can be seen in.
    """
    part, users = node, lowering.users.get(node, ())
    while len(users) == 1 and users[0].op is reshape and users[0].type.count:
        (part,) = users
        users = lowering.users.get(part, ())
    if len(users) == 1 and users[0].op is cat and users[0].inputs.count(part) == 1 and part not in lowering.kept:
        box = _boxes(lowering, users[0])[users[0].inputs.index(part)]
        strides = reshaped_strides(box.shape, box.strides, node.shape)
        if strides is not None:
            lowering.written.add((users[0], part))
            return box.seen(node.shape, strides)
    return lowering.new_window(node.type)


@special("bitcast")
def _bitcast(lowering: Lowering, node: Node) -> bool:
    """The bytes are copied, as words that both dtypes consist of."""
    source, target = lowering.whole(node.inputs[0]), lowering.new_window(node.type)
    size = min(source.dtype.itemsize, target.dtype.itemsize, 8)
    word = {1: dtypes.int8, 2: dtypes.int16, 4: dtypes.int32, 8: dtypes.int64}[size]
    number = node.type.nbytes // size
    made = lowering.rows.copy(
        Window(source.buffer, word, (number,), (1,), source.byte_offset // size),
        Window(target.buffer, word, (number,), (1,)),
    )
    made.in_place = ()  # a leaf's array has the other dtype
    lowering.steps.append(made)
    lowering.place(node, target)
    return True


# --- rows by index --------------------------------------------------------------------------------------------------


class _Rows(KernelFunction):
    """A kernel over places in the first axis of a table; numbers after the operands: rows, bytes of a row, places."""

    def __init__(self, operands: int) -> None:
        super().__init__()
        self.width = 4 * host().lanes
        self.rows, self.nbytes, self.places = (self.number(2 * operands + i) for i in range(3))

    def place_at(self, places: Value, i: Value) -> Value:
        """The i-th place, from the front; a wrong one is reported, and counts as 0."""
        at, wrong = wrapped(self, self.load("i64", places, i), self.rows)
        report(self, wrong)
        return at

    def copy(self, source: Value, target: Value, nbytes: Value) -> None:
        """Bytes from one place to another."""
        type = vector("i8", self.width)
        whole = self.and_(nbytes, -self.width)
        self.loop(0, whole, self.width, lambda j: self.store(self.load(type, source, j), target, j))
        self.loop(whole, nbytes, 1, lambda j: self.store(self.load("i8", source, j), target, j))


def _reports(lowering: Lowering, places: Window, rows: int) -> None:
    """The last step reports wrong places, unless one before it has looked at the same."""
    key = (places.buffer, places.offset, rows)
    if key not in lowering.checked:
        lowering.checked.add(key)
        lowering.steps[-1].reports = True  # pyright: ignore[reportAttributeAccessIssue]


@functools.cache
def _picking() -> Kernel:
    """units: places."""
    f = _Rows(3)
    table, places, target = f.place(0), f.place(1), f.place(2)

    def unit(i: Value) -> None:
        at = f.place_at(places, i)
        f.copy(f.pointer(table, f.mul(at, f.nbytes)), f.pointer(target, f.mul(i, f.nbytes)), f.nbytes)

    f.loop(f.low, f.high, 1, unit)
    return Kernel("picking", f.finish())


@special("index")
def _index(lowering: Lowering, node: Node) -> bool:
    table, places = lowering.whole(node.inputs[0]), lowering.whole(node.inputs[1])
    rows = node.inputs[0].shape[0]
    if not rows or not count(node.shape):
        return False
    target = lowering.new_window(node.type)
    units = count(places.shape)
    nbytes = count(node.inputs[0].shape[1:]) * table.dtype.itemsize
    reads = [
        Access(table.buffer, 1, table.byte_offset),
        Access(places.buffer, units if not places.offset else 1, places.byte_offset),
    ]
    lowering.steps.append(
        Instruction(_picking(), reads, [Access(target.buffer, units)], [rows, nbytes, units], units, 10 + nbytes * 0.05)
    )
    lowering.place(node, target)
    _reports(lowering, places, rows)
    return True


@functools.cache
def _adding(type: str) -> Kernel:
    """Adds rows at their places, in order; units: blocks of columns. A further number: the columns of a block."""
    f = _Rows(3)
    values, places, target = f.place(0), f.place(1), f.place(2)
    block = f.number(9)
    columns = f.binary("udiv", f.nbytes, size(type))

    def unit(u: Value) -> None:
        first = f.mul(u, block)
        last = f.least(f.add(first, block), columns)

        def add_row(i: Value) -> None:
            at = f.place_at(places, i)
            source = f.pointer(values, f.mul(i, f.nbytes))
            sink = f.pointer(target, f.mul(at, f.nbytes))

            def add(j: Value, mask: Value | None, width: int) -> None:
                kind = vector(type, width)
                f.store(f.add(f.load(kind, sink, j, mask), f.load(kind, source, j, mask)), sink, j, mask)

            Vectors(host().lanes).along(f, first, last, add)

        f.loop(0, f.places, 1, add_row)

    f.loop(f.low, f.high, 1, unit)
    return Kernel("adding", f.finish())


@functools.cache
def _putting() -> Kernel:
    """Puts rows at their places, in order; units: blocks of bytes. A further number: the bytes of a block."""
    f = _Rows(3)
    values, places, target = f.place(0), f.place(1), f.place(2)
    block = f.number(9)

    def unit(u: Value) -> None:
        first = f.mul(u, block)
        nbytes = f.least(block, f.sub(f.nbytes, first))

        def put_row(i: Value) -> None:
            at = f.place_at(places, i)
            source = f.pointer(values, f.add(f.mul(i, f.nbytes), first))
            f.copy(source, f.pointer(target, f.add(f.mul(at, f.nbytes), first)), nbytes)

        f.loop(0, f.places, 1, put_row)

    f.loop(f.low, f.high, 1, unit)
    return Kernel("putting", f.finish())


COLUMNS_OF_BLOCK = 32
BYTES_OF_BLOCK = 512
_ADDED = {
    "float32": "float", "float64": "double", "uint8": "i8", "int8": "i8", "int16": "i16", "int32": "i32",
    "int64": "i64",
}  # fmt: skip


@special("index_write")
def _index_write(lowering: Lowering, node: Node) -> bool:
    x, values, places = node.inputs
    adds, type = node.attributes["accumulate"], _ADDED.get(node.dtype.name, "")
    if (adds and not type) or not count(x.shape) or not count(values.shape):
        return False
    source, at = lowering.whole(values), lowering.whole(places)
    target = lowering.new_window(node.type)
    lowering.steps.append(lowering.rows.copy(lowering.window(x), target))
    nbytes = count(x.shape[1:]) * node.dtype.itemsize
    block = COLUMNS_OF_BLOCK if adds else BYTES_OF_BLOCK
    units = -(-nbytes // (block * node.dtype.itemsize if adds else block))
    number = count(places.shape)
    lowering.steps.append(
        Instruction(
            _adding(type) if adds else _putting(),
            [Access(source.buffer, 1, source.byte_offset), Access(at.buffer, 1, at.byte_offset)],
            [Access(target.buffer)],
            [x.shape[0], nbytes, number, block],
            units,
            number * 8.0,
        )
    )
    lowering.place(node, target)
    _reports(lowering, at, x.shape[0])
    return True

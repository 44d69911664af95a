"""The kernel of a recurrent layer: a block of sequences is taken through all steps in one go.

    for block of sequences:                      a unit
        left, product, carried values = their beginnings
        for step in steps:
            product = left @ weight              forward: the state before the step, times w.T
            for row in block: cell.step          the gates' functions, a vector at a time
        results of the end

Backward the cell comes first and ``left`` holds the gradients of the gates, which times w are carried to the next step.
What one step leaves to the next lies in scratch memory, in the type that is computed with. The weight lies in panels
that were packed before; one panel, a block of k long, stays in the first cache for all rows of the block.

Sequences do not meet each other, and each element of the product is a sum over blocks of k in ascending order, each a
chain of its own: no result depends on the division into blocks of sequences.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from zerograd.engines.native.emit import Value, size
from zerograd.engines.native.kernel import Kernel, KernelFunction
from zerograd.engines.native.products.numbers import read, write
from zerograd.engines.native.products.tile import Tile, multiply, one_below_another

LEFT, PRODUCT = "left", "product"

NUMBERS = (
    "steps", "batch", "size",  # T, N, H
    "block",  # sequences in a unit
    "depth",  # of the product
    "deep",  # of a block of k
    "panels",  # of the weight
)  # fmt: skip
# Then two numbers for each operand but the weight: bytes from a step to the next that is taken, and from a sequence to
# the next; and two for each area of scratch memory: where it begins, and bytes from a row to the next.


class Row:
    """A vector of one sequence at one step: columns ``at`` ... of every block of an operand or an area.

    Attributes:
        mask: which lanes lie inside; None: all.
    """

    __slots__ = ("at", "mask", "places", "walk")

    def __init__(self, walk: Walk, places: dict[str, Value], at: Value, mask: Value | None) -> None:
        self.walk, self.places, self.at, self.mask = walk, places, at, mask

    def get(self, name: str, block: int = 0) -> Value:
        """A vector as it is computed with; lanes outside are 0."""
        walk = self.walk
        type = walk.tile.type if name in walk.areas else walk.type
        return read(walk, type, walk.tile.type, walk.tile.lanes, self.places[name], self._column(block), self.mask)

    def put(self, name: str, x: Value, block: int = 0) -> None:
        walk = self.walk
        type = walk.tile.type if name in walk.areas else walk.type
        write(walk, x, type, self.places[name], self._column(block), self.mask)

    def _column(self, block: int) -> Value:
        return self.at if not block else self.walk.add(self.at, self.walk.starts[block])


class Cell(ABC):
    """What a kind of layer does at a step.

    Attributes:
        gates: blocks of H in a row of the gates that the product has a part in.
        operands: what it reads, in the order of the op's inputs, "w" among them.
        results: what it writes.
        carried: areas of H a row, besides ``left`` and ``product``, whose content goes on to the next step.
        backward: it walks from the end, and the product follows the cell.
        accumulates: the product is added to what the cell has left there.
        before: for further names (where a value lies one step earlier, where it lies before the first step).
    """

    gates: ClassVar[int]
    operands: tuple[str, ...]
    results: ClassVar[tuple[str, ...]]
    carried: ClassVar[tuple[str, ...]] = ()
    backward: ClassVar[bool] = False
    accumulates: ClassVar[bool] = False
    before: ClassVar[dict[str, tuple[str, str]]] = {}

    @property
    def reads(self) -> tuple[str, ...]:
        """The operands but the weight, which follows them."""
        return tuple(name for name in self.operands if name != "w")

    @property
    def areas(self) -> dict[str, int]:
        """Scratch memory: how many blocks of H a row of each area has."""
        gates = (self.gates, 1) if self.backward else (1, self.gates)
        return {LEFT: gates[0], PRODUCT: gates[1], **dict.fromkeys(self.carried, 1)}

    @abstractmethod
    def begin(self, row: Row) -> None:
        """Before the first step that is taken."""

    @abstractmethod
    def step(self, row: Row) -> None:
        """Every step, after the product or (backward) before it."""

    def end(self, row: Row) -> None:  # noqa: B027  most layers write nothing at the end
        """After the last step."""


class Walk(KernelFunction):
    """A kernel under construction.

    Args:
        type: of the numbers in memory; they are computed with as ``tile.type``.
    """

    def __init__(self, cell: Cell, tile: Tile, type: str) -> None:
        super().__init__()
        self.cell, self.tile, self.type = cell, tile, type
        self.areas = cell.areas
        names = (*cell.reads, "w", *cell.results)
        self.operands = {name: self.place(i) for i, name in enumerate(names)}
        at = 2 * len(names)
        self.n = {word: self.number(at + i) for i, word in enumerate(NUMBERS)}
        at += len(NUMBERS)
        self.weight = self.operands.pop("w")
        self.strides: dict[str, tuple[Value, Value]] = {}
        for name in self.operands:
            self.strides[name] = self.number(at), self.number(at + 1)
            at += 2
        self.starts = [self.mul(self.n["size"], block) for block in range(max(cell.gates, 4))]
        self.places: dict[str, Value] = {}
        self.pitch: dict[str, Value] = {}
        for name in self.areas:
            self.places[name], self.pitch[name] = self.pointer(self.scratch, self.number(at)), self.number(at + 1)
            at += 2
        self.bytes = size(tile.type)

    def text(self) -> str:
        """The whole kernel."""
        self.loop(self.low, self.high, 1, self._unit)
        return self.finish()

    def _unit(self, unit: Value) -> None:
        n, cell = self.n, self.cell
        first = self.mul(unit, n["block"])
        rows = self.least(n["block"], self.sub(n["batch"], first))
        padded = self.mul(self.div(self.add(rows, self.tile.rows - 1), self.tile.rows), self.tile.rows)
        starts = {
            name: self.pointer(place, self.mul(first, self.strides[name][1])) for name, place in self.operands.items()
        }
        self._clear(padded)
        self._rows(rows, starts, cell.begin)

        def step(t: Value) -> None:
            if not cell.backward:
                self._multiply(padded)
            here = {name: self.pointer(at, self.mul(t, self.strides[name][0])) for name, at in starts.items()}
            self._rows(rows, here, cell.step, self._before(t, here, starts))
            if cell.backward:
                self._multiply(padded)

        self.loop(0, n["steps"], 1, step)
        self._rows(rows, starts, cell.end)

    def _clear(self, rows: Value) -> None:
        """Zeros on the left side: rows that only fill a tile are multiplied too."""
        at, zero = self.places[LEFT], self.const(0, self.tile.type)
        self.loop(0, self.mul(rows, self.pitch[LEFT]), self.bytes, lambda i: self.store(zero, self.pointer(at, i)))

    def _before(self, t: Value, here: dict[str, Value], starts: dict[str, Value]) -> dict[str, tuple[Value, Value]]:
        """Where the values before the step lie, and bytes from a sequence to the next; the walk goes backward."""
        last = self.compare("eq", t, self.sub(self.n["steps"], 1))
        found = {}
        for name, (values, initial) in self.cell.before.items():
            earlier = self.pointer(here[values], self.strides[values][0])
            place = self.select(last, starts[initial], earlier)
            found[name] = place, self.select(last, self.strides[initial][1], self.strides[values][1])
        return found

    def _rows(
        self, rows: Value, here: dict[str, Value], body: object, further: dict[str, tuple[Value, Value]] | None = None
    ) -> None:
        """``body`` for every vector of every row."""
        assert callable(body)
        whole = self.and_(self.n["size"], -self.tile.lanes)
        rest = self.sub(self.n["size"], whole)
        mask = self.first(rest, self.tile.lanes)
        some = self.compare("sgt", rest, 0)

        def one(row: Value) -> None:
            places = {name: self.pointer(at, self.mul(row, self.strides[name][1])) for name, at in here.items()}
            places |= {name: self.pointer(at, self.mul(row, self.pitch[name])) for name, at in self.places.items()}
            places |= {name: self.pointer(at, self.mul(row, by)) for name, (at, by) in (further or {}).items()}
            self.loop(0, whole, self.tile.lanes, lambda j: body(Row(self, places, j, None)))
            self.if_(some, lambda: body(Row(self, places, whole, mask)))

        self.loop(0, rows, 1, one)

    def _multiply(self, rows: Value) -> None:
        """product = left @ weight, or added to it."""
        n, tile = self.n, self.tile
        wide = tile.columns * self.bytes

        def block(k: Value) -> None:
            shallow = self.least(n["deep"], self.sub(n["depth"], k))
            fresh = self.compare("eq", k, 0)

            def panel(p: Value) -> None:
                b = self.pointer(self.weight, self.mul(self.add(self.mul(p, n["depth"]), k), wide))

                def tile_at(row: Value) -> None:
                    offset = self.add(self.mul(row, self.pitch[LEFT]), self.mul(k, self.bytes))
                    a = one_below_another(self, tile, self.pointer(self.places[LEFT], offset), self.pitch[LEFT])
                    sums = multiply(self, tile, a, b, wide, shallow)
                    offset = self.add(self.mul(row, self.pitch[PRODUCT]), self.mul(p, wide))
                    self._store(sums, self.pointer(self.places[PRODUCT], offset), fresh)

                self.loop(0, rows, tile.rows, tile_at)

            self.loop(0, n["panels"], 1, panel)

        self.loop(0, n["depth"], n["deep"], block)

    def _store(self, sums: list[Value], to: Value, fresh: Value) -> None:
        tile = self.tile
        rows = [self.pointer(to, self.mul(self.pitch[PRODUCT], row)) for row in range(tile.rows)]
        places = [self.pointer(at, v * tile.lanes * self.bytes) for at in rows for v in range(tile.vectors)]

        def added() -> list[Value]:
            return [self.add(self.load(tile.vector, at), x) for at, x in zip(places, sums, strict=True)]

        total = added() if self.cell.accumulates else self.if_(fresh, lambda: sums, added)
        for at, x in zip(places, total, strict=True):
            self.store(x, at)


def walk_kernel(name: str, make: Callable[..., Cell], settings: tuple[object, ...], tile: Tile, type: str) -> Kernel:
    """Units: blocks of sequences. Reads the operands of the cell and the packed weight, writes the cell's results."""
    description = repr((name, settings, tile, type))
    return Kernel.described(name, description, lambda: Walk(make(*settings), tile, type).text())


__all__ = ["LEFT", "NUMBERS", "PRODUCT", "Cell", "Row", "Walk", "walk_kernel"]

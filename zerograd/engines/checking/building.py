"""Graphs that grow op by op, computed as they grow, so that what is added has values worth comparing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.engines.checking.bounds import bounds_of
from zerograd.engines.checking.drawing import Draw
from zerograd.engines.checking.step import size_of
from zerograd.engines.checking.trial import Values, evaluate
from zerograd.ir.graph import Array, Node, TensorType
from zerograd.ir.record import Recorder, bind, local, new_variable, number, recorder, traces
from zerograd.ir.trace import Point
from zerograd.ops.elementwise import cast
from zerograd.ops.movement import broadcast_to
from zerograd.ops.source import filled
from zerograd.shapes import Shape

HUGE = 1e4  # values beyond it are not built upon, except in wild graphs


class End:
    """A leaf tensor that wants a gradient."""

    ends = True

    def parents(self) -> tuple[Point, ...]:
        return ()


@contextmanager
def own_recorder() -> Iterator[Recorder]:
    """Record apart from everything else in this thread."""
    before = recorder.own
    local.own = made = Recorder()
    try:
        yield made
    finally:
        traces.pop(made.trace.serial, None)
        local.own = before


class Builder:
    """A graph under construction.

    Attributes:
        draw: where choices come from.
        pool: the nodes that may be built upon.
        values, bounds: of every node so far.
        tracking: float leaves are variables, so gradients flow.
    """

    def __init__(self, draw: Draw, tracking: bool = False) -> None:
        self.draw, self.tracking = draw, tracking
        self.pool: list[Node] = []
        self.values: Values = {}
        self.bounds: dict[Node, Any] = {}

    # --- leaves --------------------------------------------------------------------------------------------

    def leaf(self, type: TensorType, array: Array | None = None, *, low: float | None = None, high: float | None = None,
             variable: bool | None = None) -> Node:  # fmt: skip
        """A new leaf with the array, or with drawn values."""
        if array is None:
            array = self.draw.array(type, low, high)
        node = bind(array, type)
        wanted = self.tracking and self.draw.chance(0.7) if variable is None else variable and self.tracking
        if wanted and type.dtype.is_inexact:
            node = new_variable(node, End())
        self.know(node)
        return node

    def floats(
        self, *shape: int, kind: dtype = dtypes.float32, scale: float = 1.0, variable: bool | None = None
    ) -> Node:
        """A new leaf of normal numbers in some layout."""
        values = np.asarray(self.draw.random.standard_normal(shape) * scale).astype(kind.numpy)
        return self.leaf(TensorType(shape, kind), self.draw.laid(values), variable=variable)

    def places(self, shape: Shape, below: int, low: int = 0) -> Node:
        """A new leaf of int64 in [low, below)."""
        values = self.draw.random.integers(low, max(below, low + 1), shape)
        return self.leaf(TensorType(shape, dtypes.int64), self.draw.laid(np.asarray(values, np.int64)))

    def scalar(self, value: float, type: TensorType) -> Node:
        """A Python number, spread over a type: an operand that changes no structure."""
        node = number(value)
        spread = broadcast_to(cast(node, dtype=type.dtype), type.shape)
        self.know(spread)
        return spread

    def constant(self, value: float, type: TensorType) -> Node:
        return filled(value, type)

    # --- nodes ---------------------------------------------------------------------------------------------

    def know(self, *nodes: Node) -> None:
        """Compute what is new."""
        fresh = [node for node in nodes if node not in self.values]
        if fresh:
            leaves = recorder.own.trace.leaves
            evaluate(fresh, leaves, known=self.values)
            bounds_of(fresh, self.values, known=self.bounds)

    def offer(self, *nodes: Node) -> list[Node]:
        """Put nodes into the pool, if their values are worth building upon."""
        self.know(*nodes)
        taken = [node for node in nodes if self.draw.wild or self.is_sound(node)]
        self.pool += taken
        return taken

    def is_sound(self, node: Node) -> bool:
        """Whether most elements are decided, and no larger than they should be."""
        value, bound = np.asarray(self.values[node]), self.bounds[node]
        if not value.size:
            return True
        if bound is not None and np.isfinite(bound).mean() < 0.7:
            return False
        if not node.dtype.is_inexact:
            return True
        size = size_of(value)
        return bool((size <= HUGE).mean() > 0.9)

    def pick(self, fits: Callable[[TensorType], bool] | None = None, fresh: float = 0.1) -> Node:
        """A node of the pool that fits, the latest most often, or a new leaf."""
        if not self.draw.chance(fresh):
            found = [node for node in self.pool if fits is None or fits(node.type)]
            if found:
                age = int(self.draw.random.exponential(3.0))
                return found[max(len(found) - 1 - age, 0)]
        for _ in range(40):
            type = TensorType(self.draw.shape(), self.draw.kind())
            if fits is None or fits(type):
                return self.leaf(type)
        raise MisfitError

    def pick_float(self, rank: int = 0, complex: bool = False) -> Node:
        """A node of a float type with at least ``rank`` axes."""
        fits = lambda type: type.dtype.is_inexact and (complex or not type.dtype.is_complex) and type.rank >= rank  # noqa: E731
        found = [node for node in self.pool if fits(node.type)]
        if found and not self.draw.chance(0.1):
            return found[max(len(found) - 1 - int(self.draw.random.exponential(3.0)), 0)]
        kind = self.draw.one((dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16), (12, 1, 1, 1))
        shape = self.draw.shape()
        while len(shape) < rank:
            shape = (*shape, self.draw.size(9) or 1)
        return self.leaf(TensorType(shape, kind))

    def partner(self, type: TensorType) -> Node:
        """Another operand of the type: from the pool, broadcast, converted, a number or a constant."""
        draw = self.draw
        same = [node for node in self.pool if node.type is type]
        way = draw.one(("pool", "leaf", "spread", "number", "constant", "converted"), (5, 3, 4, 2, 1, 1))
        if way == "pool" and same:
            return draw.one(same)
        if way == "spread" and type.shape:
            shape = [1 if draw.chance(0.5) else n for n in type.shape][draw.below(type.rank + 1) :]
            return broadcast_to(self.leaf(TensorType(tuple(shape), type.dtype)), type.shape)
        if way == "number" and type.dtype.is_inexact:
            return self.scalar(draw.number(), type)
        if way == "constant":
            return filled(draw.one((0, 1, 2)) if type.dtype is not dtypes.bool_ else draw.chance(0.5), type)
        if way == "converted":
            near = [node for node in self.pool if node.shape == type.shape and not node.type.weak]
            near = [node for node in near if node.dtype.category <= type.dtype.category]
            if near:
                return cast(draw.one(near), dtype=type.dtype)
        return self.leaf(type)


class MisfitError(Exception):
    """Nothing in the pool fits; another production may."""

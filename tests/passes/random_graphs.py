"""Random graphs of ops that rules look at: movements, parts, arithmetic, choices, reductions, products."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.ir.graph import Node, Op, TensorType, leaf
from zerograd.ops import bitwise, elementwise, movement, reduction, softmax
from zerograd.ops.contraction import matmul
from zerograd.ops.indexing import gather, scatter, scatter_add
from zerograd.ops.source import filled, iota
from zerograd.ops.transcendental import root

UNARY = ("neg", "abs", "square", "tanh", "relu", "sigmoid", "copy", "stop")
BINARY = ("add", "add", "sub", "mul", "mul", "div", "maximum", "clamp_min")
COMPARE = ("eq", "ne", "lt", "ge")
NUMBERS = (0, 0, 1, 1, -1, 2, 0.5, 3, -0.25, math.inf)
SHAPES = ((2, 3), (4,), (2, 1, 3), (1, 4), (), (3, 2, 2), (6, 1))
SPECIAL = (0.0, 1.0, -1.0, math.nan, math.inf, -math.inf)


def data(draw: Random) -> list[Any]:
    """An array for each leaf: mostly usual numbers, now and then some special ones."""
    numbers = np.random.default_rng(draw.randrange(1 << 30))
    arrays = []
    for shape in SHAPES:
        array = np.asarray(numbers.integers(-8, 9, shape) / 4)
        if draw.random() < 0.3 and array.size:
            array = array.copy()
            array.flat[draw.randrange(array.size)] = draw.choice(SPECIAL)
        arrays.append(array)
    return arrays


def leaves() -> list[Node]:
    types = [TensorType(shape, dtypes.float64) for shape in SHAPES]
    return [Node(leaf, (), {"slot": i, "type": type}, type, False) for i, type in enumerate(types)]


class Drawn:
    """A graph that grows by random nodes; ``numbers`` are its float nodes, ``truths`` its conditions."""

    def __init__(self, draw: Random) -> None:
        self.draw = draw
        self.numbers = leaves()
        self.truths: list[Node] = []

    def one(self) -> Node:
        """A node, a recent one more likely."""
        pool = self.numbers
        return pool[-1 - self.draw.randrange(min(6, len(pool)))] if self.draw.random() < 0.6 else self.draw.choice(pool)

    def like(self, x: Node) -> Node:
        """Another node of the same shape: a known one, a constant, or one that is expanded to it."""
        same = [one for one in self.numbers if one.shape == x.shape]
        if self.draw.random() < 0.6:
            return self.draw.choice(same)
        if self.draw.random() < 0.5 and not x.shape.count(0):
            small = tuple(1 if self.draw.random() < 0.5 else n for n in x.shape)
            fits = [one for one in self.numbers if one.shape == small]
            if fits:
                return movement.broadcast_to(self.draw.choice(fits), x.shape)
        return filled(self.draw.choice(NUMBERS), x.type)

    def grow(self) -> None:
        kinds: list[Callable[[Node], Node | None]] = [
            self.unary, self.binary, self.binary, self.binary, self.compare, self.choose, self.choose, self.reshape,
            self.reshape, self.permute, self.expand, self.slice, self.slice, self.write, self.parts, self.cat,
            self.stack, self.fold, self.fold, self.composite, self.product, self.pick, self.flip,
        ]  # fmt: skip
        made = self.draw.choice(kinds)(self.one())
        if made is not None and made.type.count <= 300:
            self.numbers.append(made)

    def unary(self, x: Node) -> Node:
        return getattr(elementwise, self.draw.choice(UNARY))(x)

    def binary(self, x: Node) -> Node:
        pair = [x, self.like(x)]
        self.draw.shuffle(pair)
        return getattr(elementwise, self.draw.choice(BINARY))(*pair)

    def compare(self, x: Node) -> None:
        made = getattr(elementwise, self.draw.choice(COMPARE))(x, self.like(x))
        if self.draw.random() < 0.5:
            made = bitwise.bit_not(made)
        fits = [one for one in self.truths if one.shape == made.shape]
        if fits and self.draw.random() < 0.5:
            made = self.draw.choice((elementwise.both, elementwise.either))(made, self.draw.choice(fits))
        self.truths.append(made)

    def choose(self, x: Node) -> Node:
        fits = [one for one in self.truths if one.shape == x.shape]
        condition = self.draw.choice(fits) if fits else elementwise.lt(x, self.like(x))
        return elementwise.where(condition, x, self.like(x))

    def reshape(self, x: Node) -> Node:
        n, shape = x.type.count, []
        while n > 1 and self.draw.random() < 0.8:
            size = self.draw.choice([one for one in range(1, n + 1) if n % one == 0])
            shape.append(size)
            n //= size
        return movement.reshape(x, shape=(*shape, n) if n != 1 or self.draw.random() < 0.3 else tuple(shape))

    def permute(self, x: Node) -> Node:
        order = list(range(x.rank))
        self.draw.shuffle(order)
        return movement.permute(x, order=tuple(order))

    def expand(self, x: Node) -> Node:
        if self.draw.random() < 0.4:
            x = movement.reshape(x, shape=(1, *x.shape))
        return movement.expand(x, shape=tuple(self.draw.choice((1, 2, 3)) if n == 1 else n for n in x.shape))

    def box(self, shape: tuple[int, ...]) -> dict[str, Any]:
        at: dict[str, list[int]] = {"starts": [], "stops": [], "steps": []}
        only = self.draw.randrange(len(shape)) if shape and self.draw.random() < 0.7 else None
        for axis, n in enumerate(shape):
            whole = only is not None and axis != only
            start = 0 if whole else self.draw.randrange(n)
            at["starts"].append(start)
            at["stops"].append(n if whole else self.draw.randint(start + 1, n))
            at["steps"].append(1 if whole or self.draw.random() < 0.8 else 2)
        return {name: tuple(values) for name, values in at.items()}

    def slice(self, x: Node) -> Node:
        return movement.slice_(x, **self.box(x.shape))

    def write(self, x: Node) -> Node:
        at = self.box(x.shape)
        part = movement.slice_(self.like(x), **at)
        base = self.draw.choice((x, movement.zeros_of(x.type)))
        made = movement.slice_write(base, part, **at)
        return movement.slice_(made, **(at if self.draw.random() < 0.5 else self.box(x.shape)))

    def parts(self, x: Node) -> Node | None:
        """What the gradient of ``split`` is: zeros with one part written in each, added."""
        if not x.rank:
            return None
        axis = self.draw.randrange(x.rank)
        cuts = sorted({0, x.shape[axis], *[self.draw.randint(0, x.shape[axis]) for _ in range(2)]})
        pieces = []
        for start, stop in pairwise(cuts):
            part = movement.narrow(self.like(x), axis, start, stop)
            starts = tuple(start if i == axis else 0 for i in range(x.rank))
            stops = tuple(stop if i == axis else n for i, n in enumerate(x.shape))
            zeros = movement.zeros_of(x.type)
            pieces.append(movement.slice_write(zeros, part, starts=starts, stops=stops, steps=(1,) * x.rank))
        self.draw.shuffle(pieces)
        total = pieces[0]
        for one in pieces[1:]:
            total = elementwise.add(total, one) if self.draw.random() < 0.7 else elementwise.add(one, total)
        return total

    def cat(self, x: Node) -> Node | None:
        if not x.rank:
            return None
        axis = self.draw.randrange(x.rank)
        parts = [x, self.like(x), *([x] if self.draw.random() < 0.3 else [])]
        return movement.cat(*parts, axis=axis)

    def stack(self, x: Node) -> Node:
        axis = self.draw.randint(0, x.rank)
        shape = (*x.shape[:axis], 1, *x.shape[axis:])
        return movement.cat(*[movement.reshape(one, shape=shape) for one in (x, self.like(x))], axis=axis)

    def fold(self, x: Node) -> Node:
        axes = tuple(i for i in range(x.rank) if self.draw.random() < 0.5)
        op: Op = self.draw.choice((reduction.sum, reduction.sum, reduction.max, reduction.min))
        made = op(x, axes=axes) if axes else x
        return movement.expand(made, shape=x.shape) if self.draw.random() < 0.5 else made

    def composite(self, x: Node) -> Node:
        axis = self.draw.randrange(x.rank) if x.rank else None
        if axis is None:
            return root(elementwise.square(x))
        calls: list[Callable[[], Node]] = [
            lambda: softmax.softmax(x, axis=axis),
            lambda: softmax.log_softmax(x, axis=axis),
            lambda: elementwise.exp(softmax.log_softmax(x, axis=axis)),
            lambda: reduction.logsumexp(x, axes=(axis,)),
            lambda: reduction.var(x, axes=(axis,), correction=self.draw.choice((0, 1))),
            lambda: reduction.norm(x, axes=(axis,), p=self.draw.choice((0, 1, 2, 3, math.inf, -math.inf))),
            lambda: elementwise.clamp(x, self.like(x), self.like(x)),
        ]
        return self.draw.choice(calls)()

    def product(self, x: Node) -> Node | None:
        if x.rank < 2:
            return None
        other = self.like(x)
        turned = movement.permute(other, order=(*range(x.rank - 2), x.rank - 1, x.rank - 2))
        made = matmul(x, turned) if self.draw.random() < 0.5 else matmul(turned, x)
        if self.draw.random() < 0.4:
            made = movement.permute(made, order=(*range(x.rank - 2), x.rank - 1, x.rank - 2))
        elif self.draw.random() < 0.5 and x.rank > 2:
            made = reduction.sum(made, axes=tuple(range(x.rank - 2)))
        return made

    def pick(self, x: Node) -> Node | None:
        if not x.rank:
            return None
        axis = self.draw.randrange(x.rank)
        n = x.shape[axis]
        shape = tuple(1 if i == axis else size for i, size in enumerate(x.shape))
        type = TensorType(shape, dtypes.int64)
        line = elementwise.cast(iota(size=type.count, dtype=dtypes.int64), dtype=dtypes.int64)
        places = bitwise_remainder(movement.reshape(line, shape=shape), n)
        if self.draw.random() < 0.5:
            return gather(x, places, axis=axis)
        values = gather(self.like(x), places, axis=axis)
        return self.draw.choice((scatter, scatter_add))(
            self.draw.choice((x, movement.zeros_of(x.type))), places, values, axis=axis
        )

    def flip(self, x: Node) -> Node:
        return movement.flip(x, axes=tuple(i for i in range(x.rank) if self.draw.random() < 0.5))


def bitwise_remainder(x: Node, n: int) -> Node:
    """x mod n, by ops that the rules do not fold away; half of the places count from the end."""
    whole = elementwise.cast(x, dtype=dtypes.float64)
    folded = elementwise.sub(elementwise.abs(elementwise.sub(whole, filled(n, whole.type))), filled(n, whole.type))
    inside = elementwise.maximum(elementwise.minimum(folded, filled(n - 1, whole.type)), filled(-n, whole.type))
    return elementwise.cast(inside, dtype=dtypes.int64)


def graph(draw: Random) -> tuple[Node, ...]:
    """Up to five outputs of a random graph."""
    drawn = Drawn(draw)
    for _ in range(draw.randint(3, 25)):
        drawn.grow()
    made = drawn.numbers[len(SHAPES) :] or drawn.numbers
    return tuple(draw.choice(made[-6:]) for _ in range(draw.randint(1, 5)))

"""Random programs: a seed gives a graph with data, the same on every call."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection

from zerograd import ops
from zerograd.engines.checking import gathering, patterns, shaping
from zerograd.engines.checking.building import Builder, MisfitError, own_recorder
from zerograd.engines.checking.comparing import Expectation
from zerograd.engines.checking.drawing import Draw
from zerograd.engines.checking.productions import TABLE, Production
from zerograd.engines.checking.trial import Trial
from zerograd.ir.graph import Node
from zerograd.ir.record import grad_mode, recorder
from zerograd.ops import elementwise as e
from zerograd.tape.differentiate import differentiate

for _module in pkgutil.iter_modules(ops.__path__):  # so that all ops are in the registry
    importlib.import_module(f"{ops.__name__}.{_module.name}")

FILES = (gathering, patterns, shaping)  # their productions are in the table


def program(seed: int, only: Collection[str] = ()) -> Expectation:
    """The random program of a seed, and what it should give.

    Args:
        only: the names of the productions that may be used; none: all.
    """
    draw = Draw((0x5EED, seed))
    style = draw.one(("plain", "gradient", "wild"), (5, 5, 1.2))
    draw.limit = draw.one((256, 2048, 40_000), (12, 5, 1))
    draw.wild = style == "wild"
    with own_recorder():
        builder = Builder(draw, tracking=style == "gradient")
        _grow(builder, draw.one((3, 8, 16, 30), (3, 5, 4, 1)), only, Draw((0x5E1D, seed)))
        outputs = _outputs(builder)
        if style == "gradient":
            outputs += _gradients(builder)
        builder.know(*outputs)
        trial = Trial(f"seed {seed}", tuple(outputs), tuple(recorder.own.trace.leaves))
        return Expectation(trial, builder.values, builder.bounds)


def _grow(b: Builder, productions: int, only: Collection[str], seldom: Draw) -> None:
    """``seldom`` draws the productions without odds, so that they leave other seeds' programs as they are."""
    table: list[Production] = [one for one in TABLE if not only or one.name in only]
    odds = [one.odds or float(bool(only)) for one in table]
    added = [one for one in table if not one.odds]
    for _ in range(productions):
        try:
            (seldom.one(added) if not only and seldom.chance(0.01) else b.draw.one(table, odds)).apply(b)
        except MisfitError:
            continue
    if not b.pool:
        b.pool.append(b.leaf(b.pick().type))


def _outputs(b: Builder) -> list[Node]:
    """The last node, some others; now and then a leaf, a constant, or the same node twice."""
    draw = b.draw
    found = [b.pool[-1]]
    for _ in range(draw.one((0, 1, 3, 8), (3, 4, 3, 1))):
        found.append(draw.one(b.pool))
    if draw.chance(0.1):
        found.append(b.constant(1, found[0].type) if found[0].dtype.is_inexact else found[0])
    if draw.chance(0.1):
        found.append(next(iter(b.values)))
    return [one for one in found if not isinstance(one.type, tuple)]


def _gradients(b: Builder) -> list[Node]:
    """The gradients of some tracked nodes, and what an optimizer makes of some."""
    draw = b.draw
    tracked = [node for node in b.pool if node.tracked and node.dtype.is_inexact]
    if not tracked:
        return []
    roots = tuple(dict.fromkeys([tracked[-1], *draw.some(tracked)[:2]]))
    with grad_mode(False):
        seeds = tuple(
            b.constant(1, one.type) if draw.chance(0.4) else b.leaf(one.type, variable=False) for one in roots
        )
        try:
            found = differentiate(recorder.own.trace, roots, seeds)
        except NotImplementedError:  # a function that has no derivative
            return []
        grads = list(zip(found.variables, found.grads, strict=True))
        steps = [e.sub(x, e.mul(b.scalar(0.1, x.type), grad)) for x, grad in grads if draw.chance(0.3)]
    return [grad for _, grad in grads] + steps


def _seed(b: Builder, root: Node) -> Node:
    return b.constant(1, root.type) if b.draw.chance(0.4) else b.leaf(root.type, variable=False)

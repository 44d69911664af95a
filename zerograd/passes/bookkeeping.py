"""Ops that carry history and no values vanish: nothing is differentiated below this level."""

from __future__ import annotations

from zerograd.ir.graph import Node, variable
from zerograd.ops.elementwise import attach, copy, dead_end, graft, stop
from zerograd.ops.movement import overwrite
from zerograd.ops.random import sampled
from zerograd.passes.rewrite import Graph, Rules

rules = Rules()


@rules.on(variable, stop, copy, graft, attach, dead_end, sampled)
def history_vanishes(graph: Graph, node: Node) -> Node | None:
    """variable(x) = stop(x) = copy(x) = graft(x, h) = attach(x, h) = dead_end(x) = sampled(x, p) = x"""
    return node.inputs[0]


@rules.on(overwrite)
def overwrite_is_new(graph: Graph, node: Node) -> Node | None:
    """overwrite(x, new) = new"""
    return node.inputs[1]

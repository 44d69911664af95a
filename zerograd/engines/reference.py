"""The NumPy engine: every op by its definition, one after the other. The other engines are tested against it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from zerograd.engines import faults, profiling
from zerograd.engines.protocol import Program
from zerograd.ir import interrupts
from zerograd.ir.graph import Array, Node, leaf
from zerograd.ir.traverse import topological
from zerograd.ops.movement import expand
from zerograd.ops.source import filled, full
from zerograd.settings import settings

SMALL = 1 << 16  # bytes of a constant that a program keeps


def compile(outputs: tuple[Node, ...]) -> Program:
    """A program of one NumPy call per node; an array is dropped after its last use."""
    operands = {node: _operands(node) for node in topological(outputs)}
    order = _reachable(outputs, operands)
    register = {node: i for i, node in enumerate(order)}
    drops = _drops(outputs, order, operands, register)
    loads: list[tuple[int, int]] = []
    constants: list[tuple[int, Array]] = []
    steps: list[tuple[Any, tuple[int, ...], int, tuple[int, ...], Node]] = []
    for node in order:
        if node.op is leaf:
            loads.append((register[node], node.attributes["slot"]))
        elif node.op is full and node.type.nbytes <= SMALL:
            constants.append((register[node], node.op.reference(**node.attributes)))
        else:
            places = tuple(register[one] for one in operands[node])
            steps.append((_function(node), places, register[node], tuple(drops.get(node, ())), node))
    results = [register[node] for node in outputs]
    size = len(order)
    verify = settings.check_programs

    @faults.definition
    @interrupts.harmless
    def run(leaves: Sequence[Any]) -> list[Array]:
        values: list[Any] = [None] * size
        for place, slot in loads:
            values[place] = leaves[slot]
        for place, array in constants:
            values[place] = array
        with np.errstate(all="ignore"):
            for function, places, place, dropped, node in steps:
                values[place] = result = function(*[values[one] for one in places])
                if verify:
                    _check(node, result)
                for one in dropped:
                    values[one] = None
        return [np.asarray(values[place]) for place in results]

    return run


@faults.definition
def apply(node: Node, inputs: Sequence[Array]) -> Any:
    """What a node's op gives for these arrays."""
    with np.errstate(all="ignore"):
        return node.op.reference(*inputs, **node.attributes)


def _function(node: Node) -> Any:
    """What computes a node from its inputs' arrays."""
    function = partial(node.op.reference, **node.attributes) if node.attributes else node.op.reference
    if profiling.current is not None:
        return profiling.current.timed(function, node, profiling.FIRST_RUN)
    return function


def _operands(node: Node) -> tuple[Node, ...]:
    """The inputs, without expansions that NumPy's own broadcasting makes needless."""
    if not node.op.elementwise:
        return node.inputs
    peeled = tuple(map(_peel, node.inputs))
    shapes = [one.shape for one in peeled]
    return peeled if np.broadcast_shapes(*shapes) == node.inputs[0].shape else node.inputs


def _peel(node: Node) -> Node:
    if node.op is full and node.type.shape:
        return filled(node.attributes["fill"], node.type.with_shape(()))
    return node.inputs[0] if node.op is expand else node


def _reachable(outputs: tuple[Node, ...], operands: dict[Node, tuple[Node, ...]]) -> list[Node]:
    """The nodes that are still needed, inputs before users."""
    needed = set(outputs)
    for node in reversed(operands):
        if node in needed:
            needed.update(operands[node])
    bare = [one for one in needed if one not in operands]  # numbers in the place of expanded constants
    operands.update(dict.fromkeys(bare, ()))
    return bare + [node for node in operands if node in needed and node not in bare]


def _drops(
    outputs: tuple[Node, ...],
    order: list[Node],
    operands: dict[Node, tuple[Node, ...]],
    register: dict[Node, int],
) -> dict[Node, list[int]]:
    """The registers that are not needed after a node."""
    last_use = {one: node for node in order for one in operands[node]}
    kept = set(outputs)
    drops: dict[Node, list[int]] = {}
    for one, node in last_use.items():
        if one not in kept:
            drops.setdefault(node, []).append(register[one])
    return drops


def _check(node: Node, result: Any) -> None:
    types = node.type if isinstance(node.type, tuple) else (node.type,)
    arrays = result if isinstance(result, tuple) else (result,)
    for type, array in zip(types, arrays, strict=True):
        found = np.asarray(array)
        if (
            node.op.elementwise
            and found.shape != type.shape
            and np.broadcast_shapes(found.shape, type.shape) == type.shape
        ):
            continue
        if found.shape != type.shape or found.dtype != type.dtype.numpy:
            raise AssertionError(f"{node.op.name} promised {type}, computed {found.dtype}{list(found.shape)}")

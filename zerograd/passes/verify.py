"""A checker for the graphs that passes make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zerograd.ir.graph import Node, leaf, output
from zerograd.ir.traverse import topological

_ERASED = ("variable", "stop", "copy", "graft", "attach", "dead_end", "overwrite", "sampled")


def verify(before: Sequence[Node], after: Sequence[Node]) -> None:
    """Checks what a pass has made of a graph.

    Raises:
        AssertionError: the outputs' types differ; a node's type is not what its op infers; an op of bookkeeping is
            left; two nodes are the same computation; a leaf was not there before; a node uses itself.
    """
    _expect([one.type for one in before] == [one.type for one in after], "the outputs have other types")
    order = topological(after)
    place = {node: i for i, node in enumerate(order)}
    slots = {_slot(node) for node in topological(before) if node.op is leaf}
    known: dict[Any, Node] = {}
    for node in order:
        _expect(all(place[one] < place[node] for one in node.inputs), f"{node} uses itself")
        _expect(node.op.name not in _ERASED and not node.tracked, f"{node} is of the recorder's bookkeeping")
        _expect(node.op is not leaf or _slot(node) in slots, f"{node} is a new leaf")
        _expect(
            node.op is output or node.op is leaf or _inferred(node) == node.type, f"{node} should be of another type"
        )
        if node.op is output:
            _expect(node.inputs[0].type[node.attributes["index"]] is node.type, f"{node} should be of another type")
        key = (node.op, node.inputs, *[f"{one!r}{one.__class__}" for one in node.attributes.values()])
        _expect(key not in known, f"{node} is there twice")
        known[key] = node


def _slot(node: Node) -> tuple[Any, Any]:
    return node.attributes["slot"], node.type


def _inferred(node: Node) -> Any:
    return node.op.infer(*[one.type for one in node.inputs], **node.attributes)


def _expect(holds: bool, problem: str) -> None:
    if not holds:
        raise AssertionError(problem)

"""The passes and their order: what is done to a recorded graph before kernels are made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zerograd.ir.graph import Node
from zerograd.ir.traverse import topological
from zerograd.passes import (
    activations,
    arithmetic,
    bookkeeping,
    choice,
    decompose,
    extremes,
    movement,
    outward,
    picked_rows,
    pieces,
    places,
    product_groups,
    products,
    reductions,
)
from zerograd.passes.rewrite import Builder, Graph, Rules, Users, together

RULES: Rules = together(
    bookkeeping.rules,
    arithmetic.rules,
    choice.rules,
    movement.rules,
    pieces.rules,
    reductions.rules,
    products.rules,
    picked_rows.rules,
    outward.rules,
    places.rules,
    decompose.rules,
    activations.rules,
    extremes.rules,
)

Pass = Callable[[Graph, list[Node], Users], "dict[Node, Builder]"]
"""The graph, its nodes with inputs before users, and who uses them -> which nodes to replace, and how."""

STAGES: tuple[tuple[Pass, ...], ...] = (
    (product_groups.turned_products,),
    (product_groups.gathered_products,),
    (
        product_groups.turned_products,
        product_groups.gathered_sums,
        product_groups.products_of_parts,
        product_groups.special_products,
    ),
)
"""After the rules, which look at a node and its inputs: what needs to know the users. The passes of one stage see the
same graph; each stage sees what the one before it has made."""


def run(outputs: Sequence[Node], rules: Rules = RULES, stages: Sequence[Sequence[Pass]] = STAGES) -> tuple[Node, ...]:
    """Nodes with the same values as the outputs and of the same types, simpler to compute.

    The result has nothing of the recorder's bookkeeping, and equal computations are one node. Leaves keep their slots.
    An output may become a leaf, a constant, or the same node as another output.
    """
    graph = Graph(rules)
    outputs = graph.rewrite(outputs)
    order: list[Node] = []
    users: Users = {}
    for stage in stages:
        if not order:
            order = topological(outputs)
            users = users_of(order, outputs)
        builders: dict[Node, Builder] = {}
        for one in stage:
            builders |= one(graph, order, users)
        if builders:
            outputs = graph.replace(outputs, order, builders)
            order = []
    return tuple(outputs)


def users_of(order: list[Node], outputs: Sequence[Node]) -> Users:
    """What each node is an input of, once for each input; ``None`` for an output."""
    users: Users = {node: [] for node in order}
    for node in order:
        for one in node.inputs:
            users[one].append(node)
    for node in outputs:
        users[node].append(None)
    return users

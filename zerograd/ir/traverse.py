"""Walking and printing graphs."""

from __future__ import annotations

from collections.abc import Iterable

from zerograd.ir.graph import Node, leaf


def topological(roots: Iterable[Node], *, tracked: bool = False) -> list[Node]:
    """Every node that the roots depend on, inputs before users, each once; ``tracked``: by tracked inputs only."""
    done: set[Node] = set()
    order: list[Node] = []
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, inputs_done = stack.pop()
        if inputs_done:
            order.append(node)
        elif node not in done:
            done.add(node)
            stack.append((node, True))
            inputs = [one for one in node.inputs if one.tracked] if tracked else node.inputs
            stack.extend((one, False) for one in reversed(inputs) if one not in done)
    return order


def format_graph(roots: Iterable[Node]) -> str:
    """The graph as numbered lines, a node each: the form that people read and tests compare."""
    names: dict[Node, str] = {}
    lines: list[str] = []
    for node in topological(roots):
        names[node] = f"%{len(names)}"
        operands = [names[one] for one in node.inputs]
        operands += [f"{key}={value}" for key, value in node.attributes.items() if node.op is not leaf or key == "slot"]
        lines.append(f"{names[node]} = {node.op.name}({', '.join(operands)}) : {node.type}")
    return "\n".join(lines)

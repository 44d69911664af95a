"""Walking and printing graphs."""

from __future__ import annotations

from collections.abc import Iterable

from zerograd.ir.graph import Node, leaf


def topological(roots: Iterable[Node], *, tracked: bool = False) -> list[Node]:
    """Every node that the roots depend on, inputs before users, each once; ``tracked``: by tracked inputs only."""
    opened: set[Node] = set()
    done: set[Node] = set()
    order: list[Node] = []
    stack = list(roots)[::-1]
    while stack:
        node = stack.pop()
        if node in done:
            continue
        inputs = node.inputs
        if not inputs or node in opened:
            done.add(node)
            order.append(node)
            continue
        opened.add(node)
        stack.append(node)
        stack += [one for one in inputs if one.tracked][::-1] if tracked else inputs[::-1]
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

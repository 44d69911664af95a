"""A graph with data for its leaves, and graphs cut out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zerograd.ir.graph import Array, Node, TensorType, leaf, output
from zerograd.ir.traverse import topological

Values = dict[Node, Any]
"""What each node of a graph computes: an array, or a tuple of them."""


@dataclass(frozen=True)
class Trial:
    """What engines are compared on.

    Attributes:
        name: how to make it again, e.g. its seed.
        outputs: the nodes whose values are wanted.
        leaves: the arrays and numbers for the leaf slots.
    """

    name: str
    outputs: tuple[Node, ...]
    leaves: tuple[Any, ...]

    @property
    def size(self) -> int:
        """How many nodes compute something."""
        return sum(node.op is not leaf for node in topological(self.outputs))


def evaluate(
    outputs: Iterable[Node],
    leaves: Sequence[Any],
    meanings: Mapping[str, Callable[..., Any]] | None = None,
    known: Values | None = None,
) -> Values:
    """The value of every node above ``outputs``, by the references of its op.

    Args:
        meanings: other references for some ops, by name.
        known: the nodes whose values are known already; those found are added to it.
    """
    values: Values = {} if known is None else known
    meanings = meanings or {}
    with np.errstate(all="ignore"):
        for node in above(tuple(outputs), values):
            if node in values:
                continue
            if node.op is leaf:
                values[node] = leaves[node.attributes["slot"]]
            else:
                function = meanings.get(node.op.name, node.op.reference)
                values[node] = function(*[values[one] for one in node.inputs], **node.attributes)
                _check(node, values[node])
    return values


def is_number(node: Node) -> bool:
    """Whether a node is a Python number, perhaps spread over a shape: it has all its digits until it is cast."""
    while node.op.name in ("reshape", "expand"):
        node = node.inputs[0]
    return not isinstance(node.type, tuple) and node.type.weak


def _check(node: Node, value: Any) -> None:
    """A reference must keep what its op promises."""
    if is_number(node):
        return
    for type, array in zip(types_of(node), arrays_in(value), strict=True):
        if array.shape != type.shape or (array.dtype != type.dtype.numpy and not type.weak):
            operands = ", ".join(str(one.type) for one in node.inputs)
            found = f"{array.dtype}{list(array.shape)}"
            raise AssertionError(f"{node.op.name}({operands}, {node.attributes}) promised {type}, computed {found}")


def types_of(node: Node) -> tuple[TensorType, ...]:
    """The types of all results of a node."""
    return node.type if isinstance(node.type, tuple) else (node.type,)


def cut(trial: Trial, outputs: Sequence[Node], bound: Mapping[Node, Any]) -> Trial:
    """The part of a trial that computes ``outputs``, where the nodes in ``bound`` are leaves with the given values."""
    made: dict[Node, Node] = {}
    leaves: list[Any] = []
    for node in above(outputs, bound):
        if node in bound or node.op is leaf:
            made[node] = Node(leaf, (), {"slot": len(leaves), "type": node.type}, node.type, False)
            leaves.append(bound[node] if node in bound else trial.leaves[node.attributes["slot"]])
        else:
            made[node] = _copied(node, tuple(made[one] for one in node.inputs))
    return Trial(f"part of {trial.name}", tuple(made[node] for node in outputs), tuple(leaves))


def stages(trial: Trial, values: Values, size: int = 60) -> list[Trial]:
    """A trial in parts of about ``size`` nodes, each with the reference's values of the nodes before it.

    In very deep graphs the bounds of all steps together grow beyond what they bound; those of a part do not.
    """
    order = [node for node in topological(trial.outputs) if node.op is not leaf]
    wanted = set(trial.outputs)
    found: list[Trial] = []
    for start in range(0, len(order), size):
        part = set(order[start : start + size])
        rest = order[start + size :]
        read = {one for node in rest for one in node.inputs}
        single = [node for node in order if not isinstance(node.type, tuple) and not is_number(node)]
        outputs = [node for node in single if node in part and (node in read or node in wanted)]
        bound = {node: values[node] for node in single if node not in part}
        if outputs:
            stage = cut(trial, outputs, bound)
            found.append(Trial(f"{trial.name}, nodes {start} to {start + len(part)}", stage.outputs, stage.leaves))
    return found


def _copied(node: Node, inputs: tuple[Node, ...]) -> Node:
    if node.op is output and inputs[0].op is not leaf:
        return inputs[0].results[node.attributes["index"]]
    new = Node(node.op, inputs, node.attributes, node.type, False)
    new.results = tuple(Node(output, (new,), one.attributes, one.type, False) for one in node.results)
    return new


def above(outputs: Sequence[Node], bound: Mapping[Node, Any]) -> list[Node]:
    """What ``outputs`` depend on, inputs first, where nothing is looked for behind bound nodes."""
    order: list[Node] = []
    done: set[Node] = set()
    stack = [(node, False) for node in reversed(outputs)]
    while stack:
        node, inputs_done = stack.pop()
        if inputs_done:
            order.append(node)
        elif node not in done:
            done.add(node)
            stack.append((node, True))
            if node not in bound:
                stack.extend((one, False) for one in reversed(node.inputs) if one not in done)
    return order


def arrays_in(value: Any) -> tuple[Array, ...]:
    """The results of a node as arrays."""
    return tuple(map(np.asarray, value)) if isinstance(value, tuple) else (np.asarray(value),)

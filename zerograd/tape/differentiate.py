"""Gradients within one trace: from tracked nodes to its variables, one rule per node.

Both functions are memoised on structure: a training step that is met again finds its whole backward pass by one
look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from zerograd.ir import changing
from zerograd.ir.graph import Node, output, variable
from zerograd.ir.origins import origins
from zerograd.ir.record import bind, grad_mode, recorder
from zerograd.ir.trace import Trace
from zerograd.ir.traverse import topological
from zerograd.ops.elementwise import add


def ancestors(roots: Iterable[Node]) -> list[Node]:
    """The tracked nodes from which gradients flow into ``roots``' history: inputs before users."""
    return topological(roots, tracked=True)


def needs(node: Node, position: int) -> list[Node]:
    """The values that the rule for one input of ``node`` asks for, constants excepted."""
    return [one for one in asked(node, position) if not one.constant]


def asked(node: Node, position: int) -> list[Node]:
    """The values that the rule for one input of ``node`` asks for."""
    rule = node.op.rule(position)
    if rule is None or not node.inputs[position].tracked:
        return []
    found: list[Node] = []
    for name in rule[1]:
        if name == "out":
            found.append(node)
        elif name == "outs":
            found.extend(node.results)
        elif name in node.op.inputs:
            found.append(node.inputs[node.op.inputs.index(name)])
    return found


def _is_step(node: Node) -> bool:
    return node.op is not variable and node.op is not output


def kept_by(roots: tuple[Node, ...], freed: tuple[frozenset[Node], ...] = ()) -> tuple[Node, ...]:
    """The values that backward passes from ``roots`` need, without those of nodes that are freed already."""
    plans = recorder.own.plans
    key = ("kept", roots, freed)
    found = plans.get(key)
    if found is None:
        kept: dict[Node, None] = {}
        for node in filter(_is_step, ancestors(roots)):
            if not any(node in one for one in freed):
                for position in range(len(node.inputs)):
                    kept.update(dict.fromkeys(needs(node, position)))
        found = plans[key] = tuple(kept)
    return found


def keepers(roots: tuple[Node, ...]) -> frozenset[Node]:
    """The nodes above ``roots`` that keep values for their backward pass, which one pass gives up.

    A parameter that was made as a constant (``ones``) counts too, although its value need not be kept.
    """
    plans = recorder.own.plans
    key = ("keepers", roots)
    found = plans.get(key)
    if found is None:
        found = frozenset(
            node
            for node in ancestors(roots)
            if _is_step(node)
            and any(
                one.tracked or not one.constant for position in range(len(node.inputs)) for one in asked(node, position)
            )
        )
        plans[key] = found
    return found


class Gradients:
    """What a backward pass through one trace gives, in nodes.

    Attributes:
        variables: where it ends.
        grads: the gradient of each.
        sources, by_leaf: what stood behind the variables last, if those were leaf tensors, and the gradients of these.
    """

    __slots__ = ("by_leaf", "grads", "sources", "variables")

    def __init__(self, pairs: list[tuple[Node, Node]]) -> None:
        self.variables = [variable for variable, _ in pairs]
        self.grads = [grad for _, grad in pairs]
        self.sources: list[Any] = []
        self.by_leaf: dict[Any, Node] = {}

    def for_leaves(self, sources: list[Any]) -> dict[Any, Node] | None:
        """The gradients by leaf tensor, if behind every variable there stands another one; not to be changed."""
        if sources != self.sources:
            if not all(one.ends for one in sources) or len(set(sources)) != len(sources):
                return None
            self.sources = sources
            self.by_leaf = dict(zip(sources, self.grads, strict=True))
        return self.by_leaf


def differentiate(trace: Trace, roots: tuple[Node, ...], seeds: tuple[Node, ...]) -> Gradients:
    """The gradient of sum(root * seed) for every variable of ``trace`` above ``roots``, in the current trace.

    Args:
        trace: where the roots were recorded: the current trace, or one launched before.
        seeds: nodes of the current trace, of the roots' types.
    """
    own = recorder.own
    kept = () if trace is own.trace else kept_by(roots)
    bound = tuple([bind(trace.values[node], node.type) for node in kept])
    if changing.arrays and changing.among([trace.values[node] for node in kept]):
        own.trace.limit = 0
    key = ("differentiate", roots, seeds, bound)
    found = own.plans.get(key)
    if found is None:
        known = dict(zip(kept, bound, strict=True))
        with grad_mode(False):
            found = own.plans[key] = Gradients(_sweep(roots, seeds, lambda node: known.get(node, node)))
    return found


def _sweep(
    roots: tuple[Node, ...], seeds: tuple[Node, ...], resolve: Callable[[Node], Node]
) -> list[tuple[Node, Node]]:
    arrived: dict[Node, Any] = {}
    for root, seed in zip(roots, seeds, strict=True):
        accumulate(arrived, root, seed)
    variables: list[tuple[Node, Node]] = []
    for node in reversed(ancestors(roots)):
        grad = arrived.pop(node, None)
        if grad is None:
            continue
        if node.op is variable:
            variables.append((node, grad))
            continue
        for position, one in enumerate(node.inputs):
            if one.tracked:
                part = apply_rule(node, position, grad, resolve)
                if part is not None:
                    accumulate(arrived, one, part)
    return variables


def accumulate(arrived: dict[Node, Any], node: Node, part: Any) -> None:
    """Add one contribution to what has arrived at ``node``; those of several results stay apart."""
    before = arrived.get(node)
    arrived[node] = part if before is None else join(before, part)


def join(a: Any, b: Any) -> Any:
    """The sum of two contributions, where tuples hold one for each result and ``None`` is zero."""
    if isinstance(a, tuple):
        return tuple(y if x is None else x if y is None else add(x, y) for x, y in zip(a, b, strict=True))
    return add(a, b)


def apply_rule(node: Node, position: int, grad: Any, resolve: Callable[[Node], Node]) -> Any:
    """The contribution of ``node`` to the gradient of its input at ``position``, or ``None`` for zero."""
    if node.op is output:
        parent = node.inputs[0]
        return tuple(grad if one is node else None for one in parent.results)
    rule = node.op.rule(position)
    if rule is None:
        return None
    origins.behind = node
    try:
        part = rule[0](**{name: _argument(name, node, position, grad, resolve) for name in rule[1]})
    finally:
        origins.behind = None
    if part is not None and part.type is not node.inputs[position].type:
        raise AssertionError(
            f"the gradient of {node.op.name} for input {position} has type {part.type},"
            f" not {node.inputs[position].type}"
        )
    return part


def _argument(  # noqa: PLR0911  one for each kind
    name: str, node: Node, position: int, grad: Any, resolve: Callable[[Node], Node]
) -> Any:
    match name:
        case "grad":
            return grad
        case "out":
            return resolve(node)
        case "outs":
            return tuple(map(resolve, node.results))
        case "position":
            return position
        case "types":
            return tuple(one.type for one in node.inputs)
    if name in node.op.inputs:
        return resolve(node.inputs[node.op.inputs.index(name)])
    if name in node.attributes:
        return node.attributes[name]
    return node.inputs[node.op.inputs.index(name.removesuffix("_type"))].type

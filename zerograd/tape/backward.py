"""Backward passes over everything: several traces, custom functions, hooks, graphs of gradients.

Two ways to the same gradients. Where only plain nodes lie between the roots and the leaf tensors, whole traces are
differentiated at once, newest first (``_by_trace``; met again, this costs one look-up a trace). Where user code has
a say on the way (a hook, a custom function) or gradients are asked for in the middle, nodes are visited one by one in
reverse order (``_Sweep``), and gradients are held as values, since user code may launch what is pending.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from zerograd import errors
from zerograd.ir.graph import Node, TensorType, variable
from zerograd.ir.record import Edge, Value, bind, grad_mode, new_variable, recorder
from zerograd.ir.trace import Point, Source, Trace
from zerograd.ops.elementwise import add, attach, stop
from zerograd.ops.source import filled
from zerograd.tape.differentiate import ancestors, apply_rule, differentiate, join, keepers, kept_by


class Leaf:
    """The source behind a leaf tensor: takes its gradients. The tensor layer subclasses it."""

    ends = True

    def parents(self) -> tuple[Point, ...]:
        return ()

    def seen(self, grad: Value) -> Value:
        """``grad`` after the tensor's hooks have seen it."""
        raise NotImplementedError

    def accept(self, grad: Value, create_graph: bool) -> None:
        """Add ``grad``, which the hooks have seen, to what this leaf has, and tell the hooks that wait for that."""
        raise NotImplementedError

    @staticmethod
    def take(grads: dict[Any, Node]) -> bool:
        """Keep a first gradient for each of many leaves at once.

        Returns:
            False, and nothing is done, if one of them has to be added to another or shown to hooks.
        """
        raise NotImplementedError


class FunctionOutput:
    """The source behind one result of a custom function. The autograd layer subclasses it."""

    ends = False

    def parents(self) -> tuple[Point, ...]:
        """Where the function's differentiable inputs come from, for its first output.

        The other outputs hand theirs to the first, which is therefore visited last.
        """
        raise NotImplementedError

    @property
    def call(self) -> Any:
        """What the outputs of one application share."""
        raise NotImplementedError

    def backward(self, grads: list[Value | None], create_graph: bool, retain: bool) -> list[Value | None]:
        """The gradients for ``parents()``, given those of all outputs of the call."""
        raise NotImplementedError


Target = Point | Leaf
Grads = dict[Target, Value]
Watchers = dict[Point, Callable[[Value], None]]


def run(
    roots: list[Point],
    seeds: list[Value],
    *,
    retain_graph: bool = False,
    create_graph: bool = False,
    targets: Iterable[Target] | None = None,
    watchers: Watchers | None = None,
) -> Grads:
    """Carry gradients from ``roots`` back to the leaves, or to ``targets`` only.

    Args:
        seeds: the gradients of the roots.
        targets: if given, nothing is accumulated into leaves; their gradients are returned instead.
        watchers: who is told the finished gradient of a point, after its hooks.
    Raises:
        RuntimeError: a graph on the way has been freed by an earlier backward pass.
    """
    regions = _regions(roots)
    wanted = None if targets is None else set(targets)
    _check_not_freed(regions)
    plain = (
        not create_graph
        and not recorder.own.check_nan
        and (wanted is None or all(isinstance(one, Leaf) for one in wanted))
    )
    if plain and not _heard(regions, watchers):
        results = _by_trace(roots, seeds, wanted)
    else:
        results = _Sweep(roots, wanted, watchers or {}, create_graph, retain_graph).run(roots, seeds)
    if not retain_graph:
        _free(regions)
    return results


def _heard(regions: list[Point], watchers: Watchers | None) -> bool:
    """Whether user code has a say somewhere between the roots and the leaves: hooks, custom functions."""
    traces = [one.trace for one in regions]
    for trace in traces:
        if trace.hooks:
            return True
    if watchers and any(point.trace in traces for point in watchers):
        return True
    return any([isinstance(source, FunctionOutput) for one in regions for source in _passages(one)])  # noqa: C419  faster


def _passages(root: Point) -> list[Source]:
    """Through what gradients from ``root`` go on into older traces or custom functions."""
    passages = root.trace.passages
    return [passages[node] for node in _variables((root.node,)) if node in passages] if passages else []


def _variables(roots: tuple[Node, ...]) -> tuple[Node, ...]:
    plans = recorder.own.plans
    key = ("variables", roots)
    found = plans.get(key)
    if found is None:
        found = plans[key] = tuple(node for node in ancestors(roots) if node.op is variable)
    return found


def _regions(roots: list[Point]) -> list[Point]:
    """The roots, and the points at which their history enters older traces."""
    if len(roots) == 1 and not roots[0].trace.passages:
        return roots
    found = dict.fromkeys(roots)
    stack = list(found)
    while stack:
        for source in _passages(stack.pop()):
            for point in source.parents():
                if point not in found:
                    found[point] = None
                    stack.append(point)
    return list(found)


def leaves_above(roots: list[Point]) -> list[Leaf]:
    """The leaf tensors that gradients from ``roots`` would reach, each once."""
    found = (one.trace.sources[node] for one in _regions(roots) for node in _variables((one.node,)))
    return list(dict.fromkeys(source for source in found if isinstance(source, Leaf)))


# --- freed graphs ----------------------------------------------------------------------------------


def _check_not_freed(regions: list[Point]) -> None:
    for root in regions:
        for freed in root.trace.freed:
            shared = keepers((root.node,)) & freed
            if shared:
                raise _freed_error(root, shared)


def _freed_error(root: Point, shared: frozenset[Node]) -> RuntimeError:
    first = next((n for n in reversed(ancestors((root.node,))) if n in shared and n.call), None)
    first = first or next(n for n in reversed(ancestors((root.node,))) if n in shared)
    made = f"{first.call.name} made at {first.call.line}" if first.call else f"<{first.op.name}>"
    return errors.runtime(
        "this graph is being differentiated a second time, but the first backward() or grad() has freed the values"
        " it kept",
        shared=made,
        hint="pass retain_graph=True to the earlier backward(), or compute the loss anew before each backward();"
        " a value carried over from the last step needs .detach()",
    )


def _free(regions: list[Point]) -> None:
    by_trace: dict[Trace, list[Node]] = {}
    for root in regions:
        by_trace.setdefault(root.trace, []).append(root.node)
    for trace, nodes in by_trace.items():
        gone = keepers(tuple(nodes))
        if gone:
            trace.freed = (*trace.freed, gone)
            if trace is not recorder.own.trace:
                kept = set(kept_by(trace.roots, trace.freed))
                for node in [one for one in trace.values if one not in kept]:
                    del trace.values[node]


# --- whole traces ----------------------------------------------------------------------------------


def _by_trace(roots: list[Point], seeds: list[Value], wanted: set[Target] | None) -> Grads:
    leaves = _leaf_gradients(roots, seeds)
    if wanted is not None:
        asked = {leaf: Value.pending(grad) for leaf, grad in leaves.items() if leaf in wanted}
        with grad_mode(False):
            return {leaf: leaf.seen(grad) for leaf, grad in asked.items()}
    if leaves and not next(iter(leaves)).take(leaves):
        held = [(leaf, Value.pending(grad)) for leaf, grad in leaves.items()]  # what follows may launch
        with grad_mode(False):
            for leaf, grad in held:
                leaf.accept(leaf.seen(grad), False)
    return {}


def _leaf_gradients(roots: list[Point], seeds: list[Value]) -> dict[Leaf, Node]:
    """The gradients of the leaf tensors; not to be changed."""
    arrived: dict[Trace, dict[Node, Node]] = {}
    for root, seed in zip(roots, seeds, strict=True):
        _arrive(arrived, root, seed.read())
    leaves: dict[Leaf, Node] = {}
    while arrived:
        trace = max(arrived, key=lambda one: one.serial)  # nothing newer can depend on it
        at = arrived.pop(trace)
        found = differentiate(trace, tuple(at), tuple(at.values()))
        sources: list[Any] = list(map(trace.sources.__getitem__, found.variables))
        if not arrived and not leaves:
            known = found.for_leaves(sources)
            if known is not None:
                return known
        for source, grad in zip(sources, found.grads, strict=True):
            if source.ends:
                leaves[source] = _plus(leaves[source], grad) if source in leaves else grad
            else:
                for parent in source.parents():
                    _arrive(arrived, parent, grad)
    return leaves


def _plus(before: Node | None, grad: Node) -> Node:
    if before is None:
        return grad
    with grad_mode(False):
        return add(before, grad)


def _arrive(arrived: dict[Trace, dict[Node, Node]], point: Point, grad: Node) -> None:
    at = arrived.setdefault(point.trace, {})
    at[point.node] = _plus(at.get(point.node), grad)


# --- node by node ----------------------------------------------------------------------------------


class _Sweep:
    """One pass, node by node: each when all its users are done, of those the one recorded last; leaves at once.

    Attributes:
        users: how many users of each point are still to come.
        shares: at how many points gradients are still to come for each leaf, which has one for each trace.
        waiting: the gradients of a custom function's outputs, until all have arrived.
    """

    def __init__(
        self, roots: list[Point], wanted: set[Target] | None, watchers: Watchers, create_graph: bool, retain: bool
    ) -> None:
        self.wanted = wanted
        self.watchers = watchers
        self.create_graph = create_graph
        self.retain = retain
        order, self.leads = _order(roots, wanted)
        visited = {point for point in order if point in self.leads or (wanted is not None and point in wanted)}
        self.parents = {
            point: [one for one in dict.fromkeys(_parents(point)) if one in visited]
            for point in visited
            if point in self.leads
        }
        self.users = dict.fromkeys(visited, 0)
        self.shares: dict[Leaf, int] = {}
        for parents in self.parents.values():
            for one in parents:
                self.users[one] += 1
        for point in visited:
            leaf = _leaf_at(point)
            if leaf is not None:
                self.shares[leaf] = self.shares.get(leaf, 0) + 1
        self.ready: list[tuple[Any, ...]] = []
        self.ranks: dict[Trace, dict[Node, int]] = {}
        self.arrived: dict[Point, Any] = {}
        self.leaves: dict[Leaf, Value] = {}
        self.waiting: dict[Any, dict[Point, Value]] = {}
        self.results: Grads = {}

    def run(self, roots: list[Point], seeds: list[Value]) -> Grads:
        """The gradients of the wanted points and leaves."""
        with grad_mode(self.create_graph):
            for root, seed in zip(roots, seeds, strict=True):
                self._arrive(root, seed)
            for point, users in self.users.items():
                if not users:
                    self._release(point)
            while self.ready:
                point = heapq.heappop(self.ready)[-1]
                self._visit(point)
                for parent in self.parents.get(point, ()):
                    self.users[parent] -= 1
                    if not self.users[parent]:
                        self._release(parent)
        return self.results

    def _release(self, point: Point) -> None:
        """PyTorch's order: leaf tensors at once; of the others, the one that was recorded last."""
        rank = (0, 0, 0, 0)
        if _leaf_at(point) is None:
            trace, node = point.trace, point.node
            if trace not in self.ranks:
                self.ranks[trace] = trace.ranking()
            rank = (1, -trace.serial, -self.ranks[trace].get(node, 0), -node.number)
        heapq.heappush(self.ready, (*rank, len(self.ready), id(point), point))

    def _arrive(self, point: Point, part: Any) -> None:
        before = self.arrived.get(point)
        self.arrived[point] = part if before is None else _hold(join(_read(before), _read(part)))

    def _visit(self, point: Point) -> None:
        grad = self.arrived.pop(point, None)
        leaf = _leaf_at(point)
        if leaf is not None:
            self._finish_share(leaf, grad)
            return
        if grad is None and not _completes(point, self.waiting):
            return
        if self.wanted is not None and point in self.wanted and grad is not None:
            self.results[point] = grad
        grad = self._shown(point, grad)
        if point not in self.leads:
            if grad is not None:
                self.results[point] = grad  # as in PyTorch, hooks change what is returned only where a pass ends
            return
        parts = _parts(point, grad, self.waiting, self.create_graph, self.retain)
        if recorder.own.check_nan:
            _check_nan(point, parts)
        for parent, part in parts:
            if parent in self.users:
                self._arrive(parent, part)

    def _shown(self, point: Point, grad: Any) -> Any:
        """The gradient as the hooks of its tensor leave it, shown to who watches it."""
        for hook in point.trace.hooks.get(point.node, ()):
            if isinstance(grad, Value):
                grad = hook(grad) or grad
        if isinstance(grad, Value) and point in self.watchers:
            self.watchers[point](grad)
        return grad

    def _finish_share(self, leaf: Leaf, grad: Value | None) -> None:
        self.shares[leaf] -= 1
        before = self.leaves.get(leaf)
        if grad is not None:
            self.leaves[leaf] = grad if before is None else _hold(join(_read(before), _read(grad)))
        if self.shares[leaf] or leaf not in self.leaves:
            return
        grad = leaf.seen(self.leaves.pop(leaf))
        if self.wanted is None:
            leaf.accept(grad, self.create_graph)
        else:
            self.results[leaf] = grad


def _leaf_at(point: Point) -> Leaf | None:
    source = point.trace.sources.get(point.node)
    return source if isinstance(source, Leaf) else None


def _completes(point: Point, waiting: dict[Any, dict[Point, Value]]) -> bool:
    """Whether a custom function waits for just this output, the last one in order."""
    source = point.trace.sources.get(point.node)
    return isinstance(source, FunctionOutput) and bool(waiting.get(source.call))


def _order(roots: list[Point], wanted: set[Target] | None) -> tuple[list[Point], set[Point]]:
    """Every point in the roots' history, parents first; and those whose gradient has somewhere to go."""
    done: set[Point] = set()
    order: list[Point] = []
    leads: set[Point] = set()
    stack = [(root, False) for root in roots]
    while stack:
        point, parents_done = stack.pop()
        if parents_done:
            order.append(point)
            leaf = _leaf_at(point)
            if leaf is not None:
                useful = wanted is None or leaf in wanted
            else:
                parents = _parents(point)
                useful = any(one in leads or (wanted is not None and one in wanted) for one in parents)
                useful = useful or (wanted is None and not parents)
            if useful:
                leads.add(point)
        elif point not in done:
            done.add(point)
            stack.append((point, True))
            stack.extend((one, False) for one in _parents(point) if one not in done)
    return order, leads


def _parents(point: Point) -> tuple[Point, ...]:
    trace, node = point.trace, point.node
    if node.op is variable:
        return trace.sources[node].parents()
    return tuple(Point(trace, one) for one in node.inputs if one.tracked)


def _parts(
    point: Point, grad: Any, waiting: dict[Any, dict[Point, Value]], create_graph: bool, retain: bool
) -> list[tuple[Point, Any]]:
    """What ``point`` hands on, given its finished gradient."""
    trace, node = point.trace, point.node
    if node.op is not variable:
        resolve = _resolver(trace, create_graph)
        given = _read(grad)
        parts = [
            (Point(trace, one), apply_rule(node, position, given, resolve))
            for position, one in enumerate(node.inputs)
            if one.tracked
        ]
        if create_graph and node.call is not None and node.call.reads:
            parts = [(parent, _attached(part, parent)) for parent, part in parts]
        return [(parent, _hold(part)) for parent, part in parts if part is not None]
    source = trace.sources[node]
    if isinstance(source, FunctionOutput):
        return _function_parts(point, source, grad, waiting, create_graph, retain)
    return [(parent, grad) for parent in source.parents()]


def _check_nan(point: Point, parts: list[tuple[Point, Any]]) -> None:
    """Computes the parts, and stops where the first NaN appears."""
    for i, (_, part) in enumerate(parts):
        for value in part if isinstance(part, tuple) else (part,):
            if value is not None and np.isnan(value.array()).any():
                call = point.node.call
                source = point.trace.sources.get(point.node)
                made = getattr(source, "grad_fn", None)
                name = made.name() if made else call.name if call else point.node.op.name
                line = source.call.line if isinstance(source, FunctionOutput) else call.line if call else "?"
                raise errors.runtime(f"the gradient number {i} that {name} gave is nan", forward=line)


def _function_parts(
    point: Point,
    source: Any,
    grad: Value | None,
    waiting: dict[Any, dict[Point, Value]],
    create_graph: bool,
    retain: bool,
) -> list[tuple[Point, Any]]:
    """Nothing until the call's first output is reached, which is visited last."""
    call = source.call
    collected = waiting.setdefault(call, {})
    if grad is not None:
        collected[point] = grad
    if point != call.points[0]:
        return []
    del waiting[call]
    grads = call.backward([collected.get(one) for one in call.points], create_graph, retain)
    return [(parent, part) for parent, part in zip(source.parents(), grads, strict=True) if part is not None]


def _attached(part: Any, parent: Point) -> Any:
    """A gradient for ``parent`` that can be differentiated again, if only to zeros."""
    if not isinstance(part, Node):
        return part
    if parent.trace is recorder.own.trace:
        return attach(part, parent.node)
    return attach(part, new_variable(filled(0, parent.node.type), Edge(parent)))


def _resolver(trace: Trace, create_graph: bool) -> Callable[[Node], Node]:
    """How a rule reads the values of ``trace`` in the current one."""

    def resolve(node: Node) -> Node:
        tracked = create_graph and node.tracked
        if trace is recorder.own.trace or (node.constant and not tracked):
            return node
        found = stop(node) if node.constant else bind(trace.values[node], node.type)
        if tracked:
            found = new_variable(found, Edge(Point(trace, node)))
        return found

    return resolve


def _hold(part: Any) -> Any:
    """Nodes as values, which outlive a launch."""
    if isinstance(part, tuple):
        return tuple(one and Value.pending(one) for one in part)
    return Value.pending(part)


def _read(held: Any) -> Any:
    if isinstance(held, tuple):
        return tuple(one and one.read() for one in held)
    return held.read()


def ones(type: TensorType) -> Value:
    """The gradient of a scalar with respect to itself."""
    plans = recorder.own.plans
    node = plans.get(type)
    if node is None:
        node = plans[type] = filled(1, type)
    return Value.pending(node)

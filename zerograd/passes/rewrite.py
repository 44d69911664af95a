"""Rewriting graphs by named rules.

A *rule* looks at one node, whose inputs are in normal form, and returns an equal node or ``None``:

    @rules.on(neg, of=neg)
    def neg_neg(graph: Graph, node: Node) -> Node | None:
        \"\"\"-(-x) = x\"\"\"
        (x,) = node.inputs
        return x.inputs[0]

A *graph* makes nodes: equal computations are one node, and a new node is put into normal form at once. So a single
walk over the recorded nodes, inputs before users, reaches the fixed point of all rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.ir.graph import Node, Op, TensorType, output
from zerograd.ir.origins import origins
from zerograd.ir.traverse import topological
from zerograd.ops import bitwise, movement
from zerograd.ops.elementwise import add, cast, eq, maximum, minimum, mul, ne
from zerograd.ops.source import full
from zerograd.shapes import Shape

COMMUTATIVE = frozenset(
    [add, mul, eq, ne, maximum, minimum, bitwise.bit_and, bitwise.bit_or, bitwise.bit_xor],
)
_LARGEST_EXACT = 1 << 53  # integers up to here are floats, too


class Rules:
    """Named rules, by the op that they look at.

    Attributes:
        by_op: the rules for nodes of one op, in the order in which they are tried, each with the ops of which an
            input must have one; ``None``: any.
        elementwise: the rules for nodes of every elementwise op, tried after those of the op itself.
    """

    def __init__(self) -> None:
        self.by_op: dict[Op, list[Entry]] = {}
        self.elementwise: list[Entry] = []

    def on(self, *ops: Op, of: Of = None) -> Callable[[Rule], Rule]:
        """Adds the decorated function as a rule for nodes of the given ops that have an input ``of`` certain ops."""

        def add_rule(function: Rule) -> Rule:
            for op in ops:
                self.by_op.setdefault(op, []).append((function, _as_set(of)))
            return function

        return add_rule

    def on_elementwise(self, *, of: Of = None) -> Callable[[Rule], Rule]:
        """Adds the decorated function as a rule for nodes of all elementwise ops."""

        def add_rule(function: Rule) -> Rule:
            self.elementwise.append((function, _as_set(of)))
            return function

        return add_rule

    def tried_on(self, op: Op, inputs: Iterable[Op]) -> tuple[Rule, ...]:
        """The rules for a node of an op, whose inputs are of these ops."""
        inputs = set(inputs)
        entries = self.by_op.get(op, []) + (self.elementwise if op.elementwise else [])
        return tuple([rule for rule, of in entries if of is None or not of.isdisjoint(inputs)])

    @property
    def all(self) -> tuple[Rule, ...]:
        """Every rule, once."""
        entries = [one for rules in self.by_op.values() for one in rules] + self.elementwise
        return tuple(dict.fromkeys(rule for rule, _ in entries))

    def kept(self, keep: Callable[[Rule], bool]) -> Rules:
        """The rules for which ``keep`` holds."""
        rest = Rules()
        rest.by_op = {op: [one for one in rules if keep(one[0])] for op, rules in self.by_op.items()}
        rest.elementwise = [one for one in self.elementwise if keep(one[0])]
        return rest


def _as_set(of: Of) -> frozenset[Op] | None:
    if of is None:
        return None
    return frozenset([of]) if isinstance(of, Op) else frozenset(of)


def together(*several: Rules) -> Rules:
    """The rules of all, in this order."""
    union = Rules()
    for one in several:
        for op, rules in one.by_op.items():
            union.by_op.setdefault(op, []).extend(rules)
        union.elementwise.extend(one.elementwise)
    return union


class Graph:
    """Nodes in the normal form of some rules, each computation once. The recorder knows nothing of them."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._tried: dict[tuple[Op, ...], tuple[Rule, ...]] = {}  # by the ops of a node and of its inputs
        self._known: dict[Any, Node] = {}  # by what was asked for: the node in normal form
        self.facts: dict[Any, Any] = {}  # what rules have found out about nodes, for later
        self._old: Node | None = None  # the node that is being rewritten

    # --- whole graphs ------------------------------------------------------------------------------------

    def rewrite(self, outputs: Sequence[Node]) -> tuple[Node, ...]:
        """The values of recorded nodes, computed by nodes of this graph."""
        new: dict[Node, Node] = {}
        node_of = self.node
        for old in topological(outputs):
            self._old = old
            inputs = old.inputs
            new[old] = node_of(
                old.op, tuple([new[one] for one in inputs]) if inputs else inputs, old.attributes, old.type
            )
        return tuple([new[one] for one in outputs])

    def replace(self, outputs: Sequence[Node], order: list[Node], builders: dict[Node, Builder]) -> tuple[Node, ...]:
        """The outputs with some nodes of this graph replaced.

        Args:
            order: the nodes that the outputs depend on, inputs before users.
            builders: how to make what stands in a node's place, from the nodes that stand in the place of others.
        """
        new: Replaced = {}
        for old in order:
            self._old = old
            if old in builders:
                new[old] = builders[old](new)
            elif not new.keys().isdisjoint(old.inputs):
                made = self.node(old.op, tuple([new.get(one, one) for one in old.inputs]), old.attributes, old.type)
                if made is not old:
                    new[old] = made
        return tuple([new.get(one, one) for one in outputs])

    # --- nodes -------------------------------------------------------------------------------------------

    def make(self, op: Op, *inputs: Node, **attributes: Any) -> Node:
        """``op`` applied to nodes of this graph."""
        return self.node(op, inputs, attributes)

    def node(self, op: Op, inputs: tuple[Node, ...], attributes: dict[str, Any], type: Any = None) -> Node:
        """The same, for a caller who may know the type of the result."""
        if op is full:
            return self.full(attributes["fill"], attributes["type"])
        key = (op, inputs, *attributes.values())
        found = self._known.get(key)
        if found is None and op in COMMUTATIVE:
            found = self._known.get((op, inputs[::-1], *attributes.values()))
        if found is None:
            raw = inputs[0].results[attributes["index"]] if op is output else self._raw(op, inputs, attributes, type)
            found = self._known[key] = self._normal_form(raw)
        return found

    def known(self, op: Op, *inputs: Node, **attributes: Any) -> Node | None:
        """``op`` applied to nodes of this graph, if that has been made already."""
        return self._known.get((op, inputs, *attributes.values()))

    def _raw(self, op: Op, inputs: tuple[Node, ...], attributes: dict[str, Any], type: Any) -> Node:
        if type is None:
            type = op.infer(*[one.type for one in inputs], **attributes)
        made = Node(op, inputs, attributes, type, False)
        if origins.on:
            origins.pass_on(self._old, made)
        if isinstance(type, tuple):
            made.results = tuple([Node(output, (made,), {"index": i}, one, False) for i, one in enumerate(type)])
        return made

    def _normal_form(self, raw: Node) -> Node:
        kinds = (raw.op, *[one.op for one in raw.inputs])
        rules = self._tried.get(kinds)
        if rules is None:
            rules = self._tried[kinds] = self._rules.tried_on(raw.op, kinds[1:])
        for rule in rules:
            new = rule(self, raw)
            if new is not None:
                if new.type is not raw.type:
                    raise AssertionError(f"the rule {rule.__name__} made {new.type} of {raw.type}")
                return new
        return raw

    # --- what rules make most ------------------------------------------------------------------------------

    def full(self, fill: Any, type: TensorType) -> Node:
        """A constant; numbers that give the same values are the same constant."""
        if not type.weak:
            fill = _as_element(fill, type.dtype)
        key = (full, fill.__class__, str(fill), type)  # str: 0.0 and -0.0 are equal, and are not the same
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Node(full, (), {"fill": fill, "type": type}, type, False)
        return found

    def cast(self, x: Node, dtype: dtype) -> Node:
        return self.node(cast, (x,), {"dtype": dtype}) if x.type.dtype is not dtype or x.type.weak else x

    def reshape(self, x: Node, shape: Shape) -> Node:
        return self.node(movement.reshape, (x,), {"shape": shape}) if x.type.shape != shape else x

    def expand(self, x: Node, shape: Shape) -> Node:
        return self.node(movement.expand, (x,), {"shape": shape}) if x.type.shape != shape else x

    def permute(self, x: Node, order: Shape) -> Node:
        return self.node(movement.permute, (x,), {"order": order})

    def slice(self, x: Node, starts: Shape, stops: Shape, steps: Shape) -> Node:
        return self.node(movement.slice_, (x,), {"starts": starts, "stops": stops, "steps": steps})

    def write(self, x: Node, part: Node, box: dict[str, Any]) -> Node:
        """``x`` with a part written into a box, which is given by the attributes of slices."""
        return self.node(movement.slice_write, (x, part), dict(box))

    def cat(self, parts: Iterable[Node], axis: int) -> Node:
        return self.node(movement.cat, tuple(parts), {"axis": axis})


Rule = Callable[[Graph, Node], "Node | None"]
Of = Op | tuple[Op, ...] | None
Entry = tuple[Rule, frozenset[Op] | None]
Replaced = dict[Node, Node]
Users = dict[Node, list["Node | None"]]  # what each node is an input of; None: it is wanted itself
Builder = Callable[[Replaced], Node]


def _as_element(fill: Any, kind: dtype) -> Any:
    """A number as the kind of Python number that elements of a type are read as, where that is the same value."""
    if kind.is_floating_point and isinstance(fill, int) and abs(fill) <= _LARGEST_EXACT:
        return float(fill)
    if kind.category == dtypes.INTEGER and isinstance(fill, bool):
        return int(fill)
    return bool(fill) if kind is dtypes.bool_ else fill


def is_full(node: Node, number: complex) -> bool:
    """Whether all elements are this constant."""
    return node.op is full and bool(node.attributes["fill"] == number)

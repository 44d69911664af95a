"""The recorder: how a program becomes nodes, cheaply when it does what it has done before.

Three ideas:

*Structure is met again.* Leaves are numbered by their first use in a trace, so the same program gives the same
leaves, and a call on known nodes is one look-up: ``(function, static arguments, operand nodes) -> node``. Shape
rules and bodies run only on a miss.

*Occurrences are kept apart.* ``a = x * 2; b = x * 2`` are two tensors, and a gradient with respect to one is not
a gradient with respect to the other. A tracked node is therefore used once in a trace; the next occurrence of the
same expression gets its *twin*. Untracked nodes have no identity and are shared.

*Numbers are data.* A Python number among the operands becomes a leaf like an array, so a changing learning rate
or step count changes no structure.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Generator
from typing import Any, Self

from zerograd import dtypes
from zerograd.ir import interrupts
from zerograd.ir.graph import Array, Call, Node, Op, TensorType, leaf, output, recorded_by, variable
from zerograd.ir.layout import elementwise_strides
from zerograd.ir.origins import origins
from zerograd.ir.trace import Number, Point, Source, Trace
from zerograd.settings import settings
from zerograd.shapes import Shape

Tables = tuple[dict[Any, Any], dict[Any, Any]]
Autocast = Callable[[Callable[..., Any], tuple[Any, ...]], tuple[Any, ...] | None]
_package = __name__.partition(".")[0]


class Recorder:
    """The state of recording in one thread.

    Attributes:
        trace: where new nodes go.
        calls: remembered tracked and public calls in the present mode; one of ``tables``.
        tables: the calls recorded without and with gradients, in the present autocast mode.
        autocast: what is done to the operands of a body before it runs, e.g. a conversion to bfloat16.
        number_nodes: the leaf that stands for a number of a class in a slot.
        depth: how many remembered bodies are being run; inside them numbers are constants, and data is out of reach.
        exact_lines: run every body anew, so that each node knows the line that made it.
        check_nan: stop a backward pass at the first NaN that it makes.
    """

    def __init__(self) -> None:
        self.trace = Trace()
        self.grad_enabled = True
        self.inference = False
        self.depth = 0
        self.exact_lines = False
        self.check_nan = False
        self.autocast: Autocast | None = None
        self.forget()
        traces[self.trace.serial] = self.trace
        recorders.add(self)

    def forget(self) -> None:
        """Empties every table; nodes in use stay valid."""
        self.tables_under: dict[Autocast | None, Tables] = {}
        self.set_autocast(self.autocast)
        self.interned: dict[Any, Any] = {}
        self.leaf_nodes: dict[tuple[int, TensorType], Node] = {}
        self.number_nodes: dict[type, dict[int, Node]] = {kind: {} for kind in (bool, int, float, complex)}
        self.plans: dict[Any, Any] = {}
        origins.of.clear()
        self.last_plan: Any = None  # how the last trace was computed, likely the next one too

    def set_grad_enabled(self, enabled: bool) -> None:
        self.grad_enabled = enabled
        self.calls = self.tables[enabled]

    def set_autocast(self, autocast: Autocast | None) -> None:
        """Use another conversion of operands; what is remembered is remembered for each apart."""
        self.autocast = autocast
        self.tables = self.tables_under.setdefault(autocast, ({}, {}))
        self.calls = self.tables[self.grad_enabled]

    def new_trace(self) -> None:
        """Begin the next trace; the finished one lives on as long as histories refer to it."""
        traces.pop(self.trace.serial, None)
        self.trace = Trace()
        traces[self.trace.serial] = self.trace
        remembered = len(self.interned) + len(self.plans)
        for without, with_gradients in self.tables_under.values():
            remembered += len(without) + len(with_gradients)
        if remembered > settings.max_remembered:
            self.forget()


class _Recorders:
    """The recorder of the present thread is ``own``. Hot code first looks into ``local``, which is quicker."""

    @property
    def own(self) -> Recorder:
        try:
            return local.own
        except AttributeError:
            local.own = made = Recorder()
            return made


local = threading.local()  # itself, not a subclass: reading an attribute of a subclass takes four times as long
recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()  # of every thread
traces: dict[int, Trace] = {}  # those not launched yet, of every thread
recorder = _Recorders()


class Value:
    """An immutable array, computed or pending.

    Attributes:
        node: what it is in the trace numbered ``serial``.
        buffer: the array once computed.
        history: where it was recorded, if gradients flow through it and its trace has been launched.
        bound, bound_at: the leaf that stood for it last, likely to stand for it again, and its slot.
        failure: why it could not be computed.
    """

    node: Node
    serial = 0
    buffer: Array | None = None
    history: Point | None = None
    bound: Node
    bound_at = -1
    failure: Exception | None = None

    @classmethod
    def pending(cls, node: Node) -> Self:
        """The value of ``node``, to be computed with the current trace."""
        self = object.__new__(cls)
        trace = recorder.own.trace
        self.node = node
        self.serial = trace.serial
        trace.pending.append(self)
        return self

    @property
    def type(self) -> TensorType:
        """Shape and dtype, known from the start."""
        return self.node.type

    @property
    def strides(self) -> Shape | None:
        """How its elements would lie in PyTorch's memory; ``None``: contiguous."""
        return self.node.strides

    def read(self) -> Node:
        """What this value is in the current trace."""
        own = recorder.own
        trace = own.trace
        if self.serial == trace.serial:
            return self.node
        if self.buffer is None:
            if self.failure is not None:
                raise self.failure
            wait_for(self.serial)
        assert not own.depth, "a remembered function may use its operands only"
        buffer = self.buffer
        leaves = trace.leaves
        slot = len(leaves)
        if trace.watch is not None:
            trace.watch.enters(self, slot)
        if self.bound_at == slot:
            node = self.bound
            leaves.append(buffer)  # pyright: ignore[reportArgumentType]
        else:
            node = bind(buffer, self.type)  # pyright: ignore[reportArgumentType]
            if self.strides is not None:
                node = laid(node, self.strides)
            self.bound, self.bound_at = node, slot
        if self.history is not None:
            node = new_variable(node, Edge(self.history))
        self.node = node
        self.serial = trace.serial
        return node

    def array(self) -> Array:
        """The computed array; nobody may write to it."""
        return _array_of(self)

    def point(self) -> Point | None:
        """Where its history is, or ``None``."""
        if self.history is not None:
            return self.history
        if self.buffer is not None:
            return None
        node = self.read()
        return Point(recorder.own.trace, node) if node.tracked and self.buffer is None else self.history


class Edge:
    """The source behind a value that an older trace has recorded."""

    __slots__ = ("point",)

    ends = False

    def __init__(self, point: Point) -> None:
        self.point = point

    def parents(self) -> tuple[Point, ...]:
        return (self.point,)


@interrupts.section
def wait_for(serial: int, read: bool = False) -> None:
    """Have a trace computed that another thread records, or nobody (``Trace.alone``); ``read``: to look at values."""
    trace = traces.get(serial)
    if trace is None:
        return  # another thread has just done so
    _launch(trace, read)
    if trace.alone:
        traces.pop(serial, None)
        trace.release()
    if interrupts.pending:
        interrupts.deliver()


def bind(data: Array | Number, type: TensorType) -> Node:
    """The leaf that stands for ``data`` in the current trace."""
    own = recorder.own
    assert not own.depth, "a remembered function may use its operands only"
    trace = own.trace
    slot = len(trace.leaves)
    trace.leaves.append(data)
    if not type.weak:
        trace.nbytes += data.nbytes  # pyright: ignore[reportAttributeAccessIssue]
        if trace.nbytes > settings.max_pending_bytes and trace.watch is None:
            trace.limit = 0
    node = own.leaf_nodes.get((slot, type))
    if node is None:
        node = Node(leaf, (), {"slot": slot, "type": type}, type, False)
        own.leaf_nodes[slot, type] = node
    return node


_WEAK = {kind: TensorType((), kind, weak=True) for kind in dtypes.ALL}
_number_types: dict[type, TensorType] = {}  # by the number's class


def _default_has_changed() -> None:
    _number_types.update({kind: _WEAK[dtypes.of_scalar(kind())] for kind in (bool, int, float, complex)})
    for one in recorders:
        one.forget()


_default_has_changed()
dtypes.when_default_changes.append(_default_has_changed)


def number(value: Number) -> Node:
    """A Python number as an operand: data outside, a constant inside a remembered body."""
    own = recorder.own
    type = _number_types.get(value.__class__) or _WEAK[dtypes.of_scalar(value)]
    if own.depth:
        return constant(value, type)
    node = bind(value, type)
    known = own.number_nodes.get(value.__class__)
    if known is not None:
        known[len(own.trace.leaves) - 1] = node
    return node


def constant(value: Number, type: TensorType) -> Node:
    """A number that is part of the structure."""
    key = ("constant", value.__class__, str(value), type)  # str: 0.0 and -0.0 are equal, and are not the same
    node = recorder.own.interned.get(key)
    if node is None:
        node = recorder.own.interned[key] = Node(_full, (), {"fill": value, "type": type}, type, False)
    return node


_full: Op
_launch: Callable[[Trace, bool], None]
_array_of: Callable[[Value], Array]


def constants_made_by(op: Op) -> None:
    """Tells the recorder which op makes constants (it is defined with the other sources)."""
    global _full
    _full = op


def computed_by(launch: Callable[[Trace, bool], None], array_of: Callable[[Value], Array]) -> None:
    """Tells values how traces and values are computed; the runtime knows."""
    global _launch, _array_of
    _launch, _array_of = launch, array_of


def new_variable(x: Node, source: Source) -> Node:
    """``x`` as a place where differentiation ends in this trace, and what stands behind it."""
    own = recorder.own
    trace = own.trace
    sources = trace.sources
    key = (variable, x, len(sources))
    node = own.interned.get(key)
    if node is None:
        node = own.interned[key] = Node(variable, (x,), {"index": len(sources)}, x.type, True)
        node.strides = x.strides
    sources[node] = source
    if not source.ends:
        trace.passages[node] = source
    return node


def laid(x: Node, strides: Shape | None) -> Node:
    """The same computation, its result reported with other strides (``None``: contiguous)."""
    if x.strides == strides:
        return x
    own = recorder.own
    key = (laid, x, strides)
    node = own.interned.get(key)
    if node is None:
        node = own.interned[key] = Node(x.op, x.inputs, x.attributes, x.type, x.tracked)
        node.strides = strides
        node.call = x.call
    return node


def record(op: Op, inputs: tuple[Node, ...], attributes: dict[str, Any]) -> Any:
    """The node for ``op`` applied to ``inputs``: a known one where structure and occurrence allow."""
    own = recorder.own
    tracked = own.grad_enabled and op.gradient is not None and any([one.tracked for one in inputs])  # noqa: C419  faster
    key = (op, inputs, *attributes.values())
    table = own.calls if tracked else own.interned
    node = table.get(key)
    if node is None:
        node = table[key] = _new_node(op, inputs, attributes, tracked)
    if node.tracked:
        node = _occurrence(node)
    return node.results or node


def _new_node(op: Op, inputs: tuple[Node, ...], attributes: dict[str, Any], tracked: bool) -> Node:
    type = op.infer(*[one.type for one in inputs], **attributes)
    several = isinstance(type, tuple)
    tracked = tracked and any(one.dtype.is_inexact for one in (type if several else (type,)))
    node = Node(op, inputs, attributes, type, tracked)
    if origins.on:
        origins.note(node, user_line)
    if op.elementwise and not isinstance(type, tuple):
        node.strides = elementwise_strides(op.name, type.shape, inputs)
    if several:
        node.results = tuple(
            Node(output, (node,), {"index": i}, one, tracked and one.dtype.is_inexact) for i, one in enumerate(type)
        )
    return node


def _occurrence(node: Node) -> Node:
    """The node itself, or its first twin that this trace has not used yet; marks it as used."""
    serial = recorder.own.trace.serial
    while node.stamp == serial:
        if node.twin is None:
            node.twin = _new_node(node.op, node.inputs, node.attributes, True)
        node = node.twin
    node.stamp = serial
    note(recorder.own, node)
    return node


def note(own: Recorder, node: Node) -> None:
    """The user's program has recorded a tracked node outside the calls that give new tensors."""
    if not own.depth:
        trace = own.trace
        trace.asides.append((len(trace.results), node))


recorded_by(record)


class Remembered:
    """What a call gave: its result nodes.

    Attributes:
        stamp: the last trace that used it, if gradients flow through it.
        twin: for its next occurrence in one trace.
        last: the twin that the trace ``stamp`` used last; known to the first of the twins.
    """

    __slots__ = ("last", "result", "stamp", "tracked", "twin")

    def __init__(self, result: Any, tracked: bool) -> None:
        self.result = result
        self.tracked = tracked
        self.stamp = recorder.own.trace.serial
        self.twin: Remembered | None = None
        self.last: Remembered | None = None


def call(body: Callable[..., Any], operands: tuple[Any, ...], statics: tuple[Any, ...] = ()) -> Any:
    """The nodes that ``body(*operands, *statics)`` gives: remembered when the structure is known.

    Args:
        body: a pure function of nodes (and of hashable static arguments), returning a node or a tuple of nodes.
            ``body.label`` is the name that ``grad_fn`` shows; ``body.shows`` puts the operands into the order of its
            ``next_functions``, where that is another one.
        operands: nodes, ``None``, or tuples of them.
    """
    own = recorder.own
    found = own.calls.get((body, statics, *operands))
    if found is None or own.exact_lines:
        result = new_call(own, body, operands, statics)
    else:
        result = found.result
        if found.tracked:
            serial = own.trace.serial
            if found.stamp == serial:
                result = next_occurrence(own, found, body, operands, statics)
            found.stamp = serial
    if result.__class__ is Node and result.tracked:
        note(own, result)
    return result


def new_call(own: Recorder, body: Callable[..., Any], operands: tuple[Any, ...], statics: tuple[Any, ...]) -> Any:
    """Run the body and remember the call."""
    found = _run(own, body, operands, statics)
    own.calls[body, statics, *operands] = found
    return found.result


def next_occurrence(
    own: Recorder, found: Remembered, body: Callable[..., Any], operands: tuple[Any, ...], statics: tuple[Any, ...]
) -> Any:
    """The result of a tracked call that this trace has seen before."""
    serial = own.trace.serial
    last = found.last
    if last is None or last.stamp != serial:
        last = found
    twin = last.twin
    if twin is None:
        twin = last.twin = _run(own, body, operands, statics)
    twin.stamp = serial
    found.last = twin
    return twin.result


def _run(own: Recorder, body: Callable[..., Any], operands: tuple[Any, ...], statics: tuple[Any, ...]) -> Remembered:
    """Runs the body where nothing it records can be mistaken for a call of the user's."""
    tables, pending, results = own.tables, own.trace.pending, own.trace.results
    own.tables = ({}, {})
    own.calls = own.tables[own.grad_enabled]
    own.trace.pending, own.trace.results = [], []
    own.depth += 1
    autocast = own.autocast
    try:
        converted = autocast and autocast(body, operands)
        if converted:
            own.autocast = None
        result = body(*(converted or operands), *statics)
    finally:
        own.autocast = autocast
        inner = own.calls
        own.depth -= 1
        own.trace.pending, own.trace.results = pending, results
        own.tables = tables
        own.calls = tables[own.grad_enabled]
    nodes = _nodes_in((result,))
    tracked = False
    parents: tuple[Node | None, ...] | None = None
    line = label = "?"
    reads = getattr(body, "reads", False)
    for node in nodes:
        if node.tracked:
            tracked = True
            if node.call is None and node.op is not variable:
                if parents is None:
                    label = _label(body, operands, statics)
                    parents = _parents(label, getattr(body, "shows", tuple)(operands))
                    line = user_line()
                node.call = Call(label, parents, line, reads)
    if parents is not None:
        _attribute(inner, Call(label, parents, line, reads))
    return Remembered(result, tracked)


def _attribute(inner: dict[Any, Any], made_by: Call) -> None:
    """The nodes inside a body belong to the call of the body, for messages."""
    for node in inner.values():
        while isinstance(node, Node):
            node.call = node.call or made_by
            node = node.twin


def _parents(label: str, operands: tuple[Any, ...]) -> tuple[Node | None, ...]:
    """The operands that can have a history, with ``None`` for those that have none."""
    scalars = not label.startswith(("Clamp", "Lerp", "Pow", "Rsub"))  # where PyTorch takes a number for an operand
    return tuple(
        one if one.tracked else None
        for one in _nodes_in(operands)
        if one.tracked or (scalars if one.type.weak else one.dtype.is_inexact)
    )


def _label(body: Callable[..., Any], operands: tuple[Any, ...], statics: tuple[Any, ...]) -> str:
    label = getattr(body, "label", None)
    if callable(label):  # where it depends on the shapes
        return str(label(*operands, *statics))
    if label is None and statics:
        label = getattr(statics[0], "label", None)  # the step of a view
    return label or "".join(word.title() for word in body.__name__.split("_")) + "Backward0"


def _nodes_in(operands: Any) -> Generator[Node]:
    for one in operands:
        if isinstance(one, Node):
            yield one
        elif isinstance(one, tuple):
            yield from _nodes_in(one)


def user_line() -> str:
    """``file:line`` of the innermost frame outside zerograd."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _package:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "?"


class grad_mode:  # noqa: N801  reads as a statement
    """Record with or without gradients inside the block."""

    __slots__ = ("before", "enabled")

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled

    def __enter__(self) -> None:
        own = recorder.own
        self.before = own.grad_enabled
        own.set_grad_enabled(self.enabled)

    def __exit__(self, *_: object) -> None:
        recorder.own.set_grad_enabled(self.before)

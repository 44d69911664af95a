"""When recorded graphs run.

Reading a value launches what is pending. Otherwise a step is launched where its end is known: at ``zero_grad()``
after an optimizer's step (the old gradients are dead there and are not written), at the next ``backward()`` after
one, or when a bound on what is pending is met. A launch computes every pending value that is still alive, and what
backward passes through them will need; nothing of it is computed again.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import islice
from sys import getrefcount
from typing import Any

from zerograd.engines import faults, flight, tiers
from zerograd.engines.faults import Fault
from zerograd.engines.flight import lock
from zerograd.ir import changing, interrupts
from zerograd.ir.graph import Array, Node
from zerograd.ir.record import Value, computed_by, recorder, traces, wait_for
from zerograd.ir.trace import Point, Trace, Values
from zerograd.tape.backward import FunctionOutput
from zerograd.tape.differentiate import ancestors, kept_by


class Plan:
    """How to compute the live values of a trace: a program whose outputs are theirs, then the kept ones."""

    __slots__ = ("entered", "freed", "in_order", "kept", "outputs", "places", "program", "roots", "tracked", "wanted")

    kept: tuple[tuple[Node, int], ...]

    @interrupts.harmless
    def __init__(self, nodes: tuple[Node, ...], entered: tuple[Node, ...], freed: tuple[frozenset[Node], ...]) -> None:
        self.wanted, self.entered, self.freed = nodes, entered, freed
        self.roots = tuple(dict.fromkeys((*(node for node in nodes if node.tracked), *entered)))
        kept = kept_by(self.roots, freed)
        self.outputs = tuple(dict.fromkeys((*nodes, *kept)))
        place = {node: i for i, node in enumerate(self.outputs)}
        self.places = tuple(place[node] for node in nodes)
        self.in_order = self.places == tuple(range(len(nodes)))
        self.tracked = tuple(node.tracked for node in nodes)
        self.program = tiers.compile(self.outputs)
        self.kept = tuple((node, place[node]) for node in kept)

    def run(self, trace: Trace, read: bool = False) -> Sequence[Array | None]:
        """Compute a trace.

        Args:
            read: the arrays are looked at now; otherwise they may be filled later, see ``flight``, if nobody else can
                write to the leaves.
        """
        leaves = trace.leaves
        if flight.spoiled:
            flight.check(leaves)
        begin = None if read else getattr(self.program, "begin", None)
        return self.program(leaves) if begin is None or changing.among(leaves) else begin(leaves)

    def sorted(self, computed: Sequence[Array | None]) -> Sequence[Array | None]:
        """What the program has computed, in the order of the nodes that were wanted."""
        return computed if self.in_order else [computed[place] for place in self.places]


@interrupts.section
def launch(read: bool = False) -> None:
    """Compute everything that is pending in this thread and begin a new trace; ``read``: to look at values now."""
    own = recorder.own
    if own.depth:
        raise AssertionError("a remembered function must not read values")
    trace = own.trace
    if trace.watch is not None:
        trace.watch.reads()
    _compute(trace, read)
    trace.release()
    own.new_trace()
    if interrupts.pending:
        interrupts.deliver()


def compute(trace: Trace) -> None:
    """Compute a trace that nobody records into (``Trace.alone``)."""
    wait_for(trace.serial)


def _compute(trace: Trace, read: bool) -> None:
    with lock:
        if flight.running is not None:
            flight.finish()
        trace.keep_order()
        if trace.certain:
            results, live, packs, plan = trace.results, trace.pending, trace.packs, trace.plan
        else:
            results, live, packs = _alive(trace)
            plan = _matching(trace, results, live, packs)
        if plan is None:
            return
        try:
            computed = plan.run(trace, read)
        except Exception as error:
            sort_out(trace, error)
            if results or packs:
                _take_apart(results, packs, trace, read)
                return
            computed = _rescued(plan, live, trace, error)
        arrays = iter(plan.sorted(computed))
        tracked = iter(plan.tracked)
        for one in results:
            one._computed(next(arrays), Point(trace, one._at) if next(tracked) else None)
        for value in live:
            value.buffer = next(arrays)
            if next(tracked):
                value.history = Point(trace, value.node)
        for pack in packs:
            pack.buffers = list(islice(arrays, len(pack.nodes)))
        trace.roots = plan.roots
        trace.values = {node: array for node, place in plan.kept if (array := computed[place]) is not None}


def _matching(trace: Trace, results: list[Any], live: list[Value], packs: list[Values]) -> Plan | None:
    """How to compute these; ``None``: there is nothing to do."""
    nodes: list[Node] = [one._at for one in results]
    nodes += [value.node for value in live]
    for pack in packs:
        nodes += pack.nodes
    if not nodes:
        return None
    wanted = tuple(nodes)
    entered = _entered(trace, wanted) if trace.passages else ()
    plan = trace.plan or recorder.own.last_plan
    if plan is None or wanted != plan.wanted or entered != plan.entered or trace.freed != plan.freed:
        try:
            plan = _planned(wanted, entered, trace.freed)
        except Exception as error:
            raise failed(trace, error) from error
    trace.plan = plan
    return plan


def _planned(nodes: tuple[Node, ...], entered: tuple[Node, ...], freed: tuple[frozenset[Node], ...]) -> Plan:
    own = recorder.own
    key = (Plan, nodes, entered, freed)
    plan = own.plans.get(key)
    if plan is None:
        plan = own.plans[key] = Plan(nodes, entered, freed)
    own.last_plan = plan
    return plan


def _alive(trace: Trace) -> tuple[list[Any], list[Value], list[Values]]:
    """What somebody can still read: new tensors, values, packs.

    A value that nobody reads again is held by three references: the list, the loop variable, the argument.
    """
    grads = [one.values() for one in trace.arrivals if getrefcount(one) > 3]  # somebody still has it in .grad
    trace.forget_anchored()
    results = [one for one in trace.results if getrefcount(one) > 3 and one._serial]
    serial = trace.serial  # what has another one has been replaced in another trace
    live = [v for v in trace.pending if getrefcount(v) > 3 and v.buffer is None and v.serial == serial]
    packs = [pack for pack in trace.packs if getrefcount(pack) > 3 and pack.buffers is None and pack.serial == serial]
    return results, live, [one for one in grads if one.nodes] + packs


def sort_out(trace: Trace, error: Exception) -> None:
    """Raise what is an engine's own fault; return if it is the values'."""
    if not faults.refused(error):
        raise failed(trace, error) from error


def _take_apart(results: list[Any], packs: list[Values], trace: Trace, read: bool) -> None:
    """Compute every value by itself, after the whole program has failed."""
    for one in results:
        one._anchor()
    for pack in packs:
        pack.dissolve()
    trace.results, trace.packs = [], []
    trace.certain, trace.plan = False, None
    _compute(trace, read)


def _entered(trace: Trace, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Where gradients go on behind the custom functions in the history of ``nodes``."""
    functions = {node: one for node, one in trace.passages.items() if isinstance(one, FunctionOutput)}
    found: dict[Node, None] = {}
    new = [node for node in nodes if node.tracked] if functions else []
    while new:
        behind = (point for node in ancestors(new) if node in functions for point in functions[node].parents())
        new = [point.node for point in behind if point.trace is trace and point.node not in found]
        found.update(dict.fromkeys(new))
    return tuple(found)


def _rescued(plan: Plan, live: list[Value], trace: Trace, error: Exception) -> list[Array | None]:
    """Every output by itself, after a program has met refused values: reading one that fails raises its error."""
    found = flight.one_by_one(plan.outputs, trace.leaves)
    for value, slot in zip(live, plan.places, strict=True):
        one = found[slot]
        value.failure = one if isinstance(one, Exception) else None
    if isinstance(error, MemoryError) and not any(isinstance(one, Exception) for one in found):
        warnings.warn("a step needs more memory than there is: computed op by op, it takes long", stacklevel=2)
    return [None if isinstance(one, Exception) else one for one in found]


def failed(trace: Trace, error: Exception) -> Fault:
    """Give up what was to be computed, after an engine has failed: reading any of it raises the error.

    Returns:
        The error as it is to be raised. What is recorded from now on does not depend on what is given up.
    """
    with lock:
        nodes = [one._at for one in trace.results]
        fault = faults.told(error, [*nodes, *[value.node for value in trace.pending]])
        trace.certain, trace.plan = False, None
        for arrived in trace.arrivals:
            arrived.settle()
        for one in trace.results:
            if one._serial == trace.serial:
                one._anchor()
        for pack in trace.packs:
            if pack.serial == trace.serial and pack.buffers is None:
                pack.dissolve()
        for value in trace.pending:
            if value.serial == trace.serial and value.buffer is None:
                value.failure = faults.Fault(*fault.args)
        own = recorder.own
        if trace is own.trace:
            own.new_trace()
            trace.release()
        elif trace.alone:
            traces.pop(trace.serial, None)
            trace.release()
    return fault


def array_of(value: Value) -> Array:
    """The computed array; nobody may write to it."""
    own = recorder.own
    if own.trace.watch is not None:
        own.trace.watch.reads()
    if value.buffer is None:
        if value.serial == own.trace.serial:
            launch(read=True)
        elif value.failure is None:
            wait_for(value.serial, read=True)
        if value.failure is not None:
            raise value.failure
    buffer: Any = value.buffer
    if flight.running is not None:
        flight.finish()
    if flight.spoiled:
        flight.check((buffer,))
    return buffer


computed_by(_compute, array_of)


def finish_step() -> None:
    """An optimizer has stepped."""
    recorder.own.trace.finished_step = True


def begin_backward() -> None:
    """A backward pass after a finished step belongs to the next one: launch the finished one."""
    trace = recorder.own.trace
    if trace.finished_step and trace.watch is None:
        launch()


def end_backward() -> None:
    """A backward pass through memory that NumPy may write to runs at once."""
    if not recorder.own.trace.limit:
        launch()


def gradients_cleared() -> None:
    """Gradients have been cleared: a finished step ends here."""
    trace = recorder.own.trace
    if trace.finished_step and trace.watch is None:
        launch()

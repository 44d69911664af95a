"""A program: what a function did in two runs, to be done again without the function."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from zerograd.ir import changing, interrupts
from zerograd.ir.graph import Node
from zerograd.ir.record import Recorder, traces
from zerograd.ir.trace import Trace
from zerograd.program.bindings import Bindings, Doubt, storage_at
from zerograd.program.capture import Record
from zerograd.program.chain import Chain
from zerograd.program.making import maker, new_storage
from zerograd.program.origins import Kept
from zerograd.program.steady import Steady
from zerograd.program.stepping import Stepping, take_back
from zerograd.program.surroundings import Surroundings
from zerograd.runtime.realize import compute, lock
from zerograd.runtime.structure import structure
from zerograd.tensor.base import TensorBase
from zerograd.tensor.leaf import Arrived


class Program:
    """A record made ready for replays.

    Where the step leaves gradients behind that its next call clears unread, a replay is computed only when something
    of it is read, or by the next replay, when its gradients are dead: so they are never written.

    Attributes:
        record: what it does.
        fixed: arguments that have shown the same data in all runs, so that nobody can tell whether the function read it
            from the argument or from elsewhere.
        around: what the function could see then.
        defers: it is computed later.
        owed: the last replay, not computed yet, and its result.
        silent: how it is computed when nobody can see its gradients.
        chain: how replays follow each other, once ``silent`` is known.
        held: how many new tensors and values a replay leaves behind.
        steady: what nobody changes between such replays.
    """

    owed: tuple[Trace, Any] | None = None
    silent: Any = None
    held = (0, 0)
    chain: Chain | None = None

    def __init__(self, record: Record, before: Record, around: Surroundings) -> None:
        self.record = record
        self.fixed = list(enumerate(before.shown))
        self.free(record)
        self.around = around
        self.bindings = Bindings(record)
        self.stepping = Stepping(record.events)
        self.written: list[tuple[Any, Any, Node, int]] = [
            (storage_at(place, []) if isinstance(place, Kept) else None, place, node, times)
            for place, node, times in record.storages
        ]
        self.packs_written = list(record.packs)
        self.packs = list(dict.fromkeys([one[0] for one in (*self.bindings.packs, *record.packs)]))
        members = [member() for pack in self.packs for member in pack.members]
        for storage in (*members, *[one[1] for one in self.bindings.kept]):
            if storage is not None:
                structure.meet(storage)
        self.make = maker(record.result)
        found = record.gradients
        touched = list(zip(found.tensors, found.needs, found.leaves, strict=True))
        self.needs = [(tensor, need) for tensor, need, _ in touched if need is not None]
        self.none_left = [tensor for tensor, _, left in touched if left is None]
        self.left = [(tensor, left) for tensor, _, left in touched if left is not None and left is not True]
        self.arrived = {tensor._leaf: node for tensor, node in self.left if isinstance(node, Node) and tensor._leaf}
        self.defers = bool(self.left) and not self.needs
        self.plan = record.trace.plan
        self.steady = Steady()

    def free(self, record: Record) -> bool:
        """Learn from one more run that did the same which arguments may show other data; whether that is news."""
        known = len(self.fixed)
        self.fixed = [one for one in self.fixed if record.shown[one[0]] == one[1]]
        return len(self.fixed) < known

    def __del__(self) -> None:
        if self.owed is not None and not sys.is_finalizing():
            compute(self.owed[0])

    @interrupts.section
    def replay(self, own: Recorder, tensors: Sequence[Any]) -> Any:
        """Do what the body would do.

        Raises:
            Doubt: it cannot be told that the body would do this; nothing has been done.
        """
        for number, shown in self.fixed:
            if not shown.is_shown_by(tensors[number]):
                raise Doubt
        steady = self.chain is not None and self.owed is not None and self.steady.holds()
        if not steady:
            self._check()
        elif self.stepping.has_schedules:
            self.stepping.check()
        numbers: list[Any] = []
        undo = self.stepping.advance(numbers)
        try:
            if self.chain is not None and self.owed is not None:
                with lock:
                    on = self._go_on(own, tensors, numbers, steady)
                if on:
                    return self._gone_on(tensors, steady)
            if self.owed is not None:
                self._settle()
            leaves = self.bindings.bind(own, tensors)
        except BaseException:
            take_back(undo)
            raise
        self.stepping.fill(leaves, numbers)
        drawn = self.bindings.draw(leaves)
        return self._leave(own, leaves, drawn, tensors)

    def _go_on(self, own: Recorder, tensors: Sequence[Any], numbers: list[Any], steady: bool) -> bool:
        """Compute the last replay and bind the next one, if nobody has looked at anything between."""
        assert self.owed is not None
        trace = self.owed[0]
        if self.chain is None or not self._is_untouched(trace, steady):
            return False
        if not steady:
            (arrived,) = trace.arrivals
            for tensor, _ in self.left:
                if tensor._grad is not arrived:
                    return False
            for tensor in self.none_left:
                if tensor._grad is not None:
                    return False
        return self.chain.go_on(self, trace, own, tensors, numbers, steady)

    def _gone_on(self, tensors: Sequence[Any], steady: bool) -> Any:
        """Leave the next trace behind, in place of the last one."""
        assert self.owed is not None
        trace = self.owed[0]
        if self.bindings.draws:
            self.bindings.draw(trace.leaves)
        self.stepping.note()
        result = self.make(trace, [], tensors)
        self.owed = trace, result
        if changing.arrays and changing.among(trace.leaves):
            self._compute(trace, False)
            self.owed = None
        elif not steady:
            self.steady.note(self)
        return result

    def _is_untouched(self, trace: Trace, steady: bool = False) -> bool:
        """Whether nobody has looked at what the last replay has left, nor changed it, but for its gradients."""
        serial = trace.serial
        if (len(trace.results), len(trace.pending)) != self.held or serial not in traces:
            return False
        if not steady:
            for pack, _, _ in self.packs_written:
                if pack.serial != serial or pack.buffers is not None:
                    return False
        for storage, _, node, _ in self.written:
            if storage is None or storage.serial != serial or storage.node is not node:
                return False
        for one in trace.results:  # noqa: SIM110  faster
            if one._serial != serial:
                return False
        return True

    def _check(self) -> None:
        """That the body would do what it did.

        Raises:
            Doubt: it might not.
        """
        if not self.around.are_same():
            raise Doubt
        for pack in self.packs:
            if not pack.whole:
                self._loosen()
                break
        self.bindings.check()
        self.stepping.check()
        for tensor, need in self.needs:
            if (tensor._grad is not None) is not need:
                raise Doubt
        for storage, *_ in self.written:
            if storage is not None and storage.shared is not None and storage.shared.is_shared():
                raise Doubt

    def _loosen(self) -> None:
        """Handle the members of packs that have dissolved one by one."""
        self.chain = self.silent = None
        for pack in [one for one in self.packs if not one.whole]:
            if any(member() is None for member in pack.members):
                raise Doubt
            self.packs.remove(pack)
            self.bindings.loosen(pack)
            for nodes, times in [(nodes, times) for one, nodes, times in self.packs_written if one is pack]:
                members = zip(pack.members, nodes, strict=True)
                self.written += [(member(), None, node, times) for member, node in members]
        self.packs_written = [one for one in self.packs_written if one[0].whole]

    def _settle(self) -> None:
        """Compute the last replay; its gradients end now."""
        assert self.owed is not None
        trace = self.owed[0]
        if trace.serial in traces:
            silent = len(self.arrived) == len(self.left)
            for arrived in trace.arrivals:
                for tensor, _ in self.left:
                    if tensor._grad is arrived:
                        tensor._grad = None
                    else:
                        silent = False
            self._compute(trace, silent)
        self.owed = None

    def _compute(self, trace: Trace, silent: bool) -> None:
        """Compute a replay; ``silent``: nobody can see its gradients. All else is needed, and is the same each time."""
        untouched = silent and self._is_untouched(trace)
        if untouched and self.silent is not None:
            trace.certain, trace.plan = True, self.silent
            compute(trace)
            return
        compute(trace)
        self.plan = trace.plan
        if untouched:
            self.silent = trace.plan
            self.chain = Chain.of(self)

    def _leave(self, own: Recorder, leaves: list[Any], drawn: list[Any], tensors: Sequence[Any]) -> Any:
        """Leave the trace behind that the body would have left."""
        trace = self._trace(leaves)
        serial = trace.serial
        for pack, nodes, times in self.packs_written:
            for tensor in own.trace.shown.pop(id(pack), ()):
                if tensor is not None:
                    tensor._serial = 0
            pack.nodes, pack.serial, pack.buffers = nodes, serial, None
            pack.version += times
            trace.packs.append(pack)
        for storage, place, node, times in self.written:
            storage = storage or storage_at(place, tensors)
            storage.node, storage.serial, storage.buffer, storage.shared = node, serial, None, None
            storage.version += times
            trace.pending.append(storage)
        for tensor in self.none_left:
            tensor._grad = None
        self.stepping.note()
        made = [new_storage(trace, one, drawn) for one in self.record.made]
        if self.left:
            self._leave_gradients(trace, made, tensors)
        result = self.make(trace, made, tensors)
        self.held = len(trace.results), len(trace.pending)
        if self.defers and not changing.among(leaves):
            self.owed = trace, result
            if self.chain is not None and self.steady.pays():
                self.steady.note(self)
        else:
            self._compute(trace, not self.left)
        return result

    def _trace(self, leaves: list[Any]) -> Trace:
        """A trace as recording would have made it."""
        trace = Trace()
        before = self.record.trace
        trace.alone, trace.leaves, trace.plan = True, leaves, self.plan
        trace.sources, trace.passages, trace.freed = before.sources, before.passages, before.freed
        traces[trace.serial] = trace
        return trace

    def _leave_gradients(self, trace: Trace, made: list[Any], tensors: Sequence[Any]) -> None:
        arrived = object.__new__(Arrived)
        arrived.nodes, arrived.serial, arrived.arrays = self.arrived, trace.serial, {}
        trace.arrivals.append(arrived)
        for tensor, left in self.left:
            if left.__class__ is not Node:
                tensor._grad = maker(left)(trace, made, tensors)
            elif tensor._leaf is not None:
                tensor._grad = arrived
            else:
                tensor._grad = TensorBase.of_node(left, trace)

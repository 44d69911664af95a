"""An optimizer step that is met again: what it enters and what it writes, all at once.

A step of an optimizer is one remembered call. To look at its operands one after the other, counters, packs of states
and numbers, costs more than to look up the call. In a training loop they enter each trace at the same places. So a
step notes where it began, what it was given and what it wrote; where all of that is the same again, data goes to its
slots and known nodes to their places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zerograd.ir.graph import Node
from zerograd.ir.record import Recorder
from zerograd.tensor.pack import Pack

Prepared = tuple[Any, list[Any], list[Any]]
_NUMBERS = frozenset((float, int, bool))


class Begun:
    """A step that begins: it can be met again if parameters and states are packs, and the gradients nodes.

    Attributes:
        prepared: the pack of the parameters, those of their states or ``None``, all that is written.
        begin: how many leaves and sources the trace has so far.
        params: the nodes of the parameters.
        grads: the nodes of the gradients.
        numbers: the counters, then the options.
        switches: what else is part of the structure.
    """

    __slots__ = ("begin", "grads", "numbers", "params", "prepared", "switches")

    def __init__(
        self, own: Recorder, prepared: Prepared, grads: Sequence[Any], numbers: Sequence[Any], switches: Any
    ) -> None:
        trace = own.trace
        pack = prepared[0]
        fresh = pack.__class__ is Pack and pack.serial == trace.serial and pack.buffers is not None
        self.params: tuple[Node, ...] | None = pack.nodes if fresh and not own.depth else None
        self.begin = len(trace.leaves), len(trace.sources)
        self.prepared, self.grads, self.numbers, self.switches = prepared, grads, numbers, switches


class Again:
    """A step as it was recorded.

    Attributes:
        calls: the table of calls that knows it: another mode, or one that has been emptied, has another.
        kept: the packs of the states.
        vectors: the storages of the tensors that show counters, and the leaves that stood for them.
        classes: of the numbers.
        counters: how many of the numbers are counters, which come before the states.
        written: the nodes that the step gave each pack, the parameters' first, and each vector.
    """

    __slots__ = ("begun", "calls", "classes", "counters", "kept", "vectors", "written")

    def __init__(self, own: Recorder, begun: Begun, vectors: Sequence[Any], counters: int) -> None:
        """Note a step that has just been recorded."""
        params, columns, _ = begun.prepared
        self.begun = begun
        self.calls = own.calls
        self.kept: list[Pack] = [column for column in columns if column is not None]
        self.vectors: list[tuple[Any, Node]] = [(one._storage, one._storage.bound) for one in vectors]
        self.classes = [number.__class__ for number in begun.numbers]
        self.counters = counters
        self.written = [one.nodes for one in (params, *self.kept)], [one.node for one, _ in self.vectors]

    @classmethod
    def of(cls, own: Recorder, begun: Begun, vectors: Sequence[Any], counters: int) -> Again | None:
        """The step that has just been recorded, or ``None`` if it is not of the kind that can be repeated."""
        plain = begun.params is not None and begun.grads.__class__ is tuple and own.trace.watch is None
        numbers = all(number.__class__ in _NUMBERS for number in begun.numbers)
        packs = [column for column in begun.prepared[1] if column is not None]
        if not (plain and numbers and all(one.__class__ is Pack and not one.leaves for one in packs)):
            return None
        slots = len(vectors) + len(begun.numbers) + sum(len(one.members) for one in packs)
        entered = len(own.trace.leaves) - begun.begin[0]
        return cls(own, begun, vectors, counters) if entered == slots else None

    def repeat(self, own: Recorder, begun: Begun) -> bool:
        """Do the step that begins now, if it is the same; ``False``: it is another, and nothing has been done."""
        if not (self._is_same(own, begun) and self._can_enter(own.trace.serial)):
            return False
        trace = own.trace
        serial = trace.serial
        leaves = trace.leaves
        packs, vectors = self.written
        for (storage, _), node in zip(self.vectors, vectors, strict=True):
            leaves.append(storage.buffer)
            trace.pending.append(storage)
            storage.buffer, storage.node, storage.serial = None, node, serial
            storage.version += 1
        leaves.extend(begun.numbers[: self.counters])
        for pack in self.kept:
            leaves.extend(pack.buffers)
        leaves.extend(begun.numbers[self.counters :])
        begun.prepared[0].write(packs[0])
        for pack, nodes in zip(self.kept, packs[1:], strict=True):
            trace.packs.append(pack)
            pack.buffers, pack.nodes, pack.serial = None, nodes, serial
            pack.version += 1
        return True

    def _is_same(self, own: Recorder, begun: Begun) -> bool:
        known = self.begun
        return (
            begun.params is known.params
            and (begun.grads is known.grads or begun.grads == known.grads)
            and begun.begin == known.begin
            and begun.prepared is known.prepared
            and own.calls is self.calls
            and not own.exact_lines
            and own.trace.watch is None
            and begun.switches == known.switches
            and [number.__class__ for number in begun.numbers] == self.classes
        )

    def _can_enter(self, serial: int) -> bool:
        """Whether vectors and states are computed, and enter this trace now, as they did."""
        slot = self.begun.begin[0]
        for storage, bound in self.vectors:
            if storage.serial == serial or storage.buffer is None or storage.shared is not None:
                return False
            if storage.bound_at != slot or storage.bound is not bound or storage.history is not None:
                return False
            slot += 1
        return all([pack.serial != serial and pack.buffers is not None for pack in self.kept])  # noqa: C419  faster

"""Storages that live together: bound, rewritten and launched as one.

The parameters of an optimizer change together in every step, and so does each of their states. Handled one by one
they would cost more than the rest of the step; as a pack they cost one look-up. When a member is changed by itself,
its pack dissolves, and all are ordinary storages again; nobody else can tell the difference.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from zerograd.ir.graph import Node, TensorType
from zerograd.ir.record import bind, laid, new_variable, recorder, traces, wait_for
from zerograd.shapes import Shape
from zerograd.tensor.storage import Storage

MOST_ENTRIES = 64


class Pack:
    """The values of its members.

    Where the members are parameters, their tensors are shown what they are in a trace (``_at``, ``_serial``) as soon
    as the first of them is used there.

    Attributes:
        members: weak references to the storages, in order.
        leaves: the sources behind the parameters whose storages they are; empty for other values.
        kinds: their types and strides.
        nodes: what they are in the trace numbered ``serial``.
        buffers: their arrays, once computed.
        entries: how they entered a trace, by the first slot and the number of sources there.
        version: how often they have been rewritten together.
        whole: it has not been dissolved.
    """

    __slots__ = (
        "__weakref__", "buffers", "entries", "kinds", "leaves", "members", "nodes", "serial", "version", "whole",
    )  # fmt: skip

    def __init__(self, storages: Sequence[Storage], leaves: Sequence[Any]) -> None:
        self.members = [weakref.ref(one) for one in storages]
        self.leaves = list(leaves)
        self.kinds: list[tuple[TensorType, Shape | None]] = [(one.type, one.strides) for one in storages]
        self.buffers: Any = [one.buffer for one in storages]  # list[Array] | None
        self.nodes: tuple[Node, ...] = ()
        self.entries: dict[tuple[int, int], Entry] = {}
        self.serial = 0
        self.version = 0
        self.whole = True
        for place, one in enumerate(storages):
            Member.join(one, self, place)

    @classmethod
    def of(cls, storages: Sequence[Storage], leaves: Sequence[Any] = ()) -> Pack | None:
        """A pack of computed storages, or ``None`` if one of them cannot be a member."""
        fit = len(set(storages)) == len(storages) and all(
            type(one) is Storage and one.buffer is not None and one.shared is None and one.history is None
            for one in storages
        )
        return cls(storages, leaves) if fit else None

    def read(self) -> tuple[Node, ...]:
        """What the members are in the current trace."""
        own = recorder.own
        trace = own.trace
        serial = trace.serial
        if self.serial == serial:
            return self.nodes
        if self.buffers is None:
            wait_for(self.serial)
        assert not own.depth, "a remembered function may use its operands only"
        key = (len(trace.leaves), len(trace.sources))
        if trace.watch is not None:
            trace.watch.enters(self, key[0])
        entry = self.entries.get(key)
        if entry is None:
            if len(self.entries) > MOST_ENTRIES:
                self.entries.clear()
            entry = self.entries[key] = Entry(self)
        else:
            buffers: Any = self.buffers
            trace.leaves.extend(buffers)
            trace.sources.update(entry.sources)
        self.nodes = entry.nodes
        self.serial = serial
        if self.leaves:
            shown = trace.shown[id(self)] = [leaf.tensor() for leaf in self.leaves]
            for tensor, variable in zip(shown, entry.sources, strict=True):
                if tensor is not None:
                    tensor._at, tensor._serial = variable, serial
        return self.nodes

    def write(self, nodes: tuple[Node, ...]) -> None:
        """Give the members new values, of their types and without history."""
        trace = recorder.own.trace
        if self.buffers is not None or self.serial != trace.serial:
            trace.packs.append(self)
            self.buffers = None
        self.nodes = nodes
        self.serial = trace.serial
        self.version += 1
        for tensor in trace.shown.pop(id(self), ()):
            if tensor is not None:
                tensor._serial = 0

    def dissolve(self) -> None:
        """Make every member an ordinary storage again."""
        self.whole = False
        for leaf in self.leaves:
            tensor = leaf.tensor()
            if tensor is not None:
                tensor._serial = 0
        for place, one in enumerate(self.members):
            member = one()
            if isinstance(member, Member):
                member.leave(self, place)


class Entry:
    """How a pack entered a trace; it enters others that have come as far in the same way.

    Attributes:
        nodes: the leaves that stand for the members.
        sources: the variables over them and what stands behind those, where the members are parameters.
    """

    __slots__ = ("nodes", "sources")

    def __init__(self, pack: Pack) -> None:
        """Have ``pack`` enter the current trace for the first time."""
        buffers: Any = pack.buffers
        pairs = zip(buffers, pack.kinds, strict=True)
        self.nodes = tuple([laid(bind(array, type), strides) for array, (type, strides) in pairs])
        self.sources = {
            new_variable(node, leaf): leaf for node, leaf in zip(self.nodes, pack.leaves, strict=bool(pack.leaves))
        }


def _attribute(name: str, of_pack: Any) -> Any:
    """What a member's pack says; to set it dissolves the pack."""

    def change(self: Member, value: Any) -> None:
        self.pack.dissolve()
        setattr(self, name, value)

    return property(of_pack, change)


class Member(Storage):
    """A storage whose value its pack holds."""

    pack: Pack
    place: int
    offset: int
    bound_at = -1

    node = _attribute("node", lambda self: self.pack.nodes[self.place])
    serial = _attribute("serial", lambda self: self.pack.serial)
    buffer = _attribute("buffer", lambda self: self.pack.buffers and self.pack.buffers[self.place])
    version = _attribute("version", lambda self: self.pack.version + self.offset)

    @staticmethod
    def join(storage: Storage, pack: Pack, place: int) -> None:
        """Make an ordinary storage a member."""
        offset = storage.version
        for name in ("node", "serial", "buffer", "bound", "bound_at", "version"):
            with suppress(AttributeError):
                delattr(storage, name)
        storage.own_type, storage.own_strides = pack.kinds[place]
        storage.__class__ = Member
        member: Any = storage
        member.pack, member.place, member.offset = pack, place, offset

    def leave(self, pack: Pack, place: int) -> None:
        """Become an ordinary storage, as its pack dissolves."""
        version = self.version
        for name in ("pack", "place", "offset"):
            delattr(self, name)
        self.__class__ = Storage  # pyright: ignore[reportAttributeAccessIssue]
        self.version, self.serial = version, pack.serial
        if pack.nodes:
            self.node = pack.nodes[place]
        if pack.buffers is not None:
            self.buffer = pack.buffers[place]
        else:
            traces[pack.serial].pending.append(self)

    def read(self) -> Node:
        return self.pack.read()[self.place]

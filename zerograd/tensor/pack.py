"""Storages that live together: bound, rewritten and launched as one.

The parameters of an optimizer change together in every step, and so does each of their states. Handled one by one
they would cost more than the rest of the step; as a pack they cost one look-up. A member that is changed by itself
leaves its pack and is an ordinary storage again; nobody else can tell the difference.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from zerograd.ir.graph import Array, Node, TensorType
from zerograd.ir.record import bind, laid, recorder, traces, wait_for
from zerograd.shapes import Shape
from zerograd.tensor.storage import Storage


class Pack:
    """The values of its members.

    Attributes:
        members: weak references to the storages, in order.
        kinds: their types and strides.
        nodes: what they are in the trace numbered ``serial``.
        buffers: their arrays, once computed.
        bound, bound_at: the leaves that stood for them last, and the slot of the first.
        version: how often they have been rewritten together.
        whole: no member has left.
    """

    __slots__ = (
        "__weakref__", "bound", "bound_at", "buffers", "kinds", "members", "nodes", "serial", "version", "whole",
    )  # fmt: skip

    def __init__(self, storages: Sequence[Storage]) -> None:
        self.members = [weakref.ref(one) for one in storages]
        self.kinds: list[tuple[TensorType, Shape | None]] = [(one.type, one.strides) for one in storages]
        self.buffers: list[Array] | None = [one.array() for one in storages]
        self.nodes: tuple[Node, ...] = ()
        self.bound: tuple[Node, ...] = ()
        self.bound_at = -1
        self.serial = 0
        self.version = 0
        self.whole = True
        for place, one in enumerate(storages):
            Member.join(one, self, place)

    @classmethod
    def of(cls, storages: Sequence[Storage]) -> Pack | None:
        """A pack of computed storages, or ``None`` if one of them cannot be a member."""
        fit = len(set(storages)) == len(storages) and all(
            type(one) is Storage and one.buffer is not None and one.shared is None and one.history is None
            for one in storages
        )
        return cls(storages) if fit else None

    def read(self) -> tuple[Node, ...]:
        """What the members are in the current trace."""
        own = recorder.own
        trace = own.trace
        if self.serial == trace.serial:
            return self.nodes
        if self.buffers is None:
            wait_for(self.serial)
        assert not own.depth, "a remembered function may use its operands only"
        buffers: Any = self.buffers
        slot = len(trace.leaves)
        if self.bound_at == slot:
            trace.leaves.extend(buffers)
        else:
            pairs = zip(buffers, self.kinds, strict=True)
            self.bound = tuple([laid(bind(array, type), strides) for array, (type, strides) in pairs])
            self.bound_at = slot
        self.nodes = self.bound
        self.serial = trace.serial
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

    def dissolve(self) -> None:
        """Let every member go."""
        for one in self.members:
            member = one()
            if isinstance(member, Member):
                member.leave()


def _attribute(name: str, of_pack: Any) -> Any:
    """What a member's pack says; to set it is to leave the pack."""

    def change(self: Member, value: Any) -> None:
        self.leave()
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
        kept = storage.__dict__
        storage.own_type, storage.own_strides = pack.kinds[place]
        offset = kept.pop("version", 0)
        for name in ("node", "serial", "buffer", "bound", "bound_at"):
            kept.pop(name, None)
        kept.update(pack=pack, place=place, offset=offset)
        storage.__class__ = Member

    def leave(self) -> None:
        """Become an ordinary storage."""
        kept, pack = self.__dict__, self.pack
        pack.whole = False
        state = {"serial": pack.serial, "version": self.version, "buffer": self.buffer}
        if pack.nodes:
            state["node"] = self.node
        for name in ("pack", "place", "offset"):
            del kept[name]
        self.__class__ = Storage
        kept.update(state)
        if state["buffer"] is None:
            traces[pack.serial].pending.append(self)

    def read(self) -> Node:
        return self.pack.read()[self.place]

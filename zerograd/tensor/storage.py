"""Mutable memory over immutable values.

A storage holds the current value of what aliasing tensors share, and a version. Writing in place computes a new
value and puts it in the place of the old one; no node and no array ever changes. The exception is memory shared
with NumPy: there, writes on either side must be seen on the other (``Shared``).
"""

from __future__ import annotations

import mmap
import os
import sys
import weakref
from typing import Any

import numpy as np

from zerograd.ir import changing
from zerograd.ir.graph import Array, Node, TensorType
from zerograd.ir.layout import unless_contiguous
from zerograd.ir.record import Edge, Value, bind, laid, new_variable, recorder
from zerograd.runtime.realize import array_of
from zerograd.shapes import Shape, contiguous_strides

SMALL = 1 << 16  # bytes of shared memory that are copied rather than read at once


class _Owner:
    """Stands behind every array that ``numpy()`` hands out; NumPy keeps it alive as long as one of them lives."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.__array_interface__ = array.__array_interface__


class Shared:
    """Memory that NumPy code may write to.

    Attributes:
        array: the memory, as the storage's array.
        between_processes: forked processes share it.
        descriptor: of the file behind it, which processes that were not forked can be given.
    """

    between_processes = False
    descriptor: int | None = None

    def __init__(self, array: Array, *, foreign: bool) -> None:
        self.array = array
        self._foreign = foreign
        self._owner: weakref.ref[_Owner] | None = None
        self._pinned = False

    def pin(self) -> None:
        """Its address has been handed out: shared for good."""
        self._pinned = True

    def export(self) -> Array:
        """A NumPy array over the memory."""
        if self._foreign:
            return self.array
        owner = self._owner and self._owner()
        if owner is None:
            owner = _Owner(self.array)
            self._owner = weakref.ref(owner)
        view = np.asarray(owner)
        return view.view(self.array.dtype) if view.dtype != self.array.dtype else view

    def is_shared(self) -> bool:
        """Whether anybody but the storage can still reach the memory."""
        if self._pinned:
            return True
        if self._foreign:
            # known references: this object, the storage's buffer, and the argument of getrefcount
            return self.array.base is not None or sys.getrefcount(self.array) > 3
        return self._owner is not None and self._owner() is not None


def in_memory(array: Array, strides: Shape | None) -> Array:
    """A copy whose elements lie in memory by ``strides``, without gaps."""
    if strides is None:
        return np.array(array, order="C")
    order = sorted(range(array.ndim), key=lambda axis: -strides[axis])
    return np.array(array.transpose(order), order="C").transpose(np.argsort(order))


class Storage(Value):
    """The current value of aliasing tensors.

    Attributes:
        version: the number of in-place changes, as ``Tensor._version`` shows it.
        shared: memory shared with NumPy, or ``None``.
        has_leaf: a leaf that requires gradients looks at it.
    """

    version = 0
    has_leaf = False
    shared: Shared | None = None

    own_type: TensorType | None = None
    own_strides: Shape | None = None

    @classmethod
    def of_array(cls, array: Array, type: TensorType) -> Storage:
        """A computed value. The array must not be written to afterwards."""
        self = object.__new__(cls)
        self.own_type = type
        self.buffer = array
        return self

    @property
    def type(self) -> TensorType:
        """Shape and dtype of the whole storage."""
        return self.own_type or self.node.type

    @property
    def strides(self) -> Shape | None:
        """How the elements would lie in PyTorch's memory; ``None``: contiguous."""
        return self.node.strides if self.own_type is None else self.own_strides

    def read(self) -> Node:
        return super().read() if self.shared is None else self._read_shared()

    def _read_shared(self) -> Node:
        shared = self.shared
        assert shared is not None
        if not shared.is_shared():
            self.shared = None
            return super().read()
        trace = recorder.own.trace
        if trace.watch is not None:
            trace.watch.enters(self, len(trace.leaves))
        node = laid(bind(self.unchanging(shared.array), self.type), self.strides)
        return node if self.history is None else new_variable(node, Edge(self.history))

    @staticmethod
    def unchanging(array: Array) -> Array:
        """Shared memory, or a part of it, as it is now."""
        if array.nbytes <= SMALL:
            return np.array(array)
        changing.note(array)
        if recorder.own.trace.watch is None:
            recorder.own.trace.limit = 0  # NumPy may write to it next: whatever reads it runs at once
        return array

    def replace(self, node: Node) -> None:
        """The value after an in-place change."""
        assert node.type is self.type, f"an in-place change of {self.type} into {node.type}"
        strides = self.node.strides if self.own_type is None else self.own_strides
        if node.strides is not strides:
            node = laid(node, strides)
        shared = self.shared
        if shared is not None and not shared.is_shared():  # asked while the buffer is one of those that know the memory
            shared = self.shared = None
        trace = recorder.own.trace
        if self.serial != trace.serial or self.buffer is not None:
            trace.pending.append(self)
        self.node = node
        self.serial = trace.serial
        self.buffer = None
        self.history = None
        self.version += 1
        if shared is not None:
            np.copyto(shared.array, array_of(self))
            self.buffer = shared.array
            self.serial = 0

    def rewrite(self, node: Node) -> bool:
        """``replace`` for the usual case, in which neither value has a history and nobody shares the memory.

        Returns:
            Whether this is that case; else nothing has been done.
        """
        if self.shared is not None or self.history is not None:
            return False
        if node.strides is not None or (self.node.strides if self.own_type is None else self.own_strides) is not None:
            return False
        trace = recorder.own.trace
        if self.buffer is not None:
            trace.pending.append(self)
            self.buffer = None
        elif self.node.tracked:
            return False
        elif self.serial != trace.serial:
            trace.pending.append(self)
        self.node = node
        self.serial = trace.serial
        self.version += 1
        return True

    def share(self) -> Shared:
        """The memory as NumPy sees it; from now on changes in place go there."""
        if self.shared is None or not self.shared.is_shared():
            array = in_memory(array_of(self), self.strides)  # others may hold the present array as a value
            self.buffer = array
            self.serial = 0  # what NumPy writes must be seen: never read as a node again
            self.shared = Shared(array, foreign=False)
        return self.shared

    def __reduce__(self) -> tuple[Any, ...]:
        array = np.ascontiguousarray(array_of(self))
        return load, (array.reshape(-1).view(np.uint8), self.type, self.strides)

    def share_between_processes(self) -> None:
        """Move to memory that processes forked from now on share; it stays there."""
        if self.is_between_processes():
            return
        source = in_memory(array_of(self), self.strides)
        descriptor = -1
        if hasattr(os, "memfd_create"):  # a descriptor can also be sent to processes that were not forked
            descriptor = os.memfd_create("tensor")
            os.truncate(descriptor, max(self.type.nbytes, 1))
        np.copyto(self._lie_in(descriptor, source.shape, source.strides), source)

    def _lie_in(self, descriptor: int, shape: Shape, strides: Shape) -> Array:
        """Have its array lie in the memory behind a descriptor, or in fresh memory (-1); strides in bytes."""
        kind = self.type
        memory = mmap.mmap(descriptor, max(kind.nbytes, 1))
        array = np.frombuffer(memory, kind.dtype.numpy, kind.count)
        self.buffer = array = np.lib.stride_tricks.as_strided(array, shape, strides)
        self.serial = 0
        self.shared = Shared(array, foreign=False)
        self.shared.pin()
        self.shared.between_processes = True
        if descriptor >= 0:
            self.shared.descriptor = descriptor
            weakref.finalize(self.shared, os.close, descriptor)
        return array

    @classmethod
    def attached(cls, descriptor: int, type: TensorType, strides: Shape | None) -> Storage:
        """A storage over memory that another process shares; it closes the descriptor in the end."""
        self = object.__new__(cls)
        self.own_type, self.own_strides = type, strides
        steps = contiguous_strides(type.shape) if strides is None else strides
        self._lie_in(descriptor, type.shape, tuple(step * type.dtype.itemsize for step in steps))
        return self

    def descriptor(self) -> int | None:
        """The file descriptor of its memory, if other processes can be given it."""
        return None if self.shared is None else self.shared.descriptor

    def is_between_processes(self) -> bool:
        """Whether forked processes share the memory."""
        return self.shared is not None and self.shared.between_processes

    def adopt(self, array: Array) -> None:
        """Share memory that came from NumPy."""
        strides = tuple(stride // array.itemsize for stride in array.strides)
        self.own_strides = unless_contiguous(array.shape, strides)
        self.buffer = array
        self.serial = 0
        self.shared = Shared(array, foreign=True)


def load(content: Array, type: TensorType, strides: Shape | None) -> Storage:
    """A storage from its pickle."""
    storage = Storage.of_array(content.view(type.dtype.numpy).reshape(type.shape), type)
    storage.own_strides = strides
    return storage

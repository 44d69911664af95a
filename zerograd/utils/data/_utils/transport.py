"""How objects travel between the main process and a worker: small messages, shared memory for what is big.

An object is pickled with its arrays kept apart (pickle protocol 5). If all of it is small it is the message;
otherwise it is written into anonymous memory, whose descriptor goes with the message, and the receiver's
arrays lie in that memory. Nothing has a name, so nothing is left behind when a process dies, and messages are
so small that neither side waits for the other to read.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import tempfile
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.ir.graph import TensorType
from zerograd.nn.parameter import Parameter
from zerograd.tensor.tensor import Tensor

SMALL = 512  # bytes: messages up to this size go whole
ALIGNMENT = 64  # bytes, of arrays in shared memory
_WHOLE, _SHARED = b"w", b"s"
_CAN_SHARE = hasattr(os, "memfd_create") or os.name == "posix"


class _Pickler(pickle.Pickler):
    """Sends tensors as arrays."""

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is Tensor or type(obj) is Parameter:
            if obj.requires_grad and not obj.is_leaf:
                raise RuntimeError(
                    "a tensor with history cannot be sent to another process; send tensor.detach() instead"
                )
            array = np.asarray(obj.detach()._array(), order="C")
            return _rebuilt, (array.view(_bits(array)), obj.dtype, obj.requires_grad, type(obj))
        return NotImplemented


def _bits(array: np.ndarray[Any, Any]) -> Any:
    """A dtype of NumPy's own for the elements: types from elsewhere cannot be sent apart."""
    return array.dtype if array.dtype.isbuiltin == 1 else np.dtype(f"u{array.itemsize}")


def _rebuilt(bits: np.ndarray[Any, Any], dtype: dtypes.dtype, requires_grad: bool, kind: type[Tensor]) -> Tensor:
    tensor = Tensor.of_array(bits.view(dtype.numpy), TensorType(bits.shape, dtype))
    if kind is Parameter:
        return Parameter(tensor, requires_grad)
    return tensor.requires_grad_(requires_grad)


def packed(obj: Any) -> list[memoryview]:
    """The object as bytes: the pickle first, then its arrays.

    Raises:
        Exception: whatever pickling raises.
    """
    buffers: list[pickle.PickleBuffer] = []
    stream = io.BytesIO()
    _Pickler(stream, protocol=5, buffer_callback=buffers.append).dump(obj)
    return [stream.getbuffer(), *(buffer.raw() for buffer in buffers)]


def unpacked(parts: list[memoryview]) -> Any:
    """The object that `packed` took apart."""
    return pickle.loads(parts[0], buffers=parts[1:])


def send(connection: Connection, parts: list[memoryview]) -> None:
    """Sends what `packed` returned.

    Raises:
        OSError: the other side has gone.
    """
    sizes = [part.nbytes for part in parts]
    if sum(sizes) <= SMALL or not _CAN_SHARE:
        connection.send_bytes(_WHOLE + pickle.dumps(sizes) + b"".join(parts))
        return
    from multiprocessing.reduction import send_handle

    descriptor = _memory(parts, sizes)
    try:
        connection.send_bytes(_SHARED + pickle.dumps(sizes))
        send_handle(connection, descriptor, None)  # the process matters on Windows only
    finally:
        os.close(descriptor)


def receive(connection: Connection) -> list[memoryview]:
    """Receives for `unpacked`; waits until a message is there.

    Raises:
        EOFError, OSError: the other side has gone.
    """
    message = memoryview(connection.recv_bytes())
    stream = io.BytesIO(message[1:])
    sizes: list[int] = pickle.load(stream)
    if message[:1] == _WHOLE:
        parts = _split(message[1 + stream.tell() :], sizes, 1)
        return [memoryview(bytearray(part)) for part in parts]  # writable, and each at a multiple of 16
    from multiprocessing.reduction import recv_handle

    descriptor = recv_handle(connection)
    try:
        memory = mmap.mmap(descriptor, 0)
    finally:
        os.close(descriptor)
    return _split(memoryview(memory), sizes, ALIGNMENT)


def _memory(parts: list[memoryview], sizes: list[int]) -> int:
    """The descriptor of new memory that holds the parts."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("zerograd")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, sum(_rounded(size) for size in sizes))
    with mmap.mmap(descriptor, 0) as memory:
        place = 0
        for part, size in zip(parts, sizes, strict=True):
            memory[place : place + size] = part
            place += _rounded(size)
    return descriptor


def _rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _split(memory: memoryview, sizes: list[int], alignment: int) -> list[memoryview]:
    parts, place = [], 0
    for size in sizes:
        parts.append(memory[place : place + size])
        place += -(-size // alignment) * alignment
    return parts

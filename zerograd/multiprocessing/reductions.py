"""How tensors are sent to other processes."""

from __future__ import annotations

from multiprocessing import reduction
from typing import Any

from zerograd import errors
from zerograd.ir.graph import TensorType
from zerograd.nn.parameter import Buffer, Parameter
from zerograd.shapes import Shape
from zerograd.tensor.storage import Storage
from zerograd.tensor.tensor import Tensor


def init_reductions() -> None:
    """Teach Python's queues, pipes and processes to send tensors."""
    for kind in (Tensor, Parameter, Buffer):
        reduction.ForkingPickler.register(kind, _reduced_tensor)
    reduction.ForkingPickler.register(Storage, _reduced_storage)


def _reduced_tensor(tensor: Any) -> Any:
    if tensor.requires_grad and not tensor.is_leaf:
        raise errors.runtime(
            "a tensor with history cannot be sent to another process",
            tensor=tensor._type,
            hint="send tensor.detach() instead",
        )
    return tensor.__reduce_ex__(2)


def _reduced_storage(storage: Storage) -> Any:
    descriptor = storage.descriptor()
    if descriptor is None:
        return storage.__reduce__()
    return _attached, (reduction.DupFd(descriptor), storage.type, storage.strides)


def _attached(sent: Any, type: TensorType, strides: Shape | None) -> Storage:
    """The storage over memory that another process has sent."""
    return Storage.attached(sent.detach(), type, strides)

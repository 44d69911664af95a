"""DistributedDataParallel, which programs import that can also train in one process."""

from __future__ import annotations

from typing import Any

from zerograd import errors
from zerograd.nn.modules.module import Module


class DistributedDataParallel(Module):
    """A module whose gradients are averaged over processes: cannot be made, as there are no process groups.

    Raises:
        ValueError: always, as under PyTorch without a process group. ``isinstance`` answers False.
    Source: torch.nn.parallel.DistributedDataParallel.
    """

    def __init__(self, module: Module, *args: Any, **kwargs: Any) -> None:
        raise errors.value(
            "DistributedDataParallel needs a process group, and zerograd trains in one process",
            hint="use the module itself where torch.distributed.is_initialized() is False",
        )

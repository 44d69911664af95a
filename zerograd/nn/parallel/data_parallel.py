"""DataParallel, which without GPUs calls its module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zerograd.nn.modules.module import Module


class DataParallel(Module):
    """Splits a batch among the GPUs; without any, as here, it calls ``module``.

    Attributes:
        module: the module, whose names in the state dict therefore begin with "module.".
    Source: torch.nn.DataParallel.
    """

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[Any] | None = None,
        output_device: Any = None,
        dim: int = 0,
    ) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list[Any] = []
        self.dim = dim

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Sequence[Any] | None = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Any:
    """``module`` on ``inputs``. Source: torch.nn.parallel.data_parallel."""
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*arguments, **(module_kwargs or {}))

"""Python's multiprocessing, whose processes also exchange tensors. Source: torch.multiprocessing.

A tensor is copied on its way, unless ``share_memory_()`` has moved it to memory of several processes: then what one
process writes in place is seen by the others.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing import *  # noqa: F403  # pyright: ignore[reportWildcardImportFromLibrary]

from zerograd.multiprocessing.reductions import init_reductions
from zerograd.multiprocessing.starting import (
    ProcessContext, ProcessException, ProcessExitedException, ProcessRaisedException, SpawnContext, spawn,
    start_processes,
)  # fmt: skip

__all__ = [
    *multiprocessing.__all__,  # pyright: ignore[reportUnsupportedDunderAll]
    "ProcessContext", "ProcessException", "ProcessExitedException", "ProcessRaisedException", "SpawnContext",
    "get_all_sharing_strategies", "get_sharing_strategy", "init_reductions", "set_sharing_strategy", "spawn",
    "start_processes",
]  # fmt: skip

init_reductions()
_STRATEGY = "file_descriptor"


def get_all_sharing_strategies() -> set[str]:
    """How memory can be handed to another process: as a file descriptor."""
    return {_STRATEGY}


def get_sharing_strategy() -> str:
    """The way in use."""
    return _STRATEGY


def set_sharing_strategy(new_strategy: str) -> None:
    """Accepted: there is one way, and it leaves no files behind. Source: torch.multiprocessing.set_sharing_strategy.

    Raises:
        AssertionError: not one of PyTorch's ways.
    """
    if new_strategy not in ("file_descriptor", "file_system"):
        raise AssertionError(f"{new_strategy!r} is no way of sharing; there are file_descriptor and file_system")

"""The memory of a GPU that is not there: none is in use. Source: torch.cuda.memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from zerograd.cuda.absent import no_gpu


def empty_cache() -> None:
    """Give back memory that is kept for later: none is."""


def memory_allocated(device: Any = None) -> int:
    """Bytes in tensors on a GPU: 0."""
    del device
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes so far: 0."""
    del device
    return 0


def memory_reserved(device: Any = None) -> int:
    """Bytes held for tensors on a GPU: 0."""
    del device
    return 0


def max_memory_reserved(device: Any = None) -> int:
    """The most bytes held so far: 0."""
    del device
    return 0


memory_cached = memory_reserved
max_memory_cached = max_memory_reserved


def memory_stats(device: Any = None) -> OrderedDict[str, Any]:
    """Everything known of a GPU's memory: nothing."""
    del device
    return OrderedDict()


def memory_snapshot(mempool_id: Any = None) -> list[Any]:
    """The blocks of a GPU's memory: none."""
    del mempool_id
    return []


def reset_peak_memory_stats(device: Any = None) -> None:
    """Begin anew to look for the most bytes: there is no GPU to watch, so nothing happens."""
    del device


reset_accumulated_memory_stats = reset_peak_memory_stats
reset_max_memory_allocated = reset_peak_memory_stats
reset_max_memory_cached = reset_peak_memory_stats


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """A table of a GPU's memory, of which there is none."""
    del device, abbreviated
    return "no GPU: zerograd computes on the CPU"


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """The free and the whole memory of a GPU: raises AssertionError."""
    no_gpu()


def set_per_process_memory_fraction(fraction: float, device: Any = None) -> None:
    """Use a part of a GPU's memory only: raises AssertionError."""
    no_gpu()

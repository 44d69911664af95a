"""Apple's GPUs, which are not used: questions are answered, commands raise. Source: torch.mps."""

from __future__ import annotations

from typing import Never

from zerograd import errors


def _no_gpu() -> Never:
    raise errors.runtime("there is no MPS device: zerograd computes on the CPU")


def device_count() -> int:
    """How many there are: none."""
    return 0


def manual_seed(seed: int) -> None:
    """Seed one: nothing happens."""
    int(seed)


def seed() -> None:
    """Seed one by chance: nothing happens."""


def synchronize() -> None:
    """Wait for one: raises RuntimeError, as do the following."""
    _no_gpu()


def empty_cache() -> None:
    """Free its cached memory."""
    _no_gpu()


def current_allocated_memory() -> int:
    """Bytes in tensors."""
    _no_gpu()


def driver_allocated_memory() -> int:
    """Bytes held by the driver."""
    _no_gpu()


def recommended_max_memory() -> int:
    """Bytes that should not be exceeded."""
    _no_gpu()


def set_per_process_memory_fraction(fraction: float) -> None:
    """Use a part of its memory only."""
    del fraction
    _no_gpu()

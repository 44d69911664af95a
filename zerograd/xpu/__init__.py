"""Intel's GPUs, which are not used: questions are answered, commands raise. Source: torch.xpu."""

from __future__ import annotations

from typing import Any, Never


def _no_gpu() -> Never:
    raise AssertionError("zerograd computes on the CPU and has no XPU")


def is_available() -> bool:
    """Whether there is one: no."""
    return False


def is_initialized() -> bool:
    """Whether they have been started: no."""
    return False


def is_bf16_supported() -> bool:
    """Whether one computes in bfloat16: no."""
    return False


def device_count() -> int:
    """How many there are: none."""
    return 0


def manual_seed(seed: int) -> None:
    """Seed one: nothing happens."""
    int(seed)


def manual_seed_all(seed: int) -> None:
    """Seed all: nothing happens."""
    int(seed)


def empty_cache() -> None:
    """Free cached memory: there is none."""


def synchronize(device: Any = None) -> None:
    """Wait for one: raises AssertionError, as do the following."""
    del device
    _no_gpu()


def current_device() -> int:
    """The number of the one in use."""
    _no_gpu()


def set_device(device: Any) -> None:
    """Use this one."""
    del device
    _no_gpu()


def get_device_name(device: Any = None) -> str:
    """Its name."""
    del device
    _no_gpu()


def get_device_properties(device: Any = None) -> Any:
    """What is known of it."""
    del device
    _no_gpu()

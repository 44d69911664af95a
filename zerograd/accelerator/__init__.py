"""The accelerator of this machine: there is none. Source: torch.accelerator."""

from __future__ import annotations

from typing import Any, Never

from zerograd import errors
from zerograd.runtime.devices import device


def _none() -> Never:
    raise errors.runtime(
        "there is no accelerator: zerograd computes on the CPU",
        hint="guard it with `if torch.accelerator.is_available():`",
    )


def is_available() -> bool:
    """Whether there is one: no."""
    return False


def device_count() -> int:
    """How many there are: none."""
    return 0


def current_accelerator(check_available: bool = False) -> device | None:
    """Its kind: ``None``."""
    del check_available
    return None


def current_device_index() -> int:
    """The number of the one in use: raises RuntimeError, as do the following."""
    _none()


current_device_idx = current_device_index


def set_device_index(device: Any) -> None:
    """Use this one."""
    del device
    _none()


set_device_idx = set_device_index


def synchronize(device: Any = None) -> None:
    """Wait for it."""
    del device
    _none()


def current_stream(device: Any = None) -> Any:
    """The queue of work in use."""
    del device
    _none()


def set_stream(stream: Any) -> None:
    """Use another queue of work."""
    del stream
    _none()

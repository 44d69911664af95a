"""Seeds and states of the default generator. Source: torch.random."""

from __future__ import annotations

import contextlib
from collections.abc import Generator as Iteration
from typing import Any

from zerograd import errors
from zerograd.tensor.generator import Generator, default_generator


def manual_seed(seed: int) -> Generator:
    """Start the default generator again from ``seed``, in [-2**63, 2**64); returns it.

    Source: torch.manual_seed.
    """
    return default_generator.manual_seed(_whole(seed))


def _whole(seed: Any) -> int:
    try:
        return int(seed)
    except ValueError:
        raise errors.value(f"a seed is a whole number, not {seed!r}") from None


def seed() -> int:
    """Seed the default generator from the system's entropy; returns the seed. Source: torch.seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the default generator began with. Source: torch.initial_seed."""
    return default_generator.initial_seed()


def get_rng_state() -> Any:
    """The state of the default generator: a uint8 tensor. Source: torch.get_rng_state."""
    return default_generator.get_state()


def set_rng_state(new_state: Any) -> None:
    """Continue from a state that ``get_rng_state`` gave. Source: torch.set_rng_state."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(
    devices: Any = None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: str | None = None,
) -> Iteration[None, None, None]:
    """Draws inside the block leave the default generator as it was before.

    Args:
        devices: accelerators whose generators to keep too; there are none.
        enabled: False makes the block an ordinary one.
        device_type: "meta" does so too, since nothing is drawn there.
    Source: torch.random.fork_rng.
    """
    if enabled and devices:
        raise errors.runtime(f"{_caller}: {_devices_kw} names {device_type or 'cuda'} devices, and there are none")
    if not enabled or device_type == "meta":
        yield
        return
    before = default_generator.get_state()
    try:
        yield
    finally:
        default_generator.set_state(before)


def thread_safe_generator() -> Generator | None:
    """The generator of a DataLoader's worker thread; workers are processes, so ``None``: the default one.

    Source: torch.random.thread_safe_generator.
    """
    return None


__all__ = [
    "Generator",
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
    "thread_safe_generator",
]

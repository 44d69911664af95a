"""Seeds of a GPU's random numbers: there is none to seed. Source: torch.cuda.random."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zerograd.cuda.absent import no_gpu


def manual_seed(seed: int) -> None:
    """Seed one GPU: nothing happens. The CPU is seeded by ``torch.manual_seed``."""
    int(seed)


def manual_seed_all(seed: int) -> None:
    """Seed every GPU: nothing happens."""
    int(seed)


def seed() -> None:
    """Seed one GPU by chance: nothing happens."""


def seed_all() -> None:
    """Seed every GPU by chance: nothing happens."""


def initial_seed() -> int:
    """The seed of a GPU: raises AssertionError."""
    no_gpu()


def get_rng_state(device: Any = "cuda") -> Any:
    """The state of a GPU's generator: raises AssertionError."""
    no_gpu()


def set_rng_state(new_state: Any, device: Any = "cuda") -> None:
    """Set the state of a GPU's generator: nothing happens, as in PyTorch before CUDA has started."""
    del new_state, device


def get_rng_state_all() -> list[Any]:
    """The states of all generators: none."""
    return []


def set_rng_state_all(new_states: Iterable[Any]) -> None:
    """Set the states of all generators."""
    for state in new_states:
        set_rng_state(state)

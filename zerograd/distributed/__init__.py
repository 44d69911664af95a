"""Several processes training together: not built yet, and said so. Source: torch.distributed."""

from __future__ import annotations

from typing import Any

from zerograd import errors


def is_available() -> bool:
    """Whether processes can train together: not yet."""
    return False


def is_initialized() -> bool:
    """Whether this process belongs to a group: no."""
    return False


def is_nccl_available() -> bool:
    """Whether NCCL is there: no."""
    return False


def is_gloo_available() -> bool:
    """Whether Gloo is there: no."""
    return False


def is_mpi_available() -> bool:
    """Whether MPI is used: no."""
    return False


def is_torchelastic_launched() -> bool:
    """Whether torchrun has started this process: no."""
    return False


def init_process_group(*args: Any, **kwargs: Any) -> None:
    """Refuses: RuntimeError."""
    raise errors.runtime(
        "zerograd has no process groups yet: it trains in one process",
        hint="run the program without its distributed option; torch.distributed.is_available() is False",
    )


def get_rank(group: Any = None) -> int:
    """Refuses without a group: ValueError, as in PyTorch."""
    raise errors.value("there is no process group, so this process has no rank")


def get_world_size(group: Any = None) -> int:
    """Refuses without a group: ValueError, as in PyTorch."""
    raise errors.value("there is no process group, so it has no size")


def destroy_process_group(group: Any = None) -> None:
    """Refuses, there is none: AssertionError."""
    raise AssertionError("there is no process group to end")


def barrier(*args: Any, **kwargs: Any) -> None:
    """Refuses, there is none to wait for: ValueError."""
    raise _no_group("barrier")


def all_reduce(*args: Any, **kwargs: Any) -> None:
    """Refuses, there is none to sum over: ValueError."""
    raise _no_group("all_reduce")


def broadcast(*args: Any, **kwargs: Any) -> None:
    """Refuses, there is none to send to: ValueError."""
    raise _no_group("broadcast")


def all_gather(*args: Any, **kwargs: Any) -> None:
    """Refuses, there is none to gather from: ValueError."""
    raise _no_group("all_gather")


def _no_group(name: str) -> ValueError:
    return errors.value(
        f"torch.distributed.{name}: there is no process group",
        hint="where torch.distributed.is_initialized() is False, one process trains alone",
    )

"""The names of PyTorch's attention kernels."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from enum import Enum
from typing import Any

from zerograd import errors


class SDPBackend(Enum):
    """PyTorch's attention kernels. Source: torch.nn.attention.SDPBackend."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextmanager
def sdpa_kernel(backends: Any, set_priority: bool = False) -> Generator[dict[str, object], None, None]:
    """Accepted; all kernels mean the same, and there is one here.

    Args:
        backends: members of `SDPBackend`, one or several.
    Raises:
        TypeError: something else than backends.
    Source: torch.nn.attention.sdpa_kernel.
    """
    chosen = [backends] if isinstance(backends, SDPBackend) else list(backends)
    for one in chosen:
        if not isinstance(one, SDPBackend):
            raise errors.type_(f"sdpa_kernel needs members of SDPBackend, got {one!r}")
    yield {}

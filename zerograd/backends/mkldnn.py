"""oneDNN, which is not used; its switches can be set and change nothing. Source: torch.backends.mkldnn."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

enabled = False
deterministic = False
allow_tf32 = True
fp32_precision = "none"


def is_available() -> bool:
    """Whether oneDNN is used: no."""
    return False


@contextlib.contextmanager
def flags(
    enabled: bool = False, deterministic: bool = False, allow_tf32: bool = True, fp32_precision: str = "none"
) -> Iterator[None]:
    """The switches inside a block."""
    switches = globals()
    given = {
        "enabled": enabled, "deterministic": deterministic, "allow_tf32": allow_tf32, "fp32_precision": fp32_precision,
    }  # fmt: skip
    before = {name: switches[name] for name in given}
    switches.update(given)
    try:
        yield
    finally:
        switches.update(before)

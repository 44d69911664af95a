"""Apple's GPUs, which are not used. Source: torch.backends.mps."""

from __future__ import annotations


def is_available() -> bool:
    """Whether tensors can be put there: no."""
    return False


def is_built() -> bool:
    """Whether there is any support for them: no."""
    return False


def is_macos_or_newer(major: int, minor: int) -> bool:
    """Whether this is macOS of that version, or newer."""
    import platform

    found = platform.mac_ver()[0]
    return bool(found) and tuple(int(one) for one in found.split(".")[:2]) >= (major, minor)


def is_macos13_or_newer(minor: int = 0) -> bool:
    """Whether this is macOS 13.``minor``, or newer."""
    return is_macos_or_newer(13, minor)

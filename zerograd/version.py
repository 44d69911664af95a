"""Which PyTorch this is a stand-in for, and the version of zerograd itself. Source: torch.version."""

from __future__ import annotations

zerograd = "0.1.0"
"""The version of this package."""

pytorch = "2.13.0"
"""The release of PyTorch whose meaning is followed."""

__version__ = f"{pytorch}+zerograd"
"""What programs read as ``torch.__version__``: they compare it with the PyTorch they need."""

debug = False
cuda: str | None = None
hip: str | None = None
xpu: str | None = None
rocm: str | None = None
git_version = "unknown"

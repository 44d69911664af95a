"""What supports training programs around the model: data loading, hooks, checkpointing.

Source: torch.utils.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any


def __getattr__(name: str) -> Any:
    """`torch.utils.data` works after `import torch` alone, as in PyTorch."""
    if not name.startswith("__") and find_spec(f"{__name__}.{name}") is not None:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"zerograd has no torch.utils.{name}")

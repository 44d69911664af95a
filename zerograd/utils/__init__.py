"""What supports training programs around the model: data loading, hooks, checkpointing.

Source: torch.utils.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerograd import lazily

if TYPE_CHECKING:
    from zerograd.utils import _pytree as _pytree
    from zerograd.utils import checkpoint, data, dlpack, hooks, model_zoo

# `torch.utils.data` works after `import torch` alone, as in PyTorch.
__getattr__, __dir__ = lazily.names(__name__, {}, modules="_pytree checkpoint data dlpack hooks model_zoo")

__all__ = ["checkpoint", "data", "dlpack", "hooks", "model_zoo"]

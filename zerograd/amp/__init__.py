"""Mixed precision: ``autocast`` and the scaling of gradients. Source: torch.amp."""

from zerograd.amp.autocast_mode import autocast, custom_bwd, custom_fwd, is_autocast_available
from zerograd.amp.grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]

"""Mixed precision on a GPU, by its old names: nothing is converted or scaled here. Source: torch.cuda.amp."""

from zerograd.cuda.amp.autocast_mode import autocast, custom_bwd, custom_fwd
from zerograd.cuda.amp.grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]

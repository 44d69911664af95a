"""``torch.amp.GradScaler`` for a GPU."""

from __future__ import annotations

from zerograd import amp


class GradScaler(amp.GradScaler):
    """``torch.amp.GradScaler("cuda")``: there is no GPU, so it warns and does nothing.

    Source: torch.cuda.amp.GradScaler.
    """

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)

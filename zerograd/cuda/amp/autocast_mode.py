"""``torch.amp.autocast`` for a GPU."""

from __future__ import annotations

import functools

from zerograd import amp, dtypes
from zerograd.dtypes import dtype


class autocast(amp.autocast):  # noqa: N801  PyTorch's own name
    """``torch.amp.autocast("cuda")``: there is no GPU, so the block warns and changes nothing.

    Source: torch.cuda.amp.autocast.
    """

    def __init__(self, enabled: bool = True, dtype: dtype = dtypes.float16, cache_enabled: bool = True) -> None:
        super().__init__("cuda", enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)


custom_fwd = functools.partial(amp.custom_fwd, device_type="cuda")
custom_bwd = functools.partial(amp.custom_bwd, device_type="cuda")

"""Marks for NVIDIA's profilers, which watch GPUs only. Source: torch.cuda.nvtx."""

from __future__ import annotations

from typing import Any, Never

from zerograd import errors


def _absent(msg: Any = None, *args: Any, **kwargs: Any) -> Never:
    raise errors.runtime("NVTX marks are for NVIDIA's profilers, and there is no GPU")


mark = range_push = range_pop = range_start = range_end = range = _absent

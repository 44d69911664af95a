"""Switches of CUDA computations, which do not happen here. Source: torch.backends.cuda."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class _Matmul:
    """How matrix products may round on a GPU."""

    allow_tf32: bool = False
    allow_fp16_reduced_precision_reduction: bool = True
    allow_bf16_reduced_precision_reduction: bool = True
    allow_fp16_accumulation: bool = False
    fp32_precision: str = "none"


@dataclass
class _PlanCache:
    """The plans of Fourier transforms that a GPU keeps."""

    size: int = 0
    max_size: int = 0

    def clear(self) -> None:
        """Nothing is kept."""


@dataclass
class _Attention:
    """Which attention kernels may be chosen on a GPU."""

    allowed: dict[str, bool] = field(
        default_factory=lambda: dict.fromkeys(("flash", "mem_efficient", "math", "cudnn"), True)
    )


matmul = _Matmul()
cufft_plan_cache = _PlanCache()
_attention = _Attention()


def is_built() -> bool:
    """Whether there is any CUDA support: no."""
    return False


def flash_sdp_enabled() -> bool:
    return _attention.allowed["flash"]


def enable_flash_sdp(enabled: bool) -> None:
    _attention.allowed["flash"] = bool(enabled)


def mem_efficient_sdp_enabled() -> bool:
    return _attention.allowed["mem_efficient"]


def enable_mem_efficient_sdp(enabled: bool) -> None:
    _attention.allowed["mem_efficient"] = bool(enabled)


def math_sdp_enabled() -> bool:
    return _attention.allowed["math"]


def enable_math_sdp(enabled: bool) -> None:
    _attention.allowed["math"] = bool(enabled)


def cudnn_sdp_enabled() -> bool:
    return _attention.allowed["cudnn"]


def enable_cudnn_sdp(enabled: bool) -> None:
    _attention.allowed["cudnn"] = bool(enabled)


def is_flash_attention_available() -> bool:
    """Whether the flash kernels for GPUs are there: no."""
    return False


@contextlib.contextmanager
def sdp_kernel(
    enable_flash: bool = True,
    enable_math: bool = True,
    enable_mem_efficient: bool = True,
    enable_cudnn: bool = True,
) -> Iterator[dict[str, bool]]:
    """Which attention kernels may be chosen inside a block; attention here has one way to be computed."""
    before = _attention.allowed
    _attention.allowed = {
        "flash": enable_flash, "mem_efficient": enable_mem_efficient, "math": enable_math, "cudnn": enable_cudnn,
    }  # fmt: skip
    try:
        yield {}
    finally:
        _attention.allowed = before

"""Arrays handed from library to library without a copy: DLPack. Source: torch.utils.dlpack."""

from __future__ import annotations

from typing import Any

from zerograd.tensor.functions.data import asarray

DLDeviceType = {"kDLCPU": 1}


def from_dlpack(ext_tensor: Any) -> Any:
    """A tensor over the memory of another library's array. Source: torch.utils.dlpack.from_dlpack."""
    return asarray(ext_tensor)


def to_dlpack(tensor: Any) -> Any:
    """A capsule over the memory of a tensor. Source: torch.utils.dlpack.to_dlpack."""
    return tensor.__dlpack__()

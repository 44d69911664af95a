"""Memory formats in numbers: the strides that tensors have in them."""

from __future__ import annotations

from typing import Any

from zerograd import errors
from zerograd.ir import layout as layouts
from zerograd.shapes import Shape, is_contiguous
from zerograd.tensor.formats import channels_last, channels_last_3d, contiguous_format, preserve_format

_ORDERS = {channels_last: layouts.CHANNELS_LAST, channels_last_3d: layouts.CHANNELS_LAST_3D}


def strides_in(format: Any, shape: Shape, strides: Shape) -> Shape | None:
    """The strides of a copy of a tensor in a memory format; ``None``: row-major.

    Raises:
        RuntimeError: channels_last for a tensor that has not 4 dimensions (3d: 5).
    """
    if format is None or format is preserve_format:
        return layouts.preserved_strides(shape, strides)
    if format is contiguous_format:
        return None
    if format not in _ORDERS:
        raise errors.type_(f"memory_format must be a torch.memory_format, got {format!r}")
    if len(shape) != len(_ORDERS[format]):
        raise errors.runtime(
            f"required rank {len(_ORDERS[format])} tensor to use {str(format).removeprefix('torch.')} format",
            shape=list(shape),
        )
    return layouts.in_order(shape, _ORDERS[format])


def is_in_format(format: Any, shape: Shape, strides: Shape) -> bool:
    """Whether a tensor lies in a memory format."""
    if format is None or format is contiguous_format:
        return is_contiguous(shape, strides)
    if format not in _ORDERS:
        raise errors.runtime(f"is_contiguous: unsupported memory format {format}")
    if len(shape) != len(_ORDERS[format]):
        return False
    return layouts.is_channels_last(shape, strides, _ORDERS[format])

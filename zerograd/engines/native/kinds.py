"""All modules that register kernels for ops (``lower.special``). A new kind of kernel is named here."""

from __future__ import annotations

from zerograd.engines.native import (
    columns,
    contraction,
    counting,
    moving,
    placing,
    representation,
    scans,
    searching,
    selecting,
    sorting,
)  # fmt: skip
from zerograd.engines.native.attention import lowering as attention
from zerograd.engines.native.convolutions import lowering as convolutions
from zerograd.engines.native.lower import SPECIAL
from zerograd.engines.native.pooling import lowering as pooling
from zerograd.engines.native.recurrent import lowering as recurrent

MODULES = (
    attention, columns, contraction, counting, moving, placing, representation, scans, searching, selecting, sorting,
    convolutions, pooling, recurrent,
)  # fmt: skip


def registered() -> tuple[str, ...]:
    """The ops that have kernels of their own kind."""
    return tuple(SPECIAL)

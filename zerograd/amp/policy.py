"""Which public functions compute in which type under autocast on the CPU.

The lists are those of PyTorch 2.13's CPU autocast, by the names of zerograd's bodies (``tensor/door.py``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.ir.graph import Node
from zerograd.ir.record import Autocast
from zerograd.ops.elementwise import cast

LOWER = frozenset(
    {
        "matmul", "linear", "mm", "bmm", "mv", "addmm", "addbmm", "baddbmm", "einsum", "tensordot", "vecdot",
        "convolution", "transposed_convolution", "conv_tbc", "prelu", "scaled_dot_product_attention",
    }
)  # fmt: skip
"""Computed in the lower precision: products, where it is quick and precise enough."""

FULL = frozenset(
    {
        "binary_cross_entropy", "binary_cross_entropy_with_logits", "cdist", "cosine_embedding_loss", "cross_entropy",
        "ctc_loss", "det", "grid_sample", "hinge_embedding_loss", "huber_loss", "inverse", "kl_div", "l1_loss",
        "margin_ranking_loss", "mse_loss", "multi_margin_loss", "multilabel_margin_loss", "nanquantile", "nll_loss",
        "poisson_nll_loss", "prod", "quantile", "smooth_l1_loss", "soft_margin_loss", "trace", "triplet_margin_loss",
    }
)  # fmt: skip
"""Computed in float32: losses, and what loses too much otherwise."""

WIDEST = frozenset({"cat", "stack", "index_copy"})
"""Computed in the widest type among the operands."""


def _converted(operands: Any, kind: dtype, replaced: tuple[dtype, ...]) -> Any:
    """The operands, those of the types ``replaced`` as ``kind``."""
    if isinstance(operands, Node):
        replace = operands.dtype in replaced and not operands.type.weak
        return cast(operands, dtype=kind) if replace else operands
    if isinstance(operands, tuple):
        return tuple([_converted(one, kind, replaced) for one in operands])
    return operands


def _float_types(operands: Any) -> set[dtype]:
    if isinstance(operands, Node):
        return set() if operands.type.weak or not operands.dtype.is_floating_point else {operands.dtype}
    return set().union(*map(_float_types, operands)) if isinstance(operands, tuple) else set()


@functools.cache
def conversion(lower: dtype) -> Autocast:
    """What autocast to ``lower`` does to the operands of a body; ``None`` where it has no say."""

    def convert(body: Callable[..., Any], operands: tuple[Any, ...]) -> tuple[Any, ...] | None:
        name = body.__name__.strip("_")
        if name in LOWER:
            return _converted(operands, lower, (dtypes.float32, dtypes.float16, dtypes.bfloat16))
        if name in FULL:
            return _converted(operands, dtypes.float32, (dtypes.float16, dtypes.bfloat16))
        if name in WIDEST and len(found := _float_types(operands)) > 1:
            widest = functools.reduce(dtypes.promote_types, found)
            return _converted(operands, widest, tuple(found - {widest}))
        return None

    return convert

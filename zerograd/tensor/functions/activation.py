"""The activation functions that tensors have as methods, besides those of ``pointwise``."""

from __future__ import annotations

from typing import Any

from zerograd import errors
from zerograd.ir.graph import Node
from zerograd.ops.elementwise import both, ge, gt, le, mul, where, zeroed_where
from zerograd.ops.movement import broadcast_to, reshape
from zerograd.ops.source import filled, zeros_like
from zerograd.tensor.door import accepts_out, apply, labelled, reading
from zerograd.tensor.functions.arguments import as_tensor_argument
from zerograd.tensor.functions.refusals import FLOATING, require


@reading
@labelled("HardshrinkBackward0")
def _hardshrink(x: Node, bound: float) -> Node:
    require("hardshrink", x, FLOATING)
    return zeroed_where(both(ge(x, filled(-bound, x.type)), le(x, filled(bound, x.type))), x)


@accepts_out
def hardshrink(input: Any, lambd: float = 0.5) -> Any:
    """``input`` with the elements in [-lambd, lambd] set to 0. Source: torch.nn.functional.hardshrink."""
    return apply(_hardshrink, (as_tensor_argument("hardshrink", "input", input),), (lambd,))


@reading
@labelled("PreluKernelBackward0")
def _prelu(x: Node, w: Node) -> Node:
    require("prelu", x, FLOATING)
    channels = x.shape[1] if x.rank > 1 else 1
    if w.dtype is not x.dtype:
        raise errors.runtime("prelu: type promoting not supported: the dtypes differ", input=x.type, weight=w.type)
    if w.type.count != 1 and (w.rank != 1 or w.type.count != channels):
        raise errors.runtime(
            f"prelu has a weight of {w.type.count} numbers for {channels} channels",
            input=x.type,
            weight=w.type,
            hint="the weight has one number, or one for each channel (dimension 1 of the input)",
        )
    row = reshape(w, shape=(w.type.count, *(1,) * max(x.rank - 2, 0)) if x.rank else ())
    return where(gt(x, zeros_like(x)), x, mul(broadcast_to(row, x.shape), x))


def prelu(input: Any, weight: Any) -> Any:
    """x where x > 0, else w x; ``weight`` has one number for all channels, or one for each.

    Raises:
        RuntimeError: as many numbers as neither.
    Source: torch.nn.functional.prelu.
    """
    return apply(_prelu, (as_tensor_argument("prelu", "input", input), weight))


METHODS = {"hardshrink": hardshrink, "prelu": prelu}
IN_PLACE = ()

"""Attention as one op: operands of any number of batch dimensions, which broadcast, become what the op takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import zip_longest

from zerograd.autograd.grad_mode import is_grad_enabled
from zerograd.dtypes import bool_, dtype
from zerograd.ir.graph import Node, TensorType
from zerograd.ops.attention import INSIDE, attention, weights_of
from zerograd.ops.contraction import matmul
from zerograd.ops.movement import permute, reshape
from zerograd.ops.source import filled
from zerograd.shapes import Shape, count
from zerograd.tensor.door import apply, broadcast_to, labelled
from zerograd.tensor.tensor import Tensor

FEW = 32  # queries
NEAR = 1 << 20  # weights that stay in a cache until their gradient needs them


def fits(kind: dtype, query: Shape, key: Shape, value: Shape, mask: Shape | None) -> bool:
    """Whether the op takes operands of this dtype and these shapes, and is better than the ops that it is made of.

    None may be empty, and they must match. Of few queries the weights are small, and products with few rows are good.
    """
    return kind.is_floating_point and _fit(tuple(query), tuple(key), tuple(value), mask)


@lru_cache(1 << 10)
def _fit(query: Shape, key: Shape, value: Shape, mask: Shape | None) -> bool:
    if query[-1] != key[-1] or key[-2] != value[-2] or not all(map(count, (query, key, value))):
        return False
    if query[-2] < FEW and key[-2] > 2 * query[-2]:
        return False
    batch = _common(query[:-2], key[:-2], value[:-2])
    if batch is None or mask is None:
        return batch is not None
    scores = (*batch, query[-2], key[-2])
    return _common(scores, mask) == scores


def _common(*shapes: Shape) -> Shape | None:
    """The shape that all of these broadcast to, if there is one."""
    found: list[int] = []
    for sizes in zip_longest(*map(reversed, shapes), fillvalue=1):
        different = set(sizes) - {1}
        if len(different) > 1:
            return None
        found.append(different.pop() if different else 1)
    return tuple(reversed(found))


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool, scale: float) -> Tensor:
    """Attention to operands that fit, with a mask that has no gradient."""
    kept = (
        not causal and mask is None and query.dtype.itemsize > 2  # half types would be rounded between the ops
        and is_grad_enabled() and any(one.requires_grad for one in (query, key, value))
        and _weights(query.shape, key.shape) <= NEAR
    )  # fmt: skip
    return apply(_attend, (query, key, value, mask), (bool(causal), float(scale), kept))


def _weights(query: Shape, key: Shape) -> int:
    """How many weights there are."""
    return max(count(query[:-2]), count(key[:-2])) * query[-2] * key[-2]


def _label(query: Node, *_: object) -> str:
    """As PyTorch's ways for these ranks end."""
    ends = {4: "ScaledDotProductFlashAttentionForCpuBackward0", 2: "MmBackward0"}
    return ends.get(query.rank, "UnsafeViewBackward0")


@labelled(_label)
def _attend(query: Node, key: Node, value: Node, mask: Node | None, causal: bool, scale: float, kept: bool) -> Node:
    """``kept``: the weights are, for the gradient. The op's own computes them again, a fifth of its products.

    That is better where it leaves out what causality masks, and where memory is far.
    """
    batch = _common(*(one.shape[:-2] for one in (query, key, value)))
    assert batch is not None, "the operands do not fit"
    parts = [_four(broadcast_to(one, (*batch, *one.shape[-2:]))) for one in (query, key, value)]
    if mask is None:
        allowed = filled(False, TensorType((0,), bool_))
    else:
        allowed = _four(broadcast_to(mask, (*batch, query.shape[-2], key.shape[-2])))
    if kept:
        weights = weights_of(parts[0], parts[1], allowed, causal, scale)
        return _like(matmul(weights, parts[2]), (*batch, query.shape[-2], value.shape[-1]))
    out, _ = attention(*parts, allowed, causal=causal, scale=scale)
    return _like(permute(out, order=INSIDE), (*batch, query.shape[-2], value.shape[-1]))


def _four(x: Node) -> Node:
    """Four dimensions: those before the last three become one."""
    lead = (1, 1, *x.shape[:-2])
    return _like(x, (count(lead[:-1]), lead[-1], *x.shape[-2:]))


def _like(x: Node, shape: Sequence[int]) -> Node:
    return x if x.shape == tuple(shape) else reshape(x, shape=tuple(shape))


__all__ = ["attend", "fits"]

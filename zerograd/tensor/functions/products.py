"""Products of vectors and matrices."""

from __future__ import annotations

from typing import Any

from zerograd import errors
from zerograd.ir.graph import Node
from zerograd.ops import contraction, elementwise
from zerograd.ops.movement import broadcast_to, reshape
from zerograd.shapes import broadcast
from zerograd.tensor.door import accepts_out, apply, binary, labelled


def matmul_nodes(x: Node, y: Node) -> Node:
    """The product with PyTorch's rules for vectors and batches."""
    if not x.rank or not y.rank:
        raise errors.runtime(
            "matmul needs vectors or matrices, not single numbers", left=x.type, right=y.type, hint="use * for numbers"
        )
    if x.dtype is not y.dtype:
        raise errors.runtime(
            f"matmul needs operands of one dtype, got {x.dtype.name} and {y.dtype.name}",
            left=x.type,
            right=y.type,
            hint=f"convert one of them, e.g. right.to(torch.{x.dtype.name})",
        )
    left = reshape(x, shape=(1, *x.shape)) if x.rank == 1 else x
    right = reshape(y, shape=(*y.shape, 1)) if y.rank == 1 else y
    rows, columns = left.shape[-2], right.shape[-1]
    if right.rank == 2 and left.rank > 2:  # one tall product instead of many
        flat = reshape(left, shape=(-1 if 0 in left.shape else _count(left.shape[:-1]), left.shape[-1]))
        if 0 not in left.shape:
            out = contraction.matmul(flat, right)
            out = reshape(out, shape=(*left.shape[:-1], columns))
            return reshape(out, shape=(*x.shape[:-1],)) if y.rank == 1 else out
    batch = broadcast("matmul", left.shape[:-2], right.shape[:-2])
    out = contraction.matmul(
        broadcast_to(left, (*batch, *left.shape[-2:])), broadcast_to(right, (*batch, *right.shape[-2:]))
    )
    if x.rank == 1 or y.rank == 1:
        shape = [*batch, *([] if x.rank == 1 else [rows]), *([] if y.rank == 1 else [columns])]
        out = reshape(out, shape=tuple(shape))
    return out


def _count(shape: tuple[int, ...]) -> int:
    result = 1
    for size in shape:
        result *= size
    return result


@labelled("MmBackward0")
def _matmul(x: Node, y: Node) -> Node:
    """The matrix product, batched and with vectors. Source: torch.matmul."""
    return matmul_nodes(x, y)


@labelled("AddmmBackward0")
def _linear(x: Node, weight: Node, bias: Node | None) -> Node:
    if weight.rank == 2:
        weight = contraction.turn(weight)
    elif weight.rank != 1:
        raise errors.runtime("linear: weight must have one or two dimensions", weight=weight.type)
    out = matmul_nodes(x, weight)
    return out if bias is None else elementwise.add(out, broadcast_to(bias, out.shape))


matmul = accepts_out(binary(_matmul))


def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """``input @ weight.T + bias``. Source: torch.nn.functional.linear."""
    return apply(_linear, (input, weight, bias))


def rmatmul(input: Any, other: Any) -> Any:
    """``other @ input``."""
    return matmul(other, input)


METHODS = {"matmul": matmul, "__matmul__": matmul, "__rmatmul__": rmatmul}
IN_PLACE = ()

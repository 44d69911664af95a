"""Diagonals and triangles of matrices."""

from __future__ import annotations

from typing import Any

from zerograd import dtypes, errors, shapes
from zerograd.ir.graph import Node
from zerograd.ops import reduction
from zerograd.ops.elementwise import convert, where
from zerograd.ops.movement import broadcast_to, reshape
from zerograd.ops.source import filled, triangle, zeros_like
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import accepts_out, apply, labelled
from zerograd.tensor.functions.arguments import as_tensor_argument, integer
from zerograd.tensor.functions.viewing import diagonal
from zerograd.tensor.strided import Diagonal


def _lower(x: Node, shift: int) -> Node:
    return broadcast_to(triangle(shape=x.shape[-2:], diagonal=shift), x.shape)


def _tril(x: Node, shift: int) -> Node:
    return where(_lower(x, shift), x, zeros_like(x))


def _triu(x: Node, shift: int) -> Node:
    return where(_lower(x, shift - 1), zeros_like(x), x)


def _triangular(name: str, body: Any, input: Any, shift: int) -> Any:
    as_tensor_argument(name, "input", input)
    if len(input._shape) < 2:
        raise errors.runtime(f"{name} is of matrices", input=input._type)
    return apply(body, (input,), (integer(shift, "diagonal"),))


@accepts_out
def tril(input: Any, diagonal: int = 0) -> Any:
    """Zeros above a diagonal of the last two dimensions. Source: torch.tril."""
    return _triangular("tril", _tril, input, diagonal)


@accepts_out
def triu(input: Any, diagonal: int = 0) -> Any:
    """Zeros below a diagonal of the last two dimensions. Source: torch.triu."""
    return _triangular("triu", _triu, input, diagonal)


@labelled("DiagEmbedBackward0")
def _diag_embed(x: Node, shift: int, axis1: int, axis2: int) -> Node:
    size = x.shape[-1] + abs(shift)
    rest = iter(x.shape[:-1])
    shape = tuple(size if i in (axis1, axis2) else next(rest) for i in range(x.rank + 1))
    step = Diagonal(shift, axis1, axis2)
    return step.write(filled(0, x.type.with_shape(shape)), x)


def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Matrices with the last dimension of ``input`` on a diagonal. Source: torch.diag_embed."""
    as_tensor_argument("diag_embed", "input", input)
    rank = len(input._shape) + 1
    axis1, axis2 = shapes.axis(dim1, rank), shapes.axis(dim2, rank)
    if axis1 == axis2:
        raise errors.runtime(
            f"diag_embed: a diagonal goes through two dimensions, but {dim1} and {dim2} are the same one"
        )
    return apply(_diag_embed, (input,), (offset, axis1, axis2))


@labelled("DiagonalBackward0")
def _diagonal_copy(x: Node, step: Diagonal) -> Node:
    found = step.read(x)
    return reshape(found, shape=found.shape)


@accepts_out
def diag(input: Any, diagonal: int = 0) -> Any:
    """A matrix with a vector on its diagonal, or the diagonal of a matrix. Source: torch.diag."""
    rank = len(as_tensor_argument("diag", "input", input)._shape)
    if rank == 1:
        return diag_embed(input, diagonal)
    if rank != 2:
        raise errors.runtime(
            "diag is of a vector or a matrix", input=input._type, hint="torch.diag_embed, or .diagonal"
        )
    return apply(_diagonal_copy, (input,), (Diagonal(diagonal, 0, 1),))


def diagflat(input: Any, offset: int = 0) -> Any:
    """A matrix with the elements of ``input`` on a diagonal. Source: torch.diagflat."""
    return diag_embed(input.reshape(-1), offset)


def _trace(x: Node) -> Node:
    kind = x.dtype if x.dtype.is_inexact else dtypes.int64
    line = convert(Diagonal(0, 0, 1).read(x), kind)
    return reshape(reduction.sum(line, axes=(0,)), shape=())


def trace(input: Any) -> Any:
    """The sum of the diagonal of a matrix. Source: torch.trace."""
    if len(as_tensor_argument("trace", "input", input)._shape) != 2:
        raise errors.runtime("trace: expected a matrix", input=input._type)
    return apply(_trace, (input,))


def fill_diagonal_(input: TensorBase, fill_value: Any, wrap: bool = False) -> Any:
    """``fill_value`` on the main diagonal, in place; ``wrap`` starts anew below a tall matrix.

    Source: torch.Tensor.fill_diagonal_.
    """
    shape = input._shape
    if len(shape) < 2:
        raise errors.runtime("fill_diagonal_ needs at least 2 dimensions", input=input._type)
    if len(shape) > 2 and len(set(shape)) > 1:
        raise errors.runtime("fill_diagonal_ of more than 2 dimensions needs them equally long", input=input._type)
    if len(shape) == 2:
        rows, columns = shape
        height = columns + 1
        starts = range(0, rows if wrap else 1, height) if columns else ()
        for start in starts:
            diagonal(input[start : start + columns], 0, 0, 1).fill_(fill_value)
        return input
    step = sum(input.stride())
    input.as_strided((shape[0],), (step,)).fill_(fill_value)
    return input


METHODS = {
    "tril": tril, "triu": triu, "diag": diag, "diag_embed": diag_embed, "diagflat": diagflat, "trace": trace,
    "fill_diagonal_": fill_diagonal_,
}  # fmt: skip
IN_PLACE = ("tril", "triu")

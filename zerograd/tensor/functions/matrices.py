"""Functions of matrices that are composed of solutions and factorizations."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from zerograd import errors
from zerograd.ir.graph import Node
from zerograd.ops import contraction, linalg
from zerograd.ops.elementwise import add, mul, sub
from zerograd.ops.movement import broadcast_to
from zerograd.ops.source import filled
from zerograd.shapes import broadcast
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import accepts_out, apply, labelled
from zerograd.tensor.functions.creation import zeros
from zerograd.tensor.functions.factorization import eigh, eigvalsh, lu_unpack, svd, svdvals
from zerograd.tensor.functions.named_results import named_result
from zerograd.tensor.functions.products import matmul
from zerograd.tensor.functions.ranges import eye
from zerograd.tensor.functions.solving import inv, solve, square

# --- what is composed of these ----------------------------------------------------------------------------------


@accepts_out
def matrix_power(A: Any, n: int) -> Any:
    """A multiplied n times with itself; negative n inverts. Source: torch.linalg.matrix_power."""
    if len(A._shape) < 2 or A._shape[-1] != A._shape[-2]:
        raise errors.runtime("linalg.matrix_power: needs square matrices", A=A._type)
    if n == 0:
        return eye(A._shape[-1], dtype=A.dtype).expand(A._shape).clone()
    base = inv(A) if n < 0 else A
    result: Any = None
    n = builtins.abs(n)
    while n:
        if n & 1:
            result = base if result is None else matmul(result, base)
        n >>= 1
        if n:
            base = matmul(base, base)
    return result.clone() if result is A else result


@labelled("LinalgMatrixExpBackward0")
def _matrix_exp(x: Node, squarings: int) -> Node:
    """Scaling and squaring with a Taylor polynomial of degree 18, in float64 accuracy for norms up to 1."""
    square("linalg.matrix_exp", x)
    scaled = mul(x, filled(2.0**-squarings, x.type))
    identity = linalg.with_diagonal(filled(0, x.type), filled(1, linalg.diagonal_of(x).type))
    result = identity
    for k in range(18, 0, -1):
        result = add(identity, mul(contraction.matmul(scaled, result), filled(1 / k, x.type)))
    for _ in range(squarings):
        result = contraction.matmul(result, result)
    return result


def matrix_exp(A: Any) -> Any:
    """The exponential of square matrices. Source: torch.linalg.matrix_exp."""
    import math

    import numpy as np

    largest = float(np.abs(A.detach()._array()).sum(-1).max(initial=0.0)) if A._type.count else 0.0
    squarings = builtins.max(0, math.ceil(math.log2(largest)) + 1) if 0 < largest < math.inf else 0
    return apply(_matrix_exp, (A,), (squarings,))


def matrix_norm(A: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None) -> Any:
    """A norm of matrices: 'fro', 'nuc', inf, -inf, 1, -1, 2, -2. Source: torch.linalg.matrix_norm."""
    from zerograd.shapes import axes

    rank = len(A._shape)
    dims = axes(dim, rank)
    if len(dims) != 2:
        raise errors.runtime(f"linalg.matrix_norm: dim must be two dimensions, got {dim}")
    x = A if dtype is None else A.to(dtype)
    if ord == "fro":
        return x.abs().square().sum(dims, keepdim).sqrt() if not x.requires_grad else vector_norm_of(x, dims, keepdim)
    if ord in (2, -2, "nuc"):
        others = [i for i in range(rank) if i not in dims]
        values = svdvals(x.permute(*others, *dims))
        found = values.sum(-1) if ord == "nuc" else _largest(values, -1) if ord == 2 else values.amin(-1)
        return found.reshape([1 if i in dims else n for i, n in enumerate(A._shape)]) if keepdim else found
    if ord not in (1, -1, float("inf"), float("-inf")):
        raise errors.runtime(
            f"linalg.matrix_norm: order {ord!r} is not supported",
            hint="use 'fro', 'nuc', inf, 1 or 2, or their negatives",
        )
    inner, outer = dims if builtins.abs(ord) == 1 else dims[::-1]
    sums = x.abs().sum(inner, True)
    found = _largest(sums, outer, True) if ord > 0 else sums.amin(outer, True)
    return found if keepdim else found.squeeze(dims)


def _largest(sizes: Any, dim: int, keepdim: bool = False) -> Any:
    """The maximum of what is not negative; 0 where there is nothing."""
    return sizes.amax(dim, keepdim) if sizes._shape[dim] else sizes.sum(dim, keepdim)


def vector_norm_of(x: Any, dims: Any, keepdim: bool) -> Any:
    from zerograd.tensor.functions.norms import vector_norm

    return vector_norm(x, 2, dims, keepdim)


@accepts_out
def norm(A: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """A vector or matrix norm, by ``ord`` and ``dim``. Source: torch.linalg.norm."""
    from zerograd.tensor.functions.norms import vector_norm

    if ord is not None:
        matrix = (
            isinstance(ord, str)
            or (dim is None and len(A._shape) == 2)
            or (isinstance(dim, list | tuple) and len(dim) == 2)
        )
        if dim is None and len(A._shape) not in (1, 2):
            raise errors.runtime(
                f"linalg.norm: with ord and no dim, A must have 1 or 2 dimensions, got {len(A._shape)}"
            )
        if matrix:
            if dim is None and len(A._shape) != 2:
                raise errors.runtime(f"linalg.norm: order {ord!r} is for matrices, got {len(A._shape)} dimensions")
            return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)


def cond(A: Any, p: Any = None) -> Any:
    """The condition number with respect to inversion. Source: torch.linalg.cond."""
    if p in (None, 2, -2):
        values = svdvals(A)
        return values[..., 0] / values[..., -1] if p != -2 else values[..., -1] / values[..., 0]
    return matrix_norm(A, p) * matrix_norm(inv(A), p)


def _cutoff(values: Any, A: Any, atol: Any, rtol: Any, tol: Any = None) -> Any:
    """The size below which singular values count as zero."""
    largest = values.amax(-1, True) if values._shape[-1] else values.sum(-1, True)
    if tol is not None:
        atol, rtol = tol, 0.0
    if rtol is None:
        rtol = (
            0.0
            if atol is not None and not _all_zero(atol)
            else float(np.finfo(A.dtype.numpy).eps) * builtins.max(A._shape[-2:])
        )
    absolute = 0.0 if atol is None else atol.unsqueeze(-1) if isinstance(atol, TensorBase) else atol
    relative = rtol.unsqueeze(-1) if isinstance(rtol, TensorBase) else rtol
    return (
        (largest * relative).clamp_min(absolute)
        if not isinstance(absolute, TensorBase)
        else (largest * relative).maximum(absolute)
    )


def _all_zero(value: Any) -> bool:
    return not isinstance(value, TensorBase) and value == 0


def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Any:
    """How many singular values are not negligible. Source: torch.linalg.matrix_rank."""
    values = eigvalsh(A).abs() if hermitian else svdvals(A)
    return (values > _cutoff(values, A, atol, rtol, tol)).sum(-1)


def pinv(A: Any, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Any:
    """The Moore-Penrose inverse, from the singular value decomposition. Source: torch.linalg.pinv."""
    rtol = rcond if rtol is None else rtol
    if not A._type.count:
        return zeros((*A._shape[:-2], A._shape[-1], A._shape[-2]), dtype=A.dtype)
    if hermitian:
        values, vectors = eigh(A)
        kept = values.abs() > _cutoff(values.abs(), A, atol, rtol)
        inverse_values = _where_zero(kept, values)
        return matmul(vectors * inverse_values.unsqueeze(-2).to(A.dtype), vectors.mH)
    u, s, vh = svd(A, False)
    inverse_values = _where_zero(s > _cutoff(s, A, atol, rtol), s)
    return matmul(vh.mH * inverse_values.unsqueeze(-2).to(A.dtype), u.mH)


def _where_zero(kept: Any, values: Any) -> Any:
    """1 / values where kept, else 0, without dividing by what is not."""
    safe = values.masked_fill(~kept, 1.0)
    return (1.0 / safe).masked_fill(~kept, 0.0)


lstsq_result = named_result("linalg_lstsq", "solution residuals rank singular_values")


def lstsq(A: Any, B: Any, rcond: Any = None, *, driver: str | None = None) -> Any:
    """The X that minimises |A X - B|. Source: torch.linalg.lstsq."""
    vector = B._shape == A._shape[:-1]
    right = B.unsqueeze(-1) if vector else B
    solution = matmul(pinv(A, rtol=rcond), right)
    m, n = A._shape[-2:]
    rank = matrix_rank(A.detach(), rtol=rcond)
    full = m > n and bool((rank == n).all())
    residuals = (matmul(A, solution) - right).abs().square().sum(-2) if full else zeros(0, dtype=A.dtype.to_real())
    values = svdvals(A.detach()) if driver in ("gelss", "gelsd") else zeros(0, dtype=A.dtype.to_real())
    return lstsq_result((solution.squeeze(-1) if vector else solution, residuals, rank, values))


def vecdot(x: Any, y: Any, *, dim: int = -1) -> Any:
    """Dot products along a dimension, the first operand conjugated. Source: torch.linalg.vecdot."""
    return (x.conj() * y).sum(dim) if x.dtype.is_complex else (x * y).sum(dim)


@labelled("LinalgCrossBackward0")
def _cross(x: Node, y: Node, dim: int) -> Node:
    from zerograd.ops.movement import cat, narrow
    from zerograd.shapes import axis
    from zerograd.tensor.door import promote

    x, y = promote(x, y)
    shape = broadcast("linalg.cross", x.shape, y.shape)
    x, y = broadcast_to(x, shape), broadcast_to(y, shape)
    at = axis(dim, len(shape))
    if shape[at] != 3:
        raise errors.runtime(
            f"linalg.cross: dimension {dim} must have size 3, got {shape[at]}", input=x.type, other=y.type
        )

    def part(z: Node, i: int) -> Node:
        return narrow(z, at, i, i + 1)

    pieces = [sub(mul(part(x, j), part(y, k)), mul(part(x, k), part(y, j))) for j, k in ((1, 2), (2, 0), (0, 1))]
    return cat(*pieces, axis=at)


@accepts_out
def cross(input: Any, other: Any, *, dim: int = -1) -> Any:
    """The cross product along a dimension of size 3. Source: torch.linalg.cross."""
    return apply(_cross, (input, other), (dim,))


def old_cross(input: Any, other: Any, dim: int | None = None) -> Any:
    """The cross product along ``dim``, or the first dimension of size 3. Source: torch.cross."""
    if dim is None:
        sizes = broadcast("cross", input._shape, other._shape)
        if 3 not in sizes:
            raise errors.runtime("cross: no dimension has size 3", input=input._type, other=other._type)
        dim = sizes.index(3)
    return cross(input, other, dim=dim)


def tensorinv(A: Any, ind: int = 2) -> Any:
    """The inverse with respect to tensordot. Source: torch.linalg.tensorinv."""
    rows, columns = A._shape[:ind], A._shape[ind:]
    size = 1
    for n in columns:
        size *= n
    return inv(A.reshape(-1, size)).reshape(*columns, *rows)


def tensorsolve(A: Any, B: Any, dims: Any = None) -> Any:
    """The X with tensordot(A, X) = B. Source: torch.linalg.tensorsolve."""
    if dims is not None:
        rank = len(A._shape)
        A = A.movedim(tuple(dims), tuple(range(rank - len(dims), rank)))
    shape = A._shape[len(B._shape) :]
    return solve(A.reshape(B._type.count, -1), B.reshape(-1)).reshape(shape)


def householder_product(A: Any, tau: Any) -> Any:
    """The product of Householder reflections, as geqrf stores them. Source: torch.linalg.householder_product."""
    m, n = A._shape[-2:]
    result = eye(m, dtype=A.dtype).expand(*A._shape[:-2], m, m)
    strict = A.tril(-1)
    for i in range(tau._shape[-1]):
        one = eye(m, dtype=A.dtype)[:, i]
        v = (strict[..., :, i] + one).unsqueeze(-1)
        result = result - matmul(matmul(result, v), v.mH) * tau[..., i, None, None]
    return result[..., :n]


def lu_solve(LU: Any, pivots: Any, B: Any, *, left: bool = True, adjoint: bool = False) -> Any:
    """The X with A @ X = B, given ``lu_factor(A)``. Source: torch.linalg.lu_solve."""
    permutation, lower, upper = lu_unpack(LU, pivots)
    whole = matmul(permutation, matmul(lower, upper))
    return solve(whole.mH if adjoint else whole, B, left=left)


METHODS = {"matrix_power": matrix_power, "matrix_exp": matrix_exp, "pinverse": pinv, "cross": old_cross}
IN_PLACE = ()

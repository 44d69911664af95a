"""Factorizations of matrices: Cholesky, QR, eigenvalues, singular values, LU."""

from __future__ import annotations

from typing import Any

from zerograd import errors
from zerograd.dtypes import int32
from zerograd.ir.graph import Node
from zerograd.ops import contraction, elementwise, linalg
from zerograd.ops.elementwise import add, sub
from zerograd.ops.linalg import adjoint
from zerograd.ops.movement import broadcast_to
from zerograd.ops.source import filled
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import accepts_out, apply, labelled
from zerograd.tensor.functions.creation import zeros
from zerograd.tensor.functions.named_results import named_result
from zerograd.tensor.functions.ranges import eye
from zerograd.tensor.functions.solving import matrices, now, square

# --- factorizations -----------------------------------------------------------------------------------------


@labelled("LinalgCholeskyExBackward0")
def _cholesky(x: Node, upper: bool) -> Node:
    square("linalg.cholesky", x)
    if upper:
        return adjoint(linalg.cholesky(adjoint(x)))
    return linalg.cholesky(x)


@accepts_out
def cholesky(A: Any, *, upper: bool = False) -> Any:
    """The triangular L with L @ L^H = A (or U with U^H @ U = A), for positive-definite A.

    Raises:
        LinAlgError: A is not positive-definite.
    Source: torch.linalg.cholesky.
    """
    return now(apply(_cholesky, (A,), (upper,)))


def old_cholesky(input: Any, upper: bool = False) -> Any:
    """torch.cholesky, the older name. Source: torch.cholesky."""
    return cholesky(input, upper=upper)


cholesky_ex_result = named_result("linalg_cholesky_ex", "L info")


def cholesky_ex(A: Any, *, upper: bool = False, check_errors: bool = False) -> Any:
    """The Cholesky factor, and 0 for each matrix. Source: torch.linalg.cholesky_ex."""
    return cholesky_ex_result((cholesky(A, upper=upper), zeros(A._shape[:-2], dtype=int32)))


qr_result = named_result("linalg_qr", "Q R")


@labelled("LinalgQrBackward0")
def _qr(x: Node, mode: str) -> tuple[Node, Node]:
    matrices("linalg.qr", x)
    return linalg.qr(x, mode=mode)


@accepts_out
def qr(A: Any, mode: str = "reduced") -> Any:
    """(Q, R) with Q @ R = A, Q with orthonormal columns, R upper triangular.

    Args:
        mode: ``reduced``, ``complete`` or ``r`` (R alone, without gradients).
    Source: torch.linalg.qr.
    """
    if mode not in ("reduced", "complete", "r"):
        raise errors.runtime(f"linalg.qr: mode must be 'reduced', 'complete' or 'r', got {mode!r}")
    if mode == "r":
        if A.requires_grad:
            raise errors.runtime("linalg.qr: mode='r' has no gradient", hint="use mode='reduced'")
        return qr_result((zeros(0, dtype=A.dtype), apply(_qr, (A,), ("reduced",))[1]))
    return qr_result(apply(_qr, (A,), (mode,)))


old_qr_result = named_result("qr", "Q R")


def old_qr(input: Any, some: bool = True) -> Any:
    """torch.qr, the older name. Source: torch.qr."""
    return old_qr_result(qr(input, "reduced" if some else "complete"))


eigh_result = named_result("linalg_eigh", "eigenvalues eigenvectors")


@labelled("LinalgEighBackward0")
def _eigh(x: Node, upper: bool) -> tuple[Node, Node]:
    square("linalg.eigh", x)
    return linalg.eigh(x, upper=upper)


def _triangle(UPLO: str) -> bool:
    if UPLO.upper() not in ("L", "U"):
        raise errors.runtime(f"linalg.eigh: UPLO must be 'L' or 'U', got {UPLO!r}")
    return UPLO.upper() == "U"


@accepts_out
def eigh(A: Any, UPLO: str = "L") -> Any:
    """(eigenvalues ascending, eigenvectors as columns) of Hermitian matrices. Source: torch.linalg.eigh."""
    return now(eigh_result(apply(_eigh, (A,), (_triangle(UPLO),))))


@accepts_out
def eigvalsh(A: Any, UPLO: str = "L") -> Any:
    """The eigenvalues of Hermitian matrices, ascending. Source: torch.linalg.eigvalsh."""
    return eigh(A, UPLO)[0]


eig_result = named_result("linalg_eig", "eigenvalues eigenvectors")


@labelled("LinalgEigBackward0")
def _eig(x: Node) -> tuple[Node, Node]:
    square("linalg.eig", x)
    return linalg.eig(x)


@accepts_out
def eig(A: Any) -> Any:
    """(eigenvalues, eigenvectors as columns), complex. Source: torch.linalg.eig."""
    return now(eig_result(apply(_eig, (A,))))


@accepts_out
def eigvals(A: Any) -> Any:
    """The eigenvalues, complex. Source: torch.linalg.eigvals."""
    return eig(A)[0]


svd_result = named_result("linalg_svd", "U S Vh")


@labelled("LinalgSvdBackward0")
def _svd(x: Node, full: bool) -> tuple[Node, ...]:
    matrices("linalg.svd", x)
    return linalg.svd(x, full=full)


@accepts_out
def svd(A: Any, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """(U, S, Vh) with U @ diag(S) @ Vh = A, S descending. Source: torch.linalg.svd."""
    return now(svd_result(apply(_svd, (A,), (full_matrices,))))


@accepts_out
def svdvals(A: Any, *, driver: str | None = None) -> Any:
    """The singular values, descending. Source: torch.linalg.svdvals."""
    return svd(A, False)[1]


old_svd_result = named_result("svd", "U S V")


def old_svd(input: Any, some: bool = True, compute_uv: bool = True) -> Any:
    """torch.svd, the older form: V instead of its adjoint. Source: torch.svd."""
    u, s, vh = svd(input, not some)
    return old_svd_result((u, s, vh.mH))


# --- LU ---------------------------------------------------------------------------------------------------------

lu_factor_result = named_result("linalg_lu_factor", "LU pivots")
lu_result = named_result("linalg_lu", "P L U")


def _lu(x: Node) -> tuple[Node, Node]:
    matrices("linalg.lu_factor", x)
    return linalg.lu_factor(x)


def _permutation(pivots: Any, n: int) -> Any:
    """The permutation matrix P of A = P L U, for 1-based row swaps."""
    import numpy as np

    swaps = pivots._array().reshape(-1, pivots._shape[-1])
    rows = np.tile(np.arange(n), (swaps.shape[0], 1))
    for k in range(swaps.shape[1]):
        at, other = np.arange(len(rows)), swaps[:, k] - 1
        rows[at, k], rows[at, other] = rows[at, other], rows[at, k].copy()
    matrix = np.swapaxes(np.eye(n)[rows], -1, -2)
    return matrix.reshape(*pivots._shape[:-1], n, n)


def _constant(array: Any, kind: Any) -> Any:
    import numpy as np

    from zerograd.ir.graph import TensorType

    made = np.ascontiguousarray(array.astype(kind.numpy))
    return TensorBase.of_array(made, TensorType(made.shape, kind))


def _differentiable_lu(A: Any) -> tuple[Any, Any, Any, Any]:
    """(P, L, U, pivots), with gradients through L and U."""
    factors, pivots = apply(_lu, (A.detach(),))
    permutation = _constant(_permutation(pivots, A._shape[-2]), A.dtype)
    lower, upper = apply(_lu_parts, (A, factors, permutation))
    return permutation, lower, upper, pivots


@labelled("LinalgLuBackward0")
def _lu_parts(a: Node, factors: Node, permutation: Node) -> tuple[Node, Node]:
    lower, upper = _unpack(factors)
    if not a.tracked:
        return lower, upper
    # dL = L tril(L^-1 P^T dA U^-1, -1) and dU = triu(...) U: written so that differentiating this value-neutral
    # form gives the right gradient, at every order that the factors' own values allow.
    m, n = a.shape[-2:]
    if m != n:
        raise errors.runtime("linalg.lu: gradients are there for square matrices only", input=a.type)
    turned = matmul_(adjoint(permutation), a)
    inner = linalg.solve_triangular(lower, turned, upper=False, unit=True)
    inner = adjoint(linalg.solve_triangular(adjoint(upper), adjoint(inner), upper=False, unit=False))
    lower_part = linalg.keep("strict", inner)
    upper_part = sub(inner, lower_part)
    still = elementwise.stop
    moved_lower = add(lower, matmul_(lower, sub(lower_part, still(lower_part))))
    moved_upper = add(upper, matmul_(sub(upper_part, still(upper_part)), upper))
    return moved_lower, moved_upper


matmul_ = contraction.matmul


def _unpack(factors: Node) -> tuple[Node, Node]:
    m, n = factors.shape[-2:]
    k = min(m, n)
    strict = linalg._columns(linalg.keep("strict", factors), 0, k)
    lower = (
        linalg.with_diagonal(strict, filled(1, linalg.diagonal_of(linalg._rows(strict, k)).type)) if m == k else strict
    )
    if m != k:
        from zerograd.dtypes import bool_
        from zerograd.ops.source import diagonal_ones

        ones = broadcast_to(diagonal_ones(shape=(m, k), dtype=bool_), strict.shape)
        lower = elementwise.where(ones, filled(1, strict.type), strict)
    upper = linalg._rows(sub(factors, linalg.keep("strict", factors)), k)
    return lower, upper


def lu_factor(A: Any, *, pivot: bool = True) -> Any:
    """(both factors in one matrix, 1-based row swaps). Source: torch.linalg.lu_factor."""
    if not A.requires_grad:
        return lu_factor_result(apply(_lu, (A,)))
    _, lower, upper, pivots = _differentiable_lu(A)
    strict = lower - eye(A._shape[-1], dtype=A.dtype)
    return lu_factor_result((strict + upper, pivots))


def lu(A: Any, *, pivot: bool = True) -> Any:
    """(P, L, U) with P @ L @ U = A. Source: torch.linalg.lu."""
    return lu_result(_differentiable_lu(A)[:3])


def lu_unpack(LU_data: Any, LU_pivots: Any, unpack_data: bool = True, unpack_pivots: bool = True) -> Any:
    """(P, L, U) from what ``lu_factor`` gives. Source: torch.lu_unpack."""
    permutation = _constant(_permutation(LU_pivots, LU_data._shape[-2]), LU_data.dtype)
    lower, upper = apply(_unpack, (LU_data,))
    return named_result("lu_unpack", "P L U")((permutation, lower, upper))


METHODS = {"cholesky": old_cholesky, "qr": old_qr, "svd": old_svd}
IN_PLACE = ()

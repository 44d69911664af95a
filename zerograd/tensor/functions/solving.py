"""Inverses, solutions and determinants of matrices.

What can fail for some values (a singular matrix) is computed at the call, so that the error surfaces there.
"""

from __future__ import annotations

from typing import Any

from zerograd import errors
from zerograd.dtypes import int32
from zerograd.ir.graph import Node
from zerograd.ops import contraction, linalg
from zerograd.ops.movement import broadcast_to, reshape
from zerograd.shapes import broadcast
from zerograd.tensor.door import accepts_out, apply, labelled
from zerograd.tensor.functions.creation import zeros
from zerograd.tensor.functions.named_results import named_result
from zerograd.tensor.functions.products import same_dtype
from zerograd.tensor.functions.ranges import eye


def matrices(name: str, x: Node) -> None:
    if x.rank < 2:
        raise errors.runtime(f"{name}: needs a matrix or a batch of them, got {x.rank} dimensions", input=x.type)
    if not x.dtype.is_inexact:
        raise errors.runtime(f"{name}: needs floating point or complex numbers, got {x.dtype.name}", input=x.type)


def square(name: str, x: Node) -> None:
    matrices(name, x)
    if x.shape[-1] != x.shape[-2]:
        raise errors.runtime(
            f"{name} is of square matrices, but got {x.shape[-2]} rows and {x.shape[-1]} columns",
            input=x.type,
        )


def now(result: Any) -> Any:
    """Computed here and now, so that a failure is raised at the user's line."""
    first = result[0] if isinstance(result, tuple) else result
    first._array()
    return result


# --- inverses and solutions ----------------------------------------------------------------------------


@labelled("LinalgInvExBackward0")
def _inv(x: Node) -> Node:
    square("linalg.inv", x)
    return linalg.inverse(x)


@accepts_out
def inv(A: Any) -> Any:
    """The inverse of square matrices.

    Raises:
        LinAlgError: a matrix is singular.
    Source: torch.linalg.inv.
    """
    return now(apply(_inv, (A,)))


inverse = inv


def inv_ex(A: Any, *, check_errors: bool = False) -> Any:
    """The inverse, and 0 for each matrix. A singular matrix raises. Source: torch.linalg.inv_ex."""
    return inv_ex_result((inv(A), zeros(A._shape[:-2], dtype=int32)))


inv_ex_result = named_result("linalg_inv_ex", "inverse info")


def _is_vector(a: Node, b: Node) -> bool:
    """Whether solve() takes ``b`` as vectors: PyTorch's rule."""
    return b.rank == 1 or (a.rank - 1 == b.rank and a.shape[:-1] == b.shape)


@labelled("LinalgSolveExBackward0")
def _solve(a: Node, b: Node, left: bool) -> Node:
    square("linalg.solve", a)
    same_dtype("linalg.solve", a, b)
    vector = _is_vector(a, b)
    if vector and not left:
        raise errors.runtime("linalg.solve: with left=False, B must be matrices", A=a.type, B=b.type)
    y = reshape(b, shape=(*b.shape, 1)) if vector else b
    if not left:
        a, y = contraction.turn(a), contraction.turn(y)
    if y.rank < 2 or y.shape[-2] != a.shape[-1]:
        raise errors.runtime("linalg.solve: A and B have incompatible shapes", A=a.type, B=b.type)
    batch = broadcast("linalg.solve", a.shape[:-2], y.shape[:-2])
    out = linalg.solve(broadcast_to(a, (*batch, *a.shape[-2:])), broadcast_to(y, (*batch, *y.shape[-2:])))
    if vector:
        return reshape(out, shape=out.shape[:-1])
    return out if left else contraction.turn(out)


@accepts_out
def solve(A: Any, B: Any, *, left: bool = True) -> Any:
    """The X with A @ X = B (or X @ A = B with ``left=False``).

    Raises:
        LinAlgError: a matrix is singular. RuntimeError: shapes do not fit.
    Source: torch.linalg.solve.
    """
    return now(apply(_solve, (A, B), (left,)))


@labelled("LinalgSolveTriangularBackward0")
def _solve_triangular(a: Node, b: Node, upper: bool, left: bool, unit: bool) -> Node:
    square("linalg.solve_triangular", a)
    same_dtype("linalg.solve_triangular", a, b)
    if not left:
        a, b, upper = contraction.turn(a), contraction.turn(b), not upper
    if b.rank < 2 or b.shape[-2] != a.shape[-1]:
        raise errors.runtime("linalg.solve_triangular needs as many rows in B as A has columns", A=a.type, B=b.type)
    batch = broadcast("linalg.solve_triangular", a.shape[:-2], b.shape[:-2])
    a, b = broadcast_to(a, (*batch, *a.shape[-2:])), broadcast_to(b, (*batch, *b.shape[-2:]))
    a = contraction.turn(linalg.keep("lower", contraction.turn(a))) if upper else linalg.keep("lower", a)
    out = linalg.solve_triangular(a, b, upper=upper, unit=unit)
    return out if left else contraction.turn(out)


@accepts_out
def solve_triangular(A: Any, B: Any, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Any:
    """The X with A @ X = B for triangular A. Source: torch.linalg.solve_triangular."""
    return apply(_solve_triangular, (A, B), (upper, left, unitriangular))


triangular_solve_result = named_result("triangular_solve", "solution cloned_coefficient")


def triangular_solve(b: Any, A: Any, upper: bool = True, transpose: bool = False, unitriangular: bool = False) -> Any:
    """(the X with A @ X = b, a copy of A). Source: torch.triangular_solve."""
    a = A.mT if transpose else A
    solution = solve_triangular(a, b, upper=upper != transpose, unitriangular=unitriangular)
    return triangular_solve_result((solution, A.clone()))


def cholesky_solve(B: Any, L: Any, upper: bool = False) -> Any:
    """The X with A @ X = B, given A's Cholesky factor. Source: torch.cholesky_solve."""
    factor = L.mH if upper else L
    middle = solve_triangular(factor, B, upper=False)
    return solve_triangular(factor.mH, middle, upper=True)


def cholesky_inverse(L: Any, upper: bool = False) -> Any:
    """The inverse of A, given its Cholesky factor. Source: torch.cholesky_inverse."""
    n = L._shape[-1]
    return cholesky_solve(eye(n, dtype=L.dtype).expand(L._shape), L, upper)


# --- determinants ------------------------------------------------------------------------------------------


@labelled("LinalgDetBackward0")
def _det(x: Node) -> Node:
    square("linalg.det", x)
    return linalg.det(x)


@accepts_out
def det(A: Any) -> Any:
    """The determinant of square matrices. Source: torch.linalg.det."""
    return apply(_det, (A,))


slogdet_result = named_result("linalg_slogdet", "sign logabsdet")


@labelled("LinalgSlogdetBackward0")
def _slogdet(x: Node) -> tuple[Node, Node]:
    square("linalg.slogdet", x)
    return linalg.slogdet(x)


@accepts_out
def slogdet(A: Any) -> Any:
    """(sign, log |det A|) of square matrices. Source: torch.linalg.slogdet."""
    return slogdet_result(apply(_slogdet, (A,)))


def logdet(input: Any) -> Any:
    """log det A; NaN where the determinant is negative. Source: torch.logdet."""
    sign, log = slogdet(input)
    return log + sign.log()


METHODS = {
    "inverse": inverse, "det": det, "slogdet": slogdet, "logdet": logdet, "cholesky_solve": cholesky_solve,
    "cholesky_inverse": cholesky_inverse, "triangular_solve": triangular_solve,
}  # fmt: skip
IN_PLACE = ()

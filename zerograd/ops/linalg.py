"""Ops on matrices in the last two axes: factorizations, inverses, determinants.

Gradients of factorizations follow M. B. Giles, "Collected matrix derivative results for forward and reverse mode
algorithmic differentiation" (2008), and for complex matrices C. Boeddeker et al., "On the computation of complex-valued
gradients" (2017).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zerograd.dtypes import int32
from zerograd.ir.graph import Array, Node, Op, TensorType
from zerograd.ops.contraction import matmul, turn
from zerograd.ops.elementwise import add, cast, conj, div, mul, neg, sub, where
from zerograd.ops.movement import broadcast_to, reshape, slice_
from zerograd.ops.reduction import sum
from zerograd.ops.source import filled, triangle, zeros_like
from zerograd.shapes import Shape


class LinAlgError(RuntimeError):
    """A matrix does not have what was asked for, e.g. an inverse. Source: torch.linalg.LinAlgError."""


def failing(name: str, function: Callable[..., Any], why: str) -> Callable[..., Any]:
    """``function`` with NumPy's error in PyTorch's type."""

    def reference(*arrays: Array, **attributes: Any) -> Any:
        try:
            return function(*arrays, **attributes)
        except np.linalg.LinAlgError as error:
            raise LinAlgError(f"linalg.{name}: {why} ({error})") from None

    return reference


# --- pieces ------------------------------------------------------------------------------------------


def adjoint(x: Node) -> Node:
    """The conjugate transpose."""
    return conj(turn(x))


def product(*xs: Node) -> Node:
    result = xs[0]
    for x in xs[1:]:
        result = matmul(result, x)
    return result


def columns_times(x: Node, factors: Node) -> Node:
    """x @ diag(factors): factors has the shape of x without the next-to-last axis."""
    return mul(x, broadcast_to(reshape(factors, shape=(*factors.shape[:-1], 1, factors.shape[-1])), x.shape))


def rows_times(x: Node, factors: Node) -> Node:
    """diag(factors) @ x."""
    return mul(x, broadcast_to(reshape(factors, shape=(*factors.shape, 1)), x.shape))


def mask_of(kind: str, type: TensorType) -> Node:
    """A constant mask over the last two axes: ``lower`` (with the diagonal), ``strict``, ``diagonal``."""
    shape = type.shape[-2:]
    lower, strict = triangle(shape=shape, diagonal=0), triangle(shape=shape, diagonal=-1)
    masks = {"lower": lower, "strict": strict, "diagonal": where(strict, zeros_like(lower), lower)}
    return broadcast_to(masks[kind], type.shape)


def keep(kind: str, x: Node) -> Node:
    """``x`` where the mask is True, else 0."""
    return where(mask_of(kind, x.type), x, zeros_like(x))


def diagonal_of(x: Node) -> Node:
    """The diagonal of square matrices, as vectors."""
    return reshape(sum(keep("diagonal", x), axes=(x.rank - 2,)), shape=x.shape[:-1])


def with_diagonal(x: Node, values: Node) -> Node:
    """``x`` with its diagonal replaced."""
    spread = broadcast_to(reshape(values, shape=(*values.shape, 1)), x.shape)
    return where(mask_of("diagonal", x.type), spread, x)


def half(x: Node) -> Node:
    return mul(x, filled(0.5, x.type))


def differences(x: Node) -> Node:
    """d[i, j] = x[j] - x[i], and 1 on the diagonal."""
    n = x.shape[-1]
    shape = (*x.shape, n)
    across = broadcast_to(reshape(x, shape=(*x.shape[:-1], 1, n)), shape)
    down = broadcast_to(reshape(x, shape=(*x.shape, 1)), shape)
    found = sub(across, down)
    return where(mask_of("diagonal", found.type), filled(1, found.type), found)


def like(x: Node, target: Node) -> Node:
    """A real ``x`` in the complex dtype of ``target``, where that is complex."""
    return x if x.dtype is target.dtype else cast(x, dtype=target.dtype)


def real_type(x: TensorType, shape: Shape) -> TensorType:
    return TensorType(shape, x.dtype.to_real())


# --- inverses and solutions ----------------------------------------------------------------------------

inverse = Op(
    "inverse",
    lambda x: x,
    failing("inv", np.linalg.inv, "the matrix is singular and has no inverse"),
    lambda grad, out: neg(product(adjoint(out), grad, adjoint(out))),
)


def _infer_solve(x: TensorType, y: TensorType) -> TensorType:
    return y


def _solve_x(grad: Node, x: Node, out: Node) -> Node:
    return neg(matmul(solve(adjoint(x), grad), adjoint(out)))


solve = Op(
    "solve",
    _infer_solve,
    failing("solve", np.linalg.solve, "the matrix is singular, so there is no unique solution"),
    (_solve_x, lambda grad, x: solve(adjoint(x), grad)),
)
"""The z with x @ z = y, for matrices y."""


def _reference_solve_triangular(x: Array, y: Array, *, upper: bool, unit: bool) -> Array:
    n = x.shape[-1]
    z = np.array(y)
    order = range(n - 1, -1, -1) if upper else range(n)
    for i in order:
        others = slice(i + 1, n) if upper else slice(0, i)
        z[..., i, :] -= np.matmul(x[..., i : i + 1, others], z[..., others, :])[..., 0, :]
        if not unit:
            z[..., i, :] /= x[..., i, i, None]
    return z


def _solve_triangular_x(grad: Node, x: Node, out: Node, upper: bool, unit: bool) -> Node:
    back = solve_triangular(adjoint(x), grad, upper=not upper, unit=unit)
    found = neg(matmul(back, adjoint(out)))
    part = "strict" if unit else "lower"
    return turn(keep(part, turn(found))) if upper else keep(part, found)


solve_triangular = Op(
    "solve_triangular",
    lambda x, y, *, upper, unit: y,
    _reference_solve_triangular,
    (
        _solve_triangular_x,
        lambda grad, x, upper, unit: solve_triangular(adjoint(x), grad, upper=not upper, unit=unit),
    ),
)
"""The z with x @ z = y for triangular x."""

# --- determinants ----------------------------------------------------------------------------------------


def _reference_cofactor(x: Array) -> Array:
    """The derivative of det, also where the matrix is singular: from the singular value decomposition."""
    if x.shape[-1] == 0:
        return np.zeros_like(x)
    u, s, vh = np.linalg.svd(x)
    n = s.shape[-1]
    others = np.ones_like(s)
    for i in range(n):
        others[..., i] = np.prod(np.delete(s, i, -1), -1)
    sign = np.linalg.det(u) * np.linalg.det(vh)
    found = sign[..., None, None] * np.matmul(
        np.conj(np.swapaxes(vh, -1, -2)) * others[..., None, :], np.conj(np.swapaxes(u, -1, -2))
    )
    return np.swapaxes(found, -1, -2).astype(x.dtype)


def _cofactor_gradient(grad: Node, x: Node, out: Node) -> Node:
    """With C = det(x) x^-T: det(x) (<x^-T, grad> x^-T - x^-T grad^T x^-T)."""
    back = conj(turn(inverse(x)))
    inner = sum(mul(conj(out), grad), axes=(x.rank - 2, x.rank - 1))
    volume = conj(det(x))
    shape = (*x.shape[:-2], 1, 1)
    second = product(back, turn(grad), back)
    volume = broadcast_to(reshape(volume, shape=shape), x.shape)
    return sub(mul(broadcast_to(inner, x.shape), back), mul(volume, second))


cofactor = Op("cofactor", lambda x: x, _reference_cofactor, _cofactor_gradient)


def _det_gradient(grad: Node, x: Node) -> Node:
    return mul(broadcast_to(reshape(grad, shape=(*grad.shape, 1, 1)), x.shape), conj(cofactor(x)))


det = Op("det", lambda x: x.with_shape(x.shape[:-2]), np.linalg.det, _det_gradient)


def _infer_slogdet(x: TensorType) -> tuple[TensorType, TensorType]:
    return x.with_shape(x.shape[:-2]), real_type(x, x.shape[:-2])


def _slogdet_gradient(grad: tuple[Node | None, Node | None], x: Node, outs: tuple[Node, Node]) -> Node | None:
    sign_grad, grad_log = grad
    total = None if grad_log is None else like(grad_log, x)
    if x.dtype.is_complex and sign_grad is not None:
        # d sign = i sign Im(tr(x^-1 dx)): the part of the gradient that turns the phase
        turned = mul(conj(sign_grad), outs[0])
        imaginary = half(sub(turned, conj(turned)))
        total = sub(total, imaginary) if total is not None else neg(imaginary)
    if total is None:
        return None
    return mul(broadcast_to(reshape(total, shape=(*total.shape, 1, 1)), x.shape), adjoint(inverse(x)))


def _reference_slogdet(x: Array) -> tuple[Array, Array]:
    sign, log = np.linalg.slogdet(x)
    return np.asarray(sign, x.dtype), np.asarray(log)


slogdet = Op("slogdet", _infer_slogdet, _reference_slogdet, _slogdet_gradient)
"""(sign, log |det|)."""

# --- factorizations --------------------------------------------------------------------------------------


def _cholesky_gradient(grad: Node, out: Node) -> Node:
    inner = matmul(adjoint(out), grad)
    lower = keep("lower", inner)
    inner = with_diagonal(lower, half(diagonal_of(lower)))
    back = adjoint(inverse(out))
    found = product(back, inner, adjoint(back))
    return half(add(found, adjoint(found)))


def _reference_cholesky(x: Array) -> Array:
    lower = np.tril(x)
    strict = np.tril(x, -1)
    return np.linalg.cholesky(lower + np.conj(np.swapaxes(strict, -1, -2)))


cholesky = Op(
    "cholesky",
    lambda x: x,
    failing("cholesky", _reference_cholesky, "the matrix is not positive-definite"),
    _cholesky_gradient,
)
"""The lower triangular factor L with L @ L^H = x; reads the lower triangle."""


def _qr_types(x: TensorType, mode: str) -> tuple[TensorType, TensorType]:
    m, n = x.shape[-2:]
    k = m if mode == "complete" else min(m, n)
    return x.with_shape((*x.shape[:-1], k)), x.with_shape((*x.shape[:-2], k, n))


def _qr_gradient(grad: tuple[Node | None, Node | None], outs: tuple[Node, Node]) -> Node | None:
    q, r = outs
    m, k, n = q.shape[-2], q.shape[-1], r.shape[-1]
    grad_q, grad_r = (zeros_like(out) if one is None else one for one, out in zip(grad, outs, strict=True))
    if k < n:  # wide: the first columns carry the factorization, the others are q @ (rest of r)
        left, right = _columns(r, 0, k), _columns(r, k, n)
        grad_left, grad_right = _columns(grad_r, 0, k), _columns(grad_r, k, n)
        rest = matmul(q, right)
        first = _tall_qr_gradient(q, left, add(grad_q, matmul(rest, adjoint(grad_right))), grad_left)
        from zerograd.ops.movement import cat

        return cat(first, matmul(q, grad_right), axis=q.rank - 1)
    if k == m > n:
        raise RuntimeError("linalg.qr: mode='complete' has no gradient for matrices with more rows than columns")
    return _tall_qr_gradient(q, r, grad_q, grad_r)


def _columns(x: Node, start: int, stop: int) -> Node:
    n = x.rank
    starts = (*(0,) * (n - 1), start)
    return slice_(x, starts=starts, stops=(*x.shape[:-1], stop), steps=(1,) * n)


def _tall_qr_gradient(q: Node, r: Node, grad_q: Node, grad_r: Node) -> Node:
    inner = sub(matmul(r, adjoint(grad_r)), matmul(adjoint(grad_q), q))
    strict = keep("strict", inner)
    mirrored = add(keep("lower", inner), adjoint(strict))
    if inner.dtype.is_complex:
        diagonal = diagonal_of(inner)
        mirrored = with_diagonal(mirrored, half(add(diagonal, conj(diagonal))))
    return turn_solve(r, add(grad_q, matmul(q, mirrored)))


def turn_solve(r: Node, x: Node) -> Node:
    """x @ r^-H for upper triangular r."""
    return adjoint(solve_triangular(r, adjoint(x), upper=True, unit=False))


def _reference_qr(x: Array, *, mode: str) -> tuple[Array, Array]:
    q, r = np.linalg.qr(x, mode="complete" if mode == "complete" else "reduced")
    return q, r


qr = Op("qr", lambda x, *, mode: _qr_types(x, mode), _reference_qr, _qr_gradient)
"""(q, r) with q @ r = x; mode ``reduced`` or ``complete``."""


def _infer_eigh(x: TensorType, *, upper: bool) -> tuple[TensorType, TensorType]:
    return real_type(x, x.shape[:-1]), x


def _eigh_gradient(grad: tuple[Node | None, Node | None], outs: tuple[Node, Node]) -> Node | None:
    values, vectors = outs
    grad_values, grad_vectors = grad
    if grad_vectors is None:
        if grad_values is None:
            return None
        return matmul(columns_times(vectors, like(grad_values, vectors)), adjoint(vectors))
    inner = div(matmul(adjoint(vectors), grad_vectors), like(differences(values), vectors))
    diagonal = zeros_like(diagonal_of(inner)) if grad_values is None else like(grad_values, vectors)
    found = product(vectors, with_diagonal(inner, diagonal), adjoint(vectors))
    return half(add(found, adjoint(found)))  # only one triangle is read, and stands for both


def _reference_eigh(x: Array, *, upper: bool) -> tuple[Array, Array]:
    values, vectors = np.linalg.eigh(x, "U" if upper else "L")
    return values, vectors


eigh = Op(
    "eigh",
    _infer_eigh,
    failing("eigh", _reference_eigh, "the algorithm did not converge"),
    _eigh_gradient,
)
"""(eigenvalues ascending, eigenvectors as columns) of Hermitian matrices."""


def _infer_svd(x: TensorType, *, full: bool) -> tuple[TensorType, ...]:
    m, n = x.shape[-2:]
    k = min(m, n)
    return (
        x.with_shape((*x.shape[:-1], m if full else k)),
        real_type(x, (*x.shape[:-2], k)),
        x.with_shape((*x.shape[:-2], n if full else k, n)),
    )


def _svd_gradient(grad: tuple[Node | None, ...], outs: tuple[Node, ...]) -> Node | None:
    u, s, vh = outs
    k = s.shape[-1]
    grad_u, grad_s, grad_vh = grad
    u, vh = _columns(u, 0, k), _rows(vh, k)
    grad_u = None if grad_u is None else _columns(grad_u, 0, k)
    grad_vh = None if grad_vh is None else _rows(grad_vh, k)
    if grad_u is None and grad_vh is None:
        return None if grad_s is None else matmul(columns_times(u, like(grad_s, u)), vh)
    scale = like(s, u)
    gaps = like(differences(mul(s, s)), u)
    middle = zeros_like(matmul(adjoint(u), u))
    if grad_u is not None:
        inner = matmul(adjoint(u), grad_u)
        middle = add(middle, columns_times(div(_skew(inner), gaps), scale))
        if u.dtype.is_complex:  # the phase that u and v share
            middle = with_diagonal(middle, div(diagonal_of(_skew(inner)), mul(filled(2, scale.type), scale)))
    if grad_vh is not None:
        inner = matmul(vh, adjoint(grad_vh))
        turned = rows_times(div(_skew(inner), gaps), scale)
        middle = add(middle, with_diagonal(turned, zeros_like(scale)))
    if grad_s is not None:
        diagonal = add(diagonal_of(middle), like(grad_s, u))
        middle = with_diagonal(middle, diagonal)
    found = product(u, middle, vh)
    inverse_scale = div(filled(1, scale.type), scale)
    if grad_u is not None and u.shape[-2] > k:
        outside = sub(grad_u, product(u, adjoint(u), grad_u))
        found = add(found, matmul(columns_times(outside, inverse_scale), vh))
    if grad_vh is not None and vh.shape[-1] > k:
        outside = sub(grad_vh, product(grad_vh, adjoint(vh), vh))
        found = add(found, matmul(columns_times(u, inverse_scale), outside))
    return found


def _rows(x: Node, stop: int) -> Node:
    n = x.rank
    return slice_(x, starts=(0,) * n, stops=(*x.shape[:-2], stop, x.shape[-1]), steps=(1,) * n)


def _skew(x: Node) -> Node:
    return sub(x, adjoint(x))


def _reference_svd(x: Array, *, full: bool) -> tuple[Array, ...]:
    u, s, vh = np.linalg.svd(x, full_matrices=full)
    return u, s, vh


svd = Op("svd", _infer_svd, failing("svd", _reference_svd, "the algorithm did not converge"), _svd_gradient)
"""(u, s, vh) with u @ diag(s) @ vh = x, s descending."""


def _infer_eig(x: TensorType) -> tuple[TensorType, TensorType]:
    kind = x.dtype.to_complex()
    return TensorType(x.shape[:-1], kind), TensorType(x.shape, kind)


def _eig_gradient(grad: tuple[Node | None, Node | None], x_type: TensorType, outs: tuple[Node, Node]) -> Node | None:
    values, vectors = outs
    grad_values, grad_vectors = grad
    if grad_values is None and grad_vectors is None:
        return None
    back = adjoint(vectors)
    if grad_vectors is None:
        inner = with_diagonal(zeros_like(vectors), grad_values)  # pyright: ignore[reportArgumentType]
    else:
        found = matmul(back, grad_vectors)
        diagonal = diagonal_of(found)
        real = half(add(diagonal, conj(diagonal)))
        found = sub(found, columns_times(matmul(back, vectors), real))
        inner = div(found, conj(differences(values)))
        inner = with_diagonal(inner, zeros_like(diagonal) if grad_values is None else grad_values)
    result = solve(back, matmul(inner, back))
    return result if x_type.dtype.is_complex else cast(result, dtype=x_type.dtype)


def _reference_eig(x: Array) -> tuple[Array, Array]:
    values, vectors = np.linalg.eig(x)
    kind = np.result_type(x.dtype, np.complex64)
    return values.astype(kind), vectors.astype(kind)


eig = Op("eig", _infer_eig, failing("eig", _reference_eig, "the algorithm did not converge"), _eig_gradient)
"""(eigenvalues, unit eigenvectors as columns), complex."""


def _infer_lu(x: TensorType) -> tuple[TensorType, TensorType]:
    return x, TensorType((*x.shape[:-2], min(x.shape[-2:])), int32)


def _reference_lu(x: Array) -> tuple[Array, Array]:
    """Gaussian elimination with partial pivoting, as LAPACK's getrf: both factors in one matrix, 1-based row swaps."""
    out = np.array(x).reshape(-1, *x.shape[-2:])
    m, n = x.shape[-2:]
    pivots = np.zeros((out.shape[0], min(m, n)), np.int32)
    batch = np.arange(out.shape[0])
    for k in range(min(m, n)):
        rows = np.argmax(np.abs(out[:, k:, k]), axis=1) + k
        pivots[:, k] = rows + 1
        top = out[batch, k].copy()
        out[batch, k] = out[batch, rows]
        out[batch, rows] = top
        head = out[:, k, k]
        safe = np.where(head == 0, 1, head)
        out[:, k + 1 :, k] /= safe[:, None]
        out[:, k + 1 :, k + 1 :] -= out[:, k + 1 :, k, None] * out[:, k, None, k + 1 :]
    return out.reshape(x.shape), pivots.reshape(*x.shape[:-2], min(m, n))


lu_factor = Op("lu_factor", _infer_lu, _reference_lu)
"""(both factors in one matrix, 1-based pivots); its gradient is composed of the parts (``tensor/functions/linalg``)."""

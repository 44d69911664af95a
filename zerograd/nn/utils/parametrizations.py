"""Ready-made parametrizations: orthogonal, weight_norm, spectral_norm."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from zerograd import dtypes, errors
from zerograd.autograd.grad_mode import no_grad
from zerograd.linalg import householder_product, matrix_exp, qr, solve
from zerograd.nn import functional as F
from zerograd.nn.modules.module import Module
from zerograd.nn.utils.parametrize import register_parametrization
from zerograd.nn.utils.spectral_norm import as_matrix, output_dim
from zerograd.nn.utils.weight_norm import norm_except_dim, normalized
from zerograd.tensor.functions.creation import zeros_like
from zerograd.tensor.functions.data import tensor
from zerograd.tensor.functions.joining import cat
from zerograd.tensor.functions.random import randn
from zerograd.tensor.functions.ranges import eye
from zerograd.tensor.tensor import Tensor

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

M = TypeVar("M", bound=Module)
MAPS = ("matrix_exp", "cayley", "householder")


class _Orthogonal(Module):
    """A matrix with orthonormal columns (rows, if it is wide), from any matrix of its shape.

    With ``use_trivialization`` the result is ``base @ map(x)``, so that any orthogonal matrix can be the
    first value.
    """

    base: Tensor

    def __init__(self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool = True) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise errors.value("the map 'householder' takes real matrices only")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        wide = X.shape[-2] < X.shape[-1]
        X = X.mT if wide else X
        Q = self._by_reflections(X) if self.orthogonal_map == "householder" else self._by_rotation(X)
        if hasattr(self, "base"):
            Q = self.base @ Q
        return Q.mT if wide else Q

    def _by_rotation(self, X: Tensor) -> Tensor:
        """From the skew-symmetric matrix with the lower triangle of X."""
        n, k = X.shape[-2:]
        X = X.tril()
        if n != k:
            X = cat([X, X.new_zeros(n, n - k).expand(*X.shape[:-2], -1, -1)], dim=-1)
        A = X - X.mH
        if self.orthogonal_map == "matrix_exp":
            Q = matrix_exp(A)
        else:
            identity = eye(n, dtype=A.dtype)
            Q = solve(identity - A / 2, identity + A / 2)
        return Q if n == k else Q[..., :k]

    def _by_reflections(self, X: Tensor) -> Tensor:
        """The product of the reflections with the vectors below the diagonal, times the diagonal's signs."""
        A = X.tril(-1)
        Q = householder_product(A, 2.0 / (1.0 + (A * A).sum(dim=-2)))
        return Q * X.diagonal(dim1=-2, dim2=-1).to(dtypes.int32).unsqueeze(-2)

    @no_grad()
    def right_inverse(self, Q: Tensor) -> Tensor:
        """The matrix that is mapped to Q, or to the orthogonal matrix nearest to it."""
        if Q.shape != self.shape:
            raise errors.value(f"the orthogonal matrix has shape {list(self.shape)}, not {list(Q.shape)}")
        given = Q
        n, k = Q.shape[-2:]
        wide = n < k
        if wide:
            Q, n, k = Q.mT, k, n
        if not hasattr(self, "base"):
            if self.orthogonal_map != "householder":
                raise NotImplementedError(
                    f"the map {self.orthogonal_map!r} cannot be assigned to without use_trivialization"
                )
            A, tau = _reflections(Q)
            signs = A.diagonal(dim1=-2, dim2=-1)
            signs.copy_(signs.sgn())
            signs[tau == 0.0] *= -1
            return A.mT if wide else A
        if n != k:
            Q = _orthonormal(cat([Q, randn(*Q.shape[:-2], n, n - k, dtype=Q.dtype)], dim=-1))
        elif _is_orthogonal(Q):
            Q = Q.clone()
        else:
            Q = _orthonormal(Q)
        self.base = Q
        # Minus the identity's columns: the reflections of a zero triangle with these signs give the identity.
        start = zeros_like(given)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return start


def _is_orthogonal(Q: Tensor) -> bool:
    n, k = Q.shape[-2:]
    tolerance = 10.0 * n * 2.0 ** -(52 if Q.dtype in (dtypes.float64, dtypes.complex128) else 23)
    return bool(((Q.mH @ Q - eye(k, dtype=Q.dtype)).abs() <= tolerance + 1e-5 * eye(k, dtype=Q.dtype).abs()).all())


def _orthonormal(A: Tensor) -> Tensor:
    """The factor Q of A = QR with a positive diagonal of R."""
    Q, R = qr(A)
    return Q * R.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


def _reflections(Q: Tensor) -> tuple[Tensor, Tensor]:
    """LAPACK's form of a QR factorization: R above the vectors of the reflections, and their factors."""
    raw, tau = np.linalg.qr(Q.numpy(), mode="raw")
    return tensor(np.array(raw.swapaxes(-2, -1))), tensor(tau)


def orthogonal(
    module: M, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> M:
    """Keep the parameter ``name`` orthogonal: its columns, or rows if it is wide, orthonormal.

    Args:
        orthogonal_map: matrix_exp, cayley or householder; matrix_exp for square and complex matrices,
            otherwise householder, if None.
        use_trivialization: start from the nearest orthogonal matrix, which is kept as a buffer.
    Raises:
        ValueError: no such tensor, no matrix, or an unknown map.
    Source: torch.nn.utils.parametrizations.orthogonal.
    """
    weight = _tensor_of(module, name)
    if weight.dim() < 2:
        raise errors.value(f"only a matrix can be orthogonal, but '{name}' has {weight.dim()} dimensions")
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1]
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    if orthogonal_map not in MAPS:
        raise errors.value(f"orthogonal_map is one of {', '.join(MAPS)}, not {orthogonal_map!r}")
    made = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    register_parametrization(module, name, made, unsafe=True)
    return module


class _WeightNorm(Module):
    """g * v / |v|."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return normalized(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The lengths, and the weight as direction."""
        return norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Learn the length ``original0`` and the direction ``original1`` of the parameter ``name``.

    State dicts of the older `torch.nn.utils.weight_norm` can be loaded.

    Args:
        dim: a length for each entry of this dimension; one for all if None.
    Source: torch.nn.utils.parametrizations.weight_norm.
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename(state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        old = [f"{prefix}{name}_g", f"{prefix}{name}_v"]
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(rename)
    return module


class _SpectralNorm(Module):
    """A weight divided by its largest singular value, which the power method approximates."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        rank = weight.dim()
        if not -rank <= dim < rank:
            raise errors.index(f"dim {dim} is out of range for a weight of {rank} dimensions")
        if n_power_iterations <= 0:
            raise errors.value(f"n_power_iterations must be positive, got {n_power_iterations}")
        self.dim = dim % rank
        self.eps = eps
        if rank > 1:  # the singular value of a vector is its norm
            self.n_power_iterations = n_power_iterations
            matrix = as_matrix(weight, self.dim)
            rows, columns = matrix.shape
            u = matrix.new_empty(rows).normal_(0, 1)
            v = matrix.new_empty(columns).normal_(0, 1)
            self.register_buffer("_u", F.normalize(u, dim=0, eps=eps))
            self.register_buffer("_v", F.normalize(v, dim=0, eps=eps))
            self._power_method(matrix, 15)

    @no_grad()
    def _power_method(self, matrix: Tensor, steps: int) -> None:
        for _ in range(steps):
            self._u.copy_(F.normalize(matrix.mv(self._v), dim=0, eps=self.eps))
            self._v.copy_(F.normalize(matrix.mH.mv(self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.dim() == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()
        return weight / u.vdot(matrix.mv(v))

    def right_inverse(self, value: Tensor) -> Tensor:
        """The value itself: it is assumed to be normalized."""
        return value


def spectral_norm(
    module: M,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> M:
    """Divide the parameter ``name`` by its largest singular value.

    Args:
        n_power_iterations: steps of the power method at each use in training.
        dim: the dimension of the outputs; 0, or 1 for transposed convolutions, if None.
    Raises:
        ValueError: no such tensor.
    Source: torch.nn.utils.parametrizations.spectral_norm.
    """
    weight = _tensor_of(module, name)
    made = _SpectralNorm(weight, n_power_iterations, output_dim(module, dim), eps)
    register_parametrization(module, name, made)
    return module


def _tensor_of(module: Module, name: str) -> Tensor:
    found = getattr(module, name, None)
    if not isinstance(found, Tensor):
        raise errors.value(f"{module._get_name()} has no parameter or buffer '{name}'")
    return found

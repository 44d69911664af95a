"""Linear algebra: ``torch.linalg``."""

from zerograd.ops.linalg import LinAlgError
from zerograd.tensor.functions.factorization import (
    cholesky,
    cholesky_ex,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    lu,
    lu_factor,
    qr,
    svd,
    svdvals,
)  # fmt: skip
from zerograd.tensor.functions.matrices import (
    cond,
    cross,
    householder_product,
    lstsq,
    lu_solve,
    matrix_exp,
    matrix_norm,
    matrix_power,
    matrix_rank,
    norm,
    pinv,
    tensorinv,
    tensorsolve,
    vecdot,
)  # fmt: skip
from zerograd.tensor.functions.norms import vector_norm
from zerograd.tensor.functions.products import matmul, multi_dot
from zerograd.tensor.functions.solving import det, inv, inv_ex, slogdet, solve, solve_triangular

__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "eig", "eigh", "eigvals", "eigvalsh",
    "householder_product", "inv", "inv_ex", "lstsq", "lu", "lu_factor", "lu_solve", "matmul", "matrix_exp",
    "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve",
    "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve", "vecdot", "vector_norm",
]  # fmt: skip

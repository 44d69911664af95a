"""zerograd: PyTorch programs on an engine of their own.

``import zerograd as torch``: the names of ``torch``. Submodules load when they are first used.
"""

from __future__ import annotations

import importlib

from typing import Any

from zerograd.autograd.grad_mode import (
    enable_grad, inference_mode, is_grad_enabled, is_inference_mode_enabled, no_grad, set_grad_enabled,
)  # fmt: skip
from zerograd.dtypes import (
    bfloat16, bool_ as bool, complex128, complex64, dtype, float16, float32, float64, get_default_dtype, int16,
    int32, int64, int8, promote_types, set_default_dtype, uint8,
)  # fmt: skip
from zerograd.random import get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from zerograd.runtime.devices import device, get_default_device, set_default_device
from zerograd.tensor.functions.arithmetic import (
    abs, absolute, add, addcdiv, addcmul, div, divide, float_power, floor_divide, fmod, lerp, mul, multiply, neg,
    negative, positive, pow, reciprocal, remainder, rsub, sgn, sign, square, sub, subtract, true_divide,
)  # fmt: skip
from zerograd.tensor.functions.bitwise import (
    bitwise_and, bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, gcd, lcm,
)  # fmt: skip
from zerograd.tensor.functions.comparison import (
    allclose, eq, equal, ge, greater, greater_equal, gt, is_nonzero, isclose, isfinite, isinf, isnan, isneginf,
    isposinf, isreal, le, less, less_equal, logical_and, logical_not, logical_or, logical_xor, lt, ne, not_equal,
    signbit, where,
)  # fmt: skip
from zerograd.tensor.functions.conversion import clone
from zerograd.tensor.functions.creation import (
    empty, empty_like, full, full_like, ones, ones_like, scalar_tensor, zeros, zeros_like,
)  # fmt: skip
from zerograd.tensor.functions.data import as_tensor, asarray, from_numpy, frombuffer, tensor
from zerograd.tensor.functions.einsum import einsum
from zerograd.tensor.functions.factorization import lu_unpack, old_cholesky as cholesky, old_qr as qr, old_svd as svd
from zerograd.tensor.functions.gathering import (
    gather, index_add, index_copy, index_fill, index_select, masked_fill, scatter, scatter_add,
)  # fmt: skip
from zerograd.tensor.functions.joining import (
    atleast_1d, atleast_2d, atleast_3d, cat, chunk, column_stack, dsplit, dstack, hsplit, hstack, split,
    split_with_sizes, stack, tensor_split, unbind, vsplit, vstack,
)  # fmt: skip
from zerograd.tensor.functions.matrices import matrix_exp, matrix_power, old_cross as cross, pinv as pinverse
from zerograd.tensor.functions.pointwise import (
    acos, acosh, arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh, asin, asinh, atan, atan2, atanh,
    ceil, clamp, clamp_max, clamp_min, clip, copysign, cos, cosh, deg2rad, exp, exp2, expm1, fix, floor, fmax,
    fmin, frac, frexp, heaviside, hypot, ldexp, log, log10, log1p, log2, logaddexp, logaddexp2, logit, maximum,
    minimum, nan_to_num, nextafter, rad2deg, relu, round, rsqrt, sigmoid, sin, sinh, sqrt, tan, tanh, trunc,
)  # fmt: skip
from zerograd.tensor.functions.products import (
    addbmm, addmm, addmv, addr, baddbmm, bmm, chain_matmul, dot, inner, kron, matmul, mm, mv, outer, tensordot,
    vdot,
)  # fmt: skip
from zerograd.tensor.functions.random import (
    bernoulli, binomial, multinomial, normal, poisson, rand, rand_like, randint, randint_like, randn, randn_like,
    randperm,
)  # fmt: skip
from zerograd.tensor.functions.ranges import (
    arange, eye, linspace, logspace, range_ as range, tril_indices, triu_indices,
)  # fmt: skip
from zerograd.tensor.functions.reductions import (
    all, amax, amin, aminmax, any, argmax, argmin, count_nonzero, log_softmax, logsumexp, max, mean, min, nanmean,
    nansum, prod, softmax, sum,
)  # fmt: skip
from zerograd.tensor.functions.scans import cummax, cummin, cumprod, cumsum, logcumsumexp
from zerograd.tensor.functions.shaping import (
    adjoint, broadcast_shapes, broadcast_tensors, broadcast_to, flatten, movedim, narrow, permute, ravel, reshape,
    select, squeeze, t, transpose, unflatten, unsqueeze,
)  # fmt: skip
from zerograd.tensor.functions.solving import (
    cholesky_inverse, cholesky_solve, det, inverse, logdet, slogdet, triangular_solve,
)  # fmt: skip
from zerograd.tensor.functions.sorting import argsort, kthvalue, median, mode, msort, nanmedian, sort, topk
from zerograd.tensor.functions.special import (
    digamma, erf, erfc, erfinv, i0, igamma, igammac, lgamma, mvlgamma, polygamma, sinc, xlogy,
)  # fmt: skip
from zerograd.tensor.generator import default_generator, Generator
from zerograd.tensor.printing import set_printoptions
from zerograd.tensor.size import Size
from zerograd.tensor.tensor import Tensor

__version__ = "0.1.0"

half, double, short, int, long, cfloat, cdouble = float16, float64, int16, int32, int64, complex64, complex128

float = float32

_SUBMODULES = frozenset(
    {
        "amp", "autograd", "backends", "cuda", "distributed", "fft", "func", "jit", "linalg", "nn", "optim", "random",
        "serialization", "special", "testing", "utils", "version",
    }
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"zerograd has no torch.{name}")


__all__ = [
    "Generator", "Size", "Tensor", "abs", "absolute", "acos", "acosh", "add", "addbmm", "addcdiv", "addcmul",
    "addmm", "addmv", "addr", "adjoint", "all", "allclose", "amax", "amin", "aminmax", "any", "arange", "arccos",
    "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin", "argsort", "as_tensor",
    "asarray", "asin", "asinh", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d", "atleast_3d", "baddbmm",
    "bernoulli", "bfloat16", "binomial", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or",
    "bitwise_right_shift", "bitwise_xor", "bmm", "bool", "broadcast_shapes", "broadcast_tensors", "broadcast_to",
    "cat", "cdouble", "ceil", "cfloat", "chain_matmul", "cholesky", "cholesky_inverse", "cholesky_solve", "chunk",
    "clamp", "clamp_max", "clamp_min", "clip", "clone", "column_stack", "complex128", "complex64", "copysign",
    "cos", "cosh", "count_nonzero", "cross", "cummax", "cummin", "cumprod", "cumsum", "default_generator",
    "deg2rad", "det", "device", "digamma", "div", "divide", "dot", "double", "dsplit", "dstack", "dtype",
    "einsum", "empty", "empty_like", "enable_grad", "eq", "equal", "erf", "erfc", "erfinv", "exp", "exp2",
    "expm1", "eye", "fix", "flatten", "float", "float16", "float32", "float64", "float_power", "floor",
    "floor_divide", "fmax", "fmin", "fmod", "frac", "frexp", "from_numpy", "frombuffer", "full", "full_like",
    "gather", "gcd", "ge", "get_default_device", "get_default_dtype", "get_rng_state", "greater", "greater_equal",
    "gt", "half", "heaviside", "hsplit", "hstack", "hypot", "i0", "igamma", "igammac", "index_add", "index_copy",
    "index_fill", "index_select", "inference_mode", "initial_seed", "inner", "int", "int16", "int32", "int64",
    "int8", "inverse", "is_grad_enabled", "is_inference_mode_enabled", "is_nonzero", "isclose", "isfinite",
    "isinf", "isnan", "isneginf", "isposinf", "isreal", "kron", "kthvalue", "lcm", "ldexp", "le", "lerp", "less",
    "less_equal", "lgamma", "linspace", "log", "log10", "log1p", "log2", "log_softmax", "logaddexp", "logaddexp2",
    "logcumsumexp", "logdet", "logical_and", "logical_not", "logical_or", "logical_xor", "logit", "logspace",
    "logsumexp", "long", "lt", "lu_unpack", "manual_seed", "masked_fill", "matmul", "matrix_exp", "matrix_power",
    "max", "maximum", "mean", "median", "min", "minimum", "mm", "mode", "movedim", "msort", "mul", "multinomial",
    "multiply", "mv", "mvlgamma", "nan_to_num", "nanmean", "nanmedian", "nansum", "narrow", "ne", "neg",
    "negative", "nextafter", "no_grad", "normal", "not_equal", "ones", "ones_like", "outer", "permute",
    "pinverse", "poisson", "polygamma", "positive", "pow", "prod", "promote_types", "qr", "rad2deg", "rand",
    "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm", "range", "ravel", "reciprocal",
    "relu", "remainder", "reshape", "round", "rsqrt", "rsub", "scalar_tensor", "scatter", "scatter_add", "seed",
    "select", "set_default_device", "set_default_dtype", "set_grad_enabled", "set_printoptions", "set_rng_state",
    "sgn", "short", "sigmoid", "sign", "signbit", "sin", "sinc", "sinh", "slogdet", "softmax", "sort", "split",
    "split_with_sizes", "sqrt", "square", "squeeze", "stack", "sub", "subtract", "sum", "svd", "t", "tan", "tanh",
    "tensor", "tensor_split", "tensordot", "topk", "transpose", "triangular_solve", "tril_indices",
    "triu_indices", "true_divide", "trunc", "uint8", "unbind", "unflatten", "unsqueeze", "vdot", "vsplit",
    "vstack", "where", "xlogy", "zeros", "zeros_like",
]  # fmt: skip

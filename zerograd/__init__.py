"""zerograd: PyTorch programs on an engine of their own.

``import zerograd as torch``: the names of ``torch``. Submodules load when they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

from zerograd.dtypes import (
    bfloat16,
    complex64,
    complex128,
    dtype,
    float16,
    float32,
    float64,
    get_default_dtype,
    int8,
    int16,
    int32,
    int64,
    promote_types,
    set_default_dtype,
    uint8,
)
from zerograd.dtypes import bool_ as bool  # noqa: A004  PyTorch's own name
from zerograd.runtime.devices import device, get_default_device, set_default_device
from zerograd.random import get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from zerograd.tensor.functions.arithmetic import add, mul, neg, rsub, sub, true_divide
from zerograd.tensor.functions.pointwise import cos, exp, log, relu, sigmoid, sin, sqrt, tanh
from zerograd.tensor.functions.products import matmul
from zerograd.tensor.functions.random import (
    bernoulli,
    binomial,
    multinomial,
    normal,
    poisson,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
)
from zerograd.tensor.functions.reductions import mean, sum
from zerograd.tensor.generator import Generator, default_generator
from zerograd.tensor.functions.conversion import (
    clone,
)
from zerograd.tensor.functions.creation import (
    empty,
    empty_like,
    full,
    full_like,
    ones,
    ones_like,
    scalar_tensor,
    zeros,
    zeros_like,
)
from zerograd.tensor.functions.data import (
    as_tensor,
    asarray,
    from_numpy,
    frombuffer,
    tensor,
)
from zerograd.tensor.functions.gathering import (
    gather,
    index_add,
    index_copy,
    index_fill,
    index_select,
    masked_fill,
    scatter,
    scatter_add,
)
from zerograd.tensor.functions.joining import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    cat,
    chunk,
    column_stack,
    dsplit,
    dstack,
    hsplit,
    hstack,
    split,
    split_with_sizes,
    stack,
    tensor_split,
    unbind,
    vsplit,
    vstack,
)
from zerograd.tensor.functions.ranges import (
    arange,
    eye,
    linspace,
    logspace,
    tril_indices,
    triu_indices,
)
from zerograd.tensor.functions.shaping import (
    adjoint,
    broadcast_shapes,
    broadcast_tensors,
    broadcast_to,
    flatten,
    movedim,
    narrow,
    permute,
    ravel,
    reshape,
    select,
    squeeze,
    t,
    transpose,
    unflatten,
    unsqueeze,
)
from zerograd.tensor.functions.ranges import range_ as range  # noqa: A004  PyTorch's own name
from zerograd.tensor.functions.special import (
    digamma,
    erf,
    erfc,
    erfinv,
    i0,
    igamma,
    igammac,
    lgamma,
    mvlgamma,
    polygamma,
    sinc,
    xlogy,
)
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
    "Generator", "Size", "Tensor", "add", "adjoint", "arange", "as_tensor", "asarray", "atleast_1d", "atleast_2d",
    "atleast_3d", "bernoulli", "bfloat16", "binomial", "bool", "broadcast_shapes", "broadcast_tensors",
    "broadcast_to", "cat", "cdouble", "cfloat", "chunk", "clone", "column_stack", "complex128", "complex64",
    "cos", "default_generator", "device", "double", "dsplit", "dstack", "dtype", "empty", "empty_like", "exp",
    "eye", "flatten", "float", "float16", "float32", "float64", "from_numpy", "frombuffer", "full", "full_like",
    "gather", "get_default_device", "get_default_dtype", "get_rng_state", "half", "hsplit", "hstack", "index_add",
    "index_copy", "index_fill", "index_select", "initial_seed", "int", "int16", "int32", "int64", "int8",
    "linspace", "log", "logspace", "long", "manual_seed", "masked_fill", "matmul", "mean", "movedim", "mul",
    "multinomial", "narrow", "neg", "normal", "ones", "ones_like", "permute", "poisson", "promote_types", "rand",
    "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm", "range", "ravel", "relu",
    "reshape", "rsub", "scalar_tensor", "scatter", "scatter_add", "seed", "select", "set_default_device",
    "set_default_dtype", "set_rng_state", "short", "sigmoid", "sin", "split", "split_with_sizes", "sqrt",
    "squeeze", "stack", "sub", "sum", "t", "tanh", "tensor", "tensor_split", "transpose", "tril_indices",
    "triu_indices", "true_divide", "uint8", "unbind", "unflatten", "unsqueeze", "vsplit", "vstack", "digamma", "erf", "erfc", "erfinv", "i0", "igamma", "igammac", "lgamma",
    "mvlgamma", "polygamma", "sinc", "xlogy", "zeros",
    "zeros_like",
]  # fmt: skip

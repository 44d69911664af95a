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
from zerograd.tensor.functions.arithmetic import add, mul, neg, rsub, sub, true_divide
from zerograd.tensor.functions.creation import tensor
from zerograd.tensor.functions.pointwise import cos, exp, log, relu, sigmoid, sin, sqrt, tanh
from zerograd.tensor.functions.products import matmul
from zerograd.tensor.functions.reductions import mean, sum
from zerograd.tensor.functions.shaping import transpose
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
    "Tensor", "add", "bfloat16", "bool", "cdouble", "cfloat", "complex64", "complex128", "cos", "double", "dtype", "exp",
    "float", "float16", "float32", "float64", "get_default_dtype", "half", "int", "int8", "int16", "int32", "int64", "log",
    "long", "matmul", "mean", "mul", "neg", "promote_types", "relu", "rsub", "set_default_dtype", "short", "sigmoid", "sin",
    "sqrt", "sub", "sum", "tanh", "tensor", "transpose", "true_divide", "uint8",
]  # fmt: skip

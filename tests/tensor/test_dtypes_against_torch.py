"""Every function on every dtype gives PyTorch's dtype and values, or its error."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

import zerograd

DTYPES = [
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64",
    "complex64", "complex128",
]  # fmt: skip
OF_ONE = [
    "abs", "acos", "acosh", "all", "amax", "amin", "aminmax", "angle", "any", "argmax", "argmin", "argsort",
    "asin", "asinh", "atan", "atanh", "bitwise_not", "ceil", "conj", "conj_physical", "cos", "cosh",
    "count_nonzero", "deg2rad", "exp", "exp2", "expm1", "floor", "frac", "frexp", "histc", "imag", "isfinite",
    "isinf", "isnan", "isneginf", "isposinf", "isreal", "log", "log10", "log1p", "log2", "logical_not",
    "logit", "max", "mean", "median", "min", "mode", "msort", "nan_to_num", "nanmean", "nanmedian", "nansum",
    "neg", "norm", "positive", "prod", "rad2deg", "real", "reciprocal", "relu", "round", "rsqrt", "sgn",
    "sigmoid", "sign", "signbit", "sin", "sinh", "sort", "sqrt", "square", "std", "sum", "tan", "tanh",
    "trunc", "unique", "unique_consecutive", "var", "bincount",
]  # fmt: skip
OF_TWO = [
    "add", "atan2", "bitwise_and", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "copysign", "dist", "div", "eq", "equal", "float_power", "floor_divide", "fmax", "fmin", "fmod", "gcd",
    "ge", "gt", "heaviside", "hypot", "isclose", "isin", "lcm", "ldexp", "le", "logaddexp", "logaddexp2",
    "logical_and", "logical_or", "logical_xor", "lt", "maximum", "minimum", "mul", "ne", "nextafter", "pow",
    "remainder", "rsub", "sub", "true_divide",
]  # fmt: skip
ALONG = [
    "cumsum", "cumprod", "cummax", "cummin", "logcumsumexp", "logsumexp", "softmax", "log_softmax", "sum",
    "mean", "prod", "max", "min", "var", "median", "topk",
]  # fmt: skip
NUMBERS = {"bool": True, "int64": 2, "float32": 1.5, "complex64": 1 + 1j}
TOLERANCES = {
    "float16": 2e-3,
    "bfloat16": 2e-2,
    "float32": 1e-5,
    "complex64": 1e-5,
    "float64": 1e-12,
    "complex128": 1e-12,
}

Call = Callable[[Any], Any]


def made(library: Any, numbers: Any, dtype: str) -> Any:
    return library.tensor(numbers).to(getattr(library, dtype))


def described(result: Any) -> Any:
    """Structure, dtypes and shapes."""
    if hasattr(result, "dtype"):
        return str(result.dtype), tuple(result.shape)
    return [described(one) for one in result] if isinstance(result, tuple | list) else type(result).__name__


def outcome(call: Call, library: Any) -> tuple[Any, Any]:
    """The result and its description, or the error's type."""
    try:
        result = call(library)
    except Exception as error:
        return None, type(error)
    return result, described(result)


def assert_equal_values(expected: Any, got: Any) -> None:
    if isinstance(expected, tuple | list):
        for one, other in zip(expected, got, strict=True):
            assert_equal_values(one, other)
    elif isinstance(expected, torch.Tensor):
        tolerance = TOLERANCES.get(str(expected.dtype).removeprefix("torch."), 0)
        wide, other = expected, got
        if expected.dtype is torch.bfloat16:
            wide, other = expected.float(), got.to(zerograd.float32)
        np.testing.assert_allclose(
            other.numpy(), wide.resolve_conj().numpy(), rtol=tolerance, atol=tolerance, equal_nan=True
        )
    else:
        assert got == expected


def assert_like_torch(call: Call, about: Any) -> None:
    """The same dtypes, shapes and values, or an error that an ``except`` for PyTorch's type catches."""
    expected, wanted = outcome(call, torch)
    got, found = outcome(call, zerograd)
    if isinstance(wanted, type):
        assert isinstance(found, type), f"{about}: torch raises {wanted.__name__}, zerograd returns {found}"
        assert issubclass(found, wanted), f"{about}: torch raises {wanted.__name__}, zerograd {found.__name__}"
        return
    if "complex32" in str(wanted):
        return  # a dtype that zerograd lacks: see docs/differences_from_pytorch.md
    assert found == wanted, about
    assert_equal_values(expected, got)


@pytest.mark.parametrize("name", OF_ONE)
def test_functions_of_one_tensor(name: str) -> None:
    for dtype in DTYPES:
        assert_like_torch(lambda library: getattr(library, name)(made(library, [1, 0, 3, 2, 1], dtype)), dtype)  # noqa: B023


@pytest.mark.parametrize("name", ALONG)
def test_functions_along_a_dimension(name: str) -> None:
    for dtype in DTYPES:

        def call(library: Any, dtype: str = dtype) -> Any:
            return getattr(library, name)(made(library, [[1, 4, 3], [2, 0, 5]], dtype), 1)

        assert_like_torch(call, dtype)


@pytest.mark.parametrize("name", OF_TWO)
def test_functions_of_two_tensors(name: str) -> None:
    for dtype in DTYPES:

        def call(library: Any, dtype: str = dtype) -> Any:
            return getattr(library, name)(made(library, [1, 2, 3], dtype), made(library, [3, 1, 2], dtype))

        assert_like_torch(call, dtype)


@pytest.mark.parametrize("name", OF_TWO)
def test_functions_of_a_tensor_and_a_number(name: str) -> None:
    for dtype, number, turned in product(DTYPES, NUMBERS.values(), (False, True)):
        if name == "pow" and dtype == "bool" and number is True:
            continue  # torch copies the tensor, though it has no power of bools

        def call(library: Any, dtype: str = dtype, number: Any = number, turned: bool = turned) -> Any:
            tensor = made(library, [1, 2, 3], dtype)
            return getattr(library, name)(*((number, tensor) if turned else (tensor, number)))

        if dtype == "float16" and isinstance(number, complex):
            continue  # complex32 in PyTorch
        assert_like_torch(call, (dtype, number, turned))


def of_rank(library: Any, dtype: str, rank: str) -> Any:
    """The second operand as a tensor with dimensions, one without, or a number."""
    if rank == "number":
        return NUMBERS[dtype]
    return made(library, 2 if rank == "0-d" else [1, 2, 3], dtype)


MIXED: dict[str, Callable[[Any, Any, Any], Any]] = {
    "a + b": lambda library, a, b: a + b,
    "a * b": lambda library, a, b: a * b,
    "a / b": lambda library, a, b: a / b,
    "a // b": lambda library, a, b: a // b,
    "a % b": lambda library, a, b: a % b,
    "a & b": lambda library, a, b: a & b,
    "a < b": lambda library, a, b: a < b,
    "a == b": lambda library, a, b: a == b,
    "where": lambda library, a, b: library.where(library.tensor([True, False, True]), a, b),
    "stack": lambda library, a, b: library.stack([a.expand(3), b.expand(3)]),
    "maximum": lambda library, a, b: library.maximum(a, b),
    "clamp": lambda library, a, b: library.clamp(a, min=b),
    "atan2": lambda library, a, b: library.atan2(a, b),
    "fmod": lambda library, a, b: library.fmod(a, b),
    "add_": lambda library, a, b: a.add_(b),
    "div_": lambda library, a, b: a.div_(b),
    "addcmul": lambda library, a, b: library.addcmul(a, b, b),
    "lerp": lambda library, a, b: library.lerp(a, b, 0.5),
    "result_type": lambda library, a, b: str(library.result_type(a, b)),
}
RANKS = [
    ("tensor", "tensor"),
    ("tensor", "0-d"),
    ("0-d", "tensor"),
    ("tensor", "number"),
    ("0-d", "number"),
    ("number", "0-d"),
]


@pytest.mark.parametrize("name", MIXED)
def test_mixed_dtypes(name: str) -> None:
    """All pairs of dtypes in all ranks of operands."""
    for (left, right), a, b in product(RANKS, DTYPES, DTYPES):
        if (left == "number" and a not in NUMBERS) or (right == "number" and b not in NUMBERS):
            continue
        if "float16" in (a, b) and any(one.startswith("complex") for one in (a, b)):
            continue  # complex32 in PyTorch
        if name == "stack" and "number" in (left, right):
            continue

        def call(library: Any, pair: Any = ((a, left), (b, right))) -> Any:
            return MIXED[name](library, *[of_rank(library, *one) for one in pair])

        assert_like_torch(call, (name, (a, left), (b, right)))

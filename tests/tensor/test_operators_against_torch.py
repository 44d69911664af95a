"""Operators, methods, in-place forms, ``out=`` and named results behave as PyTorch's, also for odd operands."""

from __future__ import annotations

import math
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
import torch

import zerograd

VALUES = [[3.0, -1.0, 2.0], [0.5, 4.0, -2.0]]


def outcome(expression: str, library: Any) -> Any:
    """The value in plain Python, or the error's type."""
    given = {"L": library, "x": library.tensor(VALUES), "i": library.tensor([[7, -7, 2], [5, 1, 3]])}
    given |= {"b": library.tensor([True, False, True]), "np": np, "inf": math.inf}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return plain(eval(expression, given), library)
    except Exception as error:
        return type(error)


def plain(value: Any, library: Any) -> Any:
    if isinstance(value, library.Tensor):
        return str(value.dtype), value.tolist()
    if isinstance(value, tuple | list):
        return [plain(one, library) for one in value]
    return value


OPERATORS_FAMILIES = [
    *(
        f"x {op} {other}"
        for op in ("+", "-", "*", "/", "//", "%", "**")
        for other in ("2", "2.0", "x.abs()", "i", "True", "b", "2j")
    ),
    *(
        f"{other} {op} i.abs()"
        for op in ("+", "-", "*", "/", "//", "%", "**")
        for other in ("2", "2.5", "np.float64(2)")
    ),
    *(f"i {op} {other}" for op in ("&", "|", "^", "<<", ">>") for other in ("3", "i.abs()", "True", "1.5", "b")),
    *(f"{other} {op} i.abs()" for op in ("&", "|", "^", "<<", ">>") for other in ("3", "True")),
    *(
        f"x {op} {other}"
        for op in ("<", "<=", ">", ">=", "==", "!=")
        for other in ("1", "x.T.T", "i", "b", "None", "'a'", "[1]")
    ),
    *(f"b {op} b" for op in ("&", "|", "^", "+", "-", "*", "/", "<", "==")),
]
OPERATORS = [
    *OPERATORS_FAMILIES,
    "-x", "+x", "~i", "~b", "~x", "-b", "+b", "abs(x)", "abs(i)", "x + None", "x * 'a'", "None + x", "[1] - x",
    "x ** None", "i // 0", "i % 0", "i / 0", "x // 0", "1 // (i - i)", "i ** -1", "2 ** -i.abs()", "divmod",
    "x @ x.T", "x == np.ones(3)", "x + np.ones(3)", "x * np.ones(3, np.float32)",
    "x @ 2", "2 @ x", "3.0 in x", "9 in x", "x.item", "x + np.float32(1)", "x * np.int64(2)",
    "i + np.float64(1.5)", "x + b", "x - 1j", "round(x.sum().item())", "x.sum() + 1", "L.tensor(2) * x",
    "L.tensor(2.5) * i", "L.tensor(2.5, dtype=L.float64) * x",
]  # fmt: skip
IN_PLACE_FAMILIES = [
    *(f"x.{name}_(2)" for name in ("add", "sub", "mul", "div", "pow", "remainder", "fmod", "floor_divide", "copysign")),
    *(
        f"x.{name}_()"
        for name in ("exp", "abs", "neg", "sign", "floor", "sqrt", "relu", "sigmoid", "tanh", "reciprocal", "log1p")
    ),
    *(f"x.{name}_(i)" for name in ("add", "mul", "eq", "gt", "atan2", "logical_and", "copysign")),
    *(f"i.{name}_(x)" for name in ("add", "mul", "div", "eq", "floor_divide", "pow")),
    *(
        f"i.{name}_(3)"
        for name in ("add", "sub", "mul", "bitwise_and", "bitwise_or", "bitwise_xor", "remainder", "pow", "clamp")
    ),
]
IN_PLACE = [
    *IN_PLACE_FAMILIES,
    "i.add_(1.5)", "i.div_(2)", "i.div_(2, rounding_mode='trunc')", "b.add_(1)", "b.logical_not_()", "b.eq_(True)",
    "i.exp_()", "x.add_(x, alpha=2)", "x.addcmul_(x, x, value=3)", "x.lerp_(x * 2, 0.5)", "x.clamp_(-1, 1)",
    "x.clamp_(min=0.5)", "x.cumsum_(1)", "x.cumprod_(0)", "x.nan_to_num_()", "x.round_(decimals=1)",
    "x.add_(L.ones(3))", "x[0].add_(L.ones(2, 3))", "x.mul_(L.ones(3, 2, 3))", "x[0].mul_(2) + x", "x.T.add_(1)",
    "x.bitwise_not_()", "i.bitwise_not_()", "x.renorm_(2, 0, 1.0)", "x.hypot_(x)", "i.gcd_(i.abs())",
    "x.masked_fill_(x > 0, 0)", "x.square_()", "x.apply_(lambda v: v + 1)", "x.float_power_(2)", "L.relu_(x)",
    "L.exp_(x)", "x.sub_(1, alpha=2)", "x.true_divide_(2)", "x.logit_(0.1)", "x.negative_()", "x.absolute_()",
]  # fmt: skip
WITH_OUT_FAMILIES = [
    *(f"L.{name}(x, out=L.empty(2, 3))" for name in ("exp", "abs", "neg", "sigmoid", "floor", "cumsum", "softmax")),
    *(f"L.{name}(x, 1, out=L.empty(0))" for name in ("sum", "mean", "amax", "cumsum", "softmax", "logsumexp", "std")),
    *(f"L.{name}(x, x, out=L.empty(2, 3))" for name in ("add", "sub", "mul", "div", "pow", "maximum", "atan2", "fmod")),
    *(f"L.{name}(x, x, out=L.empty(2, 3, dtype=L.bool))" for name in ("eq", "lt", "logical_and")),
]
WITH_OUT = [
    *WITH_OUT_FAMILIES,
    "L.max(x, 1, out=(L.empty(2), L.empty(2, dtype=L.long)))",
    "L.sort(x, out=(L.empty(2, 3), L.empty(2, 3, dtype=L.long)))", "L.add(x, x, out=L.empty(2, 3, dtype=L.int64))",
    "L.add(i, i, out=L.empty(2, 3))", "L.eq(x, x, out=L.empty(2, 3))", "L.exp(x, out=3)",
    "L.argmax(x, 1, out=L.empty(2, dtype=L.long))", "L.clamp(x, 0, 1, out=L.empty(2, 3))",
    "L.where(x > 0, x, x, out=L.empty(2, 3))", "L.round(x, decimals=1, out=L.empty(2, 3))",
    "L.exp(x, out=L.empty(2, 3, dtype=L.float64))",
]  # fmt: skip
ARGUMENTS = [
    "x.sum(axis=1)", "x.sum(dim=(0, 1), keepdim=True)", "x.mean(1, True)", "x.max(axis=0)[0]",
    "L.sum(input=x, dim=0)", "x.sum(2)", "x.sum(dim=(0, 0))", "x.std(False)", "x.std(1, False)",
    "x.var(dim=1, unbiased=False)", "x.var(1, correction=2)", "x.std(unbiased=True, correction=1)",
    "x.prod(1, dtype=L.float64)", "x.any()", "x.all(1)", "x.all((0, 1))", "x.any([])", "x.argmax()",
    "x.argmax(keepdim=True)", "x.argmin(1, keepdim=True)", "x.max(x)", "L.max(x, other=x)", "x.min(1)",
    "x.sort(descending=True)", "x.sort(1, True)", "x.topk(2)", "x.topk(9)", "x.kthvalue(2)", "x.kthvalue(0)",
    "x.median()", "x.sum('a')", "x.sum(1.5)", "L.sum(3)", "L.exp('a')", "L.exp(2.0)", "L.add(x)", "L.add(x, 'a')",
    "L.maximum(x, 2)", "L.eq(2, x)", "L.clamp(x)", "L.clamp(x, 0, x)", "L.div(x, 2, rounding_mode='up')",
    "L.where(x, x, x)", "L.where(b, x)", "L.softmax(i, 0)", "x.mean(dtype=L.int64)", "i.mean()",
    "i.sum(dtype=L.int8)", "i.std()", "L.max(L.empty(0))", "L.max(L.empty(0, 2), 0)", "L.argmax(L.empty(0))",
    "L.median(L.empty(0))", "L.amax(L.empty(0, 2), 0)", "L.quantile(x, 1.5)", "L.quantile(i, 0.5)", "L.histc(x, 0)",
    "L.histc(x, 3, 2, 1)", "L.bincount(i)", "L.bincount(i[0])", "L.searchsorted(x, 1.0)", "L.isin(x, b)",
    "L.lerp(x, x.double(), 0.5)", "L.lerp(i, i, 0.5)", "L.addcdiv(i, i, i)", "L.add(i, i, alpha=1.5)",
    "L.heaviside(x, i)", "L.polar(x, i)", "L.complex(x, x.double())", "x.imag", "L.view_as_complex(x)", "L.norm(i)",
    "L.norm(x, 'bad')", "x < 2j", "L.cov(L.ones(2, 2, 2))", "L.gradient(x, edge_order=3)",
    "L.gradient(x[:1], dim=0)", "L.diff(x, -1)", "L.trapezoid(x, i[0, :2])", "L.renorm(x, -1, 0, 1)", "L.dist(x, 2)",
    "L.allclose(x, x, rtol=-1)", "L.equal(x, i)", "L.equal(x, x[:1])", "L.allclose(x, x)", "L.unique(x, dim=3)",
    "L.cumsum(x, 5)", "L.cumsum(x)", "L.logcumsumexp(i, 0)", "L.mode(x, 7)", "L.count_nonzero(x, 1)",
    "L.result_type(x, 1j) == L.complex64", "L.can_cast(L.float32, L.int32)", "L.is_tensor(x)", "L.numel(x)",
    "L.is_complex(x)", "L.nanmean(i)", "L.nansum(i)", "L.bitwise_and(x, x)", "L.gcd(x, x)", "x << 1",
    "x.sum_to_size(1, 3)", "x.sum_to_size(5)", "x.max(1).values", "x.max(1).indices", "x.sort().values",
    "L.aminmax(x).min", "L.frexp(x).exponent", "x.max(1).nothing",
]  # fmt: skip


@pytest.mark.parametrize("expression", list(dict.fromkeys(OPERATORS + IN_PLACE + WITH_OUT + ARGUMENTS)))
def test_same_outcome(expression: str) -> None:
    expected, got = outcome(expression, torch), outcome(expression, zerograd)
    if isinstance(expected, type):
        assert isinstance(got, type), f"torch raises {expected.__name__}, zerograd gives {got}"
        assert issubclass(got, expected), f"torch raises {expected.__name__}, zerograd {got.__name__}"
    else:
        compare(got, expected)


def compare(got: Any, expected: Any) -> None:
    if isinstance(expected, list):
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            compare(one, other)
    elif isinstance(expected, tuple):
        assert got[0] == expected[0]
        np.testing.assert_allclose(got[1], expected[1], rtol=2e-6)
    elif isinstance(expected, bool | int | float | str):
        assert got == expected


def test_named_results_print_and_unpack_as_pytorchs() -> None:
    for library in (torch, zerograd):
        result = library.tensor(VALUES).max(1)
        values, indices = result
        assert result.values is values
        assert result[1] is indices
        assert type(result) is library.return_types.max
    assert repr(zerograd.tensor(VALUES).sort()) == repr(torch.tensor(VALUES).sort())
    assert repr(zerograd.tensor(VALUES).max(0)) == repr(torch.tensor(VALUES).max(0))


def test_named_results_can_be_pickled() -> None:
    result = zerograd.return_types.topk([1, 2])
    again = pickle.loads(pickle.dumps(result))
    assert again == result
    assert again.indices == 2


def test_operators_give_other_types_their_turn() -> None:
    class Other:
        def __radd__(self, tensor: Any) -> str:
            return "added"

        def __rpow__(self, tensor: Any) -> str:
            return "raised"

        def __eq__(self, tensor: object) -> bool:
            return True

        __hash__ = None  # pyright: ignore[reportAssignmentType]

    for library in (torch, zerograd):
        x = library.ones(2)
        assert x + Other() == "added"
        assert x ** Other() == "raised"
        assert (x == Other()) is True

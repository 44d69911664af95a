"""Values and gradients where conventions matter: ties, zeros, NaN, infinities, empty dimensions.

Each line is run by both libraries on the same tensors; ``L`` is the library.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch

import zerograd

INF, NAN = math.inf, math.nan
TENSORS: dict[str, Any] = {
    "x": [0.5, -1.5, 2.0, 0.5, 0.0],
    "y": [0.5, 2.0, -3.0, 1.0, 0.0],
    "z": [0.0, 2.0, 0.0, -1.0, 3.0],
    "zeros": [0.0, 0.0, 0.0],
    "same": [2.0, 2.0, 2.0],
    "odd": [NAN, 1.0, -INF, INF, -0.0, 0.0, NAN],
    "other": [1.0, NAN, 2.0, INF, 0.0, -1.0, NAN],
    "m": [[1.0, 5.0, 2.0], [4.0, 4.0, -3.0]],
    "holes": [[0.0, 2.0, 3.0], [2.0, 0.0, 0.0], [1.0, 2.0, 4.0]],
    "nans": [[NAN, 2.0, 1.0, 4.0], [3.0, NAN, NAN, 1.0], [1.0, 2.0, 2.0, 1.0]],
    "low": [0.5, 3.0, -1.0, 1.0, 1.0],
    "high": [0.5, 1.0, 2.0, 2.0, -1.0],
    "cube": [[[1.0, 2.0], [3.0, -1.0]], [[0.5, 0.5], [2.0, 2.0]]],
    "empty": np.zeros((0, 3)),
    "w": [1.0, 2.0, 3.0],
    "c": [1 + 2j, -0.5j, 0j, 3 + 0j],
    "n": [1.0, 1.0, 2.0, 3.0, 3.0],
}

UNARY = [
    "abs", "sign", "sgn", "floor", "ceil", "trunc", "round", "frac", "sqrt", "rsqrt", "reciprocal", "log", "log2",
    "log10", "log1p", "exp", "exp2", "expm1", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh",
    "asinh", "acosh", "atanh", "sigmoid", "relu", "logit", "square", "neg", "deg2rad", "rad2deg", "nan_to_num",
    "isnan", "isinf", "isfinite", "isposinf", "isneginf", "signbit", "logical_not", "angle", "positive",
]  # fmt: skip
BINARY = [
    "maximum", "minimum", "fmax", "fmin", "atan2", "hypot", "copysign", "logaddexp", "logaddexp2", "pow", "remainder",
    "fmod", "add", "mul", "sub", "div", "eq", "ne", "lt", "le", "gt", "ge", "isclose", "nextafter",
]  # fmt: skip

FAMILIES = [
    *(f"L.{name}({tensor})" for name in UNARY for tensor in ("odd", "x")),
    *(f"L.{name}(odd, other)" for name in BINARY if name not in ("remainder", "fmod")),
    *(f"L.{name}(x, y)" for name in BINARY),
    *(f"L.{name}(x, other=y)" for name in ("remainder", "fmod", "copysign")),
    *(f"L.{name}(m, 1)[0]" for name in ("max", "min", "median", "mode", "cummax", "cummin", "sort", "kthvalue")),
    *(f"L.{name}(n, 0)[{i}]" for name in ("mode", "cummax", "cummin", "max", "min", "median") for i in (0, 1)),
    *(f"L.{name}(nans, 1)[{i}]" for name in ("max", "min", "median", "nanmedian", "cummax", "sort") for i in (0, 1)),
    *(f"L.{name}(nans)" for name in ("max", "min", "median", "nanmedian", "nansum", "nanmean", "argmax", "any")),
    *(f"L.{name}(nans, 1)" for name in ("nansum", "nanmean", "argmax", "argmin", "logsumexp", "softmax", "cumsum")),
    *(f"L.{name}({tensor})" for name in ("max", "min", "median", "amax", "amin") for tensor in ("n", "same", "m")),
    *(f"L.{name}({tensor}, 1)" for name in ("prod", "cumprod", "amax", "logcumsumexp") for tensor in ("holes", "m")),
    *(f"L.{name}({tensor})" for name in ("std", "var") for tensor in ("same", "m", "c")),
    *(f"L.{name}(m, 1, correction=0)" for name in ("std", "var")),
    *(
        f"L.norm({tensor}, {p})"
        for tensor in ("zeros", "x", "c")
        for p in ("0", "0.5", "1", "1.5", "2", "3", "INF", "-INF")
    ),
    *(f"L.norm(holes, {p}, 1)" for p in ("1", "2", "INF", "4")),
    *(
        f"L.pow({a}, {b})"
        for a in ("z", "x")
        for b in ("0", "1", "2", "3", "0.5", "2.5", "-1", "0.0", "-0.5", "4", "-2")
    ),
    *(f"{base} ** z" for base in ("2", "0.5", "0", "1")),
    *(
        f"L.quantile(m, {q}, 1, interpolation='{kind}')"
        for q in ("0.3", "0.5")
        for kind in ("linear", "lower", "higher", "midpoint", "nearest")
    ),
    *(f"L.{name}(nans, 0.4, 1)" for name in ("quantile", "nanquantile")),
    *(
        f"L.clamp({bounds})"
        for bounds in ("x, low, high", "x, low", "x, max=high", "odd, -1, 1", "x, 0.5", "x, max=0.5", "x, 1, 0")
    ),
    *(f"L.{name}(x, low)" for name in ("clamp_min", "clamp_max")),
]
SINGLE = [
    "L.nan_to_num(odd, 1.0, 2.0, -2.0)", "L.logit(x, 0.2)", "L.round(x * 3.3, decimals=1)",
    "L.round(x * 333, decimals=-2)", "L.where(x > 0, x, y)", "L.where(x > 0, x, 2.0)", "L.where(x > 0, 1.0, y)",
    "L.lerp(x, y, 0.3)", "L.lerp(x, y, low)", "L.addcmul(x, y, z, value=0.5)", "L.addcdiv(x, y, low, value=2)",
    "L.add(x, y, alpha=3)", "L.sub(x, y, alpha=0.5)", "L.rsub(x, y, alpha=2)", "1 - x", "2 / low", "x % low",
    "(5 // low.detach()) * x", "L.prod(z)", "L.prod(empty)", "L.prod(empty, 0)", "L.sum(empty, 0)",
    "L.logsumexp(empty, 0)", "L.any(empty, 0)", "L.all(empty, 0)", "L.cumprod(empty, 0)", "L.cumsum(empty, 0)",
    "L.norm(empty)", "L.mean(m, (0, 1))", "L.sum(m, -1, True)", "L.amax(cube, (0, 2))",
    "L.std(cube, (0, 1), keepdim=True)", "L.var_mean(cube, 0)[1]", "L.logsumexp(cube, (0, 2))",
    "L.aminmax(m, dim=1)[0]", "L.topk(m, 2).values", "L.topk(m, 2, 0, False).values",
    "L.sort(n, descending=True, stable=True)[1]", "L.argsort(n, stable=True)", "L.msort(holes)",
    "L.sort(odd, descending=True)[0]", "L.softmax(x, 0)", "L.log_softmax(m, 1)", "L.softmax(m, 1, dtype=L.float64)",
    "L.softmax(odd, 0)", "L.dist(x, y, 1)", "L.dist(x, x)", "L.renorm(holes, 2, 0, 2.5)", "L.cov(m)",
    "L.corrcoef(m)", "L.cov(x)", "L.diff(m, 2)", "L.diff(x, prepend=y)", "L.trapezoid(m, w)",
    "L.cumulative_trapezoid(m, dx=2.0)", "L.gradient(x)[0]", "L.gradient(x, spacing=0.5, edge_order=2)[0]",
    "L.gradient(cube[0], spacing=(L.tensor([0.0, 1.0]),), dim=1)[0]", "L.ldexp(x, L.tensor([1, 2, 3, 0, 0]))",
    "L.frexp(x)[0]", "L.frexp(odd)[0]", "L.float_power(low.abs(), 2.5)", "abs(c)", "c.sgn()", "c.angle()", "c.real",
    "c.imag", "c * c.conj()", "c.exp()", "c.prod()", "c.cumprod(0)", "c.sum()", "c.mean()", "L.view_as_real(c)",
    "L.polar(low.abs(), x)", "L.complex(x, y)", "c ** 2", "c / (c + 1)", "c.tanh()", "c.sqrt()", "(c + 1).log()",
    "(c + 1).reciprocal()", "c.sigmoid()", "c.sin() * c.cos()", "(c + 2).rsqrt()", "c.var()", "(x * c[0]).abs()",
    "L.hypot(zeros, zeros + 1)", "L.atan2(zeros, zeros)", "x.relu() * 2", "x.abs().sqrt()",
    "L.count_nonzero(holes, 0)", "L.bucketize(x, L.tensor([-1.0, 0.0, 0.5]))",
    "L.searchsorted(L.tensor([0.0, 0.5, 2.0]), x, right=True)",
    "L.unique(n.detach(), return_inverse=True, return_counts=True)[1]", "L.unique(holes.detach(), dim=0)",
    "L.unique(x.detach().sum(), return_inverse=True)[1]", "L.unique_consecutive(x.detach().sum(), True)[1]",
    "L.unique_consecutive(n.detach())", "L.histc(x, 4, -2, 2)",
    "L.bincount(L.tensor([0, 3, 3]), L.tensor([0.5, 1.0, 2.0]))", "L.isin(x, y)",
]  # fmt: skip
EXPRESSIONS = list(dict.fromkeys(FAMILIES + SINGLE))


def tensors(library: Any) -> dict[str, Any]:
    made = {}
    for name, values in TENSORS.items():
        array = np.array(values)
        made[name] = library.tensor(array, requires_grad=True)
    return made


def run(expression: str, library: Any) -> tuple[Any, list[Any]]:
    """The value, and the gradient of a weighted sum of it for every tensor that plays a part."""
    given = tensors(library)
    value = eval(expression, {"L": library, "INF": INF, "NAN": NAN}, given)
    slopes: list[Any] = []
    if value.requires_grad:
        weights = np.cos(np.arange(max(math.prod(value.shape), 1)))[: math.prod(value.shape)].reshape(
            tuple(value.shape)
        )
        if value.dtype.is_complex:
            weights = weights + 0.5j
        seed = library.tensor(weights).to(value.dtype)
        inputs = list(given.values())
        slopes = list(library.autograd.grad(value, inputs, seed, allow_unused=True))
    return value.detach(), slopes


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_value_and_gradients(expression: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's advice about deprecated forms
        expected, wanted = run(expression, torch)
        got, found = run(expression, zerograd)
    assert str(got.dtype) == str(expected.dtype)
    np.testing.assert_allclose(got.numpy(), expected.resolve_conj().numpy(), rtol=1e-9, atol=1e-12)
    assert len(found) == len(wanted)
    for name, one, other in zip(TENSORS, found, wanted, strict=False):
        assert (one is None) == (other is None), name
        if other is not None:
            np.testing.assert_allclose(
                one.numpy(), other.resolve_conj().numpy(force=True), rtol=1e-9, atol=1e-12, err_msg=name
            )

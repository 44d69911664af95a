"""The functions of floats keep the bounds that their docstrings state, over the whole range of their arguments."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
import pytest
import torch

from zerograd.engines.native import jit, mathematics
from zerograd.engines.native.emit import Function, vector

Array = np.ndarray[Any, np.dtype[Any]]


def by_torch(function: Callable[..., torch.Tensor]) -> Callable[[Array], Array]:
    return lambda x: function(torch.from_numpy(x)).numpy()


def sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


# The truth in float64, and the bound in units in the last place of float32.
UNARY = {
    "exp": (np.exp, 1.1), "exp_not_large": (np.exp, 1.1), "exp_of_falling": (np.exp, 1.1),
    "exp2": (np.exp2, 1.1), "exp2_not_large": (np.exp2, 1.2), "exp2_of_falling": (np.exp2, 1.2),
    "expm1": (np.expm1, 1.5), "log": (np.log, 1.1),
    "log1p": (np.log1p, 1.5), "log2": (np.log2, 0.6), "log10": (np.log10, 0.6), "tanh": (np.tanh, 2.5),
    "sinh": (np.sinh, 0.6), "cosh": (np.cosh, 0.6), "asinh": (np.arcsinh, 0.6), "acosh": (np.arccosh, 0.6),
    "atanh": (np.arctanh, 0.6), "sin": (np.sin, 2), "cos": (np.cos, 2), "tan": (np.tan, 0.6), "asin": (np.arcsin, 0.6),
    "acos": (np.arccos, 0.6), "atan": (np.arctan, 0.6), "sigmoid": (sigmoid, 2.5),
    "softplus": (lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), 2.5), "erf": (by_torch(torch.erf), 2),
    "erfc": (by_torch(torch.special.erfc), 1), "ndtr": (by_torch(lambda x: torch.special.erfc(x * -(0.5**0.5)) / 2), 1),
}  # fmt: skip
BELOW = {
    "exp_not_large": 40,
    "exp_of_falling": 40,
    "exp2_not_large": 60,
    "exp2_of_falling": 60,
}  # nothing is promised from there on
BINARY = {"pow": (np.power, 0.6), "atan2": (np.arctan2, 0.6), "hypot": (np.hypot, 0.6)}

# Of float64, in units of its last place; what the C library computes stands in the test of the ops.
DOUBLE = {
    "exp": (mpmath.exp, 1.1), "exp_not_large": (mpmath.exp, 1.1), "exp_of_falling": (mpmath.exp, 1.1),
    "exp2": (lambda x: mpmath.power(2, x), 1.1),
    **dict.fromkeys(("exp2_not_large", "exp2_of_falling"), (lambda x: mpmath.power(2, x), 1.2)),
    "log": (mpmath.log, 1.1),
    "log1p": (mpmath.log1p, 1.5), "tanh": (mpmath.tanh, 2.5), "sin": (mpmath.sin, 2), "cos": (mpmath.cos, 2),
    "sigmoid": (lambda x: 1 / (1 + mpmath.exp(-x)), 2.5), "softplus": (lambda x: mpmath.log1p(mpmath.exp(x)), 2.5),
}  # fmt: skip


@functools.cache
def compiled(kind: str, lanes: int, operands: int) -> Any:
    """A function (pointers, length) that runs all functions of as many operands, over whole vectors."""
    f = Function("all", (("ptr", "pointers"), ("i64", "n")))
    pointers, n = f.arguments
    type = vector(kind, lanes)
    for number, name in enumerate(names(kind, operands)):
        places = [f.load("ptr", pointers, i) for i in (*range(operands), operands + number)]

        def step(i: Any, name: str = name, places: Sequence[Any] = places) -> None:
            f.store(getattr(mathematics, name)(f, *[f.load(type, one, i) for one in places[:-1]]), places[-1], i)

        f.loop(0, n, lanes, step)
    text = f.finish()
    name = jit.symbol("all", text)
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(
        jit.load({name: text.replace("@all(", f"@{name}(")})[name]
    )


def names(kind: str, operands: int) -> list[str]:
    return list(DOUBLE if kind == "double" else UNARY if operands == 1 else BINARY)


@functools.cache
def results(kind: str, lanes: int, operands: int) -> tuple[tuple[Array, ...], dict[str, Array]]:
    make = doubles if kind == "double" else singles if operands == 1 else pairs
    xs = make()
    found = {name: np.empty_like(xs[0]) for name in names(kind, operands)}
    pointers = np.array([one.ctypes.data for one in (*xs, *found.values())])
    assert len(xs[0]) % 16 == 0
    compiled(kind, lanes, operands)(pointers.ctypes.data, len(xs[0]))
    return xs, found


SPECIAL = [0, -0.0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1e-40, -1e-40,
           1.1754944e-38, 3.4028235e38, -3.4028235e38, 88.72284, 88.72283, -87.33655, -103.97208, -103.9721, 128,
           -149, -150, 1e10, np.pi, 16777217, 0.99999994]  # fmt: skip


def singles() -> tuple[Array]:
    """Every 4999th number there is, and many where functions are used."""
    random = np.random.default_rng(1)
    everywhere = np.arange(0, 1 << 32, 4999, dtype=np.uint64).astype(np.uint32).view(np.float32)
    usual = [random.uniform(-size, size, 100_000).astype(np.float32) for size in (1, 4, 100)]
    beside_one = (1 + random.uniform(-0.5, 0.5, 100_000) ** 3).astype(np.float32)
    return (whole(np.concatenate([np.array(SPECIAL, np.float32), everywhere, *usual, beside_one])),)


def pairs() -> tuple[Array, Array]:
    random = np.random.default_rng(2)
    special = np.meshgrid(np.array(SPECIAL, np.float32), np.array(SPECIAL, np.float32))
    anything = random.integers(0, 1 << 32, (2, 200_000)).astype(np.uint32).view(np.float32)
    usual = (random.normal(size=(2, 200_000)) * 4).astype(np.float32)
    usual[0, ::2] = np.abs(usual[0, ::2])
    x, y = (whole(np.concatenate([a.ravel(), b, c])) for a, b, c in zip(special, anything, usual, strict=True))
    return x, y


def doubles() -> tuple[Array]:
    random = np.random.default_rng(3)
    anything = random.integers(0, 1 << 64, 400, np.uint64).view(np.float64)
    usual = [random.uniform(-size, size, 300) for size in (0.1, 2, 40, 745)]
    special = [*SPECIAL, 709.78271289338397, 709.79, -745.13, -745.14, -708.4, 5e-324, 2.3e-308, 1e8, 1e16, 1e300]
    return (whole(np.concatenate([special, anything, *usual, 1 + random.uniform(-0.5, 0.5, 300) ** 3])),)


def whole(x: Array) -> Array:
    return np.concatenate([x, np.ones(-len(x) % 16, x.dtype)])


def report(name: str, xs: tuple[Array, ...], y: Array, distance: Array, bound: float) -> None:
    """Fail at the place that is farthest from the truth."""
    distance = np.where(xs[0] >= BELOW.get(name, np.inf), 0, distance)
    worst = int(np.argmax(distance))
    given = ", ".join(repr(x[worst]) for x in xs)
    assert distance[worst] <= bound, f"{name}({given}) = {y[worst]!r} is {distance[worst]:.3f} ulp off"


def distance_in_single(y: Array, truth: Array) -> Array:
    with np.errstate(all="ignore"):
        rounded = truth.astype(np.float32)
        last_place = np.exp2(np.floor(np.log2(np.maximum(np.abs(truth), 2.0**-126))) - 23)
        distance = np.abs(y.astype(np.float64) - truth) / last_place
    same = (y == rounded) | (np.isnan(y) & np.isnan(rounded))
    return np.where(same & ~np.isfinite(rounded), 0, np.nan_to_num(distance, nan=1e9))


@pytest.mark.parametrize("name", UNARY)
def test_float32(name: str) -> None:
    (x,), found = results("float", 8, 1)
    truth, bound = UNARY[name]
    with np.errstate(all="ignore"):
        exact = truth(x.astype(np.float64))
    report(name, (x,), found[name], distance_in_single(found[name], exact), bound)


@pytest.mark.parametrize("name", BINARY)
def test_float32_of_two(name: str) -> None:
    xs, found = results("float", 8, 2)
    truth, bound = BINARY[name]
    with np.errstate(all="ignore"):
        exact = truth(*[x.astype(np.float64) for x in xs])
    report(name, xs, found[name], distance_in_single(found[name], exact), bound)
    numbers = ~np.isnan(exact)
    assert np.array_equal(np.signbit(found[name])[numbers], np.signbit(exact)[numbers])


@pytest.mark.parametrize("lanes", [1, 4, 16])
def test_every_width_gives_the_same_bits(lanes: int) -> None:
    _, expected = results("float", 8, 1)
    _, found = results("float", lanes, 1)
    for name in UNARY:
        assert np.array_equal(found[name], expected[name], equal_nan=True), name


@pytest.mark.parametrize(
    "name", ["sin", "tan", "asin", "atan", "sinh", "asinh", "atanh", "tanh", "expm1", "log1p", "erf"]
)
def test_minus_zero_stays(name: str) -> None:
    (x,), found = results("float", 8, 1)
    zeros = x == 0
    assert np.array_equal(np.signbit(found[name][zeros]), np.signbit(x[zeros]))
    assert np.array_equal(found[name][zeros], x[zeros])


@pytest.mark.parametrize("name", DOUBLE)
def test_float64(name: str) -> None:
    (x,), found = results("double", 4, 1)
    truth, bound = DOUBLE[name]
    y = found[name]
    distance = np.zeros(len(x))
    with mpmath.workprec(1200), np.errstate(all="ignore"):
        usual = UNARY[name][0](x)  # tells where the result is finite, and what it is elsewhere
        for i, one in enumerate(x):
            if (
                np.isfinite(one)
                and np.isfinite(usual[i])
                and (abs(one) < 800 or name in ("sin", "cos", "log", "log1p"))
            ):
                exact = truth(mpmath.mpf(float(one)))
                place = max(mpmath.floor(mpmath.log(abs(exact), 2)) - 52, -1074) if exact else -1074
                distance[i] = abs(mpmath.mpf(float(y[i])) - exact) / mpmath.mpf(2) ** place
            else:
                distance[i] = 0 if y[i] == usual[i] or (y[i] != y[i] and usual[i] != usual[i]) else 1e9
    report(name, (x,), y, distance, bound)

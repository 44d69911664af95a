"""Special functions in machine code: their bounds against the truth, poles, infinities, every width of vectors."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from engines.native.graphs import check_close
from engines.native.lowered import Lowered, leaves

from zerograd.engines.native import jit, mathematics
from zerograd.engines.native.emit import Function, vector
from zerograd.ops.special.gamma import polygamma as reference
from zerograd.ops.special_functions import digamma, lgamma, polygamma

Array = np.ndarray[Any, Any]
Real = Callable[[Any], Any]


def quantile(x: Any) -> Any:
    return mpmath.sqrt(2) * mpmath.erfinv(2 * x - 1)


TRUTH: dict[str, tuple[Real, Real]] = {
    "lgamma": (lambda x: mpmath.log(abs(mpmath.gamma(x))), lambda x: mpmath.log(abs(mpmath.gamma(-x)))),
    "digamma": (mpmath.digamma, lambda x: mpmath.digamma(1 - x)),
    "trigamma": (lambda x: mpmath.psi(1, x), lambda x: mpmath.psi(1, 1 - x)),
    "erfinv": (mpmath.erfinv, lambda x: 0),
    "ndtri": (quantile, lambda x: 1),
}
"""The function, and the term that is subtracted left of 0, where digits can be lost."""

DOUBLE = {"lgamma": 7.0, "digamma": 7.0, "trigamma": 7.0, "erfinv": 3.0, "ndtri": 3.0}  # units in the last place


def _of_reference(x: torch.Tensor) -> torch.Tensor:
    """PyTorch's polygamma misses the poles left of 0."""
    return torch.from_numpy(reference(x.numpy(), n=1))


OF_TORCH = {"lgamma": torch.lgamma, "digamma": torch.digamma, "trigamma": _of_reference,
            "erfinv": torch.erfinv, "ndtri": torch.special.ndtri}  # fmt: skip


@functools.cache
def compiled(name: str, kind: str, lanes: int) -> Any:
    f = Function("one", (("ptr", "x"), ("ptr", "y"), ("i64", "n")))
    x, y, n = f.arguments
    type = vector(kind, lanes)
    f.loop(0, n, lanes, lambda i: f.store(getattr(mathematics, name)(f, f.load(type, x, i)), y, i))
    text = f.finish()
    symbol = jit.symbol(name, text)
    address = jit.load({symbol: text.replace("@one(", f"@{symbol}(")})[symbol]
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(address)


def computed(name: str, x: Array, lanes: int = 4) -> Array:
    whole = np.concatenate([x, np.ones(-len(x) % 16, x.dtype)])
    y = np.empty_like(whole)
    compiled(name, "double" if x.dtype == np.float64 else "float", lanes)(whole.ctypes.data, y.ctypes.data, len(whole))
    return y[: len(x)]


def arguments(name: str) -> Array:
    """Where the function is smooth, on all of its pieces, and close to its zeros."""
    random = np.random.default_rng(5)
    crowded = random.uniform(-1, 1, 150) ** 5
    if name == "erfinv":
        return np.concatenate([random.uniform(-1, 1, 400), 1 - 10.0 ** random.uniform(-15, 0, 100), crowded])
    if name == "ndtri":
        near = [10.0 ** random.uniform(-30, 0, 100), 1 - 10.0 ** random.uniform(-15, 0, 100), 0.5 + crowded / 2]
        return np.concatenate([random.uniform(0, 1, 300), *near, [1e-44]])
    usual = [random.uniform(-size, size, 250) for size in (1, 3, 12, 150)]
    zeros = [zero + crowded / 2 for zero in (1, 2, 1.4616321449683622)]
    least = -18 if name == "trigamma" else -300  # closer to 0 its result is infinite
    borders = np.array([0.5, 1.5, 2, 2.5, 3, 8, 10])
    return np.concatenate([*usual, *zeros, borders, np.nextafter(borders, 0), 10.0 ** random.uniform(least, 5, 100)])


def distances(name: str, x: Array, y: Array, mantissa: int) -> Array:
    """From the truth, in units in the last place of what was added up."""
    truth, term = TRUTH[name]
    found = np.zeros(len(x))
    with mpmath.workprec(250):
        for i, one in enumerate(x):
            given = mpmath.mpf(float(one))
            exact = truth(given)
            scale = abs(exact)
            if one < 0 or name == "ndtri":
                scale = max(scale, abs(term(given)), 0 if name == "erfinv" else 1)
            place = mpmath.floor(mpmath.log(scale, 2)) - mantissa if scale else -1074
            found[i] = abs(mpmath.mpf(float(y[i])) - exact) / mpmath.mpf(2) ** place
    return found


@pytest.mark.parametrize("name", TRUTH)
def test_float64(name: str) -> None:
    x = arguments(name)
    off = distances(name, x, computed(name, x), 52)
    worst = int(np.argmax(off))
    assert off[worst] < DOUBLE[name], x[worst]


@pytest.mark.parametrize("name", TRUTH)
def test_float32(name: str) -> None:
    x = arguments(name).astype(np.float32)
    x = x[(np.abs(x) < 1) if name in ("erfinv", "ndtri") else (x > 0) | (x % 1 != 0)]
    x = x[np.abs(x) > 1e-37]  # what is closer to 0 overflows in some
    off = distances(name, x, computed(name, x), 23)
    worst = int(np.argmax(off))
    assert off[worst] < 0.6, x[worst]


EDGES = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 3.0, 0.5, -17.0, 1.5, 1e-40, -1e-40, 1e37, -1e30, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("name", TRUTH)
def test_poles_and_infinities_are_those_of_pytorch(name: str, kind: Any) -> None:
    x = np.array([*EDGES, *([5e-324, -5e-324, 1e306, -1e306] if kind is np.float64 else [])], kind)
    y, expected = computed(name, x), OF_TORCH[name](torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-12)
    zeros = (y == 0) & (x == 0)
    assert np.array_equal(np.signbit(y[zeros]), np.signbit(expected[zeros]))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("name", TRUTH)
def test_every_width_gives_the_same_bits(name: str, kind: Any) -> None:
    x = np.concatenate([arguments(name), EDGES]).astype(kind)
    first = computed(name, x, 1)
    for lanes in (2, 8, 16):
        assert np.array_equal(computed(name, x, lanes), first, equal_nan=True)


def test_slopes_of_the_gamma_function_are_native() -> None:
    array = np.random.default_rng(0).uniform(-4, 9, (3, 41)).astype(np.float32)
    (x,) = leaves(array)
    check_close([lgamma(x), digamma(x), polygamma(x, n=1)], [array])
    assert not Lowered([polygamma(x, n=2)], [array]).native

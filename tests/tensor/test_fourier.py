"""Fourier transforms are PyTorch's: values, gradients, gradients of gradients, errors."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch as pytorch

import zerograd

generator = np.random.default_rng(0)
REAL = generator.standard_normal((3, 4, 5))
COMPLEX = REAL + 1j * generator.standard_normal((3, 4, 5))

CASES: list[tuple[str, dict[str, Any]]] = [
    *[
        (name, arguments)
        for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
        for arguments in ({}, {"n": 3}, {"n": 8}, {"dim": 0, "norm": "ortho"}, {"dim": 1, "n": 1, "norm": "forward"})
    ],
    *[
        (f"{name}2", arguments)
        for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
        for arguments in ({}, {"s": (2, 6)}, {"dim": (0, 1), "norm": "ortho"}, {"s": (-1, 4), "norm": "forward"})
    ],
    *[
        (f"{name}n", arguments)
        for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
        for arguments in ({}, {"s": (4, 4)}, {"dim": (2, 0)}, {"s": (2, 3, 7), "dim": (1, 2, 0), "norm": "ortho"})
    ],
    *[(name, arguments) for name in ("fftshift", "ifftshift") for arguments in ({}, {"dim": 1}, {"dim": (0, 2)})],
]
ONLY_REAL = ("rfft", "ihfft")


def derivatives(lib: ModuleType, name: str, arguments: dict[str, Any], data: Any) -> list[Any]:
    """The value, the gradient of a weighted sum of it, and the gradient of that one's sum of squares."""
    x = lib.tensor(data, requires_grad=True)
    y = getattr(lib.fft, name)(x, **arguments)
    weights = np.random.default_rng(1).standard_normal(tuple(y.shape)).astype(np.complex128)
    weight = lib.tensor(weights if y.is_complex() else weights.real)
    loss = (y * y * weight).sum()
    loss = loss.real + loss.imag if loss.is_complex() else loss
    (first,) = lib.autograd.grad(loss, x, create_graph=True)
    (second,) = lib.autograd.grad((first * first.conj()).real.sum() if first.is_complex() else (first**2).sum(), x)
    return [one.detach().resolve_conj().numpy() for one in (y, first, second)]


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_values_and_derivatives_are_pytorchs(name: str, arguments: dict[str, Any]) -> None:
    check(name, arguments, REAL)


@pytest.mark.parametrize(("name", "arguments"), [one for one in CASES if not one[0].startswith(ONLY_REAL)], ids=str)
def test_values_and_derivatives_for_complex_numbers_are_pytorchs(name: str, arguments: dict[str, Any]) -> None:
    check(name, arguments, COMPLEX)


def check(name: str, arguments: dict[str, Any], data: Any) -> None:
    found, expected = (derivatives(lib, name, arguments, data) for lib in (zerograd, pytorch))
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_frequencies_are_pytorchs(n: int) -> None:
    for name in ("fftfreq", "rfftfreq"):
        found, expected = (getattr(lib.fft, name)(n, d=0.3) for lib in (zerograd, pytorch))
        assert found.tolist() == expected.tolist()
    assert zerograd.fft.fftfreq(n, dtype=zerograd.float64).dtype is zerograd.float64


def test_a_transform_keeps_single_precision_and_names_its_history() -> None:
    for name in ("fft", "rfft", "irfft", "ifft2"):
        x = [lib.ones(4, 4, requires_grad=True) for lib in (zerograd, pytorch)]
        found, expected = (getattr(lib.fft, name)(one) for lib, one in zip((zerograd, pytorch), x, strict=True))
        assert str(found.dtype) == str(expected.dtype)
        assert found.grad_fn.name() == expected.grad_fn.name()


WRONG: dict[str, Any] = {
    "no points": lambda T: T.fft.fft(T.zeros(0)),
    "size zero": lambda T: T.fft.fft(T.zeros(3), n=0),
    "dimension": lambda T: T.fft.fft(T.zeros(3), dim=1),
    "norm": lambda T: T.fft.fft(T.zeros(3), norm="both"),
    "complex": lambda T: T.fft.rfft(T.zeros(3, dtype=T.complex64)),
    "half": lambda T: T.fft.fft(T.zeros(3, dtype=T.float16)),
    "twice": lambda T: T.fft.fftn(T.zeros(3, 3), dim=(0, 0)),
    "sizes": lambda T: T.fft.fftn(T.zeros(3, 3), s=(2,), dim=(0, 1)),
    "too many sizes": lambda T: T.fft.fftn(T.zeros(3), s=(2, 2)),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls_raise_pytorchs_type(name: str) -> None:
    with pytest.raises(Exception) as expected:  # noqa: PT011
        WRONG[name](pytorch)
    with pytest.raises(type(expected.value)) as found:
        WRONG[name](zerograd)
    assert type(found.value) is type(expected.value)
    assert str(found.value)

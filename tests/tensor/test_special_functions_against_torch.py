"""torch.special through tensors: dtypes, gradients, names and refusals are PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import zerograd
from zerograd import special

ONE = [
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "ndtr",
    "ndtri",
    "log_ndtr",
    "gammaln",
    "digamma",
    "psi",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "entr",
    "sinc",
    "logit",
    "expit",
    "exp2",
    "expm1",
    "log1p",
]
WITHOUT_GRADIENT = [
    "bessel_j0",
    "bessel_j1",
    "bessel_y0",
    "bessel_y1",
    "modified_bessel_i0",
    "modified_bessel_i1",
    "modified_bessel_k0",
    "modified_bessel_k1",
    "scaled_modified_bessel_k0",
    "scaled_modified_bessel_k1",
    "spherical_bessel_j0",
    "airy_ai",
]
TWO = ["zeta", "gammainc", "gammaincc", "xlogy", "xlog1py"]
POLYNOMIALS = [name for name in special.__all__ if "polynomial" in name]
TOP = ["digamma", "erf", "erfc", "erfinv", "i0", "lgamma", "sinc"]
DTYPES = ["bool", "uint8", "int64", "float16", "bfloat16", "float32", "float64", "complex64"]

Call = Callable[[Any, Any], Any]  # of a library and its tensor


def call(name: str, *more: Any) -> Call:
    return lambda library, x: getattr(library.special, name)(x, *more)


CALLS: dict[str, Call] = {
    **{name: call(name) for name in ONE + WITHOUT_GRADIENT},
    **{name: lambda library, x, name=name: getattr(library.special, name)(x, x) for name in TWO + POLYNOMIALS},
    "polygamma": lambda library, x: library.special.polygamma(2, x),
    "multigammaln": lambda library, x: library.special.multigammaln(x + 3, 3),
    "logit with eps": call("logit", 0.3),
}


def outcome(compute: Callable[[], Any]) -> Any:
    """The result, or the type of the error."""
    try:
        return compute()
    except (TypeError, ValueError, RuntimeError) as refused:
        return type(refused)


def numbers(x: Any) -> np.ndarray:
    x = x.detach()
    return (x.cdouble() if x.dtype.is_complex else x.double()).numpy()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CALLS)
def test_result_types_are_torchs(name: str, dtype: str) -> None:
    data = [1, 1]
    theirs = outcome(lambda: CALLS[name](torch, torch.tensor(data).to(getattr(torch, dtype))))
    ours = outcome(lambda: CALLS[name](zerograd, zerograd.tensor(data).to(getattr(zerograd, dtype))))
    if isinstance(theirs, type):
        assert ours is theirs
    else:
        assert str(ours.dtype) == str(theirs.dtype)
        np.testing.assert_allclose(numbers(ours), numbers(theirs), rtol=1e-2 if "16" in dtype else 1e-6)


@pytest.mark.parametrize("name", [name for name in CALLS if name not in WITHOUT_GRADIENT + POLYNOMIALS])
def test_first_and_second_derivatives_are_torchs(name: str) -> None:
    data = [0.05, 0.31, 0.5, 0.62, 0.97]

    def derivatives(library: Any) -> list[np.ndarray]:
        x = library.tensor(data, dtype=library.float64, requires_grad=True)
        # Where only the second argument can be differentiated, the first is a constant.
        if name in ("zeta", "gammainc", "gammaincc"):
            out = getattr(library.special, name)(library.tensor(data, dtype=library.float64) + 1.5, x)
        else:
            out = CALLS[name](library, x)
        (first,) = library.autograd.grad(out.sum(), x, create_graph=True)
        (second,) = library.autograd.grad((first * first.detach().cos()).sum(), x)
        return [out, first, second]

    for ours, theirs in zip(derivatives(zerograd), derivatives(torch), strict=True):
        np.testing.assert_allclose(numbers(ours), numbers(theirs), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ["i1", "i1e", "sinc", "xlogy", "entr", "i0", "i0e"])
def test_derivatives_at_zero_are_torchs(name: str) -> None:
    def derivative(library: Any) -> Any:
        x = library.tensor([0.0, -0.0], dtype=library.float64, requires_grad=True)
        CALLS[name](library, x).sum().backward()
        return x.grad

    np.testing.assert_array_equal(numbers(derivative(zerograd)), numbers(derivative(torch)))


@pytest.mark.parametrize("name", WITHOUT_GRADIENT + POLYNOMIALS)
def test_results_without_gradient_do_not_require_one(name: str) -> None:
    x = zerograd.tensor([0.5, 1.5], requires_grad=True)
    assert CALLS[name](torch, torch.tensor([0.5, 1.5], requires_grad=True)).requires_grad is False
    assert CALLS[name](zerograd, x).requires_grad is False


@pytest.mark.parametrize("name", ["zeta", "gammainc", "gammaincc"])
def test_unknown_derivatives_are_refused(name: str) -> None:
    def backward(library: Any) -> None:
        x = library.tensor([0.5, 1.5], requires_grad=True)
        getattr(library.special, name)(x, library.tensor([2.0, 3.0])).sum().backward()

    assert outcome(lambda: backward(torch)) is NotImplementedError
    with pytest.raises(NotImplementedError, match="with respect to 'input'"):
        backward(zerograd)


@pytest.mark.parametrize("name", [name for name in CALLS if name not in WITHOUT_GRADIENT + POLYNOMIALS])
def test_grad_fn_is_named_as_in_torch(name: str) -> None:
    ours = CALLS[name](zerograd, zerograd.tensor([0.5], requires_grad=True))
    theirs = CALLS[name](torch, torch.tensor([0.5], requires_grad=True))
    assert ours.grad_fn.name() == type(theirs.grad_fn).__name__


@pytest.mark.parametrize("name", TOP)
def test_the_common_ones_are_functions_methods_and_in_place(name: str) -> None:
    data = [0.25, 0.75]
    wanted = getattr(torch, name)(torch.tensor(data)).numpy()
    x = zerograd.tensor(data)
    into = zerograd.empty(2)
    changed = zerograd.tensor(data)
    for result in (
        getattr(zerograd, name)(x),
        getattr(x, name)(),
        getattr(changed, f"{name}_")(),
        getattr(zerograd, name)(x, out=into),
        changed,
        into,
    ):
        np.testing.assert_allclose(result.numpy(), wanted, rtol=1e-6)


def test_methods_with_more_arguments() -> None:
    def results(library: Any) -> list[np.ndarray]:
        x, y = library.tensor([2.5, 3.5]), library.tensor([0.5, 4.0])
        return [
            one.numpy()
            for one in (
                x.polygamma(1), x.mvlgamma(2), x.igamma(y), x.igammac(y), x.xlogy(y), x.xlogy(2.0),
                x.clone().polygamma_(1), x.clone().mvlgamma_(2), x.clone().igamma_(y), x.clone().xlogy_(y),
                library.xlogy(2, y), library.special.zeta(2, y), library.special.zeta(x, 2.0),
                library.special.legendre_polynomial_p(y, 3), library.special.hermite_polynomial_h(2.0, x),
                library.polygamma(n=1, input=x), library.mvlgamma(x, p=1),
            )
        ]  # fmt: skip

    for ours, theirs in zip(results(zerograd), results(torch), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


WRONG: list[Callable[[Any], Any]] = [
    lambda library: library.erf(2.0),
    lambda library: library.special.bessel_j0("x"),
    lambda library: library.xlogy(2, 2),
    lambda library: library.special.zeta(2, 3.0),
    lambda library: library.igamma(library.ones(2), 2.0),
    lambda library: library.igamma(2.0, library.ones(2)),
    lambda library: library.igamma(library.ones(2).long(), library.ones(2).long()),
    lambda library: library.special.polygamma(-1, library.ones(2)),
    lambda library: library.special.polygamma(1.5, library.ones(2)),
    lambda library: library.polygamma(library.ones(2), 1),
    lambda library: library.mvlgamma(library.ones(2), 0),
    lambda library: library.mvlgamma(library.ones(2), 1.5),
    lambda library: library.xlogy(library.ones(2), library.ones(3)),
    lambda library: library.erf(library.ones(2), out=library.ones(2).long()),
    lambda library: library.ones(2).long().erf_(),
    lambda library: library.special.airy_ai(library.ones(2).half()),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_calls_raise_torchs_errors(wrong: Callable[[Any], Any]) -> None:
    theirs = outcome(lambda: wrong(torch))
    assert isinstance(theirs, type)
    assert outcome(lambda: wrong(zerograd)) is theirs


def test_every_name_of_torch_special_is_there() -> None:
    theirs = {
        name
        for name in dir(torch.special)
        if not name.startswith("_") and getattr(getattr(torch.special, name), "__module__", "") != "torch"
    } - {"torch", "Tensor", "common_args", "multi_dim_common"}
    missing = theirs - set(special.__all__)
    assert missing == set()

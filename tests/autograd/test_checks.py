"""gradcheck, gradgradcheck, anomaly detection, and what errors about graphs say."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch as pytorch
from autograd.scenario import PENDING, at_most_pending

import zerograd as torch
from zerograd.ir.record import recorder


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """A line is that where an expression was met first, so what other tests have recorded must be forgotten."""
    recorder.own.forget()


def _points(*shape: int, kind: Any = None) -> Any:
    torch.manual_seed(0)
    return torch.rand(shape, dtype=kind or torch.float64).requires_grad_()


class Wrong(torch.autograd.Function):
    """x ** 2, with a gradient that is 1 % too large."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return grad * 2.02 * ctx.saved_tensors[0]


class WrongTwice(torch.autograd.Function):
    """x ** 2, whose gradient is right and cut off from its history."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return grad * 2 * ctx.saved_tensors[0].detach()


RIGHT: dict[str, Callable[..., Any]] = {
    "elementwise": lambda x: (x.exp() * x.sin()).sum(),
    "a product": lambda x: x @ x.T,
    "several outputs": lambda x: (x * 2, x.sum(0)),
    "a loss": lambda x: torch.nn.functional.cross_entropy(x, torch.tensor([0, 2, 1])),
    "in place": lambda x: (x * 1.0).mul_(x).add_(1.0),
    "views": lambda x: x.t()[1:].reshape(-1) ** 3,
    "no tensor among the outputs": lambda x: (x * 2, 3),
}


@pytest.mark.parametrize("name", RIGHT)
def test_gradcheck_passes_right_gradients(name: str) -> None:
    x = _points(3, 3)
    assert torch.autograd.gradcheck(RIGHT[name], (x,))
    assert torch.autograd.gradgradcheck(RIGHT[name], (x,))


def test_gradcheck_takes_complex_numbers_and_several_inputs() -> None:
    z = torch.tensor([1.0 + 0.5j, -0.3j], requires_grad=True, dtype=torch.complex128)
    w = torch.tensor([0.2 - 1.0j, 2.0], requires_grad=True, dtype=torch.complex128)
    assert torch.autograd.gradcheck(lambda z, w: (z * w.conj()).exp(), (z, w))
    assert torch.autograd.gradcheck(lambda z: (z * z.conj()).real, (z,))
    assert torch.autograd.gradcheck(lambda x, y: x * y, (_points(2), torch.ones(2, dtype=torch.float64)))
    assert torch.autograd.gradcheck(lambda x: x * 2, _points(2))


def test_gradcheck_finds_a_gradient_that_is_1_percent_wrong() -> None:
    x = _points(3)
    with pytest.raises(torch.autograd.GradcheckError, match="Jacobian"):
        torch.autograd.gradcheck(Wrong.apply, (x,))
    assert not torch.autograd.gradcheck(Wrong.apply, (x,), raise_exception=False)
    assert issubclass(torch.autograd.GradcheckError, RuntimeError)


def test_gradgradcheck_finds_a_gradient_without_history() -> None:
    x = _points(3)
    assert torch.autograd.gradcheck(WrongTwice.apply, (x,))
    with pytest.raises(RuntimeError):
        torch.autograd.gradgradcheck(WrongTwice.apply, (x,))


def test_gradcheck_refuses_inputs_without_grad_and_warns_of_single_precision() -> None:
    with pytest.raises(ValueError, match="requires grad"):
        torch.autograd.gradcheck(lambda x: x, (torch.ones(2),))
    with pytest.warns(UserWarning, match="float32"):
        torch.autograd.gradcheck(lambda x: x * 2, _points(2, kind=torch.float32), eps=1e-2, atol=1e-2)


# --- anomaly detection -------------------------------------------------------------------------------


def _line_of(marker: str) -> int:
    with open(__file__) as file:
        return next(i for i, line in enumerate(file, 1) if line.rstrip().endswith(f"# {marker}"))


@pytest.mark.parametrize("count", PENDING)
def test_anomaly_detection_names_the_forward_line_that_gives_nan(count: int) -> None:
    w = torch.tensor([0.0, 1.0], requires_grad=True)
    with at_most_pending(count), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.autograd.detect_anomaly():
            y = w * 2.0
            z = (y * 0.0).sqrt()  # the line of the square root
            loss = (z * 0.0).sum()
            with pytest.raises(RuntimeError, match="nan") as error:
                loss.backward()
    text = str(error.value)
    assert "SqrtBackward0" in text
    assert f"test_checks.py:{_line_of('the line of the square root')}" in text


def test_anomaly_detection_names_a_custom_function() -> None:
    class Nan(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * float("nan")

    w = torch.ones(2, requires_grad=True)
    with torch.autograd.set_detect_anomaly(True):
        loss = Nan.apply(w).sum()
        with pytest.raises(RuntimeError, match="NanBackward"):
            loss.backward()


def test_anomaly_detection_lets_right_gradients_through() -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    with pytest.warns(UserWarning, match="slow"), torch.autograd.detect_anomaly():
        (w * w).exp().sum().backward()
    expected = 2 * w.detach() * (w.detach() ** 2).exp()
    assert torch.allclose(w.grad, expected)


def test_anomaly_detection_is_switched_as_in_pytorch() -> None:
    for lib in (torch, pytorch):
        seen = [lib.is_anomaly_enabled()]
        with lib.autograd.set_detect_anomaly(True, check_nan=False):
            seen += [lib.is_anomaly_enabled(), lib.is_anomaly_check_nan_enabled()]
        lib.autograd.set_detect_anomaly(True)
        seen += [lib.is_anomaly_enabled(), lib.is_anomaly_check_nan_enabled()]
        lib.set_anomaly_enabled(False)
        assert [*seen, lib.is_anomaly_enabled()] == [False, True, False, True, True, False]


def test_without_anomaly_detection_nan_goes_through() -> None:
    w = torch.tensor([0.0], requires_grad=True)
    (w.sqrt() * 0.0).sum().backward()
    assert w.grad.isnan().all()


# --- what errors say ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count", PENDING)
def test_a_second_pass_names_the_shared_value_and_its_line(count: int) -> None:
    with at_most_pending(count):
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        shared = w.exp()  # the line of the shared value
        shared.sum().backward()
        with pytest.raises(RuntimeError) as error:
            (shared * 2.0).sum().backward()
    text = str(error.value)
    assert "ExpBackward0" in text
    assert f"test_checks.py:{_line_of('the line of the shared value')}" in text
    assert "retain_graph=True" in text


def test_a_loss_without_history_says_what_may_be_the_reason() -> None:
    with torch.no_grad():
        loss = (torch.ones(2, requires_grad=True) * 2).sum()
    with pytest.raises(RuntimeError, match=re.escape("no_grad()")):
        loss.backward()


def test_a_failed_pass_leaves_the_graph_usable() -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    y = w * w
    with pytest.raises(RuntimeError):
        y.backward()
    y.sum().backward()
    assert w.grad.tolist() == [2.0, 4.0]


def test_a_hook_that_fails_leaves_other_passes_alone() -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    y = w * w
    handle = y.register_hook(lambda grad: 1 / 0)
    loss = y.sum()
    with pytest.raises(ZeroDivisionError):
        loss.backward()
    assert w.grad is None
    handle.remove()
    (w * 3.0).sum().backward()
    assert w.grad.tolist() == [3.0, 3.0]

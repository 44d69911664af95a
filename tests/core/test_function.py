"""Custom functions do what PyTorch's do: the same classes run by both libraries."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch as pytorch

import zerograd


def run(scenario: Any, lib: ModuleType) -> Any:
    def plain(value: Any) -> Any:
        if isinstance(value, lib.Tensor):
            return value.detach().tolist()
        if isinstance(value, tuple | list):
            return [plain(one) for one in value]
        return value

    return plain(scenario(lib))


def near(a: Any, b: Any) -> bool:
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(near, a, b))
    return a == pytest.approx(b, rel=1e-5) if isinstance(a, float) else a == b


def square(lib: ModuleType) -> Any:
    class Square(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return grad * 2 * x

    x = lib.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = Square.apply(x)
    z = Square.apply(y) + Square.apply(x * 2.0)
    z.sum().backward()
    (first,) = lib.autograd.grad(Square.apply(x).sum(), x, create_graph=True)
    (second,) = lib.autograd.grad((first * first).sum(), x)
    return x.grad, first, second, y.grad_fn.name(), y.requires_grad


def several_outputs(lib: ModuleType) -> Any:
    class Both(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor, y):
            ctx.factor = factor
            ctx.save_for_backward(x, y)
            count = (x > 1).sum()
            ctx.mark_non_differentiable(count)
            return x * factor, x * y, count

        @staticmethod
        def backward(ctx, a, b, c):
            x, y = ctx.saved_tensors
            need = ctx.needs_input_grad
            return a * ctx.factor + b * y, None, b * x if need[2] else None

    x = lib.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = lib.tensor([4.0, 5.0, 6.0], requires_grad=True)
    a, b, c = Both.apply(x.exp(), 3, y)
    (a * b).sum().backward()
    only_second = Both.apply(x, 2, y.detach())[1]
    only_second.sum().backward()
    return x.grad, y.grad, c.requires_grad, a.requires_grad


def setup_context(lib: ModuleType) -> Any:
    class Cube(lib.autograd.Function):
        @staticmethod
        def forward(x):
            return x**3

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return grad * 3 * x**2

    x = lib.tensor([1.0, 2.0], requires_grad=True)
    Cube.apply(x).sum().backward()
    return x.grad


def straight_through(lib: ModuleType) -> Any:
    class Round(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.round()

        @staticmethod
        def backward(ctx, grad):
            return grad

    x = lib.tensor([0.4, 1.6], requires_grad=True)
    y = Round.apply(x)
    (y * y).sum().backward()
    return y, x.grad


def no_materialize(lib: ModuleType) -> Any:
    seen = []

    class Pair(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x.clone(), x.clone()

        @staticmethod
        def backward(ctx, a, b):
            seen.append((a is None, b is None))
            return a if b is None else b

    x = lib.tensor([1.0, 2.0], requires_grad=True)
    Pair.apply(x)[1].sum().backward()
    return seen, x.grad


def reading_inside(lib: ModuleType) -> Any:
    class Scaled(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.scale = x.abs().max().item()
            return x / ctx.scale

        @staticmethod
        def backward(ctx, grad):
            assert grad.sum().item() is not None
            return grad / ctx.scale

    x = lib.tensor([1.0, -4.0], requires_grad=True)
    (Scaled.apply(x * 2.0) * lib.tensor([1.0, 3.0])).sum().backward()
    return x.grad


def dirty(lib: ModuleType) -> Any:
    class Double(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            x.mul_(2)
            return x

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    x = lib.tensor([1.0, -4.0], requires_grad=True)
    y = x * 1.0
    z = Double.apply(y)
    (z * y).sum().backward()
    return x.grad, z is y


@pytest.mark.parametrize(
    "scenario",
    [square, several_outputs, setup_context, straight_through, no_materialize, reading_inside, dirty],
    ids=lambda scenario: scenario.__name__,
)
def test_custom_functions_as_in_pytorch(scenario: Any) -> None:
    assert near(run(scenario, zerograd), run(scenario, pytorch))


def wrong_count(lib: ModuleType) -> None:
    class Bad(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, grad):
            return grad

    x = lib.tensor([1.0], requires_grad=True)
    Bad.apply(x, x).sum().backward()


def wrong_shape(lib: ModuleType) -> None:
    class Bad(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return lib.ones(5, 2)

    x = lib.tensor([1.0, 2.0, 3.0], requires_grad=True)
    Bad.apply(x).sum().backward()


def saved_freed(lib: ModuleType) -> None:
    class Square(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, grad):
            return grad * 2 * ctx.saved_tensors[0]

    x = lib.tensor([1.0], requires_grad=True)
    y = Square.apply(x).sum()
    y.backward()
    y.backward()


@pytest.mark.parametrize("scenario", [wrong_count, wrong_shape, saved_freed], ids=lambda scenario: scenario.__name__)
def test_wrong_functions_raise_what_pytorch_raises(scenario: Any) -> None:
    with pytest.raises(Exception) as expected:  # noqa: PT011
        scenario(pytorch)
    with pytest.raises(type(expected.value)):
        scenario(zerograd)


def test_a_value_read_before_backward_keeps_what_lies_behind_the_function() -> None:
    class Same(zerograd.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.view_as(x)

        @staticmethod
        def backward(ctx, grad):
            return grad

    w = zerograd.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    loss = Same.apply(Same.apply(w @ w).tanh() @ w).sum()
    assert loss.item() == pytest.approx(20.0, abs=0.1)
    loss.backward()
    expected = pytorch.tensor(w.tolist(), requires_grad=True)
    ((expected @ expected).tanh() @ expected).sum().backward()
    assert w.grad.tolist() == [pytest.approx(row, rel=1e-4) for row in expected.grad.tolist()]

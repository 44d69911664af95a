"""Gradients of gradients: penalties, inner steps, high orders, Jacobians and Hessians, as in PyTorch."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from autograd.scenario import check, scenarios_of


def _functional(T: Any) -> Any:
    return import_module(f"{T.__name__}.autograd.functional")


def _points(T: Any, *shape: int) -> Any:
    count = 1
    for n in shape:
        count *= n
    return (T.arange(float(count)) * 0.37 - 0.5).sin().reshape(shape)


def gradient_penalty(T: Any) -> Any:
    """The critic's step of WGAN-GP."""
    w1 = _points(T, 4, 8).requires_grad_()
    w2 = _points(T, 8, 1).requires_grad_()

    def critic(x):
        return T.nn.functional.leaky_relu(x @ w1, 0.2) @ w2

    real, fake = _points(T, 6, 4), _points(T, 6, 4) * 0.5 + 0.1
    alpha = T.linspace(0.0, 1.0, 6)[:, None]
    mixed = (alpha * real + (1 - alpha) * fake).requires_grad_()
    (slope,) = T.autograd.grad(
        critic(mixed), mixed, grad_outputs=T.ones(6, 1), create_graph=True, retain_graph=True, only_inputs=True
    )
    penalty = ((slope.norm(2, dim=1) - 1) ** 2).mean()
    loss = critic(fake).mean() - critic(real).mean() + 10.0 * penalty
    loss.backward()
    return loss, w1.grad, w2.grad, mixed.grad is None


def inner_steps(T: Any) -> Any:
    """Two steps of MAML: the outer loss depends on the updated weights."""
    w = _points(T, 3, 3).requires_grad_()
    rate = T.tensor(0.1, requires_grad=True)
    x, y = _points(T, 5, 3), _points(T, 5, 3).cos()
    fast = w
    for _ in range(2):
        inner = ((x @ fast).tanh() - y).pow(2).mean()
        (g,) = T.autograd.grad(inner, fast, create_graph=True)
        fast = fast - rate * g
        inner.item()
    outer = ((x @ fast).tanh() - y.flip(0)).pow(2).mean()
    outer.backward()
    return outer, w.grad, rate.grad


def first_order_inner_step(T: Any) -> Any:
    w = _points(T, 3, 3).requires_grad_()
    x = _points(T, 5, 3)
    (g,) = T.autograd.grad(((x @ w).tanh() ** 2).mean(), w)
    fast = w - 0.1 * g
    ((x @ fast).tanh() ** 2).sum().backward()
    return w.grad, g.requires_grad


def orders_one_to_five(T: Any) -> Any:
    x = T.tensor([0.3, 1.2], dtype=T.float64, requires_grad=True)
    y = (x.sin() * x.exp()).sum()
    found = []
    for _ in range(5):
        (y,) = T.autograd.grad(y.sum(), x, create_graph=True)
        found.append(y.detach())
    return found


def orders_through_old_recordings(T: Any) -> Any:
    x = T.tensor([0.3, 1.2], dtype=T.float64, requires_grad=True)
    y = (x.tanh() * x).sum()
    y.item()
    found = []
    for _ in range(4):
        (y,) = T.autograd.grad(y.sum(), x, create_graph=True)
        found.append(y.tolist())
    return found


def backward_of_a_gradient_norm(T: Any) -> Any:
    w = _points(T, 3, 2).requires_grad_()
    x = _points(T, 4, 3)
    loss = (x @ w).exp().mean()
    grads = T.autograd.grad(loss, [w], create_graph=True)
    (loss + sum((g**2).sum() for g in grads)).backward()
    return w.grad


def hessian_vector_product(T: Any) -> Any:
    w = _points(T, 4).requires_grad_()
    v = T.tensor([1.0, -1.0, 0.5, 2.0])
    (g,) = T.autograd.grad((w**4).sum() + (w[:2] * w[2:]).sum(), w, create_graph=True)
    (hv,) = T.autograd.grad(g @ v, w)
    return hv


def gradient_that_does_not_depend_on_its_input(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    (g,) = T.autograd.grad((w * 3.0).sum(), w, create_graph=True)
    return g, g.requires_grad


def second_derivative_of_something_linear(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    v = T.tensor([3.0, 4.0], requires_grad=True)
    (g,) = T.autograd.grad((w * v).sum(), w, create_graph=True)
    return T.autograd.grad(g.sum(), v), T.autograd.grad((w * v).sum(), [w, v], create_graph=True)[0].requires_grad


def through_a_sum_of_gradients_of_two_losses(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    a = T.autograd.grad((w**3).sum(), w, create_graph=True)[0]
    b = T.autograd.grad((w.exp()).sum(), w, create_graph=True)[0]
    (a * b).sum().backward()
    return w.grad


def create_graph_then_detach(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    (g,) = T.autograd.grad((w**3).sum(), w, create_graph=True)
    ((w - g.detach()) ** 2).sum().backward()
    return w.grad


def of_layers(T: Any) -> Any:
    F = T.nn.functional
    x = _points(T, 2, 3, 5, 5).double().requires_grad_()
    k = (_points(T, 2, 3, 3, 3) * 0.3).double().requires_grad_()
    h = F.conv2d(x, k, padding=1).relu()
    h = F.max_pool2d(h, 2) + F.avg_pool2d(F.silu(F.conv2d(x, k, padding=1)), 2)
    h = F.layer_norm(h.flatten(1), (8,))
    loss = F.cross_entropy(h, T.tensor([1, 0]))
    grads = T.autograd.grad(loss, [x, k], create_graph=True)
    second = T.autograd.grad(sum((g**2).sum() for g in grads), [x, k])
    return loss, [g.detach() for g in grads], second


def of_a_recurrent_step(T: Any) -> Any:
    w = (_points(T, 3, 3) * 0.5).requires_grad_()
    h = T.ones(3)
    for _ in range(3):
        h = T.sigmoid(h @ w) * h.tanh()
    (g,) = T.autograd.grad(h.sum(), w, create_graph=True)
    g.pow(2).sum().backward()
    return w.grad


def of_views_and_changes_in_place(T: Any) -> Any:
    w = T.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = w * 1.0
    y[0].mul_(w[1])
    y.t()[1].exp_()
    (g,) = T.autograd.grad((y * 0.01).sum(), w, create_graph=True)
    g.sum().backward()
    return g.detach(), w.grad


# --- torch.autograd.functional -----------------------------------------------------------------------


def jacobian(T: Any) -> Any:
    F = _functional(T)
    x = _points(T, 2, 3)
    y = _points(T, 3)
    return (
        F.jacobian(lambda x: (x**2).sum(1), x),
        F.jacobian(lambda x, y: x @ y, (x, y)),
        F.jacobian(lambda x, y: (x * y, y.sum()), (x, y)),
        F.jacobian(lambda x: x.exp(), x, vectorize=True),
        F.jacobian(lambda x: T.ones(2), x),
    )


def jacobian_with_a_history(T: Any) -> Any:
    F = _functional(T)
    x = _points(T, 3).requires_grad_()
    j = F.jacobian(lambda x: x**3, x, create_graph=True)
    (g,) = T.autograd.grad(j.sum(), x)
    return j.requires_grad, g, F.jacobian(lambda x: x**3, x).requires_grad, x.grad is None


def jacobian_strict(T: Any) -> Any:
    F = _functional(T)
    return F.jacobian(lambda x, y: x * 2.0, (_points(T, 2), _points(T, 2)), strict=True)


def jacobian_of_no_tensor(T: Any) -> Any:
    F = _functional(T)
    return F.jacobian(lambda x: 3.0, _points(T, 2))


def hessian(T: Any) -> Any:
    F = _functional(T)
    x, y = _points(T, 2, 2), _points(T, 2)
    return (
        F.hessian(lambda x: (x**3).sum(), x),
        F.hessian(lambda x, y: ((x @ y) ** 2).sum(), (x, y)),
        F.hessian(lambda x: x.sum(), x),
    )


def hessian_of_a_vector(T: Any) -> Any:
    return _functional(T).hessian(lambda x: x * 2.0, _points(T, 2))


def products(T: Any) -> Any:
    F = _functional(T)
    x, y = _points(T, 2, 2), _points(T, 2)
    v = T.tensor([1.0, -2.0])
    return (
        F.vjp(lambda x: x @ y, x, v),
        F.vjp(lambda x: (x**2).sum(), x),
        F.jvp(lambda x: x.exp(), y, v),
        F.jvp(lambda x, y: (x @ y, y * 2.0), (x, y), (x * 2.0, v)),
        F.hvp(lambda y: (y**4).sum(), y, v),
        F.vhp(lambda y: (y**4).sum(), y, v),
        F.hvp(lambda x, y: (x @ y).sin().sum(), (x, y), (x, v)),
    )


def products_without_a_vector(T: Any) -> Any:
    return _functional(T).vjp(lambda x: x * 2.0, _points(T, 2))


def products_with_a_vector_of_another_size(T: Any) -> Any:
    return _functional(T).jvp(lambda x: x * 2.0, _points(T, 2), T.ones(3))


# --- torch.func --------------------------------------------------------------------------------------


def func_gradients(T: Any) -> Any:
    F = import_module(f"{T.__name__}.func")
    x, y = _points(T, 3), _points(T, 3).cos()
    outer = T.ones(3, requires_grad=True)
    tracked = F.grad(lambda x: (x**2 * outer).sum())(x)
    return (
        F.grad(lambda x: (x**3).sum())(x),
        F.grad(lambda x, y: (x * y**2).sum(), argnums=(0, 1))(x, y),
        F.grad_and_value(lambda x: ((x**2).sum(), x * 2.0), has_aux=True)(x),
        F.grad(lambda d: (d["a"] * d["b"][0]).sum())({"a": x, "b": [y]}),
        F.grad(F.grad(lambda x: x**4))(x[0]),
        tracked.requires_grad,
        F.grad(lambda x: (x**3).sum())(x).requires_grad,
    )


def func_jacobians(T: Any) -> Any:
    F = import_module(f"{T.__name__}.func")
    x, y = _points(T, 3), _points(T, 3).cos()
    output, pull = F.vjp(lambda x, y: (x * y, y.sum()), x, y)
    return (
        F.jacrev(lambda x: x**2)(x),
        F.jacfwd(lambda x, y: x * y, argnums=(0, 1))(x, y),
        F.jacrev(lambda x: {"a": x**2, "b": x.sum()})(x),
        F.hessian(lambda x: (x**3).sum())(x),
        F.jvp(lambda x, y: x * y.sin(), (x, y), (y, x)),
        output, pull((x, T.tensor(2.0))),
        F.linearize(lambda x: x**2, x)[1](y),
    )  # fmt: skip


def func_batches(T: Any) -> Any:
    F = import_module(f"{T.__name__}.func")
    x, w = _points(T, 4, 3), _points(T, 3)
    return (
        F.vmap(lambda x: x @ w)(x),
        F.vmap(lambda x, w: (x * w, x.sum()), in_dims=(0, None))(x, w),
        F.vmap(lambda a, b: a.dot(b), in_dims=1)(x, x),
        F.vmap(lambda x: x * 2.0, out_dims=1)(x),
        F.vmap(F.grad(lambda x: (x**3).sum()))(x),
        F.vmap(F.vmap(lambda a: a**2))(x),
        F.vmap(F.jacrev(lambda x: x**2))(x),
    )


def func_batches_of_other_sizes(T: Any) -> Any:
    F = import_module(f"{T.__name__}.func")
    return F.vmap(lambda a, b: a + b)(T.ones(3), T.ones(2))


def func_random_batches(T: Any) -> Any:
    F = import_module(f"{T.__name__}.func")
    same = F.vmap(lambda x: x + T.rand(2), randomness="same")(T.zeros(3, 2))
    try:
        F.vmap(lambda x: x + T.rand(2))(T.zeros(3, 2))
    except RuntimeError:
        return (same[0] == same[1]).all().item(), "refused"


def func_modules(T: Any) -> Any:
    F = import_module(f"{T.__name__}.func")
    model = T.nn.Sequential(T.nn.Linear(3, 2), T.nn.Tanh())
    parameters = {name: T.full_like(p, 0.1).detach() for name, p in model.named_parameters()}
    x = _points(T, 4, 3)
    grads = F.grad(lambda p: F.functional_call(model, p, (x,)).pow(2).sum())(parameters)
    each = F.vmap(F.grad(lambda p, x: F.functional_call(model, p, (x,)).sum()), in_dims=(None, 0))(parameters, x)
    return grads, each, F.stack_module_state([T.nn.BatchNorm1d(2) for _ in range(3)])[1]


@scenarios_of(globals())
def test_as_in_pytorch(scenario: Any) -> None:
    check(scenario, tolerance=1e-4)

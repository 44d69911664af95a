"""Leaves, grad_fn, detach, data, Variable: what a tensor tells of its history, and how it is cut."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from autograd.scenario import check, scenarios_of


def names_of_products(T: Any) -> Any:
    tensors = [T.rand(3, requires_grad=True), *[T.rand(*(2,) * k, 3, 3, requires_grad=True) for k in range(3)]]
    names = [(x @ y).grad_fn.name() for x in tensors for y in tensors]
    for bias in (True, False):
        layer = T.nn.Linear(3, 4, bias=bias)
        names.extend(layer(x).grad_fn.name() for x in tensors)
    w = tensors[1]
    for equation, operands in (("ij,j->i", (w, w[0])), ("ij->ji", (w,)), ("ij->", (w,)), ("i,j->ij", (w[0], w[1]))):
        names.append(T.einsum(equation, *operands).grad_fn.name())
    return names


def leaves(T: Any) -> Any:
    a = T.ones(2)
    w = T.ones(2, requires_grad=True)
    y = w * 2.0
    tensors = (a, w, y, a * 2.0, y.detach(), w[:1], w.data)
    return [(one.is_leaf, one.requires_grad, one.grad_fn is None) for one in tensors]


def requires_grad_set(T: Any) -> Any:
    a = T.ones(2)
    a.requires_grad = True
    (a * 3.0).sum().backward()
    first = a.grad
    a.requires_grad = False
    return first, (a * 2.0).requires_grad, a.grad


def requires_grad_returns_the_tensor(T: Any) -> Any:
    a = T.ones(2)
    return a.requires_grad_() is a, a.requires_grad_(False) is a, a.requires_grad


def requires_grad_of_integers(T: Any) -> Any:
    T.ones(2, dtype=T.int64).requires_grad_()


def requires_grad_off_for_a_result(T: Any) -> Any:
    (T.ones(2, requires_grad=True) * 2.0).requires_grad = False


def requires_grad_on_for_a_result(T: Any) -> Any:
    y = T.ones(2, requires_grad=True) * 2.0
    y.requires_grad_()
    return y.is_leaf, y.grad_fn.name()


def a_frozen_part(T: Any) -> Any:
    w = T.ones(2, requires_grad=True)
    v = T.ones(2, requires_grad=True)
    w.requires_grad_(False)
    y = (w * v * 2.0).sum()
    y.backward()
    w.requires_grad_(True)
    (w * v).sum().backward()
    return w.grad, v.grad


def frozen_between_forward_and_backward(T: Any) -> Any:
    w = T.ones(2, requires_grad=True)
    seen = []
    w.register_hook(lambda grad: seen.append("hook"))
    y = (w * 2.0).sum()
    w.requires_grad_(False)
    y.backward(retain_graph=True)
    seen.append(w.grad)
    w.requires_grad_(True)
    y.backward()
    (w * 3.0).sum().backward()
    return seen, w.grad


def detached_between_forward_and_backward(T: Any) -> Any:
    w = T.ones(2, requires_grad=True)
    y = (w * 2.0).sum()
    w.detach_()
    y.backward()
    return w.grad


def names_of_operators(T: Any) -> Any:
    w = T.rand(3, 3, requires_grad=True)
    v = T.rand(3, requires_grad=True)
    results = [
        w + 1.0, w - v, w * v, w / v, w**2.0, w @ v, w @ w, -w, w.t(), w[0], w[:, 1:], w[None], w[..., 0], abs(w),
        w.sum(), w.sum(0), w.mean(), w.mean(1), w.exp(), w.log(), w.sqrt(), w.tanh(), w.sigmoid(), w.relu(), w.sin(),
        w.view(9), w.reshape(9), w.transpose(0, 1), w.permute(1, 0), w.unsqueeze(0), w.expand(2, 3, 3), w.clone(),
        w.max(), w.max(0)[0], w.min(), w.norm(), w.prod(), w.var(), w.std(), w.softmax(1), w.log_softmax(1),
        w.cumsum(0), T.cat([w, w]), T.stack([w, w]), w.split(1)[0], w.chunk(3)[1], w.gather(0, T.zeros(1, 3).long()),
        w.index_select(0, T.tensor([0])), w[T.tensor([0, 2])], w[w > 0.5], T.where(w > 0.5, w, v), w.clamp(0.0, 1.0),
        w.masked_fill(w > 0.5, 0.0), w.repeat(2, 1), w.flatten(), w.squeeze(), w.triu(), w.double(), v.dot(v),
        T.mm(w, w), T.mv(w, v), T.bmm(w[None], w[None]), T.einsum("ij,j->i", w, v), w.sort()[0], w.topk(1)[0], w.pow(v),
        1.0 / w, 2.0 - w, w.addmm(w, w), T.nn.functional.linear(w, w, v), T.nn.functional.mse_loss(w, w * 0.5),
        T.nn.functional.cross_entropy(w, T.tensor([0, 1, 2])), T.nn.functional.gelu(w), T.nn.functional.dropout(w, 0.5),
        T.nn.functional.layer_norm(w, (3,)), w.unbind(0)[0], w.diagonal(), w.roll(1, 0), w.flip(0), w.erf(), w.square(),
    ]  # fmt: skip
    return [one.grad_fn.name() for one in results]


def names_of_changes_in_place(T: Any) -> Any:
    w = T.rand(3, 3, requires_grad=True)
    found = []
    y = w * 1.0
    for change in ("add_", "mul_", "div_", "sub_", "pow_"):
        found.append(getattr(y, change)(2.0).grad_fn.name())
    found.append(y.exp_().grad_fn.name())
    y = w * 1.0
    y[0] = 1.0
    found.append(y.grad_fn.name())
    y = w * 1.0
    y[0].mul_(2.0)
    found.append(y.grad_fn.name())
    y.copy_(w)
    return [*found, y.grad_fn.name()]


def printed(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    return [repr(one) for one in (w, w * 2.0, w.exp(), w.sum(), w.view(2, 1), (w * 2.0).detach())]


def the_way_through_a_network(T: Any) -> Any:
    """As in PyTorch's tutorial on neural networks: from the loss to the layer before it, and on to its bias."""
    net = T.nn.Sequential(T.nn.Linear(3, 4), T.nn.ReLU(), T.nn.Linear(4, 2))
    fn, seen = T.nn.functional.mse_loss(net(T.ones(5, 3)), T.zeros(5, 2)).grad_fn, []
    while fn is not None:
        seen.append((fn.name(), len(fn.next_functions)))
        fn = fn.next_functions[0][0] if fn.next_functions else None
    return seen


def next_functions(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    v = T.tensor([1.0, 2.0])

    def tree(fn):
        return None if fn is None else (fn.name(), [tree(one) for one, _ in fn.next_functions])

    results = [
        (w * v + w.exp()).sum(), w**2, w**w, 2.0**w, w + 1.0, 1.0 - w, w / 2.0, T.where(w > 1, w, v), w.clamp(0.0, 1.0),
        w.gather(0, T.tensor([0])), T.cat([w, v]), T.stack([w, v]), w.lerp(v, 0.5), T.maximum(w, v), w[T.tensor([0])],
        T.nn.functional.mse_loss(w, v), T.addcmul(w, v, v), w.std(), w.softmax(0), T.mm(w[None], w[:, None]),
    ]  # fmt: skip
    return [tree(one.grad_fn) for one in results]


def the_leaf_behind_a_grad_fn(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    y = w * 2.0
    y.tolist()
    accumulate = y.grad_fn.next_functions[0][0]
    return accumulate.variable is w, accumulate.name(), type(accumulate).__name__, y.grad_fn.next_functions[0][1]


def grad_fn_of_an_older_value(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    y = w.exp()
    y.tolist()
    z = y * 3.0
    z.tolist()
    return y.grad_fn.name(), z.grad_fn.next_functions[0][0].name(), z.grad_fn.next_functions[0][0] == y.grad_fn


def detached(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    y = w * 2.0
    d = y.detach()
    d[0] = 50.0
    z = (y * 3.0).sum()
    z.backward()
    return d.requires_grad, d.is_leaf, y, w.grad, y._version


def detached_in_place(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    y = w * 2.0
    z = y * 3.0
    same = y.detach_() is y
    z.sum().backward()
    return same, y.requires_grad, y.is_leaf, w.grad, (y * 2.0).requires_grad


def detached_leaf_in_place(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    w.detach_()
    return w.requires_grad


def detached_view_in_place(T: Any) -> Any:
    (T.ones(2, requires_grad=True) * 2.0)[:1].detach_()


def detached_shares_memory(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    d = w.detach()
    d.mul_(10.0)
    (w * w).sum().backward()
    return w, w.grad, w._version, d._version


def detached_then_tracked_again(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    d = (w * 2.0).detach().requires_grad_()
    (d * d).sum().backward()
    return w.grad is None, d.grad


def clone_of_a_leaf(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    c = w.clone()
    c.mul_(3.0)
    c.sum().backward()
    return w.grad, w, c.is_leaf, w.detach().clone().requires_grad


def data_aliases(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    w.data.mul_(3.0)
    w.data[0] = 9.0
    w.data += 1.0
    (w * w).sum().backward()
    return w, w.grad, w.data.requires_grad, w.is_leaf


def data_assigned(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    other = T.tensor([5.0, 6.0, 7.0])
    w.data = other
    other.add_(1.0)
    (w * w).sum().backward()
    return w, w.grad, w.requires_grad, w.is_leaf


def data_assigned_after_use(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    y = (w * 3.0).sum()
    w.data = T.tensor([5.0, 6.0])
    y.backward()
    first = w.grad.clone()
    (w * w).sum().backward()
    return first, w.grad


def data_of_the_gradient(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()
    w.grad.data.clamp_(max=3.0)
    kept = w.grad
    w.grad.data = T.tensor([7.0, 8.0])
    return w.grad, kept is w.grad


def data_swap(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    b = T.tensor([3.0, 4.0], requires_grad=True)
    a.data, b.data = b.data, a.data
    (a * 2.0 + b * 3.0).sum().backward()
    return a, b, a.grad, b.grad


def data_of_a_result(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    y = w * 2.0
    y.data.zero_()
    (y * 3.0).sum().backward()
    return y, w.grad


def variable(T: Any) -> Any:
    from importlib import import_module

    Variable = import_module(f"{T.__name__}.autograd").Variable
    data = T.tensor([1.0, 2.0])
    v = Variable(data, requires_grad=True)
    (v * v).sum().backward()
    data[0] = 9.0
    plain = Variable(T.ones(2))
    return v.grad, v, isinstance(plain, Variable), plain.requires_grad, isinstance(data, Variable), type(v) is T.Tensor


def in_place_on_a_leaf(T: Any) -> Any:
    T.ones(2, requires_grad=True).add_(1.0)


def in_place_on_a_view_of_a_leaf(T: Any) -> Any:
    T.ones(2, requires_grad=True)[:1].add_(1.0)


def in_place_on_a_result(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    y = w * 2.0
    y.mul_(3.0).add_(w)
    y[0] = w[1] * 10.0
    y.sum().backward()
    return y, w.grad


def in_place_on_a_view_of_a_result(T: Any) -> Any:
    w = T.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = w * 2.0
    row = y[0]
    row.mul_(w[1])
    y.t()[1].exp_()
    (y * row).sum().backward()
    return y, row, w.grad


def in_place_gives_a_plain_tensor_a_history(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    buffer = T.zeros(2, 2)
    view = buffer[1]
    view.copy_(w * 3.0)
    buffer[0] = w
    buffer.sum().backward()
    return buffer, buffer.requires_grad, buffer.is_leaf, w.grad, view.requires_grad


def in_place_with_gradients_off(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    y = w * 1.0
    with T.no_grad():
        y.mul_(5.0)
    y.sum().backward()
    return y, w.grad


def numpy_of_what_has_history(T: Any) -> Any:
    (T.ones(2, requires_grad=True) * 2.0).numpy()


def numpy_after_detach(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    return (w * 2.0).detach().numpy().tolist(), w.detach().cpu().numpy().dtype == np.float32


def deepcopied_leaf(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()
    other = copy.deepcopy(w)
    (other * 3.0).sum().backward()
    return other.grad, w.grad, other.is_leaf, other.requires_grad


def deepcopied_result(T: Any) -> Any:
    copy.deepcopy(T.ones(2, requires_grad=True) * 2.0)


def results_of_integers_have_no_history(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    return w.argmax().requires_grad, (w > 1).requires_grad, w.long().requires_grad, w.sort()[1].requires_grad


def tensors_made_from_tensors(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    like = [T.zeros_like(w), T.ones_like(w, requires_grad=True), w.new_zeros(2), T.empty_like(w), T.rand_like(w)]
    return [(one.requires_grad, one.is_leaf) for one in like]


def reading_the_grad_of_a_result_warns(T: Any) -> Any:
    import warnings

    y = T.ones(2, requires_grad=True) * 2.0
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        value = y.grad
    return value is None, [one.category.__name__ for one in seen]


def views_and_their_bases(T: Any) -> Any:
    w = T.ones(2, 3, requires_grad=True)
    y = w * 2.0
    part = y[0]
    return part._base is y, y._base is None, part.view(3)._base is y, w.t()._base is w, y._is_view(), part._is_view()


def cpu_of_a_leaf_is_itself(T: Any) -> Any:
    w = T.ones(2, requires_grad=True)
    return w.cpu() is w, w.to("cpu") is w, w.float() is w, w.double().is_leaf


def a_value_changed_through_its_detached_alias_keeps_its_history(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    x = w * 2.0
    before = x * 3.0
    x.detach().add_(1.0)
    hooked: list[Any] = []
    x.register_hook(lambda grad: hooked.append(grad.tolist()))
    after = x * x
    passes = [T.autograd.grad(y.sum(), x, retain_graph=True)[0] for y in (before, after)]
    (before + after).sum().backward()
    return passes, hooked, w.grad, x.grad_fn.name(), x


def a_leaf_changed_through_its_detached_alias_has_second_derivatives(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    first = w * 3.0
    w.detach().zero_()
    (grad,) = T.autograd.grad((w**3 + first).sum(), w, create_graph=True)
    return grad, T.autograd.grad((grad**2).sum(), w)


def retained_gradients_of_a_view_are_of_where_it_was_used_last(T: Any) -> Any:
    found = []
    for change in (
        lambda x, part: part.mul_(3.0),
        lambda x, part: x.mul_(3.0),
        lambda x, part: x.detach().mul_(3.0),
        lambda x, part: None,
    ):
        for used in (False, True):
            x = T.ones(2, 3, requires_grad=True) * 2.0
            part = x[0]
            part.retain_grad()
            before = part * 4.0
            change(x, part)
            total = x.sum() + before.sum() * 0.5
            if used:
                total = total + (part * 5.0).sum()
            total.backward()
            found.append(part.grad)
    return found


def repeated_elements_changed_one_copy_at_a_time(T: Any) -> Any:
    found = []
    for change in (
        lambda row, column, w: row.expand(2, 3)[0].mul_(5.0),
        lambda row, column, w: row.expand(2, 3)[1, :2].copy_(T.tensor([7.0, 8.0])),
        lambda row, column, w: row.expand(4, 2, 3)[1, 0, 1:].fill_(9.0),
        lambda row, column, w: column.expand(3, 3).diagonal().mul_(w),
        lambda row, column, w: column.expand(3, 3).diagonal()[1:].mul_(w[1:]),
        lambda row, column, w: column.expand(2, 3, 3)[1].t()[2].add_(4.0),
        lambda row, column, w: column.expand(3, 4)[:, 2].expand(3, 3)[0].copy_(w),
    ):
        w, v = T.tensor([1.0, 2.0, 3.0], requires_grad=True), T.ones(3, 1, requires_grad=True)
        row, column = w * 2.0, v * 3.0
        change(row, column, w)
        (row.sum() * 2.0 + (column**2).sum()).backward()
        found.append((row, column, w.grad, v.grad))
    return found


@scenarios_of(globals())
def test_as_in_pytorch(scenario: Any) -> None:
    check(scenario)

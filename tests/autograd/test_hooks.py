"""Hooks on tensors run when, in which order and with what PyTorch runs them."""

from __future__ import annotations

import copy
from typing import Any

from autograd.scenario import check, scenarios_of


def sees_the_gradient(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3.0
    seen = []
    h.register_hook(lambda grad: seen.append(grad.clone()))
    w.register_hook(lambda grad: seen.append(grad * 10.0))
    (h * h).sum().backward()
    return seen, w.grad


def replaces_the_gradient_of_an_inner_value(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3.0
    h.register_hook(lambda grad: grad * 100.0)
    (h * h).sum().backward()
    return w.grad


def replaces_the_gradient_of_a_leaf(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    w.register_hook(lambda grad: grad.clamp(max=5.0))
    (w * w * w).sum().backward()
    (w * w * w).sum().backward()
    return w.grad


def run_in_their_order_each_with_what_the_one_before_gave(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3.0
    seen = []

    def first(grad):
        seen.append(("first", grad.tolist()))
        return grad + 1.0

    def second(grad):
        seen.append(("second", grad.tolist()))
        return grad * 2.0

    h.register_hook(first)
    h.register_hook(second)
    w.register_hook(second)
    w.register_hook(first)
    h.sum().backward()
    return seen, w.grad


def see_the_sum_of_all_contributions(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3.0
    seen = []
    h.register_hook(lambda grad: seen.append(grad.tolist()))
    w.register_hook(lambda grad: seen.append(grad.tolist()))
    ((h * 2.0).sum() + (h * w).sum() + w.sum()).backward()
    return seen


def of_branches_run_by_when_the_branches_were_made(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    seen = []
    for names in (("sin", "cos"), ("cos", "sin"), ("sin", "cos")):
        made = {name: getattr(w, name)() for name in names}
        for name, value in made.items():
            value.register_hook(lambda grad, name=name: seen.append(name))
        (made["sin"] + made["cos"]).sum().backward()
        seen.append(w.grad.tolist())  # computed, so that the next round is recorded as the first one was
    return seen


def of_views_run_by_when_the_views_were_made(T: Any) -> Any:
    w = T.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True) * 2.0
    seen = []
    for rows in ((0, 1), (1, 0)):
        made = {row: w[row] for row in rows}
        for row, value in made.items():
            value.register_hook(lambda grad, row=row: seen.append(row))
        (made[0] * made[1]).sum().backward(retain_graph=True)
        seen.append(made[0].tolist())
    return seen


def run_from_the_outputs_to_the_inputs(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    names = []
    a = w * 2.0
    b = a + 1.0
    c = b * b
    for name, one in (("w", w), ("a", a), ("b", b), ("c", c)):
        one.register_hook(lambda grad, name=name: names.append(name))
    c.sum().backward()
    return names


def removed(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3.0
    count = []
    handles = [h.register_hook(lambda grad: count.append(1)), w.register_hook(lambda grad: count.append(2))]
    h.sum().backward(retain_graph=True)
    handles[0].remove()
    handles[0].remove()
    h.sum().backward(retain_graph=True)
    handles[1].remove()
    h.sum().backward()
    return count


def removed_at_the_end_of_a_block(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    count = []
    with w.register_hook(lambda grad: count.append(1)):
        (w * w).sum().backward()
    (w * w).sum().backward()
    return count


def stay_for_every_pass(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    count = []
    w.register_hook(lambda grad: count.append(grad.sum().item()))
    for k in range(3):
        (w * float(k)).sum().backward()
    return count, w.grad


def added_after_the_value_was_read(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w.exp()
    loss = (h * h).sum()
    loss.item()
    seen = []
    h.register_hook(lambda grad: seen.append(grad.clone()))
    h.register_hook(lambda grad: grad * 0.0)
    loss.backward()
    return seen, w.grad


def on_a_value_that_is_read_before_and_after(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w.exp()
    seen = []
    h.register_hook(lambda grad: seen.append(grad.tolist()))
    h.tolist()
    loss = (h * h).sum()
    loss.tolist()
    loss.backward()
    return seen, w.grad


def on_a_value_off_the_path_do_not_run(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3.0
    aside = h * 2.0
    seen = []
    aside.register_hook(lambda grad: seen.append("aside"))
    h.register_hook(lambda grad: seen.append("h"))
    h.sum().backward()
    return seen


def on_the_root(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    loss.register_hook(lambda grad: grad * 3.0)
    loss.backward()
    return w.grad


def on_a_view(T: Any) -> Any:
    w = T.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    h = w * 1.0
    row = h[0]
    row.register_hook(lambda grad: grad * 10.0)
    ((row * row).sum() + h.sum()).backward()
    return w.grad


def on_a_view_of_a_leaf(T: Any) -> Any:
    w = T.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    column = w.t()[1]
    seen = []
    column.register_hook(lambda grad: seen.append(grad.clone()))
    (column * column).sum().backward()
    return seen, w.grad


def that_compute_much(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3.0
    norms = []

    def clip(grad):
        norm = grad.norm()
        norms.append(norm.item())
        return grad / norm if norm > 1 else grad

    h.register_hook(clip)
    (h**3).sum().backward()
    return norms, w.grad


def with_create_graph_are_differentiated(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3.0
    h.register_hook(lambda grad: grad * w)
    (g,) = T.autograd.grad((h * h).sum(), w, create_graph=True)
    (gg,) = T.autograd.grad(g.sum(), w)
    return g.detach(), gg


def have_gradients_off_unless_create_graph(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    seen = []
    w.register_hook(lambda grad: seen.append((grad.requires_grad, T.is_grad_enabled())))
    (w * w).sum().backward()
    (w * w).sum().backward(create_graph=True)
    return seen


def run_for_grad_too(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 2.0
    w.register_hook(lambda grad: grad * 10.0)
    h.register_hook(lambda grad: grad + 1.0)
    return T.autograd.grad((h * h).sum(), [w, h])


def returning_another_shape(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 2.0
    h.register_hook(lambda grad: grad[:1])
    h.sum().backward()


def returning_no_tensor(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 2.0
    h.register_hook(lambda grad: 3.0)
    h.sum().backward()


def that_raise(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    v = T.tensor([1.0, 2.0], requires_grad=True)

    def fail(grad):
        raise KeyError("stop")

    w.register_hook(fail)
    try:
        (w * v).sum().backward()
    except KeyError:
        return w.grad is None


def on_what_needs_no_grad(T: Any) -> Any:
    T.tensor([1.0]).register_hook(print)


def change_the_gradient_in_place(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 2.0

    def double(grad):
        return grad.clone().mul_(2.0)

    h.register_hook(double)
    h.sum().backward()
    return w.grad


def on_a_parameter_used_in_many_places(T: Any) -> Any:
    w = T.tensor([0.5], requires_grad=True)
    seen = []
    w.register_hook(lambda grad: seen.append(grad.item()))
    h = T.tensor([1.0])
    for _ in range(4):
        h = T.tanh(h * w)
    h.sum().backward()
    return seen, w.grad


def survive_an_update_of_the_leaf(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    count = []
    w.register_hook(lambda grad: count.append(grad.tolist()))
    for _ in range(2):
        (w * w).sum().backward()
        with T.no_grad():
            w -= 0.5 * w.grad
        w.data = w.data * 2.0
        w.grad = None
    return count, w


def are_not_copied(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    count = []
    w.register_hook(lambda grad: count.append(1))
    other = copy.deepcopy(w)
    (other * other).sum().backward()
    return count, other.grad


# --- after accumulation ------------------------------------------------------------------------------


def after_accumulation_see_the_tensor(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    seen = []
    w.register_post_accumulate_grad_hook(lambda p: seen.append((p is w, p.grad.tolist())))
    (w * w).sum().backward()
    (w * w).sum().backward()
    return seen


def after_accumulation_step_and_clear(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)

    def step(p):
        with T.no_grad():
            p -= 0.1 * p.grad
        p.grad = None

    handle = w.register_post_accumulate_grad_hook(step)
    for _ in range(3):
        ((w - 3.0) ** 2).sum().backward()
    before = w.detach().clone()
    handle.remove()
    ((w - 3.0) ** 2).sum().backward()
    return before, w, w.grad


def after_accumulation_come_after_the_others(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    order = []
    w.register_post_accumulate_grad_hook(lambda p: order.append("after"))
    w.register_hook(lambda grad: order.append("before"))
    (w * w).sum().backward()
    return order


def after_accumulation_once_per_pass(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    count = []
    w.register_post_accumulate_grad_hook(lambda p: count.append(p.grad.sum().item()))
    a = w * 2.0
    b = w * 3.0
    (a * b + a).sum().backward()
    return count


def after_accumulation_not_for_grad(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    count = []
    w.register_post_accumulate_grad_hook(lambda p: count.append(1))
    T.autograd.grad((w * w).sum(), w)
    return count


def after_accumulation_for_inputs(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    v = T.tensor([1.0, 2.0], requires_grad=True)
    count = []
    w.register_post_accumulate_grad_hook(lambda p: count.append("w"))
    v.register_post_accumulate_grad_hook(lambda p: count.append("v"))
    w.register_hook(lambda grad: grad * 2.0)
    (w * v).sum().backward(inputs=[w])
    return count, w.grad


def after_accumulation_on_a_result(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    (w * 2.0).register_post_accumulate_grad_hook(print)


# --- retain_grad -------------------------------------------------------------------------------------


def retained(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3.0
    h.retain_grad()
    h.retain_grad()
    (h * h).sum().backward()
    return h.grad, h.retains_grad, w.retains_grad, h.grad.requires_grad


def retained_accumulates(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3.0
    h.retain_grad()
    (h * h).sum().backward(retain_graph=True)
    (h * 2.0).sum().backward()
    return h.grad, w.grad


def retained_of_a_leaf_changes_nothing(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    w.retain_grad()
    (w * w).sum().backward()
    return w.grad, w.retains_grad


def retained_of_a_view(T: Any) -> Any:
    w = T.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    h = w * 1.0
    row = h[0]
    row.retain_grad()
    h.retain_grad()
    ((row * row).sum() + (h * 3.0).sum()).backward()
    return row.grad, h.grad, w.grad


def retained_after_reading(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w.exp()
    h.tolist()
    h.retain_grad()
    (h * h).sum().backward()
    return h.grad, w.grad


def retained_with_hooks_before_and_after(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3.0
    h.register_hook(lambda grad: grad * 10.0)
    h.retain_grad()
    h.register_hook(lambda grad: grad + 1.0)
    h.sum().backward()
    return h.grad, w.grad


def retained_with_create_graph(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3.0
    h.retain_grad()
    (h * h * h).sum().backward(create_graph=True)
    return h.grad.requires_grad, h.grad


def retained_without_grad(T: Any) -> Any:
    T.tensor([1.0]).retain_grad()


def retained_means_the_value_after_changes_in_place(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3.0
    h.retain_grad()
    h.mul_(5.0)
    (h * h).sum().backward()
    return h.grad, w.grad


def hooks_mean_the_value_when_they_were_added(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3.0
    seen = []
    h.register_hook(lambda grad: seen.append(("before", grad.tolist())))
    h.mul_(5.0)
    h.register_hook(lambda grad: seen.append(("after", grad.tolist())))
    (h * h).sum().backward()
    return seen


def retained_of_a_base_whose_view_is_changed(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3.0
    part = h[:1]
    h.retain_grad()
    part.mul_(3.0)
    (part * h).sum().backward()
    return h.grad, w.grad


def retained_of_a_view_that_is_changed(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3.0
    part = h[:1]
    part.retain_grad()
    part.mul_(3.0)
    (part * h).sum().backward()
    return part.grad, w.grad


def retained_by_grad_and_inputs(T: Any) -> Any:
    seen = []
    for inputs in ("w", "h"):
        w = T.tensor([1.0, 2.0], requires_grad=True)
        h = w * 3.0
        h.retain_grad()
        T.autograd.grad((h * h).sum(), w if inputs == "w" else h)
        seen.append(h.grad.clone())
        (w * 3.0 * h).sum().backward(inputs=[w if inputs == "w" else h])
        seen.append((h.grad, w.grad))
    return seen


def retained_forgets_nothing_given_before(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3.0
    h.retain_grad()
    h.grad = T.tensor([10.0, 20.0])
    h.sum().backward()
    return h.grad


def retained_then_detached(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3.0
    h.retain_grad()
    h.detach_()
    return h.is_leaf, h.requires_grad


def run_in_the_order_of_branches(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    v = T.tensor([3.0, 4.0], requires_grad=True)
    names = []
    a = w * 2.0
    b = v.exp()
    c = a.tanh()
    d = b * b
    e = c + d
    f = a * v
    for name, one in {"w": w, "v": v, "a": a, "b": b, "c": c, "d": d, "e": e, "f": f}.items():
        one.register_hook(lambda grad, name=name: names.append(name))
    (f + e).sum().backward()
    return names


def run_in_the_order_of_layers(T: Any) -> Any:
    ws = [T.full((3, 3), 0.1 * k, requires_grad=True) for k in range(4)]
    names = []
    h = T.ones(2, 3)
    for k, w in enumerate(ws):
        w.register_hook(lambda grad, k=k: names.append(f"w{k}"))
        w.register_post_accumulate_grad_hook(lambda p, k=k: names.append(f"step {k}"))
        h = T.tanh(h @ w) + h
        h.register_hook(lambda grad, k=k: names.append(f"h{k}"))
        if k == 1:
            h.tolist()
    h.sum().backward()
    return names


def returning_another_type(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    h = w * 2.0
    h.register_hook(lambda grad: grad.double())
    h.sum().backward()


@scenarios_of(globals())
def test_as_in_pytorch(scenario: Any) -> None:
    check(scenario)

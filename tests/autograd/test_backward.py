"""``backward`` and ``torch.autograd.grad`` do what PyTorch's do."""

from __future__ import annotations

from typing import Any

from autograd.scenario import check, scenarios_of


def accumulates_into_the_same_object(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    (w * 2.0).sum().backward()
    first = w.grad
    (w * w).sum().backward()
    return w.grad is first, w.grad, first


def a_given_grad_is_added_to(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    mine = T.tensor([10.0, 20.0])
    w.grad = mine
    (w * 3.0).sum().backward()
    return w.grad is mine, mine


def grad_set_to_none_begins_anew(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    (w * 2.0).sum().backward()
    first = w.grad
    w.grad = None
    (w * 5.0).sum().backward()
    return first, w.grad, w.grad is first


def grad_deleted(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    (w * 2.0).sum().backward()
    del w.grad
    return w.grad is None


def grad_zeroed_in_place_keeps_its_object(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    (w * 2.0).sum().backward()
    first = w.grad
    w.grad.zero_()
    (w * w).sum().backward()
    return w.grad is first, w.grad, w.grad._version > 0


def grad_edited_between(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()
    w.grad.mul_(0.5)
    (w * w).sum().backward()
    w.grad[0] = 7.0
    (w * w).sum().backward()
    return w.grad


def grad_has_no_history(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()
    return w.grad.requires_grad, w.grad.grad_fn is None, w.grad.is_leaf


def create_graph_gives_grad_a_history(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    (w * w * w).sum().backward(create_graph=True)
    kept = w.grad
    second = T.autograd.grad(kept.sum(), w)[0]
    return kept.requires_grad, second


def create_graph_twice_replaces_the_object(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward(create_graph=True)
    first = w.grad
    (w * w).sum().backward(create_graph=True)
    return w.grad is first, first, w.grad


def retain_graph_allows_a_second_pass(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    return w.grad


def create_graph_retains_the_graph(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    loss.backward(create_graph=True)
    loss.backward()
    return w.grad


def retain_graph_can_be_refused_with_create_graph(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    loss.backward(create_graph=True, retain_graph=False)
    loss.backward()


def a_second_pass_is_an_error(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    loss.backward()
    loss.backward()


def a_second_pass_after_reading_is_an_error(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    loss.item()
    loss.backward()
    loss.item()
    loss.backward()


def a_second_pass_through_what_keeps_nothing_is_fine(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    loss = (w + 1.0).sum()
    loss.backward()
    loss.backward()
    return w.grad


def a_shared_part_is_freed(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    shared = w.exp()
    shared.sum().backward()
    (shared * 2.0).sum().backward()


def a_shared_part_is_freed_by_grad_too(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    shared = w.exp()
    T.autograd.grad(shared.sum(), w)
    T.autograd.grad((shared * 2.0).sum(), w)


def a_shared_part_is_not_needed_by_the_other_branch(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    v = T.tensor([3.0, 4.0], requires_grad=True)
    shared = w * 2.0
    (shared * 1.0).sum().backward()
    (v * v).sum().backward()
    return w.grad, v.grad


def a_branch_off_a_freed_graph_is_refused(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    hidden = (w * w).tanh()
    hidden.sum().backward()
    again = hidden * 3.0
    again.sum().backward()


def hidden_state_carried_over_without_detach(T: Any) -> Any:
    w = T.tensor([0.5], requires_grad=True)
    h = T.tensor([1.0])
    for _ in range(2):
        h = T.tanh(h * w)
        h.sum().backward()


def hidden_state_carried_over_with_detach(T: Any) -> Any:
    w = T.tensor([0.5], requires_grad=True)
    h = T.tensor([1.0])
    for _ in range(3):
        h = T.tanh(h.detach() * w)
        h.sum().backward()
    return w.grad, h


def gradient_argument(T: Any) -> Any:
    w = T.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = w * w
    y.backward(gradient=T.tensor([[1.0, 0.0], [0.0, 2.0]]))
    (w * 2.0).backward(T.ones(2, 2))
    return w.grad


def gradient_argument_for_a_scalar(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward(T.tensor(10.0))
    return w.grad


def gradient_argument_of_another_shape(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    (w * w).backward(T.ones(2, 1))


def gradient_argument_for_one_element(T: Any) -> Any:
    w = T.tensor([3.0], requires_grad=True)
    (w * w).backward()
    return w.grad


def gradient_argument_missing(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    (w * w).backward()


def gradient_argument_that_requires_grad(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    seed = T.tensor([3.0, 4.0], requires_grad=True)
    (w * w).backward(seed, create_graph=True)
    (g,) = T.autograd.grad(w.grad.sum(), seed)
    return w.grad, g


def no_history(T: Any) -> Any:
    T.tensor([1.0]).backward()


def of_a_leaf(T: Any) -> Any:
    w = T.tensor([1.0], requires_grad=True)
    w.backward()
    w.backward(T.tensor([4.0]))
    return w.grad


def under_no_grad(T: Any) -> Any:
    w = T.tensor([1.0], requires_grad=True)
    y = w * 3.0
    with T.no_grad():
        y.backward()
    return w.grad, w.grad.requires_grad


def inputs_argument(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    b = T.tensor([3.0, 4.0], requires_grad=True)
    (a * b).sum().backward(inputs=[a])
    (a * b).sum().backward(inputs=a)
    return a.grad, b.grad is None


def inputs_argument_with_an_inner_value(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    h = a * 3.0
    (h * h).sum().backward(inputs=[h])
    return h.grad, a.grad is None


def inputs_argument_empty(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    (a * a).sum().backward(inputs=[])


def inputs_argument_not_used(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    b = T.tensor([1.0, 2.0], requires_grad=True)
    (a * a).sum().backward(inputs=[b])
    return a.grad is None, b.grad is None


def inputs_argument_without_grad(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    (a * a).sum().backward(inputs=[T.ones(2)])


def several_roots(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    shared = a * a
    T.autograd.backward([shared.sum(), (shared * 3.0)], [None, T.ones(2)])
    T.autograd.backward((a * 1.0).sum())
    return a.grad


def the_same_root_twice(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    loss = (a * a).sum()
    T.autograd.backward([loss, loss])
    return a.grad


def a_root_above_another(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    h = a * a
    loss = (h * 2.0).sum()
    T.autograd.backward([loss, h], [None, T.ones(2)])
    return a.grad


def several_uses(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    b = a * 2.0
    c = b + b * b + a
    d = (c * b).sum() + c.sum()
    d.backward()
    return a.grad


def equal_expressions_are_apart(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    x = a * 2.0
    y = a * 2.0
    gx, gy = T.autograd.grad((x * 3.0 + y * 5.0).sum(), [x, y])
    return gx, gy


def leaves_without_grad_are_left_alone(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    b = T.tensor([1.0, 2.0])
    (a * b).sum().backward()
    return b.grad is None, a.grad


def unused_leaves_keep_none(T: Any) -> Any:
    a = T.tensor([1.0], requires_grad=True)
    b = T.tensor([1.0], requires_grad=True)
    (a * 2.0).sum().backward()
    return b.grad is None


def broadcast_operands(T: Any) -> Any:
    a = T.tensor([[1.0], [2.0]], requires_grad=True)
    b = T.tensor([3.0, 4.0, 5.0], requires_grad=True)
    s = T.tensor(2.0, requires_grad=True)
    ((a * b + s) / b).sum().backward()
    return a.grad, b.grad, s.grad


def mixed_types(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    d = T.tensor([3.0, 4.0], dtype=T.float64, requires_grad=True)
    loss = (a * d).sum()
    loss.backward()
    return a.grad, d.grad, loss.dtype


def big_batch_is_the_sum_of_micro_batches(T: Any) -> Any:
    w = T.tensor([[0.5, -1.0], [2.0, 0.1]], requires_grad=True)
    x = T.arange(12.0).reshape(6, 2) / 7.0
    for part in x.split(2):
        ((part @ w).tanh() ** 2).sum().backward()
    micro = w.grad.clone()
    w.grad = None
    ((x @ w).tanh() ** 2).sum().backward()
    return micro, w.grad, (micro - w.grad).abs().max().item() < 1e-5


def values_read_in_the_middle(T: Any) -> Any:
    w = T.tensor([[0.5, -0.3], [0.2, 0.1]], requires_grad=True)
    h = T.zeros(2)
    losses = []
    total = 0.0
    for t in range(6):
        h = T.tanh(h @ w + T.tensor([float(t), 1.0]))
        losses.append(h.sum().item())
        total = total + (h * h).sum()
        if t % 2:
            float(total)
    total.backward()
    return losses, w.grad


def truncated_backpropagation(T: Any) -> Any:
    w = T.tensor([[0.5, -0.3], [0.2, 0.1]], requires_grad=True)
    h = T.ones(2)
    seen = []
    for t in range(6):
        h = T.tanh(h @ w)
        if t % 3 == 2:
            (h * h).sum().backward()
            seen.append(w.grad.clone())
            w.grad.zero_()
            h = h.detach()
    return seen


def backward_through_an_old_recording(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    old = [(w * float(k)).exp() for k in range(3)]
    for one in old:
        one.tolist()
    loss = sum((one.sum() for one in old), T.tensor(0.0))
    loss.item()
    more = loss * 2.0
    more.item()
    more.backward()
    return w.grad


def an_update_in_place_between_forward_and_backward_elsewhere(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    v = T.tensor([1.0, 2.0], requires_grad=True)
    y = (w * 3.0).sum()
    with T.no_grad():
        v += 1.0
        w -= 0.5
    y.backward()
    return w.grad, w, v


def sgd_by_hand(T: Any) -> Any:
    w = T.tensor([1.0, -2.0], requires_grad=True)
    losses = []
    for _ in range(5):
        loss = ((w - 3.0) ** 2).sum()
        loss.backward()
        with T.no_grad():
            w -= 0.1 * w.grad
        w.grad.zero_()
        losses.append(loss.item())
    return losses, w


def sgd_by_hand_on_data(T: Any) -> Any:
    w = T.tensor([1.0, -2.0], requires_grad=True)
    for _ in range(5):
        loss = ((w - 3.0) ** 2).sum()
        if w.grad is not None:
            w.grad.data.zero_()
        loss.backward()
        w.data -= 0.1 * w.grad.data
    return w, w.grad


def sgd_that_replaces_the_leaf(T: Any) -> Any:
    w = T.tensor([1.0, -2.0], requires_grad=True)
    for _ in range(3):
        ((w - 3.0) ** 2).sum().backward()
        w = (w - 0.1 * w.grad).detach().requires_grad_()
    return w, w.grad is None


def replacing_the_leaf_without_detach(T: Any) -> Any:
    w = T.tensor([1.0, -2.0], requires_grad=True)
    ((w - 3.0) ** 2).sum().backward()
    w = w - 0.1 * w.grad
    ((w - 3.0) ** 2).sum().backward()
    return w.is_leaf, w.grad is None


# --- torch.autograd.grad -----------------------------------------------------------------------------


def grad_of_leaves_touches_no_grad(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    b = T.tensor([3.0, 4.0], requires_grad=True)
    found = T.autograd.grad((a * b * b).sum(), [a, b])
    return found, a.grad is None, b.grad is None, type(found).__name__


def grad_of_inner_values(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    h = a * a
    k = h.exp()
    return T.autograd.grad(k.sum(), [h, a, k])


def grad_of_the_output_itself(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    y = (a * a).sum()
    return T.autograd.grad(y, y)


def grad_of_a_leaf_with_respect_to_itself(T: Any) -> Any:
    a = T.tensor(2.0, requires_grad=True)
    return T.autograd.grad(a, a)


def grad_for_several_outputs(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    return T.autograd.grad([(a * a).sum(), a * 3.0], a, grad_outputs=[None, T.tensor([1.0, 10.0])])


def grad_of_a_vector_without_weights(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    T.autograd.grad(a * a, a)


def grad_of_unused_input(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    b = T.tensor([1.0, 2.0], requires_grad=True)
    T.autograd.grad((a * a).sum(), [a, b])


def grad_of_unused_input_allowed(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    b = T.tensor([1.0, 2.0], requires_grad=True)
    return T.autograd.grad((a * a).sum(), [a, b], allow_unused=True)


def grad_of_unused_input_materialized(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    b = T.tensor([[1.0, 2.0]], dtype=T.float64, requires_grad=True)
    return T.autograd.grad((a * a).sum(), [a, b], materialize_grads=True)


def materialized_but_not_allowed(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    return T.autograd.grad((a * a).sum(), [a], materialize_grads=True, allow_unused=False)


def grad_of_a_tensor_without_grad(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    T.autograd.grad((a * a).sum(), [T.ones(2)])


def grad_for_no_inputs(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    T.autograd.grad((a * a).sum(), [])


def grad_frees_the_graph(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    y = (a * a).sum()
    T.autograd.grad(y, a)
    T.autograd.grad(y, a)


def grad_retains_the_graph_if_told(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    y = (a * a).sum()
    return T.autograd.grad(y, a, retain_graph=True), T.autograd.grad(y, a)


def grad_in_batches(T: Any) -> Any:
    a = T.tensor([1.0, 2.0, 3.0], requires_grad=True)
    b = T.tensor([[2.0], [3.0]], requires_grad=True)
    y = a * b
    seeds = T.arange(12.0).reshape(2, 2, 3)
    return T.autograd.grad(y, [a, b], grad_outputs=seeds, is_grads_batched=True)


def grad_of_an_older_value(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    h = a * a
    h.tolist()
    y = h.exp()
    y.tolist()
    return T.autograd.grad(y.sum(), [h, a])


def grad_with_respect_to_a_view(T: Any) -> Any:
    a = T.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    row = a[0]
    y = (row * row).sum() + a.sum()
    return T.autograd.grad(y, [row, a])


def grad_accumulates_create_graph(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    (g,) = T.autograd.grad((a**3).sum(), a, create_graph=True)
    (gg,) = T.autograd.grad(g.sum(), a, create_graph=True)
    (ggg,) = T.autograd.grad(gg.sum(), a)
    return g.detach(), gg.detach(), ggg, g.requires_grad, ggg.requires_grad


def old_name_of_the_gradients(T: Any) -> Any:
    a = T.tensor([1.0, 2.0], requires_grad=True)
    T.autograd.backward([a * a], grad_tensors=[T.ones(2)])
    T.autograd.backward([a * a], [T.tensor([1.0, 0.0])])
    return a.grad


def complex_values(T: Any) -> Any:
    z = T.tensor([1.0 + 2.0j, -0.5j], requires_grad=True)
    loss = (z * z.conj()).real.sum() + (z * (2.0 - 1.0j)).imag.sum()
    loss.backward()
    return z.grad


def complex_root_without_gradient(T: Any) -> Any:
    z = T.tensor(1.0 + 2.0j, requires_grad=True)
    (z * z).backward()


@scenarios_of(globals())
def test_as_in_pytorch(scenario: Any) -> None:
    check(scenario)

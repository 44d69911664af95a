"""Training loops in which the program meddles with parameters, states and gradients: the outcome is PyTorch's.

From its third step on an optimizer handles parameters, states and gradients together (``tensor/pack.py``,
``tensor/leaf.py``). Each scenario trains that far, does something to one of them, and trains on.
"""

from __future__ import annotations

import copy
import io
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest

import zerograd
from tests.autograd.scenario import check, scenarios_of

Kinds = {
    "SGD": {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01},
    "Adam": {"lr": 0.05},
    "RMSprop": {"lr": 0.02, "momentum": 0.5},
}


class Training:
    """A small model, its data and its optimizer."""

    def __init__(self, T: Any, kind: str = "Adam", **options: Any) -> None:
        self.T = T
        self.model = T.nn.Sequential(T.nn.Linear(3, 4), T.nn.Tanh(), T.nn.Linear(4, 2))
        self.optimizer = getattr(T.optim, kind)(self.model.parameters(), **{**Kinds[kind], **options})
        self.x = T.arange(15.0).reshape(5, 3) / 10
        self.y = T.tensor([0, 1, 1, 0, 1])
        self.losses: list[Any] = []

    def loss(self) -> Any:
        loss = self.T.nn.functional.cross_entropy(self.model(self.x), self.y)
        self.losses.append(loss.detach())
        return loss

    def step(self) -> None:
        self.loss().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def run(self, count: int = 4) -> None:
        for _ in range(count):
            self.step()

    def outcome(self) -> list[Any]:
        states = [
            {key: value for key, value in self.optimizer.state[p].items() if isinstance(value, self.T.Tensor)}
            for p in self.model.parameters()
            if p in self.optimizer.state
        ]
        return [self.losses, [p.detach() for p in self.model.parameters()], states]


def around(meddle: Callable[[Training], Any], kind: str = "Adam") -> Callable[[Any], Any]:
    def scenario(T: Any) -> Any:
        training = Training(T, kind)
        training.run()
        seen = meddle(training)
        training.run()
        return training.outcome(), seen

    return scenario


# --- parameters --------------------------------------------------------------------------------------


def clamped_by_data(t: Training) -> None:
    for p in t.model.parameters():
        p.data.clamp_(-0.1, 0.1)


def one_scaled_in_place(t: Training) -> None:
    with t.T.no_grad():
        t.model[0].weight.mul_(0.5)


def one_given_new_data(t: Training) -> None:
    t.model[2].weight.data = t.model[2].weight.data * 2


def one_row_zeroed(t: Training) -> None:
    with t.T.no_grad():
        t.model[0].weight[1] = 0


def set_between_backward_and_step(t: Training) -> None:
    t.loss().backward()
    with t.T.no_grad():
        t.model[0].bias.add_(1)
    t.optimizer.step()
    t.optimizer.zero_grad()


def used_after_the_step(t: Training) -> Any:
    t.loss().backward()
    before = [p.detach().clone() for p in t.model.parameters()]
    t.optimizer.step()
    after = t.loss()
    after.backward()  # adds to gradients that were not cleared
    t.optimizer.step()
    t.optimizer.zero_grad()
    return before, after


def read_after_the_step(t: Training) -> Any:
    t.loss().backward()
    held = [p.detach() for p in t.model.parameters()]
    t.optimizer.step()
    seen = [p.tolist() for p in held]  # the new values: detach() shares the storage
    t.optimizer.zero_grad()
    return seen


def frozen_and_thawed(t: Training) -> Any:
    t.model[0].weight.requires_grad_(False)
    t.run(3)
    seen = t.model[0].weight.grad is None, t.model[0].weight.requires_grad, t.loss().requires_grad
    t.model[0].weight.requires_grad_(True)
    return seen


def frozen_within_a_step(t: Training) -> Any:
    loss = t.loss()
    t.model[0].weight.requires_grad_(False)
    loss.backward()
    seen = t.model[0].weight.grad
    t.model[0].weight.requires_grad_(True)
    t.optimizer.step()
    t.optimizer.zero_grad()
    return seen


def shared_with_numpy(t: Training) -> Any:
    array = t.model[0].bias.detach().numpy()
    array[:] = 0.25
    t.step()
    return array.tolist()


def loaded(t: Training) -> None:
    state = {name: value * 0.5 for name, value in t.model.state_dict().items()}
    t.model.load_state_dict(state)


def state_dict_is_the_present_one(t: Training) -> Any:
    state = t.model.state_dict()
    t.step()
    return state  # its tensors share the storages


def copied(t: Training) -> Any:
    other = copy.deepcopy(t.model)
    t.step()
    return [p.detach() for p in other.parameters()], [p.grad for p in other.parameters()]


def copied_with_gradients(t: Training) -> Any:
    t.loss().backward()
    other = copy.deepcopy(t.model)
    t.optimizer.step()
    seen = [p.grad for p in other.parameters()]
    t.optimizer.zero_grad()
    return seen


def pickled(t: Training) -> Any:
    other = pickle.loads(pickle.dumps(t.model))
    t.step()
    return [p.detach() for p in other.parameters()]


def averaged(t: Training) -> Any:
    target = copy.deepcopy(t.model)
    for _ in range(3):
        t.step()
        with t.T.no_grad():
            for a, b in zip(target.parameters(), t.model.parameters(), strict=True):
                a.mul_(0.9).add_(b, alpha=0.1)
    return [p.detach() for p in target.parameters()]


def versions(t: Training) -> Any:
    before = [p._version for p in t.model.parameters()]
    t.step()
    after = [p._version for p in t.model.parameters()]
    return [b > a for a, b in zip(before, after, strict=True)]


def a_view_of_one_is_held(t: Training) -> Any:
    row = t.model[0].weight.detach()[0]
    t.step()
    return row


def in_another_thread(t: Training) -> None:
    thread = threading.Thread(target=t.run, args=(3,))
    thread.start()
    thread.join()


# --- gradients ---------------------------------------------------------------------------------------


def accumulated(t: Training) -> None:
    for _ in range(3):
        (t.loss() / 3).backward()
    t.optimizer.step()
    t.optimizer.zero_grad()


def read_halved_and_kept(t: Training) -> Any:
    t.loss().backward()
    first = [p.grad for p in t.model.parameters()]
    for p in t.model.parameters():
        p.grad /= 2
    t.optimizer.step()
    same = [p.grad is g for p, g in zip(t.model.parameters(), first, strict=True)]
    t.optimizer.zero_grad()
    return same, first


def one_read_others_not(t: Training) -> Any:
    t.loss().backward()
    seen = t.model[0].bias.grad
    t.optimizer.step()
    t.optimizer.zero_grad()
    return seen


def one_set_to_none(t: Training) -> None:
    t.loss().backward()
    t.model[2].bias.grad = None
    t.optimizer.step()
    t.optimizer.zero_grad()


def one_replaced(t: Training) -> None:
    t.loss().backward()
    t.model[2].bias.grad = t.T.ones(2)
    t.optimizer.step()
    t.optimizer.zero_grad()


def set_to_zero(t: Training) -> Any:
    t.optimizer.zero_grad(set_to_none=False)
    t.loss().backward()
    grads = [p.grad for p in t.model.parameters()]
    t.optimizer.step()
    t.optimizer.zero_grad(set_to_none=False)
    t.optimizer.step()  # zero gradients, not none: momentum moves on
    return grads


def clipped(t: Training) -> Any:
    t.loss().backward()
    norm = t.T.nn.utils.clip_grad_norm_(t.model.parameters(), 0.01)
    t.optimizer.step()
    t.optimizer.zero_grad()
    return norm


def kept_beyond_the_step(t: Training) -> Any:
    t.loss().backward()
    t.optimizer.step()
    held = [p.grad for p in t.model.parameters()]
    t.optimizer.zero_grad()
    t.step()
    return held


def not_cleared_at_all(t: Training) -> Any:
    for _ in range(3):
        t.loss().backward()
        t.optimizer.step()
    seen = [p.grad for p in t.model.parameters()]
    t.optimizer.zero_grad()
    return seen


def cleared_by_the_module(t: Training) -> None:
    t.loss().backward()
    t.model.zero_grad()
    t.optimizer.step()


def a_hook_on_one(t: Training) -> Any:
    seen: list[Any] = []
    handle = t.model[0].weight.register_hook(lambda grad: seen.append(grad.clone()))
    t.step()
    handle.remove()
    t.step()
    return seen


def a_post_accumulate_hook_that_steps(t: Training) -> None:
    def update(p: Any) -> None:
        p.data.add_(p.grad, alpha=-0.1)
        p.grad = None

    handles = [p.register_post_accumulate_grad_hook(update) for p in t.model.parameters()]
    t.loss().backward()
    for handle in handles:
        handle.remove()


def of_a_part_of_the_model(t: Training) -> Any:
    grads = t.T.autograd.grad(t.loss(), [t.model[2].weight, t.model[0].bias])
    return grads, [p.grad for p in t.model.parameters()]


def backward_into_some(t: Training) -> Any:
    t.loss().backward(inputs=[t.model[2].weight])
    seen = [p.grad for p in t.model.parameters()]
    t.optimizer.step()
    t.optimizer.zero_grad()
    return seen


def of_gradients(t: Training) -> Any:
    grads = t.T.autograd.grad(t.loss(), list(t.model.parameters()), create_graph=True)
    sum((g * g).sum() for g in grads).backward()
    seen = [p.grad for p in t.model.parameters()]
    t.optimizer.step()
    t.optimizer.zero_grad()
    return seen


def arrives_while_the_tensor_is_detached(t: Training) -> Any:
    w = t.T.ones(2, requires_grad=True)
    (w * 3).sum().backward()
    w.detach_()
    return w.grad, w.requires_grad


# --- states ------------------------------------------------------------------------------------------


def state_replaced(t: Training) -> None:
    p = t.model[0].weight
    t.optimizer.state[p]["exp_avg"] = t.T.zeros_like(p)


def state_scaled(t: Training) -> None:
    for p in t.model.parameters():
        t.optimizer.state[p]["exp_avg_sq"].mul_(4)


def state_of_one_dropped(t: Training) -> None:
    del t.optimizer.state[t.model[0].weight]


def states_saved_and_loaded(t: Training) -> None:
    file = io.BytesIO()
    t.T.save(t.optimizer.state_dict(), file)
    file.seek(0)
    t.run(2)
    t.optimizer.load_state_dict(t.T.load(file))


def step_counts_set_back(t: Training) -> None:
    for p in t.model.parameters():
        t.optimizer.state[p]["step"].zero_()


def state_read(t: Training) -> Any:
    seen = [{k: v.clone() for k, v in t.optimizer.state[p].items()} for p in t.model.parameters()]
    t.step()
    return seen


def two_optimizers_over_the_same(t: Training) -> None:
    other = t.T.optim.SGD(t.model.parameters(), lr=0.01, momentum=0.5)
    for _ in range(4):
        t.loss().backward()
        t.optimizer.step()
        other.step()
        t.optimizer.zero_grad()


def another_group(t: Training) -> Any:
    extra = t.T.nn.Parameter(t.T.ones(2))
    t.optimizer.add_param_group({"params": [extra], "lr": 0.5})
    for _ in range(4):
        (t.loss() + (extra * extra).sum()).backward()
        t.optimizer.step()
        t.optimizer.zero_grad()
    return extra


def rate_changed(t: Training) -> None:
    t.optimizer.param_groups[0]["lr"] = 0.01


_MEDDLING = [
    one
    for name, one in list(globals().items())
    if callable(one) and getattr(one, "__module__", "") == __name__ and not name.startswith("_")
    and getattr(one, "__annotations__", {}).get("t") == "Training"
]  # fmt: skip


@pytest.mark.parametrize("meddle", _MEDDLING, ids=[one.__name__ for one in _MEDDLING])
def test_the_outcome_is_pytorchs(meddle: Callable[[Training], Any]) -> None:
    check(around(meddle), 2e-4)


@pytest.mark.parametrize("kind", Kinds)
@pytest.mark.parametrize("meddle", [used_after_the_step, set_to_zero, frozen_and_thawed, one_set_to_none, averaged])
def test_with_other_optimizers_too(meddle: Callable[[Training], Any], kind: str) -> None:
    check(around(meddle, kind), 2e-4)


def alternating(T: Any) -> Any:
    """Two models that train in turn, each seeing the other's output, as generator and discriminator do."""
    a, b = Training(T), Training(T)
    for _ in range(5):
        loss = b.model(a.model(a.x) @ T.ones(2, 3)).sum() + a.loss()
        loss.backward()  # brings gradients to both
        a.optimizer.step()
        b.model.zero_grad()
        a.optimizer.zero_grad()
        (b.loss() + b.model(a.model(a.x).detach() @ T.ones(2, 3)).pow(2).mean()).backward()
        b.optimizer.step()
        b.optimizer.zero_grad()
    return a.outcome(), b.outcome()


def with_evaluation_between(T: Any) -> Any:
    """Evaluation reads what training changes."""
    t, seen = Training(T), []
    for _ in range(5):
        t.step()
        with T.no_grad():
            t.model.eval()
            seen.append(t.model(t.x).sum())
            t.model.train()
    return t.outcome(), seen


def tied_weights(T: Any) -> Any:
    """One parameter in two places of a model."""
    t = Training(T)
    head = T.nn.Linear(4, 3, bias=False)
    head.weight = T.nn.Parameter(t.model[2].weight.detach().repeat(2, 1)[:3])
    tied = T.nn.Linear(4, 3, bias=False)
    tied.weight = head.weight
    optimizer = T.optim.Adam([*t.model.parameters(), head.weight], lr=0.1)
    for _ in range(5):
        h = T.tanh(t.model[0](t.x))
        (head(h).sum() + (tied(h) ** 2).sum() + t.loss()).backward()
        optimizer.step()
        optimizer.zero_grad()
    return t.outcome()[:2], head.weight


@scenarios_of(globals())
def test_several_models(scenario: Any) -> None:
    check(scenario, 2e-4)


def test_a_parameter_that_dies_takes_its_pack_with_it() -> None:
    import gc
    import weakref

    t = Training(zerograd)
    t.run(5)
    storage = weakref.ref(t.model[0].weight._storage)
    del t
    gc.collect()  # modules refer to themselves
    assert storage() is None


def test_steady_training_forms_packs_and_meddling_dissolves_them() -> None:
    t = Training(zerograd)
    t.run(4)
    assert all(type(p._storage).__name__ == "Member" for p in t.model.parameters())
    clamped_by_data(t)
    assert all(type(p._storage).__name__ == "Storage" for p in t.model.parameters())
    t.run(2)
    assert all(type(p._storage).__name__ == "Member" for p in t.model.parameters())

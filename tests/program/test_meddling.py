"""What a program does between the calls of a compiled step counts, and what a step must not do is found."""

from __future__ import annotations

import random
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from program.test_steps import (
    Step,
    World,
    clipping,
    compare,
    convolutional,
    programs,
    supervised,
    values,
    with_noise,
    with_schedule,
)

import zerograd as torch
from zerograd import nn
from zerograd.nn import functional as F

CALLS = 14
Meddle = Callable[[World, int], Any]


def meddled(meddle: Meddle, body: Callable[[World], Step] = supervised, layers: Any = None, kind: str = "Adam") -> Any:
    """Run a step compiled and as it is, meddling after every call; compare everything."""
    results = []
    for wrap in (lambda step: step, torch.compile):
        world = World(kind, layers)
        step = wrap(body(world))
        torch.manual_seed(5)
        seen = []
        for i in range(CALLS):
            seen.append((values(step(*world.batches[i % 10])), world.state() if i % 3 == 2 else None))
            seen.append(values(meddle(world, i)))
        results.append((seen, world.state()))
    (expected, last), (found, last_found) = results
    for i, pair in enumerate(zip(found, expected, strict=True)):
        assert pair[0] == pair[1], f"call {i // 2}"
    assert last == last_found
    return step


def shrink(world: World, i: int) -> None:
    if i % 5 == 4:
        for p in world.model.parameters():
            p.data.mul_(0.5)


def change_rate(world: World, i: int) -> None:
    world.optimizer.param_groups[0]["lr"] *= 0.9


def change_decay(world: World, i: int) -> None:
    world.optimizer.param_groups[0]["weight_decay"] = 0.1 if i >= 6 else 0


def freeze(world: World, i: int) -> None:
    if i in (5, 9):
        world.model[0].requires_grad_(i == 9)


def evaluate(world: World, i: int) -> Any:
    if i % 4 == 3:
        world.model.eval()
        out = world.model(world.batches[0][0]).sum()
        world.model.train()
        return out
    return None


def evaluate_from_now_on(world: World, i: int) -> None:
    if i == 6:
        world.model.eval()


def load_model(world: World, i: int) -> None:
    if i == 1:
        world.saved = {name: value.clone() for name, value in world.model.state_dict().items()}
    if i == 7:
        world.model.load_state_dict(world.saved)


def load_optimizer(world: World, i: int) -> None:
    if i in (5, 8):
        state = world.optimizer.state_dict()
        state["param_groups"][0]["lr"] = 0.02
        world.optimizer.load_state_dict(state)


def replace_data(world: World, i: int) -> None:
    if i == 6:
        p = world.model[0].weight
        p.data = p.data.clone() * 0.1


def replace_parameter(world: World, i: int) -> None:
    if i == 6:
        world.model[0].weight = nn.Parameter(world.model[0].weight.detach() * 0.1)


def replace_layer(world: World, i: int) -> None:
    if i == 6:
        world.model[1] = nn.Tanh()


def look_at_gradients(world: World, i: int) -> Any:
    return [p.grad for p in world.model.parameters()][i % 2 :]


def keep_gradients(world: World, i: int) -> Any:
    world.kept = getattr(world, "kept", [])
    world.kept.append(world.model[0].weight.grad)
    return world.kept[-3:]


def change_gradients(world: World, i: int) -> None:
    for p in world.model.parameters():
        p.grad = torch.ones_like(p) if i % 2 else None


def clear(world: World, i: int) -> None:
    world.optimizer.zero_grad()


def step_once_more(world: World, i: int) -> Any:
    if i % 4 == 3:
        world.optimizer.step()
    return None


def train_outside(world: World, i: int) -> Any:
    return supervised(world)(*world.batches[i % 10]) if i % 4 == 1 else None


def add_group(world: World, i: int) -> None:
    if i == 6:
        world.extra = torch.zeros(3, requires_grad=True)
        world.optimizer.add_param_group({"params": [world.extra]})


def hook_a_parameter(world: World, i: int) -> None:
    if i == 6:
        world.handle = world.model[0].weight.register_hook(lambda grad: grad * 2)
    if i == 10:
        world.handle.remove()


def hook_a_layer(world: World, i: int) -> None:
    if i == 6:
        world.model[1].register_forward_hook(lambda module, given, out: out * 1.5)


def hook_the_optimizer(world: World, i: int) -> None:
    if i == 6:
        world.optimizer.register_step_pre_hook(lambda *_: (world.model[0].weight.grad.mul_(0.5), None)[1])


def hold_as_numpy(world: World, i: int) -> Any:
    if i == 4:
        world.held = world.model[0].weight.detach().numpy()
    return None if i < 4 else world.held.tobytes()


def change_state(world: World, i: int) -> None:
    if "exp_avg" not in world.optimizer.state[world.model[0].weight]:
        return
    if i == 7:
        world.optimizer.state[world.model[0].weight]["exp_avg"].zero_()
    if i == 9:
        world.optimizer.state[world.model[0].weight]["exp_avg"] = torch.ones(8, 4)
    if i == 11:
        world.optimizer.state[world.model[0].weight]["step"].fill_(100.0)


def draw(world: World, i: int) -> Any:
    return torch.rand(3)


def seed(world: World, i: int) -> None:
    torch.manual_seed(i)


def change_the_wide(world: World, i: int) -> None:
    torch.set_default_dtype(torch.float64 if i == 5 else torch.float32)


def write_into_batches(world: World, i: int) -> None:
    for x, _ in world.batches:
        x.mul_(0.9)


def reset_buffers(world: World, i: int) -> None:
    if i % 4 == 3 and isinstance(world.model[1], nn.BatchNorm1d):
        world.model[1].reset_running_stats()


def set_some_gradients(world: World, i: int) -> None:
    if i % 4 == 3:
        world.model[0].weight.grad = None
    if i % 4 == 2:
        world.model[0].bias.grad = torch.ones(8)


def overwrite(world: World, i: int) -> None:
    if i % 3 == 1:
        with torch.no_grad():
            world.model[0].bias.fill_(0.5)
            world.model[0].weight.copy_(torch.full((8, 4), 0.1))


def pend(world: World, i: int) -> Any:
    world.pending = getattr(world, "pending", 0.0) + world.model[0].weight.detach().sum()
    return world.pending if i == CALLS - 1 else None


MEDDLING = [
    shrink, change_rate, change_decay, freeze, evaluate, evaluate_from_now_on, load_model, load_optimizer,
    replace_data, replace_parameter, replace_layer, look_at_gradients, keep_gradients, change_gradients, clear,
    step_once_more, train_outside, add_group, hook_a_parameter, hook_a_layer, hook_the_optimizer, hold_as_numpy,
    change_state, draw, seed, change_the_wide, write_into_batches, reset_buffers, set_some_gradients, overwrite, pend,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:torch.compile runs")
@pytest.mark.parametrize("meddle", MEDDLING, ids=lambda meddle: meddle.__name__)
def test_what_happens_between_calls_counts(meddle: Meddle) -> None:
    meddled(meddle)
    meddled(meddle, layers=convolutional, kind="SGD")


@pytest.mark.parametrize("meddle", [shrink, change_rate, look_at_gradients, keep_gradients, clear, seed, draw, pend])
def test_such_meddling_costs_no_program(meddle: Meddle) -> None:
    assert programs(meddled(meddle)) == 1


@pytest.mark.parametrize("body", [supervised, with_noise, with_schedule, clipping], ids=lambda body: body.__name__)
@pytest.mark.parametrize("layers", [None, convolutional], ids=["plain", "with buffers and dropout"])
def test_replays_that_nobody_looks_at_follow_each_other(body: Callable[[World], Step], layers: Any) -> None:
    one, other = World("Adam", layers), World("Adam", layers)
    plain, step = body(one), torch.compile(body(other))
    torch.manual_seed(5)
    expected = [plain(*one.batches[i % 10]) for i in range(30)]
    torch.manual_seed(5)
    found = [step(*other.batches[i % 10]) for i in range(30)]
    (program,) = next(iter(step._compiled.programs.values()))
    assert (program.chain is not None) == (program.defers and not program.record.made)
    assert [values(loss) for loss in found] == [values(loss) for loss in expected]
    assert other.state() == one.state()
    grads = [p.grad for p in other.model.parameters()]
    torch.manual_seed(6)
    expected = values(plain(*one.batches[0])), one.state()
    torch.manual_seed(6)
    assert (values(step(*other.batches[0])), other.state()) == expected
    assert len(grads) == len([one for one in grads if one is not None])


def test_gradients_that_nobody_reads_are_never_computed() -> None:
    world = World()
    step = torch.compile(supervised(world))
    for i in range(9):
        loss = step(*world.batches[i])
    (program,) = next(iter(step._compiled.programs.values()))
    assert program.defers
    assert program.owed[0].serial
    assert loss._serial == program.owed[0].serial, "not computed yet"
    grads = len(list(world.model.parameters()))
    outputs = len(program.plan.wanted)
    assert world.model[0].weight.grad is not None
    loss.item()
    assert len(program.owed[0].plan.wanted) == outputs + grads


# --- what cannot be captured -----------------------------------------------------------------------------


def reading_the_loss(world: World) -> Step:
    def step(x: Any, y: Any) -> Any:
        loss = supervised(world)(x, y)
        return loss.item()

    return step


def branching_on_the_loss(world: World) -> Step:
    def step(x: Any, y: Any) -> Any:
        world.optimizer.zero_grad()
        loss = F.cross_entropy(world.model(x), y)
        if loss > 1.0:
            loss = loss * 2.0
        loss.backward()
        world.optimizer.step()
        return loss

    return step


def branching_on_the_data(world: World) -> Step:
    def step(x: Any, y: Any) -> Any:
        loss = supervised(world)(x, y)
        return loss * (2.0 if y[0] == 1 else 1.0)

    return step


def counting_in_python(world: World) -> Step:
    count = 0

    def step(x: Any, y: Any) -> Any:
        nonlocal count
        count += 1
        world.optimizer.zero_grad()
        loss = F.cross_entropy(world.model(x), y) * (1 - 0.9**count)
        loss.backward()
        world.optimizer.step()
        return loss

    return step


def counting_in_an_attribute(world: World) -> Step:
    world.count = 0

    def step(x: Any, y: Any) -> Any:
        world.count += 1
        return supervised(world)(x, y)

    return step


def remembering_losses(world: World) -> Step:
    losses: list[Any] = []

    def step(x: Any, y: Any) -> Any:
        loss = supervised(world)(x, y)
        losses.append(loss.detach())
        return sum(losses)

    return step


def drawing_in_python(world: World) -> Step:
    stream = random.Random(1)

    def step(x: Any, y: Any) -> Any:
        loss = supervised(world)(x, y)
        return loss * 2.0 if stream.random() < 0.05 else loss

    return step


def drawing_in_numpy(world: World) -> Step:
    stream = np.random.default_rng(0)

    def step(x: Any, y: Any) -> Any:
        return supervised(world)(x + float(stream.integers(0, 2)), y)

    return step


def taking_from_an_iterator(world: World) -> Step:
    batches = iter(world.batches * 3)

    def step(x: Any, y: Any) -> Any:
        return supervised(world)(*next(batches))

    return step


def setting_the_rate_itself(world: World) -> Step:
    rates = [0.1] * 9 + [0.2] * 9

    def step(x: Any, y: Any) -> Any:
        for group in world.optimizer.param_groups:
            group["lr"] = rates.pop()
        return supervised(world)(x, y)

    return step


def making_data_that_differs(world: World) -> Step:
    known = {"i": 0}

    def step(x: Any, y: Any) -> Any:
        known["i"] += 1
        return supervised(world)(x * torch.tensor([1.0, 2.0, 3.0, known["i"]]), y)

    return step


REFUSED = [
    (reading_the_loss, "reads a value of a tensor"),
    (branching_on_the_loss, "reads a value of a tensor"),
    (branching_on_the_data, "reads a value of a tensor"),
    (counting_in_python, "changes the variable count"),
    (counting_in_an_attribute, "changes the variable world.count"),
    (remembering_losses, "a history from before|leaves behind a new tensor|length"),
    (drawing_in_python, "draws random numbers from Python's"),
    (drawing_in_numpy, "draws random numbers from Python's or NumPy's"),
    (taking_from_an_iterator, "the iterator batches"),
    (setting_the_rate_itself, "lr itself|length"),
    (making_data_that_differs, "changes the variable|differs from call to call"),
]


@pytest.mark.parametrize(("body", "reason"), REFUSED, ids=lambda one: getattr(one, "__name__", ""))
def test_what_cannot_be_captured_runs_as_it_is_and_says_why_once(body: Callable[[World], Step], reason: str) -> None:
    with pytest.warns(UserWarning, match=reason) as said:
        compare(World, body, calls=16, captured=0)
    assert len(said) == 1
    assert said[0].filename == __file__ or "test_steps" in said[0].filename


def test_a_number_frozen_by_accident_is_found() -> None:
    """The counter is where no look around can find it."""

    class Hidden:
        __slots__ = ("count",)

    hidden = Hidden()
    hidden.count = 0
    table = {0: {0: {0: {0: {0: {0: hidden}}}}}}

    def body(world: World) -> Step:
        def step(x: Any, y: Any) -> Any:
            one = table[0][0][0][0][0][0]
            one.count += 1
            world.optimizer.zero_grad()
            loss = F.cross_entropy(world.model(x), y) * (1 - 0.9**one.count)
            loss.backward()
            world.optimizer.step()
            return loss

        return step

    world = World()
    step = torch.compile(body(world))

    def train() -> None:
        for x, y in world.batches:
            step(x, y)

    with pytest.warns(UserWarning, match=r"the number 0\.\d+ has become 0\.\d+ \(.*test_meddling.py:\d+\)"):
        train()


# --- arguments, modes, variables ---------------------------------------------------------------------------

SCALE = 1.0


def test_variables_and_arguments_decide_what_is_computed() -> None:
    global SCALE

    def function(x: Any, times: int = 1, *, negative: bool = False, extra: Any = None) -> Any:
        y = x * SCALE
        for _ in range(times):
            y = y * 2
        if extra is not None:
            y = y + extra["a"] + extra["b"][0]
        return -y if negative else y

    step = torch.compile(function)
    x = torch.arange(6.0)
    for i in range(60):
        SCALE = [1.0, 3.0, 5.0][i // 20]
        kwargs = [{}, {"times": 2}, {"negative": True}, {"extra": {"a": x + 1, "b": [x[:1]]}}][i % 4]
        x = torch.rand(3 + i % 2 * 0 + 3)
        if "extra" in kwargs:
            kwargs = {"extra": {"a": x + 1, "b": [x[:1]]}}
        assert step(x, **kwargs).tolist() == function(x, **kwargs).tolist()
    assert programs(step) >= 4
    SCALE = 1.0


def test_each_shape_and_dtype_has_its_program() -> None:
    step = torch.compile(lambda x: (x * 2).sum(0))
    for i in range(40):
        x = torch.arange(6)[: 4 + i % 2] if i % 4 < 2 else torch.arange(6.0, dtype=torch.float64)
        found = step(x)
        assert found.dtype is x.dtype
        assert found.item() == (x * 2).sum(0).item()
    assert programs(step) == 3


def test_slices_of_data_are_bound_anew() -> None:
    data = torch.arange(40.0).reshape(20, 2)
    step = torch.compile(lambda x: (x * 2, x[1:, 0] + 1, x.t()))
    for i in range(16):
        x = data[i : i + 4]
        first, second, third = step(x)
        assert first.tolist() == (x * 2).tolist()
        assert second.tolist() == (x[1:, 0] + 1).tolist()
        assert third.tolist() == x.t().tolist()
    assert programs(step) == 1
    for x in (data[:, 0], data.t(), data.t()[1], data[::2]):
        assert step(x.reshape(4, 5) if x.dim() == 1 and len(x) == 20 else data[2:6])[0].shape[0] == 4


def test_what_shares_memory_with_its_arguments_still_does() -> None:
    step = torch.compile(lambda x: (x, x[1:], x.detach()))
    for _ in range(8):
        x = torch.zeros(3)
        same, part, alias = step(x)
        assert same is x
        part.add_(1.0)
        alias.add_(1.0)
        assert x.tolist() == [1.0, 2.0, 2.0]
    assert programs(step) == 1


def test_results_are_fresh_in_every_call() -> None:
    fixed = torch.ones(3)
    step = torch.compile(lambda x: (x + 1, torch.zeros(2), fixed.clone()))
    x = torch.zeros(3)
    results = [step(x) for _ in range(8)]
    for a, b, c in results:
        a.add_(1.0), b.add_(1.0), c.add_(1.0)
    for a, b, c in results:
        assert (a.tolist(), b.tolist(), c.tolist()) == ([2.0] * 3, [1.0] * 2, [2.0] * 3)


def test_the_history_of_a_result_is_freed_as_it_is_without_compiling() -> None:
    world = World()
    step = torch.compile(supervised(world))
    for x, y in world.batches:
        loss = step(x, y)
        assert loss.requires_grad
        assert loss.grad_fn.name() == "NllLossBackward0"
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()
        assert not loss.detach().requires_grad
    assert programs(step) == 1


# --- errors, recursion, threads ------------------------------------------------------------------------------


def test_an_exception_in_the_body_leaves_everything_sane() -> None:
    def body(world: World) -> Step:
        inner = supervised(world)

        def step(x: Any, y: Any) -> Any:
            loss = inner(x, y)
            if len(x) == 5:
                raise KeyError("five")
            return loss

        return step

    one, other = World(), World()
    plain, step = body(one), torch.compile(body(other))
    for i, ((x, y), (x2, y2)) in enumerate(zip(one.batches, other.batches, strict=True)):
        if i in (1, 6, 8):
            for function, a, b in ((plain, x, y), (step, x2, y2)):
                with pytest.raises(KeyError, match="five"):
                    function(a[:5], b[:5])
        assert values(plain(x, y)) == values(step(x2, y2))
        assert one.state() == other.state()
    assert programs(step) == 1
    with pytest.raises(RuntimeError):
        step(torch.zeros(6, 5), y)
    assert values(plain(x, y)) == values(step(x2, y2))


def test_a_wrong_index_is_an_error_in_a_replay_too() -> None:
    table = nn.Embedding(10, 3)
    step = torch.compile(lambda at: table(at).detach() * 2)
    for _ in range(6):
        step(torch.tensor([1, 2]))
    assert programs(step) == 1
    with pytest.raises(IndexError):
        step(torch.tensor([1, 10])).tolist()
    assert step(torch.tensor([1, 2])).shape == (2, 3)


def test_compiled_functions_call_each_other_and_themselves() -> None:
    inner = torch.compile(lambda x: x * 2)

    @torch.compile
    def outer(x: Any, depth: int) -> Any:
        return inner(x) + 1 if depth == 0 else outer(x, depth - 1) * 3

    for _ in range(8):
        assert outer(torch.ones(2), 2).tolist() == [27.0, 27.0]
        assert inner(torch.ones(2)).tolist() == [2.0, 2.0]
    assert programs(outer) == programs(inner) == 1


def test_threads_may_call_a_compiled_function() -> None:
    step = torch.compile(lambda x: (x * 2).sum())
    wrong: list[Any] = []

    def work(seed: int) -> None:
        for i in range(200):
            x = torch.full((4,), float(seed * 1000 + i))
            if step(x).item() != 8.0 * (seed * 1000 + i):
                wrong.append((seed, i))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not wrong


def test_one_thread_reads_what_another_has_trained() -> None:
    world = World()
    step = torch.compile(supervised(world))
    for x, y in world.batches:
        step(x, y)
    found: list[Any] = []
    reader = threading.Thread(target=lambda: found.append(values(list(world.model.parameters()))))
    reader.start()
    reader.join()
    assert found == [values(list(world.model.parameters()))]


def test_the_middle_of_a_step_is_recorded_into_the_step() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, other = World(), World()
        other.optimizer.step = torch.compile(other.optimizer.step)
        forward = torch.compile(lambda x: other.model(x))
        for (x, y), (x2, y2) in zip(one.batches, other.batches, strict=True):
            losses = []
            for world, model, a, b in ((one, one.model, x, y), (other, forward, x2, y2)):
                world.optimizer.zero_grad()
                losses.append(F.cross_entropy(model(a), b))
                losses[-1].backward()
                world.optimizer.step()
            assert values(losses[0]) == values(losses[1])
            assert one.state() == other.state()

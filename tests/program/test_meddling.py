"""What a program does between the calls of a compiled step counts, and what a step must not do is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from program.test_steps import (
    Numbers,
    Step,
    World,
    clipping,
    convolutional,
    programs,
    supervised,
    values,
    with_noise,
    with_schedule,
)

import zerograd as torch
from zerograd import nn
from zerograd.engines.native import unchanged
from zerograd.settings import settings

CALLS = 14
Meddle = Callable[[World, int], Any]


def is_the_same(run: Callable[[Callable[[Step], Step]], Any]) -> None:
    """That what is run shows the same whether its step is compiled or as it is."""
    assert run(torch.compile) == run(lambda step: step)


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
    return None if i < 4 else Numbers(world.held)


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


def make_modules(world: World, i: int) -> Any:
    x = torch.rand(2, 3).requires_grad_()
    out = nn.Sequential(nn.Linear(3, 2), nn.Softmax(dim=1)).train()(x)
    world.model.train()
    return out.detach().shape


def pend(world: World, i: int) -> Any:
    world.pending = getattr(world, "pending", 0.0) + world.model[0].weight.detach().sum()
    return world.pending if i == CALLS - 1 else None


MEDDLING = [
    shrink, change_rate, change_decay, freeze, evaluate, evaluate_from_now_on, load_model, load_optimizer,
    replace_data, replace_parameter, replace_layer, look_at_gradients, keep_gradients, change_gradients, clear,
    step_once_more, train_outside, add_group, hook_a_parameter, hook_a_layer, hook_the_optimizer, hold_as_numpy,
    change_state, draw, seed, change_the_wide, write_into_batches, reset_buffers, set_some_gradients, overwrite,
    make_modules, pend,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:torch.compile runs")
@pytest.mark.parametrize("meddle", MEDDLING, ids=lambda meddle: meddle.__name__)
def test_what_happens_between_calls_counts(meddle: Meddle) -> None:
    meddled(meddle)
    meddled(meddle, layers=convolutional, kind="SGD")


@pytest.mark.filterwarnings("ignore:torch.compile runs")
@pytest.mark.parametrize("meddle", MEDDLING, ids=lambda meddle: meddle.__name__)
def test_what_happens_between_replays_that_follow_each_other_counts(
    meddle: Meddle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As above, but the program looks at nothing in between, so that replays check no more than they must."""
    monkeypatch.setattr(settings, "engine", "native", raising=False)

    def run(wrap: Callable[[Step], Step]) -> Any:
        world = World("Adam")
        step = wrap(supervised(world))
        torch.manual_seed(5)
        seen = []
        for i in range(CALLS):
            losses = [step(*world.batches[(i + turn) % 10]) for turn in range(5)]
            seen.append(world.state() if i % 5 == 4 else None)
            seen.append(values(meddle(world, i)))
            seen.append(values(losses) if i % 3 == 2 else None)
        return seen, world.state()

    is_the_same(run)


@pytest.mark.parametrize(
    "change", [lambda x: x.mul_(0.5), lambda x: x.__setitem__(0, 1.0), lambda x: setattr(x, "data", x.data * 2)]
)
def test_data_that_a_step_only_reads_may_change_between_replays(
    change: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "engine", "native", raising=False)

    def run(wrap: Callable[[Step], Step]) -> Any:
        world = World("Adam")
        x, y = world.batches[0]
        body = supervised(world)
        step = wrap(lambda: body(x, y))
        losses = []
        for i in range(30):
            if i in (12, 20, 21):
                change(x)
            losses.append(step())
        return values(losses), world.state()

    is_the_same(run)


def test_replays_that_follow_each_other_check_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "engine", "native", raising=False)
    world = World("Adam")
    step = torch.compile(supervised(world))
    for i in range(40):
        step(*world.batches[i % 10])
    (program,) = next(iter(step._compiled.programs.values()))
    assert program.chain.glide is not None
    if unchanged._methods() is not None:
        assert program.steady.hits > 25
        assert program.steady.notes == 1
    world.optimizer.param_groups[0]["lr"] = 0.1
    assert not program.steady.holds()


BODY = """
@wrap
def step(x, y):
    world.optimizer.zero_grad()
    loss = cross_entropy(world.model(x), y) * scale
    loss.backward()
    world.optimizer.step()
    return loss
"""
SCRIPT = """
for i in range(30):
    if i == changed_at:
        scale = 3.0
    loss = step(*world.batches[i % 10])
    losses.append(loss)
"""


@pytest.mark.parametrize("changed_at", [-1, 15, 22])
def test_a_loop_of_a_script_changes_variables_that_the_step_does_not_see(
    changed_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "engine", "native", raising=False)

    def run(wrap: Callable[[Step], Step]) -> Any:
        space: dict[str, Any] = {
            "world": World("Adam"), "wrap": wrap, "scale": 1.0, "losses": [], "changed_at": changed_at,
            "cross_entropy": nn.functional.cross_entropy,
        }  # fmt: skip
        exec(BODY + SCRIPT, space)
        if wrap is torch.compile and changed_at < 0 and unchanged._methods() is not None:
            (program,) = next(iter(space["step"]._compiled.programs.values()))
            assert program.steady.hits > 20
        return values(space["losses"]), space["world"].state()

    is_the_same(run)


@pytest.mark.parametrize(
    "meddle", [shrink, change_rate, look_at_gradients, keep_gradients, clear, seed, draw, pend, make_modules]
)
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

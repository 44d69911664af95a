"""Arguments, variables, results, errors, recursion and threads: every way of calling a compiled function."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import pytest
from program.test_steps import Step, World, programs, supervised, values

import zerograd as torch
from zerograd import nn
from zerograd.nn import functional as F
from zerograd.program.program import Program

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


OTHERS: dict[str, Any] = {
    "another batch": lambda data, target: (data[12:16], target[12:16]),
    "whole tensors": lambda data, target: (data[:4].clone(), target[:4].clone()),
    "other columns": lambda data, target: (data[:, :3][4:8], target[4:8]),
    "every second row": lambda data, target: (data[0:8:2], target[0:8:2]),
    "transposed": lambda data, target: (data[:3, :3].t(), target[:3]),
    "another dtype": lambda data, target: (data.double()[:4], target[:4].double()),
    "other numbers of rows": lambda data, target: (data[:5], target[:5]),
    "the same memory twice": lambda data, target: (data[:4], data[4:8]),
    "one and the same": lambda data, target: (data[:4],) * 2,
    "a part of a part": lambda data, target: (data[4:12][:4], target[4:12][:4]),
    "detached": lambda data, target: (data[:4].detach(), target[:4].detach()),
    "with a gradient": lambda data, target: (data[:4].clone().requires_grad_(), target[:4]),
    "of a variable": lambda data, target: (data.clone().requires_grad_()[:4], target[:4]),
    "with a history": lambda data, target: ((data.clone().requires_grad_() * 2)[:4], target[:4]),
    "written since": lambda data, target: (data.add_(1)[:4], target.mul_(2)[:4]),
    "NumPy's memory": lambda data, target: (torch.from_numpy(data.numpy())[:4], target[:4]),
    "expanded": lambda data, target: (data[:1].expand(4, 3), target[:4]),
    "a parameter": lambda data, target: (torch.nn.Parameter(data.clone())[:4], target[:4]),
}


@pytest.mark.parametrize("first", ["another batch", "whole tensors"])
@pytest.mark.parametrize("other", list(OTHERS))
def test_arguments_like_those_of_a_known_program_and_others(first: str, other: str) -> None:
    def function(x: Any, y: Any) -> Any:
        return x * 2 + y, (x[0] - y).sum()

    step = torch.compile(function)
    data, target = torch.arange(60.0).reshape(20, 3), torch.arange(60.0, 120.0).reshape(20, 3)
    for i in range(12):
        given = OTHERS[other if i % 4 == 3 else first](data, target)
        expected = function(*given)
        found = step(*given)
        assert [(one.requires_grad, one.dtype, one.stride()) for one in found] == [
            (one.requires_grad, one.dtype, one.stride()) for one in expected
        ]
        assert values(found) == values(expected)
    assert programs(step) >= 1


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


def test_a_step_that_fails_when_it_is_computed_later_says_so_when_it_is_read() -> None:
    table = nn.Embedding(10, 3)
    optimizer = torch.optim.SGD(table.parameters(), lr=0.1)

    @torch.compile
    def step(at: Any) -> Any:
        optimizer.zero_grad()
        loss = table(at).square().sum()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(8):
        step(torch.tensor([1, 2]))
    assert programs(step) == 1
    loss = step(torch.tensor([1, 10]))
    with pytest.raises(IndexError):
        loss.item()
    with pytest.raises(IndexError):
        step(torch.tensor([1, 2])).item()


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


def test_an_argument_that_the_function_also_sees_elsewhere() -> None:
    """Two runs with the same tensor cannot tell from where it was read."""
    outside = torch.tensor([1.0, 2.0, 3.0])

    def function(x: Any) -> Any:
        return (outside + x).sum() * 1.0

    step = torch.compile(function)
    for _ in range(5):
        assert step(outside).item() == 12
    for k in range(1, 8):
        other = torch.full((3,), float(k))
        assert step(other).item() == 6 + 3 * k
    assert step(outside).item() == 12


def test_a_part_of_data_that_the_function_also_sees_elsewhere() -> None:
    data = torch.arange(12.0).reshape(6, 2)

    def function(row: Any) -> Any:
        return (row * data[1]).sum()

    step = torch.compile(function)
    for number in (1, 1, 1, 1, 0, 2, 3, 1, 4):
        assert step(data[number]).item() == function(data[number]).item(), number


def test_other_data_after_many_calls_with_the_same_is_replayed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    replays: list[bool] = []
    replay = Program.replay

    def noted(self: Program, *given: Any) -> Any:
        replays.append(False)
        result = replay(self, *given)
        replays[-1] = True
        return result

    monkeypatch.setattr(Program, "replay", noted)
    step = torch.compile(lambda x: x * 2)
    same = torch.ones(3)
    for _ in range(6):
        step(same)
    assert replays == [True] * 4
    for k in range(12):
        assert step(torch.full((3,), float(k))).tolist() == [2.0 * k] * 3
    assert replays[4:] == [False, False] + [True] * 11  # one more run has told that the argument is read

from __future__ import annotations

import collections
import copy
from typing import Any

import numpy as np
import pytest
import torch
from nn.scenarios import agree, compare, plain, run

import zerograd

CONFIGURATIONS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"weight_decay": 0.1, "maximize": True}),
    ("SGD", {"momentum": 0.9, "dampening": 0.5}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"betas": (0.5, 0.8), "weight_decay": 0.1, "eps": 1e-3}),
    ("Adam", {"amsgrad": True, "maximize": True}),
    ("Adam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("AdamW", {"lr": 0.1}),
    ("AdamW", {"weight_decay": 0.0, "amsgrad": True}),
    ("Adamax", {"weight_decay": 0.1}),
    ("Adamax", {"maximize": True}),
    ("NAdam", {"weight_decay": 0.1}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "momentum_decay": 6e-3}),
    ("RAdam", {"weight_decay": 0.1}),
    ("RAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.5, "centered": True, "weight_decay": 0.1}),
    ("Rprop", {"lr": 0.1, "etas": (0.4, 1.3), "step_sizes": (0.05, 0.2)}),
    ("ASGD", {"t0": 3, "weight_decay": 0.1}),
    ("ASGD", {"maximize": True}),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("Adadelta", {"weight_decay": 0.1, "rho": 0.8}),
    ("Adafactor", {"weight_decay": 0.1}),
    ("Adafactor", {"d": 1.5, "eps": (1e-4, 0.1), "beta2_decay": -0.5, "maximize": True}),
]
IDS = [f"{name}({', '.join(f'{key}={value}' for key, value in given.items())})" for name, given in CONFIGURATIONS]
SHAPES = ((4, 3), (5,), (), (2, 3, 4))
STEPS = 8


def numbers(seed: int, shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype("f4")


def parameters(library: Any, shapes: Any = SHAPES) -> list[Any]:
    return [library.nn.Parameter(library.tensor(numbers(i, shape))) for i, shape in enumerate(shapes)]


def give_gradients(library: Any, params: list[Any], step: int, leave_out: tuple[int, ...] = ()) -> None:
    for i, param in enumerate(params):
        grad = library.tensor(numbers(100 * step + i, tuple(param.shape)), dtype=param.dtype)
        param.grad = None if i in leave_out else grad


def values(params: list[Any]) -> list[Any]:
    return [param.detach().clone() for param in params]


@pytest.mark.parametrize(("name", "given"), CONFIGURATIONS, ids=IDS)
def test_parameters_and_state_follow_torch_also_where_gradients_are_missing(name: str, given: Any) -> None:
    def scenario(library: Any) -> Any:
        params = parameters(library)
        optimizer = getattr(library.optim, name)(params, **given)
        history = []
        for step in range(STEPS):
            give_gradients(library, params, step, leave_out=(1,) if step in (0, 4) else ())
            optimizer.step()
            history.append(values(params))
        state = optimizer.state_dict()["state"]
        return history, {number: dict(one) for number, one in state.items()}

    agree(scenario)


@pytest.mark.parametrize(("name", "given"), CONFIGURATIONS, ids=IDS)
def test_a_state_goes_from_torch_to_zerograd_and_back(name: str, given: Any) -> None:
    def descend(library: Any, params: list[Any], optimizer: Any, begin: int) -> None:
        for step in range(begin, begin + 3):
            give_gradients(library, params, step)
            optimizer.step()

    def carried(value: Any, library: Any) -> Any:
        if isinstance(value, torch.Tensor | zerograd.Tensor):
            return library.tensor(np.array(value.detach().tolist(), "f4"))
        if isinstance(value, dict):
            return {key: carried(one, library) for key, one in value.items()}
        return [carried(one, library) for one in value] if isinstance(value, list) else value

    def relay(first: Any, second: Any) -> Any:
        library, params, state = first, parameters(first), None
        for begin, library in ((0, first), (3, second), (6, first)):
            params = [library.nn.Parameter(carried(param, library)) for param in params]
            optimizer = getattr(library.optim, name)(params, **given)
            if state is not None:
                optimizer.load_state_dict(carried(state, library))
            descend(library, params, optimizer, begin)
            state = optimizer.state_dict()
        return plain(values(params), library)

    compare(relay(zerograd, torch), relay(torch, torch), 1e-5, "torch in the middle")
    compare(relay(torch, zerograd), relay(torch, torch), 1e-5, "zerograd in the middle")


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "NAdam", "Adadelta", "ASGD"])
def test_parameters_keep_their_dtype(name: str, dtype: str) -> None:
    def scenario(library: Any) -> Any:
        kind = getattr(library, dtype)
        params = [library.nn.Parameter(param.detach().to(kind)) for param in parameters(library)]
        optimizer = getattr(library.optim, name)(params, lr=0.01)
        for step in range(3):
            give_gradients(library, params, step)
            optimizer.step()
        return values(params), [str(value.dtype) for value in optimizer.state[params[0]].values()]

    agree(scenario, tolerance=1e-6 if dtype == "float64" else 2e-2)


@pytest.mark.parametrize(
    "name", ["SGD", "Adam", "Adamax", "NAdam", "RAdam", "RMSprop", "Rprop", "ASGD", "Adagrad", "Adadelta"]
)
def test_complex_parameters_are_pairs_of_real_ones(name: str) -> None:
    def scenario(library: Any) -> Any:
        pairs = library.tensor(numbers(0, (3, 2)))
        param = library.nn.Parameter(library.view_as_complex(pairs))
        optimizer = getattr(library.optim, name)([param], **({} if name == "Rprop" else {"weight_decay": 0.1}))
        for step in range(4):
            param.grad = library.view_as_complex(library.tensor(numbers(step + 1, (3, 2))))
            optimizer.step()
        return library.view_as_real(param.detach())

    agree(scenario)


def test_muon_orthogonalizes_the_momentum() -> None:
    def scenario(library: Any) -> Any:
        params = parameters(library, ((6, 4), (3, 5)))
        optimizer = library.optim.Muon(params, lr=0.02, adjust_lr_fn="match_rms_adamw")
        for step in range(4):
            give_gradients(library, params, step)
            optimizer.step()
        return values(params)

    agree(scenario, tolerance=5e-3)


def test_groups_have_their_own_options_which_can_change() -> None:
    def scenario(library: Any) -> Any:
        params = parameters(library)
        optimizer = library.optim.Adam([{"params": params[:1], "lr": 0.1}, {"params": params[1:2]}], lr=0.01)
        optimizer.add_param_group({"params": params[2:], "weight_decay": 0.5})
        history = []
        for step in range(6):
            optimizer.param_groups[0]["lr"] *= 0.5
            optimizer.param_groups[1]["betas"] = (0.9 - 0.1 * step, 0.99)
            give_gradients(library, params, step)
            optimizer.step()
            history.append(values(params))
        return history

    agree(scenario)


@pytest.mark.parametrize("name", ["SGD", "Adam", "RAdam", "ASGD", "Adafactor", "Rprop", "Adagrad"])
def test_the_learning_rate_may_be_a_tensor(name: str) -> None:
    def scenario(library: Any) -> Any:
        params = parameters(library)
        lr = library.tensor(0.1)
        optimizer = getattr(library.optim, name)(params, lr=lr)
        history = []
        for step in range(4):
            lr.mul_(0.5)
            give_gradients(library, params, step)
            optimizer.step()
            history.append(values(params))
        return history

    agree(scenario)


def test_none_gradients_are_skipped_and_zero_gradients_are_not() -> None:
    def scenario(library: Any) -> Any:
        params = parameters(library, ((3,), (3,)))
        optimizer = library.optim.SGD(params, lr=0.1, momentum=0.9, weight_decay=0.1)
        give_gradients(library, params, 0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        params[0].grad = None
        before = values(params)
        optimizer.step()
        after = values(params)
        return [bool((a == b).all()) for a, b in zip(before, after, strict=True)], after

    agree(scenario)
    assert run(scenario, zerograd)[0] == [True, False]


@pytest.mark.parametrize("line_search", [None, "strong_wolfe"])
def test_lbfgs_finds_the_minimum_as_torch_does(line_search: str | None) -> None:
    def scenario(library: Any) -> Any:
        x = library.nn.Parameter(library.tensor([-1.5, 2.0], dtype=library.float64))
        y = library.nn.Parameter(library.tensor([0.5], dtype=library.float64))
        given = {"lr": 1.0, "line_search_fn": line_search} if line_search else {"lr": 1e-3}
        optimizer = library.optim.LBFGS([x, y], max_iter=8, history_size=4, **given)

        def closure() -> Any:
            optimizer.zero_grad()
            loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2 + (y - 3).pow(2).sum()
            loss.backward()
            return loss

        losses = [optimizer.step(closure).item() for _ in range(4)]
        state = optimizer.state_dict()["state"][0]
        return losses, values([x, y]), sorted(state), state["func_evals"], state["n_iter"]

    agree(scenario, tolerance=1e-5)


def test_lbfgs_treats_missing_gradients_as_zero() -> None:
    def scenario(library: Any) -> Any:
        x, unused = parameters(library, ((3,), (2,)))
        optimizer = library.optim.LBFGS([x, unused], lr=0.1, max_iter=4)

        def closure() -> Any:
            optimizer.zero_grad()
            loss = (x**4).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        return values([x, unused])

    agree(scenario)


def test_copies_and_pickles_of_an_optimizer_go_on_alike() -> None:
    import pickle

    for copied in (copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))):
        param = zerograd.nn.Parameter(zerograd.tensor([1.0, 2.0]))
        optimizer = zerograd.optim.Adam([param], lr=0.1)
        param.grad = zerograd.tensor([1.0, -1.0])
        optimizer.step()
        other_param, other = copied((param, optimizer))
        assert other.param_groups[0]["params"][0] is other_param
        other_param.grad = zerograd.tensor([1.0, -1.0])
        other.step()
        optimizer.step()
        assert other_param.tolist() == param.tolist()
        assert other.state[other_param]["step"].item() == optimizer.state[param]["step"].item() == 2


def test_a_counter_that_the_program_changes_counts() -> None:
    def scenario(library: Any) -> Any:
        params = parameters(library, ((3,), (2,)))
        optimizer = library.optim.Adam(params, lr=0.1)
        for step in range(4):
            give_gradients(library, params, step)
            optimizer.step()
            if step == 1:
                optimizer.state[params[0]]["step"].fill_(20)
            if step == 2:
                optimizer.state[params[1]]["step"] = library.tensor(7.0)
        return values(params), [optimizer.state[param]["step"] for param in params]

    agree(scenario)


@pytest.mark.parametrize(("name", "given"), [("NAdam", {}), ("SGD", {"momentum": 0.9}), ("Adam", {})])
def test_clearing_the_state_begins_anew(name: str, given: Any) -> None:
    def scenario(library: Any) -> Any:
        params = parameters(library, ((3,), (2,)))
        optimizer = getattr(library.optim, name)(params, lr=0.1, **given)
        for step in range(8):
            give_gradients(library, params, step)
            optimizer.step()
            if step == 2:
                optimizer.state[params[0]].clear()
            if step == 4:
                optimizer.state = collections.defaultdict(dict)
        return values(params)

    agree(scenario)


def test_steps_are_float64_where_that_is_the_default() -> None:
    def scenario(library: Any) -> Any:
        library.set_default_dtype(library.float64)
        try:
            param = library.nn.Parameter(library.ones(2))
            optimizer = library.optim.Adam([param])
            param.grad = library.ones(2)
            optimizer.step()
            return optimizer.state[param]["step"]
        finally:
            library.set_default_dtype(library.float32)

    agree(scenario)


def test_a_changing_learning_rate_records_nothing_new() -> None:
    from zerograd.ir.record import recorder

    params = parameters(zerograd)
    optimizer = zerograd.optim.Adam(params)
    sizes = []
    for step in range(12):
        optimizer.param_groups[0]["lr"] = 0.1 / (step + 1)
        give_gradients(zerograd, params, step)
        optimizer.step()
        optimizer.zero_grad()
        sizes.append(len(recorder.own.interned) + len(recorder.own.tables[0]) + len(recorder.own.tables[1]))
    assert sizes[-1] == sizes[4], sizes

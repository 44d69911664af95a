from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from nn.scenarios import agree, run

import zerograd

Make = Callable[[Any, Any], Any]

SCHEDULES: dict[str, Make] = {
    "LambdaLR": lambda s, o: s.LambdaLR(o, [lambda t: 0.9**t, lambda t: 1 / (1 + t)]),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda t: 0.9 if t < 5 else 0.5),
    "StepLR": lambda s, o: s.StepLR(o, 4, gamma=0.5),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [2, 5, 5, 9], gamma=0.3),
    "ConstantLR": lambda s, o: s.ConstantLR(o, factor=0.3, total_iters=6),
    "LinearLR": lambda s, o: s.LinearLR(o, start_factor=0.2, end_factor=0.9, total_iters=8),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, total_iters=9, power=2.0),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 6, eta_min=0.01),
    "Restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, T_mult=2, eta_min=0.01),
    "Restarts of equal length": lambda s, o: s.CosineAnnealingWarmRestarts(o, 4),
    "Cyclic triangular": lambda s, o: s.CyclicLR(o, 0.01, 0.2, step_size_up=3),
    "Cyclic triangular2": lambda s, o: s.CyclicLR(o, [0.01, 0.1], 0.2, 3, 5, mode="triangular2"),
    "Cyclic exp_range": lambda s, o: s.CyclicLR(o, 0.01, 0.2, 3, mode="exp_range", gamma=0.9),
    "Cyclic of one's own": lambda s, o: s.CyclicLR(
        o, 0.01, 0.2, 3, scale_fn=lambda x: 0.5**x, scale_mode="iterations", cycle_momentum=False
    ),
    "OneCycle": lambda s, o: s.OneCycleLR(o, [0.3, 0.9], total_steps=16),
    "OneCycle linear": lambda s, o: s.OneCycleLR(o, 0.3, epochs=4, steps_per_epoch=4, anneal_strategy="linear"),
    "OneCycle three phases": lambda s, o: s.OneCycleLR(o, 0.3, total_steps=16, three_phase=True, pct_start=0.4),
    "Sequential": lambda s, o: s.SequentialLR(
        o,
        [s.LinearLR(o, start_factor=0.1, total_iters=3), s.ExponentialLR(o, 0.9), s.StepLR(o, 2)],
        [3, 8],
    ),
    "Sequential that begins late": lambda s, o: s.SequentialLR(o, [s.ConstantLR(o, 0.5), s.StepLR(o, 2)], [0]),
    "Chained": lambda s, o: s.ChainedScheduler([s.ConstantLR(o, factor=0.5, total_iters=4), s.ExponentialLR(o, 0.9)]),
    "Nested": lambda s, o: s.SequentialLR(
        o,
        [
            s.SequentialLR(o, [s.ConstantLR(o, 0.5, 2), s.ExponentialLR(o, 0.9)], [2]),
            s.CosineAnnealingLR(o, 5),
        ],
        [6],
    ),
}
STEPS = 15


def optimizer_of(library: Any, name: str = "SGD") -> Any:
    params = [library.nn.Parameter(library.zeros(2)) for _ in range(2)]
    groups = [{"params": params[:1]}, {"params": params[1:], "lr": 0.5}]
    return getattr(library.optim, name)(groups, lr=0.1, **({"momentum": 0.9} if name == "SGD" else {}))


def rates(optimizer: Any) -> Any:
    pairs = []
    for group in optimizer.param_groups:
        momentum = group["momentum"] if "momentum" in group else group["betas"][0]
        pairs.append([float(group["lr"]), float(momentum)])
    return pairs


def without_functions(state: Any) -> Any:
    """A state that can be compared: saved schedules contain functions under some names."""
    if isinstance(state, dict):
        return {key: without_functions(value) for key, value in sorted(state.items(), key=str) if not callable(value)}
    if isinstance(state, list | tuple):
        return [without_functions(value) for value in state]
    return state


@pytest.mark.parametrize("name", ["SGD", "Adam"])
@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
def test_rates_momenta_and_states_follow_torch(make: Make, name: str) -> None:
    def scenario(library: Any) -> Any:
        optimizer = optimizer_of(library, name)
        schedule = make(library.optim.lr_scheduler, optimizer)
        history = []
        for _ in range(STEPS):
            history.append([rates(optimizer), list(map(float, schedule.get_last_lr()))])
            optimizer.step()
            schedule.step()
        hidden = {"optimizer", "_scale_fn_ref", "_schedule_phases", "milestones"}
        state = {key: value for key, value in schedule.state_dict().items() if key not in hidden}
        return history, without_functions(state)

    agree(scenario, tolerance=1e-12)


@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
def test_a_saved_schedule_goes_on_where_it_was(make: Make) -> None:
    def history(interrupted: bool) -> Any:
        optimizer = optimizer_of(zerograd)
        schedule = make(zerograd.optim.lr_scheduler, optimizer)
        seen = []
        for step in range(STEPS):
            optimizer.step()
            schedule.step()
            seen.append(rates(optimizer))
            if interrupted and step == 6:
                saved = optimizer.state_dict(), schedule.state_dict()
                optimizer = optimizer_of(zerograd)
                schedule = make(zerograd.optim.lr_scheduler, optimizer)
                optimizer.load_state_dict(saved[0])
                schedule.load_state_dict(saved[1])
        return seen

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a schedule inside another takes a step when that is made, as in PyTorch
        assert history(interrupted=True) == history(interrupted=False)


CLOSED_FORMS = (
    "StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR", "Restarts",
    "Restarts of equal length",
)  # fmt: skip


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_schedules_can_go_to_any_epoch(name: str) -> None:
    def scenario(library: Any) -> Any:
        optimizer = optimizer_of(library)
        schedule = SCHEDULES[name](library.optim.lr_scheduler, optimizer)
        optimizer.step()
        history = []
        for epoch in (3, 11, 0, 7):
            schedule.step(epoch)
            history.append(rates(optimizer))
        return history

    agree(scenario, tolerance=1e-12)


def test_restarts_take_fractions_of_epochs() -> None:
    def scenario(library: Any) -> Any:
        optimizer = optimizer_of(library)
        schedule = library.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3, T_mult=2)
        history = []
        for quarter in range(60):
            schedule.step(quarter / 4)
            history.append(rates(optimizer))
        return history

    agree(scenario, tolerance=1e-12)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"mode": "max", "threshold_mode": "abs", "threshold": 0.05},
        {"mode": "max"},
        {"threshold_mode": "abs", "threshold": 0.05},
        {"cooldown": 2, "min_lr": [0.02, 0.01], "eps": 1e-3},
    ],
)
def test_the_plateau_schedule_follows_torch(given: Any) -> None:
    measures = [1.0, 0.9, 0.91, 0.92, 0.9, 0.89, math.nan, 0.95, 0.95, 0.94, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]

    def scenario(library: Any) -> Any:
        optimizer = optimizer_of(library)
        schedule = library.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, **given)
        history = []
        for measure in measures:
            optimizer.step()
            schedule.step(library.tensor(measure))
            history.append([rates(optimizer), schedule.num_bad_epochs, schedule.get_last_lr()])
        return history, sorted(schedule.state_dict())

    agree(scenario, tolerance=1e-12)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("epochs", [0, 4])
def test_the_swa_schedule_follows_torch(strategy: str, epochs: int) -> None:
    def scenario(library: Any) -> Any:
        optimizer = optimizer_of(library)
        schedule = library.optim.swa_utils.SWALR(optimizer, 0.02, anneal_epochs=epochs, anneal_strategy=strategy)
        history = []
        for _ in range(8):
            history.append(rates(optimizer))
            optimizer.step()
            schedule.step()
        return history, sorted(schedule.state_dict())

    agree(scenario, tolerance=1e-12)


def test_a_tensor_as_learning_rate_stays_the_same_tensor() -> None:
    def scenario(library: Any) -> Any:
        param = library.nn.Parameter(library.ones(2))
        lr = library.tensor(0.1)
        optimizer = library.optim.Adam([param], lr=lr)
        schedule = library.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        for _ in range(3):
            param.grad = library.ones(2)
            optimizer.step()
            schedule.step()
        last = schedule.get_last_lr()[0]
        return (
            optimizer.param_groups[0]["lr"] is lr,
            lr,
            last,
            last is lr,
            schedule.base_lrs[0],
            param.detach(),
        )

    agree(scenario)


def test_a_callable_object_is_saved_by_its_attributes() -> None:
    class Decay:
        def __init__(self, rate: float) -> None:
            self.rate = rate

        def __call__(self, epoch: int) -> float:
            return self.rate**epoch

    def scenario(library: Any) -> Any:
        scheduler = library.optim.lr_scheduler
        state = scheduler.LambdaLR(optimizer_of(library), [Decay(0.5), lambda t: 1.0]).state_dict()
        other = scheduler.LambdaLR(optimizer_of(library), [Decay(0.9), lambda t: 1.0])
        other.load_state_dict(state)
        return state["lr_lambdas"], other.lr_lambdas[0].rate, state["lr_lambdas"] is not None

    agree(scenario)


WARNED: dict[str, Callable[[Any, Any, Any], Any]] = {
    "the schedule before the optimizer": lambda lib, opt, sched: sched.step(),
    "get_lr outside step": lambda lib, opt, sched: sched.get_lr(),
    "an epoch": lambda lib, opt, sched: (opt.step(), sched.step(3)),
}


@pytest.mark.parametrize("use", WARNED.values(), ids=WARNED)
def test_what_torch_warns_of_is_warned_of(use: Any) -> None:
    for library in (torch, zerograd):
        optimizer = optimizer_of(library)
        schedule = library.optim.lr_scheduler.StepLR(optimizer, 2)
        with pytest.warns(UserWarning, match="optimizer|get_last_lr|epoch"):
            use(library, optimizer, schedule)


def test_a_replaced_step_is_warned_of() -> None:
    for library in (torch, zerograd):
        optimizer = optimizer_of(library)
        schedule = library.optim.lr_scheduler.StepLR(optimizer, 2)
        optimizer.step = lambda: None
        with pytest.warns(UserWarning, match="optimizer"):
            schedule.step()


def test_the_usual_order_does_not_warn() -> None:
    optimizer = optimizer_of(zerograd)
    schedule = zerograd.optim.lr_scheduler.StepLR(optimizer, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            optimizer.step()
            schedule.step()


WRONG: dict[str, Callable[[Any, Any], Any]] = {
    "no optimizer": lambda s, o: s.StepLR("SGD", 2),
    "resuming without initial_lr": lambda s, o: s.StepLR(o, 2, last_epoch=3),
    "too many functions": lambda s, o: s.LambdaLR(o, [lambda t: 1.0] * 3),
    "no function": lambda s, o: s.MultiplicativeLR(o, [1.0, 2.0]),
    "constant factor": lambda s, o: s.ConstantLR(o, factor=2.0),
    "linear start": lambda s, o: s.LinearLR(o, start_factor=0.0),
    "linear end": lambda s, o: s.LinearLR(o, end_factor=-1.0),
    "T_0": lambda s, o: s.CosineAnnealingWarmRestarts(o, 0),
    "T_mult": lambda s, o: s.CosineAnnealingWarmRestarts(o, 1, T_mult=1.5),
    "eta_min": lambda s, o: s.CosineAnnealingWarmRestarts(o, 1, eta_min="low"),
    "negative epoch": lambda s, o: s.CosineAnnealingWarmRestarts(o, 2).step(-1),
    "cyclic mode": lambda s, o: s.CyclicLR(o, 0.1, 0.2, mode="square"),
    "cyclic lengths": lambda s, o: s.CyclicLR(o, [0.1], 0.2),
    "one cycle without steps": lambda s, o: s.OneCycleLR(o, 0.1, epochs=3),
    "one cycle with no steps": lambda s, o: s.OneCycleLR(o, 0.1, total_steps=0),
    "one cycle epochs": lambda s, o: s.OneCycleLR(o, 0.1, epochs=1.5, steps_per_epoch=2),
    "one cycle share": lambda s, o: s.OneCycleLR(o, 0.1, total_steps=9, pct_start=2.0),
    "one cycle strategy": lambda s, o: s.OneCycleLR(o, 0.1, total_steps=9, anneal_strategy="sin"),
    "plateau factor": lambda s, o: s.ReduceLROnPlateau(o, factor=1.0),
    "plateau mode": lambda s, o: s.ReduceLROnPlateau(o, mode="mean"),
    "plateau threshold": lambda s, o: s.ReduceLROnPlateau(o, threshold_mode="mean"),
    "plateau min_lr": lambda s, o: s.ReduceLROnPlateau(o, min_lr=[0.1]),
    "sequential milestones": lambda s, o: s.SequentialLR(o, [s.StepLR(o, 2), s.StepLR(o, 3)], []),
    "sequential empty": lambda s, o: s.SequentialLR(o, [], []),
    "sequential plateau": lambda s, o: s.SequentialLR(o, [s.ReduceLROnPlateau(o)], []),
    "sequential no schedule": lambda s, o: s.SequentialLR(o, [1], []),
    "chained empty": lambda s, o: s.ChainedScheduler([]),
    "a base without get_lr": lambda s, o: s.LRScheduler(o),
}


@pytest.mark.parametrize("use", WRONG.values(), ids=WRONG)
def test_wrong_uses_raise_the_type_that_torch_raises(use: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Exception) as theirs:  # noqa: PT011  torch says which
            use(torch.optim.lr_scheduler, optimizer_of(torch))
        with pytest.raises(theirs.type):
            use(zerograd.optim.lr_scheduler, optimizer_of(zerograd))


def test_schedules_of_two_optimizers_cannot_be_composed() -> None:
    for library in (torch, zerograd):
        schedules = library.optim.lr_scheduler
        one, other = optimizer_of(library), optimizer_of(library)
        with pytest.raises(ValueError, match="optimizer"):
            schedules.SequentialLR(one, [schedules.StepLR(one, 2), schedules.StepLR(other, 2)], [3])


def test_a_cycle_needs_a_momentum() -> None:
    for library in (torch, zerograd):
        optimizer = library.optim.Adadelta([library.nn.Parameter(library.zeros(2))])
        with pytest.raises(ValueError, match="momentum"):
            library.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=5)


def test_one_cycle_ends_after_its_steps() -> None:
    def scenario(library: Any) -> Any:
        optimizer = optimizer_of(library)
        schedule = library.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=3)
        for count in range(1, 10):
            optimizer.step()
            try:
                schedule.step()
            except ValueError:
                return count
        return None

    assert run(scenario, zerograd) == run(scenario, torch)


def test_a_subclass_of_the_old_name_works() -> None:
    def scenario(library: Any) -> Any:
        class Halving(library.optim.lr_scheduler._LRScheduler):
            def get_lr(self) -> Any:
                return [lr / 2**self.last_epoch for lr in self.base_lrs]

        optimizer = optimizer_of(library)
        schedule = Halving(optimizer)
        for _ in range(3):
            optimizer.step()
            schedule.step()
        return rates(optimizer), isinstance(schedule, library.optim.lr_scheduler.LRScheduler)

    agree(scenario)

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from nn.scenarios import agree

import zerograd


def model(library: Any) -> Any:
    return library.nn.Sequential(library.nn.Linear(3, 2), library.nn.Linear(2, 1))


def module_of(library: Any) -> Any:
    """torch.optim.optimizer, which can be imported but is no attribute of torch.optim."""
    return import_module(f"{library.__name__}.optim.optimizer")


def trained(library: Any, optimizer: Any, params: Any) -> None:
    for param in params:
        param.grad = library.ones_like(param)
    optimizer.step()


def test_the_text_of_an_optimizer_is_torchs() -> None:
    def scenario(library: Any) -> Any:
        net = model(library)
        groups = [{"params": net[0].parameters()}, {"params": net[1].parameters(), "lr": 0.5}]
        return [repr(getattr(library.optim, name)(groups, lr=0.1)) for name in ("SGD", "AdamW", "Rprop", "ASGD")]

    agree(scenario)


def test_names_of_parameters_are_kept() -> None:
    def scenario(library: Any) -> Any:
        net = model(library)
        optimizer = library.optim.AdamW(net.named_parameters(), lr=0.1)
        trained(library, optimizer, net.parameters())
        groups = optimizer.state_dict()["param_groups"]
        return [{name: group[name] for name in ("params", "param_names", "lr", "betas")} for group in groups]

    agree(scenario)


def test_state_dicts_number_parameters_through_all_groups() -> None:
    def scenario(library: Any) -> Any:
        net = model(library)
        groups = [{"params": net[1].parameters(), "lr": 0.5}, {"params": net[0].parameters()}]
        optimizer = library.optim.SGD(groups, lr=0.1, momentum=0.9)
        net[0].weight.grad = library.ones(2, 3)
        optimizer.step()
        return optimizer.state_dict()

    agree(scenario)


def test_plain_sgd_has_no_state() -> None:
    param = zerograd.nn.Parameter(zerograd.ones(2))
    optimizer = zerograd.optim.SGD([param], lr=0.1)
    trained(zerograd, optimizer, [param])
    assert optimizer.state_dict()["state"] == {}
    assert len(optimizer.state) == 0


def test_loading_casts_state_to_the_dtype_of_the_parameter_but_not_the_step() -> None:
    def scenario(library: Any) -> Any:
        param = library.nn.Parameter(library.ones(2, dtype=library.float64))
        optimizer = library.optim.Adam([param])
        state = {"step": library.tensor(3.0), "exp_avg": library.ones(2), "exp_avg_sq": library.ones(2)}
        groups = library.optim.Adam([param]).state_dict()["param_groups"]
        optimizer.load_state_dict({"state": {0: state, "mine": [1, 2]}, "param_groups": groups})
        loaded = dict(optimizer.state[param])
        return loaded, optimizer.state["mine"]

    agree(scenario)


def test_old_states_with_a_number_as_step_can_go_on() -> None:
    def scenario(library: Any) -> Any:
        param = library.nn.Parameter(library.ones(2))
        optimizer = library.optim.Adam([param], lr=0.1)
        state = {"step": 3, "exp_avg": library.ones(2), "exp_avg_sq": library.ones(2)}
        groups = optimizer.state_dict()["param_groups"]
        for name in (
            "maximize",
            "foreach",
            "capturable",
            "differentiable",
            "fused",
            "decoupled_weight_decay",
        ):
            groups[0].pop(name)
        optimizer.load_state_dict({"state": {0: state}, "param_groups": groups})
        trained(library, optimizer, [param])
        return param.detach(), optimizer.state[param]["step"], optimizer.param_groups[0]["maximize"]

    agree(scenario)


def test_hooks_run_around_steps_and_states() -> None:
    def scenario(library: Any) -> Any:
        param = library.nn.Parameter(library.ones(2))
        optimizer = library.optim.SGD([param], lr=0.1)
        calls = []

        def note(name: str) -> Any:
            return lambda *args: calls.append((name, len(args), args[0] is optimizer))

        everywhere = module_of(library).register_optimizer_step_post_hook(note("every step"))
        handles = [
            optimizer.register_step_pre_hook(note("before step")),
            optimizer.register_step_post_hook(note("after step")),
            optimizer.register_state_dict_pre_hook(note("before state_dict")),
            optimizer.register_state_dict_post_hook(note("after state_dict")),
            optimizer.register_state_dict_post_hook(note("first after state_dict"), prepend=True),
            optimizer.register_load_state_dict_pre_hook(note("before load")),
            optimizer.register_load_state_dict_post_hook(note("after load")),
        ]
        trained(library, optimizer, [param])
        optimizer.load_state_dict(optimizer.state_dict())
        everywhere.remove()
        for handle in handles:
            handle.remove()
        trained(library, optimizer, [param])
        return calls

    agree(scenario)


def test_hooks_may_change_arguments_and_states() -> None:
    def scenario(library: Any) -> Any:
        param = library.nn.Parameter(library.ones(2))
        optimizer = library.optim.SGD([param], lr=0.1)
        optimizer.register_step_pre_hook(lambda opt, args, kwargs: (args[:1], {"closure": lambda: 42}))
        optimizer.register_state_dict_post_hook(lambda opt, state: {**state, "more": 1})
        optimizer.register_load_state_dict_pre_hook(lambda opt, state: {**state, "state": {0: {"loaded": 5}}})
        param.grad = library.ones(2)
        loss = optimizer.step(lambda: 7)
        state = optimizer.state_dict()
        optimizer.load_state_dict(state)
        return loss, sorted(state), optimizer.state[param]

    agree(scenario)


def test_a_pre_hook_with_another_result_is_an_error() -> None:
    param = zerograd.nn.Parameter(zerograd.ones(2))
    optimizer = zerograd.optim.SGD([param], lr=0.1)
    optimizer.register_step_pre_hook(lambda *_: 3)
    with pytest.raises(RuntimeError, match="pre-hook"):
        optimizer.step()


def test_a_closure_runs_with_gradients_and_its_loss_is_returned() -> None:
    def scenario(library: Any) -> Any:
        param = library.nn.Parameter(library.tensor([3.0, -1.0]))
        optimizer = library.optim.Adam([param], lr=0.1)

        def closure() -> Any:
            optimizer.zero_grad()
            loss = (param**2).sum()
            loss.backward()
            return loss

        with library.no_grad():
            losses = [optimizer.step(closure).detach() for _ in range(4)]
        return losses, param.detach(), library.is_grad_enabled()

    agree(scenario)


def test_a_subclass_with_a_step_of_its_own_works_as_in_torch() -> None:
    def scenario(library: Any) -> Any:
        class Signed(library.optim.Optimizer):
            def __init__(self, params: Any, lr: float = module_of(library).required) -> None:
                super().__init__(params, {"lr": lr})

            @library.no_grad()
            def step(self, closure: Any = None) -> Any:
                for group in self.param_groups:
                    for param in group["params"]:
                        state = self.state[param]
                        state["count"] = state.get("count", 0) + 1
                        param.add_(param.grad.sign(), alpha=-group["lr"])

        param = library.nn.Parameter(library.tensor([3.0, -1.0]))
        optimizer = Signed([param], lr=0.5)
        calls = []
        optimizer.register_step_post_hook(lambda *_: calls.append(1))
        schedule = library.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
        for _ in range(3):
            optimizer.zero_grad()
            (param**2).sum().backward()
            optimizer.step()
            schedule.step()
        return param.detach(), optimizer.state_dict(), calls

    agree(scenario)


def test_zero_grad_ends_gradients_or_fills_them_with_zeros() -> None:
    def scenario(library: Any) -> Any:
        param = library.nn.Parameter(library.ones(2))
        optimizer = library.optim.SGD([param, library.nn.Parameter(library.ones(1))])
        (param**3).sum().backward(create_graph=True)
        held = param.grad
        optimizer.zero_grad(set_to_none=False)
        zeroed = param.grad.detach(), param.grad is held, param.grad.requires_grad
        optimizer.zero_grad()
        return zeroed, param.grad is None

    agree(scenario)


def test_foreach_fused_and_capturable_change_nothing() -> None:
    results = []
    for given in ({}, {"foreach": True}, {"fused": True}, {"capturable": True}, {"differentiable": True}):
        param = zerograd.nn.Parameter(zerograd.tensor([1.0, 2.0]))
        optimizer = zerograd.optim.Adam([param], lr=0.1, **given)
        for step in range(3):
            param.grad = zerograd.tensor([0.5, -1.0 * step])
            optimizer.step()
        results.append(param.tolist())
    assert results == results[:1] * len(results)

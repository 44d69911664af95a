"""Hooks on modules: when they run, what they see and what they may change. Each scenario runs in both libraries."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from nn.scenarios import agree, numbers, raised

import zerograd


def two_layers(library: Any) -> Any:
    return library.nn.Sequential(library.nn.Linear(3, 2), library.nn.Tanh())


def inputs(library: Any) -> Any:
    return numbers(library, 2, 3).requires_grad_()


def test_forward_hooks_run_in_order_and_replace_values() -> None:
    def scenario(library: Any) -> Any:
        model = two_layers(library)
        seen: list[Any] = []
        model.register_forward_pre_hook(lambda module, args: seen.append(["pre", args[0]]))
        model.register_forward_pre_hook(lambda module, args: (args[0] * 2,))
        model.register_forward_pre_hook(lambda module, args: args[0] + 1, prepend=True)
        model[0].register_forward_hook(lambda module, args, output: seen.append(["post", args, output]))
        first = model[0].register_forward_hook(lambda module, args, output: output * 3)
        model[0].register_forward_hook(lambda module, args, output: output - 1, prepend=True)
        before = model(inputs(library))
        first.remove()
        return seen, before, model(inputs(library))

    agree(scenario)


def test_forward_hooks_see_keywords_if_asked() -> None:
    def scenario(library: Any) -> Any:
        class Scaled(library.nn.Module):
            def forward(self, x: Any, *, by: float = 1.0) -> Any:
                return x * by

        module = Scaled()
        seen: list[Any] = []
        module.register_forward_pre_hook(lambda m, args, kwargs: (args, {"by": kwargs["by"] + 1}), with_kwargs=True)
        module.register_forward_hook(lambda m, args, kwargs, output: seen.append(dict(kwargs)), with_kwargs=True)
        module.register_forward_hook(lambda m, args, kwargs, output: output + kwargs["by"], with_kwargs=True)
        output = module(library.ones(1), by=2.0)
        module.register_forward_pre_hook(lambda m, args, kwargs: 3, with_kwargs=True)
        return seen, output, raised(lambda: module(library.ones(1), by=2.0))

    agree(scenario)


def test_hooks_that_always_run_run_after_an_error() -> None:
    def scenario(library: Any) -> Any:
        module = library.nn.Linear(3, 2)
        seen: list[str] = []
        module.register_forward_hook(lambda *args: seen.append("usual"))
        module.register_forward_hook(lambda *args: seen.append("always"), always_call=True)
        module.register_forward_hook(lambda *args: 1 / 0, always_call=True)
        return raised(lambda: module(library.ones(1, 7))), seen

    agree(scenario)


def test_backward_hooks_see_both_gradients() -> None:
    def scenario(library: Any) -> Any:
        model = two_layers(library)
        seen: list[Any] = []
        for name, module in (("model", model), ("linear", model[0]), ("tanh", model[1])):
            module.register_full_backward_hook(lambda m, grad_in, grad_out, n=name: seen.append([n, grad_in, grad_out]))
            module.register_full_backward_pre_hook(lambda m, grad_out, n=name: seen.append([f"pre {n}", grad_out]))
        x = inputs(library)
        model(x).sum().backward()
        return seen, x.grad, model[0].weight.grad

    agree(scenario)


def test_backward_hooks_replace_gradients() -> None:
    def scenario(library: Any) -> Any:
        model = two_layers(library)
        model[1].register_full_backward_pre_hook(lambda m, grad_out: (grad_out[0] * 2,))
        model[0].register_full_backward_hook(lambda m, grad_in, grad_out: (grad_in[0] * 0 + 5,))
        x = inputs(library)
        model(x).sum().backward()
        return x.grad, model[0].weight.grad

    agree(scenario)


def test_backward_hooks_get_none_for_what_is_no_tensor_or_needs_no_gradient() -> None:
    def scenario(library: Any) -> Any:
        class Mixed(library.nn.Module):
            def forward(self, x: Any, number: float, y: Any) -> Any:
                return x * number, "text", x + y

        module = Mixed()
        seen: list[Any] = []
        module.register_full_backward_hook(lambda m, grad_in, grad_out: seen.append([grad_in, grad_out]))
        x = inputs(library)
        first, _, second = module(x, 2.0, numbers(library, 2, 3))
        (first.sum() + 3 * second.sum()).backward()
        return seen, x.grad

    agree(scenario)


def test_backward_hooks_without_an_input_gradient_warn_and_run() -> None:
    def scenario(library: Any) -> Any:
        module = library.nn.Linear(3, 2)
        seen: list[Any] = []
        module.register_full_backward_hook(lambda m, grad_in, grad_out: seen.append([grad_in, grad_out]))
        module(numbers(library, 2, 3)).sum().backward()
        with library.no_grad():
            module(numbers(library, 2, 3))
        return seen, module.weight.grad

    agree(scenario)
    module = zerograd.nn.Linear(3, 2)
    module.register_full_backward_hook(lambda *args: None)
    with pytest.warns(UserWarning, match="no input of Linear needs a gradient"):
        module(zerograd.ones(1, 3)).sum().backward()


def test_backward_hooks_must_return_as_many_gradients() -> None:
    def scenario(library: Any) -> Any:
        module = library.nn.Linear(3, 2)
        module.register_full_backward_hook(lambda m, grad_in, grad_out: (grad_in[0], grad_in[0]))
        return raised(lambda: module(inputs(library)).sum().backward())

    agree(scenario)


def test_hooked_modules_have_second_derivatives() -> None:
    def scenario(library: Any) -> Any:
        module = library.nn.Tanh()
        module.register_full_backward_hook(lambda m, grad_in, grad_out: (grad_in[0] * 2,))
        x = inputs(library)
        (grad,) = library.autograd.grad(module(x).sum(), x, create_graph=True)
        (second,) = library.autograd.grad(grad.sum(), x)
        return grad, second

    agree(scenario)


def test_old_backward_hooks_of_one_operation() -> None:
    def scenario(library: Any) -> Any:
        model = library.nn.Sequential(library.nn.Tanh(), library.nn.Sigmoid())
        seen: list[Any] = []
        model[0].register_backward_hook(lambda m, grad_in, grad_out: seen.append([grad_in, grad_out]))
        model[1].register_backward_hook(lambda m, grad_in, grad_out: (grad_in[0] * 2,))
        x = inputs(library)
        model(x).sum().backward()
        return seen, x.grad

    agree(scenario)


def test_full_and_old_backward_hooks_do_not_mix() -> None:
    def scenario(library: Any) -> Any:
        module = library.nn.Linear(1, 1)
        module.register_full_backward_hook(lambda *args: None)
        other = library.nn.Linear(1, 1)
        other.register_backward_hook(lambda *args: None)
        return (
            raised(lambda: module.register_backward_hook(lambda *args: None)),
            raised(lambda: other.register_full_backward_hook(lambda *args: None)),
        )

    agree(scenario)


def test_handles_remove_hooks_once_and_as_contexts() -> None:
    def scenario(library: Any) -> Any:
        module = library.nn.Identity()
        seen: list[int] = []
        with module.register_forward_hook(lambda *args: seen.append(1)):
            module(1)
        module(1)
        handle = module.register_forward_hook(lambda *args: seen.append(2), with_kwargs=True, always_call=True)
        handle.remove()
        handle.remove()
        module(1)
        return seen, len(module._forward_hooks)

    agree(scenario)


def test_clearing_the_table_removes_hooks() -> None:
    def scenario(library: Any) -> Any:
        module = library.nn.Identity()
        seen: list[int] = []
        module.register_forward_hook(lambda *args: seen.append(1))
        module._forward_hooks.clear()
        module(1)
        module.register_forward_pre_hook(lambda *args: seen.append(2))
        module(1)
        return seen

    agree(scenario)


def test_global_hooks_run_for_every_module() -> None:
    def scenario(library: Any) -> Any:
        from importlib import import_module

        hooks = import_module(f"{library.__name__}.nn.modules.module")
        seen: list[Any] = []

        def note(kind: str) -> Any:
            return lambda module, *args: seen.append([kind, type(module).__name__])

        handles = [
            hooks.register_module_forward_pre_hook(note("pre")),
            hooks.register_module_forward_hook(note("post")),
            hooks.register_module_full_backward_pre_hook(note("backward pre")),
            hooks.register_module_full_backward_hook(note("backward")),
            hooks.register_module_parameter_registration_hook(lambda m, name, p: seen.append(["parameter", name])),
            hooks.register_module_buffer_registration_hook(lambda m, name, b: seen.append(["buffer", name])),
            hooks.register_module_module_registration_hook(lambda m, name, c: seen.append(["module", name])),
        ]
        try:
            model = two_layers(library)
            model.register_buffer("b", library.ones(1))
            model(inputs(library)).sum().backward()
        finally:
            for handle in handles:
                handle.remove()
        count = len(seen)
        two_layers(library)(inputs(library)).sum().backward()
        return seen, len(seen) == count

    agree(scenario)


def test_a_hook_that_raises_during_another_error_is_only_a_warning() -> None:
    module = zerograd.nn.Linear(3, 2)
    module.register_forward_hook(lambda *args: 1 / 0, always_call=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(RuntimeError):
            module(zerograd.ones(1, 7))
    assert "division by zero" in str(caught[0].message)

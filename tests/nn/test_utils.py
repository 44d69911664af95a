"""torch.nn.utils: clipping, vectors, normalized weights, parametrizations, pruning, fusion. In both libraries."""

from __future__ import annotations

import copy
import math
import warnings
from importlib import import_module
from typing import Any

import pytest
from nn.scenarios import agree, numbers, raised

import zerograd


def with_gradients(library: Any) -> Any:
    module = library.nn.Sequential(library.nn.Linear(3, 4), library.nn.Linear(4, 2))
    (module(numbers(library, 2, 3)) * 10).sum().backward()
    return module


def gradients(module: Any) -> Any:
    return [one.grad for one in module.parameters()]


@pytest.mark.parametrize("norm_type", [2, 2.0, 1, math.inf, -math.inf, 0, 3.5])
@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_clipping_by_norm(norm_type: float, max_norm: float) -> None:
    def scenario(library: Any) -> Any:
        module = with_gradients(library)
        same = module[0].weight.grad
        norm = library.nn.utils.clip_grad_norm_(module.parameters(), max_norm, norm_type)
        return norm, gradients(module), module[0].weight.grad is same

    agree(scenario)


@pytest.mark.parametrize("case", ["twice the same", "views of one tensor", "with a history", "half precision"])
def test_clipping_of_gradients_that_are_not_simple(case: str) -> None:
    def scenario(library: Any) -> Any:
        module = with_gradients(library)
        if case == "half precision":
            module = module.half()
            for one in module.parameters():
                one.grad = library.ones_like(one)
        params = list(module.parameters())
        if case == "twice the same":
            params = params + params[:1]
        if case == "views of one tensor":
            both = library.arange(1.0, 25.0).reshape(2, 4, 3)
            params = [module[0].weight, library.nn.Parameter(library.zeros(4, 3))]
            params[0].grad, params[1].grad = both[0], both[1]
        if case == "with a history":
            module.zero_grad()
            module(numbers(library, 2, 3)).exp().sum().backward(create_graph=True)
        norm = library.nn.utils.clip_grad_norm_(params, 0.5)
        versions = [one.grad._version for one in params if case != "with a history"]
        return norm, [one.grad.detach() for one in params], versions, [one.grad.requires_grad for one in params]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's about create_graph=True
        agree(scenario)


def test_clipping_one_tensor_and_none() -> None:
    def scenario(library: Any) -> Any:
        utils = library.nn.utils
        module = with_gradients(library)
        fresh = library.nn.Linear(1, 1)
        return [
            utils.clip_grad_norm_(module[0].weight, 0.1),
            module[0].weight.grad,
            utils.clip_grad_norm_(fresh.parameters(), 1.0),
            utils.clip_grad_norm_([], 1.0),
            utils.get_total_norm(gradients(module)),
            utils.clip_grads_with_norm_(module.parameters(), 1.0, library.tensor(4.0)),
            gradients(module),
        ]

    agree(scenario)


def test_clipping_by_value() -> None:
    def scenario(library: Any) -> Any:
        module = with_gradients(library)
        library.nn.utils.clip_grad_value_(module.parameters(), 0.3)
        return gradients(module)

    agree(scenario)


def test_a_norm_that_is_not_finite_can_be_an_error() -> None:
    def scenario(library: Any) -> Any:
        module = with_gradients(library)
        module[0].bias.grad.fill_(math.inf)
        clip = library.nn.utils.clip_grad_norm_
        error = raised(lambda: clip(module.parameters(), 1.0, error_if_nonfinite=True))
        return error, clip(module.parameters(), 1.0)

    agree(scenario)


def test_an_empty_generator_warns() -> None:
    with pytest.warns(UserWarning, match="generator"):
        zerograd.nn.utils.clip_grad_norm_((one for one in []), 1.0)


def test_parameters_become_a_vector_and_back() -> None:
    def scenario(library: Any) -> Any:
        utils = library.nn.utils
        module = library.nn.Linear(2, 3)
        vector = utils.parameters_to_vector(module.parameters())
        weight = module.weight
        utils.vector_to_parameters(vector * 2, module.parameters())
        wrong = raised(lambda: utils.vector_to_parameters([1.0], module.parameters()))
        return vector, module.weight, module.bias, weight is module.weight, weight.requires_grad, wrong

    agree(scenario)


def trained(library: Any, module: Any, x: Any) -> Any:
    """Outputs before and after a step of gradient descent, and all state."""
    before = module(x)
    (before * before).sum().backward()
    with library.no_grad():
        for one in module.parameters():
            one -= 0.1 * one.grad
    return before, module(x), module.state_dict(), [name for name, _ in module.named_parameters()]


@pytest.mark.parametrize("dim", [0, 1, None, -1])
@pytest.mark.parametrize("new", [False, True])
def test_weight_norm(dim: int | None, new: bool) -> None:
    def scenario(library: Any) -> Any:
        utils = library.nn.utils
        norm = utils.parametrizations.weight_norm if new else utils.weight_norm
        module = norm(library.nn.Linear(3, 4), dim=dim)
        steps = trained(library, module, numbers(library, 2, 3))
        if new:
            utils.parametrize.remove_parametrizations(module, "weight")
        else:
            utils.remove_weight_norm(module)
        return steps, list(module.state_dict()), module(numbers(library, 2, 3)), repr(module)

    agree(scenario)


def test_weight_norm_of_a_convolution_loads_the_older_state() -> None:
    def scenario(library: Any) -> Any:
        utils = library.nn.utils
        old = utils.weight_norm(library.nn.Conv2d(2, 3, 2))
        new = utils.parametrizations.weight_norm(library.nn.Conv2d(2, 3, 2))
        new.load_state_dict(old.state_dict())
        x = numbers(library, 1, 2, 3, 3)
        return (
            old(x),
            new(x),
            raised(lambda: utils.weight_norm(old)),
            raised(lambda: utils.remove_weight_norm(new)),
        )

    agree(scenario)


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize("layer", ["Linear", "Conv2d", "ConvTranspose2d"])
def test_spectral_norm(new: bool, layer: str) -> None:
    def scenario(library: Any) -> Any:
        utils = library.nn.utils
        norm = utils.parametrizations.spectral_norm if new else utils.spectral_norm
        args, shape = ((3, 4), (2, 3)) if layer == "Linear" else ((2, 3, 2), (1, 2, 3, 3))
        module = norm(getattr(library.nn, layer)(*args), n_power_iterations=2)
        x = numbers(library, *shape)
        steps = trained(library, module, x)
        evaluated = module.eval()(x)
        state = module.state_dict()
        if new:
            utils.parametrize.remove_parametrizations(module, "weight")
        else:
            utils.remove_spectral_norm(module)
        return steps, evaluated, state, list(module.state_dict()), module(x)

    agree(scenario, tolerance=1e-4)


def symmetric(library: Any) -> Any:
    class Symmetric(library.nn.Module):
        def forward(self, x: Any) -> Any:
            return x.triu() + x.triu(1).mT

        def right_inverse(self, x: Any) -> Any:
            return x.triu()

    return Symmetric()


def test_parametrizations_are_computed_when_read() -> None:
    def scenario(library: Any) -> Any:
        parametrize = library.nn.utils.parametrize
        module = library.nn.Linear(3, 3)
        weight = module.weight
        parametrize.register_parametrization(module, "weight", symmetric(library))
        steps = trained(library, module, numbers(library, 2, 3))
        module.weight = numbers(library, 3, 3)
        assigned = module.weight
        with parametrize.cached():
            same = module.weight is module.weight
        shown = repr(module), type(module).__name__, parametrize.type_before_parametrizations(module).__name__
        copied = copy.deepcopy(module)
        output = copied(numbers(library, 2, 3))
        parametrize.remove_parametrizations(module, "weight")
        return [
            steps, assigned, same, module.weight is module.weight, shown, parametrize.is_parametrized(copied),
            parametrize.is_parametrized(module), output, module.weight, module.weight is weight,
            list(module.state_dict()), repr(module),
        ]  # fmt: skip

    agree(scenario)


def test_several_parametrizations_and_originals() -> None:
    def scenario(library: Any) -> Any:
        parametrize = library.nn.utils.parametrize

        class Scaled(library.nn.Module):
            def forward(self, x: Any) -> Any:
                return x * 2

        class Product(library.nn.Module):
            def forward(self, a: Any, b: Any) -> Any:
                return a @ b

            def right_inverse(self, x: Any) -> Any:
                return x[:, :1].clone(), x[:1].clone()

        module = library.nn.Linear(3, 4)
        parametrize.register_parametrization(module, "weight", Product())
        parametrize.register_parametrization(module, "bias", Scaled())
        parametrize.register_parametrization(module, "bias", Scaled())
        other = library.nn.Linear(3, 4)
        parametrize.transfer_parametrizations_and_params(module, other)
        steps = trained(library, module, numbers(library, 2, 3))
        value = module.bias
        parametrize.remove_parametrizations(module, "bias", leave_parametrized=False)
        kept = raised(lambda: parametrize.remove_parametrizations(module, "weight", leave_parametrized=False))
        parametrize.remove_parametrizations(module, "weight")
        return steps, value, module.bias, kept, list(module.state_dict()), list(other.state_dict())

    agree(scenario)


WRONG_PARAMETRIZATIONS = {
    "no tensor": lambda library, p: p.register_parametrization(library.nn.Linear(2, 2), "wait", symmetric(library)),
    "shape": lambda library, p: p.register_parametrization(library.nn.Linear(2, 2), "weight", library.nn.Flatten(0)),
    "not there": lambda library, p: p.remove_parametrizations(library.nn.Linear(2, 2), "weight"),
    "no inverse": lambda library, p: setattr(
        p.register_parametrization(library.nn.Linear(2, 2), "weight", library.nn.Identity()),
        "weight",
        library.ones(2, 2),
    ),
    "pickled": lambda library, p: p.register_parametrization(
        library.nn.Linear(2, 2), "weight", library.nn.Identity()
    ).__getstate__(),
    "empty": lambda library, p: p.ParametrizationList([], library.ones(1)),
}


@pytest.mark.parametrize("wrong", WRONG_PARAMETRIZATIONS.values(), ids=list(WRONG_PARAMETRIZATIONS))
def test_wrong_parametrizations_raise_pytorchs_errors(wrong: Any) -> None:
    agree(lambda library: raised(lambda: wrong(library, library.nn.utils.parametrize)))


@pytest.mark.parametrize("orthogonal_map", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3)])
def test_orthogonal_weights_stay_orthogonal(orthogonal_map: str, shape: tuple[int, int]) -> None:
    module = zerograd.nn.Linear(*shape)
    zerograd.nn.utils.parametrizations.orthogonal(module, orthogonal_map=orthogonal_map)
    for _ in range(2):
        weight = module.weight
        weight = weight.mT if weight.shape[0] < weight.shape[1] else weight
        error = (weight.mT @ weight - zerograd.eye(weight.shape[1])).abs().max()
        assert error.item() < 1e-5
        module(numbers(zerograd, 2, shape[0])).square().sum().backward()
        with zerograd.no_grad():
            for one in module.parameters():
                one -= 0.1 * one.grad


def pruned(library: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    prune = import_module(f"{library.__name__}.nn.utils.prune")
    module = library.nn.Linear(4, 5)
    getattr(prune, name)(module, *args, **kwargs)
    return prune, module


PRUNINGS: dict[str, tuple[Any, ...]] = {
    "l1_unstructured": ("l1_unstructured", "weight", 0.3),
    "l1 count": ("l1_unstructured", "weight", 3),
    "random_unstructured": ("random_unstructured", "weight", 0.5),
    "random_structured": ("random_structured", "weight", 2, 1),
    "ln_structured": ("ln_structured", "weight", 0.4, 2, 0),
    "ln inf": ("ln_structured", "weight", 1, math.inf, -1),
    "identity": ("identity", "bias"),
}


@pytest.mark.parametrize("pruning", PRUNINGS.values(), ids=list(PRUNINGS))
def test_pruning_masks_the_weight(pruning: tuple[Any, ...]) -> None:
    def scenario(library: Any) -> Any:
        prune, module = pruned(library, *pruning)
        name = pruning[1]
        steps = trained(library, module, numbers(library, 2, 4))
        flags = prune.is_pruned(module)
        prune.l1_unstructured(module, name, 1)
        twice = module.state_dict(), [type(hook).__name__ for hook in module._forward_pre_hooks.values()]
        prune.remove(module, name)
        return (
            steps,
            flags,
            twice,
            prune.is_pruned(module),
            module.state_dict(),
            raised(lambda: prune.remove(module, name)),
        )

    agree(scenario)


def test_pruning_by_mask_and_globally() -> None:
    def scenario(library: Any) -> Any:
        prune, module = pruned(library, "custom_from_mask", "weight", mask=library.eye(5, 4))
        other = library.nn.Linear(4, 3)
        places = [(module, "weight"), (other, "weight")]
        prune.global_unstructured(places, pruning_method=prune.L1Unstructured, amount=0.5)
        structured = raised(lambda: prune.global_unstructured(places, prune.LnStructured, amount=1, n=2))
        prune.random_structured(other, "weight", amount=1, dim=0)
        return module.weight, other.weight, other.weight_mask, structured

    agree(scenario)


def test_wrong_amounts_raise_pytorchs_errors() -> None:
    def scenario(library: Any) -> Any:
        return [
            raised(lambda: pruned(library, "l1_unstructured", "weight", 1.5)),
            raised(lambda: pruned(library, "l1_unstructured", "weight", -1)),
            raised(lambda: pruned(library, "l1_unstructured", "weight", 1000)),
            raised(lambda: pruned(library, "l1_unstructured", "weight", "half")),
            raised(lambda: pruned(library, "ln_structured", "bias", 1, 2, 0)),
            raised(lambda: pruned(library, "ln_structured", "weight", 1, 2, 5)),
        ]

    agree(scenario)


@pytest.mark.parametrize("kind", ["Conv2d", "ConvTranspose2d", "Linear"])
@pytest.mark.parametrize("bias", [True, False])
def test_fused_layers_compute_the_same(kind: str, bias: bool) -> None:
    def scenario(library: Any) -> Any:
        utils = library.nn.utils
        if kind == "Linear":
            layer, norm, x = library.nn.Linear(3, 4, bias), library.nn.BatchNorm1d(4), numbers(library, 5, 3)
        else:
            layer, norm = getattr(library.nn, kind)(3, 4, 2, bias=bias), library.nn.BatchNorm2d(4)
            x = numbers(library, 2, 3, 3, 3)
        norm(layer(x))
        training = raised(lambda: utils.fuse_conv_bn_eval(layer, norm))
        layer.eval(), norm.eval()
        transpose = {"transpose": True} if kind == "ConvTranspose2d" else {}
        fused = (
            utils.fuse_linear_bn_eval(layer, norm)
            if kind == "Linear"
            else utils.fuse_conv_bn_eval(layer, norm, **transpose)
        )
        return norm(layer(x)), fused(x), fused.weight.requires_grad, training

    agree(scenario)


def test_modules_can_be_called_with_other_tensors() -> None:
    def scenario(library: Any) -> Any:
        stateless = library.nn.utils.stateless
        module = library.nn.Sequential(library.nn.Linear(2, 2), library.nn.BatchNorm1d(2))
        module.tied = module[0]
        weight = library.zeros(2, 2, requires_grad=True)
        x = numbers(library, 3, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call = stateless.functional_call
            output = call(module[0], {"weight": weight}, x)
            output.sum().backward()
            strict = raised(lambda: call(module[0], {"weight": weight}, x, strict=True))
            unknown = raised(lambda: call(module[0], {"weight": weight, "wait": weight}, x, strict=True))
            tied = raised(lambda: call(module, {"0.weight": weight, "tied.weight": weight * 2}, x))
        return output, weight.grad, module[0].weight.grad, module[0](x), strict, unknown, tied

    agree(scenario)


def test_skipping_initial_values_draws_nothing() -> None:
    def scenario(library: Any) -> Any:
        skip = library.nn.utils.skip_init
        module = skip(library.nn.Linear, 3, 4)
        return (
            list(module.weight.shape),
            library.rand(1),
            raised(lambda: skip(library.nn.ReLU)),
            raised(lambda: skip(int)),
        )

    agree(scenario)

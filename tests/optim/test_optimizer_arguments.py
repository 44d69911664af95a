from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
import torch

import zerograd


def ones(library: Any, *shape: int) -> Any:
    return library.nn.Parameter(library.ones(*(shape or (2, 2))))


BAD_OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": -1}),
    ("SGD", {"momentum": -0.1}),
    ("SGD", {"weight_decay": -0.1}),
    ("SGD", {"nesterov": True}),
    ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}),
    ("SGD", {"lr": "fast"}),
    ("SGD", {"fused": True, "foreach": True}),
    ("SGD", {"fused": True, "differentiable": True}),
    ("Adam", {"lr": -1}),
    ("Adam", {"lr": float("nan")}),
    ("Adam", {"eps": -1e-8}),
    ("Adam", {"betas": (1.0, 0.9)}),
    ("Adam", {"betas": (0.9, -0.1)}),
    ("Adam", {"betas": (0.9, 0)}),
    ("Adam", {"weight_decay": -1}),
    ("Adam", {"fused": True, "foreach": True}),
    ("Adam", {"unknown": 1}),
    ("AdamW", {"betas": (0.9, 1.0)}),
    ("AdamW", {"fused": True, "differentiable": True}),
    ("Adamax", {"betas": (2.0, 0.9)}),
    ("Adamax", {"eps": -1}),
    ("NAdam", {"momentum_decay": -1}),
    ("NAdam", {"lr": -1}),
    ("RAdam", {"betas": (-1.0, 0.9)}),
    ("RMSprop", {"alpha": -1}),
    ("RMSprop", {"momentum": -1}),
    ("RMSprop", {"eps": -1}),
    ("Rprop", {"etas": (1.5, 1.2)}),
    ("Rprop", {"lr": -1}),
    ("ASGD", {"weight_decay": -1}),
    ("ASGD", {"lr": -1}),
    ("Adagrad", {"lr_decay": -1}),
    ("Adagrad", {"initial_accumulator_value": -1}),
    ("Adagrad", {"fused": True, "foreach": True}),
    ("Adadelta", {"rho": 1.1}),
    ("Adadelta", {"eps": -1}),
    ("Adafactor", {"d": 0.5}),
    ("Adafactor", {"beta2_decay": 1.0}),
    ("Adafactor", {"eps": (None, -1.0)}),
    ("Muon", {"momentum": -1}),
    ("Muon", {"adjust_lr_fn": "mine"}),
    ("LBFGS", {"lr": -1}),
    ("SparseAdam", {"lr": 0.0}),
    ("SparseAdam", {"eps": 0.0}),
    ("SparseAdam", {"betas": (0.9, 1.0)}),
]


@pytest.mark.parametrize(("name", "given"), BAD_OPTIONS, ids=[f"{name} {given}" for name, given in BAD_OPTIONS])
def test_bad_options_raise_the_type_that_torch_raises(name: str, given: Any) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011  torch says which
        getattr(torch.optim, name)([ones(torch)], **given)
    with pytest.raises(theirs.type) as ours:
        getattr(zerograd.optim, name)([ones(zerograd)], **given)
    assert len(str(ours.value)) > 10


def test_a_tensor_as_learning_rate_has_one_element() -> None:
    for library in (torch, zerograd):
        with pytest.raises(ValueError, match="element"):
            library.optim.Adam([ones(library)], lr=library.ones(2))


Use = Callable[[Any], Any]
BAD_USES: dict[str, Use] = {
    "no parameters": lambda lib: lib.optim.SGD([]),
    "a tensor instead of a list": lambda lib: lib.optim.SGD(ones(lib)),
    "numbers instead of tensors": lambda lib: lib.optim.SGD([1.0, 2.0]),
    "a set": lambda lib: lib.optim.SGD([{"params": {ones(lib)}}]),
    "a parameter that was computed": lambda lib: lib.optim.SGD([ones(lib) * 2]),
    "a parameter in two groups": lambda lib: lib.optim.SGD([{"params": [p]} for p in [ones(lib)] * 2]),
    "a group that is no dictionary": lambda lib: lib.optim.SGD([ones(lib)]).add_param_group([ones(lib)]),
    "a group without parameters": lambda lib: lib.optim.SGD([ones(lib)]).add_param_group({"lr": 1}),
    "some names missing": lambda lib: lib.optim.SGD([("a", ones(lib)), ones(lib)]),
    "a group without names": lambda lib: lib.optim.SGD([("a", ones(lib))]).add_param_group({"params": [ones(lib)]}),
    "lbfgs with two groups": lambda lib: lib.optim.LBFGS([{"params": [ones(lib)]}, {"params": [ones(lib)]}]),
    "lbfgs without closure": lambda lib: lib.optim.LBFGS([ones(lib)]).step(),
    "muon of a vector": lambda lib: lib.optim.Muon([ones(lib, 3)]),
    "an option without default": lambda lib: lib.optim.Optimizer(
        [{"params": [ones(lib)]}], {"lr": import_module(f"{lib.__name__}.optim.optimizer").required}
    ),
    "a base without step": lambda lib: lib.optim.Optimizer([ones(lib)], {}).step(),
    "a state of other groups": lambda lib: lib.optim.SGD([ones(lib)]).load_state_dict(
        {"state": {}, "param_groups": []}
    ),
    "a state of more parameters": lambda lib: lib.optim.SGD([ones(lib)]).load_state_dict(
        lib.optim.SGD([ones(lib), ones(lib)]).state_dict()
    ),
    "swa decay": lambda lib: lib.optim.swa_utils.get_ema_avg_fn(1.5),
    "swa strategy": lambda lib: lib.optim.swa_utils.SWALR(lib.optim.SGD([ones(lib)]), 0.1, anneal_strategy="up"),
    "swa epochs": lambda lib: lib.optim.swa_utils.SWALR(lib.optim.SGD([ones(lib)]), 0.1, anneal_epochs=-1),
}


@pytest.mark.parametrize("use", BAD_USES.values(), ids=BAD_USES)
def test_wrong_uses_raise_the_type_that_torch_raises(use: Use) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011  torch says which
        use(torch)
    with pytest.raises(theirs.type):
        use(zerograd)


def test_sparse_adam_refuses_dense_gradients() -> None:
    for library in (torch, zerograd):
        param = ones(library)
        optimizer = library.optim.SparseAdam([param])
        param.grad = library.ones(2, 2)
        with pytest.raises(RuntimeError, match="dense gradients"):
            optimizer.step()


def test_an_unknown_line_search_is_refused() -> None:
    for library in (torch, zerograd):
        param = ones(library)

        def closure(param: Any = param) -> Any:
            loss = (param**2).sum()
            loss.backward()
            return loss

        with pytest.raises(RuntimeError):
            library.optim.LBFGS([param], line_search_fn="armijo").step(closure)


def test_a_parameter_twice_in_a_group_warns() -> None:
    for library in (torch, zerograd):
        param = ones(library)
        with pytest.warns(UserWarning, match="parameter"):
            library.optim.SGD([param, param])

"""Every module is made as PyTorch makes it: same arguments, state, initial values, text and attributes."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import pytest
import torch
from nn.module_arguments import MODULES, Arguments
from nn.scenarios import agree, plain

import zerograd

CASES = [
    pytest.param(name, arguments, id=f"{name}-{i}")
    for name, many in MODULES.items()
    for i, arguments in enumerate(many)
]
# What PyTorch's modules carry for its own compilers, and the parts of its own bookkeeping.
PRIVATE = ("_", "T_destination", "dump_patches", "ipu", "xpu", "mtia")


def made(library: Any, name: str, arguments: Arguments) -> Any:
    args, kwargs = arguments
    if "dtype" in kwargs:
        kwargs = {**kwargs, "dtype": getattr(library, kwargs["dtype"])}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(library.nn, name)(*args, **kwargs)


def state(library: Any, name: str, arguments: Arguments) -> Any:
    module = made(library, name, arguments)
    return {key: value for key, value in module.state_dict().items() if not library.nn.parameter.is_lazy(value)}


def test_every_module_of_torch_nn_has_a_case() -> None:
    assert set(torch.nn.modules.__all__) - {"Container", "TransformerEncoder", "TransformerDecoder"} == set(MODULES)


def test_every_name_of_torch_nn_is_there() -> None:
    assert [name for name in torch.nn.modules.__all__ if not hasattr(zerograd.nn, name)] == []


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_initial_values_are_equal_for_equal_seeds(name: str, arguments: Arguments) -> None:
    if name != "LinearCrossEntropyOptions":
        agree(lambda library: state(library, name, arguments), tolerance=1e-6)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_random_stream_goes_on_as_in_pytorch(name: str, arguments: Arguments) -> None:
    def next_number(library: Any) -> float:
        made(library, name, arguments)
        return library.rand(1).item()

    agree(next_number, tolerance=1e-7)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_text_is_pytorchs(name: str, arguments: Arguments) -> None:
    assert repr(made(zerograd, name, arguments)) == repr(made(torch, name, arguments))


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_attributes_are_pytorchs(name: str, arguments: Arguments) -> None:
    ours, theirs = made(zerograd, name, arguments), made(torch, name, arguments)
    if not isinstance(theirs, torch.nn.Module):
        return
    for attribute, value in vars(theirs).items():
        if attribute.startswith("_"):
            continue
        got = getattr(ours, attribute)
        if isinstance(value, (int, float, str, bool, tuple, list, type(None))):
            assert plain(got, zerograd) == plain(value, torch), attribute
    for kind in ("named_parameters", "named_buffers"):
        assert [key for key, _ in getattr(ours, kind)()] == [key for key, _ in getattr(theirs, kind)()]


@pytest.mark.parametrize("name", MODULES)
def test_arguments_are_pytorchs(name: str) -> None:
    # PyTorch's decorator for what is deprecated hides the arguments.
    name = name.replace("NLLLoss2d", "NLLLoss")
    ours, theirs = (inspect.signature(getattr(library.nn, name)) for library in (zerograd, torch))
    assert list(ours.parameters) == list(theirs.parameters)
    for key, parameter in theirs.parameters.items():
        default = parameter.default
        if default is None or isinstance(default, (int, float, str, tuple)):
            assert ours.parameters[key].default == default, key
        assert ours.parameters[key].kind == parameter.kind, key


@pytest.mark.parametrize("name", MODULES)
def test_forward_takes_pytorchs_arguments(name: str) -> None:
    ours, theirs = (getattr(library.nn, name) for library in (zerograd, torch))
    if not issubclass(theirs, torch.nn.Module) or theirs.forward.__qualname__.startswith("_forward_unimplemented"):
        return
    expected = inspect.signature(theirs.forward).parameters
    assert list(inspect.signature(ours.forward).parameters) == list(expected)


@pytest.mark.parametrize("name", MODULES)
def test_public_members_are_pytorchs(name: str) -> None:
    ours, theirs = (getattr(library.nn, name) for library in (zerograd, torch))
    missing = [one for one in dir(theirs) if not one.startswith(PRIVATE) and not hasattr(ours, one)]
    assert missing == []
    assert getattr(ours, "__constants__", None) == getattr(theirs, "__constants__", None)

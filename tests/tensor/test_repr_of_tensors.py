"""What a program sees of its tensors when it prints them is what PyTorch shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import zerograd

PRINTED: dict[str, Callable[[Any], Any]] = {
    "whole floats": lambda library: library.tensor([1.0, 2.0]),
    "fractions": lambda library: library.tensor([[1.5, -2.0], [0.0, 1e-3]]),
    "scientific": lambda library: library.tensor([1e-9, 1.0]),
    "integers": lambda library: library.tensor([[1, 20], [300, -4]]),
    "booleans": lambda library: library.tensor([True, False]),
    "complex": lambda library: library.tensor([1 + 2j, -3.5j]),
    "a number": lambda library: library.tensor(3.0),
    "empty": lambda library: library.zeros(0, 3),
    "double": lambda library: library.ones(2, dtype=library.float64),
    "bfloat16": lambda library: library.tensor([1.5, 2.25], dtype=library.bfloat16),
    "summarised": lambda library: library.arange(3000.0).reshape(30, 100),
    "a leaf": lambda library: library.ones(2, requires_grad=True),
    "a result": lambda library: library.ones(2, requires_grad=True) + 1,
    "a view of a leaf": lambda library: library.ones(2, 3, requires_grad=True)[0],
    "detached": lambda library: (library.ones(2, requires_grad=True) * 3).detach(),
    "a list of results": lambda library: [library.ones(2, requires_grad=True).exp().sum()],
}


@pytest.mark.parametrize("name", PRINTED)
def test_repr_and_str_are_torchs(name: str) -> None:
    ours, theirs = PRINTED[name](zerograd), PRINTED[name](torch)
    assert repr(ours) == repr(theirs)
    assert str(ours) == str(theirs)
    assert f"{ours}" == f"{theirs}"


def test_printing_computes_nothing_twice_and_keeps_the_history() -> None:
    x = zerograd.tensor([0.5, 1.0], requires_grad=True)
    loss = (x * x).sum()
    assert repr(loss) == "tensor(1.2500, grad_fn=<SumBackward0>)"
    loss.backward()
    assert repr(loss) == "tensor(1.2500, grad_fn=<SumBackward0>)"
    assert repr(x.grad) == "tensor([1., 2.])"


@pytest.mark.parametrize("spec", ["", ".3f", ">10", "g"])
@pytest.mark.parametrize("value", [2.5, 3, True])
def test_a_number_in_a_tensor_formats_as_the_number(value: Any, spec: str) -> None:
    assert format(zerograd.tensor(value), spec) == format(torch.tensor(value), spec)
    tracked = zerograd.tensor(2.5, requires_grad=True) * 2
    assert f"{tracked:{spec}}" == f"{torch.tensor(2.5, requires_grad=True) * 2:{spec}}"


def test_a_spec_for_several_numbers_is_refused() -> None:
    with pytest.raises(TypeError):
        format(torch.ones(2), ".2f")
    with pytest.raises(TypeError, match="fits one number"):
        format(zerograd.ones(2), ".2f")


def test_subclasses_print_their_name() -> None:
    class Own(zerograd.Tensor):
        pass

    seen = object.__new__(Own)
    seen.__dict__.update(zerograd.ones(2).__dict__)
    assert repr(seen) == "Own([1., 1.])"


def test_print_options_reach_tensors() -> None:
    try:
        for library in (zerograd, torch):
            library.set_printoptions(precision=2, linewidth=40)
        assert repr(zerograd.linspace(0, 1, 20)) == repr(torch.linspace(0, 1, 20))
    finally:
        for library in (zerograd, torch):
            library.set_printoptions(profile="default")

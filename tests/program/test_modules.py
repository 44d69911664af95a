"""``torch.compile(module)`` and ``module.compile()`` behave as in PyTorch."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch as pytorch
from program.test_steps import World, programs, values

import zerograd
from zerograd.nn import functional as F


def facts(torch: Any) -> dict[str, Any]:
    """What a program can see of a compiled module."""
    module = torch.nn.Linear(2, 3)
    compiled = torch.compile(module)
    found: dict[str, Any] = {
        "kind": type(compiled).__name__,
        "is one": isinstance(compiled, torch.nn.Linear),
        "text": str(compiled),
        "names": [name for name, _ in compiled.named_parameters()],
        "keys": list(compiled.state_dict()),
        "modules": [name for name, _ in compiled.named_modules()],
        "original": compiled._orig_mod is module,
        "weight": compiled.weight is module.weight,
        "size": compiled.in_features,
    }
    compiled.eval()
    found["evaluating"] = module.training, compiled.training
    module.train()
    found["training"] = module.training, compiled.training
    compiled.in_features = 7
    compiled.note = "new"
    found["set"] = module.in_features, module.note
    other = copy.deepcopy(compiled)
    found["copy"] = type(other).__name__, other._orig_mod is module, list(other.state_dict())
    found["pickled"] = type(pickle.loads(pickle.dumps(compiled))).__name__
    compiled.load_state_dict({"_orig_mod.weight": torch.ones(3, 2), "_orig_mod.bias": torch.ones(3)})
    found["loaded"] = module.weight.tolist()
    found["lacking"] = hasattr(compiled, "lacking")
    found["compile"] = module.compile(), module._compiled_call_impl is not None
    return found


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # PyTorch's own, as it loads
def test_a_compiled_module_looks_as_in_pytorch() -> None:
    assert facts(zerograd) == facts(pytorch)


@pytest.mark.parametrize("way", ["wrapped", "in place"])
def test_a_compiled_module_trains_and_predicts_as_the_module(way: str) -> None:
    one, other = World(), World()
    model = other.model
    if way == "wrapped":
        model = zerograd.compile(model, mode="max-autotune")
    else:
        model.compile(dynamic=False)
    for (x, y), (x2, y2) in zip(one.batches, other.batches, strict=True):
        for _ in range(4):
            with zerograd.no_grad():
                assert values(one.model(x)) == values(model(x2))
        losses = []
        for world, called, a, b in ((one, one.model, x, y), (other, model, x2, y2)):
            world.optimizer.zero_grad()
            losses.append(F.cross_entropy(called(a), b))
            losses[-1].backward()
            world.optimizer.step()
        assert values(losses[0]) == values(losses[1])
        assert one.state() == other.state()
    call = model.forward if way == "wrapped" else model._compiled_call_impl
    assert 1 <= programs(call) <= 2  # one more since the optimizer has gathered the parameters


def test_methods_are_compiled_as_functions_are() -> None:
    class Trainer:
        def __init__(self) -> None:
            self.world = World()
            self.scale = 1.0

        @zerograd.compile(fullgraph=True)
        def step(self, x: Any, y: Any) -> Any:
            self.world.optimizer.zero_grad()
            loss = F.cross_entropy(self.world.model(x), y) * self.scale
            loss.backward()
            self.world.optimizer.step()
            return loss

        plain = step._torchdynamo_orig_callable

    one, other = Trainer(), Trainer()
    for i, ((x, y), (x2, y2)) in enumerate(zip(one.world.batches, other.world.batches, strict=True)):
        if i == 6:
            one.scale = other.scale = 0.5
        assert values(one.step(x, y)) == values(other.plain(x2, y2))
    assert programs(Trainer.step) >= 1

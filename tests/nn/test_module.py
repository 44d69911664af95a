"""nn.Module: registration, attributes, traversal, conversion, copies, text. Each scenario runs in both libraries."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import weakref
from collections import OrderedDict
from typing import Any

import pytest
import torch
from nn.scenarios import agree, numbers, raised

import zerograd


def net(library: Any) -> Any:
    """A small tree with a parameter, a buffer, a shared layer and a list."""

    class Net(library.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = library.nn.Linear(3, 4)
            self.layers = library.nn.ModuleList([library.nn.Linear(4, 4), library.nn.ReLU()])
            self.again = self.layers[0]
            self.scale = library.nn.Parameter(library.ones(4))
            self.register_buffer("mean", library.zeros(4))
            self.register_buffer("scratch", library.zeros(2), persistent=False)
            self.nothing = None

        def forward(self, x: Any) -> Any:
            for layer in self.layers:
                x = layer(x) if x.shape[-1] == 4 else self.first(x)
            return self.again(x) * self.scale - self.mean

    return Net()


class Pickled(zerograd.nn.Module):
    """At module level, where pickle finds it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = zerograd.nn.Linear(2, 2)
        self.register_buffer("seen", zerograd.zeros(1))


def names(pairs: Any) -> list[str]:
    return [name for name, _ in pairs]


TRAVERSALS = {
    "named_parameters": lambda m: names(m.named_parameters()),
    "with duplicates": lambda m: names(m.named_parameters(remove_duplicate=False)),
    "own": lambda m: names(m.named_parameters(recurse=False)),
    "prefix": lambda m: names(m.named_parameters(prefix="model")),
    "named_buffers": lambda m: names(m.named_buffers()),
    "named_modules": lambda m: names(m.named_modules()),
    "modules with duplicates": lambda m: names(m.named_modules(remove_duplicate=False)),
    "named_children": lambda m: names(m.named_children()),
    "counts": lambda m: [len(list(one)) for one in (m.parameters(), m.buffers(), m.modules(), m.children())],
    "state_dict": lambda m: list(m.state_dict()),
    "text": repr,
    "submodule": lambda m: repr(m.get_submodule("layers.0")),
    "parameter": lambda m: m.get_parameter("layers.0.weight") is m.again.weight,
    "buffer": lambda m: m.get_buffer("mean") is m.mean,
    "itself": lambda m: m.get_submodule("") is m,
    "names of attributes": lambda m: [name for name in dir(m) if name in {"first", "scale", "mean", "layers"}],
    "names of a list": lambda m: [name for name in dir(m.layers) if name.isdigit()],
    "no submodule": lambda m: raised(lambda: m.get_submodule("layers.7")),
    "no module": lambda m: raised(lambda: m.get_submodule("scale")),
    "no parameter": lambda m: raised(lambda: m.get_parameter("mean")),
    "no buffer": lambda m: raised(lambda: m.get_buffer("scale")),
}


@pytest.mark.parametrize("traversal", TRAVERSALS.values(), ids=list(TRAVERSALS))
def test_traversals_find_what_pytorch_finds(traversal: Any) -> None:
    agree(lambda library: traversal(net(library)))


def bare(library: Any) -> Any:
    return library.nn.Module()


def before_init(library: Any, value: str) -> Any:
    values = {
        "parameter": lambda: library.nn.Parameter(library.ones(1)),
        "module": lambda: library.nn.ReLU(),
        "buffer": lambda: library.nn.Buffer(library.ones(1)),
    }

    class Early(library.nn.Module):
        def __init__(self) -> None:
            self.thing = values[value]()
            super().__init__()

    return Early()


def computed(library: Any) -> Any:
    return library.nn.Parameter(library.ones(2)) * 2


WRONG = {
    "parameter before init": lambda library: before_init(library, "parameter"),
    "module before init": lambda library: before_init(library, "module"),
    "buffer before init": lambda library: before_init(library, "buffer"),
    "parameter name": lambda library: bare(library).register_parameter(3, None),
    "parameter dot": lambda library: bare(library).register_parameter("a.b", None),
    "parameter empty": lambda library: bare(library).register_parameter("", None),
    "parameter taken": lambda library: bare(library).register_parameter("forward", None),
    "parameter kind": lambda library: bare(library).register_parameter("a", library.ones(2)),
    "parameter not leaf": lambda library: bare(library).register_parameter("a", computed(library)),
    "buffer name": lambda library: bare(library).register_buffer(3, None),
    "buffer dot": lambda library: bare(library).register_buffer("a.b", None),
    "buffer empty": lambda library: bare(library).register_buffer("", None),
    "buffer taken": lambda library: bare(library).register_buffer("training", None),
    "buffer kind": lambda library: bare(library).register_buffer("a", 3),
    "module name": lambda library: bare(library).add_module(3, library.nn.ReLU()),
    "module dot": lambda library: bare(library).add_module("a.b", library.nn.ReLU()),
    "module empty": lambda library: bare(library).add_module("", library.nn.ReLU()),
    "module taken": lambda library: bare(library).add_module("train", library.nn.ReLU()),
    "module kind": lambda library: bare(library).add_module("a", 3),
    "tensor for parameter": lambda library: setattr(net(library), "scale", library.ones(4)),
    "number for parameter": lambda library: setattr(net(library), "scale", 3.0),
    "tensor for module": lambda library: setattr(net(library), "first", library.ones(4)),
    "number for buffer": lambda library: setattr(net(library), "mean", 3.0),
    "missing": lambda library: net(library).absent,
    "delete missing": lambda library: delattr(net(library), "absent"),
    "no forward": lambda library: bare(library)(3),
    "arguments": lambda library: library.nn.Module(3),
    "keyword": lambda library: library.nn.Module(a=3),
    "train": lambda library: net(library).train(3),
    "to integer": lambda library: net(library).to(library.int64),
    "to nonsense": lambda library: net(library).to([1]),
    "cuda": lambda library: net(library).cuda(),
    "set nothing": lambda library: net(library).set_submodule("", library.nn.ReLU()),
    "set no module": lambda library: net(library).set_submodule("first", 3),
    "set strictly": lambda library: net(library).set_submodule("new", library.nn.ReLU(), strict=True),
    "set parameter": lambda library: net(library).set_submodule("scale", library.nn.ReLU()),
    "extra state": lambda library: bare(library).get_extra_state(),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=list(WRONG))
def test_wrong_calls_raise_pytorchs_errors(wrong: Any) -> None:
    ours, theirs = (raised(lambda library=library: wrong(library)) for library in (zerograd, torch))
    assert ours == theirs
    assert ours.endswith("Error")


def test_assignments_move_a_name_between_kinds() -> None:
    def scenario(library: Any) -> Any:
        module = bare(library)
        seen = []

        def look() -> None:
            seen.append(
                [
                    names(module.named_parameters()),
                    names(module.named_buffers()),
                    names(module.named_modules()),
                ]
            )

        module.x = 3
        look()
        module.x = library.nn.Parameter(library.ones(2))
        look()
        module.x = None
        look()
        module.x = library.nn.Parameter(library.ones(3))
        del module.x
        look()
        module.register_buffer("x", library.ones(1), persistent=False)
        look()
        module.x = library.zeros(2)
        seen.append(list(module.state_dict()))
        module.x = library.nn.Parameter(library.ones(2))
        look()
        module.x = None
        del module.x
        module.x = library.nn.ReLU()
        look()
        module.x = library.nn.Parameter(library.ones(2))
        look()
        module.buffered = library.nn.Buffer(library.ones(2), persistent=False)
        module.kept = library.nn.Buffer(library.ones(2))
        look()
        seen.append(list(module.state_dict()))
        return seen

    agree(scenario)


def test_dictionaries_of_a_module_can_be_edited_directly() -> None:
    def scenario(library: Any) -> Any:
        module = library.nn.Linear(2, 2)
        weight = module._parameters.pop("weight")
        gone = raised(lambda: module.weight)
        module._parameters["weight"] = library.nn.Parameter(weight * 0)
        zero = module(library.ones(1, 2)) - module.bias
        module._parameters = {"weight": weight, "bias": None}
        module._buffers.update(extra=library.ones(1))
        module._modules["child"] = library.nn.ReLU()
        return (
            gone,
            zero,
            module(library.ones(1, 2)),
            module.extra,
            repr(module.child),
            list(module.state_dict()),
        )

    agree(scenario)


def test_reading_a_registered_name_is_an_ordinary_attribute() -> None:
    module = zerograd.nn.Linear(2, 2)
    assert module.__dict__["weight"] is module._parameters["weight"] is module.weight
    module.weight = zerograd.nn.Parameter(zerograd.ones(2, 2))
    assert module.__dict__["weight"] is module._parameters["weight"] is module.weight
    del module.weight
    assert "weight" not in module.__dict__


def test_a_dropped_module_is_freed_at_once() -> None:
    module = net(zerograd)
    alive = weakref.ref(module)
    gc.disable()
    try:
        del module
        assert alive() is None
    finally:
        gc.enable()


def test_copies_are_independent_and_share_inside_what_was_shared() -> None:
    def scenario(library: Any) -> Any:
        module = net(library)
        module.register_forward_hook(lambda module, args, output: output + 1)
        copied = copy.deepcopy(module)
        with library.no_grad():
            module.first.weight.zero_()
            module.mean.add_(5)
        x = numbers(library, 2, 3)
        return (
            copied(x),
            copied.again is copied.layers[0],
            copied.scale.requires_grad,
            list(copied.state_dict()),
            module(x),
        )

    agree(scenario)


def test_modules_survive_pickling() -> None:
    module = Pickled().eval()
    loaded = pickle.loads(pickle.dumps(module))
    assert repr(loaded) == repr(module)
    assert not loaded.training
    assert loaded.layer.weight.tolist() == module.layer.weight.tolist()
    assert isinstance(loaded.layer.weight, zerograd.nn.Parameter)
    assert loaded.layer.weight.requires_grad
    loaded.layer.bias = None
    assert "layer.bias" not in loaded.state_dict()


def test_train_and_eval_reach_every_module() -> None:
    def scenario(library: Any) -> Any:
        module = net(library)
        seen = [[one.training for one in module.eval().modules()]]
        seen.append([one.training for one in module.train().modules()])
        module.layers.eval()
        return [*seen, [one.training for one in module.modules()]]

    agree(scenario)


def test_conversions_change_floats_and_keep_identities() -> None:
    def scenario(library: Any) -> Any:
        module = net(library)
        module.register_buffer("count", library.tensor(3))
        module(numbers(library, 2, 3)).sum().backward()
        weight, grad = module.first.weight, module.first.weight.grad
        seen = []
        for convert in (
            lambda: module.double(),
            lambda: module.to(library.float16),
            lambda: module.bfloat16(),
            lambda: module.half(),
            lambda: module.float(),
            lambda: module.to("cpu", library.float64),
            lambda: module.to(library.zeros(1)),
            lambda: module.to(dtype=library.float64, device="cpu"),
            lambda: module.type(library.float32),
            lambda: module.cpu(),
        ):
            assert convert() is module
            seen.append(
                [
                    module.first.weight.dtype,
                    module.mean.dtype,
                    module.count.dtype,
                    module.first.weight.grad.dtype,
                ]
            )
        return seen, weight is module.first.weight, grad is module.first.weight.grad, weight.is_leaf, grad

    agree(scenario)


def test_apply_visits_children_first() -> None:
    def scenario(library: Any) -> Any:
        seen: list[str] = []
        net(library).apply(lambda module: seen.append(type(module).__name__))
        return seen

    agree(scenario)


def test_zero_grad_sets_none_or_zeros_in_place() -> None:
    def scenario(library: Any) -> Any:
        module = library.nn.Linear(2, 2)
        module(library.ones(1, 2)).sum().backward()
        grad = module.weight.grad
        module.zero_grad(set_to_none=False)
        same, zeros = module.weight.grad is grad, grad.tolist()
        module.zero_grad()
        return same, zeros, module.weight.grad, module.bias.grad

    agree(scenario)


def test_requires_grad_freezes_all_parameters() -> None:
    def scenario(library: Any) -> Any:
        module = net(library)
        returned = module.requires_grad_(False) is module
        return returned, [one.requires_grad for one in module.parameters()]

    agree(scenario)


def test_set_submodule_replaces_and_creates() -> None:
    def scenario(library: Any) -> Any:
        module = net(library)
        module.set_submodule("layers.1", library.nn.Tanh())
        module.set_submodule("new", library.nn.Sigmoid())
        return repr(module)

    agree(scenario)


def test_to_empty_keeps_shapes() -> None:
    def scenario(library: Any) -> Any:
        return [list(one.shape) for one in net(library).to_empty(device="cpu").parameters()]

    agree(scenario)


def test_subclass_initialisers_can_be_chained() -> None:
    def scenario(library: Any) -> Any:
        class Named:
            def __init__(self, name: str) -> None:
                self.name = name

        class Both(library.nn.Module, Named):
            call_super_init = True

        return Both("x").name

    agree(scenario)


def test_parameter_is_a_leaf_over_the_same_storage() -> None:
    def scenario(library: Any) -> Any:
        data = library.zeros(2)
        parameter = library.nn.Parameter(data)
        data.add_(1)
        frozen = library.nn.Parameter(data, requires_grad=False)
        with library.no_grad():
            inside = library.nn.Parameter(data * 2)
        return (
            parameter,
            parameter.is_leaf,
            parameter.requires_grad,
            frozen.requires_grad,
            inside.requires_grad,
            isinstance(parameter, library.Tensor),
            repr(parameter),
            type(copy.deepcopy(parameter)).__name__,
            list(library.nn.Parameter().shape),
            isinstance(parameter * 2, library.nn.Parameter),
        )

    agree(scenario)


def test_parameter_survives_pickling() -> None:
    parameter = zerograd.nn.Parameter(zerograd.ones(2), requires_grad=False)
    loaded = pickle.loads(pickle.dumps(parameter))
    assert type(loaded) is zerograd.nn.Parameter
    assert not loaded.requires_grad
    assert loaded.tolist() == [1.0, 1.0]


def test_lazy_modules_become_ordinary_ones() -> None:
    def scenario(library: Any) -> Any:
        model = library.nn.Sequential(
            library.nn.LazyConv2d(4, 3),
            library.nn.LazyBatchNorm2d(),
            library.nn.Flatten(),
            library.nn.LazyLinear(2),
        )
        before = [type(one).__name__ for one in model], raised(lambda: model[3].weight.shape)
        model.double().float()
        output = model(numbers(library, 2, 3, 5, 5))
        return before, [type(one).__name__ for one in model], output, model.state_dict(), repr(model)

    agree(scenario, tolerance=1e-4)


def test_lazy_modules_take_shapes_from_a_state_dict() -> None:
    def scenario(library: Any) -> Any:
        lazy = library.nn.LazyLinear(2)
        lazy.load_state_dict(library.nn.Linear(3, 2).state_dict())
        return lazy(numbers(library, 1, 3)), type(lazy).__name__

    agree(scenario)


@pytest.mark.parametrize("use", ["a + 1", "a.numel() + a.item()", "a.tolist()", "a @ a"])
def test_uninitialized_parameters_cannot_be_computed_with(use: str) -> None:
    def scenario(library: Any) -> str:
        return raised(lambda: eval(use, {"a": library.nn.UninitializedParameter()}))

    agree(scenario)


def test_an_error_in_a_forward_names_the_layer() -> None:
    model = net(zerograd)
    with pytest.raises(RuntimeError) as caught:
        model(zerograd.ones(2, 5))
    assert caught.value.__notes__ == ["in Net.first = Linear(in_features=3, out_features=4, bias=True)"]


def test_an_error_in_a_nested_layer_is_noted_once_with_its_whole_path() -> None:
    def broken(x: Any) -> Any:
        raise ValueError("broken")

    model = zerograd.nn.Sequential(OrderedDict(body=zerograd.nn.Sequential(zerograd.nn.ReLU(), zerograd.nn.ReLU(True))))
    model.body[1].forward = broken
    with pytest.raises(ValueError, match="broken") as caught:
        model(zerograd.ones(1))
    assert caught.value.__notes__ == ["in Sequential.body.1 = ReLU(inplace=True)"]


def test_saved_modules_can_be_read_from_a_file() -> None:
    stream = io.BytesIO()
    pickle.dump(Pickled(), stream)
    stream.seek(0)
    assert [name for name, _ in pickle.load(stream).named_modules()] == ["", "layer"]

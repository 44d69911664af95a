"""state_dict and load_state_dict: contents, sharing, errors, hooks. Each scenario runs in both libraries."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
import torch
from nn.scenarios import agree, numbers, raised

import zerograd


def net(library: Any) -> Any:
    nn = library.nn
    return nn.Sequential(OrderedDict(head=nn.Linear(3, 4), norm=nn.BatchNorm1d(4), tail=nn.Linear(4, 2, bias=False)))


def test_contents_order_and_metadata() -> None:
    def scenario(library: Any) -> Any:
        model = net(library)
        state = model.state_dict()
        prefixed = model.state_dict(prefix="model.")
        return type(state).__name__, state, list(prefixed), dict(state._metadata), dict(prefixed._metadata)

    agree(scenario)


def test_values_share_the_storage_and_have_no_history() -> None:
    def scenario(library: Any) -> Any:
        model = net(library)
        state = model.state_dict()
        with library.no_grad():
            model.head.bias.fill_(7)
        kept = model.state_dict(keep_vars=True)
        return state["head.bias"], state["head.bias"].requires_grad, kept["head.bias"] is model.head.bias

    agree(scenario)


def test_loading_gives_equal_outputs() -> None:
    def scenario(library: Any) -> Any:
        first, second = net(library), net(library)
        result = second.load_state_dict(first.state_dict())
        x = numbers(library, 4, 3)
        return repr(result), str(result), first(x), second(x), second.head.weight.requires_grad

    agree(scenario)


def test_assign_puts_the_given_tensors_in_place() -> None:
    def scenario(library: Any) -> Any:
        model = net(library)
        state = {
            name: value.double() if value.is_floating_point() else value
            for name, value in net(library).state_dict().items()
        }
        before = model.head.weight
        model.load_state_dict(state, assign=True)
        return (
            model.head.weight is before,
            model.head.weight.dtype,
            model.head.weight.requires_grad,
            model.norm.running_var.dtype,
        )

    agree(scenario)


def test_lenient_loading_reports_names() -> None:
    def scenario(library: Any) -> Any:
        state = net(library).state_dict()
        del state["tail.weight"], state["norm.bias"]
        state["more.weight"] = library.ones(1)
        result = net(library).load_state_dict(state, strict=False)
        return result.missing_keys, result.unexpected_keys, repr(result)

    agree(scenario)


def edited(library: Any, edit: Any) -> Any:
    state = net(library).state_dict()
    edit(library, state)
    return net(library).load_state_dict(state)


EDITS = {
    "missing": (lambda library, state: state.pop("tail.weight"), ["Missing key(s)", '"tail.weight"']),
    "unexpected": (lambda library, state: state.update(odd=library.ones(1)), ["Unexpected key(s)", '"odd"']),
    "unexpected in a layer": (
        lambda library, state: state.update({"head.odd": library.ones(1)}),
        ['"head.odd"'],
    ),
    "no layer": (
        lambda library, state: state.update({"nowhere.weight": library.ones(1)}),
        ['"nowhere.weight"'],
    ),
    "size": (
        lambda library, state: state.update({"head.weight": library.ones(4, 5)}),
        ["size mismatch for head.weight", "(4, 5)", "(4, 3)"],
    ),
    "kind": (lambda library, state: state.update({"head.weight": [1.0]}), ["head.weight", "list"]),
}


@pytest.mark.parametrize(("edit", "facts"), EDITS.values(), ids=list(EDITS))
def test_what_does_not_fit_is_named(edit: Any, facts: list[str]) -> None:
    assert raised(lambda: edited(torch, edit)) == "RuntimeError"
    with pytest.raises(RuntimeError) as caught:
        edited(zerograd, edit)
    for fact in facts:
        assert fact in str(caught.value)
    assert "Sequential" in str(caught.value)


def test_all_problems_are_listed_at_once() -> None:
    state = net(zerograd).state_dict()
    state["head.weight"] = zerograd.ones(2, 2)
    del state["tail.weight"]
    with pytest.raises(RuntimeError) as caught:
        net(zerograd).load_state_dict(state)
    assert "size mismatch for head.weight" in str(caught.value)
    assert "tail.weight" in str(caught.value)


def test_a_wrappers_prefix_is_recognised() -> None:
    model = zerograd.nn.Linear(2, 2)
    with pytest.raises(RuntimeError, match=r"hint.*module\..*DataParallel"):
        model.load_state_dict(zerograd.nn.DataParallel(model).state_dict())


def test_no_dictionary_is_a_type_error() -> None:
    agree(lambda library: raised(lambda: net(library).load_state_dict(3)))


def test_a_scalar_may_come_with_one_dimension() -> None:
    def scenario(library: Any) -> Any:
        module = library.nn.Module()
        module.scale = library.nn.Parameter(library.tensor(1.0))
        module.load_state_dict({"scale": library.tensor([5.0])})
        return module.scale

    agree(scenario)


def test_values_are_converted_to_the_modules_dtype() -> None:
    def scenario(library: Any) -> Any:
        module = library.nn.Linear(2, 2)
        module.load_state_dict({name: value.double() for name, value in module.state_dict().items()})
        return module.weight.dtype

    agree(scenario)


def test_batch_normalizations_without_a_counter_can_be_loaded() -> None:
    def scenario(library: Any) -> Any:
        state = dict(library.nn.BatchNorm1d(2).state_dict())
        del state["num_batches_tracked"]
        module = library.nn.BatchNorm1d(2)
        return repr(module.load_state_dict(state)), module.num_batches_tracked

    agree(scenario)


def test_extra_state_is_saved_and_loaded() -> None:
    def scenario(library: Any) -> Any:
        class Counted(library.nn.Module):
            def __init__(self, count: int) -> None:
                super().__init__()
                self.count = count

            def get_extra_state(self) -> Any:
                return {"count": self.count}

            def set_extra_state(self, state: Any) -> None:
                self.count = state["count"]

        first, second = library.nn.Sequential(Counted(3)), library.nn.Sequential(Counted(0))
        second.load_state_dict(first.state_dict())
        missing = raised(lambda: second.load_state_dict({}))
        plain = raised(lambda: library.nn.Sequential(library.nn.ReLU()).load_state_dict(first.state_dict()))
        return dict(first.state_dict()), second[0].count, missing, plain

    agree(scenario)


def test_hooks_run_in_pytorchs_order_and_with_its_arguments() -> None:
    def scenario(library: Any) -> Any:
        model = net(library)
        calls: list[Any] = []
        model.head.register_state_dict_pre_hook(
            lambda module, prefix, keep_vars: calls.append(["pre", prefix, keep_vars])
        )
        model.head.register_state_dict_post_hook(
            lambda module, state, prefix, local: calls.append(["post", prefix, list(state), dict(local)])
        )
        model.norm._register_state_dict_hook(
            lambda module, state, prefix, local: state.pop(prefix + "bias") is None or None
        )
        model.register_load_state_dict_pre_hook(
            lambda module, state, prefix, *rest: state.setdefault("norm.bias", library.zeros(4)) is None
        )
        model.tail.register_load_state_dict_post_hook(lambda module, keys: calls.append(["loaded", keys.missing_keys]))
        handle = model.register_load_state_dict_post_hook(lambda module, keys: keys.unexpected_keys.clear())
        state = model.state_dict()
        state["odd"] = library.ones(1)
        loaded = repr(model.load_state_dict(state))
        handle.remove()
        return calls, loaded, raised(lambda: model.load_state_dict(state))

    agree(scenario)


def test_a_post_hook_must_not_return_anything() -> None:
    def scenario(library: Any) -> Any:
        first = library.nn.Linear(1, 1)
        first.register_state_dict_post_hook(lambda *args: {})
        second = library.nn.Linear(1, 1)
        second.register_load_state_dict_post_hook(lambda *args: 3)
        return raised(first.state_dict), raised(lambda: second.load_state_dict(library.nn.Linear(1, 1).state_dict()))

    agree(scenario)


def test_a_destination_can_be_given() -> None:
    def scenario(library: Any) -> Any:
        state: dict[str, Any] = {}
        returned = library.nn.Linear(1, 1).state_dict(destination=state, prefix="a.")
        return (
            returned is state,
            list(state),
            list(library.nn.Linear(1, 1).state_dict(OrderedDict(), "b.", True)),
        )

    agree(scenario)


def test_prefixes_are_consumed() -> None:
    def scenario(library: Any) -> Any:
        model = library.nn.DataParallel(library.nn.Linear(2, 2))
        state = model.state_dict()
        library.nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
        return list(state), dict(state._metadata), repr(library.nn.Linear(2, 2).load_state_dict(state))

    agree(scenario)

"""Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict. Each scenario runs in both libraries."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
from nn.scenarios import agree, numbers, raised

Make = Callable[[Any], Any]


def layers(library: Any, count: int = 3) -> list[Any]:
    return [library.nn.Linear(i + 1, i + 2) for i in range(count)]


def sequential(library: Any) -> Any:
    return library.nn.Sequential(*layers(library))


def listed(library: Any) -> Any:
    return library.nn.ModuleList(layers(library))


def keyed(library: Any) -> Any:
    return library.nn.ModuleDict({"b": library.nn.ReLU(), "a": library.nn.Linear(1, 1)})


def edit(make: Make, change: Callable[[Any, Any], Any]) -> Make:
    """The text of a container, and its state's names, after a change."""

    def scenario(library: Any) -> Any:
        container = make(library)
        result = change(library, container)
        left = container if result is None or isinstance(result, int) else result
        shown = repr(left) if isinstance(left, library.nn.Module) else left
        return shown, repr(container), list(container.state_dict()), len(container)

    return scenario


def relu(library: Any) -> Any:
    return library.nn.ReLU()


SEQUENTIAL: dict[str, Callable[[Any, Any], Any]] = {
    "index": lambda t, s: s[1],
    "last": lambda t, s: s[-1],
    "slice": lambda t, s: s[1:],
    "backwards": lambda t, s: s[::2],
    "set": lambda t, s: s.__setitem__(-1, relu(t)),
    "delete": lambda t, s: s.__delitem__(0),
    "delete slice": lambda t, s: s.__delitem__(slice(0, 2)),
    "add": lambda t, s: s + sequential(t),
    "extend in place": lambda t, s: s.__iadd__(sequential(t)),
    "times": lambda t, s: s * 2,
    "times from the left": lambda t, s: 2 * s,
    "times in place": lambda t, s: s.__imul__(3),
    "append": lambda t, s: s.append(relu(t)),
    "extend": lambda t, s: s.extend([relu(t), relu(t)]),
    "insert": lambda t, s: s.insert(1, relu(t)),
    "insert from the end": lambda t, s: s.insert(-1, relu(t)),
    "pop": lambda t, s: s.pop(1),
    "pop slice": lambda t, s: s.pop(slice(1, 3)),
    "iterate": lambda t, s: [repr(one) for one in s],
    "named": lambda t, s: t.nn.Sequential(OrderedDict(first=relu(t), second=relu(t)))[0:1],
}
LIST: dict[str, Callable[[Any, Any], Any]] = {
    "index": lambda t, s: s[1],
    "last": lambda t, s: s[-1],
    "slice": lambda t, s: s[1:],
    "set": lambda t, s: s.__setitem__(0, relu(t)),
    "delete": lambda t, s: s.__delitem__(1),
    "delete slice": lambda t, s: s.__delitem__(slice(1, None)),
    "add": lambda t, s: s + [relu(t)],  # noqa: RUF005
    "extend in place": lambda t, s: s.__iadd__([relu(t)]),
    "append": lambda t, s: s.append(relu(t)),
    "extend": lambda t, s: s.extend(listed(t)),
    "insert": lambda t, s: s.insert(0, relu(t)),
    "pop": lambda t, s: s.pop(-1),
    "repeated": lambda t, s: t.nn.ModuleList(
        [relu(t), relu(t), t.nn.Tanh(), t.nn.Sequential(relu(t)), t.nn.Sequential(relu(t))]
    ),
    "empty": lambda t, s: t.nn.ModuleList(),
    "iterate": lambda t, s: [repr(one) for one in s],
}
DICT: dict[str, Callable[[Any, Any], Any]] = {
    "get": lambda t, s: s["a"],
    "set": lambda t, s: s.__setitem__("c", relu(t)),
    "replace": lambda t, s: s.__setitem__("a", relu(t)),
    "delete": lambda t, s: s.__delitem__("a"),
    "contains": lambda t, s: ["a" in s, "z" in s],
    "keys": lambda t, s: list(s.keys()),
    "values": lambda t, s: [repr(one) for one in s.values()],
    "items": lambda t, s: [name for name, _ in s.items()],
    "iterate": lambda t, s: list(s),
    "pop": lambda t, s: s.pop("b"),
    "clear": lambda t, s: s.clear(),
    "update": lambda t, s: s.update({"z": relu(t), "y": relu(t)}),
    "update with pairs": lambda t, s: s.update([["z", relu(t)]]),
    "update with another": lambda t, s: s.update(t.nn.ModuleDict({"z": relu(t)})),
}
EDITS = (
    [pytest.param(sequential, change, id=f"Sequential-{name}") for name, change in SEQUENTIAL.items()]
    + [pytest.param(listed, change, id=f"ModuleList-{name}") for name, change in LIST.items()]
    + [pytest.param(keyed, change, id=f"ModuleDict-{name}") for name, change in DICT.items()]
)


@pytest.mark.parametrize(("make", "change"), EDITS)
def test_edits_have_pytorchs_result(make: Make, change: Callable[[Any, Any], Any]) -> None:
    agree(edit(make, change))


WRONG: dict[str, Callable[[Any], Any]] = {
    "index": lambda t: sequential(t)[3],
    "list index": lambda t: listed(t)[-4],
    "key": lambda t: keyed(t)["z"],
    "add": lambda t: sequential(t) + [relu(t)],  # noqa: RUF005
    "add in place": lambda t: sequential(t).__iadd__([relu(t)]),
    "times": lambda t: sequential(t) * 1.5,
    "times zero": lambda t: sequential(t) * 0,
    "times zero in place": lambda t: sequential(t).__imul__(0),
    "insert kind": lambda t: sequential(t).insert(0, 3),
    "insert place": lambda t: sequential(t).insert(9, relu(t)),
    "append kind": lambda t: sequential(t).append(3),
    "list of numbers": lambda t: t.nn.ModuleList([3]),
    "list of nothing": lambda t: listed(t).extend(3),
    "call a list": lambda t: listed(t)(t.ones(1)),
    "dict of nothing": lambda t: keyed(t).update(3),
    "dict of numbers": lambda t: keyed(t).update([3]),
    "dict of triples": lambda t: keyed(t).update([[1, 2, 3]]),
    "dict key": lambda t: keyed(t).update({"keys": relu(t)}),
    "parameters of a tensor": lambda t: t.nn.ParameterList(t.ones(2)),
    "call parameters": lambda t: t.nn.ParameterList()(1),
    "parameter index": lambda t: t.nn.ParameterList([t.ones(1)])[1],
    "parameter key": lambda t: t.nn.ParameterDict({"a": t.ones(1)})["b"],
    "parameter key kind": lambda t: t.nn.ParameterDict()[3],
    "call a parameter dictionary": lambda t: t.nn.ParameterDict()(1),
    "parameter dictionary of nothing": lambda t: t.nn.ParameterDict(3),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=list(WRONG))
def test_wrong_calls_raise_pytorchs_errors(wrong: Callable[[Any], Any]) -> None:
    agree(lambda library: raised(lambda: wrong(library)))


def test_sequential_computes_in_order() -> None:
    agree(lambda library: sequential(library)(numbers(library, 2, 1)))


def test_parameter_lists_register_tensors_and_keep_the_rest() -> None:
    def scenario(library: Any) -> Any:
        made = library.nn.ParameterList([library.ones(2), library.nn.Parameter(library.zeros(1, 3)), "text"])
        made.append(library.ones(1))
        made += [library.ones(4)]
        made[0] = library.zeros(5)
        made.extend([3])
        return (
            repr(made),
            len(made),
            [name for name, _ in made.named_parameters()],
            made[-2],
            repr(made[1:3]),
            [type(one).__name__ for one in made],
            made[0].requires_grad,
        )

    agree(scenario)


def test_parameter_dictionaries_register_tensors_and_keep_the_rest() -> None:
    def scenario(library: Any) -> Any:
        made = library.nn.ParameterDict({"b": library.ones(2), "a": library.nn.Parameter(library.zeros(1, 3))})
        made["text"] = "x"
        made.update({"z": library.ones(1), "y": library.ones(1)})
        other = made | library.nn.ParameterDict({"q": library.ones(1)})
        seen = [repr(made), list(made), list(other), list(reversed(made)), list(made.keys())]
        seen += [
            made.pop("a"),
            made.popitem()[0],
            made.get("none", 5),
            made.setdefault("new", library.ones(1)),
        ]
        seen += [
            list(made.copy()),
            "new" in made,
            len(made),
            list(made.fromkeys(["k"], library.ones(1)).state_dict()),
        ]
        del made["b"]
        seen += [[name for name, _ in made.items()], [name for name, _ in made.named_parameters()]]
        made |= library.nn.ParameterDict({"last": library.ones(1)})
        made.clear()
        return [*seen, len(made), repr(made)]

    agree(scenario)

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from nn.scenarios import agree, plain, run

import zerograd

Pair = collections.namedtuple("Pair", ["x", "y"])
Make = Callable[[Any], Any]

BATCHES: dict[str, Make] = {
    "tensors": lambda lib: [lib.ones(2), lib.zeros(2)],
    "tensors without dimensions": lambda lib: [lib.tensor(1), lib.tensor(2)],
    "tensors of two dtypes": lambda lib: [lib.ones(2), lib.ones(2, dtype=lib.float64)],
    "half precision": lambda lib: [lib.ones(2, dtype=lib.bfloat16)] * 2,
    "empty tensors": lambda lib: [lib.ones(0, 3)] * 2,
    "arrays": lambda lib: [np.ones((2, 2), "f4"), np.zeros((2, 2), "f4")],
    "arrays of bool": lambda lib: [np.array([True, False])] * 2,
    "arrays of two dtypes": lambda lib: [np.ones(2, "f4"), np.ones(2, "i8")],
    "NumPy numbers": lambda lib: [np.float32(1.5), np.float32(2)],
    "NumPy float64": lambda lib: [np.float64(1.5), np.float64(2)],
    "NumPy integers": lambda lib: [np.int32(1), np.int32(2)],
    "NumPy bools": lambda lib: [np.bool_(True), np.bool_(False)],
    "floats": lambda lib: [1.5, 2.0],
    "integers": lambda lib: [1, 2, 3],
    "bools": lambda lib: [True, False],
    "text": lambda lib: ["a", "b"],
    "bytes": lambda lib: [b"a", b"b"],
    "tuples": lambda lib: [(lib.ones(2), 1, "a"), (lib.zeros(2), 2, "b")],
    "lists": lambda lib: [[1, 2.0], [3, 4.0]],
    "named tuples": lambda lib: [Pair(1, lib.ones(1)), Pair(2, lib.ones(1))],
    "dictionaries": lambda lib: [{"a": 1, "b": {"c": lib.ones(1)}}, {"a": 2, "b": {"c": lib.ones(1)}}],
    "ordered dictionaries": lambda lib: [collections.OrderedDict(b=1, a=2.0)] * 2,
    "default dictionaries": lambda lib: [collections.defaultdict(list, a=1)] * 2,
}


@pytest.mark.parametrize("make", BATCHES.values(), ids=BATCHES)
def test_batches_are_torchs(make: Make) -> None:
    agree(lambda lib: lib.utils.data.default_collate(make(lib)))


@pytest.mark.parametrize("make", BATCHES.values(), ids=BATCHES)
def test_conversions_are_torchs(make: Make) -> None:
    agree(lambda lib: lib.utils.data.default_convert(make(lib)))


def test_containers_keep_their_type() -> None:
    for name in ("named tuples", "ordered dictionaries", "default dictionaries"):
        batch = zerograd.utils.data.default_collate(BATCHES[name](zerograd))
        assert type(batch) is type(BATCHES[name](zerograd)[0])


def test_arrays_of_text_stay_arrays() -> None:
    words = np.array(["a", "b"])
    assert zerograd.utils.data.default_convert(words) is words


WRONG: dict[str, Make] = {
    "objects": lambda lib: [object(), object()],
    "None": lambda lib: [None, None],
    "sets": lambda lib: [{1}, {2}],
    "arrays of text": lambda lib: [np.array(["a"])] * 2,
    "arrays of objects": lambda lib: [np.array([None])] * 2,
    "different shapes": lambda lib: [lib.ones(2), lib.ones(3)],
    "arrays of different shapes": lambda lib: [np.ones(2), np.ones(3)],
    "different lengths": lambda lib: [[1, 2], [3]],
    "missing keys": lambda lib: [{"a": 1}, {"b": 1}],
}


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG)
def test_what_cannot_be_collated_raises_the_type_that_torch_raises(make: Make) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011  torch says which
        torch.utils.data.default_collate(make(torch))
    with pytest.raises(theirs.type):
        zerograd.utils.data.default_collate(make(zerograd))


def test_types_of_ones_own_can_be_collated() -> None:
    class Length:
        def __init__(self, value: float) -> None:
            self.value = value

    def scenario(library: Any) -> Any:
        collate = import_collate(library)
        table = {Length: lambda batch, *, collate_fn_map: sum(one.value for one in batch)}
        table |= collate.default_collate_fn_map
        return collate.collate([(Length(1), 2), (Length(3), 4)], collate_fn_map=table)

    agree(scenario)


def import_collate(library: Any) -> Any:
    import importlib

    return importlib.import_module(f"{library.__name__}.utils.data._utils.collate")


def test_a_batch_of_samples_with_history_keeps_it() -> None:
    def scenario(library: Any) -> Any:
        x = library.ones(2, requires_grad=True)
        batch = library.utils.data.default_collate([x * 2, x * 3])
        batch.sum().backward()
        return x.grad

    agree(scenario)
    assert plain(run(scenario, zerograd), zerograd)

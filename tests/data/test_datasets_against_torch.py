from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from nn.scenarios import agree

import zerograd

Scenario = Callable[[Any], Any]


def squares(library: Any, n: int = 7) -> Any:
    class Squares(library.utils.data.Dataset):
        def __getitem__(self, index: int) -> int:
            if not -n <= index < n:
                raise IndexError(index)
            return index * index

        def __len__(self) -> int:
            return n

    return Squares()


def counting(library: Any, n: int = 4) -> Any:
    class Counting(library.utils.data.IterableDataset):
        def __iter__(self) -> Any:
            return iter(range(n))

        def __len__(self) -> int:
            return n

    return Counting()


def rows(library: Any, n: int = 6) -> Any:
    x = library.arange(2 * n).reshape(n, 2).float()
    return library.utils.data.TensorDataset(x, library.arange(n))


SCENARIOS: dict[str, Scenario] = {
    "rows of tensors": lambda lib: [rows(lib)[2], rows(lib)[-1], len(rows(lib)), rows(lib)[1:3]],
    "sum of datasets": lambda lib: list(squares(lib) + squares(lib, 2)),
    "concat": lambda lib: [
        (lib.utils.data.ConcatDataset([squares(lib, 3), squares(lib, 2)]))[index] for index in (0, 2, 3, 4, -1, -5)
    ],
    "ends of concat": lambda lib: lib.utils.data.ConcatDataset([squares(lib, 3), squares(lib, 2)]).cumulative_sizes,
    "chain": lambda lib: [list(counting(lib) + counting(lib, 2)), len(counting(lib) + counting(lib, 2))],
    "stack as tuples": lambda lib: [lib.utils.data.StackDataset(squares(lib), rows(lib, 7))[3]],
    "stack as dictionaries": lambda lib: lib.utils.data.StackDataset(a=squares(lib), b=rows(lib, 7))[3],
    "batch of a stack": lambda lib: lib.utils.data.StackDataset(
        a=squares(lib), b=lib.utils.data.Subset(rows(lib, 7), range(7))
    ).__getitems__([4, 1]),
    "batch of a stack of tuples": lambda lib: lib.utils.data.StackDataset(squares(lib), squares(lib)).__getitems__([2]),
    "subset": lambda lib: [list(lib.utils.data.Subset(squares(lib), [3, 1, 1])), len(lib.utils.data.Subset([1], [0]))],
    "subset of a list of indices": lambda lib: lib.utils.data.Subset(lib.arange(9), [3, 1, 5])[[0, 2]],
    "subset of a subset": lambda lib: lib.utils.data.Subset(
        lib.utils.data.Subset(rows(lib), [5, 3, 1]), [2, 0]
    ).__getitems__([1, 0]),
    "split": lambda lib: [list(part) for part in lib.utils.data.random_split(squares(lib), [3, 4])],
    "split by fractions": lambda lib: [
        part.indices for part in lib.utils.data.random_split(squares(lib, 10), [0.35, 0.35, 0.3])
    ],
    "split with a generator": lambda lib: [
        part.indices for part in lib.utils.data.random_split(range(9), [4, 5], lib.Generator().manual_seed(3))
    ],
    "subscripts": lambda lib: (
        issubclass(squares(lib).__class__, lib.utils.data.Dataset) and lib.utils.data.Dataset[int] is not None
    ),
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_datasets_give_the_samples_that_torch_gives(scenario: Scenario) -> None:
    agree(scenario)


WRONG: dict[str, Scenario] = {
    "a base class": lambda lib: lib.utils.data.Dataset()[0],
    "tensors of different lengths": lambda lib: lib.utils.data.TensorDataset(lib.ones(2), lib.ones(3)),
    "an empty concat": lambda lib: lib.utils.data.ConcatDataset([]),
    "concat of an iterable": lambda lib: lib.utils.data.ConcatDataset([counting(lib)]),
    "concat before the start": lambda lib: lib.utils.data.ConcatDataset([squares(lib)])[-9],
    "concat after the end": lambda lib: lib.utils.data.ConcatDataset([squares(lib)])[9],
    "chain of an indexed dataset": lambda lib: list(lib.utils.data.ChainDataset([squares(lib)])),
    "an empty stack": lambda lib: lib.utils.data.StackDataset(),
    "a stack of both kinds": lambda lib: lib.utils.data.StackDataset(squares(lib), a=squares(lib)),
    "a stack of different lengths": lambda lib: lib.utils.data.StackDataset(squares(lib), squares(lib, 2)),
    "a split of another length": lambda lib: lib.utils.data.random_split(squares(lib), [3, 3]),
    "a negative fraction": lambda lib: lib.utils.data.random_split(squares(lib), [1.5, -0.5]),
    "a subset that changes only __getitem__": lambda lib: type(
        "Mine", (lib.utils.data.Subset,), {"__getitem__": lambda self, index: 0}
    )(squares(lib), [0]),
}


@pytest.mark.parametrize("use", WRONG.values(), ids=WRONG)
def test_wrong_uses_raise_the_type_that_torch_raises(use: Scenario) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011  torch says which
        use(torch)
    with pytest.raises(theirs.type):
        use(zerograd)


def test_an_empty_part_of_a_split_warns() -> None:
    for library in (torch, zerograd):
        with pytest.warns(UserWarning, match="empty"):
            library.utils.data.random_split(squares(library, 2), [0.9, 0.05, 0.05])


def test_samples_are_windows_onto_the_dataset() -> None:
    def scenario(library: Any) -> Any:
        dataset = rows(library)
        dataset[1][0].add_(100)
        return dataset.tensors[0]

    agree(scenario)

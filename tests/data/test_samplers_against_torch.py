from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from nn.scenarios import agree

import zerograd

Scenario = Callable[[Any], Any]


def seeded(library: Any) -> Any:
    return library.Generator().manual_seed(11)


def drawn(make: Callable[[Any, Any], Any]) -> Scenario:
    """Two passes, the length, and what the global stream gives afterwards."""

    def scenario(library: Any) -> Any:
        sampler = make(library.utils.data, library)
        passes = [list(sampler), list(sampler)]
        return passes, len(sampler), library.rand(2)

    return scenario


SCENARIOS: dict[str, Scenario] = {
    "sequential": drawn(lambda d, lib: d.SequentialSampler(range(5))),
    "random": drawn(lambda d, lib: d.RandomSampler(range(50))),
    "random with a generator": drawn(lambda d, lib: d.RandomSampler(range(50), generator=seeded(lib))),
    "fewer samples": drawn(lambda d, lib: d.RandomSampler(range(50), num_samples=7)),
    "more samples": drawn(lambda d, lib: d.RandomSampler(range(5), num_samples=13)),
    "with replacement": drawn(lambda d, lib: d.RandomSampler(range(9), replacement=True, num_samples=100)),
    "with replacement, 64": drawn(lambda d, lib: d.RandomSampler(range(9), True, 64, generator=seeded(lib))),
    "random subset": drawn(lambda d, lib: d.SubsetRandomSampler([5, 3, 8, 1])),
    "random subset with a generator": drawn(lambda d, lib: d.SubsetRandomSampler([5, 3, 8], generator=seeded(lib))),
    "weighted": drawn(lambda d, lib: d.WeightedRandomSampler([0.1, 0.9, 0.4, 2.0], 20)),
    "weighted without replacement": drawn(lambda d, lib: d.WeightedRandomSampler([0.1, 0.9, 0.4, 2.0], 4, False)),
    "weighted by a tensor": drawn(lambda d, lib: d.WeightedRandomSampler(lib.arange(1, 5), 6, generator=seeded(lib))),
    "batches": drawn(lambda d, lib: d.BatchSampler(d.SequentialSampler(range(7)), 3, False)),
    "whole batches": drawn(lambda d, lib: d.BatchSampler(d.RandomSampler(range(7)), 3, True)),
    "batches of a list": drawn(lambda d, lib: d.BatchSampler([4, 2, 9], 2, False)),
}
for replicas, size in ((2, 10), (3, 10), (4, 2), (3, 9)):
    for drop_last in (False, True):
        for shuffle in (False, True):
            name = f"{size} samples on {replicas} processes, {drop_last=}, {shuffle=}"

            def make(d: Any, lib: Any, given: Any = (size, replicas, shuffle, drop_last)) -> Any:
                samples, processes, mixed, dropped = given
                return d.DistributedSampler(
                    range(samples), processes, processes - 1, shuffle=mixed, seed=5, drop_last=dropped
                )

            SCENARIOS[name] = drawn(make)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_orders_and_the_random_stream_are_torchs(scenario: Scenario) -> None:
    agree(scenario)


def test_each_epoch_of_a_distributed_sampler_has_its_own_order() -> None:
    def scenario(library: Any) -> Any:
        sampler = library.utils.data.DistributedSampler(range(12), 2, 0)
        orders = []
        for epoch in (0, 1, 5):
            sampler.set_epoch(epoch)
            orders.append(list(sampler))
        return orders

    agree(scenario)


WRONG: dict[str, Scenario] = {
    "replacement": lambda d: d.RandomSampler(range(3), replacement=1),
    "no samples": lambda d: d.RandomSampler(range(3), num_samples=0),
    "half a sample": lambda d: d.RandomSampler(range(3), num_samples=0.5),
    "an empty dataset": lambda d: d.RandomSampler([]),
    "weighted samples": lambda d: d.WeightedRandomSampler([1.0], True),
    "weighted replacement": lambda d: d.WeightedRandomSampler([1.0], 2, replacement=0),
    "a matrix of weights": lambda d: d.WeightedRandomSampler([[1.0, 2.0]], 2),
    "batch size": lambda d: d.BatchSampler(range(3), 0, False),
    "batch size that is a bool": lambda d: d.BatchSampler(range(3), True, False),
    "drop_last": lambda d: d.BatchSampler(range(3), 2, 1),
    "rank": lambda d: d.DistributedSampler(range(3), 2, 2),
    "no process group": lambda d: d.DistributedSampler(range(3)),
    "a base class": lambda d: iter(d.Sampler()),
}


@pytest.mark.parametrize("use", WRONG.values(), ids=WRONG)
def test_wrong_uses_raise_the_type_that_torch_raises(use: Scenario) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011  torch says which
        use(torch.utils.data)
    with pytest.raises(theirs.type):
        use(zerograd.utils.data)

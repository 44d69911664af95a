"""The part of a dataset that one of several processes trains on.

Source: torch.utils.data.distributed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from zerograd import errors
from zerograd.runtime.random import Generator, permutation
from zerograd.utils.data.dataset import Dataset
from zerograd.utils.data.sampler import Sampler


class DistributedSampler(Sampler[Any]):
    """Every `num_replicas`-th index, beginning with `rank`, of an order that all processes share.

    The order is made as long as a multiple of `num_replicas`: by repeating its beginning, or, with
    `drop_last`, by leaving out its end. It is shuffled anew by `set_epoch`, which each process must call in
    each epoch.

    Raises:
        ValueError: rank outside [0, num_replicas), or one of them missing.
    Source: torch.utils.data.distributed.DistributedSampler.
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            raise errors.value(
                "DistributedSampler needs num_replicas and rank, because no process group is initialized",
                num_replicas=num_replicas,
                rank=rank,
            )
        if not 0 <= rank < num_replicas:
            raise errors.value("rank must be in [0, num_replicas)", rank=rank, num_replicas=num_replicas)
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        whole, rest = divmod(self._size(), num_replicas)
        self.num_samples = whole + bool(rest and not drop_last)
        self.total_size = self.num_samples * num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def _size(self) -> int:
        return len(self.dataset)  # pyright: ignore[reportArgumentType]  # a dataset to share out has a length

    def __iter__(self) -> Iterator[Any]:
        size = self._size()
        if self.shuffle:
            indices = permutation(Generator().manual_seed(self.seed + self.epoch), size).tolist()
        else:
            indices = list(range(size))
        indices = list(itertools.islice(itertools.cycle(indices), self.total_size))
        return iter(indices[self.rank :: self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Chooses the order of the next pass; in another epoch it is another one.

        Source: torch.utils.data.distributed.DistributedSampler.set_epoch.
        """
        self.epoch = epoch

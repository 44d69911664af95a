"""What a worker process knows of itself."""

from __future__ import annotations

from typing import Any

from zerograd.frozen import Frozen


class WorkerInfo(Frozen):
    """What a worker knows of itself.

    Attributes:
        id: 0 to num_workers - 1.
        seed: of its random numbers; the loader's base seed plus `id`.
        dataset: its own copy.
    """

    __slots__ = ("dataset", "id", "num_workers", "seed")

    def __init__(self, id: int, num_workers: int, seed: int, dataset: Any) -> None:
        self.id, self.num_workers, self.seed, self.dataset = id, num_workers, seed, dataset


own: WorkerInfo | None = None  # set in worker processes


def get_worker_info() -> WorkerInfo | None:
    """In a worker process, what it knows of itself; None in the main process.

    Source: torch.utils.data.get_worker_info.
    """
    return own

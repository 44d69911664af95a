"""Several devices at once. Source: torch.nn.parallel."""

from zerograd.nn.parallel.data_parallel import DataParallel, data_parallel
from zerograd.nn.parallel.distributed import DistributedDataParallel

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]

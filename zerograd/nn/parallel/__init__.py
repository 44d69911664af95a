"""Several devices at once. Source: torch.nn.parallel."""

from zerograd.nn.parallel.data_parallel import DataParallel, data_parallel

__all__ = ["DataParallel", "data_parallel"]

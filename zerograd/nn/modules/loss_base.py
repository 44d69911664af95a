"""What all losses share: their reduction, and weights."""

from __future__ import annotations

from zerograd.nn import _reduction as _Reduction
from zerograd.nn.modules.module import Module
from zerograd.tensor.tensor import Tensor


class _Loss(Module):
    """What all losses share.

    Args:
        reduction: mean, sum or none: what is done with the single losses.
        size_average, reduce: the old form of ``reduction``.
    """

    reduction: str

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__()
        if size_average is not None or reduce is not None:
            reduction = _Reduction.legacy_get_string(size_average, reduce)
        self.reduction = reduction


class _WeightedLoss(_Loss):
    """A loss with a weight per class, or per element of a batch, kept as a buffer."""

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
        self.weight: Tensor | None

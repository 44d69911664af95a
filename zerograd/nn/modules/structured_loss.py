"""Losses of triplets and of sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zerograd import errors
from zerograd.nn import functional as F
from zerograd.nn.modules.distance import PairwiseDistance
from zerograd.nn.modules.loss_base import _Loss
from zerograd.tensor.tensor import Tensor


class TripletMarginLoss(_Loss):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) with the p-norm as distance d.

    Args:
        swap: use d(positive, negative) if it is smaller than d(anchor, negative).
    Source: torch.nn.TripletMarginLoss.

    Raises:
        ValueError: ``margin`` is not positive.
    """

    __module__ = "zerograd.nn.modules.loss"  # where PyTorch has it, and so pickles
    __constants__ = ["margin", "p", "eps", "swap", "reduction"]
    margin: float
    p: float
    eps: float
    swap: bool

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        _check_margin(self, margin)
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
            reduction=self.reduction,
        )


class TripletMarginWithDistanceLoss(_Loss):
    """TripletMarginLoss with a distance of one's own. Source: torch.nn.TripletMarginWithDistanceLoss.

    Raises:
        ValueError: ``margin`` is not positive.
    """

    __module__ = "zerograd.nn.modules.loss"  # where PyTorch has it, and so pickles
    __constants__ = ["margin", "swap", "reduction"]
    margin: float
    swap: bool

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        _check_margin(self, margin)
        self.distance_function = distance_function if distance_function is not None else PairwiseDistance()
        self.margin = margin
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


def _check_margin(loss: _Loss, margin: float) -> None:
    if margin <= 0:
        raise errors.value(f"{type(loss).__name__} needs a margin above 0, got {margin}")


class CTCLoss(_Loss):
    """The negative log-likelihood of a label sequence under all its alignments with a longer output.

    Args:
        blank: the class that stands for no label.
        zero_infinity: 0 for labels that are too long to be aligned.
    Source: torch.nn.CTCLoss.
    """

    __module__ = "zerograd.nn.modules.loss"  # where PyTorch has it, and so pickles
    __constants__ = ["blank", "reduction"]
    blank: int
    zero_infinity: bool

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(
        self,
        log_probs: Tensor,
        targets: Tensor,
        input_lengths: Tensor | Sequence[int],
        target_lengths: Tensor | Sequence[int],
    ) -> Tensor:
        return F.ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )

"""AdaptiveLogSoftmaxWithLoss: a softmax over many classes, in clusters of falling frequency."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from zerograd import errors
from zerograd.nn import functional as F
from zerograd.nn.modules.container import ModuleList, Sequential
from zerograd.nn.modules.linear import Linear
from zerograd.nn.modules.module import Module
from zerograd.tensor.functions.comparison import where
from zerograd.tensor.functions.joining import cat
from zerograd.tensor.tensor import Tensor


class _ASMoutput(NamedTuple):
    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-probabilities of the targets, and their negative mean as loss.

    The head predicts the most frequent classes [0, cutoffs[0]) and one entry for each cluster of rarer
    classes [cutoffs[i], cutoffs[i + 1]), within which a tail with a narrower projection predicts.

    Args:
        cutoffs: where the clusters begin, rising.
        div_value: how much narrower each projection is than the one before.
        head_bias: whether the head has a bias.
    Source: torch.nn.AdaptiveLogSoftmaxWithLoss.

    Raises:
        ValueError: cutoffs that do not rise within [1, n_classes - 1].
    """

    in_features: int
    n_classes: int
    cutoffs: list[int]
    div_value: float
    head_bias: bool
    head: Linear
    tail: ModuleList

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        cutoffs = list(cutoffs)
        rising = all(low < high for low, high in pairwise([0, *cutoffs, n_classes]))
        if not cutoffs or not rising or any(int(cutoff) != cutoff for cutoff in cutoffs):
            raise errors.value(
                f"cutoffs are integers that rise between 1 and {n_classes - 1} (n_classes - 1), got {cutoffs}"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, device=device, dtype=dtype)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(pairwise(self.cutoffs)):
            width = int(in_features // (div_value ** (i + 1)))
            self.tail.append(
                Sequential(
                    Linear(in_features, width, bias=False, device=device, dtype=dtype),
                    Linear(width, high - low, bias=False, device=device, dtype=dtype),
                )
            )

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        self.head.reset_parameters()
        for narrow, wide in self.tail:
            narrow.reset_parameters()
            wide.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        self._check(input_, target_)
        batched = target_.dim() > 0
        input, target = (input_, target_) if batched else (input_.unsqueeze(0), target_.unsqueeze(0))
        head = F.log_softmax(self.head(input), dim=1)
        output = head.gather(1, target.clamp(0, self.shortlist_size - 1).unsqueeze(1)).squeeze(1)
        for i, (low, high) in enumerate(pairwise(self.cutoffs)):
            inside = (target >= low) & (target < high)
            rows = inside.nonzero().squeeze(1)
            if rows.numel() == 0:
                continue
            within = F.log_softmax(self.tail[i](input.index_select(0, rows)), dim=1)
            found = within.gather(1, (target.index_select(0, rows) - low).unsqueeze(1)).squeeze(1)
            rare = head[:, self.shortlist_size + i].index_add(0, rows, found)
            output = where(inside, rare, output)
        return _ASMoutput(output if batched else output.squeeze(0), (-output).mean())

    def _check(self, input: Tensor, target: Tensor) -> None:
        if target.dim() > 1:
            raise errors.runtime("target needs 0 or 1 dimensions: one class per sample", target=list(target.shape))
        if input.dim() != target.dim() + 1:
            raise errors.runtime(
                f"a {target.dim()}D target needs a {target.dim() + 1}D input",
                input=list(input.shape),
                target=list(target.shape),
            )
        if target.dim() == 1 and input.shape[0] != target.shape[0]:
            raise errors.runtime(
                "input and target differ in their batch size",
                input=list(input.shape),
                target=list(target.shape),
            )
        if target.numel():
            low, high = target.min().item(), target.max().item()
            if low < 0 or high >= self.n_classes:
                raise errors.runtime(f"targets lie in [0, {self.n_classes - 1}], but these lie in [{low}, {high}]")

    def _get_full_log_prob(self, input: Tensor, head_output: Tensor) -> Tensor:
        """Log-probabilities of all classes, from the input and what the head makes of it."""
        head = F.log_softmax(head_output, dim=1)
        parts = [head[:, : self.shortlist_size]]
        for i, tail in enumerate(self.tail):
            parts.append(F.log_softmax(tail(input), dim=1) + head[:, self.shortlist_size + i].unsqueeze(1))
        return cat(parts, dim=1)

    def log_prob(self, input: Tensor) -> Tensor:
        """Log-probabilities of all classes: (N, in_features) to (N, n_classes)."""
        return self._get_full_log_prob(input, self.head(input))

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of each sample: (N, in_features) to (N)."""
        head_output = self.head(input)
        output = head_output.argmax(dim=1)
        rare = output >= self.shortlist_size
        if not rare.any():
            return output
        return where(rare, self._get_full_log_prob(input, head_output).argmax(dim=1), output)

"""Distances between vectors: PairwiseDistance, CosineSimilarity."""

from __future__ import annotations

from zerograd.nn import functional as F
from zerograd.nn.modules.module import Module
from zerograd.tensor.tensor import Tensor


class PairwiseDistance(Module):
    """The p-norm of ``x1 - x2 + eps`` over the last dimension. Source: torch.nn.PairwiseDistance."""

    __constants__ = ["norm", "eps", "keepdim"]
    norm: float
    eps: float
    keepdim: bool

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(Module):
    """The cosine of the angle between ``x1`` and ``x2`` along ``dim``. Source: torch.nn.CosineSimilarity."""

    __constants__ = ["dim", "eps"]
    dim: int
    eps: float

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)

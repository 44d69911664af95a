"""Softmax and its kin, with the old default dimension; draws from a softmax."""

from __future__ import annotations

import warnings
from typing import Any

from zerograd.dtypes import dtype
from zerograd.ir.graph import Node, TensorType
from zerograd.ops import elementwise as ew
from zerograd.ops import softmax as ops
from zerograd.ops.indexing import scatter
from zerograd.ops.movement import zeros_of
from zerograd.ops.reduction import argmax
from zerograd.ops.source import ones_like
from zerograd.runtime import random
from zerograd.shapes import axis as one_axis
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply
from zerograd.tensor.functions import reductions
from zerograd.tensor.functions.refusals import FLOATING, require


def _dimension(name: str, input: Any, dim: int | None, stacklevel: int) -> int:
    """``dim``, or the one that PyTorch used to choose: 0 for 0, 1 and 3 dimensions, else 1."""
    if dim is not None:
        return dim
    warnings.warn(
        f"{name} without dim is deprecated: the dimension is chosen from the number of dimensions; write dim=...",
        stacklevel=stacklevel,
    )
    return 0 if len(input._shape) in (0, 1, 3) else 1


def softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: dtype | None = None) -> Any:
    """exp(x) / sum(exp(x)) along ``dim``, without overflow.

    Args:
        dtype: convert the input to this dtype first.
    Source: torch.nn.functional.softmax.
    """
    return reductions.softmax(input, _dimension("softmax", input, dim, _stacklevel), dtype)


def softmin(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: dtype | None = None) -> Any:
    """The softmax of ``-input``. Source: torch.nn.functional.softmin."""
    return reductions.softmin(input, _dimension("softmin", input, dim, _stacklevel), dtype)


def log_softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: dtype | None = None) -> Any:
    """log of the softmax along ``dim``, accurate where that is nearly 0 or 1; see ``softmax``.

    Source: torch.nn.functional.log_softmax.
    """
    return reductions.log_softmax(input, _dimension("log_softmax", input, dim, _stacklevel), dtype)


def _gumbel(x: Node, draws: Node, tau: float, dim: int, hard: bool) -> Node:
    require("gumbel_softmax", x, FLOATING)
    axis = one_axis(dim, x.rank)
    scores = ew.times(ew.sub(x, ew.log(draws)), 1 / tau)
    soft = ops.softmax(scores, axis=axis)
    if not hard:
        return soft
    chosen = argmax(soft, axis=axis)
    values = ones_like(ew.convert(chosen, x.dtype))
    exact = scatter(zeros_of(x.type), chosen, values, axis=axis)
    return ew.add(ew.sub(exact, ew.stop(soft)), soft)


def _hard_gumbel(x: Node, draws: Node, tau: float, dim: int) -> Node:
    return _gumbel(x, draws, tau, dim, True)


def _soft_gumbel(x: Node, draws: Node, tau: float, dim: int) -> Node:
    return _gumbel(x, draws, tau, dim, False)


_hard_gumbel.label = "AddBackward0"  # pyright: ignore[reportFunctionMemberAccess]
_soft_gumbel.label = "SoftmaxBackward0"  # pyright: ignore[reportFunctionMemberAccess]


def gumbel_softmax(logits: Any, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Any:
    """A draw from the Gumbel-softmax distribution: softmax((logits + noise) / tau).

    Args:
        tau: the temperature; towards 0 the draws become one-hot.
        hard: give one-hot draws, with the gradients of the soft ones.
        eps: without meaning, as in PyTorch.
    Source: torch.nn.functional.gumbel_softmax.
    """
    if eps != 1e-10:
        warnings.warn("gumbel_softmax: eps changes nothing and will go; leave it out", stacklevel=2)
    shape, kind = logits._shape, logits.dtype
    drawn = random.drawn(lambda: random.exponential(None, shape, kind))
    draws = TensorBase.of_array(drawn, TensorType(shape, kind))
    return apply(_hard_gumbel if hard else _soft_gumbel, (logits, draws), (float(tau), dim))

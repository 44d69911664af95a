"""Keeping gradients small: by their norm, or by their values."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from types import GeneratorType
from typing import Any

from zerograd import errors
from zerograd.autograd.grad_mode import no_grad
from zerograd.tensor.door import remembered
from zerograd.tensor.functions.data import tensor
from zerograd.tensor.functions.joining import stack
from zerograd.tensor.tensor import Tensor

Tensors = Tensor | Iterable[Tensor]


def _norm(x: Tensor, order: float) -> Tensor:
    """The vector norm of all elements."""
    if order == 2.0:
        return x.square().sum().sqrt()
    if order == math.inf:
        return x.abs().amax()
    if order == -math.inf:
        return x.abs().amin()
    if order == 0.0:
        return x.ne(0).sum().to(x.dtype)
    if order == 1.0:
        return x.abs().sum()
    return x.abs().pow(order).sum().pow(1.0 / order)


@remembered
def _total_norm(tensors: Any, *, order: float) -> Tensor:
    return _norm(stack([_norm(x, order) for x in tensors]), order)


@no_grad()
def get_total_norm(
    tensors: Tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The norm of all elements of ``tensors`` together.

    Args:
        norm_type: the order of the norm; inf is the largest absolute value.
        error_if_nonfinite: raise if the norm is infinite or NaN.
        foreach: accepted; changes nothing.
    Raises:
        RuntimeError: as ``error_if_nonfinite`` asks.
    Source: torch.nn.utils.get_total_norm.
    """
    members = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    order = float(norm_type)
    if not members:
        return tensor(0.0)
    total = _total_norm(members, order=order)
    if error_if_nonfinite and not total.isfinite():
        raise errors.runtime(
            f"the gradients have the norm {total.item()} of order {norm_type}, so they cannot be clipped",
            hint="find the layer with torch.autograd.detect_anomaly(), or pass error_if_nonfinite=False",
        )
    return total


@no_grad()
def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale the gradients of ``parameters``, in place, by max_norm / total_norm if that is less than 1.

    Source: torch.nn.utils.clip_grads_with_norm_.
    """
    members = [parameters] if isinstance(parameters, Tensor) else parameters
    _scale([one.grad for one in members if one.grad is not None], float(max_norm), total_norm)


def _scale(grads: list[Tensor], max_norm: float, total_norm: Tensor) -> None:
    """Scale tensors in place: all at once if that can be done."""
    if _are_apart(grads):
        _scaled.into(grads, grads, max_norm, total_norm)  # pyright: ignore[reportFunctionMemberAccess]
        return
    factor = _factor(max_norm, total_norm)
    for grad in grads:
        grad.mul_(factor)


def _are_apart(grads: list[Tensor]) -> bool:
    """Whether there are tensors, simple ones, and each has memory of its own."""
    simple = all([one._plain for one in grads])  # noqa: C419  faster
    return simple and len({id(one._storage) for one in grads}) == len(grads) > 0


def _factor(max_norm: Any, total_norm: Tensor) -> Tensor:
    return (max_norm / (total_norm + 1e-6)).clamp(max=1.0)


@remembered
def _scaled(tensors: Any, max_norm: Any, total_norm: Tensor) -> list[Tensor]:
    factor = _factor(max_norm, total_norm)
    return [x * factor for x in tensors]


def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients of ``parameters``, in place, so that their norm together is at most ``max_norm``.

    Returns:
        the norm before.
    Raises:
        RuntimeError: the norm is not finite, with ``error_if_nonfinite``.
    Source: torch.nn.utils.clip_grad_norm_.
    """
    max_norm = float(max_norm)
    members = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not members and isinstance(parameters, GeneratorType):
        warnings.warn(
            "clip_grad_norm_ clips nothing: the generator of parameters is empty, perhaps used up before",
            stacklevel=2,
        )
    grads = [grad for one in members if (grad := one.grad) is not None]
    total = get_total_norm(grads, norm_type, error_if_nonfinite, foreach)
    with no_grad():
        _scale(grads, max_norm, total)
    return total


def clip_grad_norm(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The old name of `clip_grad_norm_`. Source: torch.nn.utils.clip_grad_norm (deprecated)."""
    warnings.warn("clip_grad_norm is deprecated: its name is clip_grad_norm_ now", FutureWarning, stacklevel=2)
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


@no_grad()
def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Clamp the gradients of ``parameters``, in place, to [-clip_value, clip_value].

    Source: torch.nn.utils.clip_grad_value_.
    """
    members = [parameters] if isinstance(parameters, Tensor) else parameters
    bound = float(clip_value)
    grads = [grad for one in members if (grad := one.grad) is not None]
    if _are_apart(grads):
        _clamped.into(grads, grads, -bound, bound)  # pyright: ignore[reportFunctionMemberAccess]
        return
    for grad in grads:
        grad.clamp_(min=-bound, max=bound)


@remembered
def _clamped(tensors: Any, low: Any, high: Any) -> list[Tensor]:
    return [x.clamp(min=low, max=high) for x in tensors]

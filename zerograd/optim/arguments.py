"""Checks of hyper-parameters; each raises ValueError with the name and the value."""

from __future__ import annotations

from zerograd import errors
from zerograd.tensor.tensor import Tensor


def check_lr(lr: float | Tensor) -> None:
    """A learning rate is a number of at least 0, or a tensor with one such element."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise errors.value("a learning rate has one element", lr=f"{lr.dtype} {list(lr.shape)}")
    check_not_negative("lr", lr)


def check_not_negative(name: str, value: float | Tensor) -> None:
    if not value >= 0.0:
        raise errors.value(f"{name} must be at least 0, but is {value}")


def check_betas(betas: tuple[float | Tensor, float | Tensor]) -> None:
    for index in (0, 1):
        if not 0.0 <= betas[index] < 1.0:
            raise errors.value(f"betas[{index}] must be in [0, 1)", betas=betas)


def check_implementation(*, foreach: bool | None, fused: bool | None, differentiable: bool) -> None:
    """The three switches change nothing here, but PyTorch refuses some combinations."""
    if fused and differentiable:
        raise errors.runtime("fused and differentiable exclude each other", hint="leave out fused")
    if fused and foreach:
        raise errors.runtime("fused and foreach exclude each other", hint="leave out both: they change nothing")


def scalar(value: float | Tensor) -> float | Tensor:
    """A tensor of one element without dimensions, so that it works like a number."""
    return value.squeeze() if isinstance(value, Tensor) and value.dim() != 0 else value


def is_zero(value: float | Tensor) -> bool:
    """Whether a number is known to be 0; a tensor is not read."""
    return value == 0 if value.__class__ in (float, int) else not isinstance(value, Tensor) and value == 0

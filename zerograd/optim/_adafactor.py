"""Adafactor: mean squares kept as one row and one column per matrix."""

from __future__ import annotations

from typing import Any

from zerograd import errors
from zerograd.optim.arguments import check_lr, check_not_negative, is_zero, scalar
from zerograd.optim.optimizer import Group, ParamsT
from zerograd.optim.rule import Number, Rule, Situation, States, for_each_parameter
from zerograd.tensor.functions.creation import zeros_like
from zerograd.tensor.tensor import Tensor


@for_each_parameter(states=3)
def update(
    p: Tensor,
    g: Tensor,
    row: Tensor | None,
    column: Tensor | None,
    v: Tensor | None,
    rate: Number,
    renewal: Number,
    smallest_scale: Number,
    clipping: Number,
    keep: Number,
    *,
    eps: float | None,
    has_decay: bool,
    maximize: bool,
) -> tuple[Tensor | None, ...]:
    if maximize:
        g = -g
    if eps is None:
        eps = float(p.dtype.limits.eps)
    step_size = _rms(p).clamp(min=smallest_scale) * rate
    if has_decay:
        p = keep * p
    squares = g * g
    if row is not None and column is not None:
        row = _renewed(row, squares.mean(-1, keepdim=True), renewal)
        column = _renewed(column, squares.mean(-2, keepdim=True), renewal)
        estimate = row @ column / row.mean(-2, keepdim=True).clamp(min=eps)
    else:
        assert v is not None
        v = estimate = _renewed(v, squares, renewal)
    direction = g * estimate.clamp(min=eps * eps).rsqrt()
    return p - step_size / (_rms(direction) / clipping).clamp(min=1.0) * direction, row, column, v


def _renewed(mean: Tensor, value: Tensor, share: Number) -> Tensor:
    """The running mean with a share of the new value."""
    return mean + share * (value - mean)


def _rms(x: Tensor) -> Tensor:
    """The root of the mean square of all elements, shape ()."""
    return x.norm(2) / x.numel() ** 0.5


class Adafactor(Rule):
    """Adam without momentum, whose mean squares of a matrix are the product of a row and a column.

    Parameters with one or no dimension keep all mean squares. The step is relative to the root mean square of
    the parameter and is clipped.

    Args:
        beta2_decay: the means are renewed by step ** beta2_decay.
        eps: the smallest mean square is eps[0] ** 2 (None: the machine's precision in the parameter's dtype),
            the smallest scale of a parameter is eps[1].
        d: the largest root mean square of a direction.
    Raises:
        ValueError: a negative lr, eps or weight_decay, beta2_decay above 0 or d below 1.
        RuntimeError: a complex parameter.
    Source: torch.optim.Adafactor.
    """

    names = ("row_var", "col_var", "variance")
    update = staticmethod(update)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_lr(lr)
        if not beta2_decay <= 0.0:
            raise errors.value("beta2_decay must be at most 0", beta2_decay=beta2_decay)
        if eps[0] is not None:
            check_not_negative("eps[0]", eps[0])
        check_not_negative("eps[1]", eps[1])
        if not d >= 1.0:
            raise errors.value("d must be at least 1", d=d)
        check_not_negative("weight_decay", weight_decay)
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check_single(self, param: Tensor, grad: Tensor) -> None:
        if param.is_complex():
            raise errors.runtime(
                "Adafactor has no rule for complex parameters", got=f"{param.dtype} {list(param.shape)}"
            )
        super().check_single(param, grad)

    def init_single(self, param: Tensor, group: Group) -> States:
        if param.dim() < 2:
            return {"variance": zeros_like(param)}
        *batch, rows, columns = param.shape
        return {
            "row_var": param.new_zeros((*batch, rows, 1)),
            "col_var": param.new_zeros((*batch, 1, columns)),
        }

    def schedule(self, group: Group, situation: Situation) -> tuple[tuple[Number, ...], dict[str, Any]]:
        situation.numbers["step"] += 1
        step = situation.numbers["step"]
        lr, (eps, smallest_scale), decay = scalar(group["lr"]), group["eps"], group["weight_decay"]
        numbers = (
            min(lr, 1 / step**0.5),
            step ** group["beta2_decay"],
            smallest_scale,
            group["d"],
            1 - lr * decay,
        )
        return numbers, {"eps": eps, "has_decay": not is_zero(decay), "maximize": group["maximize"]}

"""SparseAdam: Adam for gradients that hold only some rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zerograd import errors
from zerograd.autograd.grad_mode import no_grad
from zerograd.optim.arguments import check_betas, check_lr, scalar
from zerograd.optim.optimizer import Group, Optimizer, ParamsT, loss_of
from zerograd.tensor.functions.creation import zeros_like
from zerograd.tensor.tensor import Tensor


class SparseAdam(Optimizer):
    """Adam in which only the rows that a sparse gradient names are updated, and their means.

    Raises:
        ValueError: lr or eps not above 0, a beta outside [0, 1), a sparse or complex parameter.
        RuntimeError: a dense gradient.
    Source: torch.optim.SparseAdam.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        check_lr(lr)
        for name, value in (("lr", lr), ("eps", eps)):
            if not value > 0.0:
                raise errors.value(f"{name} must be above 0, but is {value}")
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        for position, group in enumerate(self.param_groups):
            for index, param in enumerate(group["params"]):
                for property_, has_it in (("sparse", param.is_sparse), ("complex", param.is_complex())):
                    if has_it:
                        raise errors.value(
                            "SparseAdam needs dense real parameters, but "
                            f"parameter {index} of group {position} is {property_}"
                        )

    @no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Changes the named rows of each parameter that has a gradient once.

        Args:
            closure: computes the loss and its gradients anew.
        Returns:
            The loss of the closure, None without one.
        """
        loss = loss_of(closure)
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    self._step_one(param, group)
        return loss

    def _step_one(self, param: Tensor, group: Group) -> None:
        grad = param.grad
        if not grad.is_sparse:
            raise errors.runtime(
                "SparseAdam has no rule for dense gradients",
                gradient=f"{grad.dtype} {list(grad.shape)}",
                hint="use Adam",
            )
        state = self.state[param]
        if not state:
            state.update({"step": 0, "exp_avg": zeros_like(param), "exp_avg_sq": zeros_like(param)})
        state["step"] += 1
        grad = grad.coalesce()
        rows, g = tuple(grad.indices()), grad.values()
        if group.get("maximize", False):
            g = -g
        beta1, beta2 = group["betas"]
        m = state["exp_avg"][rows]
        v = state["exp_avg_sq"][rows]
        m = m + (1 - beta1) * (g - m)
        v = v + (1 - beta2) * (g * g - v)
        state["exp_avg"][rows] = m
        state["exp_avg_sq"][rows] = v
        step = state["step"]
        step_size = scalar(group["lr"]) * (1 - beta2**step) ** 0.5 / (1 - beta1**step)
        param[rows] = param[rows] - step_size * m / (v.sqrt() + group["eps"])

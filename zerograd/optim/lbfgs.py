"""L-BFGS: Newton's direction from the last changes of the gradient, with an optional line search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zerograd import errors
from zerograd.autograd.grad_mode import enable_grad, no_grad
from zerograd.optim.arguments import check_lr, scalar
from zerograd.optim.line_search import Point, strong_wolfe
from zerograd.optim.optimizer import Group, Optimizer, ParamsT
from zerograd.tensor.functions.complex_numbers import view_as_real
from zerograd.tensor.functions.joining import cat
from zerograd.tensor.tensor import Tensor

Closure = Callable[[], Any]
State = dict[str, Any]


class LBFGS(Optimizer):
    """Minimises with an estimate of the inverse Hessian from the last `history_size` steps.

    One `step` makes up to `max_iter` iterations and calls the closure up to `max_eval` times, and it reads
    losses and gradients, so it cannot be recorded ahead. All parameters form one vector.

    Args:
        max_eval: default max_iter * 5 // 4.
        tolerance_grad: stop when no element of the gradient is larger.
        tolerance_change: stop when no element of the step, or the change of the loss, is larger.
        line_search_fn: None or "strong_wolfe".
    Raises:
        ValueError: a negative lr, or more than one parameter group.
        RuntimeError: an unknown line_search_fn (in `step`).
    Source: torch.optim.LBFGS.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_lr(lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise errors.value("LBFGS takes one parameter group", groups=len(self.param_groups))

    @property
    def _params(self) -> list[Tensor]:
        return self.param_groups[0]["params"]

    @no_grad()
    def step(self, closure: Closure) -> Any:
        """Minimises until a tolerance or a bound is met.

        Args:
            closure: clears the gradients, computes the loss and its gradients, returns the loss.
        Returns:
            The first loss of the closure.
        """
        closure = enable_grad()(closure)
        group = self.param_groups[0]
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise errors.runtime(
                "line_search_fn is None or 'strong_wolfe'", line_search_fn=repr(group["line_search_fn"])
            )
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = closure()
        state["func_evals"] += 1
        grad = self._flat_grad()
        if not _is_flat(grad, group):
            self._minimise(closure, group, state, float(first_loss), grad)
        return first_loss

    def _minimise(self, closure: Closure, group: Group, state: State, loss: float, grad: Tensor) -> None:
        evaluations = 1
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            direction = _direction(state, grad, group["history_size"])
            t = _first_step(state, grad, scalar(group["lr"]))
            slope = grad.dot(direction)
            state.update(d=direction, t=t, prev_flat_grad=grad.clone(), prev_loss=loss)
            if slope > -group["tolerance_change"]:
                break
            previous_loss = loss
            before = evaluations
            if group["line_search_fn"] is not None:
                start = Point(0, loss, grad.clone(), slope)
                end, used = strong_wolfe(
                    self._evaluator(closure, direction), start, t, direction, group["max_eval"] - evaluations
                )
                loss, grad, t = end.loss, end.grad, end.t
                evaluations += used
                self._move(t, direction)
            else:
                self._move(t, direction)
                if iteration != group["max_iter"]:
                    loss, grad = float(closure()), self._flat_grad()
                    evaluations += 1
            state["t"] = t
            state["func_evals"] += evaluations - before
            if (
                evaluations >= group["max_eval"]
                or _is_flat(grad, group)
                or (direction * t).abs().max() <= group["tolerance_change"]
                or abs(loss - previous_loss) < group["tolerance_change"]
            ):
                break

    def _evaluator(self, closure: Closure, direction: Tensor) -> Callable[[Any], tuple[float, Tensor]]:
        """Loss and gradient at a distance along the direction from here."""
        here = [param.clone() for param in self._params]

        def evaluate(t: Any) -> tuple[float, Tensor]:
            self._move(t, direction)
            loss, grad = float(closure()), self._flat_grad()
            for param, value in zip(self._params, here, strict=True):
                param.copy_(value)
            return loss, grad

        return evaluate

    def _flat_grad(self) -> Tensor:
        """All gradients in one vector, zero where there is none."""
        return cat(
            [_real(param if param.grad is None else param.grad, empty=param.grad is None) for param in self._params]
        )

    def _move(self, t: Any, direction: Tensor) -> None:
        """Adds t * direction to the parameters."""
        offset = 0
        for param in self._params:
            values = view_as_real(param) if param.is_complex() else param
            part = direction[offset : offset + values.numel()]
            values.add_((part * t).view_as(values))
            offset += values.numel()


def _real(x: Tensor, *, empty: bool) -> Tensor:
    """The elements of x, or as many zeros, in a vector of real numbers."""
    if x.is_complex():
        x = view_as_real(x)
    x = x.reshape(-1)
    return x.new_zeros(x.shape) if empty else x


def _is_flat(grad: Tensor, group: Group) -> bool:
    return bool(grad.abs().max() <= group["tolerance_grad"])


def _first_step(state: State, grad: Tensor, lr: Any) -> Any:
    """How far to go at first: lr, but in the very first iteration not further than a unit step downhill."""
    return min(1.0, 1.0 / grad.abs().sum()) * lr if state["n_iter"] == 1 else lr


def _direction(state: State, grad: Tensor, history_size: int) -> Tensor:
    """- H @ grad, H the estimate of the inverse Hessian; takes the last step into the history.

    Source: Nocedal and Wright, "Numerical Optimization", algorithm 7.4 (two loops).
    """
    if state["n_iter"] == 1:
        state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
        return -grad
    changes, steps, inverses = state["old_dirs"], state["old_stps"], state["ro"]
    change = grad - state["prev_flat_grad"]
    step = state["d"] * state["t"]
    curvature = change.dot(step)
    if curvature > 1e-10:  # otherwise H would not stay positive definite
        if len(changes) == history_size:
            for history in (changes, steps, inverses):
                history.pop(0)
        changes.append(change)
        steps.append(step)
        inverses.append(1.0 / curvature)
        state["H_diag"] = curvature / change.dot(change)
    weights = state.setdefault("al", [None] * history_size)
    q = -grad
    for index in reversed(range(len(changes))):
        weights[index] = steps[index].dot(q) * inverses[index]
        q = q - weights[index] * changes[index]
    q = q * state["H_diag"]
    for index in range(len(changes)):
        weight = changes[index].dot(q) * inverses[index]
        q = q + (weights[index] - weight) * steps[index]
    return q

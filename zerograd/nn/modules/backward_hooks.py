"""Backward hooks of modules: two gates through which the gradients of a call pass."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from zerograd import errors
from zerograd.autograd.function import Function
from zerograd.autograd.grad_mode import is_grad_enabled
from zerograd.tensor.tensor import Tensor

if TYPE_CHECKING:
    from zerograd.nn.modules.module import Module

Grads = tuple[Tensor | None, ...]


class BackwardHookFunction(Function):
    """The identity; the gradients that come back go to a callback, and on goes what it returns."""

    @staticmethod
    def forward(ctx: Any, on_backward: Callable[[Grads], Grads], zeros: bool, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.on_backward = on_backward
        ctx.set_materialize_grads(zeros)
        views = tuple(tensor.view_as(tensor) for tensor in tensors)
        ctx.mark_non_differentiable(
            *(view for view, tensor in zip(views, tensors, strict=True) if not tensor.requires_grad)
        )
        return views

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        return None, None, *ctx.on_backward(grads)


class BackwardHooks:
    """The hooks of one call. Gradients meet the output gate first, then the input gate.

    Without an input that needs a gradient there is no input gate, and the hooks run at the output gate, with a
    warning unless ``quiet``.
    """

    def __init__(
        self,
        module: Module,
        hooks: Sequence[Callable[..., Any]],
        pre: Sequence[Callable[..., Any]],
        quiet: bool = False,
    ) -> None:
        self.quiet = quiet
        self.module = module
        self.hooks = hooks
        self.pre = pre
        self.inputs = 0
        self.input_positions: list[int] | None = None
        self.output_positions: list[int] | None = None
        self.grad_output: Grads | None = None

    def on_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments as seen through the input gate."""
        self.inputs = len(args)
        args, self.input_positions = _gate(args, self._at_inputs, zeros=True)
        return args

    def on_outputs(self, result: Any) -> Any:
        """The result as seen through the output gate."""
        if not isinstance(result, (Tensor, tuple)):
            if self.quiet:
                return result
            warnings.warn(
                f"the backward hooks of {self.module._get_name()} cannot run: they see outputs that are a tensor or a"
                f" tuple, but this is a {type(result).__name__}",
                stacklevel=5,
            )
            return result
        outputs = result if isinstance(result, tuple) else (result,)
        self.outputs = len(outputs)
        outputs, self.output_positions = _gate(outputs, self._at_outputs, zeros=False)
        return outputs if isinstance(result, tuple) else outputs[0]

    def _at_outputs(self, grads: Grads) -> Grads:
        assert self.output_positions is not None
        grad_output = _spread(grads, self.output_positions, self.outputs)
        for hook in self.pre:
            changed = hook(self.module, grad_output)
            if changed is not None:
                grad_output = _checked(changed, self.outputs, "backward pre-hook", "grad_output")
        if self.input_positions is None:
            self._without_inputs(grad_output)
        else:
            self.grad_output = grad_output
        return tuple(grad_output[position] for position in self.output_positions)

    def _at_inputs(self, grads: Grads) -> Grads:
        if self.grad_output is None:  # the gradient came around the output, as in a double backward
            return grads
        assert self.input_positions is not None
        grad_input = _spread(grads, self.input_positions, self.inputs)
        for hook in self.hooks:
            changed = hook(self.module, grad_input, self.grad_output)
            if changed is not None:
                grad_input = _checked(changed, self.inputs, "backward hook", "grad_input")
        self.grad_output = None
        return tuple(grad_input[position] for position in self.input_positions)

    def _without_inputs(self, grad_output: Grads) -> None:
        if self.hooks and not self.quiet:
            warnings.warn(
                f"no input of {self.module._get_name()} needs a gradient, so its full backward hooks run when"
                " the gradients of its outputs are known, with None for grad_input",
                stacklevel=3,
            )
        for hook in self.hooks:
            changed = hook(self.module, (None,) * self.inputs, grad_output)
            if changed is not None and not (isinstance(changed, tuple) and all(one is None for one in changed)):
                raise errors.runtime("a backward hook cannot set grad_input where no input needs a gradient")


def _gate(
    values: tuple[Any, ...], on_backward: Callable[[Grads], Grads], zeros: bool
) -> tuple[tuple[Any, ...], list[int] | None]:
    """``values`` with their tensors led through a gate, and where those stand; None if none needs a gradient.

    With ``zeros`` the callback gets zeros for tensors without a gradient, otherwise None.
    """
    positions = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
    if not is_grad_enabled() or not any(values[i].requires_grad for i in positions):
        return values, None
    gated = list(values)
    tensors = BackwardHookFunction.apply(on_backward, zeros, *(values[i] for i in positions))
    for i, tensor in zip(positions, tensors, strict=True):
        gated[i] = tensor
    return (tuple(gated) if type(values) is tuple else type(values)(*gated)), positions


def _spread(grads: Grads, positions: list[int], count: int) -> Grads:
    spread: list[Tensor | None] = [None] * count
    for position, grad in zip(positions, grads, strict=True):
        spread[position] = grad
    return tuple(spread)


def _checked(changed: Any, count: int, what: str, of: str) -> Grads:
    changed = (changed,) if isinstance(changed, Tensor) else changed
    if len(changed) != count:
        raise errors.runtime(f"a {what} returned {len(changed)} {of}, but the module has {count}")
    return tuple(changed)

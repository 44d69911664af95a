"""Trading time for memory: ``torch.utils.checkpoint``. Source: torch.utils.checkpoint."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from zerograd import errors
from zerograd.autograd.function import Function
from zerograd.autograd.grad_mode import enable_grad, is_grad_enabled, no_grad
from zerograd.autograd.gradients import grad
from zerograd.random import get_rng_state, set_rng_state
from zerograd.tensor.gradients import leaves_behind
from zerograd.tensor.tensor import Tensor
from zerograd.utils._pytree import tree_flatten, tree_unflatten


def noop_context_fn() -> tuple[Any, Any]:
    """Two blocks that change nothing."""
    return contextlib.nullcontext(), contextlib.nullcontext()


@contextlib.contextmanager
def _random_state(state: Any) -> Iterator[None]:
    """The generator as it was, inside the block; ``None`` leaves it alone."""
    if state is None:
        yield
        return
    outside = get_rng_state()
    set_rng_state(state)
    try:
        yield
    finally:
        set_rng_state(outside)


class _Recomputed(Function):
    """A call whose inner values are computed again by the backward pass instead of being kept."""

    @staticmethod
    def forward(ctx: Any, call: _Call, outputs: list[Any], *tensors: Any) -> Any:
        ctx.call = call
        ctx.save_for_backward(*tensors)
        results = tuple(one.detach() if isinstance(one, Tensor) else one for one in outputs)
        ctx.mark_non_differentiable(
            *[
                new
                for new, one in zip(results, outputs, strict=True)
                if isinstance(one, Tensor) and not one.requires_grad
            ]
        )
        return results

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        call = ctx.call
        saved = ctx.saved_tensors
        count = len(call.places)
        inputs = [_separate(one) for one in saved[:count]]
        outputs = call.run(inputs)[0]
        pairs = [
            (out, given)
            for out, given in zip(outputs, grads, strict=True)
            if isinstance(out, Tensor) and out.requires_grad and given is not None
        ]
        wanted = [one for one in (*inputs, *saved[count:]) if one.requires_grad]
        found = iter(
            grad(
                [out for out, _ in pairs], wanted, [given for _, given in pairs],
                retain_graph=True, create_graph=is_grad_enabled(), allow_unused=True,
            )
        )  # fmt: skip
        return None, None, *[next(found) if one.requires_grad else None for one in (*inputs, *saved[count:])]


def _separate(tensor: Any) -> Any:
    """The same value as a tensor of its own; with the same history if that is being recorded."""
    if not tensor.requires_grad:
        return tensor.detach()
    return tensor.view_as(tensor) if is_grad_enabled() else tensor.detach().requires_grad_()


class _Call:
    """A function with its arguments, the tensors among them apart."""

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any, contexts: Any, preserve: bool) -> None:
        self.function = function
        leaves, self.structure = tree_flatten((args, kwargs))
        self.places = [i for i, one in enumerate(leaves) if isinstance(one, Tensor)]
        self.tensors = [leaves[i] for i in self.places]
        self.leaves = [None if isinstance(one, Tensor) else one for one in leaves]
        self.forward_context, self.recompute_context = contexts
        self.state = get_rng_state() if preserve else None

    def run(self, tensors: Any, again: bool = True) -> tuple[list[Any], Any]:
        """The outputs as leaves and how they are nested; with the same random numbers when run ``again``."""
        leaves = list(self.leaves)
        for place, one in zip(self.places, tensors, strict=True):
            leaves[place] = one
        args, kwargs = tree_unflatten(leaves, self.structure)
        context = self.recompute_context if again else self.forward_context
        with _random_state(self.state if again else None), enable_grad(), context:
            return tree_flatten(self.function(*args, **kwargs))


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """``function(*args, **kwargs)``, whose inner values are not kept but computed again in the backward pass.

    Args:
        use_reentrant: with True, the result has no history unless an argument requires grad; with False (and by
            default) the parameters that ``function`` uses itself count too.
        context_fn: gives the blocks in which to compute first, and again.
        preserve_rng_state: (a keyword) the same random numbers the second time; default True.
        determinism_check, debug, early_stop: accepted; they change nothing.
    Source: torch.utils.checkpoint.checkpoint.
    """
    del determinism_check, debug, early_stop
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant and kwargs:
        raise errors.value(
            f"checkpoint(use_reentrant=True) takes no keywords for the function, got {', '.join(kwargs)}"
        )
    if not is_grad_enabled():
        return function(*args, **kwargs)
    call = _Call(function, args, kwargs, context_fn(), preserve)
    if use_reentrant and not any(one.requires_grad for one in call.tensors):
        warnings.warn("checkpoint: no input requires grad, so the result has no gradients", stacklevel=2)
        with no_grad():
            return function(*args, **kwargs)
    inputs = [one.detach().requires_grad_(one.requires_grad) for one in call.tensors]
    outputs, structure = call.run(inputs, again=False)
    own = {id(one) for one in inputs}
    parameters = [one for one in leaves_behind(outputs) if id(one) not in own]
    if not parameters and not any(one.requires_grad for one in inputs):
        return tree_unflatten(outputs, structure)
    return tree_unflatten(_Recomputed.apply(call, outputs, *call.tensors, *parameters), structure)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Run functions (or a Sequential) one after the other, in ``segments`` checkpointed parts; the last one is kept.

    Source: torch.utils.checkpoint.checkpoint_sequential.
    """
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise errors.value(f"checkpoint_sequential does not know the keywords {', '.join(kwargs)}")
    functions = list(functions.children()) if hasattr(functions, "children") else list(functions)

    def part(start: int, end: int) -> Callable[[Any], Any]:
        def run(value: Any) -> Any:
            for function in functions[start : end + 1]:
                value = function(value)
            return value

        return run

    size = len(functions) // segments
    end = -1
    for start in range(0, size * (segments - 1), size):
        end = start + size - 1
        input = checkpoint(part(start, end), input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return part(end + 1, len(functions) - 1)(input)

"""Modules as functions of their parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from zerograd import errors
from zerograd.nn.modules.batchnorm import _BatchNorm as BatchNorm
from zerograd.nn.modules.module import Module
from zerograd.nn.utils import stateless
from zerograd.tensor.functions.joining import stack
from zerograd.tensor.tensor import Tensor


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """``module(*args, **kwargs)`` with the given tensors, by full name, in the place of its own.

    Args:
        parameter_and_buffer_dicts: one dictionary, or several without common names.
        args: the arguments, or one that is no tuple.
        tie_weights: a tensor that stands in several places is replaced in all of them.
        strict: all parameters and buffers must be given, and nothing else.
    Raises:
        ValueError: the same name twice, or different tensors for a tied one.
    Source: torch.func.functional_call.
    """
    given = parameter_and_buffer_dicts
    if isinstance(given, Mapping):
        tensors = dict(given)
    elif isinstance(given, Sequence) and all(isinstance(one, Mapping) for one in given):
        names = [name for one in given for name in one]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise errors.value(f"these names stand in several of the dictionaries: {', '.join(twice)}")
        tensors = {name: tensor for one in given for name, tensor in one.items()}
    else:
        raise errors.value(f"expected a dictionary of tensors, or several of them, got {type(given).__name__}")
    return stateless.call_with(module, tensors, args, kwargs, tie_weights=tie_weights, strict=strict)


def stack_module_state(models: Iterable[Module]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(parameters, buffers) of several modules of one kind, each stacked along a new first dimension.

    Raises:
        RuntimeError: no modules, or of different kinds or modes.
    Source: torch.func.stack_module_state.
    """
    models = list(models)
    if not models:
        raise errors.runtime("stack_module_state needs at least one module")
    if len({one.training for one in models}) > 1:
        raise errors.runtime("stack_module_state takes modules of one mode, all in train() or all in eval()")
    if len({type(one) for one in models}) > 1:
        kinds = ", ".join(sorted({type(one).__name__ for one in models}))
        raise errors.runtime(f"stack_module_state takes modules of one class, got {kinds}")
    parameters = {
        name: _stacked([dict(one.named_parameters())[name] for one in models])
        for name, _ in models[0].named_parameters()
    }
    buffers = {
        name: _stacked([dict(one.named_buffers())[name] for one in models]) for name, _ in models[0].named_buffers()
    }
    return parameters, buffers


def _stacked(tensors: list[Any]) -> Any:
    wanted = {one.requires_grad for one in tensors}
    if len(wanted) > 1:
        raise errors.runtime("some of the modules' parameters require gradients and their counterparts do not")
    return stack([one.detach() for one in tensors]).requires_grad_(wanted.pop())


def replace_all_batch_norm_modules_(root: Module) -> Module:
    """Have all batch norms in ``root`` use the batch's own statistics and keep none; ``root`` comes back.

    Source: torch.func.replace_all_batch_norm_modules_.
    """
    for module in root.modules():
        if isinstance(module, BatchNorm):
            module.running_mean = None
            module.running_var = None
            module.num_batches_tracked = None
            module.track_running_stats = False
    return root

"""Calling a module with other parameters and buffers than its own."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from zerograd import errors
from zerograd.nn.modules.module import Module
from zerograd.tensor.tensor import Tensor

_ABSENT = object()


def functional_call(
    module: Module,
    parameters_and_buffers: Mapping[str, Tensor],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """The old place of torch.func.functional_call.

    Source: torch.nn.utils.stateless.functional_call (deprecated).
    """
    warnings.warn(
        "functional_call has moved: torch.func.functional_call is the new one",
        FutureWarning,
        stacklevel=2,
    )
    return call_with(module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict)


def call_with(
    module: Module,
    parameters_and_buffers: Mapping[str, Tensor],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """``module(*args, **kwargs)`` with the given tensors, by full name, in the place of its own.

    Args:
        args: the arguments, or one that is no tuple.
        tie_weights: a tensor that stands in several places is replaced in all of them.
        strict: all parameters and buffers must be given, and nothing else.
    Raises:
        ValueError: different tensors for one that stands in several places.
        RuntimeError: as ``strict`` asks.
    """
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    tensors = _tied(module, parameters_and_buffers) if tie_weights else dict(parameters_and_buffers)
    if strict:
        _check_names(module, tensors)
    with reparametrized(module, tensors):
        return module(*arguments, **(kwargs or {}))


@contextmanager
def reparametrized(module: Module, tensors: Mapping[str, Tensor]) -> Generator[None, None, None]:
    """Inside, ``module`` has the given tensors in the place of its own."""
    places = [(module.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2]) for name in tensors]
    before: list[Any] = []
    try:
        for (owner, name), tensor in zip(places, tensors.values(), strict=True):
            before.append(_swap(owner, name, tensor))
        yield
    finally:
        for (owner, name), old in reversed(list(zip(places, before, strict=False))):
            _swap(owner, name, old)


def _swap(owner: Any, name: str, new: Any) -> Any:
    """Put ``new`` in the place of the tensor ``name``, whatever kind it is; what was there."""
    for table in (owner._parameters, owner._buffers):
        if name in table:
            old = table[name]
            if new is _ABSENT:
                del table[name]
            else:
                table[name] = new
            return old
    old = getattr(owner, name, _ABSENT)
    if new is _ABSENT:
        delattr(owner, name)
    else:
        setattr(owner, name, new)
    return old


def _named_tensors(module: Module) -> dict[str, Tensor]:
    return {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }


def _tied(module: Module, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``given``, with an entry for each name of a tensor that is given under one of its names."""
    names: dict[int, list[str]] = {}
    for name, tensor in _named_tensors(module).items():
        names.setdefault(id(tensor), []).append(name)
    tensors = dict(given)
    for group in names.values():
        present = [name for name in group if name in given]
        if len(group) < 2 or not present:
            continue
        if len({id(given[name]) for name in present}) > 1:
            raise errors.value(
                f"{', '.join(sorted(group))} are one tensor, but different ones were given for them",
                hint="tie_weights=False replaces each by its own",
            )
        tensors.update(dict.fromkeys(group, given[present[0]]))
    return tensors


def _check_names(module: Module, tensors: Mapping[str, Tensor]) -> None:
    own = _named_tensors(module)
    missing, unexpected = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    if missing or unexpected:
        raise errors.runtime(
            f"the given tensors are not those of {module._get_name()}",
            missing=", ".join(missing) or "none",
            unexpected=", ".join(unexpected) or "none",
        )

"""``torch.compile`` and its switches. What it gives computes as the function itself does. Source: torch.compiler."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from zerograd import errors, program
from zerograd.compiler.modules import OptimizedModule
from zerograd.nn.modules.module import Module

MODES = ("default", "lite", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")


def compile(
    model: Callable[..., Any] | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str | Callable[..., Any] = "inductor",
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    disable: bool = False,
) -> Any:
    """A function that does what ``model`` does, without running its Python every time. Also a decorator, with options.

    Meant for a whole training step: gradients, optimizer and schedules included. The function runs as it is a few
    times; when two calls have done the same, later ones replay that: they bind the present values of arguments,
    parameters, states and buffers, draw random numbers anew, and let optimizers and schedules compute their numbers.
    A changed learning rate, loaded weights, another shape, ``eval()``, a variable that the function uses: all of it
    counts in the next call. What cannot be replayed (a value that is read inside, a counter kept in Python, a tensor
    stored somewhere) runs as it is, and a warning says why, once. Other side effects, such as printing, are not
    repeated. A module gives an `OptimizedModule`; its calls become part of the step around them.

    Args:
        model: a function, a method, or a module.
        disable: leave it as it is.
        fullgraph, dynamic, backend, mode, options: accepted; they change nothing.
    Raises:
        AssertionError: ``model`` is no function.
        RuntimeError: an unknown mode, or both mode and options.
    Source: torch.compile.
    """
    if mode is not None and options is not None:
        raise errors.runtime("torch.compile takes a mode or options, not both")
    if mode is not None and mode not in MODES:
        raise errors.runtime(f"torch.compile has no mode {mode!r}; there are {', '.join(MODES)}")
    if model is None:
        return functools.partial(
            compile, fullgraph=fullgraph, dynamic=dynamic, backend=backend, mode=mode, options=options, disable=disable
        )
    if not callable(model):
        raise AssertionError(f"torch.compile takes a function or a module, not {type(model).__name__}")
    if disable or isinstance(model, type):
        return model
    if isinstance(model, Module):
        return model if isinstance(model, OptimizedModule) else OptimizedModule(model)
    return program.compiled(model)


def disable(fn: Callable[..., Any] | None = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """Marks a function that is not to be compiled; it stays as it is. Source: torch.compiler.disable."""
    del recursive, reason
    return (lambda function: function) if fn is None else fn


def allow_in_graph(fn: Any) -> Any:
    """Marks a function that is safe to compile; it stays as it is. Source: torch.compiler.allow_in_graph."""
    return fn


def assume_constant_result(fn: Any) -> Any:
    """Marks a function without changing results; it stays as it is."""
    return fn


def is_compiling() -> bool:
    """Whether this runs inside a compiled function: the function itself runs, so no."""
    return False


is_dynamo_compiling = is_exporting = is_compiling


def reset() -> None:
    """Forget what has been compiled: nothing has."""


def cudagraph_mark_step_begin() -> None:
    """Marks a step for GPUs: nothing happens."""


def list_backends(exclude_tags: tuple[str, ...] = ()) -> list[str]:
    """The names that ``compile`` takes as ``backend``; all of them do the same."""
    del exclude_tags
    return ["inductor"]


@contextmanager
def set_stance(stance: str = "default", **options: Any) -> Iterator[None]:
    """How compiled functions behave inside a block: always the same."""
    del stance, options
    yield

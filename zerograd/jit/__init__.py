"""TorchScript's names: a script is the Python that it was written as. Source: torch.jit.

``script`` and ``trace`` give back what they are given, so programs behave the same; nothing is compiled, and there is
no file of compiled code to save or load.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from zerograd import errors
from zerograd.nn.modules.module import Module

ScriptModule = Module
ScriptFunction = Callable
Attribute = Final


class Error(RuntimeError):
    """What compiling raises; never raised here."""


def script(obj: Any = None, *args: Any, **kwargs: Any) -> Any:
    """The module, function or class itself. Source: torch.jit.script."""
    del args, kwargs
    return script if obj is None else obj


def trace(func: Any, example_inputs: Any = None, *args: Any, **kwargs: Any) -> Any:
    """The module or function itself, run once on the example, as tracing does.

    Unlike a trace of PyTorch's it goes on to take every branch that its inputs ask for. Source: torch.jit.trace.
    """
    keywords = kwargs.get("example_kwarg_inputs")
    if keywords is not None:
        func(**keywords)
    else:
        func(*example_inputs if type(example_inputs) in (tuple, list) else (example_inputs,))
    return func


def trace_module(mod: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    """The module itself, each named method run once. Source: torch.jit.trace_module."""
    for name, example in inputs.items():
        trace(getattr(mod, name), example)
    return mod


def _unchanged(fn: Any) -> Any:
    return fn


script_method = export = interface = _unchanged


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """Marks a method that is not to be compiled; it stays as it is. Source: torch.jit.ignore."""
    del kwargs
    return drop if callable(drop) else _unchanged


def unused(fn: Any) -> Any:
    """Marks a method that compiled code does not call; it stays as it is. Source: torch.jit.unused."""
    return fn


def script_if_tracing(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself. Source: torch.jit.script_if_tracing."""
    return functools.wraps(fn)(lambda *args, **kwargs: fn(*args, **kwargs))


def is_scripting() -> bool:
    """Whether compiled code runs: no. Source: torch.jit.is_scripting."""
    return False


def is_tracing() -> bool:
    """Whether a trace is being made: no. Source: torch.jit.is_tracing."""
    return False


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value; its type is for the compiler. Source: torch.jit.annotate."""
    del the_type
    return the_value


def isinstance(obj: Any, target_type: Any) -> bool:
    """Whether ``obj`` is of the type, where the parts of a generic type are not looked at."""
    import builtins
    import typing

    return builtins.isinstance(obj, typing.get_origin(target_type) or target_type)


def fork(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run the function at once; ``wait`` gives its result. Source: torch.jit.fork."""
    return functools.partial(_unchanged, func(*args, **kwargs))


def wait(future: Any) -> Any:
    """The result of ``fork``. Source: torch.jit.wait."""
    return future()


def freeze(mod: Any, *args: Any, **kwargs: Any) -> Any:
    """The module itself. Source: torch.jit.freeze."""
    del args, kwargs
    return mod


def optimize_for_inference(mod: Any, *args: Any, **kwargs: Any) -> Any:
    """The module itself. Source: torch.jit.optimize_for_inference."""
    del args, kwargs
    return mod


@contextmanager
def optimized_execution(should_optimize: bool) -> Iterator[None]:
    """A block in which nothing is different. Source: torch.jit.optimized_execution."""
    del should_optimize
    yield


@contextmanager
def fuser(name: str) -> Iterator[None]:
    """A block in which nothing is different. Source: torch.jit.fuser."""
    del name
    yield


def enable_onednn_fusion(enabled: bool) -> None:
    """Accepted; nothing changes. Source: torch.jit.enable_onednn_fusion."""


def set_fusion_strategy(strategy: list[tuple[str, int]]) -> None:
    """Accepted; nothing changes. Source: torch.jit.set_fusion_strategy."""


def save(m: Any, f: Any, _extra_files: Any = None) -> None:
    """Refuses: there is no compiled code. Source: torch.jit.save.

    Raises:
        RuntimeError: always.
    """
    raise errors.runtime(
        "zerograd does not compile modules to TorchScript, so there is nothing for torch.jit.save to write",
        hint="torch.save(model.state_dict(), file) keeps the parameters",
    )


def load(f: Any, map_location: Any = None, _extra_files: Any = None, _restore_shapes: bool = False) -> Any:
    """Refuses: compiled code cannot be run. Source: torch.jit.load.

    Raises:
        RuntimeError: always.
    """
    raise errors.runtime(
        "zerograd cannot run TorchScript files",
        hint="build the module in Python and load its parameters with load_state_dict",
    )

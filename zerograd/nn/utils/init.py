"""skip_init."""

from __future__ import annotations

import inspect
from typing import Any

from zerograd import errors
from zerograd.nn.modules.module import Module
from zerograd.tensor.generator import default_generator


def skip_init(module_cls: Any, *args: Any, **kwargs: Any) -> Module:
    """``module_cls(*args, **kwargs)`` without its initial values, and without drawing random numbers.

    Raises:
        RuntimeError: not a module class, or one without the argument ``device``.
    Source: torch.nn.utils.skip_init.
    """
    if not issubclass(module_cls, Module):
        raise errors.runtime(f"skip_init needs a Module class, got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise errors.runtime(f"skip_init needs a module with the argument 'device', which {module_cls} lacks")
    state = default_generator.get_state()
    try:
        return module_cls(*args, **kwargs)
    finally:
        default_generator.set_state(state)

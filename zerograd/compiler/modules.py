"""Compiled modules: a module in a wrapper that calls it through ``torch.compile``'s capture."""

from __future__ import annotations

from typing import Any

from zerograd import program
from zerograd.nn.modules.module import Module

OWN = frozenset(("_orig_mod", "forward", "_forward_hooks", "_forward_pre_hooks"))


class OptimizedModule(Module):
    """What ``torch.compile(module)`` gives: the module as ``_orig_mod``, with all its attributes.

    Parameters are the module's own; their names begin with ``_orig_mod.``, in ``state_dict()`` too.

    Source: torch._dynamo.eval_frame.OptimizedModule.
    """

    _orig_mod: Module

    def __init__(self, module: Module) -> None:
        super().__init__()
        del self.__dict__["training"]
        self._orig_mod = module
        self._prepare()

    def _prepare(self) -> None:
        self.__dict__["forward"] = program.compiled(self._orig_mod.__call__)

    @property
    def training(self) -> bool:
        """That of the module."""
        return self._orig_mod.training

    @training.setter
    def training(self, mode: bool) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]  # as in PyTorch
        self._orig_mod.training = mode

    def __getattr__(self, name: str) -> Any:
        if name == "_orig_mod" or "_modules" not in self.__dict__:
            return super().__getattr__(name)
        return getattr(self._orig_mod, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in OWN or name in self.__dict__:
            super().__setattr__(name, value)
        elif name == "training":
            self._orig_mod.training = value
        else:
            setattr(self._orig_mod, name, value)

    def __delattr__(self, name: str) -> None:
        if name in self.__dict__:
            super().__delattr__(name)
        else:
            delattr(self._orig_mod, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._orig_mod)})

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        state.pop("forward", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._prepare()
